"""Settings of the whole process that are one value each: hooks, streams, limits, locale.

Kinds: "hook", "stream", "interpreter setting", "timer", "locale", "umask", "socket timeout",
"decimal context", "signal handler".
"""
from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import os
import re
import signal
import sys
import threading
import time
from functools import partial
from operator import is_
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.process_state.base import Change, FoundChange, Monitor, Undo
from unittest_leakfix.tracing import os_facts, value_text

__unittest = True
bind(globals())

_disable = gc.disable
_enable = gc.enable
_get_debug: Any = getattr(gc, "get_debug", None)     # PyPy's collector has none of these four
_get_threshold: Any = getattr(gc, "get_threshold", None)
_isenabled = gc.isenabled
_set_debug: Any = getattr(gc, "set_debug", None)
_set_threshold: Any = getattr(gc, "set_threshold", None)
_getprofile = sys.getprofile
_gettrace = sys.gettrace


class Setting(NamedTuple):
    """One value: how it is read and how it is put back (None: it cannot be)."""

    kind: str
    name: str
    read: Callable[[], Any]
    write: Optional[Callable[[Any], object]]


class Settings(Monitor):
    """Watches a group of values.

    `read_all` reads them all in one go, in the order of `settings`. Where `plain` is true they are
    numbers and text and compared; else they are objects, and compared by identity alone, since
    comparing would run their code.
    """

    def __init__(self, settings: Sequence[Setting], read_all: Callable[[], Tuple[Any, ...]],
                 plain: bool) -> None:
        self._settings = settings
        self._read_all = read_all
        self._plain = plain
        self._base: Tuple[Any, ...] = ()

    def take(self) -> None:
        self._base = self._read_all()

    def absorb(self, since: "Settings") -> None:
        self._base = tuple(
            now if (old != now if self._plain else old is not now) else mine
            for mine, old, now in zip(self._base, since._base, self._read_all()))

    def same(self) -> bool:
        if self._plain:
            return self._read_all() == self._base
        return all(map(is_, self._read_all(), self._base))

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        for setting, old, new in zip(self._settings, self._base, self._read_all()):
            if (old == new or old == "") if self._plain else (old is new):
                continue    # "": its module was not loaded yet
            undo = _writing(setting.write, old)
            change = Change(setting.kind, setting.name, "", value_text.name_text(old),
                            value_text.name_text(new),
                            undo is not None)
            found.append((change, undo))
        return found


def _writing(write: Optional[Callable[[Any], object]], value: Any) -> Undo:
    if write is None:
        return None

    def undo() -> None:
        write(value)

    return undo


def _attribute(kind: str, module: Any, name: str) -> Setting:
    return Setting(kind, "%s.%s" % (module.__name__, name), lambda: getattr(module, name),
                   lambda value: setattr(module, name, value))


def objects() -> Settings:
    """Return the watch of hooks and standard streams: cheap."""
    names = ("excepthook", "unraisablehook", "displayhook", "breakpointhook", "stdin", "stdout",
             "stderr")
    settings = [_attribute("stream" if name.startswith("std") else "hook", sys, name)
                for name in names]
    settings.append(_attribute("hook", threading, "excepthook"))
    settings.append(Setting("hook", "sys.settrace", _gettrace, sys.settrace))
    settings.append(Setting("hook", "sys.setprofile", _getprofile, sys.setprofile))

    def read_all() -> Tuple[Any, ...]:
        return (
            sys.excepthook, sys.unraisablehook, sys.displayhook, sys.breakpointhook,
            sys.stdin, sys.stdout, sys.stderr, threading.excepthook, _gettrace(), _getprofile(),
        )

    return Settings(settings, read_all, plain=False)


_WATCHED_SIGNALS = tuple(
    getattr(_signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGUSR1")
    if hasattr(_signal, name)
)


def signals(numbers: Sequence[int] = _WATCHED_SIGNALS) -> Settings:
    """Return the watch of the handlers of the usual signals: cheap."""
    # signal.getsignal makes an enum member each time: twenty times slower
    getsignal = _signal.getsignal
    settings = [
        Setting("signal handler", signal.Signals(number).name, partial(getsignal, number),
                partial(_set_signal, number))
        for number in numbers
    ]
    return Settings(settings, lambda: tuple(map(getsignal, numbers)), plain=False)


def _set_signal(number: int, value: Any) -> None:
    if value is not None:  # None: installed by other than Python, and not to be had back
        _signal.signal(number, value)


def all_signals() -> Settings:
    """Return the monitor of the handlers of all the other signals, which is slow."""
    return signals([number for number in signal.valid_signals() if number not in _WATCHED_SIGNALS
                    and isinstance(number, signal.Signals)])


def values() -> Settings:
    """Return the watch of limits, the collector's switch and the socket timeout: cheap."""
    settings = (
        Setting("interpreter setting", "sys.getrecursionlimit()", sys.getrecursionlimit,
                sys.setrecursionlimit),
        Setting("interpreter setting", "gc.isenabled()", _isenabled,
                lambda on: _enable() if on else _disable()),
        Setting("socket timeout", "socket.getdefaulttimeout()", _socket_timeout,
                _set_socket_timeout),
        Setting("timer", "signal.setitimer(ITIMER_REAL)", _timer_runs, None),
    )
    limit, enabled, timeout, timer = (setting.read for setting in settings)
    return Settings(settings, lambda: (limit(), enabled(), timeout(), timer()), plain=True)


def _socket_timeout() -> Optional[float]:
    if "_socket" not in sys.modules:
        return None
    module = os_facts.loaded("_socket")
    return None if module is None else module.getdefaulttimeout()


def _set_socket_timeout(value: Optional[float]) -> None:
    module = os_facts.loaded("_socket")
    if module is not None:
        module.setdefaulttimeout(value)


_getitimer = getattr(_signal, "getitimer", None)


def _timer_runs() -> bool:
    return _getitimer is not None and _getitimer(_signal.ITIMER_REAL)[0] > 0


_COLLECTORS = (
    Setting("interpreter setting", "gc.get_threshold()", _get_threshold,
            lambda value: _set_threshold(*value)),
    Setting("interpreter setting", "gc.get_debug()", _get_debug, _set_debug),
) if _get_threshold is not None else ()


def costly_values() -> Settings:
    """Return the monitor of what is slower to read: locale, umask, decimal context, collector, time
    zone."""
    settings = _COLLECTORS + (
        Setting("interpreter setting", "sys.getswitchinterval()", sys.getswitchinterval,
                sys.setswitchinterval),
        Setting("interpreter setting", "time.tzname", lambda: time.tzname, None),
        Setting("locale", "locale.setlocale(LC_ALL)", _locale, _set_locale),
        Setting("umask", "os.umask()", _umask, lambda value: _set_umask(int(value, 8))),
        Setting("decimal context", "decimal.getcontext()", _decimal, None),
    )
    return Settings(settings, lambda: tuple(setting.read() for setting in settings), plain=True)


def _locale() -> str:
    module = os_facts.loaded("_locale")
    return module.setlocale(module.LC_ALL, None) if module is not None else ""


def _set_locale(value: str) -> None:
    module = os_facts.loaded("_locale")
    if module is not None:
        module.setlocale(module.LC_ALL, value)


_set_umask = os.umask


def _umask() -> str:
    """Return the umask in octal. Linux shows it; elsewhere it can only be read by setting it, and
    for that moment another thread's new files would be open to all but the owner's group."""
    shown = re.search(r"^Umask:\s*(\w+)", os_facts.contents("/proc/self/status"), re.M)
    if shown:
        return "0o%03o" % int(shown.group(1), 8)
    mask = _set_umask(0o077)
    _set_umask(mask)
    return "0o%03o" % mask


def _decimal() -> str:
    module = os_facts.loaded("decimal")
    if module is None:
        return ""
    context = module.getcontext()
    traps = ",".join(sorted(signal.__name__ for signal, on in context.traps.items() if on))
    return "prec=%d rounding=%s Emin=%d Emax=%d traps=%s" % (
        context.prec, context.rounding, context.Emin, context.Emax, traps)
