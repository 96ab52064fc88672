"""A run that hangs: what keeps the process from its end, and which test stands still, also before a
lock of a database.

Loaded when ``--patience`` or ``--exit-after`` is given, and in a run that records connections once
two of them are open; else only when the run has been over for some seconds and the process is still
there. A thread of our own watches, below `threading`, so
that no list of threads has it, and writes to the descriptor of standard error, never to a stream,
whose lock the main thread may hold.
"""

from __future__ import absolute_import

import atexit
import os
import sys
import time

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import qualified
from unittest_leakfix._core.ownership import ours, resting
from unittest_leakfix._core.redaction import shown
from unittest_leakfix.observer import ForwardingObserver, RunningTest
from unittest_leakfix.stack_text import (
    child_texts,
    function_at_exit,
    is_ending,
    is_of_executor,
    line_of_user,
    outermost_at_exit,
    place,
    stack,
)

try:
    from _thread import allocate_lock, get_ident, start_new_thread
except ImportError:     # Python 2.7
    from thread import allocate_lock, get_ident, start_new_thread

__unittest = True
bind(globals())

AT_END = 5.0
"""How many seconds the process may take for its end before it says what keeps it."""
AT_EXIT = 5.0
"""How many seconds ``--exit-after`` gives to what was registered with ``atexit``."""
AT_LOCK = 10.0
"""After how many seconds at one line of the user's a look is taken at the locks of databases."""

_clock = getattr(time, "monotonic", time.time)
_sleep = time.sleep
_write = os.write
_exit = os._exit
_exists = os.path.exists
_getpid = os.getpid
_register_at_fork = getattr(os, "register_at_fork", None)     # 3.7
_current_frames = sys._current_frames
_get_native_id = getattr(sys.modules.get("_thread"), "get_native_id", lambda: 0)    # 3.8
_run_at_exit = atexit._run_exitfuncs


class Watch(object):
    """Watches one process, from a thread of its own.

    :param patience: how many seconds a test, and the end of the process, may take; None: 5 for the
        end, and any time for a test.
    :param exit_after: how many seconds after the run the process is ended; None: never.
    :param main: the number of the main thread; None: that which makes the watch.
    :param locks: after how many seconds the locks of databases are looked at; None: *patience*.
    :param look: takes that look; see ``lock_waits.look``.
    :param two: returns what runs, None where fewer than two connections are open: none of them
        can wait for another.
    :param descriptor: what it writes to; None: standard error, as it is now.
    """

    _running_one = None     # what watches this run by ``--patience``, or for locks alone

    def __init__(self, patience=None, exit_after=None, main=None, locks=None, look=None, two=None,
                 descriptor=None):
        self._patience = patience
        self._look, self._two = look, two
        self._locks = locks or patience
        self._for_locks = locks is not None
        self._stands = None, 0.0    # the line of the user's at which the main thread is, since when
        self._looked = 0.0
        self._seen = set()
        self.latest = ""            # what runs, or ran last
        self._native = 0
        self._exit_after = exit_after
        self._main = get_ident() if main is None else main
        self._pid = _getpid()
        self._descriptor = _descriptor(sys.__stderr__) if descriptor is None else descriptor
        self._current = None, 0     # what runs, and since when
        self._reported = None
        self._end = None            # when the run was over
        self._status = 0
        self._started_by = {}
        self._ends_before_forks = False
        self._running = False
        self._paused = False
        self._wake = allocate_lock()
        self._wake.acquire()

    def start(self):
        """Begin to watch, or to watch again."""
        if self._paused or not self._running:
            Watch._running_one = self
            if not self._ends_before_forks and sys.version_info >= (3, 12):
                self._ends_before_forks = True
                _register_at_fork(before=self._pause)
            self._paused, self._running = False, True
            start_new_thread(self._watch, ())

    def _pause(self):
        """A fork is about to happen: 3.12 and later warn where there is a second thread. Ours ends,
        and begins again with the next test."""
        if self._running and self._end is None and _getpid() == self._pid:
            self._paused = True
            self._wake.release()
            for _ in range(100):
                if not self._running and not _exists("/proc/self/task/%d" % self._native):
                    break
                _sleep(0.001)

    def runs(self, name):
        """The test or fixture *name*, an object that `str` is called of later, runs from now on;
        None: nothing does."""
        self._current = name, _clock()
        if name is not None:
            self.latest = name
        if self._paused:
            self.start()

    def stop(self):
        """The run is over, and the process goes on."""
        self._pid = None
        if Watch._running_one is self:
            Watch._running_one = None
        if self._running and sys.version_info >= (3,):
            try:
                self._wake.release()
            except RuntimeError:    # it is awake
                pass

    def over(self, status, started_by=None):
        """The run is over, and the process is about to end with *status*.

        *started_by*: by the names of threads, the test and line that started them.
        """
        self._status = status
        self._started_by = started_by or {}
        self._current = None, 0
        self._end = _clock()
        self.start()

    def keep_watch(self, status, started_by, since):
        """Watch from this thread, a thread of ours, a process whose run was over at *since*."""
        self._status = status
        self._started_by = started_by or {}
        self._end = since
        self._watch()

    def _watch(self):
        try:
            number = get_ident()
            ours.add(number)
            try:
                self._watch_on(number)
            finally:
                self._running = False
                resting.discard(number)
                ours.discard(number)
        except:     # noqa: E722  2.7 takes the names of modules away, Exception too, as it ends
            pass

    def _watch_on(self, number):
        self._native = _get_native_id()
        patience = self._patience or AT_END
        # Twice a second is enough, and costs nothing.
        step = min([0.5, patience / 4.0] + [each / 4.0 for each in [self._exit_after, self._locks]
                                            if each])
        reported = False
        while _getpid() == self._pid:
            resting.add(number)     # it refers to nothing of the tests
            if sys.version_info >= (3,):
                self._wake.acquire(True, step)
            else:
                _sleep(step)
            resting.discard(number)
            if self._paused or self._for_locks and self._two() is None:
                return
            self._look_at_locks(_clock())
            try:
                name, since = self._current
                now = _clock()
                if name is not None and self._patience and now - since >= patience:
                    if name is not self._reported:
                        self._reported = name
                        self._say(self._where(name, now - since))
                        self._looked = 0.0
                        self._look_at_locks(now)
                if self._end is None:
                    continue
                if not reported and now - self._end >= patience:
                    reported = True
                    self._say(self._keeping(now - self._end))
                if self._exit_after is not None and now - self._end >= self._exit_after:
                    self._leave()
            except Exception:   # what tests broke ends the watch, not the run
                if self._end is not None and self._exit_after is not None:
                    _exit(self._status)
                return

    def _say(self, lines):
        text = "\nunittest_leakfix: %s\n" % "\n".join(lines)
        if not isinstance(text, bytes):
            text = text.encode("utf-8", "backslashreplace")
        try:
            _write(self._descriptor, text)
        except OSError:     # it is closed
            pass

    # A test that stands still.

    def _where(self, name, seconds):
        lines = ["%s has not ended for %.0f s; the threads are now at:" % (
            shown(str(name), 200), seconds)]
        for ident, frame in self._frames():
            lines.append("  %s" % self._label(ident))
            lines += ["    " + each for each in stack(frame)]
        return lines

    # A test that waits for a lock of a database.

    def _look_at_locks(self, now):
        """Say what the sessions of the run wait for, once the main thread has been at one line of
        the user's for as long as `_locks` says; end what may be ended."""
        if not self._locks or self._look is None:
            return
        runs = self._two()
        if runs is None:
            return
        at = runs, line_of_user(_current_frames().get(self._main))
        if at != self._stands[0]:
            self._stands = at, now
        if now - self._stands[1] < self._locks or now - self._looked < self._locks:
            return
        self._looked = now
        try:
            self._look(self._locks, is_ending(_current_frames().get(self._main)),
                       self._say_once)
        except Exception:       # what a test broke ends this look, not the watch
            pass

    def _say_once(self, key, text):
        if key not in self._seen:
            self._seen.add(key)
            self._say([text])

    # A process that does not end.

    def _keeping(self, seconds):
        lines = ["the run is over, and the process has not ended for %.0f s." % seconds]
        threads = self._threads()
        children = child_texts()
        for ident, thread, frame in threads:
            lines.append("  waits for %s" % self._label(ident, thread))
            lines.append("    now at %s" % place(frame))
            where = self._started_by.get(getattr(thread, "_name", None))
            if where:
                lines.append("    started by %s" % where)
        for child in children:
            lines.append("  waits for child process %s" % child)
        main = dict(self._frames()).get(self._main)
        function = function_at_exit(main)
        if function:
            lines.append("  runs %s, which was registered with atexit" % function)
            lines.append("    now at %s" % place(main))
        elif not threads and not children and main is not None:
            lines.append("  the main thread is now at %s" % place(main))
        if threads and not self._started_by and sys.version_info >= (3, 8):
            lines.append("--leaks=report says which test started a thread, and on which line.")
        if self._exit_after is None:
            lines.append("Ctrl-C ends the wait; --exit-after SECONDS ends the process by itself.")
        return lines

    def _frames(self):
        """Return the threads and their frames, the main thread first, without ours."""
        frames = [each for each in _current_frames().items() if each[0] not in ours]
        return sorted(frames, key=lambda each: (each[0] != self._main, each[0]))

    def _threads(self):
        """Return the threads that the interpreter waits for: number, object, frame."""
        known = getattr(sys.modules.get("threading"), "_active", {})
        found = []
        for ident, frame in self._frames():
            thread = known.get(ident)
            if ident != self._main and thread is not None and (
                    not getattr(thread, "_daemonic", getattr(thread, "_Thread__daemonic", False))
                    or is_of_executor(thread)):
                found.append((ident, thread, frame))
        return found

    def _label(self, ident, thread=None):
        """Return 'thread "mailer-1" (shop.mail.Mailer)'."""
        if ident == self._main:
            return "the main thread"
        if thread is None:
            thread = getattr(sys.modules.get("threading"), "_active", {}).get(ident)
        if thread is None:
            return "a thread without a Thread object"
        name = getattr(thread, "_name", getattr(thread, "_Thread__name", "?"))
        label = 'thread "%s" (%s)' % (shown(str(name)), qualified(type(thread)))
        return label + " of an executor that was not shut down" * bool(is_of_executor(thread))

    # The end by force.

    def _leave(self):
        """End the process with the run's own status, after what ``atexit`` has."""
        main = dict(self._frames()).get(self._main)
        # Each function is called once: not while the main thread is at it.
        at_exit = outermost_at_exit(main) is None
        done = []

        def last():
            ours.add(get_ident())
            try:
                if at_exit:
                    _run_at_exit()
            except BaseException:   # it has been printed
                pass
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except Exception:   # closed, or None
                    pass
            done.append(True)
        start_new_thread(last, ())
        end = _clock() + AT_EXIT
        while not done and _clock() < end:
            _sleep(0.02)
        self._say(["the process is ended %g s after its run, with the status of that, %d%s." % (
            self._exit_after, self._status, "" if done and at_exit else
            "; what is registered with atexit had not ended")])
        _exit(self._status)


def watch(patience, exit_after, look, two, descriptor=None):
    """Return the `Watch` for what was given as ``--patience`` and ``--exit-after``, None for
    neither. It has begun where tests are watched. The other arguments are those of `Watch`.

    Raises ``ValueError`` for a number that makes no sense.
    """
    if patience is not None and not patience > 0:
        raise ValueError("--patience needs a number of seconds above 0")
    if exit_after is not None and not exit_after >= 0:
        raise ValueError("--exit-after needs a number of seconds, 0 or more")
    if patience is None and exit_after is None:
        return None
    found = Watch(patience, exit_after, look=look, two=two, descriptor=descriptor)
    if patience is not None:
        found.start()       # before finding looks which threads there are
    return found


class WatchedObserver(ForwardingObserver):
    """Says to *watch* what runs."""

    def __init__(self, inner, watch, recording=None):
        super(WatchedObserver, self).__init__(inner)
        self._watch = watch
        self._recording = recording     # of connections

    @property
    def current(self):
        """What runs, or ran last: the records of connections ask for it."""
        return str(self._watch.latest)

    def start(self):
        super(WatchedObserver, self).start()
        if self._recording is not None:
            self._recording.install(self)

    def stop(self):
        if self._recording is not None:
            self._recording.remove(self)
        super(WatchedObserver, self).stop()

    def test_started(self, test):
        self.inner.test_started(test)
        # Text is made of it when it stands still, and it is let go of when it has finished.
        self._watch.runs(RunningTest(test))

    def test_finished(self, test):
        self._watch.runs(None)
        self.inner.test_finished(test)

    def before_fixture(self, name):
        self._watch.runs(name)
        self.inner.before_fixture(name)

    def class_started(self, cls):
        self.inner.class_started(cls)
        self._watch.runs("setUpClass (%s)" % qualified(cls))

    def class_finished(self, cls):
        self._watch.runs(None)
        self.inner.class_finished(cls)

    def module_started(self, name):
        self.inner.module_started(name)
        self._watch.runs("setUpModule (%s)" % name)

    def module_finished(self):
        self._watch.runs(None)
        self.inner.module_finished()


def watch_locks(main, look, two, descriptor=None):
    """Begin to watch for waits before the locks of databases, in a thread that ends when fewer than
    two connections are open. The arguments are those of `Watch`, and the descriptor to
    write to."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return      # nothing would be owned while another thread is alive
    if Watch._running_one is None:
        Watch._running_one = Watch(main=main, locks=AT_LOCK, look=look, two=two,
                                   descriptor=descriptor)
    if Watch._running_one._for_locks:
        Watch._running_one.start()


def stop_watching_locks():
    """The run is over."""
    if Watch._running_one is not None and Watch._running_one._for_locks:
        Watch._running_one.stop()


def _descriptor(stream):
    try:
        return stream.fileno()
    except Exception:   # None, or a stream without one
        return 2
