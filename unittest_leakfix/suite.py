"""Suites that give their tests away, and the run that lets each one go."""

from __future__ import absolute_import

import sys
import unittest
import unittest.suite

from unittest_leakfix._core.declarations import most_connections
from unittest_leakfix._core.early import bind, if_loaded, late, load_late
from unittest_leakfix._core.gc_control import SOME, get_count, heap
from unittest_leakfix._core.introspection import (
    MISSING,
    PASSING,
    function_of,
    names_in,
    on_type,
    qualified,
)
from unittest_leakfix._core.swap import originals
from unittest_leakfix.instance_release import Tally, release
from unittest_leakfix.result import give_back, take_over

__unittest = True
bind(globals())

_optional = late(globals(), "_optional")
# What they import is read for `instance_release`.
errors = late(globals(), "_core.errors")
late_kinds = late(globals(), "resources.late_kinds")

# Suites give their tests away: each is taken out before it runs.

_END = object()
_HOLDING = frozenset([type(iter([])), type(iter(())), type(reversed([]))])
EMPTIED = (
    "'NoneType' object is not callable: this suite gave its tests away when it ran, "
    "and each was let go once it was finished. Load the tests again to run them "
    "again, or keep them: set _cleanup = False on the suite before its first run")


def drain_suite(suite, slot, result, lends=False):
    """Put the tests of *suite* into *slot*, a list of one, one after the other.

    Each is taken out of the suite first, so that nothing but *slot* refers to it:
    no local, no iterator. Yields whether the suite keeps it all the same. A place that
    is empty, since its test was given away, gives None. What is still in *slot* when the
    next one is taken was not run: that goes back to its place. *lends*: it keeps them all.
    """
    tests = getattr(suite, "_tests", None)
    if type(tests) is tuple:
        tests = suite._tests = list(tests)
    if type(tests) is not list or overrides(suite, "__iter__"):
        return _drain_iterator(suite, slot, result)
    if (lends or not getattr(suite, "_cleanup", True)
            or overrides(suite, "_removeTestAtIndex")):
        return _lend(suite, tests, slot, result)
    return _drain_list(suite, tests, slot, result)


def _drain_list(suite, tests, slot, result):
    remove = getattr(suite, "_removeTestAtIndex", None)
    place = 0
    while place < len(tests) and not result.shouldStop:
        slot[0] = tests[place]
        if slot[0] is None:
            yield False
        elif remove is not None:
            remove(place)
            yield False
            if slot[0] is not None:
                # A setUpClass failed. unittest leaves those tests where they are.
                tests[place] = slot[0]
                if hasattr(slot[0], "countTestCases"):
                    suite._removed_tests -= slot[0].countTestCases()
        else:
            tests[place] = _Removed(slot[0])
            yield False
            if slot[0] is not None:
                tests[place] = slot[0]
        place += 1


def _lend(suite, tests, slot, result):
    """The suite is to keep its tests, or decides itself (doctest's does)."""
    place = 0
    while place < len(tests) and not result.shouldStop:
        slot[0] = tests[place]
        yield True
        if getattr(suite, "_cleanup", True) and hasattr(suite, "_removeTestAtIndex"):
            suite._removeTestAtIndex(place)     # not on 2.7
        place += 1


def _drain_iterator(suite, slot, result):
    """A suite with an order of its own: what it yields is looked up in the lists."""
    iterator = iter(suite)
    if any(type(iterator) is each for each in _HOLDING):
        # It would hold the whole list that it goes over.
        iterator = _pop_each(list(iterator))
    keeps = not getattr(suite, "_cleanup", True)
    places = {}
    _find_places(suite, places)
    while not result.shouldStop:
        slot[0] = next(iterator, _END)
        if slot[0] is _END:
            break
        owner, place = places.pop(id(slot[0]), (None, 0))
        if (owner is not None and place < len(owner._tests)
                and owner._tests[place] is slot[0]):
            _take_out(owner, place)
        yield keeps


def _find_places(suite, places):
    """Note in *places* {id: (suite, place)} where each test is: a suite that
    flattens those inside yields theirs."""
    tests = getattr(suite, "_tests", None)
    if type(tests) is list and getattr(suite, "_cleanup", True):
        for place, each in enumerate(tests):
            places[id(each)] = suite, place
            if issubclass(type(each), unittest.TestSuite):
                _find_places(each, places)


def met_again(suite):
    """Return the ids of the suites that are in *suite* more than once, and {id: how often} of the
    tests that stand in it once more after they ran.

    2.7 does not empty its suites: what is there twice runs twice. Elsewhere such a suite is empty
    the second time, so what stands in it counts once.
    """
    suites, twice, tests, again = set(), set(), set(), {}
    todo = [suite]
    while todo:
        each = todo.pop()
        key = id(each)
        if not issubclass(type(each), unittest.TestSuite):
            if key in tests:
                again[key] = again.get(key, 0) + 1
            tests.add(key)
        elif key not in twice:
            listed = getattr(each, "_tests", None)
            if type(listed) is list or type(listed) is tuple:
                # What is inside one that is there twice is met twice, too.
                todo.extend(one for one in listed if key not in suites
                            or issubclass(type(one), unittest.TestSuite))
            (twice if key in suites else suites).add(key)
    return twice, again


def _take_out(suite, place):
    if hasattr(suite, "_removeTestAtIndex"):
        suite._removeTestAtIndex(place)
    else:
        suite._tests[place] = _Removed(suite._tests[place])


def _pop_each(tests):
    tests.reverse()
    while tests:
        yield tests.pop()


class _Removed(object):
    """2.7's suites do not count what was taken out: this stands there instead."""

    def __init__(self, test):
        try:
            self._count = test.countTestCases()
        except Exception:   # what is not a test at all, or a suite with such content
            self._count = 0

    def countTestCases(self):
        return self._count

    def __call__(self, *args, **kwds):
        raise TypeError(EMPTIED)


def overrides(suite, name):
    """Tell whether the class of *suite* has another *name* than unittest's suite."""
    return function_of(type(suite), name) is not function_of(unittest.TestSuite, name)


# Bound here once: they are called for each test.
_isnotsuite = unittest.suite._isnotsuite
_TestCase = unittest.TestCase


_runs = []    # the runs that are under way in this process, the innermost last


class Run(object):
    """One run of a tree of suites into one result.

    :param result: the ``TestResult``.
    :param sweep: called with each finished test before it is let go; swaps it for
        a stand-in in a result that does not do so by itself.
    :param watcher: an `observer.RunObserver`, or None.
    """

    def __init__(self, result, sweep=None, watcher=None):
        self.result = result
        self.tally = Tally()
        self._sweep = sweep
        self._looks = False     # at the lists of the result, in its place
        self._watcher = watcher
        self._current = None    # the class whose fixtures were set up last
        self._is_case = False   # whether its tests are a TestCase, and let go of
        self._failed = False    # whether they, or the module's, failed
        self._mixed = None      # the class that the suite must restore
        self._twice = ()        # ids of suites that will be met again
        self._again = {}        # {id: how often} of tests that run once more after this time
        self._counting = None   # the watcher that keeps the connection budgets of classes
        self._releases = True   # until that fails

    def all(self, test, debug=False):
        """Run *test*, a suite or a test, as the outermost one. Returns nothing."""
        _runs.append(self)
        self._looks = take_over(self.result)
        originals.note(self._watcher is not None)
        if self._watcher is None:
            _prepare()
        else:
            load_late()
            late_kinds.load_all()
        heap.enter()
        try:
            if self._watcher is not None:
                self._notify("run_started", self.result)
            if _is_plain(test):
                if sys.version_info < (3,):
                    self._twice = met_again(test)[0]
                if self._watcher is not None:
                    self._again = met_again(test)[1]
                self.suite(test, debug)
            else:
                test(self.result)
        finally:
            _runs.remove(self)
            if self._looks:
                give_back(self.result)
            heap.leave()
            originals.forget()
            if self._counting is not None:
                self._counting.stop()
        if heap.interrupted:
            heap.interrupt()

    def _notify(self, what, *arguments):
        """Tell the watcher, if there is one, *what* happens. What it raises ends its watch, not the
        run."""
        if self._watcher is not None:
            try:
                getattr(self._watcher, what)(*arguments)
            except PASSING:
                raise
            except BaseException:
                self._end_watch()

    def _end_watch(self):
        self._watcher = None
        self.tally.off.append("watching, by %s" % errors.fault_text())

    def _tell(self, slot, starts):
        """Tell the watcher that the test in *slot* starts, or is finished, as `_notify` does, and
        make no object of it: those that are new belong to the test."""
        try:
            if starts:
                self._watcher.test_started(slot[0])
            else:
                self._watcher.test_finished(slot[0])
        except PASSING:
            raise
        except BaseException:
            self._end_watch()

    def suite(self, suite, debug=False):
        """Run the tests of *suite* as ``unittest.TestSuite.run`` does."""
        result = self.result
        outermost = getattr(result, "_testRunEntered", False) is False
        if outermost:
            result._testRunEntered = True
        slot = [None]
        for keeps in drain_suite(suite, slot, result, id(suite) in self._twice):
            # Within a class the fixture handlers have nothing to do.
            if type(slot[0]) is self._current is result._previousTestClass:
                if self._failed:
                    continue
                self._test(slot, keeps, debug)
            elif slot[0] is None:
                self._emptied(suite)
            elif _is_test(slot[0]):
                self._change_class(suite, slot[0])
                if self._failed:
                    continue
                self._test(slot, keeps, debug)
            elif _is_plain(slot[0]):
                self.suite(slot[0], debug)
            elif debug:
                slot[0].debug()
            else:
                slot[0](result)
            slot[0] = None
        if outermost:
            self._tear_down_class(suite, None)
            self._end_module(suite._handleModuleTearDown)
            result._testRunEntered = False

    def _test(self, slot, keeps, debug):
        """Run the test in *slot*, and let go of it."""
        if self._watcher is not None:
            self._tell(slot, True)
        if debug:
            slot[0].debug()
        else:
            slot[0](self.result)
            if self._looks:
                # Spelled out: any() and sum() cost as much as the rest of it.
                one, two, three, four, five = self.result._leakfix_lists
                number = len(one) + len(two) + len(three) + len(four) + len(five)
                if number != self.result._leakfix_swapped:
                    self.result._leakfix_swap_new(slot[0], number)
            elif self._sweep is not None:
                self._sweep(slot[0])
            if self._watcher is not None:
                self._tell(slot, False)
                if self._again and self._again.get(id(slot[0]), 0) > 0:
                    # Its other place in the suite holds it and what it has: that is not a leak.
                    self._again[id(slot[0])] -= 1
                    keeps = True
                    self._notify("test_runs_again")
            # While the test is alive: its end takes from the same count.
            young, middle, _ = get_count()
            clean = False
            if self._is_case and self._releases and not keeps:
                try:
                    clean = release(slot, self.tally)
                except PASSING:
                    raise
                except BaseException:   # an end of letting go, not of the run
                    self._releases = False
                    self.tally.off.append("closing and letting go, by %s" % errors.fault_text())
            slot[0] = None
            if young >= SOME or middle or heap.thawed_by_test:
                if clean and not middle and not heap.thawed_by_test:
                    heap.collected()
                else:
                    heap.collect()
        if self._watcher is not None:
            self._notify("test_released")
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
        _prepare()
        self._tear_down_class(suite, test)
        self._change_module(suite, test)
        if sys.version_info < (3, 8) and hasattr(type(test), "_leakfix_remember"):
            # ClassLeakFixMixin has no class cleanups to hang on there.
            self._mixed = type(test)
            self._mixed._leakfix_remember()
        if most_connections(type(test)) is not None:
            self._count_connections()
        self._notify("class_started", type(test))
        suite._handleClassSetUp(test, self.result)
        self.result._previousTestClass = test.__class__
        # A class may lie about itself: its tests are distinguished the slow way.
        self._current = type(test) if type(test) is test.__class__ else None
        self._is_case = issubclass(type(test), _TestCase)
        self._failed = (getattr(test.__class__, "_classSetupFailed", False)
                        or getattr(self.result, "_moduleSetUpFailed", False))

    def _count_connections(self):
        """Count them from the first class on that limits them (3.8)."""
        if not hasattr(self._watcher, "counts_connections"):
            try:
                counting = _optional.connection_counting_by_class(self._watcher)
                counting.start()
            except Exception:
                self.tally.off.append("counting connections, by %s" % errors.fault_text())
            else:
                self._watcher = self._counting = counting

    def _tear_down_class(self, suite, test):
        """End the class before *test*; None: the last one."""
        previous = getattr(self.result, "_previousTestClass", None)
        over = previous is not None and previous is not getattr(test, "__class__", None)
        if over and self._watcher is not None:
            self._notify("before_fixture", "tearDownClass (%s)" % qualified(previous))
        suite._tearDownPreviousClass(test, self.result)
        if self._mixed is not None:
            mixed, self._mixed = self._mixed, None
            mixed._leakfix_restore()
        if previous is not None and names_in(previous).get("tearDown_exceptions"):
            # Reported by now; their frames hold the class's things (3.8).
            previous.tearDown_exceptions = []
            heap.collect_new()
        if over:
            self._notify("class_finished", previous)

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
                self._notify("module_started", module)
        suite._handleModuleTearDown = between
        try:
            suite._handleModuleFixture(test, self.result)
        finally:
            del suite._handleModuleTearDown

    def _end_module(self, tear_down):
        module = getattr(getattr(self.result, "_previousTestClass", None), "__module__", None)
        if self._watcher is not None and module is not None:
            self._notify("before_fixture", "tearDownModule (%s)" % module)
        tear_down(self.result)
        if self._watcher is not None and module is not None:
            self._notify("module_finished")


def _prepare():
    """Load the kinds of resources that there can be by now, if any kinds are needed so far."""
    if if_loaded(late_kinds) is not None:
        late_kinds.prepare()


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
                 or function_of(type(test), "run") is function_of(LeakFixTestSuite, "run")))


class LeakFixTestSuite(unittest.TestSuite):
    """``unittest.TestSuite`` that gives its tests away.

    Each test is taken out before it runs, and once it is finished and nothing else
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
