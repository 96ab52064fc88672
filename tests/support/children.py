"""The processes that the test command starts: watched for silence, ended with all that they
started."""

from __future__ import absolute_import

import os
import signal
import subprocess
import threading
import time

SILENCE = 600  # seconds in which nothing happens
POLL = 0.1


class Silent(Exception):
    """Nothing happened for so long that the process was ended."""


class Stopped(Exception):
    """The command is being ended (Ctrl-C); the process was ended with it."""


class Children(object):
    """What one command has started. There is no limit of time, only one of *silence*, in seconds.

    *clock* is a function that returns seconds.
    """

    def __init__(self, silence=SILENCE, clock=getattr(time, "monotonic", time.time)):
        self._silence, self._clock = silence, clock
        self._running, self._lock, self._stopping = [], threading.Lock(), False

    def run(self, command, log, watched=(), poll=None, folder=None, variables=None):
        """Run *command*, whose output goes to the open file *log*, and return its exit status.

        A sign of life is when the log or a file of *watched* (paths) grows. Without one the process
        is asked for the stacks of its threads, is ended, and ``Silent`` raised. *poll* is called
        again and again while it runs, and once when it is over.
        """
        child = self._start(command, log, folder, variables)
        try:
            seen, since = None, self._clock()
            while not _over(child):
                if poll is not None:
                    poll()
                sizes = [_size(path) for path in (log.name,) + tuple(watched)]
                now = self._clock()  # after the sizes: what grows from here on is seen next time
                if sizes != seen:
                    seen, since = sizes, now
                elif now - since >= self._silence and not self._stopping:
                    time.sleep(POLL)  # the whole machine may have slept: has it grown meanwhile?
                    if sizes == [_size(path) for path in (log.name,) + tuple(watched)]:
                        _abort(child)
                        raise Silent("nothing happened for %d s" % self._silence)
                time.sleep(POLL)
        finally:
            _kill(child)  # what it left behind is ended, too
            child.wait()
            with self._lock:
                self._running.remove(child)
            if poll is not None:
                poll()
        if self._stopping:
            raise Stopped()
        return child.returncode

    def stop(self):
        """End what runs: ``run`` raises ``Stopped`` from here on."""
        with self._lock:
            self._stopping = True
        # An interrupt first, so that fixtures are torn down.
        for end in (lambda child: _signal(child, signal.SIGINT), _kill):
            with self._lock:
                for child in self._running:
                    end(child)
            deadline = time.time() + 5
            while self._running and time.time() < deadline:
                time.sleep(POLL)

    def _start(self, command, log, folder, variables):
        apart = {"start_new_session": True} if str is not bytes else {
            "preexec_fn": getattr(os, "setsid", None)}
        with self._lock:
            if self._stopping:
                raise Stopped()
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, cwd=folder,
                                     stderr=subprocess.STDOUT, env=variables, **apart)
            self._running.append(child)
        child.stdin.close()
        return child


def _size(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _signal(child, number):
    try:
        os.kill(child.pid, number)
    except (OSError, ValueError):  # it is gone; a system that does not know the signal
        pass


def _abort(child):
    """Have faulthandler, where it is switched on, write the stacks of all threads."""
    _signal(child, signal.SIGABRT)
    deadline = time.time() + 5
    while not _over(child) and time.time() < deadline:
        time.sleep(POLL)


def _over(child):
    """Tell whether it ended. Until it is waited for, its number cannot become another process's."""
    if hasattr(os, "waitid"):
        return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return child.poll() is not None


def _kill(child):
    """End the process and its group."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    except OSError:  # they are gone
        pass
