"""LeakFixTestRunner: runs any suite, lets go of each finished test, says what it closed."""

from __future__ import absolute_import

import sys
import unittest

from unittest_leakfix._core.early import bind, late
from unittest_leakfix.result import LeakFixResultMixin, LeakFixTextTestResult, Sweep
from unittest_leakfix.suite import Run, Tally

__unittest = True
bind(globals())

_optional = late(globals(), "_optional")
errors = late(globals(), "_core.errors")

# The keywords of ``unittest.TextTestRunner``: given these alone, a runner does not load the table
# of options. Another one costs that, and no more.
_UNITTESTS = frozenset(("stream", "descriptions", "verbosity", "failfast", "buffer", "resultclass",
                        "warnings", "tb_locals", "durations"))


class LeakFixTestRunner(unittest.TextTestRunner):
    """``unittest.TextTestRunner`` whose finished tests give back what they took.

    Takes what ``unittest.TextTestRunner`` takes; use it wherever a runner goes
    (``unittest.main(testRunner=LeakFixTestRunner)``). Any suite and any
    ``resultclass`` will do: plain suites run as `LeakFixTestSuite`, and the tests
    in the lists of a foreign result are swapped for stand-ins as they finish. The
    output is unittest's own. One line more follows when open resources were closed,
    or with ``verbosity=2``.

    After ``run``, ``tally`` says what was done: ``released``, ``closed``, ``kept``.

    Python 3.8 and later: ``leaks="report"`` finds what each test left behind and
    reports it at the end, ``leaks="fail"`` makes it a failure of the test as well.
    ``leaks_failed``, ``leaks_baseline``, ``leaks_write_baseline``, ``leaks_json``,
    ``leaks_stacks`` and ``restore`` are the options of the command line, and imply
    ``leaks="report"`` as they do there.
    ``max_connections=N``: N connections to database servers may be open at the same
    time; the call that would open one more raises ``ConnectionBudgetError``.
    """

    resultclass = LeakFixTextTestResult
    tally = None
    _watch = None   # of --patience
    _progress = None    # of --progress: what shows it, and the number of tests
    finding = {}    # the options of finding; a subclass may have its own
    max_connections = None
    _to_find = 'leaks="report"'     # what names the holder of a test; the command line has its own

    def __init__(self, *args, **kwds):
        if not _UNITTESTS.issuperset(kwds):
            from unittest_leakfix.options import KEYWORDS
            given = dict((name, kwds.pop(name)) for name in KEYWORDS if name in kwds)
            self.max_connections = given.pop("max_connections", self.max_connections)
            # Off is off, whatever a subclass has beside it.
            self.finding = dict({} if given.get("leaks") == "off" else self.finding, **given)
        super(LeakFixTestRunner, self).__init__(*args, **kwds)

    def _makeResult(self):
        _check_class(self.resultclass)
        return super(LeakFixTestRunner, self)._makeResult()

    def run(self, test):
        """Run *test*, a test or a suite, and return the result.

        Raises ``TypeError`` if ``resultclass`` does not make results, or *test* is not a test.
        """
        proxy = test
        if not isinstance(test, SuiteProxy):    # it is one already
            detector = _optional.leak_session(self.finding) if self.finding else None
            if self.max_connections is not None:
                # Raises before anything is printed.
                _optional.connection_counting(self.max_connections)
            proxy = SuiteProxy(test, detector, self.watching, self._to_find)
        run = super(LeakFixTestRunner, self).run
        try:
            if proxy is test:
                return run(proxy)
            return proxy.run_and_report(run, self.stream, self.verbosity > 1)
        finally:
            self.tally = proxy.tally

    def watching(self, watcher):
        """Return the observer of the run: *watcher*, which is finding's or None, or a
        `ForwardingObserver` before it. For subclasses."""
        finding = watcher
        if self._watch is not None:
            from unittest_leakfix.patience import WatchedObserver
            watcher = WatchedObserver(watcher, self._watch, _optional.recording())
        if self.max_connections is not None:
            watcher = _optional.connection_counting(self.max_connections)(watcher)
        if self._progress is not None:
            from unittest_leakfix.progress import ProgressObserver
            watcher = ProgressObserver(watcher, finding, *self._progress)
        return watcher


class SuiteProxy(object):
    """Stands for a suite in a runner's ``run``, which calls it with the result: the run is ours.

    :param test: the suite, or a test.
    :param finding: the `LeakSession` of the run, or None where nothing is to be found.
    :param watching: called with finding's observer, or None; returns the observer of the run.
    :param to_find: what to type in order to learn what holds a test, when finding is off.
    """

    def __init__(self, test, finding, watching, to_find=""):
        self._test = test
        self._finding = finding
        self._watching = watching
        self._to_find = to_find
        self.tally = Tally()

    def __call__(self, result):
        """Run the suite into *result*."""
        sweep = None if isinstance(result, LeakFixResultMixin) else Sweep(result)
        off = []
        detector = None
        if self._finding is not None:
            try:
                detector = self._finding.begin(result)
            except Exception:   # no descriptor left, and the like
                off.append("finding, by %s" % errors.fault_text())
        watcher = self._watching(detector)
        run = Run(result, sweep, watcher)
        self.tally = run.tally
        self.tally.off += off
        whole = False
        try:
            if watcher is not detector:
                watcher.start()
            run.all(self._test)
            whole = True
        finally:
            if watcher is not detector:
                watcher.stop()
            if self._finding is not None:
                try:
                    self._finding.end(whole)
                except Exception:
                    self.tally.off.append("finding, by %s" % errors.fault_text())
            if sweep is not None:
                sweep()

    run = __call__

    def __iter__(self):
        return iter(self._test)

    def __getattr__(self, name):
        return getattr(self._test, name)

    def run_and_report(self, run, stream, verbose):
        """Call *run* with this suite, `write_report`, and return what *run* returned.

        Ctrl-C ends it as it ends plain unittest; what was found by then is still written,
        shortly, unless it is pressed again.
        """
        try:
            result = run(self)
            self.write_report(stream, verbose)
            if self._finding is not None:
                self._note_threads(result)
            return result
        except KeyboardInterrupt:
            if self._finding is not None:
                self._finding.interrupted(stream)
            raise
        finally:
            if self._finding is not None:
                self._finding.close()

    def _note_threads(self, result):
        """Note on *result* who started the threads that still run: the process may wait for
        them."""
        try:
            started_by = self._finding.started_by()
            if started_by:
                result._leakfix_started_by = started_by
        except Exception:   # a result with slots, or that checks what is set
            pass

    def write_report(self, stream, verbose):
        """Write to *stream* what was closed, and what was found. *verbose*: even if that is
        nothing."""
        try:
            to_find = self._to_find if self._finding is None else ""
            lines = [summary_line(self.tally, verbose, to_find)]
            lines += ["unittest_leakfix: switched off: %s; the verdicts stand" % why
                      for why in self.tally.off]
            for line in filter(None, lines):
                stream.write(line + "\n")
                stream.flush()
            if self._finding is not None:
                self._finding.write_report(stream, verbose)
        except Exception:   # the stream is broken, or no memory left: the verdict stands
            pass


def _check_class(resultclass):
    """Raise ``TypeError`` for what can be seen to make no results."""
    if not callable(resultclass) or (
            isinstance(resultclass, type) and not hasattr(resultclass, "startTest")
            and not hasattr(resultclass, "__getattr__")):
        raise TypeError(
            "resultclass = %s is not a result class: give a subclass of unittest.TestResult, "
            "or what makes one of (stream, descriptions, verbosity)" % (
                resultclass.__name__ if isinstance(resultclass, type) else repr(resultclass)))


def summary_line(tally, always, to_find=""):
    """Return the line for what a run did, "" if there is nothing to say.

    With *always* the line comes even if nothing was closed. *to_find* is what to type in order
    to learn what holds the tests that are still held.
    """
    closed = sum(tally.closed.values())
    if not closed and not always:
        return ""
    line = "unittest_leakfix: let go of %s" % _counted(tally.released, "finished test")
    if closed:
        line += ", closed %s left open (%s)" % (
            _counted(closed, "resource"), ", ".join(
                _counted(tally.closed[name], name) for name in sorted(tally.closed)))
    if tally.kept:
        line += ", %s still held by other code" % _counted(tally.kept, "test")
        if to_find and sys.version_info >= (3, 8):
            line += " (%s names the holder)" % to_find
    return line


def _counted(count, noun):
    """Return "1 socket", "2 sockets", "2 child processes", "2 proxies"."""
    if count == 1:
        return "1 " + noun
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        noun = noun[:-1] + "ie"
    noun += "es" if noun.endswith(("s", "x", "z", "ch", "sh")) else "s"
    return "%d %s" % (count, noun)
