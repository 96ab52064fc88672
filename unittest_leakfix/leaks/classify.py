"""Facts to leaks: what is new, what is warm-up, what is the same cause, what grows.

Objects are judged all at once, when the run is over: what tests share has ended by then.
"""

from __future__ import annotations

import gc
import re
import threading
from collections import defaultdict
from typing import Any, Collection, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import qualified
from unittest_leakfix.leaks import identify, sizes
from unittest_leakfix.leaks.class_scope import giver_of
from unittest_leakfix.leaks.governor import Governor
from unittest_leakfix.leaks.model import ids
from unittest_leakfix.leaks.model import leak as leak_model
from unittest_leakfix.leaks.model.chain import Chain, Link
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.model.seen import Survivor
from unittest_leakfix.leaks.resource_parts import held_resources
from unittest_leakfix.leaks.retention import objects
from unittest_leakfix.leaks.retention.known_caches import LAST_TEST
from unittest_leakfix.leaks.retention.search import Trace, traces
from unittest_leakfix.leaks.survivors import is_users, looked_up
from unittest_leakfix.leaks.suspects import Suspects, TestImports
from unittest_leakfix.process_state.logging_state import is_attached
from unittest_leakfix.resources.client_table import IDLE
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.tracing import os_facts
from unittest_leakfix.tracing.acquisitions import Acquisition, Acquisitions
from unittest_leakfix.tracing.frameworks import stays_open

__unittest = True
bind(globals())

_get_objects = gc.get_objects

GROWS = 3
"""The number of tests in which instances of a class must survive to be more than a warm cache."""
AGAIN = 2
"""The number of tests in which a test's own object must survive, if it may be a singleton."""
LARGE = 1000000
"""From this many bytes on one object is enough."""
ALL = 60
"""Up to how many objects each is traced; of more, some of each group stand for the others."""
_FEW, _OF_CERTAIN, _MORE = 2, 20, 8
_SIZED = 20
_LEAST_SIZE = 1000     # bytes from which an attribute of a kept test is reported


_MEMO = re.compile(r"(?i)(?:cache|memo)\w*(?:\.data)?\)*\[|\.__(?:kw)?defaults__\[")
"""Where an application keeps what it has worked out, by what it is asked for."""


class _Candidate(NamedTuple):
    survivor: Survivor
    value: Any
    acquisition: Optional[Acquisition]
    certain: bool
    """A test or a resource: a cause of its own, whatever holds it."""


class Classifier:
    """Tells which of the suspects are leaks."""

    def __init__(self, acquisitions: Acquisitions, imported: TestImports) -> None:
        self.grows = GROWS
        self.governor: Optional[Governor] = None
        self.results: Collection[int] = ()
        """The ids of the run's results: what they note of each test is not a leak."""
        self._acquisitions = acquisitions
        self._imported = imported
        self._grown: Dict[str, Set[int]] = defaultdict(set)     # by cause: numbers of tests

    def _scanned(self, times: int) -> None:
        if self.governor is not None:
            self.governor.scans += times

    def objects(self, suspects: Suspects) -> Tuple[List[Leak], Set[object]]:
        """Return the leaks among the *suspects*: those alive that were not reported before.

        With them, what need not be reported again: descriptors, process ids and paths that the open
        resources among them hold. The heap must be thawed, and have been collected.
        """
        with looked_up(suspects):
            return self._objects(suspects)

    def _objects(self, suspects: Suspects) -> Tuple[List[Leak], Set[object]]:
        covered: Set[object] = set()
        groups = self._groups(suspects)
        if not groups:
            return [], covered
        cases = [case for group in groups.values() for case in group]
        results: Dict[int, Optional[Leak]] = {}
        late = self.governor.late(len(_get_objects())) if self.governor is not None else None
        chosen = _chosen(groups.values())
        for again in (True, False):
            held_by = [id(case.value) for case in cases if case.certain]
            found = traces([case.value for case in chosen], held_by,
                           [cases, chosen, *cases, *groups.values()], late=late,
                           scanned=self._scanned)
            parts = _mark_covered(chosen, [each.chain for each in found], covered)
            self._results(suspects, chosen, found, parts, groups, results)
            chosen = _more_to_trace(groups.values(), results) if again else []
            if not chosen:
                break
        pairs = [pair for group in groups.values() for pair in self._of_group(group, results)]
        for case in cases:
            case.survivor.seen = True
        return self._growing(suspects, pairs), covered

    def _groups(self, suspects: Suspects) -> Dict[Any, List[_Candidate]]:
        """Return what is worth tracing, those alike together, in order of running."""
        alive = suspects.alive()
        for each in alive:
            if each.what == "resource" and _is_plain(each.value()):
                each.what = "instance"
        ages: Dict[Tuple[str, str], Set[int]] = defaultdict(set)
        for each in alive:
            ages[each.module, each.type].add(each.nth)
        growing = {kind for kind, nths in ages.items() if self.grows == 1 or
                   suspects.timeline.grows(nths, suspects.lost.get(kind, ()), self.grows)}
        groups: Dict[Any, List[_Candidate]] = defaultdict(list)
        for survivor in alive:
            anybodys = survivor.what == "instance" and not _is_of_test_module(survivor)
            if anybodys and (survivor.module, survivor.type) not in growing:
                continue
            case = self._candidate(survivor)
            if case is not None:
                groups[_group_of(case)].append(case)
        return {key: group for key, group in groups.items()
                if not all(case.survivor.seen for case in group)}

    def _candidate(self, survivor: Survivor) -> Optional[_Candidate]:
        """Return what is worth tracing, None for what is closed, or open on purpose."""
        value = survivor.value()
        if survivor.what == "test":
            return _Candidate(survivor, value, None, True)
        kind = kind_of(value)
        if kind is None or survivor.what == "instance":
            return _Candidate(survivor, value, None, False)
        if kind.name in ("thread", "thread timer", "mock patch"):
            return None     # reported as a change of the process
        acquisition = self._acquisitions.of(value)
        if acquisition is not None and acquisition.test in survivor.among:
            survivor.test, survivor.among = acquisition.test, ()
        sure = acquisition is not None and acquisition.test == survivor.test
        if kind.is_open(value) is not True or stays_open(value) or not (sure or survivor.name
                                                                  or _is_weakly_held(survivor)):
            return None
        opened = acquisition or self._acquisitions.of_part(value, survivor.test)
        return _Candidate(survivor, value, opened, True)

    def _results(self, suspects: Suspects, chosen: Sequence[_Candidate], found: Sequence[Trace],
                 parts: Set[int], groups: Dict[Any, List[_Candidate]],
                 results: Dict[int, Optional[Leak]]) -> None:
        """Note in *results* what became of each traced case, by the id of its survivor.

        What hangs on another that is reported is part of that: so those with the shortest chains
        come first.
        """
        reported = {id(case.value) for group in groups.values() if _is_reported(group, results)
                    for case in group}
        clients: Set[int] = set()   # an open client is the cause of all that hangs on it
        resources: Set[int] = set()     # and a resource of the tests that it calls back
        for place in sorted(range(len(chosen)), key=lambda place: len(found[place].through)):
            case, trace = chosen[place], found[place]
            leak = None
            if id(case.value) not in parts and (
                    case.certain and clients.isdisjoint(trace.through) and not (
                        case.survivor.what == "test" and resources.intersection(trace.through))
                    or reported.isdisjoint(trace.through)):
                leak = self._leak(suspects, case, trace, place < _SIZED)
            if leak is not None:
                kind = kind_of(case.value)
                if kind is not None and case.certain:
                    (clients if kind.client else resources).add(id(case.value))
                reported.update(id(each.value) for each in groups[_group_of(case)])
            results[id(case.survivor)] = leak

    def _of_group(self, group: Sequence[_Candidate],
                  results: Dict[int, Optional[Leak]]) -> List[Tuple[Survivor, Leak]]:
        """Return a leak for each case of a *group*: one that was not traced has the chain of the
        one before it."""
        pairs: List[Tuple[Survivor, Leak]] = []
        last: Optional[Leak] = None
        for case in group:
            key = id(case.survivor)
            last = leak = results.get(key, last)
            if leak is not None and not case.survivor.reported:
                if key not in results:
                    leak = _like(leak, case)
                pairs.append((case.survivor, leak))
        return pairs

    def _growing(self, suspects: Suspects, pairs: List[Tuple[Survivor, Leak]]) -> List[Leak]:
        """Return the leaks of *pairs*, of those that grow what enough tests left in one place."""
        for survivor, leak in pairs:
            if leak.kind == "growth":
                self._grown[leak.cause].add(survivor.nth)
        leaks: List[Leak] = []
        known: Dict[Tuple[str, str, str, str], bool] = {}   # a cause has as many as tests ran
        for survivor, leak in pairs:
            if leak.kind == "growth":
                key = (leak.cause, survivor.module, survivor.type,
                       leak.chain.expression if leak.chain is not None else "")
                if key not in known:
                    known[key] = self._is_growing(suspects, survivor, leak)
                if not known[key]:
                    continue
            survivor.reported = True
            leaks.append(_counted(leak, survivor))
        return leaks

    def _is_growing(self, suspects: Suspects, survivor: Survivor, leak: Leak) -> bool:
        """Tell whether more and more is left in the place of this leak, other than what was worked
        out and is kept."""
        nths = self._grown[leak.cause]
        lost = suspects.lost.get((survivor.module, survivor.type), ())
        return suspects.timeline.grows(nths, lost, self.grows) and not (
            self.grows > 1 and leak.chain is not None and bool(_MEMO.search(leak.chain.expression))
            and suspects.timeline.seldom(nths))

    def _leak(self, suspects: Suspects, case: _Candidate, trace: Trace,
              sized: bool) -> Optional[Leak]:
        survivor, value, acquisition, _ = case
        chain = trace.chain
        if chain is None or chain.root == "leak":
            return None
        if chain.expression == "<unknown>" and not case.certain:
            if self.governor is not None:
                self.governor.untraced += 1
            return None     # the search was given up
        if chain.warm_up == LAST_TEST or survivor.what != "test" and (
                chain.warm_up is not None or self._warmed_up(survivor, chain)):
            return None
        if survivor.what == "instance" and any(result in trace.through for result in self.results):
            return None     # what a reporter notes of each test
        session = acquisition is not None and acquisition.what == "database connection"
        kind = kind_of(value)
        if kind is not None and kind.client and chain.root == "thread" and not session:
            # A client's own thread is a part of it: nothing else keeps it.
            session = ("thread", _thread_of(chain)) in held_resources(value, None)[0]
        if survivor.what != "test" and chain.root == "thread" and not session and self._started(
                chain):
            return None     # the thread itself is reported
        if self.grows == 1 and chain.root == "frame":
            return None     # a variable of the code around the block
        kind = kind_of(value) if case.certain else None
        if kind is not None and kind.name == "logging handler" and is_attached(value):
            return None     # reported as a change of the process
        if kind is not None and _is_idle(chain):
            return None     # it is the pool's
        size = sizes.only_held_by(value) if sized and kind is None else 0
        if kind is None and chain.bounded and survivor.what != "test" and size <= LARGE:
            return None     # a cache or a pool that is kept within its limit
        if kind is None and survivor.what == "attribute" and size <= LARGE and (
                _librarys(value, chain) or self._may_stay(suspects, survivor, chain)):
            return None
        holding: Tuple[Tuple[str, str, int], ...] = ()
        if survivor.what == "test" and sized:
            values = object.__getattribute__(value, "__dict__")
            holding = tuple(item for item in sizes.heaviest(
                [("." + name, values[name]) for name in list(values) if not name.startswith("_")],
                most=len(values))
                if item[2] >= _LEAST_SIZE or kind_of(values[item[0][1:]]) is not None)[:3]
        leak = identify.of_survivor(survivor, value, kind, chain, acquisition, size, holding,
                                    _way(chain))
        if survivor.what == "instance" and self.grows > 1 and not _is_of_test_module(survivor):
            leak = identify.growth(leak, survivor)
        return leak

    def _may_stay(self, suspects: Suspects, survivor: Survivor, chain: Chain) -> bool:
        """Tell whether an object that a test had may be a pool's, or a singleton of the
        application."""
        if (self.grows == 1 or _is_of_test_module(survivor)
                or ids.defines(survivor.test, _home(chain))):
            return False
        kind = survivor.module, survivor.type
        alive = [each.nth for each in suspects if (each.module, each.type) == kind]
        # What is kept by a name may have been made once for each; a list gets what it is given.
        if len(set(alive)) >= GROWS and chain.steps[-1].link in (Link.INDEX, Link.MEMBER):
            return False
        return not suspects.timeline.grows(alive, suspects.lost.get(kind, ()), AGAIN)

    def _started(self, chain: Chain) -> bool:
        """Tell whether the thread that the chain begins in was started by a test."""
        thread = threading._active.get(_thread_of(chain))   # type: ignore[attr-defined]
        started = None if thread is None else self._acquisitions.of_thread(thread)
        return started is not None and bool(started.test)

    def _warmed_up(self, survivor: Survivor, chain: Chain) -> bool:
        root = chain.steps[0].what
        return root.category == "module" and self._imported.by(survivor.test, root.name)


def _is_idle(chain: Chain) -> bool:
    """Tell whether a connection is back in a pool, which waits there for the next user."""
    return any(step.what.category == "object" and below.key in IDLE.get(step.what.name, ())
               for step, below in zip(chain.steps, chain.steps[1:]))


def _thread_of(chain: Chain) -> int:
    """Return the number of the thread that a chain begins in, 0 if it is not known."""
    root = chain.steps[0].what
    for ident, thread in list(threading._active.items()):   # type: ignore[attr-defined]
        if root.method and os_facts.attributes(thread).get("_name") == root.name:
            return int(ident)
    return 0


def _group_of(case: _Candidate) -> Tuple[Any, ...]:
    """Return what a case has in common with those that most likely have the same cause."""
    survivor, _, acquisition, _ = case
    alike = survivor.what, survivor.module, survivor.type
    if survivor.what == "instance":
        return alike
    of_class = ids.owner_of(survivor.test)
    if acquisition is not None:
        return (*alike, acquisition.what, acquisition.frames[:1] or of_class)
    return (*alike, survivor.name, of_class)


def _chosen(groups: Collection[List[_Candidate]]) -> List[_Candidate]:
    """Return the cases to trace: all, or of too many the first, the last and some between of each
    group."""
    if sum(map(len, groups)) <= ALL:
        return [case for group in groups for case in group]
    return [case for group in groups
            for case in _spread(group, _OF_CERTAIN if group[0].certain else _FEW)]


def _spread(cases: Sequence[_Candidate], most: int) -> List[_Candidate]:
    """Return *most* of the *cases*, the first and the last among them."""
    if len(cases) <= most:
        return list(cases)
    return [cases[place * (len(cases) - 1) // (most - 1)] for place in range(most)]


def _more_to_trace(groups: Collection[List[_Candidate]],
                   results: Dict[int, Optional[Leak]]) -> List[_Candidate]:
    """Return more cases to trace of the *groups* of which those traced have not one cause."""
    more: List[_Candidate] = []
    for group in groups:
        causes = {None if leak is None else leak.cause for leak in _traced(group, results)}
        if len(causes) > 1:
            more += _spread([case for case in group if id(case.survivor) not in results], _MORE)
    return more


def _traced(group: Sequence[_Candidate],
            results: Dict[int, Optional[Leak]]) -> List[Optional[Leak]]:
    return [results[id(case.survivor)] for case in group if id(case.survivor) in results]


def _is_reported(group: Sequence[_Candidate], results: Dict[int, Optional[Leak]]) -> bool:
    return any(leak is not None for leak in _traced(group, results))


def _like(leak: Leak, case: _Candidate) -> Leak:
    """Return the leak of a *case* that has the same cause as *leak*."""
    return leak_model.like(leak, tests=(case.survivor.test,), size=0, holding=(),
                           acquisition=case.acquisition)


def _counted(leak: Leak, survivor: Survivor) -> Leak:
    if survivor.among:
        leak = leak_model.like(leak, tests=(), candidates=survivor.among)
    if leak.kind == "growth" and survivor.more:
        return leak_model.like(leak, growth=len([each for each in survivor.refs()
                                                 if each() is not None]))
    return leak


def _home(chain: Chain) -> str:
    """Return the name of the module that a *chain* begins in, "" for another root."""
    names = chain.expression.split(".")
    for place in range(len(names) - 1, 0, -1):
        name = ".".join(names[:place])
        if os_facts.loaded(name) is not None:
            return name
    return ""


def _way(chain: Chain) -> str:
    """Return the expression of a *chain* as it is the same for all that inherit a fixture: from the
    class whose fixture gave the class at its root the attribute that it goes on with."""
    steps = chain.steps
    if chain.root != "class" or len(steps) < 2 or steps[1].link is not Link.ATTRIBUTE:
        return chain.expression
    root = steps[0].access
    module = os_facts.loaded(_home(chain))
    cls: Any = module
    for name in root[len(_home(chain)) + 1:].split("."):
        cls = objects.namespace_of(cls).get(name) if cls is not None else None
    if not isinstance(cls, type) or root not in chain.expression:
        return chain.expression
    giver = giver_of(cls, steps[1].key)
    return (chain.expression if giver is cls
            else chain.expression.replace(root, qualified(giver), 1))


def _librarys(value: object, chain: Chain) -> bool:
    """Tell whether the standard library holds an object of its own: a logger by its name."""
    module = os_facts.loaded(_home(chain))
    return (module is not None and objects.is_library(module)
            and not is_users(type(value)))


def _mark_covered(cases: Sequence[_Candidate], found: Sequence[Optional[Chain]],
             covered: Set[object]) -> Set[int]:
    """Add to *covered* what the held resources among the *cases* hold; return the ids of those that
    are parts of others."""
    parts: Set[int] = set()
    whole: Set[int] = set()
    of_itself: Set[object] = set()    # what stands for the parts of clients
    closers: Dict[int, int] = {}
    # Clients first, and of these the one that is the nearest to a root: two may lead to each other.
    for case, chain in sorted(zip(cases, found), key=_nearest):
        value = case.value
        kind = kind_of(value)
        if chain is None or not case.certain or kind is None or id(value) in parts:
            continue
        stands, mine = held_resources(value, case.acquisition)
        covered.update(stands)
        if kind.client:
            of_itself.update(stands)
        closer = kind.closed_with(value)
        if closer is not None:
            closers[id(value)] = id(closer)
            mine = mine - {id(closer)}
        whole.add(id(value))
        mine.update(map(id, kind.parts(value)))     # of no kind, perhaps
        parts |= mine - whole
    parts.update(each for each, closer in closers.items() if closer in parts)
    threads = {os_facts.attributes(each).get("_name") for ident, each in
               list(threading._active.items())      # type: ignore[attr-defined]
               if ("thread", ident) in of_itself and ident != _main}
    covered.update(("thread name", each) for each in threads)
    # What a client's own thread has opened is the client's.
    parts.update(id(case.value) for case in cases if case.acquisition is not None
                 and case.acquisition.thread in threads and id(case.value) not in whole)
    return parts


def _is_plain(value: Any) -> bool:
    """Tell whether *value* is of a kind of resource, of somebody's own class, and has nothing that
    could be closed: it is closed, or has nothing but memory below it."""
    kind = kind_of(value)
    return (kind is not None and is_users(type(value)) and kind.is_open(value) is False
            and kind.name not in ("thread", "thread timer", "mock patch", "logging handler"))


_main = threading.main_thread().ident


def _nearest(pair: Tuple[_Candidate, Optional[Chain]]) -> Tuple[bool, bool, int]:
    case, chain = pair
    kind = kind_of(case.value)
    of_itself = chain is None or chain.root == "thread"
    return kind is None or not kind.client, of_itself, len(chain.steps) if chain is not None else 0


def _is_of_test_module(survivor: Survivor) -> bool:
    """Tell whether its class is the test module's own: then it is not an application's cache."""
    return ids.defines(survivor.test, survivor.module)


def _is_weakly_held(survivor: Survivor) -> bool:
    """Tell whether the reference is to this very object rather than to its id."""
    return not hasattr(survivor.ref, "_key")
