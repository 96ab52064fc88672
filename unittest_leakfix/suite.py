"""Suites that give their tests away, and the run that lets each one go."""

from __future__ import absolute_import

import sys
import unittest.suite

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import MISSING, names_in, on_type, qualified
from unittest_leakfix._core.swap import originals
from unittest_leakfix.faults import PASSING, fault
from unittest_leakfix.giving import EMPTIED, given, met_twice, method, overrides
from unittest_leakfix.heap import SOME, heap
from unittest_leakfix.limits import most_connections
from unittest_leakfix.questions import get_count
from unittest_leakfix.release import Tally, release

__unittest = True
bind(globals())

# Bound here once: they are called for each test.
_isnotsuite = unittest.suite._isnotsuite
_TestCase = unittest.TestCase


_runs = []    # the runs that are under way in this process, the innermost last


class Run(object):
    """One run of a tree of suites into one result.

    :param result: the ``TestResult``.
    :param sweep: called with each finished test before it is let go; swaps it for
        a stand-in in a result that does not do so by itself.
    :param watcher: a `watcher.Watcher`, or None.
    """

    def __init__(self, result, sweep=None, watcher=None):
        self.result = result
        self.tally = Tally()
        self._sweep = sweep
        self._watcher = watcher
        self._current = None    # the class whose fixtures were set up last
        self._failed = False    # whether they, or the module's, failed
        self._mixed = None      # the class that the suite must restore
        self._twice = ()        # ids of suites that will be met again
        self._counting = None   # the watcher that keeps the connection budgets of classes
        self._releases = True   # until that fails

    def all(self, test, debug=False):
        """Run *test*, a suite or a test, as the outermost one. Returns nothing."""
        _runs.append(self)
        originals.note()
        heap.enter()
        try:
            if _is_plain(test):
                if sys.version_info < (3,):
                    self._twice = met_twice(test)
                self.suite(test, debug)
            else:
                test(self.result)
        finally:
            _runs.remove(self)
            heap.leave()
            originals.forget()
            if self._counting is not None:
                self._counting.stop()
        if heap.interrupted:
            heap.interrupt()

    def _tell(self, what, *arguments):
        """Tell the watcher, if there is one, *what* happens. What it raises ends its watch, not the run."""
        if self._watcher is not None:
            try:
                getattr(self._watcher, what)(*arguments)
            except PASSING:
                raise
            except BaseException:
                self._watcher = None
                self.tally.off.append("watching, by %s" % fault())

    def _release(self, hand):
        """Let go of the test in *hand*. What cannot be is an end of letting go, not of the run."""
        try:
            release(hand, self.tally)
        except PASSING:
            raise
        except BaseException:
            self._releases = False
            self.tally.off.append("closing and letting go, by %s" % fault())

    def suite(self, suite, debug=False):
        """Run the tests of *suite* as ``unittest.TestSuite.run`` does."""
        result = self.result
        outermost = getattr(result, "_testRunEntered", False) is False
        if outermost:
            result._testRunEntered = True
        hand = [None]
        for kept in given(suite, hand, result, id(suite) in self._twice):
            # Within a class the fixture handlers have nothing to do.
            if type(hand[0]) is self._current is result._previousTestClass:
                if self._failed:
                    continue
                self._test(hand, kept, debug)
            elif hand[0] is None:
                self._emptied(suite)
            elif _is_test(hand[0]):
                self._change_class(suite, hand[0])
                if self._failed:
                    continue
                self._test(hand, kept, debug)
            elif _is_plain(hand[0]):
                self.suite(hand[0], debug)
            elif debug:
                hand[0].debug()
            else:
                hand[0](result)
            hand[0] = None
        if outermost:
            self._tear_down_class(suite, None)
            self._end_module(suite._handleModuleTearDown)
            result._testRunEntered = False

    def _test(self, hand, kept, debug):
        """Run the test in *hand*, and let go of it."""
        if self._watcher is not None:
            self._tell("begin", hand[0])
        if debug:
            hand[0].debug()
        else:
            hand[0](self.result)
            if self._sweep is not None:
                self._sweep(hand[0])
            if self._watcher is not None:
                self._tell("finished", hand[0])
            count = get_count()     # while the test is alive: its end takes from the same count
            born = heap.asked or count >= SOME or count[1]
            if not kept and self._releases:
                self._release(hand)
            hand[0] = None
            if born:
                heap.collect()
        if self._watcher is not None:
            self._tell("end")
        if heap.interrupted:
            heap.interrupt()

    def _emptied(self, suite):
        """End as unittest does at a place whose test was given away: it takes None for a test."""
        self._tear_down_class(suite, None)
        self._change_module(suite, None)
        self.result._previousTestClass = type(None)
        raise TypeError(EMPTIED)

    def _change_class(self, suite, test):
        """The fixtures between two classes; the suite's own, in their order."""
        self._tear_down_class(suite, test)
        self._change_module(suite, test)
        if sys.version_info < (3, 8) and hasattr(type(test), "_leakfix_remember"):
            # ClassLeakFixMixin has no class cleanups to hang on there.
            self._mixed = type(test)
            self._mixed._leakfix_remember()
        if most_connections(type(test)) is not None:
            self._count_connections()
        self._tell("class_begins", type(test))
        suite._handleClassSetUp(test, self.result)
        self.result._previousTestClass = test.__class__
        # A class may lie about itself: its tests are told apart the slow way.
        self._current = type(test) if type(test) is test.__class__ else None
        self._failed = (getattr(test.__class__, "_classSetupFailed", False)
                        or getattr(self.result, "_moduleSetUpFailed", False))

    def _count_connections(self):
        """Count them from the first class on that limits them (3.8)."""
        if not hasattr(self._watcher, "counts_connections"):
            try:
                from unittest_leakfix.databases.counting import Counting
                counting = Counting(self._watcher)
                counting.start()
            except Exception:
                self.tally.off.append("counting connections, by %s" % fault())
            else:
                self._watcher = self._counting = counting

    def _tear_down_class(self, suite, test):
        """End the class before *test*; None: the last one."""
        previous = getattr(self.result, "_previousTestClass", None)
        over = previous is not None and previous is not getattr(test, "__class__", None)
        if over and self._watcher is not None:
            self._tell("fixture", "tearDownClass (%s)" % qualified(previous))
        suite._tearDownPreviousClass(test, self.result)
        if self._mixed is not None:
            mixed, self._mixed = self._mixed, None
            mixed._leakfix_restore()
        if previous is not None and names_in(previous).get("tearDown_exceptions"):
            # Reported by now; their frames hold the class's things (3.8).
            previous.tearDown_exceptions = []
            heap.collect_new()
        if over:
            self._tell("class_over", previous)

    def _change_module(self, suite, test):
        """Tear down the module before that of *test*, and set up its own."""
        module = type(test).__module__
        if self._watcher is None or module == suite._get_previous_module(self.result):
            suite._handleModuleFixture(test, self.result)
            return
        # It does both at once; the watcher wants to look in between.
        tear_down = suite._handleModuleTearDown

        def between(result):
            self._end_module(tear_down)
            if test is not None:
                self._tell("module_begins", module)
        suite._handleModuleTearDown = between
        try:
            suite._handleModuleFixture(test, self.result)
        finally:
            del suite._handleModuleTearDown

    def _end_module(self, tear_down):
        module = getattr(getattr(self.result, "_previousTestClass", None), "__module__", None)
        if self._watcher is not None and module is not None:
            self._tell("fixture", "tearDownModule (%s)" % module)
        tear_down(self.result)
        if self._watcher is not None and module is not None:
            self._tell("module_over")


def _is_test(entry):
    """Tell, as unittest does, whether *entry* is one test rather than a suite.

    A TestCase that cannot be iterated is one: iter() raising costs as much as all
    the rest.
    """
    kind = type(entry)
    return (issubclass(kind, _TestCase) and on_type(kind, "__iter__") is MISSING
            or _isnotsuite(entry))


def _is_plain(test):
    """Tell whether *test* is a suite that runs as unittest's own or ours does."""
    return (issubclass(type(test), unittest.TestSuite)
            and not overrides(test, "__call__")
            and (not overrides(test, "run")
                 or method(type(test), "run") is method(LeakFixTestSuite, "run")))


class LeakFixTestSuite(unittest.TestSuite):
    """``unittest.TestSuite`` that gives its tests away.

    Each test is taken out before it runs, and once it is finished and nobody else
    refers to it, the open resources that it owns are closed and it is let go. A
    plain suite inside is run in the same way; one with a ``run`` of its own runs
    as it is. A second run raises ``TypeError``, unless ``_cleanup`` is False: then
    the tests are kept, and nothing of theirs is closed.
    """

    def run(self, result, debug=False):
        """Run the tests into *result*, a ``TestResult``, and return it."""
        for run in reversed(_runs):
            if run.result is result:
                run.suite(self, debug)
                return result
        Run(result).all(self, debug)
        return result


class LeakFixTestLoader(unittest.TestLoader):
    """``unittest.TestLoader`` that makes `LeakFixTestSuite`."""

    suiteClass = LeakFixTestSuite
