"""``--progress``: a bar on a terminal, below all that is printed, while the tests run.

It is erased before anything is written through ``sys.stdout`` or ``sys.stderr``, is drawn again
below that, and is gone at the end. Where standard error is not a terminal there is none, and the
dots of unittest are there as ever. Python 3.6 and later.
"""

from __future__ import absolute_import

import io
import os
import sys
import time

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.redaction import shown
from unittest_leakfix._core.ticker import Ticker
from unittest_leakfix.observer import ForwardingObserver, RunningTest

try:
    from _thread import RLock
except ImportError:     # Python 2.7, which has no progress
    RLock = None

__unittest = True
bind(globals())

STEP = 0.1
"""How many seconds lie between two drawings by the tests; its own thread draws half as often."""
LONG = 1.0
"""After how many seconds the test that runs is named."""
_clock = getattr(time, "monotonic", time.time)
_getpid = os.getpid
_write, _open, _read, _close = os.write, os.open, os.read, os.close
_size = getattr(os, "get_terminal_size", None)
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_TextIOWrapper = io.TextIOWrapper
_KEPT = []      # a stream that goes closes its descriptor, and tests may have kept it


class Bar(object):
    """One line at the bottom of a terminal, written to its *descriptor*.

    Lines that are printed stand above it: `erase` before, `drew` after each text. The cursor is
    put back to where an unfinished line has ended.
    """

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._pid = _getpid()
        self._column = 0        # where the last printed line has ended
        self.lock = RLock()     # a signal's handler may print while we draw
        self.visible = False

    def is_here(self):
        """Tell whether this is the process that draws it."""
        return _getpid() == self._pid

    @property
    def columns(self):
        """How wide the terminal is now; 0 where it does not say."""
        try:
            return _size(self._descriptor).columns
        except (OSError, ValueError):
            return 0

    def draw(self, text):
        """Draw *text*, one line without control characters, in place of what is there."""
        with self.lock:
            if not self.is_here():
                return
            below = "\r" if self.visible or not self._column else "\r\n"
            self._put(below + text + "\033[K")
            self.visible = True

    def erase(self):
        """Take it away, and put the cursor back."""
        with self.lock:
            if not self.visible or not self.is_here():
                return
            self.visible = False
            back = "\033[A\033[%dC" % self._column if self._column else ""
            self._put("\r\033[K" + back)

    def printed(self, text):
        """Note that *text* was printed."""
        last = text.rpartition("\n")[2]
        column = len(last) if "\n" in text else self._column + len(last)
        self._column = column % (self.columns or 80)

    def _put(self, text):
        try:
            _write(self._descriptor, text.encode("utf-8", "replace"))
        except OSError:     # it is gone
            pass


class OverBar(io.TextIOWrapper):
    """A standard stream whose text stands above the bar."""

    _bar = None

    def write(self, text):
        """Write *text*, as every stream does."""
        bar = self._bar
        if bar is None or not bar.is_here():    # a forked child has a lock that nobody releases
            return super(OverBar, self).write(text)
        with bar.lock:
            bar.erase()
            length = super(OverBar, self).write(text)
            self.flush()
            bar.printed(text)
        return length


def over(stream, bar):
    """Return a stream like *stream*, of the same buffer, whose text stands above *bar*."""
    stream.flush()
    made = OverBar(stream.buffer, stream.encoding, stream.errors, newline=None if os.name == "nt"
                   else "\n", line_buffering=True)
    made.mode = getattr(stream, "mode", "w")
    made._bar = bar
    _KEPT.append(made)
    return made


def shows_progress(stream, environ=os.environ):
    """Tell whether *stream* is a terminal that can take a line back."""
    try:
        return (stream.isatty() and isinstance(stream, _TextIOWrapper) and _size is not None
                and environ.get("TERM") not in (None, "", "dumb"))
    except Exception:   # closed, or no stream
        return False


class Progress(object):
    """The progress of one run, and the standard streams above its bar.

    :param environ: the environment, for ``TERM`` and ``NO_COLOR``.
    """

    def __init__(self, environ=os.environ):
        self._colour = not environ.get("NO_COLOR")
        self._streams = []      # name in sys, the stream before, ours
        self._bar = Bar(sys.stderr.fileno())
        self._boxes = _takes(sys.stderr, u"\u2501\u2500\u00b7")
        self._ticker = Ticker(self._tick, STEP * 2)
        self._found = None
        self._result = None
        self._next = 0.0
        self.total = self.done = 0
        self.started = 0.0
        self.current = None, 0.0    # what runs, and since when

    @classmethod
    def made(cls):
        """Return one that stands below the standard streams from now on, or None where standard
        error is not a terminal."""
        if not shows_progress(sys.stderr):
            return None
        progress = cls()
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if not shows_progress(stream):
                continue
            ours = over(stream, progress._bar)
            for each in (name, "__%s__" % name):
                if getattr(sys, each) is stream:
                    progress._streams.append((each, stream, ours))
                    setattr(sys, each, ours)
        progress._ticker.start()    # before finding looks which threads there are
        return progress

    def begin(self, total, result, found):
        """The run begins: of *total* tests, into *result*. *found*: called without arguments,
        returns how many leaks are known; None where none are looked for."""
        self.total, self._result, self._found = total, result, found
        self.started = _clock()
        self.current = None, self.started
        # The bar stands for unittest's dots.
        if getattr(result, "dots", False):
            result.dots = False
        self._ticker.start()

    def runs(self, name):
        """The test or fixture *name*, a text or what `str` makes one of, runs from now on; None:
        nothing does."""
        self.current = name, _clock()
        self._ticker.start()        # again, after a fork

    def finished(self):
        """A test is over."""
        self.done += 1
        now = _clock()
        self.current = None, now
        if now >= self._next:
            self._draw(now)

    def end(self):
        """The run is over: take the bar away. What was printed above it stays."""
        self._ticker.stop()
        self._bar.erase()
        for name, before, ours in self._streams:
            ours._bar = None
            if getattr(sys, name) is ours:
                setattr(sys, name, before)
        self._streams = []

    def _tick(self):
        now = _clock()
        if self.started and now >= self._next:
            self._draw(now)

    def _draw(self, now):
        self._next = now + STEP
        columns = self._bar.columns or 80
        if columns > 10:
            self._bar.draw(self.text(now, columns - 1))

    def text(self, now, columns):
        """Return what is shown at the time *now* in at most *columns* columns."""
        took = max(now - self.started, 1e-6)
        share = min(1.0, float(self.done) / self.total) if self.total else 1.0
        rate = self.done / took
        bad = self._bad()
        name, since = self.current
        parts = ["%d/%d" % (self.done, self.total)]
        if self.done and took >= STEP:
            parts.append("%.0f/s" % rate if rate >= 10 else "%.1f/s" % rate)
            if self.done < self.total:
                parts.append("%s left" % _clock_text((self.total - self.done) / rate))
        if bad:
            parts.append("%d failed" % bad)
        memory = _resident()
        if memory:
            parts.append("%.0f MB" % (memory / 1e6))
        found = self._found() if self._found is not None else 0
        if found:
            parts.append("1 leak" if found == 1 else "%d leaks" % found)
        if name is not None and now - since >= LONG:
            parts.append("%.0f s in %s" % (now - since, shown(str(name), 200)))
        room = 20 if columns >= 60 else 8
        text = "  ".join(parts)
        if len(text) + room + 1 > columns:
            text = _shortened(text, columns - room - 1)
        full, empty = (u"\u2501", u"\u2500") if self._boxes else ("=", "-")
        filled = int(share * room)
        done, rest = full * filled, empty * (room - filled)
        if not self._boxes:
            text = text.encode("ascii", "backslashreplace").decode("ascii")
        if self._colour:
            done = "\033[3%dm%s\033[0m" % (1 if bad else 2, done)
            rest = "\033[2m%s\033[0m" % rest
        return done + rest + " " + text

    def _bad(self):
        result = self._result
        return sum(len(getattr(result, name, ())) for name in (
            "failures", "errors", "unexpectedSuccesses"))


class ProgressObserver(ForwardingObserver):
    """Shows in *progress* what runs: one of *total* tests. *finding*: its observer, or None."""

    def __init__(self, inner, finding, progress, total):
        super(ProgressObserver, self).__init__(inner)
        self._progress, self._total, self._finding = progress, total, finding

    def stop(self):
        self._progress.end()
        super(ProgressObserver, self).stop()

    def run_started(self, result):
        self.inner.run_started(result)
        self._progress.begin(self._total, result, getattr(self._finding, "leaks_so_far", None))

    def test_started(self, test):
        self.inner.test_started(test)
        self._progress.runs(RunningTest(test))

    def test_finished(self, test):
        self._progress.finished()
        self.inner.test_finished(test)

    def before_fixture(self, name):
        self._progress.runs(name)
        self.inner.before_fixture(name)


def _takes(stream, text):
    try:
        text.encode(stream.encoding)
    except (UnicodeError, LookupError, TypeError):
        return False
    return True


def _clock_text(seconds):
    """Return "0:05", "12:30", "1:02:03"."""
    seconds = int(seconds + 0.5)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return "%d:%02d:%02d" % (hours, minutes, seconds % 60)
    return "%d:%02d" % (minutes, seconds % 60)


def _shortened(text, limit):
    """Return *text*, its end left out where it is longer than *limit*."""
    return text if len(text) <= limit else text[:max(limit - 3, 0)] + "..."[:max(limit, 0)]


def _resident():
    """Return the resident memory of this process in bytes, 0 where the system does not say."""
    try:
        descriptor = _open("/proc/self/statm", os.O_RDONLY)
    except OSError:     # there is no /proc, or no descriptor left
        return 0
    try:
        return int(_read(descriptor, 200).split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0
    finally:
        _close(descriptor)
