"""The words that all leaks share: nouns, verbs, what `ignore` takes, and names without what varies."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any, Callable, Dict, List, Match, Optional, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.captured_warnings import Complaint
from unittest_leakfix.leaks.model.ids import spoken as spoken_test
from unittest_leakfix.leaks.model.kinds import is_fixture
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.report import remedy_text
from unittest_leakfix.leaks.retention.search import Chain
from unittest_leakfix.leaks.survivors import Survivor
from unittest_leakfix.process_state import descriptors
from unittest_leakfix.process_state.base import Change
from unittest_leakfix.resources.db_connections import closing_is_awaited
from unittest_leakfix.resources.kind import Kind
from unittest_leakfix.resources.scan import Found
from unittest_leakfix.tracing import frameworks, os_facts
from unittest_leakfix.tracing.acquisitions import Acquisition
from unittest_leakfix.tracing.stacks import short

__unittest = True
bind(globals())

# The kinds of resources.py, by the nouns of the report.
_NOUNS = {
    "sqlite3 connection": "connection", "database connection": "connection",
    "sqlite3 cursor": "connection", "cursor": "connection", "sqlite3 blob": "connection",
    "dbm database": "file", "shelf": "file", "memory map": "file", "tar archive": "file",
    "zip archive": "file", "thread pool": "executor", "process pool": "pool",
    "process manager": "child process", "thread timer": "timer", "mock patch": "patch",
    "asyncio runner": "event loop", "asyncio server": "socket", "server": "socket",
    "imap connection": "socket", "http response": "socket", "response": "socket",
    "process pipe": "descriptor", "process queue": "descriptor", "selector": "descriptor",
    "process listener": "socket", "stream": "socket", "async generator": "generator",
}
_STATES = {"child process": "was left running", "executor": "was not shut down",
           "pool": "was not terminated", "thread": "was left running",
           "timer": "was left waiting", "task": "was left pending", "patch": "was not stopped",
           "temporary folder": "was left", "generator": "was not closed"}
_VARIES = re.compile(
    r"(\d{1,3}(?:\.\d{1,3}){3})(:\d+)?"         # an address keeps its host, loses its port
    r"|\[[^\]\[]*\]|0x[0-9a-fA-F]+|(?<![A-Za-z\d])\d+")
_TEMPORARY = re.compile(r"(?:/private)?(?:/var/folders/\S+?/T|/tmp|/var/tmp)/[^\s'\"]+")


def noun(kind: str) -> str:
    """Return the report's noun for a kind of resource."""
    return _NOUNS.get(kind, kind)


def state(kind: str) -> str:
    """Return in which state a resource of this noun was found: "was left open"."""
    return _STATES.get(kind, "was left open")


def silence(kind: str, name: str) -> str:
    """Return what ``ignore`` takes for a leak: 'thread="mailer-1"'."""
    return '%s="%s"' % (re.sub(r"\W+", "_", kind), steady(name).replace('"', "'"))


def steady(text: str) -> str:
    """Return `text` without what differs from run to run: keys, numbers, ports, temporary paths."""
    text = _TEMPORARY.sub("*", redaction.redact(text))    # first: of a secret without its numbers little is seen
    folder = getattr(os_facts.loaded("tempfile"), "tempdir", None)
    if type(folder) is str and folder in text:
        text = re.sub(re.escape(folder) + r"/[^\s'\"]+", "*", text)
    return _VARIES.sub(_steady, text)


def _steady(match: Match[str]) -> str:
    if match.group(1):
        return match.group(1) + (":*" if match.group(2) else "")
    return "[*]" if match.group().startswith("[") else "*"


def place_of(acquisition: Optional[Acquisition]) -> str:
    """Return the file and function that opened something, for a cause."""
    if acquisition is None or not acquisition.frames:
        return "?"
    return "%s:%s" % (acquisition.frames[0].file, acquisition.frames[0].function)


def spoken(kind: Kind, value: Any, acquisition: Optional[Acquisition]) -> str:
    """Return what an open resource is called: "file 'shop/orders.csv'", "socket listening on ..."."""
    word = noun(kind.name)
    if kind.name == "file" and acquisition is not None and acquisition.detail:
        return "file '%s'" % short(acquisition.detail)
    if word == "socket" and os_facts.socket_descriptor(value) >= 0:
        return socket(value)
    if word == "child process" and acquisition is not None and acquisition.detail:
        return "child process '%s'" % command(acquisition.detail)
    if word == "temporary folder" and acquisition is not None and acquisition.detail:
        return "temporary folder '%s'" % acquisition.detail
    if acquisition is not None and acquisition.what == "database connection" and word == "connection" and not (
            kind.name == "cursor"):
        return acquisition.detail   # as the framework that opened it calls it
    if word == "executor" and kind.name != "thread pool":
        prefix = os_facts.attributes(value).get("_thread_name_prefix", "")
        named = type(prefix) is str and not prefix.startswith("ThreadPoolExecutor-")
        return type(value).__name__ + (" '%s'" % prefix if prefix and named else "")
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


# Facts in words: a `Leak` for each complaint, closing and survivor. (`wording_process`: for changes.)

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
    remedy = remedy_text.scoped(remedy_text.end(kind, "%s.%s" % (owner, found.label), closing_is_awaited(found.value)), test)
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
                    chain, holding, remedy=remedy_text.let_go(chain, "self"),
                    silence=silence("kept test", test), cause="kept test by %s" % by)
    if kind is not None:
        word = noun(kind.name)
        what = spoken(kind, value, acquisition)
        remedy = frameworks.remedy_of(value)
        # How a framework keeps its own is nothing that a user could change.
        return Leak(word, "%s %s" % (what, state(word)), (survivor.test,), 0, None if remedy else chain,
                    acquisition=acquisition, remedy=remedy or remedy_text.held(word, chain, closing_is_awaited(value)),
                    silence=silence(word, what),
                    cause="%s opened in %s, held by %s" % (kind.name, place_of(acquisition), by))
    where = " (its %s)" % survivor.name if survivor.name else ""
    name = survivor.name or "..."
    return Leak("object", "%s was kept after %s%s" % (survivor.type, test, where),
                (survivor.test,), size, chain, holding, remedy=remedy_text.let_go(chain, name[len("fixture "):] if name.startswith("fixture ") else name),
                silence=silence("object", survivor.type),
                cause="%s.%s by %s" % (survivor.module, survivor.type, by))


def of_scope(name: str, value: Any, kind: Kind, acquisition: Optional[Acquisition], test: str) -> Leak:
    """An open resource that hangs on a class ("cls.db") or module ("db") after its tear-down."""
    word = noun(kind.name)
    what = spoken(kind, value, acquisition)
    return Leak(word, "%s %s" % (what, state(word)), (test,), acquisition=acquisition,
                remedy=remedy_text.scoped(remedy_text.end(word, name), test), silence=silence(word, what),
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
                leak.chain, remedy=remedy_text.empty(leak.chain),
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
                notes=places, remedy=remedy_text.dropped(kind), silence=silence(kind, what),
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


# Changes of the process in words: a `Leak` for each.

Notes = Tuple[Tuple[str, str], ...]
WAITED = "0.5 s for it to finish"
# What is looked at once per class.
_DEAR = ("patch", "umask", "locale")
_BY = "one of its tests or fixtures: this is looked at once per %s"
_SIGNALS = {"0": "SIG_DFL", "1": "SIG_IGN"}
_KINDS = {"working directory": "cwd", "warning filter": "warnings filter"}
_SUBJECTS = {
    "cwd": "the working directory was changed", "locale": "locale was changed",
    "umask": "umask was changed", "socket timeout": "default socket timeout was changed",
    "patch": "patch of %s was not stopped", "signal handler": "handler of %s was left",
    "logging level": "level of %s was changed", "hook": "%s was replaced",
    "stream": "%s was replaced", "timer": "%s was left running",
    "event loop": "%s was left open", "task": "task '%s' was left pending",
}


def of_change(change: Change, test: str, acquisition: Optional[Acquisition], back: bool = False,
              fixture: bool = False) -> Leak:
    """A way in which the process differs from what it was before the test.

    *back*: it was put back; *fixture*: it was looked at before and after a class or module.
    """
    leak = _CHANGES.get(change.kind, _other)(change, test, acquisition)
    if fixture and change.kind in _DEAR and "not stopped" not in change.detail:
        scope = "class" if test.startswith("setUpClass") else "module"
        leak = replace(leak, tests=(scope + test[test.index(" "):],), notes=leak.notes + (("by", _BY % scope),))
    closed = "put back for you, as --restore asks" if back else ""
    return replace(leak, remedy=remedy_text.scoped(leak.remedy, leak.tests[0]), closed=closed)


def _thread(change: Change, test: str, acquisition: Optional[Acquisition]) -> Leak:
    timer = change.detail.endswith("Timer.run")
    kind = "timer" if timer else "thread"
    now: Notes = ()
    if change.after.startswith("now at ") and not timer:
        now = (("now at", change.after[len("now at "):]),)
    how = "waiting" if timer else "running"
    # Of a server, and its client has not hung up.
    serves = change.after.endswith(" in handle_one_request")
    return Leak(kind, '%s "%s" was still %s after its test' % (kind, change.name, how), (test,),
                acquisition=acquisition, notes=now + (("waited", WAITED),),
                remedy=remedy_text.CHANGES["client" if serves else kind], silence=silence(kind, change.name),
                cause="%s %s started in %s" % (kind, steady(change.name), place_of(acquisition)))


def _child(change: Change, test: str, acquisition: Optional[Acquisition]) -> Leak:
    name = command(acquisition.detail if acquisition is not None and acquisition.detail else change.name)
    ended = "has ended" in change.after
    subject = "child process '%s' %s" % (
        name, "has ended, and nobody waited for it" if ended else "was still running after its test")
    return Leak("child process", subject, (test,), acquisition=acquisition,
                notes=(("pid", str(change.pid)),) + (() if ended else (("waited", WAITED),)),
                remedy="self.addCleanup(child.wait)" if ended else remedy_text.CHANGES["child process"],
                silence=silence("child process", name),
                cause="child process %s started in %s" % (steady(name), place_of(acquisition)))


def _descriptor(change: Change, test: str, acquisition: Optional[Acquisition]) -> Leak:
    kind = noun(acquisition.what) if acquisition is not None else "descriptor"
    name = _relative(change.name)
    if acquisition is None or kind in ("descriptor", "file"):     # no file object has it, or that would be told
        kind, subject = "descriptor", "%s (%s)" % (change.detail, name)
    elif kind == "connection":
        subject = "%s to %s" % (acquisition.what, short(acquisition.detail))
    else:
        subject = name.rstrip()
    return Leak(kind, "%s %s" % (subject, state(kind)), (test,), acquisition=acquisition,
                remedy=remedy_text.CHANGES.get(kind, ""),
                silence=silence(kind, subject if kind == "connection" else name),
                cause="%s %s opened in %s" % (kind, steady(name), place_of(acquisition)))


def _relative(name: str) -> str:
    """Return "file 'shop/orders.csv'" for "file /srv/shop/orders.csv"."""
    kind, blank, path = name.partition(" ")
    return "%s '%s'" % (kind, short(path)) if path.startswith("/") and "'" not in path else name


def _foreign(change: Change, test: str, acquisition: Optional[Acquisition]) -> Leak:
    name = _relative(change.name)
    subject = "%s was closed by a test that had not opened it" % (
        "%s (%s)" % (name, change.detail) if change.detail else name)
    return Leak("foreign close", subject, (test,), acquisition=acquisition,
                notes=(("it is", change.after),) if change.after != "closed" else (),
                remedy="open it in setUp, so that each test has its own",
                silence=silence("foreign close", name), cause="foreign close of %s" % steady(name))


def _environment(change: Change, test: str, acquisition: Optional[Acquisition]) -> Leak:
    how = change.detail if change.detail in ("added", "removed") else "changed"
    subject = 'environment variable "%s" was %s' % (change.name, how)
    if change.name == "os.environ":
        subject = "os.environ was replaced"
    return Leak("environment", subject, (test,), notes=_was_is(change),
                remedy=remedy_text.CHANGES["environment"], silence=silence("environment", change.name),
                cause="environment %s %s" % (change.name, how))


def _temporary(change: Change, test: str, acquisition: Optional[Acquisition]) -> Leak:
    return Leak(change.kind, "%s '%s' was left" % (change.kind, change.name), (test,),
                acquisition=acquisition, remedy=remedy_text.CHANGES[change.kind],
                silence=silence(change.kind, change.name),
                cause="%s made in %s" % (change.kind, place_of(acquisition)))


def _handler(change: Change, test: str, acquisition: Optional[Acquisition]) -> Leak:
    name, logger = change.name.rpartition(".")[2].replace(" object", ""), change.detail[len("on logger "):]
    left = change.after == "added"
    to, remedy = 'logger "%s"' % logger, "logging.getLogger(%s)" % ('"%s"' % logger if logger != "root" else "")
    return Leak("logging handler", "%s was %s %s" % (name, "left on" if left else "removed from", to), (test,),
                remedy="self.addCleanup(%s.%sHandler, handler)" % (remedy, "remove" if left else "add"),
                silence=silence("logging handler", name), cause="logging handler %s %s %s" % (
                    name, change.after, logger))


def _listing(change: Change, test: str, acquisition: Optional[Acquisition]) -> Leak:
    """sys.path, warnings filters: what was added, what was removed."""
    kind = _KINDS.get(change.kind, change.kind)
    notes: Notes = ()
    for part in filter(None, change.detail.split("; ")):
        verb, _, rest = part.partition(" ")
        notes += ((verb, rest) if rest and verb in ("added", "removed") else ("it was", part),)
    subject = "%s was changed" % change.name if kind == "sys.path" else "the warnings filters were changed"
    return Leak(kind, subject, (test,), notes=notes, remedy=remedy_text.CHANGES[kind],
                silence=silence(kind, change.name), cause="%s %s %s" % (kind, change.name, steady(change.detail)))


def _other(change: Change, test: str, acquisition: Optional[Acquisition]) -> Leak:
    kind = _KINDS.get(change.kind, change.kind)
    form = _SUBJECTS.get(kind, "%s was changed")
    by_hand = kind == "patch" and "not stopped" not in change.detail
    if by_hand:
        form = "%s was replaced and not put back"
    name = "event loop" if kind == "event loop" else change.name
    return Leak(kind, form % name if "%s" in form else form, (test,), acquisition=acquisition,
                notes=_signals(change) if kind == "signal handler" else _was_is(change) if kind not in ("event loop", "task") else _where(change),
                remedy=_remedy(kind, change, by_hand), silence=silence(kind, name),
                cause="%s %s" % (kind, steady(name)))


def _remedy(kind: str, change: Change, by_hand: bool) -> str:
    if by_hand:
        return "with mock.patch(\"%s\", ...):" % change.name
    if kind == "patch":
        return "self.addCleanup(patcher.stop)"
    if kind == "signal handler":
        return "self.addCleanup(signal.signal, signal.{0}, signal.getsignal(signal.{0}))".format(change.name)
    if kind == "stream" and change.name in ("sys.stdout", "sys.stderr"):
        return "with contextlib.redirect_%s(...):" % change.name[4:]
    if kind in ("hook", "stream"):
        owner, _, name = change.name.rpartition(".")
        return "with mock.patch.object(%s, \"%s\", ...):" % (owner, name) if owner else ""
    return remedy_text.CHANGES.get(kind, "")


def _was_is(change: Change) -> Notes:
    return tuple(item for item in (("was", change.before), ("is", change.after)) if item[1])


def _signals(change: Change) -> Notes:
    return tuple((label, _SIGNALS.get(text, text)) for label, text in _was_is(change))


def _where(change: Change) -> Notes:
    found = change.after.partition("pending at ")[2]
    return (("now at", found),) if found else ()


_CHANGES: Dict[str, Callable[[Change, str, Optional[Acquisition]], Leak]] = {
    "thread": _thread, "child process": _child, "descriptor": _descriptor,
    "closed descriptor": _foreign, "environment": _environment, "temporary folder": _temporary,
    "temporary file": _temporary, "sys.path": _listing, "warning filter": _listing,
    "logging handler": _handler,
}
