"""ReportedChanges: the changes of the process's state that tests and fixtures left, made into
leaks."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import replace
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Container,
    Dict,
    List,
    NamedTuple,
    Optional,
    Pattern,
    Sequence,
    Set,
    Tuple,
)

from unittest_leakfix._core.early import bind, later
from unittest_leakfix._core.swap import originals
from unittest_leakfix.leaks.model.ids import is_fixture
from unittest_leakfix.leaks.retention import objects
from unittest_leakfix.process_state import environment
from unittest_leakfix.process_state.base import Change
from unittest_leakfix.resources.client_table import NATIVE
from unittest_leakfix.tracing import frameworks, os_facts
from unittest_leakfix.tracing.acquisitions import Acquisition, Acquisitions
from unittest_leakfix.tracing.stacks import is_installed

if TYPE_CHECKING:
    from unittest_leakfix.leaks import identify, resource_parts
    from unittest_leakfix.leaks.model import kinds
    from unittest_leakfix.leaks.model import leak as leak_model
    from unittest_leakfix.leaks.model.leak import Leak
    from unittest_leakfix.leaks.retention import edges
else:
    identify = later(globals(), "leaks.identify")
    kinds = later(globals(), "leaks.model.kinds")
    leak_model = later(globals(), "leaks.model.leak")
    resource_parts = later(globals(), "leaks.resource_parts")
    edges = later(globals(), "leaks.retention.edges")

__unittest = True
bind(globals())
_MOST_ALIKE = 1000


class ReportedChanges:
    """Reports each change once: by its test, not again by the fixtures around it."""

    def __init__(self, acquisitions: Acquisitions) -> None:
        self._acquisitions = acquisitions
        self._reported: Set[Tuple[Any, ...]] = set()
        self.ever: Set[Tuple[Any, ...]] = set()
        """The keys of all that were reported, for what is around modules."""
        self.pending: List[Pending] = []
        """Those to be reported when their class is over."""
        self.waited = False
        """Threads or children that a test left were waited for."""
        self.failed: Container[str] = ()
        """The failing tests, whose changes are reported if the next test meets them."""
        self.recorded: Dict[Tuple[object, ...], Tuple[Change, str]] = {}
        """The quiet changes, with the test that made each last."""
        self._of_failed: List[Tuple[Tuple[Any, ...], Leak]] = []
        self._made: Dict[Tuple[Any, ...], Leak] = {}

    def grace(self) -> float:
        """Return the patience for what a fixture left: none, if it was all waited for already."""
        return 0.0 if self.waited else 0.5

    def forget(self) -> None:
        """The module is over."""
        self._reported.clear()
        self.waited = False

    @originals.around
    def leaks(self, changes: Sequence[Change], test: str, back: Sequence[Change],
              fixture: bool, ended: Sequence[str] = ()) -> List[Leak]:
        """Return the leaks of *test* that are reported at once; the others wait in ``pending``.

        *back*: those that were put back. *fixture*: *test* is one, around tests whose own changes
        were reported already. *ended*: the tests since the last close look, of which one may have
        left what is not looked at after each.
        """
        fresh: List[Leak] = []
        zone = self._zone_is_explained()
        for change in changes:
            if change.name == "time.tzname" and zone:
                continue
            if change.quiet:
                self.recorded[change.key] = change, test
                if change in back:
                    del self.recorded[change.key]
                continue
            if change.fd >= 0 and frameworks.owns_descriptor(
                    change.fd, change.on, change.kind == "closed descriptor"):
                continue
            if change.thread and frameworks.runs_thread(change.thread):
                continue
            if change.kind in ("logging handler", "logging filter", "logging level") and (
                    self._acquisitions.set_up.get(_noted_as(change)) in (test, *ended)):
                continue    # by its own package, once
            if fixture and change.key in self._reported:
                continue    # a test of the class, or a class of the module
            if change not in back:      # else what the fixtures around it have set is another one
                self._reported.add(change.key)
            if change not in back or change.name != environment.TIME_ZONE:
                self.ever.add(change.key)
            of, candidates = test, tuple(ended[-change.windows:] if change.windows else ended)
            acquisition = self._opened(change, test, fixture)
            if len(candidates) > 1:
                of, candidates, acquisition = self._proven(change, candidates, acquisition, fixture)
            elif candidates:
                of, candidates = candidates[0], ()
                acquisition = self._opened(change, of, fixture) if of != test else acquisition
            if (acquisition is not None and acquisition.test and not _is_once(change)
                    and change.kind not in ("closed descriptor", "patch")):
                of, candidates = acquisition.test, ()
            if kinds.of_change(change.kind).waits:
                self.pending.append(Pending(change, of, acquisition, os_facts.target(change.fd),
                                            candidates, change in back))
                continue
            leak = self._leak(change, of, acquisition, change in back, candidates)
            if of in self.failed and not candidates and change not in back:
                self._of_failed.append((change.key, leak))
            else:
                fresh.append(leak)
        return fresh

    def _zone_is_explained(self) -> bool:
        """Tell whether a new time zone follows from what is reported, or is Django's to set."""
        variable = Change("environment", environment.TIME_ZONE)
        return variable.key in self.ever or environment.is_djangos_now()

    def _leak(self, change: Change, test: str, acquisition: Optional[Acquisition], back: bool,
              candidates: Tuple[str, ...]) -> Leak:
        """Return the leak of a *change*. Where hundreds of tests make the same one, its names are
        looked for secrets once."""
        if any((change.thread, change.pid, change.path, change.oid)) or change.fd >= 0:
            return identify.of_change(change, test, acquisition, back, candidates)
        key = (change, acquisition.frames if acquisition is not None else None, back)
        like = self._made.get(key)
        if like is None:
            if len(self._made) >= _MOST_ALIKE:
                self._made.clear()
            like = self._made[key] = identify.of_change(change, test, acquisition, back, candidates)
        return leak_model.like(like, tests=() if candidates else (test,), candidates=candidates,
                               acquisition=acquisition)

    def _proven(self, change: Change, candidates: Tuple[str, ...],
                acquisition: Optional[Acquisition],
                fixture: bool) -> Tuple[str, Tuple[str, ...], Optional[Acquisition]]:
        """Return the one of the *candidates* that is known to have made such a change, or all of
        them."""
        if _is_once(change):
            known = [(each, found) for each in candidates
                     for found in [self._opened(change, each, fixture)] if found is not None]
            if len(known) == 1:
                return known[0][0], (), known[0][1]
            acquisition = None
        elif change.kind == "patch" and acquisition is not None and acquisition.frames:
            # The only line that can have set it stands in one of them.
            function = acquisition.frames[0].function.rpartition(".")[2]
            those = [each for each in candidates if re.split(r"\.|::", each)[-1] == function]
            if len(those) == 1:
                return those[0], (), acquisition._replace(test=those[0])
            acquisition = acquisition._replace(test="")
        return candidates[-1], candidates, acquisition

    def met(self, test: str, since: Sequence[Change] = ()) -> List[Leak]:
        """Return what failing tests left, now that *test* begins and meets it ("": none does): all
        but what has changed *since*, in the fixtures between."""
        if not self._of_failed:
            return []
        between = {change.key for change in since}
        left, self._of_failed = self._of_failed, []
        return [replace(leak, notes=leak.notes + ((leak_model.MET, test),))
                if test and key not in between else leak for key, leak in left]

    def known_of_failed(self, known: Callable[[Leak], bool]) -> List[Leak]:
        """Return those that failing tests left which are *known*, whatever test meets them: they
        do not wait for the next one any more."""
        found = [leak for _, leak in self._of_failed if known(leak)]
        self._of_failed = [each for each in self._of_failed if each[1] not in found]
        return found

    @originals.around
    def failed_with(self, test: str, text: str) -> List[Leak]:
        """Return the quiet changes of earlier tests that *test* has failed with, as *text* says."""
        found = []
        for key, (change, of) in list(self.recorded.items()):
            if of != test and change.how == "removed" and _FAILS_WITH.get(
                    change.kind, "\0") in text:
                del self.recorded[key]
                leak = identify.of_change(change, of, self._opened(change, of, False))
                found.append(replace(leak, notes=leak.notes + ((leak_model.MET, test),)))
        return found

    def _opened(self, change: Change, test: str, fixture: bool) -> Optional[Acquisition]:
        known = self._acquisitions
        if change.thread:
            thread = threading._active.get(change.thread)  # type: ignore[attr-defined]
            return None if thread is None else known.of_thread(thread)
        if change.pid:
            return known.of_pid(change.pid)
        if change.path and not _is_once(change):
            return known.of_path(change.path)
        if change.fd >= 0:
            return known.of_descriptor(change.fd) or (
                known.deduced("epoll") if change.on[0] == "eventpoll" else None)
        found = None
        if change.oid:
            found = next((known.of(each) for each in known.live(change.kind)
                          if id(each) == change.oid), None)
            if found is not None and found.frames[:1] and found.frames[0].function.rpartition(
                    ".")[2] == "__init__":      # of the user's own class: where it was put, then
                kind, owner = _noted_as(change)
                found = known.of_change(kind, owner, test, last=False) or found
        elif change.kind == "patch":
            found = known.of_change(change.name, "", test, last=True)
            if found is not None:
                return found
            found = known.deduced_setter(change.name.rpartition(".")[2])
            return found._replace(test=test) if found is not None and not fixture else found
        if found is None:
            noted = _noted_as(change)
            found = known.of_change(*noted, test, last=change.kind not in _SEVERAL)
        if found is None and change.kind in _SET and not fixture:
            found = known.deduced_setter(change.name.rpartition(".")[2])
            return found._replace(test=test) if found is not None else found
        return found


def _is_once(change: Change) -> bool:
    """Tell whether a change is one of what there is once, rather than a thing that a test made."""
    return change.kind not in _THINGS


def _noted_as(change: Change) -> Tuple[str, str]:
    """Return by which kind and name the calls that make such a change are noted."""
    kind, name = change.kind, change.name
    if kind in ("environment", "logging handler", "logging filter"):
        return kind, change.owner or name
    if kind == "logging level":
        return kind, name.partition(" ")[2]
    if kind in _BY_KIND:
        return kind, ""
    return ("decimal.getcontext()" if kind == "decimal context" else name), ""


_THINGS = frozenset(["thread", "timer", "child process", "descriptor", "closed descriptor",
                     "event loop", "task", "temporary folder", "temporary file",
                     "shared memory", "patch"])
#: Changes whose calls are noted by their kind.
_BY_KIND = frozenset(["working directory", "signal handler", "warning filter", "locale", "umask",
                      "socket timeout"])
#: Of these the last change is not the one that stands.
_SEVERAL = frozenset(["logging handler", "logging filter", "signal handler", "warning filter"])
#: What is said where a test fails with a quiet change of this kind.
_FAILS_WITH = {"current event loop": "no current event loop"}
#: Those that an assignment makes.
_SET = frozenset(["hook", "stream"])


class Pending(NamedTuple):
    """One such change, the test it came with, and what its descriptor was open on."""

    change: Change
    test: str
    acquisition: Optional[Acquisition]
    target: str
    candidates: Tuple[str, ...] = ()
    back: bool = False
    """It was put back."""

    def still_there(self, covered: Set[object], leaks: Sequence[Leak]) -> bool:
        """Tell whether it is, and is not part of what is *covered*, nor reported by one of the
        *leaks*."""
        change, opened = self.change, self.acquisition
        if opened is not None and ("thread name", opened.thread) in covered:
            return False    # by a client's own thread
        if opened is None and change.on[:1] in (("eventpoll",), ("eventfd",), ("socket",)) and any(
                os_facts.loaded(each) is not None for each in NATIVE):
            return False
        if change.kind == "stream":
            return not any(leak.chain is not None and leak.chain.expression == change.name
                           for leak in leaks if leak.kind not in ("object", "kept test"))
        if change.kind == "context variable":       # what it holds may be reported itself
            return not any(leak.chain is not None and leak.chain.expression.startswith(
                change.owner + ".get()") for leak in leaks)
        if change.kind in ("event loop", "task"):
            return not any(leak.left_by == self.test and leak.kind in (change.kind, "event loop")
                           for leak in leaks)
        if change.thread:
            return ("thread", change.thread) not in covered and not _is_idle(change.thread)
        if change.pid:
            return ("pid", change.pid) not in covered
        if change.kind == "shared memory" and any(
                leak.kind == change.kind and leak.left_by == self.test for leak in leaks):
            return False
        if change.path:
            return change.path not in covered and os_facts.exists(change.path)
        paths = (self.target, self.target.partition("-journal")[0],
                 self.target.partition("-wal")[0])
        return (change.fd not in covered and not covered.intersection((*paths, *change.on))
                and os_facts.target(change.fd) == self.target)


def _is_idle(ident: int) -> bool:
    """Tell whether a thread waits in a pool that an installed package has for the whole process:
    an object of that package runs in it, which a container of its module has, as trio's does."""
    thread = threading._active.get(ident)  # type: ignore[attr-defined]
    worker = getattr(os_facts.attributes(thread).get("_target"), "__self__", None)
    module = os_facts.loaded(objects.module_of(type(worker))) if worker is not None else None
    file = (objects.own_dict(module) or {}).get("__file__") if module is not None else None
    if type(file) is not str or not is_installed(file):
        return False
    values = list((objects.own_dict(module) or {}).values())
    values += [value for each in values if objects.module_of(type(each)) == objects.module_of(
        type(worker)) and not isinstance(each, type) for value in edges.referents(each)]
    return any(each is worker for value in values if type(value) in _POOLS
               for each in list(value))


_POOLS = (dict, list, set, deque)


def without_parts(found: Sequence[Leak], leaks: Sequence[Leak]) -> List[Leak]:
    """Return the leaks *found*, without the tests and objects among them that are kept by what one
    of all *leaks* of the same test is: they are part of it."""
    keepers: Dict[str, List[Tuple[Leak, Pattern[str]]]] = {}
    for leak in leaks:
        place = _place_of(leak)
        for test in (*leak.tests, *leak.candidates) if place else ():
            keepers.setdefault(test, []).append((leak, re.compile(place)))
    return [leak for leak in found if not (
        leak.chain is not None and leak.kind in _PARTS and leak.tests and all(any(
            keeper is not leak and place.search(_LOOKED_UP.sub(r".\1", leak.chain.expression))
            and (leak.kind != "child process" or keeper.kind == leak.kind)
            for keeper, place in keepers.get(test, ())) for test in leak.tests))]


#: The kinds of what may be part of a change or of a resource that leads to it. A child process is
#: where its object was dropped: subprocess keeps that until the child has ended.
_LOOKED_UP = re.compile(r"\.__dict__\['(\w+)'\]")
_PARTS = ("object", "kept test", "child process")
#: What keeps in which of the interpreter's tables, where that is not what is called so.
_TABLES = {"signal handler": r"\Asignal\.getsignal\(", "warning filter": r"\Awarnings\.filters\b",
           "logging handler": r"\.handlers\[|\Alogging\._handler",
           "logging filter": r"\.filters\[",
           "event loop policy": r"\Aasyncio\.events\._event_loop_policy\b"}
#: Changes of what has a name; that may be part of another one, or be called so elsewhere too.
_NAMED = ("sys.path", "hook", "stream", "patch", "module", "interpreter setting",
          "library setting")
_THREAD = r"threading\.enumerate\(\)|\Asys\._current_frames\(\)"
#: What runs threads of its own.
_RUNS = ("thread", "timer", "executor", "pool", "event loop", "task")


def _place_of(leak: Leak) -> str:
    """Return a pattern for the expressions of what *leak* keeps, "" where it keeps nothing."""
    change = getattr(leak.seen, "change", None)
    if leak.kind in _RUNS:
        return _THREAD
    if leak.kind == "connection" and change is None:
        return r"\A<C code>"        # the functions that sqlite3 was given
    if getattr(leak.seen, "complaint", None) is not None:
        return r"\Asubprocess\._active\[" if leak.kind == "child process" else ""
    if change is None:
        return ""
    if change.kind in _TABLES:
        return _TABLES[change.kind]
    if change.kind not in _NAMED:
        return ""
    if change.kind == "module":
        return r"\A(?:sys\.modules\['%s'\]|%s)(?!\w)" % ((re.escape(change.name),) * 2)
    # A library may have it under a name of its own: copy.dispatch_table.
    name = change.name.rpartition(".")[2] if change.kind == "library setting" else change.name
    started = r"|\Aunittest\.mock\._patch\._active_patches\[" * (change.kind == "patch")
    return r"(?<!\w)%s(?!\w)%s" % (re.escape(name), started)


def opened_by_fixtures(pending: Sequence[Pending],
                       covered: Container[object]) -> List[Tuple[Any, str]]:
    """Return the objects that have the descriptors which fixtures opened and that are not
    *covered*, and which fixture."""
    by = {each.change.fd: each.test for each in pending if each.change.fd >= 0
          and each.change.fd not in covered
          and is_fixture(each.test) and each.acquisition is not None
          and os_facts.target(each.change.fd) == each.target}
    return [(value, by[fd]) for value, fd in resource_parts.having(by)] if by else []


def pending_leaks(pending: Sequence[Pending], covered: Set[object],
                  leaks: Sequence[Leak]) -> List[Leak]:
    """Return a leak for each of the *pending* changes that must be reported for itself."""
    left = [each for each in pending if each.still_there(covered, leaks)]
    # mkstemp's descriptor and file are one.
    made = [each.acquisition for each in left if each.change.fd >= 0]
    return [identify.of_change(each.change, each.test, each.acquisition, each.back,
                               each.candidates) for each in left
            if each.change.kind != "temporary file" or each.acquisition not in made]
