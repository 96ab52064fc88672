"""Settings of the interpreter and of its process: hooks, streams, signals, limits, the collector.

How to add one: see `setting_table`. Kinds: "hook", "stream", "interpreter setting", "timer",
"locale", "umask", "socket timeout", "signal handler".
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
from operator import itemgetter
from types import FunctionType
from typing import Any, List, Optional, Sequence, Tuple

from unittest_leakfix._core.code_origin import HARNESS, OURS, is_users_file, origin_of
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.remedy import Call, Remedy, When, restoring
from unittest_leakfix.leaks.model.remedy import calling as cleaning
from unittest_leakfix.process_state.base import Change, FoundChange, Monitor
from unittest_leakfix.process_state.setting_table import (
    MISSING,
    Setting,
    Settings,
    alike,
    attribute,
    calling,
    setting,
    setting_by,
)
from unittest_leakfix.tracing import os_facts
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
_recursion_limit = sys.getrecursionlimit
_switch_interval = sys.getswitchinterval
_modules = sys.modules
_tzset = getattr(time, "tzset", None)
_OTHERS = "a coverage tool or a debugger may have set it"


# What is read after each test.

def _hook(kind: str, module: Any, name: str) -> Setting:
    full = "%s.%s" % (module.__name__, name)
    return Setting(kind, full, module.__name__, attribute(name), setting(name), remedy=restoring(
        "setattr", module.__name__, '"%s"' % name, saved=full,
        monkeypatch='setattr(%s, "%s", ...)' % (module.__name__, name)))


def _tracer(name: str) -> Setting:
    get = name.replace("set", "get")
    return Setting("hook", "sys." + name, "sys", calling(get), why_not=_OTHERS, remedy=restoring(
        "sys." + name, saved="sys.%s()" % get), same=_is_a_tools)


def _is_a_tools(old: Any, new: Any) -> bool:
    """Tell whether a trace function is one that a tool has set: coverage.py, a debugger."""
    code = getattr(getattr(new, "__func__", new), "__code__", None)
    return old is new or new is not None and (
        code is None or not is_users_file(code.co_filename))


_NAMES = ("excepthook", "unraisablehook", "displayhook", "breakpointhook", "stdin", "stdout",
          "stderr")
HOOKS = (
    *(_hook("stream" if name.startswith("std") else "hook", sys, name) for name in _NAMES),
    _hook("hook", threading, "excepthook"),
    _tracer("settrace"), _tracer("setprofile"),
)


def objects() -> Settings:
    """Return the monitor of hooks and standard streams, which is quick."""
    space, all_names = vars(sys), itemgetter(*_NAMES)

    def read_all() -> Tuple[Any, ...]:
        try:
            return (*all_names(space), threading.excepthook, _gettrace(), _getprofile())
        except KeyError:    # a test has deleted one
            return (*map(space.get, _NAMES), threading.excepthook, _gettrace(), _getprofile())

    return Settings(HOOKS, read_all, plain=False)


def _signals() -> Tuple[Setting, ...]:
    return tuple(
        Setting("signal handler", each.name, "_signal", calling("getsignal", int(each)),
                partial(_set_signal, int(each)), remedy=restoring(
                    "signal.signal", "signal." + each.name,
                    saved="signal.getsignal(signal.%s)" % each.name), same=_same_handlers)
        for each in signal.valid_signals() if isinstance(each, signal.Signals))


def _is_harness(value: Any) -> bool:
    return type(value) is FunctionType and origin_of(value.__code__.co_filename) == HARNESS


def _same_callbacks(old: Any, new: Any) -> bool:
    """Tell whether the callbacks are the same but for those of a harness (Hypothesis times the
    collector)."""
    return alike(*(tuple(each for each in callbacks if not _is_harness(each))
                   for callbacks in (old, new)))


def _same_handlers(old: Any, new: Any) -> bool:
    """Tell whether a handler is the same, or one of them is that of a harness, which sets it before
    a test and takes it away after all fixtures (pytest-timeout)."""
    return alike(old, new) or any(map(_is_harness, (old, new)))


def _set_signal(number: int, module: Any, value: Any) -> None:
    if value is not None:  # None: installed by other than Python, and not to be had back
        module.signal(number, value)


SIGNALS = _signals()


_USUAL = frozenset((
    "SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE",
    "SIGQUIT", "SIGBREAK"))


def signals() -> Settings:
    """Return the monitor of the handlers of those signals that programs handle: quick to read."""
    return _handlers([each for each in SIGNALS if each.name in _USUAL])


def other_signals() -> Settings:
    """Return the monitor of the handlers of the others, of which there are 50."""
    watch = _handlers([each for each in SIGNALS if each.name not in _USUAL])
    watch.per_test = watch.sharp = False
    return watch


def _handlers(settings: Sequence[Setting]) -> Settings:
    # signal.getsignal makes an enum member each time: twenty times slower
    getsignal = _signal.getsignal
    numbers = [int(getattr(_signal, each.name)) for each in settings]
    return Settings(settings, lambda: tuple(map(getsignal, numbers)), plain=False)


def _interpreters(name: str, setter: str) -> Setting:
    return Setting("interpreter setting", name, name.partition(".")[0],
                   calling(name.partition(".")[2][:-2]), setting_by(setter.partition(".")[2]),
                   remedy=restoring(setter, saved=name))


def _socket_timeout(module: Any = None) -> Optional[float]:
    if "_socket" not in _modules:
        return None
    module = os_facts.loaded("_socket")
    return None if module is None else module.getdefaulttimeout()


def _timer(which: str) -> Setting:
    def get(module: Any) -> Any:
        number = getattr(module, which, None)
        return MISSING if number is None else module.getitimer(number)[0] > 0

    def put(module: Any, runs: bool) -> None:
        if not runs:
            module.setitimer(getattr(module, which), 0)

    return Setting(
        "alarm", "signal.setitimer(%s)" % which, "_signal", get, put,
        remedy=cleaning("signal.setitimer", "signal." + which, "0"),
        same=lambda old, new: old == new or not new)   # one that has gone off is not a change


_REAL = _timer("ITIMER_REAL")
_TZ = Setting("interpreter setting", "time.tzname", "time", attribute("tzname"),
              lambda module, value: _tzset() if _tzset is not None else None,
              remedy=cleaning("time.tzset")._replace(when=When.BEFORE))
VALUES = (
    _interpreters("sys.getrecursionlimit()", "sys.setrecursionlimit"),
    Setting("interpreter setting", "gc.isenabled()", "gc", calling("isenabled"),
            lambda module, on: _enable() if on else _disable(), remedy=cleaning("gc.disable"),
            off=cleaning("gc.enable")),
    _interpreters("sys.getswitchinterval()", "sys.setswitchinterval"),
    Setting("socket timeout", "socket.getdefaulttimeout()", "_socket", _socket_timeout,
            setting_by("setdefaulttimeout"), remedy=restoring(
                "socket.setdefaulttimeout", saved="socket.getdefaulttimeout()")),
    _REAL, _TZ,
    *((
        Setting("interpreter setting", "gc.get_threshold()", "gc", calling("get_threshold"),
                lambda module, value: _set_threshold(*value), remedy=Remedy(
                    (Call("gc.set_threshold", ("*gc.get_threshold()",)),), when=When.BEFORE)),
        _interpreters("gc.get_debug()", "gc.set_debug"),
    ) if _get_threshold is not None else ()),
)
_getitimer = getattr(_signal, "getitimer", None)


def _timer_runs() -> bool:
    return _getitimer is not None and _getitimer(_signal.ITIMER_REAL)[0] > 0


def values() -> Settings:
    """Return the monitor of limits, collector and time zone: quick to read."""
    if _get_threshold is not None:
        return Settings(VALUES, lambda: (
            _recursion_limit(), _isenabled(), _switch_interval(), _socket_timeout(), _timer_runs(),
            time.tzname, _get_threshold(), _get_debug()), plain=True)
    return Settings(VALUES, lambda: (
        _recursion_limit(), _isenabled(), _switch_interval(), _socket_timeout(), _timer_runs(),
        time.tzname), plain=True)


# What costs more to read: rows of the `Table`. Not there is what cannot be read without being set:
# `threading.stack_size`, `signal.set_wakeup_fd`, `signal.siginterrupt`.

def _mask(module: Any) -> Any:
    return frozenset(module.pthread_sigmask(module.SIG_BLOCK, ())) if hasattr(
        module, "pthread_sigmask") else MISSING


def _names_of(mask: Any) -> str:
    return ", ".join(each.name for each in SIGNALS
                     if int(getattr(_signal, each.name)) in mask) or "none"


def _set_tracing(module: Any, on: bool) -> None:
    if not on:
        module.stop()


def _is_ours(callback: Any) -> bool:
    code = getattr(getattr(callback, "__func__", callback), "__code__", None)
    return code is not None and origin_of(code.co_filename) == OURS


def _callbacks(module: Any) -> Any:
    """Return the callbacks of the collector without that by which finding watches it."""
    return tuple(each for each in module.callbacks if not _is_ours(each))


def _set_callbacks(module: Any, value: Tuple[Any, ...]) -> None:
    module.callbacks[:] = [*value, *filter(_is_ours, module.callbacks)]


def _set_attribute(name: str) -> Setting:
    full = "sys." + name
    return Setting("interpreter setting", full, "sys", attribute(name), setting(name),
                   remedy=restoring("setattr", "sys", '"%s"' % name, saved=full))


def _limit(name: str) -> Setting:
    def get(module: Any) -> Any:
        number = getattr(module, name, None)
        return MISSING if number is None else module.getrlimit(number)

    return Setting("interpreter setting", "resource.%s" % name, "resource", get,
                   lambda module, value: module.setrlimit(getattr(module, name), value),
                   remedy=restoring("resource.setrlimit", "resource." + name,
                                    saved="resource.getrlimit(resource.%s)" % name))


_PRIORITY = "os.getpriority(os.PRIO_PROCESS, 0)"
_LIMITS = ("NOFILE", "AS", "CORE", "CPU", "DATA", "FSIZE", "NPROC", "STACK", "MEMLOCK")
ROWS = (
    Setting("locale", "locale.setlocale(LC_ALL)", "_locale",
            lambda module: module.setlocale(module.LC_ALL, None),
            lambda module, value: module.setlocale(module.LC_ALL, value),
            remedy=restoring("locale.setlocale", "locale.LC_ALL",
                             saved="locale.setlocale(locale.LC_ALL)")),
    Setting("interpreter setting", "signal.pthread_sigmask()", "_signal", _mask,
            lambda module, value: module.pthread_sigmask(module.SIG_SETMASK, value),
            remedy=restoring("signal.pthread_sigmask", "signal.SIG_SETMASK",
                             saved="signal.pthread_sigmask(signal.SIG_BLOCK, [])"),
            show=_names_of),
    *(_timer(each) for each in ("ITIMER_VIRTUAL", "ITIMER_PROF")),
    Setting("interpreter setting", _PRIORITY, "os",
            lambda module: module.getpriority(module.PRIO_PROCESS, 0)
            if hasattr(module, "getpriority") else MISSING,
            # Only root may lower the number: where that fails, it is not put back.
            lambda module, value: module.setpriority(module.PRIO_PROCESS, 0, value),
            remedy=restoring("os.setpriority", "os.PRIO_PROCESS", "0", saved=_PRIORITY)),
    *map(_limit, ("RLIMIT_" + each for each in _LIMITS)),
    Setting("interpreter setting", "faulthandler.is_enabled()", "faulthandler",
            calling("is_enabled"), lambda module, on: module.enable() if on else module.disable(),
            remedy=cleaning("faulthandler.disable"), off=cleaning("faulthandler.enable")),
    Setting("interpreter setting", "gc.callbacks", "gc", _callbacks, _set_callbacks,
            remedy=restoring("gc.callbacks.__setitem__", "slice(None)", saved="gc.callbacks[:]"),
            same=_same_callbacks),
    _interpreters("sys.get_int_max_str_digits()", "sys.set_int_max_str_digits"),
    *map(_set_attribute, ("dont_write_bytecode", "pycache_prefix")),
    _set_attribute("tracebacklimit")._replace(      # which is not there as a rule
        remedy=cleaning("delattr", "sys", '"tracebacklimit"')),
    Setting("interpreter setting", "sys.getdlopenflags()", "sys", calling("getdlopenflags"),
            setting_by("setdlopenflags"),
            remedy=restoring("sys.setdlopenflags", saved="sys.getdlopenflags()")),
    Setting("hook", "threading.settrace", "threading", attribute("_trace_hook"), why_not=_OTHERS,
            remedy=cleaning("threading.settrace", "None"), same=_is_a_tools),
    Setting("hook", "threading.setprofile", "threading", attribute("_profile_hook"),
            why_not=_OTHERS, remedy=cleaning("threading.setprofile", "None"), same=_is_a_tools),
    Setting("hook", "warnings.formatwarning", "warnings", attribute("formatwarning"),
            setting("formatwarning"),
            remedy=restoring("setattr", "warnings", '"formatwarning"',
                             saved="warnings.formatwarning")),
    Setting("interpreter setting", "tracemalloc.is_tracing()", "_tracemalloc",
            calling("is_tracing"), _set_tracing, remedy=cleaning("tracemalloc.stop")),
)

# The umask, which cannot be read without being set but on Linux.

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
    """Watches the umask: whether ``os.umask`` was called, and in full what the system says of
    it."""

    sharp = False

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        self._acquisitions = acquisitions
        self._base = -1
        self._set = -1

    def take(self) -> None:
        self._base = int(_umask(), 8)
        self._note()

    def window(self) -> None:
        if self._base < 0 or not self.same():
            self.take()

    def _note(self) -> None:
        if self._acquisitions is not None and self._acquisitions.listening:
            self._set = self._acquisitions.settings

    def absorb(self, since: "Umask") -> None:
        if not since.same():
            self._base = int(_umask(), 8)

    def same(self) -> bool:
        if self._acquisitions is not None and self._set == self._acquisitions.settings:
            return True
        if not self.exactly():
            return False
        self._note()
        return True

    def exactly(self) -> bool:
        return self._base == int(_umask(), 8)

    def changes(self) -> List[FoundChange]:
        base, now = self._base, int(_umask(), 8)
        if base == now:
            return []

        def undo() -> None:
            _set_umask(base)

        return [(Change("umask", "os.umask()", "", "0o%03o" % base, "0o%03o" % now, True), undo)]
