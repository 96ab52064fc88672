"""A thread of our own that calls a function now and then, below `threading`: no list of threads has
it."""

from __future__ import absolute_import

import os
import sys
import time

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.ownership import ours, resting

try:
    from _thread import allocate_lock, get_ident, start_new_thread
except ImportError:     # Python 2.7
    from thread import allocate_lock, get_ident, start_new_thread

__unittest = True
bind(globals())

_sleep = time.sleep
_getpid = os.getpid
_listdir = os.listdir
_register_at_fork = getattr(os, "register_at_fork", None)     # 3.7


def _threads():
    """Return how many threads the system counts, 0 where it does not say."""
    try:
        return len(_listdir("/proc/self/task"))
    except OSError:     # there is no /proc, or no descriptor left
        return 0


class Ticker(object):
    """Calls *function* every *step* seconds, from a thread of its own, until `stop`.

    Before a fork the thread ends, since 3.12 and later warn of a fork beside a second thread; the
    next `start` begins it again. In a child process nothing is called. A function that raises is
    not called again.
    """

    def __init__(self, function, step):
        self._function = function
        self._step = step
        self._pid = _getpid()
        self._running = False
        self._stopped = True
        self._wake = allocate_lock()
        self._wake.acquire()
        self.ident = None       # of the thread
        if _register_at_fork is not None:
            _register_at_fork(before=self.stop)

    def start(self):
        """Begin to call it, or begin again. Takes a moment only where nothing is to be done."""
        if self._running or _getpid() != self._pid:
            return
        self._running, self._stopped = True, False
        start_new_thread(self._tick, ())

    def stop(self):
        """End the thread, and wait until it has ended."""
        if not self._running or _getpid() != self._pid or get_ident() == self.ident:
            return
        threads = _threads()
        self._stopped = True
        self._wake.release()
        for _ in range(200):
            # The system's count is the one that the warning goes by.
            if not self._running and (threads < 2 or _threads() < threads):
                break
            _sleep(0.0005)

    def _tick(self):
        try:
            self.ident = number = get_ident()
            ours.add(number)
            while not self._stopped and _getpid() == self._pid:
                resting.add(number)     # it refers to nothing of the tests
                if sys.version_info >= (3,):
                    self._wake.acquire(True, self._step)
                else:
                    _sleep(self._step)
                resting.discard(number)
                if not self._stopped:
                    self._function()
        except:     # noqa: E722  as 2.7 ends it takes the names of modules away, Exception too
            self._stopped = True
        finally:
            self._running = False
            resting.discard(self.ident)
            ours.discard(self.ident)
