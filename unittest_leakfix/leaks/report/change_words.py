"""Changes of the process in words: what was left running, replaced or added, and what puts it
back."""

from __future__ import annotations

import re
import sys
from typing import Callable, Dict, NamedTuple, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model import kinds
from unittest_leakfix.leaks.model.kinds import LeakKind
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.model.remedy import (
    IT,
    Call,
    Remedy,
    When,
    calling,
    restoring,
)
from unittest_leakfix.leaks.model.seen import (
    Changed,
)
from unittest_leakfix.leaks.report import remedies
from unittest_leakfix.leaks.report.user_code import Site
from unittest_leakfix.process_state import interpreter_settings, library_settings
from unittest_leakfix.process_state.base import Change
from unittest_leakfix.process_state.setting_table import Setting
from unittest_leakfix.tracing import os_facts
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())

Notes = Tuple[Tuple[str, str], ...]
SETTINGS: Dict[str, Setting] = {row.name: row for row in (
    *interpreter_settings.HOOKS, *interpreter_settings.SIGNALS, *interpreter_settings.VALUES,
    *interpreter_settings.ROWS, *library_settings.ROWS)}
"""The settings that `process_state` watches, by their names."""


class Words(NamedTuple):
    """All that is said of one leak."""

    subject: str
    remedy: Optional[Remedy] = None
    notes: Notes = ()
    closed: str = ""


WAITED = "0.5 s for it to finish"
# What tempfile makes up after a prefix of the user's.
_TEMPORARY = ("temporary file", "temporary folder")
_MADE_UP = re.compile(r"[a-z0-9_]{8}(?=(?:\.[^/]*)?\Z)")
_SIGNALS = {"0": "SIG_DFL", "1": "SIG_IGN"}
# Of a server, and its client has not hung up.
_SERVES = Remedy(advice="close the client: it keeps the server waiting for one more request")


def place_text(frame: Frame) -> str:
    """Return "shop/mail.py:61 in _loop"."""
    return "%s:%d%s" % (frame.file, frame.line, " in " + frame.function if frame.function else "")


def changed(seen: Changed, leak: Leak, site: Site) -> Words:
    """Return what is said of one change of the process; *site* is where the user's code is looked
    at."""
    change = seen.change
    words = _CHANGES.get(change.kind, _other)(change, kinds.of_change(change.kind), seen.called,
                                              leak.kind)
    remedy = words.remedy
    if leak.kind == "descriptor" and leak.acquisition is not None:
        remedy = _and_its_file(leak, site) or _both_ends(change, site) or remedy
    elif change.kind == "child process" and change.how != "ended":
        made = site.opening(("start",))
        if made is not None:    # multiprocessing's
            remedy = Remedy((Call(IT + ".join"), Call(IT + ".kill")))
    elif change.kind == "child process" and leak.acquisition is None:
        remedy = Remedy(advice="wait for it where it is started, by its wait() or communicate()")
    if change.kind == "lock":
        remedy = calling(site.local(change.name) + ".release")
    elif change.kind == "context variable":
        remedy = _context_variable_back(change, site)
    elif change.kind == "environment" and change.name == "TZ" and remedy is not None:
        # The last one that is registered is the first to run.
        remedy = remedy._replace(calls=(Call("time.tzset"), *remedy.calls), monkeypatch="")
    if remedy is not None and not remedy.it:
        remedy = remedies.named(remedy, leak.kind, _bound(change, leak.kind, site))
        if leak.kind in _TEMPORARY:
            remedy = remedy._replace(noun="path")
    return words._replace(
        remedy=remedy,
        closed="put back for you, as --restore asks" if seen.put_back else "")


def _bound(change: Change, kind: str, site: Site) -> str:
    """Return what the user's code calls what is to be ended: the thing, or its path."""
    if kind in ("logging handler", "logging filter"):
        added = site.opening(("addHandler", "addFilter"))
        name = added.arguments[0] if added is not None and added.arguments else ""
        made = site.statement
        if not name and made is not None and len(made.targets) == 1 and made.call.endswith(
                ("Handler", "Filter")):
            name = made.targets[0]
        return name if name.replace(".", "").isidentifier() else ""
    name, itself = remedies.opened(kind, site)
    statement = site.opening(kinds.OPENERS.get(kind, ()))
    call = statement.call.rpartition(".")[2] if statement is not None else ""
    if call == "mkstemp":
        return site.bound(statement, 0 if change.kind == "descriptor" else 1)
    if call in ("pipe", "pipe2"):
        return site.bound(statement, os_facts.is_written(change.fd))
    if change.kind in ("temporary file", "temporary folder") and name and call in (
            "NamedTemporaryFile", "TemporaryDirectory"):
        return name + ".name"
    return name if itself else ""


def _and_its_file(leak: Leak, site: Site) -> Optional[Remedy]:
    """Return what ends both that ``mkstemp`` made, where the file is still there."""
    opened, made = leak.acquisition, site.opening(("mkstemp",))
    names = site.bound(made, 0), site.bound(made, 1)
    if opened is None or opened.what != "temporary file" or not all(names) or not os_facts.exists(
            opened.detail):
        return None
    return Remedy((Call("os.remove", names[1:]), Call("os.close", (IT,)))).of(names[0])


def _both_ends(change: Change, site: Site) -> Optional[Remedy]:
    """Return what closes both ends of a pipe, which are one cause, where both are open."""
    made = site.opening(("pipe", "pipe2"))
    names = site.bound(made, 0), site.bound(made, 1)
    if made is None or not all(names) or not os_facts.has_other_end(change.fd):
        return None
    return Remedy(tuple(Call("os.close", (name,)) for name in names)).of(names[0])


def _thread(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    now = () if change.timer else _now_at(change)
    serves = change.at is not None and change.at.function == "handle_one_request"
    return Words('%s "%s" was still %s after its test' % (
        kind, called, "waiting" if change.timer else "running"),
        _SERVES if serves else kinds.named(kind).remedy, now + (("waited", WAITED),))


def _child(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    ended = change.how == "ended"
    return Words("child process '%s' %s" % (
        called, "has ended, and was not waited for" if ended
        else "was still running after its test"),
        calling("os.waitpid", IT, "0").of(noun="process id", variable="pid") if ended
        else row.remedy,
        (("pid", str(change.pid)),) + (() if ended else (("waited", WAITED),)))


def _descriptor(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    row = kinds.named(kind)
    return Words("%s %s" % (called, row.state), row.remedy)


def _foreign(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    reused = "closed, and %d reused by %s" % (change.fd, change.reused_by)
    return Words("%s was closed by a test that had not opened it" % called, row.remedy,
                 (("it is", reused),) if change.reused_by else ())


def _environment(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    subject = 'environment variable "%s" was %s' % (called, change.how)
    if change.how == "replaced":
        subject = "os.environ was replaced"
    return Words(subject, _variable_back(change, called), _was_is(change))


def _variable_back(change: Change, name: str) -> Remedy:
    """Return what gives an environment variable its old value back, in a test as in a fixture."""
    monkeypatch = 'delenv("%s")' % name if change.how == "removed" else 'setenv("%s", ...)' % name
    if change.how == "replaced":
        return restoring("setattr", "os", '"environ"', saved="os.environ",
                         monkeypatch='setattr(os, "environ", ...)')
    if change.how == "added":
        return calling("os.environ.pop", '"%s"' % name, "None")._replace(monkeypatch=monkeypatch)
    return restoring("os.environ.__setitem__", '"%s"' % name, saved='os.environ["%s"]' % name,
                     monkeypatch=monkeypatch)


def _shared_memory(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    return Words("shared memory '%s' was not unlinked" % called, row.remedy)


def _temporary(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    shown = _MADE_UP.sub("*", called)
    return Words("%s '%s' was left behind" % (kind, shown), row.remedy,
                 (("path", called),) if shown != called else ())


def _handler(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    left, logger = change.how == "added", change.owner
    of = "logging.getLogger(%s)" % ('"%s"' % logger if logger != "root" else "")
    return Words('%s was %s logger "%s"' % (called, "left on" if left else "removed from", logger),
                 calling("%s.%s%s" % (of, "remove" if left else "add",
                                      kind.title().split()[1]), IT))


def _listing(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    """sys.path, warnings filters: what was added, what was removed."""
    notes: Notes = (*(("added", each) for each in change.added),
                    *(("removed", each) for each in change.removed))
    if change.replaced:
        notes += (("it was", "the list was replaced"),)
    elif not notes:
        notes = (("it was", "reordered"),)
    remedy, listed = row.remedy, called.rpartition(".")[2]
    if kind == "sys.path" and change.replaced:
        remedy = restoring("setattr", "sys", '"%s"' % listed, saved=called,
                           monkeypatch='setattr(sys, "%s", ...)' % listed)
    elif kind == "sys.path" and listed != "path":
        remedy = restoring("sys.%s.__setitem__" % listed, "slice(None)", saved="sys.%s[:]" % listed)
    elif kind == "sys.path" and len(change.added) == 1 and not change.removed:
        remedy = calling("sys.path.remove", repr(change.added[0]))._replace(
            monkeypatch=remedy.monkeypatch if remedy is not None else "")
    return Words("%s was changed" % called if kind == "sys.path"
                 else "the warnings filters were changed", remedy, notes)


def _module(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    entry = 'sys.modules["%s"]' % called
    parts = tuple(("with it", each) for each in change.added)
    if change.how == "added":
        remedy = calling("sys.modules.pop", '"%s"' % called, "None")._replace(
            monkeypatch='setitem(sys.modules, "%s", ...)' % called)
    elif called == "sys.modules":
        return Words("sys.modules was replaced", restoring(
            "setattr", "sys", '"modules"', saved="sys.modules"), _was_is(change))
    else:
        remedy = restoring(
            "sys.modules.__setitem__", '"%s"' % called, saved=entry,
            monkeypatch='%sitem(sys.modules, "%s")' % ("set" if change.after else "del", called))
        # The modules of a package go with it.
        remedy = remedy._replace(calls=(*(
            Call("sys.modules.__setitem__", ('"%s"' % each,), 'sys.modules["%s"]' % each)
            for each in change.added), *remedy.calls))
        if len(change.added) > 2:
            remedy = remedy._replace(manager="mock.patch.dict(sys.modules)")
        package, _, last = called.rpartition(".")
        if package and change.after == "imported anew":
            owner = 'sys.modules["%s"]' % package
            remedy = remedy._replace(monkeypatch="", calls=(
                Call("setattr", (owner, '"%s"' % last), entry), *remedy.calls))
    return Words("%s was %s" % (entry, change.how), remedy, _was_is(change) + parts)


def _context_variable(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    return Words('context variable "%s" was %s' % (
        called, "reset" if change.how == "removed" else "set, and not reset"), None,
        ((("it is", change.owner),) if change.owner else ()) + _was_is(change))


def _context_variable_back(change: Change, site: Site) -> Optional[Remedy]:
    """Return what resets a context variable where it is set."""
    if not change.owner or change.how == "removed":
        return None
    place = site.local(change.owner)
    value = change.after if _LITERAL.match(change.after) else "..."
    return Remedy((Call(place + ".reset", (), "%s.set(%s)" % (place, value)),), when=When.INSTEAD)


_LITERAL = re.compile(r"(?:None|True|False|-?\d+(?:\.\d+)?|'[^'*\\]*')\Z")


def _current_loop(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    if change.how == "running":
        return Words("an event loop was left running, as far as asyncio knows",
                     calling("asyncio._set_running_loop", "None"), _was_is(change))
    subject = ("the current event loop was left closed" if change.how == "closed"
               else "the current event loop was taken away")
    if sys.version_info >= (3, 14):
        remedy = calling("asyncio.set_event_loop", "None")
    elif change.first:
        remedy = calling("asyncio.set_event_loop_policy", "None")   # and one is made when needed
    else:
        remedy = restoring("asyncio.set_event_loop", saved="asyncio.get_event_loop()")
    return Words(subject, remedy, _was_is(change))


def _decimal(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    return Words("%s was changed" % called, restoring(
        "decimal.setcontext", saved="decimal.getcontext().copy()")._replace(
            manager="decimal.localcontext()"), _was_is(change))


def _logging(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    """The level of a logger, or one of its switches."""
    if called == "logging.disable()":
        return Words("%s was changed" % called, restoring(
            "logging.disable", saved="logging.root.manager.disable"), _was_is(change))
    name = change.name.partition(" ")[2]
    logger = "logging.getLogger(%s)" % ('"%s"' % name if name not in ("", "root") else "")
    what = change.owner or "level"
    remedy = restoring(logger + ".setLevel", saved=logger + ".level") if what == "level" else (
        restoring("setattr", logger, '"%s"' % what, saved="%s.%s" % (logger, what)))
    of = "the root logger" if name == "root" else 'logger "%s"' % name
    return Words("the %s of %s was changed" % (what, of), remedy, _was_is(change))


def _other(change: Change, row: LeakKind, called: str, kind: str) -> Words:
    form = row.subject
    by_hand = kind == "patch" and change.how in ("replaced", "added")
    if by_hand:
        form = "%%s was %s and not put back" % change.how
    if kind == "signal handler":
        notes = _signals(change)
    else:
        notes = _now_at(change) if kind in ("event loop", "task") else _was_is(change)
    notes += tuple(("added", each) for each in change.added)
    notes += tuple(("removed", each) for each in change.removed)
    return Words(form % called if "%s" in form else form, _remedy(row, change, by_hand), notes)


def _remedy(row: LeakKind, change: Change, by_hand: bool) -> Optional[Remedy]:
    if by_hand:
        owner, _, name = change.name.rpartition(".")
        return calling("delattr", owner, '"%s"' % name) if change.how == "added" else (
            remedies.stream(change.name) if owner else None)
    if row.name == "umask":
        return Remedy((Call("os.umask", (), "os.umask(%s)" % change.after),), when=When.INSTEAD)
    setting = SETTINGS.get(change.name)
    if setting is not None:
        return setting.off if setting.off is not None and change.before == "True" else (
            setting.remedy)
    if row.name in ("hook", "stream"):      # warnings.showwarning
        return remedies.stream(change.name)
    return row.remedy


def _was_is(change: Change) -> Notes:
    return tuple(item for item in (("was", change.before), ("is", change.after)) if item[1])


def _signals(change: Change) -> Notes:
    return tuple((label, _SIGNALS.get(text, text)) for label, text in _was_is(change))


def _now_at(change: Change) -> Notes:
    return () if change.at is None else (("now at", place_text(change.at)),)


# Those with more to say than their row's headline and the values before and after.
_CHANGES: Dict[str, Callable[[Change, LeakKind, str, str], Words]] = {
    "thread": _thread, "child process": _child, "descriptor": _descriptor,
    "closed descriptor": _foreign, "environment": _environment, "temporary folder": _temporary,
    "temporary file": _temporary, "sys.path": _listing, "warning filter": _listing,
    "logging handler": _handler, "logging filter": _handler,
    "logging level": _logging, "module": _module,
    "shared memory": _shared_memory,
    "context variable": _context_variable, "current event loop": _current_loop,
    "decimal context": _decimal,
}
