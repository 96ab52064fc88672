"""Kinds: executors, thread timers and threads."""
from __future__ import absolute_import

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import own_attribute
from unittest_leakfix._core.waiting import wait_until, within
from unittest_leakfix.resources.kind import Kind, open_by_flags, short_text

try:
    from _thread import get_ident as _get_ident
except ImportError:  # Python 2.7
    from thread import get_ident as _get_ident

__unittest = True
bind(globals())


# -- executors

def _threads_open(value):
    return any(thread.is_alive() for thread in tuple(own_attribute(value, "_threads", ())))


def _processes_open(value):
    # Set to None by shutdown(); empty until the first submit().
    return (bool(own_attribute(value, "_processes"))
            and not own_attribute(value, "_shutdown_thread", False))


def _executor_close(value):
    def end():
        try:
            value.shutdown(wait=True, cancel_futures=True)  # Python 3.9
        except TypeError:
            value.shutdown(wait=True)
    within(end, _executor_text(value))


def _executor_text(value):
    prefix = short_text(own_attribute(value, "_thread_name_prefix"))
    return "executor %s" % prefix if prefix else "executor"


# -- threads

def _thread_text(noun):
    def describe(value):
        mangled = own_attribute(value, "_Thread__name")     # on 2.7
        name = short_text(own_attribute(value, "_name", mangled))
        return '%s "%s"' % (noun, name) if name else noun
    return describe


def _thread_open(value):
    return bool(value.is_alive())


def _thread_close(value):
    if value.ident != _get_ident():
        wait_until(lambda: not value.is_alive(), _thread_text("thread")(value))


def _timer_open(value):
    return value.is_alive() and not value.finished.is_set()


def _timer_close(value):
    value.cancel()
    _thread_close(value)


_TIMER = Kind("thread timer", _timer_close, _timer_open, _thread_text("thread timer"))

#: (module, class) -> Kind, or None for what is not a resource.
KINDS = {
    ("concurrent.futures._base", "Executor"): Kind(
        "executor", _executor_close, open_by_flags, _executor_text),
    ("concurrent.futures.thread", "ThreadPoolExecutor"): Kind(
        "executor", _executor_close, _threads_open, _executor_text),
    ("concurrent.futures.process", "ProcessPoolExecutor"): Kind(
        "executor", _executor_close, _processes_open, _executor_text),
    ("threading", "Timer"): _TIMER,
    ("threading", "_Timer"): _TIMER,  # Python 2.7
}

#: Looked at last: a thread that is also a connection is a connection
#: (aiosqlite.Connection was a Thread up to 0.21).
LAST = {
    ("threading", "Thread"): Kind("thread", _thread_close, _thread_open,
                                  _thread_text("thread")),
}
