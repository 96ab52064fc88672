"""Facts in words: a `Leak` for each complaint, closing and survivor. (`wording_process`: for changes.)"""
from __future__ import annotations

import re
from typing import Any, List, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.databases import frameworks
from unittest_leakfix.holdings import Found
from unittest_leakfix.kind import Kind
from unittest_leakfix.kinds_databases import closing_is_awaited

from . import remedies
from .acquisitions import Acquisition
from .census import Survivor
from .complaints import Complaint
from .frames import short
from .ids import spoken as spoken_test
from .holders import Chain
from .leak import Leak
from .phrases import noun, place_of, silence, spoken, state, steady
from .words import is_fixture

__unittest = True
bind(globals())

_COMPLAINTS = {"coroutine was never awaited": "coroutine", "task was destroyed pending": "task",
               "exception was never retrieved": "exception"}
_AWAITED = "let go for you: nothing else referred to it, and there was no loop left to await its close()"
_QUOTED = re.compile(r"'([^']*)'")
_DEFINED = re.compile(r"(running|defined|created) at (\S+?:\d+)")
_LABELLED = re.compile(r"(written at|made at|dropped at) (.*)")
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')


def of_closing(found: Found, acquisition: Optional[Acquisition], test: str) -> Leak:
    """An open resource that a test left, and that was closed for it."""
    kind = noun(found.kind.name)
    name = re.split(r"\W", found.label, maxsplit=1)[0]
    what = spoken(found.kind, found.value, acquisition)
    owner = "cls" if is_fixture(test) else "self"
    remedy = remedies.scoped(remedies.end(kind, "%s.%s" % (owner, found.label), closing_is_awaited(found.value)), test)
    return Leak(
        kind, "%s %s" % (what, state(kind)), (test,), acquisition=acquisition,
        closed=_AWAITED if found.kind.awaits(found.value) else "closed for you: nothing else referred to it",
        remedy=remedy,
        silence=silence(kind, what),
        cause="%s self.%s opened in %s" % (found.kind.name, name, place_of(acquisition)))


def of_survivor(survivor: Survivor, value: Any, kind: Optional[Kind], chain: Optional[Chain],
                acquisition: Optional[Acquisition], size: int,
                holding: Tuple[Tuple[str, str, int], ...] = ()) -> Leak:
    """An object that outlived its test, with the chain that keeps it."""
    by = steady(chain.expression) if chain is not None else "?"
    test = spoken_test(survivor.test)
    if survivor.what == "test":
        return Leak("kept test", "%s was kept after it finished" % test, (survivor.test,), size,
                    chain, holding, remedy=remedies.let_go(chain, "self"),
                    silence=silence("kept test", test), cause="kept test by %s" % by)
    if kind is not None:
        word = noun(kind.name)
        what = spoken(kind, value, acquisition)
        remedy = frameworks.remedy_of(value)
        # How a framework keeps its own is nothing that a user could change.
        return Leak(word, "%s %s" % (what, state(word)), (survivor.test,), 0, None if remedy else chain,
                    acquisition=acquisition, remedy=remedy or remedies.held(word, chain, closing_is_awaited(value)),
                    silence=silence(word, what),
                    cause="%s opened in %s, held by %s" % (kind.name, place_of(acquisition), by))
    where = " (its %s)" % survivor.name if survivor.name else ""
    name = survivor.name or "..."
    return Leak("object", "%s was kept after %s%s" % (survivor.type, test, where),
                (survivor.test,), size, chain, holding, remedy=remedies.let_go(chain, name[len("fixture "):] if name.startswith("fixture ") else name),
                silence=silence("object", survivor.type),
                cause="%s.%s by %s" % (survivor.module, survivor.type, by))


def of_scope(name: str, value: Any, kind: Kind, acquisition: Optional[Acquisition], test: str) -> Leak:
    """An open resource that hangs on a class ("cls.db") or module ("db") after its tear-down."""
    word = noun(kind.name)
    what = spoken(kind, value, acquisition)
    return Leak(word, "%s %s" % (what, state(word)), (test,), acquisition=acquisition,
                remedy=remedies.scoped(remedies.end(word, name), test), silence=silence(word, what),
                cause="%s %s opened in %s" % (kind.name, name, place_of(acquisition)))


def of_class(name: str, holding: Tuple[Tuple[str, str, int], ...], total: str, size: int) -> Leak:
    """What a class still holds after its last test."""
    cls = name.rpartition(".")[2]
    return Leak("class attribute", "%s still holds %s after its last test" % (cls, total),
                ("setUpClass (%s)" % name,), size, None, holding,
                remedy="class %s(ClassLeakFixMixin, ...), or cls.addClassCleanup(delattr, cls, \"%s\")"
                % (cls, holding[0][0].lstrip(".")),
                silence=silence("class attribute", cls),
                cause="class attribute %s.%s" % (name, holding[0][0].lstrip(".")))


def growth(leak: Leak, survivor: Survivor) -> Leak:
    """The same as growth: one more instance of an application's class, test after test."""
    return Leak("growth", "%s objects grow test after test" % survivor.type, leak.tests, leak.size,
                leak.chain, remedy=remedies.empty(leak.chain),
                silence=silence("growth", survivor.type), growth=1,
                cause="growth of " + leak.cause)


def of_complaint(complaint: Complaint, test: str) -> Leak:
    """What the interpreter or asyncio complained about in the test's own window."""
    kind = _COMPLAINTS.get(complaint.kind, "warning")
    opened = complaint.acquisition
    text = complaint.text.strip()
    if complaint.kind == "ResourceWarning":
        return _unclosed(complaint, test)
    subject, name, remedy = "%s: %s" % (complaint.kind, text), text, ""
    if kind == "coroutine":
        subject = text
        called = _QUOTED.search(text)
        remedy = "await %s(...)" % called.group(1) if called else ""
    elif kind == "task":
        name = opened.detail if opened is not None else ""
        subject = "task%s was destroyed but it is pending" % (" '%s'" % name if name else "")
        remedy = "cancel it and await it before the loop is closed"
    elif kind == "exception":
        of = " of task '%s'" % opened.detail if opened is not None and opened.detail else ""
        name = (complaint.detail.splitlines() or [text])[-1].strip()
        subject = "%s%s was never retrieved: %s" % ("exception", of, name)
        remedy = "await the task"
    return Leak(kind, subject, (test,), acquisition=opened, notes=tuple(_places(complaint)),
                remedy=remedy, silence=silence(kind, name[:60]),
                cause="%s %s in %s" % (complaint.kind, steady(name)[:100], place_of(opened)))


def _unclosed(complaint: Complaint, test: str) -> Leak:
    opened, text = complaint.acquisition, complaint.text.strip()
    places = tuple(_places(complaint))
    if opened is not None and opened.frames:
        here = "%s:%d" % (opened.frames[0].file, opened.frames[0].line)
        places = tuple(each for each in places if each != ("dropped at", here))
    if opened is None:
        return Leak("warning", "ResourceWarning: %s" % text, (test,), notes=places,
                    silence=silence("warning", text[:60]),
                    cause="ResourceWarning %s" % steady(text)[:100])
    kind = noun(opened.what)
    what = opened.what
    if kind not in ("event loop", "socket") or kind == "socket" and opened.detail:
        detail = short(opened.detail)
        what += " '%s'" % detail if kind in ("file", "temporary folder", "child process") else " " + detail
    return Leak(kind, "%s was dropped without being closed" % what, (test,), acquisition=opened,
                notes=places, remedy=remedies.dropped(kind), silence=silence(kind, what),
                cause="%s dropped, opened in %s" % (opened.what, place_of(opened)))


def _places(complaint: Complaint) -> List[Tuple[str, str]]:
    """Return labelled places from the detail: where it was dropped, written, made or raised."""
    lines = complaint.detail.splitlines()
    found = [match.groups() for match in map(_LABELLED.match, lines) if match]
    if complaint.kind == "task was destroyed pending":
        found += [("%s at" % how, short(place)) for how, place in _DEFINED.findall(complaint.detail)[:1]
                  if how != "created"]
    frames = _FRAME.findall(complaint.detail)
    if complaint.kind == "coroutine was never awaited" and frames:
        found.append(("made at", "%s:%s in %s" % (short(frames[-1][0]), *frames[-1][1:])))
    elif frames and complaint.kind != "task was destroyed pending":
        found.append(("raised at", "%s:%s in %s" % (short(frames[-1][0]), *frames[-1][1:])))
        if complaint.kind == "unraisable exception":
            found.append(("it was", lines[-1].strip()))
    return [(str(label), str(place)) for label, place in found]
