"""Closing that has to wait, with a limit.

Processes, threads and executors end in their own time. They are waited for,
but never for ever: after ``CLOSE_TIMEOUT`` seconds a ``CloseTimeout`` names
what still runs.
"""
from __future__ import absolute_import

import sys
import time

from unittest_leakfix._core.early import bind

try:
    from _thread import get_ident as _get_ident
    from _thread import start_new_thread as _start_thread
except ImportError:  # Python 2.7
    from thread import get_ident as _get_ident
    from thread import start_new_thread as _start_thread

__unittest = True
bind(globals())

#: Seconds that one close may wait. Read at each close, so it can be changed.
CLOSE_TIMEOUT = 5.0

# Bound now: a test may leave a patched time.sleep or clock behind.
_clock = getattr(time, "monotonic", time.time)
_sleep = time.sleep


class CloseTimeout(RuntimeError):
    """A resource did not end within ``CLOSE_TIMEOUT`` seconds."""


def wait_until(is_over, what, limit=None, clock=_clock, sleep=_sleep):
    """Wait until ``is_over()`` is true.

    ``what`` (str) says in the error what still runs; ``limit`` is in seconds
    and is ``CLOSE_TIMEOUT`` unless given. Returns None. Raises CloseTimeout.
    """
    if is_over():
        return
    limit = CLOSE_TIMEOUT if limit is None else limit
    end, pause, slept = clock() + limit, 0.0002, 0
    while not is_over():
        # A clock that a test has frozen never gets there.
        if clock() >= end or slept >= limit:
            raise CloseTimeout("%s did not end within %g s" % (what, limit))
        sleep(pause)
        slept += pause
        pause = min(pause * 2, 0.02)


def within(work, what, limit=None, start=_start_thread):
    """Call ``work()`` in a thread of its own and wait for it, with the limit.

    For library calls that can wait for ever and take no timeout. Returns
    None. Raises what ``work`` raised, or CloseTimeout (the thread then lives
    on: nothing can end it).
    """
    outcome = []

    def run():
        problem = None
        try:
            work()
        except BaseException as error:
            problem = error
        _leave_threading()
        outcome.append(problem)

    start(run, ())
    wait_until(lambda: outcome, what, limit)
    error = outcome.pop()
    if error is not None:
        try:
            raise error
        finally:
            del error  # its traceback holds this frame


def _leave_threading():
    # Up to Python 3.12 a thread that joins another is entered in threading's list itself,
    # and stays there as "Dummy-1" if threading did not start it.
    threading = sys.modules.get("threading")
    active = getattr(threading, "_active", {})
    if type(active.get(_get_ident())).__name__ == "_DummyThread":
        active.pop(_get_ident(), None)
