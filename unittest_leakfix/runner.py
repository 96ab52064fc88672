"""LeakFixTestRunner: runs any suite, lets go of each finished test, says what it closed."""

from __future__ import absolute_import

import unittest

from unittest_leakfix.result import LeakFixResultMixin, LeakFixTextTestResult, Sweep
from unittest_leakfix.suite import Run

__unittest = True


class LeakFixTestRunner(unittest.TextTestRunner):
    """``unittest.TextTestRunner`` whose finished tests give back what they took.

    Takes what ``unittest.TextTestRunner`` takes; use it wherever a runner goes
    (``unittest.main(testRunner=LeakFixTestRunner)``). Any suite and any
    ``resultclass`` will do: plain suites run as `LeakFixTestSuite`, and the tests
    in the lists of a foreign result are swapped for stand-ins as they finish. The
    output is unittest's own. One line more follows when open resources were closed,
    or with ``verbosity=2``.

    After ``run``, ``tally`` says what was done: ``released``, ``closed``, ``kept``.
    """

    resultclass = LeakFixTextTestResult
    tally = None

    def run(self, test):
        """Run *test*, a test or a suite, and return the result."""
        guided = _Guided(test)
        result = super(LeakFixTestRunner, self).run(guided)
        self.tally = guided.run.tally
        line = said(self.tally, self.verbosity > 1)
        if line:
            self.stream.writeln(line)
            self.stream.flush()
        return result


class _Guided(object):
    """Stands for the suite in ``TextTestRunner.run``, which calls it with the result."""

    def __init__(self, test):
        self._test = test
        self.run = None

    def __call__(self, result):
        sweep = None if isinstance(result, LeakFixResultMixin) else Sweep(result)
        self.run = Run(result, sweep)
        try:
            self.run.all(self._test)
        finally:
            if sweep is not None:
                sweep()

    def __getattr__(self, name):
        return getattr(self._test, name)


def said(tally, always):
    """Return the line for what a run did, "" if there is nothing to say.

    With *always* the line comes even if nothing was closed.
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
        line += ", %s still held by somebody else" % _counted(tally.kept, "test")
    return line


def _counted(count, noun):
    """Return "1 socket", "2 sockets", "2 child processes"."""
    if count != 1:
        noun += "es" if noun.endswith("s") else "s"
    return "%d %s" % (count, noun)
