"""Facts in words: a `Leak` for each change, complaint, closing and survivor."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional, Tuple

from unittest_leakfix.attributes import Found
from unittest_leakfix.kind import Kind

from .acquisitions import Acquisition
from .census import Survivor
from .change import Change
from .complaints import Complaint
from .holders import Chain
from .leak import Leak

__unittest = True

# The kinds of resources.py, by the nouns of the report.
_NOUNS = {
    "sqlite3 connection": "connection", "database connection": "connection",
    "sqlite3 cursor": "connection", "cursor": "connection", "sqlite3 blob": "connection",
    "dbm database": "file", "shelf": "file", "memory map": "file", "tar archive": "file",
    "zip archive": "file", "thread pool": "executor", "process pool": "pool",
    "thread timer": "timer", "mock patch": "patch", "asyncio runner": "event loop",
    "asyncio server": "socket", "server": "socket", "imap connection": "socket",
    "http response": "socket", "response": "socket", "stream": "socket",
    "async generator": "generator",
}
_REMEDIES = {"temporary folder": "cleanup", "child process": "kill", "executor": "shutdown",
             "pool": "terminate", "thread timer": "cancel", "task": "cancel", "patch": "stop"}
_CHANGED = {
    "working directory": ("cwd", "the working directory was changed"),
    "locale": ("locale", "locale was changed"),
    "umask": ("umask", "umask was changed"),
    "socket timeout": ("socket timeout", "default socket timeout was changed"),
}
_PLAIN = {
    "patch": "patch of %s was not stopped", "signal handler": "handler of %s was left",
    "logging level": "level of %s was changed", "hook": "%s was replaced",
    "stream": "%s was replaced", "interpreter setting": "%s was changed",
    "timer": "%s was left running", "decimal context": "%s was changed",
}


def noun(kind: str) -> str:
    """Return the report's noun for a kind of resource."""
    return _NOUNS.get(kind, kind)


def silence(kind: str, name: str) -> str:
    """Return what ``ignore`` takes for a leak: 'thread="mailer-1"'."""
    return '%s="%s"' % (re.sub(r"\W+", "_", kind), name.replace('"', "'"))


def steady(text: str) -> str:
    """Return `text` without what differs from run to run: keys, numbers, temporary paths."""
    text = re.sub(r"\[[^\]\[]*\]", "[*]", text)
    text = re.sub(r"/tmp/\S+", "/tmp/*", text)
    return re.sub(r"0x[0-9a-fA-F]+|\d+", "*", text)


def place_of(acquisition: Optional[Acquisition]) -> str:
    """Return the file and function that opened something, for a cause."""
    if acquisition is None or not acquisition.frames:
        return "?"
    return "%s:%s" % (acquisition.frames[0].file, acquisition.frames[0].function)


def of_closing(found: Found, acquisition: Optional[Acquisition], test: str) -> Leak:
    """An open resource that a test left, and that was closed for it."""
    kind = noun(found.kind.name)
    name = re.split(r"\W", found.label, maxsplit=1)[0]
    what = found.kind.describe(found.value)
    return Leak(
        kind, "%s was left open" % what, (test,), acquisition=acquisition,
        closed="closed for you: nothing else referred to it",
        remedy="self.addCleanup(self.%s.%s)" % (found.label, _REMEDIES.get(kind, "close")),
        silence=silence(kind, steady(what)),
        cause="%s self.%s opened in %s" % (found.kind.name, name, place_of(acquisition)))


def of_survivor(survivor: Survivor, value: Any, kind: Optional[Kind], chain: Optional[Chain],
                acquisition: Optional[Acquisition], size: int,
                holding: Tuple[Tuple[str, str, int], ...] = ()) -> Leak:
    """An object that outlived its test, with the chain that keeps it."""
    by = steady(chain.expression) if chain is not None else "?"
    short = ".".join(survivor.test.rsplit(".", 2)[-2:])
    if survivor.what == "test":
        return Leak("kept test", "%s was kept after it finished" % short, (survivor.test,), size,
                    chain, holding, silence=silence("kept test", short),
                    cause="kept test by %s" % by)
    if kind is not None:
        what = kind.describe(value)
        return Leak(noun(kind.name), "%s was left open" % what, (survivor.test,), 0, chain,
                    acquisition=acquisition, silence=silence(noun(kind.name), steady(what)),
                    cause="%s opened in %s, held by %s" % (kind.name, place_of(acquisition), by))
    where = " (its self.%s)" % survivor.name if survivor.name else ""
    return Leak("object", "%s was kept after %s%s" % (survivor.type, short, where),
                (survivor.test,), size, chain, holding,
                silence=silence("object", survivor.type),
                cause="%s.%s by %s" % (survivor.module, survivor.type, by))


def of_class(name: str, holding: Tuple[Tuple[str, str, int], ...], total: str, size: int) -> Leak:
    """What a class still holds after its last test."""
    short = name.rpartition(".")[2]
    return Leak("class attribute", "%s still holds %s after its last test" % (short, total),
                ("setUpClass (%s)" % name,), size, None, holding,
                remedy="class %s(ClassLeakFixMixin, ...), or cls.addClassCleanup(delattr, cls, \"%s\")"
                % (short, holding[0][0].lstrip(".")),
                silence=silence("class attribute", short),
                cause="class attribute %s.%s" % (name, holding[0][0].lstrip(".")))


def of_change(change: Change, test: str, acquisition: Optional[Acquisition], waited: str) -> Leak:
    """A way in which the process differs from what it was before the test."""
    make = _CHANGES.get(change.kind, _other)
    return make(change, test, acquisition, waited)


def _thread(change: Change, test: str, acquisition: Optional[Acquisition], waited: str) -> Leak:
    notes: Tuple[Tuple[str, str], ...] = ()
    if change.after.startswith("now at "):
        notes = (("now at", change.after[len("now at "):]),)
    return Leak("thread", 'thread "%s" was still running after its test' % change.name, (test,),
                acquisition=acquisition, notes=notes + (("waited", waited),),
                silence=silence("thread", change.name),
                cause="thread %s started in %s" % (steady(change.name), place_of(acquisition)))


def _child(change: Change, test: str, acquisition: Optional[Acquisition], waited: str) -> Leak:
    ended = "not waited for" if "zombie" in change.after or "ended" in change.after else "still running"
    return Leak("child process", "child process %s was %s after its test" % (change.name, ended),
                (test,), acquisition=acquisition,
                notes=(("process", str(change.pid)), ("waited", waited)),
                silence=silence("child process", change.name),
                cause="child process %s started in %s" % (steady(change.name), place_of(acquisition)))


def _descriptor(change: Change, test: str, acquisition: Optional[Acquisition], waited: str) -> Leak:
    kind = noun(acquisition.what) if acquisition is not None else "descriptor"
    if acquisition is None:
        subject = "%s (%s) was left open" % (change.detail, change.name)
    elif kind == "connection":
        subject = "%s to %s was left open" % (acquisition.what, acquisition.detail)
    else:
        subject = "%s was left open" % change.name
    return Leak(kind, subject, (test,), acquisition=acquisition,
                silence=silence(kind, steady(change.name)),
                cause="%s %s opened in %s" % (kind, steady(change.name), place_of(acquisition)))


def _foreign(change: Change, test: str, acquisition: Optional[Acquisition], waited: str) -> Leak:
    return Leak("foreign close", "%s (%s) was closed by a test that had not opened it" % (
        change.detail, change.name), (test,), acquisition=acquisition,
        notes=(("is", change.after),) if change.after != "closed" else (),
        silence=silence("foreign close", steady(change.name)),
        cause="foreign close of %s" % steady(change.name))


def _environment(change: Change, test: str, acquisition: Optional[Acquisition], waited: str) -> Leak:
    how = change.detail if change.detail in ("added", "removed", "changed") else "changed"
    notes = tuple(item for item in (("was", change.before), ("is", change.after)) if item[1])
    return Leak("environment", 'environment variable "%s" was %s' % (change.name, how), (test,),
                notes=notes, remedy='mock.patch.dict(os.environ, {"%s": ...})' % change.name,
                silence=silence("environment", change.name),
                cause="environment %s" % change.name)


def _temporary(change: Change, test: str, acquisition: Optional[Acquisition], waited: str) -> Leak:
    folder = change.kind == "temporary folder"
    remedy = ("self.addCleanup(shutil.rmtree, path)" if folder else "self.addCleanup(os.remove, path)")
    return Leak(change.kind, "%s '%s' was left" % (change.kind, change.name), (test,),
                acquisition=acquisition, remedy=remedy,
                silence=silence(change.kind, steady(change.name)),
                cause="%s made in %s" % (change.kind, place_of(acquisition)))


def _listing(change: Change, test: str, acquisition: Optional[Acquisition], waited: str) -> Leak:
    """sys.path, warnings filters, logging handlers."""
    kind = {"warning filter": "warnings filter"}.get(change.kind, change.kind)
    subject = {"sys.path": "%s was changed" % change.name,
               "warnings filter": "the warnings filters were changed",
               "logging handler": "handler %s was %s" % (
                   change.name, "left" if change.after == "added" else "removed")}[kind]
    if kind == "logging handler" and change.detail:
        subject += " on %s" % change.detail
        notes: Tuple[Tuple[str, str], ...] = ()
    else:
        notes = (("change", change.detail),) if change.detail else ()
    return Leak(kind, subject, (test,), notes=notes, silence=silence(kind, change.name),
                cause="%s %s %s" % (kind, change.name, steady(change.detail)))


def _other(change: Change, test: str, acquisition: Optional[Acquisition], waited: str) -> Leak:
    kind, subject = _CHANGED.get(change.kind, (
        change.kind, _PLAIN.get(change.kind, "%s was changed") % change.name))
    notes = tuple(item for item in (("was", change.before), ("is", change.after)) if item[1])
    remedy = "self.addCleanup(patcher.stop)" if "not stopped" in change.detail else ""
    return Leak(kind, subject, (test,), acquisition=acquisition, notes=notes, remedy=remedy,
                silence=silence(kind, change.name), cause="%s %s" % (kind, steady(change.name)))


_CHANGES: Dict[str, Any] = {
    "thread": _thread, "child process": _child, "descriptor": _descriptor,
    "closed descriptor": _foreign, "environment": _environment, "temporary folder": _temporary,
    "temporary file": _temporary, "sys.path": _listing, "warning filter": _listing,
    "logging handler": _listing,
}


def of_complaint(complaint: Complaint, test: str) -> Leak:
    """What the interpreter or asyncio complained about in the test's own window."""
    opened = complaint.acquisition
    kind = {"coroutine was never awaited": "coroutine", "task was destroyed pending": "task",
            "exception was never retrieved": "exception"}.get(complaint.kind, "warning")
    subject = complaint.text.strip() if kind in ("coroutine", "exception") else "%s: %s" % (
        complaint.kind, complaint.text.strip())
    if kind == "task":
        subject = "task %s was destroyed but it is pending" % (
            "'%s'" % opened.detail if opened is not None else "")
    if complaint.kind == "ResourceWarning" and opened is not None:
        kind = noun(opened.what)
        subject = "%s %s was dropped without being closed" % (opened.what, opened.detail)
    detail = complaint.detail.strip().splitlines()
    return Leak(kind, subject, (test,), acquisition=opened,
                notes=(("it was", detail[-1].strip()),) if detail else (),
                remedy="await it, or close it" if kind == "coroutine" else "",
                silence=silence(kind, steady(complaint.text.strip())[:60]),
                cause="%s %s in %s" % (complaint.kind, steady(complaint.text)[:100], place_of(opened)))
