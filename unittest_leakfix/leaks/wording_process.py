"""Changes of the process in words: a `Leak` for each."""
from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, Optional, Tuple

from unittest_leakfix._core.early import bind

from . import remedies
from .acquisitions import Acquisition
from .change import Change
from .frames import short
from .leak import Leak
from .phrases import command, noun, place_of, silence, state, steady

__unittest = True
bind(globals())

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
    return replace(leak, remedy=remedies.scoped(leak.remedy, leak.tests[0]), closed=closed)


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
                remedy=remedies.CHANGES["client" if serves else kind], silence=silence(kind, change.name),
                cause="%s %s started in %s" % (kind, steady(change.name), place_of(acquisition)))


def _child(change: Change, test: str, acquisition: Optional[Acquisition]) -> Leak:
    name = command(acquisition.detail if acquisition is not None and acquisition.detail else change.name)
    ended = "has ended" in change.after
    subject = "child process '%s' %s" % (
        name, "has ended, and nobody waited for it" if ended else "was still running after its test")
    return Leak("child process", subject, (test,), acquisition=acquisition,
                notes=(("pid", str(change.pid)),) + (() if ended else (("waited", WAITED),)),
                remedy="self.addCleanup(child.wait)" if ended else remedies.CHANGES["child process"],
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
                remedy=remedies.CHANGES.get(kind, ""),
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
                remedy=remedies.CHANGES["environment"], silence=silence("environment", change.name),
                cause="environment %s %s" % (change.name, how))


def _temporary(change: Change, test: str, acquisition: Optional[Acquisition]) -> Leak:
    return Leak(change.kind, "%s '%s' was left" % (change.kind, change.name), (test,),
                acquisition=acquisition, remedy=remedies.CHANGES[change.kind],
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
    return Leak(kind, subject, (test,), notes=notes, remedy=remedies.CHANGES[kind],
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
    return remedies.CHANGES.get(kind, "")


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
