"""The words that all leaks share: nouns, verbs, what `ignore` takes, and names without what
varies."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any, Callable, Dict, List, Match, Optional, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model import kinds
from unittest_leakfix.leaks.model.chain import Chain
from unittest_leakfix.leaks.model.complaint import Complaint
from unittest_leakfix.leaks.model.ids import spoken as spoken_test
from unittest_leakfix.leaks.model.kinds import LeakKind, is_fixture
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.model.remedy import Call, CodeScope, Remedy, calling
from unittest_leakfix.leaks.model.survivor import Survivor
from unittest_leakfix.leaks.report import remedy_text
from unittest_leakfix.process_state import descriptors
from unittest_leakfix.process_state.base import Change
from unittest_leakfix.resources.db_connections import closing_is_awaited
from unittest_leakfix.resources.kind import Kind
from unittest_leakfix.resources.scan import Found
from unittest_leakfix.tracing import frameworks, os_facts
from unittest_leakfix.tracing.acquisitions import Acquisition
from unittest_leakfix.tracing.stacks import Frame, short

__unittest = True
bind(globals())

_VARIES = re.compile(
    r"(\d{1,3}(?:\.\d{1,3}){3})(:\d+)?"         # an address keeps its host, loses its port
    r"|\[[^\]\[]*\]|0x[0-9a-fA-F]+|(?<![A-Za-z\d])\d+")
_TEMPORARY = re.compile(r"(?:/private)?(?:/var/folders/\S+?/T|/tmp|/var/tmp)/[^\s'\"]+")


def written(leak: Leak, remedy: Optional[Remedy], scope: Optional[CodeScope] = None) -> Leak:
    """Return *leak* with a *remedy*, as it is written in *scope*: by default where its first test
    stands."""
    if remedy is None:
        return leak
    remedy = remedy.at(scope_of(leak.left_by) if scope is None else scope)
    return replace(leak, remedy=remedy_text.render(remedy), ends=remedy)


def scope_of(test: str) -> CodeScope:
    """Return where the code of a test or fixture stands. (Of test functions only pytest can
    tell.)"""
    name, blank, _ = test.partition(" ")
    return _SCOPES.get(name, CodeScope.XUNIT if name.startswith("setup_")
                       else CodeScope.TEST) if blank else CodeScope.TEST


_SCOPES = {"setUpClass": CodeScope.CLASS, "setUpModule": CodeScope.MODULE,
           "fixture": CodeScope.FIXTURE}


def matched(name: str) -> str:
    """Return that by which ``ignore`` knows a leak of this name: "mailer-*"."""
    return steady(name).replace('"', "'")


def steady(text: str) -> str:
    """Return `text` without what differs from run to run: keys, numbers, ports, temporary paths."""
    # first: of a secret without its numbers little is seen
    text = _TEMPORARY.sub("*", redaction.redact(text))
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
    """Return what an open resource is called: "file 'shop/orders.csv'", "socket listening on
    ..."."""
    word = kinds.of_resource(kind.name).name
    if kind.name == "file" and acquisition is not None and acquisition.detail:
        return "file '%s'" % short(acquisition.detail)
    if word == "socket" and os_facts.socket_descriptor(value) >= 0:
        return socket(value)
    if word == "child process" and acquisition is not None and acquisition.detail:
        return "child process '%s'" % command(acquisition.detail)
    if word == "temporary folder" and acquisition is not None and acquisition.detail:
        return "temporary folder '%s'" % acquisition.detail
    if (acquisition is not None and acquisition.what == "database connection"
            and word == "connection" and not kind.name == "cursor"):
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


# Facts in words: a `Leak` for each complaint, closing and survivor. (`wording_process`: for
# changes.)

_COMPLAINTS = {"coroutine was never awaited": "coroutine", "task was destroyed pending": "task",
               "exception was never retrieved": "exception"}
_AWAITED = (
    "let go for you: nothing else referred to it, and there was no loop left to await its close()"
)


def of_closing(found: Found, acquisition: Optional[Acquisition], test: str,
               fixture: bool = False) -> Leak:
    """An open resource that a test left, and that was closed for it.

    *fixture*: it was the value of one of pytest's, rather than an attribute.
    """
    row = kinds.of_resource(found.kind.name)
    name = re.split(r"\W", found.label, maxsplit=1)[0]
    what = spoken(found.kind, found.value, acquisition)
    owner = "" if fixture else "cls." if is_fixture(test) else "self."
    return written(
        Leak(
            row.name,
            "%s %s" % (what, row.state),
            (test,),
            acquisition=acquisition,
            closed=_AWAITED
            if found.kind.awaits(found.value)
            else "closed for you: nothing else referred to it",
            name=matched(what),
            cause="%s %s%s opened in %s"
            % (found.kind.name, "fixture " if fixture else "self.", name, place_of(acquisition)),
        ),
        remedy_text.end(row.name, owner + found.label, closing_is_awaited(found.value)),
    )


def of_survivor(survivor: Survivor, value: Any, kind: Optional[Kind], chain: Optional[Chain],
                acquisition: Optional[Acquisition], size: int,
                holding: Tuple[Tuple[str, str, int], ...] = ()) -> Leak:
    """An object that outlived its test, with the chain that keeps it."""
    by = steady(chain.expression) if chain is not None else "?"
    test = spoken_test(survivor.test)
    if survivor.what == "test":
        return written(
            Leak(
                "kept test",
                "%s was kept after it finished" % test,
                (survivor.test,),
                size,
                chain,
                holding,
                name=matched(test),
                cause="kept test by %s" % by,
            ),
            remedy_text.let_go(chain, "self"),
        )
    if kind is not None:
        row = kinds.of_resource(kind.name)
        what = spoken(kind, value, acquisition)
        advice = frameworks.remedy_of(value)
        # How a framework keeps its own is nothing that a user could change.
        return written(
            Leak(
                row.name,
                "%s %s" % (what, row.state),
                (survivor.test,),
                0,
                None if advice else chain,
                acquisition=acquisition,
                name=matched(what),
                cause="%s opened in %s, held by %s" % (kind.name, place_of(acquisition), by),
            ),
            Remedy(advice=advice)
            if advice
            else remedy_text.held(row.name, chain, closing_is_awaited(value)),
        )
    where = (
        " (its %s%s)" % ("fixture " if survivor.fixture else "", survivor.name)
        if survivor.name
        else ""
    )
    return written(Leak("object", "%s was kept after %s%s" % (survivor.type, test, where),
                        (survivor.test,), size, chain, holding, name=matched(survivor.type),
                        cause="%s.%s by %s" % (survivor.module, survivor.type, by)),
                   remedy_text.let_go(chain, survivor.name or "..."))


def of_scope(name: str, value: Any, kind: Kind, acquisition: Optional[Acquisition],
             test: str) -> Leak:
    """An open resource that hangs on a class ("cls.db") or module ("db") after its tear-down."""
    row = kinds.of_resource(kind.name)
    what = spoken(kind, value, acquisition)
    return written(Leak(row.name, "%s %s" % (what, row.state), (test,), acquisition=acquisition,
                        name=matched(what),
                        cause="%s %s opened in %s" % (kind.name, name, place_of(acquisition))),
                   remedy_text.end(row.name, name))


def of_class(name: str, holding: Tuple[Tuple[str, str, int], ...], total: str, size: int) -> Leak:
    """What a class still holds after its last test."""
    cls = name.rpartition(".")[2]
    attribute = holding[0][0].lstrip(".")
    return written(Leak("class attribute", "%s still holds %s after its last test" % (cls, total),
                        ("setUpClass (%s)" % name,), size, None, holding,
                        name=matched(cls),
                        cause="class attribute %s.%s" % (name, attribute)),
                   Remedy((Call("delattr", ("cls", '"%s"' % attribute)),),
                          advice="class %s(ClassLeakFixMixin, ...), or " % cls))


def growth(leak: Leak, survivor: Survivor) -> Leak:
    """The same as growth: one more instance of an application's class, test after test."""
    return written(
        Leak(
            "growth",
            "%s objects grow test after test" % survivor.type,
            leak.tests,
            leak.size,
            leak.chain,
            name=matched(survivor.type),
            growth=1,
            cause="growth of " + leak.cause,
        ),
        remedy_text.empty(leak.chain),
    )


def of_complaint(complaint: Complaint, test: str) -> Leak:
    """What the interpreter or asyncio complained about in the test's own window."""
    kind = _COMPLAINTS.get(complaint.kind, "warning")
    opened = complaint.acquisition
    text = complaint.text.strip()
    if complaint.kind == "ResourceWarning":
        return _unclosed(complaint, test)
    subject, name, remedy = "%s: %s" % (complaint.kind, text), text, None
    if kind == "coroutine":
        subject = text
        remedy = Remedy(awaits="%s(...)" % complaint.called) if complaint.called else None
    elif kind == "task":
        name = opened.detail if opened is not None else ""
        subject = "task%s was destroyed but it is pending" % (" '%s'" % name if name else "")
        remedy = Remedy(advice="cancel it and await it before the loop is closed")
    elif kind == "exception":
        of = " of task '%s'" % opened.detail if opened is not None and opened.detail else ""
        name = complaint.error or text
        subject = "%s%s was never retrieved: %s" % ("exception", of, name)
        remedy = Remedy(awaits="the task")
    return written(
        Leak(
            kind,
            subject,
            (test,),
            acquisition=opened,
            notes=tuple(_places(complaint)),
            name=matched(name[:60]),
            cause="%s %s in %s" % (complaint.kind, steady(name)[:100], place_of(opened)),
        ),
        remedy,
    )


def _unclosed(complaint: Complaint, test: str) -> Leak:
    opened, text = complaint.acquisition, complaint.text.strip()
    places = tuple(_places(complaint))
    if opened is not None and opened.frames:
        here = "%s:%d" % (opened.frames[0].file, opened.frames[0].line)
        places = tuple(each for each in places if each != ("dropped at", here))
    if opened is None:
        return Leak("warning", "ResourceWarning: %s" % text, (test,), notes=places,
                    name=matched(text[:60]),
                    cause="ResourceWarning %s" % steady(text)[:100])
    kind = kinds.of_resource(opened.what).name
    what = opened.what
    if kind not in ("event loop", "socket") or kind == "socket" and opened.detail:
        detail = short(opened.detail)
        what += (
            " '%s'" % detail
            if kind in ("file", "temporary folder", "child process")
            else " " + detail
        )
    return written(
        Leak(
            kind,
            "%s was dropped without being closed" % what,
            (test,),
            acquisition=opened,
            notes=places,
            name=matched(what),
            cause="%s dropped, opened in %s" % (opened.what, place_of(opened)),
        ),
        kinds.named(kind).dropped,
    )


def _places(complaint: Complaint) -> List[Tuple[str, str]]:
    """Return labelled places: where it was dropped, written, made or raised."""
    found = [("%s at" % how, _spoken_place(frame)) for how, frame in complaint.spots]
    if complaint.kind == "unraisable exception" and complaint.spots:
        found.append(("it was", complaint.error))
    return found


def _spoken_place(frame: Frame) -> str:
    """Return "shop/mail.py:61 in _loop"."""
    return "%s:%d%s" % (frame.file, frame.line, " in " + frame.function if frame.function else "")


# Changes of the process in words: a `Leak` for each.

Notes = Tuple[Tuple[str, str], ...]
Worded = Tuple[Leak, Optional[Remedy]]
WAITED = "0.5 s for it to finish"
_BY = "one of its tests or fixtures: this is looked at once per %s"
_SIGNALS = {"0": "SIG_DFL", "1": "SIG_IGN"}
# Of a server, and its client has not hung up.
_SERVES = calling("client.close")._replace(
    advice="close the client, which keeps it waiting for one more request: ")


def of_change(change: Change, test: str, acquisition: Optional[Acquisition], back: bool = False,
              fixture: bool = False) -> Leak:
    """A way in which the process differs from what it was before the test.

    *back*: it was put back; *fixture*: it was looked at before and after a class or module.
    """
    row = kinds.of_change(change.kind)
    leak, remedy = _CHANGES.get(change.kind, _other)(change, row, test, acquisition)
    if fixture and row.once_per_class and change.how != "started":
        scope = "class" if test.startswith("setUpClass") else "module"
        leak = replace(leak, tests=(scope + test[test.index(" "):],),
                       notes=leak.notes + (("by", _BY % scope),))
    return written(replace(leak, closed="put back for you, as --restore asks" if back else ""),
                   remedy)


def _thread(change: Change, row: LeakKind, test: str, acquisition: Optional[Acquisition]) -> Worded:
    kind, how = ("timer", "waiting") if change.timer else ("thread", "running")
    now = () if change.timer else _now_at(change)
    serves = change.at is not None and change.at.function == "handle_one_request"
    return Leak(
        kind,
        '%s "%s" was still %s after its test' % (kind, change.name, how),
        (test,),
        acquisition=acquisition,
        notes=now + (("waited", WAITED),),
        name=matched(change.name),
        cause="%s %s started in %s" % (kind, steady(change.name), place_of(acquisition)),
    ), _SERVES if serves else kinds.named(kind).remedy


def _child(change: Change, row: LeakKind, test: str, acquisition: Optional[Acquisition]) -> Worded:
    name = command(acquisition.detail if acquisition is not None and acquisition.detail
                   else change.name)
    ended = change.how == "ended"
    subject = "child process '%s' %s" % (
        name,
        "has ended, and nobody waited for it" if ended else "was still running after its test")
    return Leak("child process", subject, (test,), acquisition=acquisition,
                notes=(("pid", str(change.pid)),) + (() if ended else (("waited", WAITED),)),
                name=matched(name),
                cause="child process %s started in %s" % (steady(name), place_of(acquisition))
                ), calling("child.wait") if ended else row.remedy


def _descriptor(change: Change, row: LeakKind, test: str,
                acquisition: Optional[Acquisition]) -> Worded:
    kind = kinds.of_resource(acquisition.what).name if acquisition is not None else "descriptor"
    name = _on(change)
    # no file object has it, or that would be told
    if acquisition is None or kind in ("descriptor", "file"):
        kind, subject = "descriptor", "descriptor %d (%s)" % (change.fd, name)
    elif kind == "connection":
        subject = "%s to %s" % (acquisition.what, short(acquisition.detail))
    else:
        subject = name.rstrip()
    row = kinds.named(kind)
    return Leak(
        kind,
        "%s %s" % (subject, row.state),
        (test,),
        acquisition=acquisition,
        name=matched(subject if kind == "connection" else name),
        cause="%s %s opened in %s" % (kind, steady(name), place_of(acquisition)),
    ), row.remedy


def _on(change: Change) -> str:
    """Return what a descriptor is open on: "file 'shop/orders.csv'", "pipe"."""
    kind, target = change.on
    return "%s '%s'" % (
        kind, short(target)) if target.startswith("/") and "'" not in target else change.name


def _foreign(change: Change, row: LeakKind, test: str,
             acquisition: Optional[Acquisition]) -> Worded:
    if change.owner:
        name = shown = "%s (%s)" % (change.name, change.owner)
    else:
        name = _on(change)
        shown = "%s (descriptor %d)" % (name, change.fd)
    subject = "%s was closed by a test that had not opened it" % shown
    reused = "closed, and %d reused by %s" % (change.fd, change.reused_by)
    return Leak("foreign close", subject, (test,), acquisition=acquisition,
                notes=(("it is", reused),) if change.reused_by else (),
                name=matched(name), cause="foreign close of %s" % steady(name)), row.remedy


def _environment(change: Change, row: LeakKind, test: str,
                 acquisition: Optional[Acquisition]) -> Worded:
    how = "changed" if change.how == "replaced" else change.how
    subject = 'environment variable "%s" was %s' % (change.name, how)
    if change.how == "replaced":
        subject = "os.environ was replaced"
    return Leak("environment", subject, (test,), notes=_was_is(change),
                name=matched(change.name),
                cause="environment %s %s" % (change.name, how)), row.remedy


def _temporary(change: Change, row: LeakKind, test: str,
               acquisition: Optional[Acquisition]) -> Worded:
    return Leak(change.kind, "%s '%s' was left" % (change.kind, change.name), (test,),
                acquisition=acquisition, name=matched(change.name),
                cause="%s made in %s" % (change.kind, place_of(acquisition))), row.remedy


def _handler(change: Change, row: LeakKind, test: str,
             acquisition: Optional[Acquisition]) -> Worded:
    name, logger = change.name.rpartition(".")[2], change.owner
    left = change.how == "added"
    to, of = (
        'logger "%s"' % logger,
        "logging.getLogger(%s)" % ('"%s"' % logger if logger != "root" else ""),
    )
    return Leak(
        "logging handler",
        "%s was %s %s" % (name, "left on" if left else "removed from", to),
        (test,),
        name=matched(name),
        cause="logging handler %s %s %s" % (name, change.how, logger),
    ), calling("%s.%sHandler" % (of, "remove" if left else "add"), "handler")


def _listing(change: Change, row: LeakKind, test: str,
             acquisition: Optional[Acquisition]) -> Worded:
    """sys.path, warnings filters: what was added, what was removed."""
    kind = row.name
    notes: Notes = (*(("added", each) for each in change.added),
                    *(("removed", each) for each in change.removed))
    parts = ["%s %s" % note
             for note in notes] + ["the list was replaced"] * change.replaced or ["reordered"]
    notes += tuple(("it was", part) for part in parts[len(notes):])
    subject = (
        "%s was changed" % change.name
        if kind == "sys.path"
        else "the warnings filters were changed"
    )
    return Leak(kind, subject, (test,), notes=notes, name=matched(change.name),
                cause="%s %s %s" % (kind, change.name, steady("; ".join(parts)))), row.remedy


def _other(change: Change, row: LeakKind, test: str, acquisition: Optional[Acquisition]) -> Worded:
    kind, form = row.name, row.subject
    by_hand = kind == "patch" and change.how == "replaced"
    if by_hand:
        form = "%s was replaced and not put back"
    name = "event loop" if kind == "event loop" else change.name
    return Leak(
        kind,
        form % name if "%s" in form else form,
        (test,),
        acquisition=acquisition,
        notes=_signals(change)
        if kind == "signal handler"
        else _was_is(change)
        if kind not in ("event loop", "task")
        else _now_at(change),
        name=matched(name),
        cause="%s %s" % (kind, steady(name)),
    ), _remedy(row, change, by_hand)


def _remedy(row: LeakKind, change: Change, by_hand: bool) -> Optional[Remedy]:
    if by_hand:
        return Remedy(manager='mock.patch("%s", ...)' % change.name)
    if row.name == "signal handler":
        number = "signal." + change.name
        return calling("signal.signal", number, "signal.getsignal(%s)" % number)
    if row.name == "stream" and change.name in remedy_text.STREAMS:
        return Remedy(manager=remedy_text.STREAMS[change.name])
    if row.name in ("hook", "stream"):
        owner, _, name = change.name.rpartition(".")
        return Remedy(manager='mock.patch.object(%s, "%s", ...)' % (owner, name)) if owner else None
    return row.remedy


def _was_is(change: Change) -> Notes:
    return tuple(item for item in (("was", change.before), ("is", change.after)) if item[1])


def _signals(change: Change) -> Notes:
    return tuple((label, _SIGNALS.get(text, text)) for label, text in _was_is(change))


def _now_at(change: Change) -> Notes:
    return () if change.at is None else (("now at", _spoken_place(change.at)),)


# Those with more to say than their row's headline and the values before and after.
_CHANGES: Dict[str, Callable[[Change, LeakKind, str, Optional[Acquisition]], Worded]] = {
    "thread": _thread, "child process": _child, "descriptor": _descriptor,
    "closed descriptor": _foreign, "environment": _environment, "temporary folder": _temporary,
    "temporary file": _temporary, "sys.path": _listing, "warning filter": _listing,
    "logging handler": _handler,
}
