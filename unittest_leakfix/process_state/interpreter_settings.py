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
from operator import attrgetter, is_
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.process_state.base import Change, FoundChange, Monitor, Undo
from unittest_leakfix.tracing import os_facts, sources, value_text
from unittest_leakfix.tracing.acquisitions import Acquisitions

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
        # Identical objects are not compared; of others `exactly` does not run the code either.
        return self._read_all() == self._base

    def exactly(self) -> bool:
        if self._plain:
            return self._read_all() == self._base
        return all(map(is_, self._read_all(), self._base))

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        for setting, old, new in zip(self._settings, self._base, self._read_all()):
            if (old == new or old == "" or new == "") if self._plain else (old is new):
                continue    # "": its module was or is not loaded
            undo = _writing(setting.write, old)
            change = Change(setting.kind, setting.name, "", _shown(old), _shown(new),
                            undo is not None)
            found.append((change, undo))
        return found


def _shown(value: Any) -> str:
    """Return a value in a few words: "(700, 10, 10)" for three plain ones."""
    if type(value) is tuple and all(type(each) in _PLAIN for each in value):
        return redaction.shown(repr(value))
    return value_text.name_text(value)


_PLAIN = (int, float, str, bool, type(None))


def _writing(write: Optional[Callable[[Any], object]], value: Any) -> Undo:
    if write is None:
        return None

    def undo() -> None:
        write(value)

    return undo


def _attribute(kind: str, module: Any, name: str) -> Setting:
    return Setting(kind, "%s.%s" % (module.__name__, name), lambda: getattr(module, name, None),
                   lambda value: setattr(module, name, value))


def objects() -> Settings:
    """Return the monitor of hooks and standard streams, which is quick."""
    names = ("excepthook", "unraisablehook", "displayhook", "breakpointhook", "stdin", "stdout",
             "stderr")
    settings = [_attribute("stream" if name.startswith("std") else "hook", sys, name)
                for name in names]
    settings.append(_attribute("hook", threading, "excepthook"))
    settings.append(Setting("hook", "sys.settrace", _gettrace, sys.settrace))
    settings.append(Setting("hook", "sys.setprofile", _getprofile, sys.setprofile))

    def read_all() -> Tuple[Any, ...]:
        values = vars(sys).get      # a test may have deleted one
        return (
            *[values(name) for name in names], threading.excepthook, _gettrace(), _getprofile(),
        )

    return Settings(settings, read_all, plain=False)


def signals() -> Settings:
    """Return the monitor of the handlers of all signals: quick to read."""
    # signal.getsignal makes an enum member each time: twenty times slower
    getsignal = _signal.getsignal
    known = [each for each in signal.valid_signals() if isinstance(each, signal.Signals)]
    numbers = [int(each) for each in known]
    settings = [Setting("signal handler", each.name, partial(getsignal, int(each)),
                        partial(_set_signal, int(each))) for each in known]
    return Settings(settings, lambda: tuple(map(getsignal, numbers)), plain=False)


def _set_signal(number: int, value: Any) -> None:
    if value is not None:  # None: installed by other than Python, and not to be had back
        _signal.signal(number, value)


def values() -> Settings:
    """Return the monitor of limits, collector, time zone and arithmetic: quick to read."""
    settings = (
        Setting("interpreter setting", "sys.getrecursionlimit()", sys.getrecursionlimit,
                sys.setrecursionlimit),
        Setting("interpreter setting", "gc.isenabled()", _isenabled,
                lambda on: _enable() if on else _disable()),
        Setting("interpreter setting", "sys.getswitchinterval()", sys.getswitchinterval,
                sys.setswitchinterval),
        Setting("socket timeout", "socket.getdefaulttimeout()", _socket_timeout,
                _set_socket_timeout),
        Setting("timer", "signal.setitimer(ITIMER_REAL)", _timer_runs, None),
        Setting("interpreter setting", "time.tzname", lambda: time.tzname, None),
        *_COLLECTORS,
        *(Setting("decimal context", "decimal.getcontext().%s" % name, _unread, None)
          for name in _DECIMAL))
    limit, enabled, interval, timeout, timer, zone = (setting.read for setting in settings[:6])
    if _COLLECTORS:
        threshold, debug = (setting.read for setting in _COLLECTORS)
        return Settings(settings, lambda: (
            limit(), enabled(), interval(), timeout(), timer(), time.tzname, threshold(), debug(),
            *_decimal_parts()), plain=True)
    return Settings(settings, lambda: (
        limit(), enabled(), interval(), timeout(), timer(), zone(), *_decimal_parts()), plain=True)


def _unread() -> Any:
    return ""


_DECIMAL = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
_parts = attrgetter(*_DECIMAL)
_modules = sys.modules


def _decimal_parts() -> Tuple[Any, ...]:
    """Return the settings of the current context of `decimal`, "" for each where it is not
    loaded."""
    module = os_facts.loaded("decimal") if "decimal" in _modules else None
    return ("",) * len(_DECIMAL) if module is None else _parts(module.getcontext())


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
    """Return the monitor of what is slow to read: the locale, and what `decimal` raises for."""
    settings = (
        Setting("locale", "locale.setlocale(LC_ALL)", _locale, _set_locale),
        Setting("decimal context", "decimal.getcontext().traps", _decimal_traps, None),
    )
    watch = Settings(settings, lambda: (_locale(), _decimal_traps()), plain=True)
    watch.per_test = watch.sharp = False
    return watch


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


class Umask(Monitor):
    """Watches the umask. Setting it to what it is, which tells whether it was, changes nothing."""

    def __init__(self) -> None:
        self._base = -1

    def take(self) -> None:
        if self._base < 0 or not self.same():
            self._base = int(_umask(), 8)

    def absorb(self, since: "Umask") -> None:
        if not since.same():
            self.take()

    def same(self) -> bool:
        found = _set_umask(self._base)
        if found == self._base:
            return True
        _set_umask(found)
        return False

    def changes(self) -> List[FoundChange]:
        base, now = self._base, int(_umask(), 8)
        if base == now:
            return []

        def undo() -> None:
            _set_umask(base)

        return [(Change("umask", "os.umask()", "", "0o%03o" % base, "0o%03o" % now, True), undo)]


def _decimal_traps() -> str:
    module = os_facts.loaded("decimal")
    if module is None:
        return ""
    traps = module.getcontext().traps
    return ",".join(sorted(signal.__name__ for signal, on in traps.items() if on)) or "none"


_LIMITS = ("RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE",
           "RLIMIT_NPROC", "RLIMIT_STACK", "RLIMIT_MEMLOCK")


class Limits(Settings):
    """Watches the limits of the process (`resource.setrlimit`), when one was set."""

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        super().__init__([Setting("interpreter setting", "resource.%s" % name, _unread, None)
                          for name in _LIMITS], _limits, plain=True)
        self._acquisitions = acquisitions
        self._seen = -1

    def take(self) -> None:
        super().take()
        if (sources.COMPLETE and self._acquisitions is not None
                and self._acquisitions.listening):
            self._seen = self._acquisitions.limits

    def same(self) -> bool:
        return (self._acquisitions is not None and self._seen == self._acquisitions.limits
                or self.exactly())

    def exactly(self) -> bool:
        return super().same()


def _limits() -> Tuple[Any, ...]:
    module = os_facts.loaded("resource") if "resource" in _modules else None
    numbers = (getattr(module, name, None) for name in _LIMITS)
    return tuple("" if number is None else module.getrlimit(number)  # type: ignore[union-attr]
                 for number in numbers)
