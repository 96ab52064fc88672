"""Facts to leaks: of which kind each is, what it is called, and by what it is known again.

No sentence is made here: ``report.describe`` makes them, of what was seen, when they are wanted.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.code_origin import short
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import is_coroutine_function
from unittest_leakfix.leaks.fingerprint import (
    place_of,
    steady,
    without_counters,
    without_random,
)
from unittest_leakfix.leaks.model import kinds
from unittest_leakfix.leaks.model.chain import Chain
from unittest_leakfix.leaks.model.ids import is_fixture, owner_of, readable_id
from unittest_leakfix.leaks.model.kinds import LeakKind
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.model.seen import (
    Changed,
    ChangedState,
    ClassAttributes,
    Complained,
    Complaint,
    Grown,
    Resource,
    Retained,
    Survivor,
)
from unittest_leakfix.leaks.retention import objects
from unittest_leakfix.process_state import descriptors
from unittest_leakfix.process_state.base import Change
from unittest_leakfix.process_state.module_state import Difference
from unittest_leakfix.process_state.places import Place
from unittest_leakfix.resources.db_connections import closing_is_awaited
from unittest_leakfix.resources.kind import Kind
from unittest_leakfix.resources.scan import FoundResource
from unittest_leakfix.tracing import frameworks, os_facts
from unittest_leakfix.tracing.acquisitions import Acquisition
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())

def matched(name: str) -> str:
    """Return that by which ``ignore`` knows a leak of this name: "mailer-*"."""
    return steady(name).replace('"', "'")


# What a resource is called.

def described(kind: Kind, value: Any, acquisition: Optional[Acquisition]) -> str:
    """Return what an open resource is called: "file 'shop/orders.csv'", "socket listening on
    ..."."""
    word = kinds.of_resource(kind.name).name
    if kind.client:
        return redaction.redact(kind.describe(value))
    if kind.name == "file" and acquisition is not None and acquisition.detail:
        return "file '%s'" % short(acquisition.detail)
    if word == "socket" and os_facts.socket_descriptor(value) >= 0:
        return socket(value)
    if word == "child process" and acquisition is not None and acquisition.detail:
        return "child process '%s'" % command(acquisition.detail)
    if word == "temporary folder" and acquisition is not None and acquisition.detail:
        return "temporary folder '%s'" % acquisition.detail
    if (acquisition is not None and acquisition.what == "database connection"
            and acquisition.detail and word == "connection" and not kind.name == "cursor"):
        return acquisition.detail   # as the framework that opened it calls it
    if word == "executor" and kind.name != "thread pool":
        prefix = os_facts.attributes(value).get("_thread_name_prefix", "")
        named = type(prefix) is str and not prefix.startswith("ThreadPoolExecutor-")
        return type(value).__name__ + (" '%s'" % prefix if prefix and named else "")
    if kind.name == "object":       # of no known kind: with a close() that the user named
        return str(objects.class_name(type(value)))
    return redaction.redact(kind.describe(value))


def command(line: str) -> str:
    """Return a command line with "python" for the path of this interpreter."""
    for path in (sys.executable, short(sys.executable)):
        if path and line.startswith(path):
            return "python" + line[len(path):]
    return short(line)


def socket(value: Any) -> str:
    """Return "socket listening on 127.0.0.1:80", "socket 127.0.0.1:5000 -> 127.0.0.1:80"."""
    ends = descriptors._ends(os_facts.socket_descriptor(value))
    module: Any = sys.modules["_socket"]
    try:
        listens = module.socket.getsockopt(value, module.SOL_SOCKET, module.SO_ACCEPTCONN)
    except (OSError, AttributeError):  # macOS does not tell
        listens = False
    if not ends.strip(" >-"):
        return "socket"
    return ("socket listening on %s" if listens else "socket %s") % ends


# A `Leak` for each closing, survivor, class and complaint.

def of_closing(found: FoundResource, acquisition: Optional[Acquisition], test: str,
               fixture: bool = False) -> Leak:
    """An open resource that a test left, and that was closed for it.

    *fixture*: it was the value of one of pytest's, rather than an attribute.
    """
    if acquisition is not None and is_fixture(test) and is_fixture(acquisition.test) and (
            owner_of(test) == owner_of(acquisition.test)):
        test = acquisition.test     # rather than the one before which it was closed
    name = re.split(r"\W", found.label, maxsplit=1)[0]
    what = described(found.kind, found.value, acquisition)
    owner = "" if fixture else "cls." if is_fixture(test) else "self."
    return Leak(
        kinds.of_resource(found.kind.name).name,
        "",
        (test,),
        acquisition=acquisition,
        name=matched(what),
        cause="%s %s%s opened in %s" % (found.kind.name, "fixture " if fixture else "self.", name,
                                        place_of(acquisition)),
        seen=_resource(what, found.kind, found.value)._replace(
            reached=owner + found.label, was_closed=True,
            without_loop=found.let_go),
    )


def _client(called: str, kind: Kind, value: Any) -> Resource:
    """One of ``resources.clients``, or of the user's own kinds: it says itself what ends it."""
    ends = kind.ends(value)
    if not all("." in each or _has(value, (each,)) for each in ends):
        ends = ("close",) if _has(value, ("close",)) else ()
    awaited = [each for each in ends if "." not in each and is_coroutine_function(
        objects.type_attribute(type(value), each))]
    if not awaited and kind.awaits(value):
        # A plain function that returns what is to be awaited, as that of aiohttp's connectors.
        awaited = [each for each in ends if "." not in each]
    ends = tuple("await " + each if each in awaited else each for each in ends)
    return Resource(called, resource=kind.name, type=str(objects.class_name(type(value))),
                    ends=ends)


def _resource(called: str, kind: Kind, value: Any) -> Resource:
    if kind.client:
        return _client(called, kind, value)
    ends = kind.ends(value) or kinds.ENDS.get(kind.name, kinds.of_resource(kind.name).ends)
    # What a subclass or a class of the same kind ends by instead.
    state = ""
    if kind.name == "child process":
        values = os_facts.attributes(value)
        if values.get("returncode") is not None:
            state = "has ended, and its pipes were left open"
        pipes: Any = [values.get(name) for name in ("stdin", "stdout", "stderr")]
        if pipes != [None] * 3 and not (pipes[0] is not None and pipes[0].closed):
            ends = ("communicate", "kill")      # which closes them
            ends = ends[:1] if state else ends
    ends = next((each for each in (ends, ("join", "kill"), ("aclose",), ("close",))
                 if _has(value, each)), ())
    return Resource(called, "", closing_is_awaited(value), resource=kind.name,
                    type=str(objects.class_name(type(value))), state=state, ends=ends)


def _has(value: Any, methods: Tuple[str, ...]) -> bool:
    values = os_facts.attributes(value)
    return all(each in values or objects.type_attribute(type(value), each) is not None
               for each in methods)


def of_survivor(survivor: Survivor, value: Any, kind: Optional[Kind], chain: Optional[Chain],
                acquisition: Optional[Acquisition], size: int,
                holding: Tuple[Tuple[str, str, int], ...] = (), way: str = "") -> Leak:
    """An object that outlived its test, with the chain that keeps it. *way*: what identifies that,
    if not its expression."""
    by = steady(way or chain.expression) if chain is not None else "?"
    retained = Retained(survivor.type, survivor.name, survivor.fixture)
    if survivor.what == "test":
        return Leak("kept test", "", (survivor.test,), size, chain, holding,
                    name=matched(readable_id(survivor.test)), cause="kept test by %s" % by,
                    seen=retained)
    if kind is not None:
        what = described(kind, value, acquisition)
        advice = frameworks.remedy_of(value)
        # How a framework keeps its own is nothing that a user could change.
        return Leak(kinds.of_resource(kind.name).name, "", (survivor.test,), 0,
                    None if advice else chain, acquisition=acquisition, name=matched(what),
                    cause="%s opened in %s, held by %s" % (kind.name, place_of(acquisition), by),
                    seen=_resource(what, kind, value)._replace(advice=advice or ""))
    return Leak("object", "", (survivor.test,), size, chain, holding, name=matched(survivor.type),
                cause="%s.%s by %s" % (survivor.module, survivor.type, by), seen=retained)


def of_scope(name: str, value: Any, kind: Kind, acquisition: Optional[Acquisition],
             test: str) -> Leak:
    """An open resource that hangs on a class ("cls.db") or module ("db") after its tear-down."""
    what = described(kind, value, acquisition)
    return Leak(kinds.of_resource(kind.name).name, "", (test,), acquisition=acquisition,
                name=matched(what),
                cause="%s %s opened in %s" % (kind.name, name, place_of(acquisition)),
                seen=_resource(what, kind, value)._replace(reached=name))


def of_import(name: str, value: Any, kind: Kind, acquisition: Optional[Acquisition], module: str,
              in_class: bool) -> Leak:
    """An open resource that a *module*, or a class in it, opened while it was imported."""
    what = described(kind, value, acquisition)
    seen = _resource(what, kind, value)
    end = (seen.ends or ("close",))[-1].rpartition(" ")[2].lstrip(".")
    where, registers = ("setUpClass", "cls.addClassCleanup(cls.%s.%s)") if in_class else (
        "setUpModule", "unittest.addModuleCleanup(%s.%s)")
    return Leak(kinds.of_resource(kind.name).name, "", ("module (%s)" % module,),
                acquisition=acquisition, name=matched(what),
                cause="%s %s opened by the import of %s" % (kind.name, name, module),
                seen=seen._replace(advice="open it in %s, then %s" % (
                    where, registers % (name, end))))


def of_class(name: str, holding: Tuple[Tuple[str, str, int], ...], size: int,
             fixture: str = "") -> Leak:
    """What a class still holds after its last test.

    *fixture*: the class whose ``setUpClass`` gave it that, by its full name, if it is another.
    """
    return Leak("class attribute", "", ("setUpClass (%s)" % name,), size, None, holding,
                name=matched(name.rpartition(".")[2]),
                cause="class attribute %s.%s" % (fixture or name, holding[0][0].lstrip(".")),
                seen=ClassAttributes(name, size))


def growth(leak: Leak, survivor: Survivor) -> Leak:
    """The same as growth: one more instance of an application's class, test after test."""
    return Leak("growth", "", leak.tests, leak.size, leak.chain, name=matched(survivor.type),
                growth=1, cause="growth of " + leak.cause, seen=Retained(survivor.type))


def of_growth(place: Place, items: int, size: int, tests: Tuple[str, ...],
              candidates: Tuple[str, ...], container: str) -> Leak:
    """A container of the application's that grows: by *items*, which have a *size* in bytes."""
    worded = place.expression
    return Leak("growth", "", tests, size, name=matched(worded), growth=items,
                cause="growth in %s" % worded, candidates=candidates,
                seen=Grown(place, items, size, container))


def of_state(difference: Difference, tests: Tuple[str, ...], candidates: Tuple[str, ...],
             frame: Optional[Frame], back: bool, notes: Tuple[Tuple[str, str], ...]) -> Leak:
    """A place of the application's state that is not what it was. *frame*: the line of the tests
    that can have changed it."""
    opened = None if frame is None else Acquisition("state", "", tests[0] if tests else "", "",
                                                    (frame,))
    worded = difference.place.expression
    return Leak("state", "", tests, acquisition=opened, name=matched(worded), notes=notes,
                cause="state %s" % worded, candidates=candidates,
                seen=ChangedState(difference._replace(undo=None), back))


def of_states(leaks: Sequence[Leak]) -> Leak:
    """Several names of one class or module that one function of the application has set."""
    first = leaks[0]
    states = [each.seen for each in leaks if isinstance(each.seen, ChangedState)]
    owner = states[0].difference.place.owner
    return replace(first, name=matched(owner + ".*"), silence="", cause="state %s.*" % owner,
                   seen=states[0]._replace(others=tuple(each.difference for each in states[1:])))


_COMPLAINTS = {"coroutine was never awaited": "coroutine", "task was destroyed pending": "task",
               "exception was never retrieved": "exception", "exception in thread": "exception"}


def of_complaint(complaint: Complaint, test: str) -> Leak:
    """What the interpreter or asyncio complained about in the test's own window."""
    opened, called = complaint.acquisition, complaint.text.strip()
    if complaint.kind == "ResourceWarning" and opened is not None:
        called = _dropped(opened)
        return Leak(kinds.of_resource(opened.what).name, "", (test,), acquisition=opened,
                    name=matched(called),
                    cause="%s dropped, opened in %s" % (opened.what, place_of(opened)),
                    seen=Complained(complaint, called))
    kind = _COMPLAINTS.get(complaint.kind, "warning")
    if opened is not None and not opened.test:
        opened = opened._replace(test=test)
    if kind == "task":
        called = opened.detail if opened is not None else ""
    elif complaint.kind == "exception was never retrieved":
        called = complaint.error or called
    text = without_counters(called) if complaint.kind == "exception in thread" else steady(called)
    cause = "%s %s" % (complaint.kind, text[:100])
    if complaint.kind != "ResourceWarning":
        cause += " in %s" % place_of(opened)
    return Leak(kind, "", (test,), acquisition=opened, name=matched(called[:60]), cause=cause,
                seen=Complained(complaint, called))


def _dropped(opened: Acquisition) -> str:
    """Return what a resource is called of which only the acquisition is left."""
    kind = kinds.of_resource(opened.what).name
    if kind == "event loop" or not opened.detail:
        return opened.what
    detail = short(opened.detail)
    quoted = kind in ("file", "temporary folder", "child process")
    return opened.what + (" '%s'" % detail if quoted else " " + detail)


# A `Leak` for each change of the process.

class _Identity(NamedTuple):
    kind: str
    name: str
    """What ``ignore`` knows it by, before its numbers are taken out."""
    cause: str
    called: str


def of_change(change: Change, test: str, acquisition: Optional[Acquisition], back: bool = False,
              candidates: Tuple[str, ...] = ()) -> Leak:
    """A way in which the process differs from what it was before the test.

    *back*: it was put back; *candidates*: it is one of these that left it, rather than *test*.
    """
    row = kinds.of_change(change.kind)
    kind, name, cause, called = _CHANGES.get(change.kind, _other)(change, row, acquisition)
    return Leak(kind, "", () if candidates else (test,), acquisition=acquisition,
                name=matched(name), cause=cause, seen=Changed(change, called, back),
                candidates=candidates)


def _thread(change: Change, row: LeakKind, acquisition: Optional[Acquisition]) -> _Identity:
    kind = "timer" if change.timer else "thread"
    return _Identity(kind, change.name, "%s %s started in %s" % (
        kind, without_counters(change.name), place_of(acquisition)), change.name)


def _child(change: Change, row: LeakKind, acquisition: Optional[Acquisition]) -> _Identity:
    name = command(acquisition.detail if acquisition is not None and acquisition.detail
                   else change.name)
    return _Identity("child process", name, "child process %s started in %s" % (
        without_counters(name), place_of(acquisition)), name)


def _descriptor(change: Change, row: LeakKind, acquisition: Optional[Acquisition]) -> _Identity:
    kind = kinds.of_resource(acquisition.what).name if acquisition is not None else "descriptor"
    name = _on(change)
    # no file object has it, or that would be reported
    if acquisition is None or kind not in kinds.KINDS or kind in ("descriptor", "file",
                                                                  "temporary file"):
        kind, called = "descriptor", "descriptor (%s)" % name
    elif kind == "connection":
        called = "%s to %s" % (acquisition.what, short(acquisition.detail))
    else:
        called = name.rstrip()
    return _Identity(kind, called if kind == "connection" else name, "%s %s opened in %s" % (
        kind, without_counters(name), place_of(acquisition)), called)


def _on(change: Change) -> str:
    """Return what a descriptor is open on: "file 'shop/orders.csv'", "pipe"."""
    kind, target = change.on
    return "%s '%s'" % (
        kind, short(target)) if target.startswith("/") and "'" not in target else change.name


def _foreign(change: Change, row: LeakKind, acquisition: Optional[Acquisition]) -> _Identity:
    if change.owner:
        name = called = "%s (%s)" % (change.name, change.owner)
    else:
        name = _on(change)
        called = "%s (a descriptor)" % name
    return _Identity("foreign close", name, "foreign close of %s" % without_counters(name),
                     called)


def _environment(change: Change, row: LeakKind, acquisition: Optional[Acquisition]) -> _Identity:
    how = "changed" if change.how == "replaced" else change.how
    return _Identity("environment", change.name, "environment %s %s" % (
        without_random(change.name), how), change.name)


def _temporary(change: Change, row: LeakKind, acquisition: Optional[Acquisition]) -> _Identity:
    return _Identity(change.kind, change.name, "%s made in %s" % (
        change.kind, place_of(acquisition)), change.name)


def _handler(change: Change, row: LeakKind, acquisition: Optional[Acquisition]) -> _Identity:
    name = change.name.rpartition(".")[2]
    return _Identity(row.name, name, "%s %s %s %s" % (
        row.name, name, change.how, without_counters(change.owner)), name)


def _listing(change: Change, row: LeakKind, acquisition: Optional[Acquisition]) -> _Identity:
    """sys.path, warnings filters: what was added, what was removed."""
    parts = ["%s %s" % (how, each)
             for how, entries in (("added", change.added), ("removed", change.removed))
             for each in entries]
    parts += ["the list was replaced"] * change.replaced
    return _Identity(row.name, change.name, "%s %s %s" % (
        row.name, change.name, steady("; ".join(parts or ["reordered"]))), change.name)


def _other(change: Change, row: LeakKind, acquisition: Optional[Acquisition]) -> _Identity:
    name = "event loop" if row.name == "event loop" else change.name
    part = {"logging level": change.owner, "module": change.how}.get(row.name, "")
    part = " " + part if part else ""
    return _Identity(row.name, name, "%s %s%s" % (row.name, steady(name), part), name)


# Those that are known by more than their row and name.
_CHANGES: Dict[str, Callable[[Change, LeakKind, Optional[Acquisition]], _Identity]] = {
    "thread": _thread, "child process": _child, "descriptor": _descriptor,
    "closed descriptor": _foreign, "environment": _environment, "temporary folder": _temporary,
    "temporary file": _temporary, "shared memory": _temporary,
    "sys.path": _listing, "warning filter": _listing,
    "logging handler": _handler, "logging filter": _handler,
}
