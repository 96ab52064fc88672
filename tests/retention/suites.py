"""Suites of one's own, lists kept by somebody, and runs without a runner."""

from __future__ import absolute_import

import unittest

from tests.retention.harness import ALL, FREE, KEPT, LIGHT, Payload, Probe, case, left, since
from tests.retention.outcomes import PASSED

# Somebody else keeps the instances: the runner touches nothing.
HELD = dict(stock=KEPT, runner=KEPT, mixin=LIGHT, both=LIGHT)


def _test(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
    return Tests


def _fails(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.fail("broken")
    return Tests


@case(**HELD)
def load_tests_keeps(kit):
    Tests = _test(kit)

    def load_tests(loader, tests, pattern):
        kit.kept = list(tests)
        return tests
    return load_tests(None, kit.plan(Tests, flat=True), None)


@case(**HELD)
def suite_list_kept(kit):
    kit.kept = kit.tests(_test(kit))
    return unittest.TestSuite(
        kit.kept[:3] + [Probe("middle")] + kit.kept[3:] + [Probe("end")])


@case(**HELD)
def single_test_run(kit):
    kit.kept = kit.tests(_test(kit))
    kit.result = kit.Result()
    for test in kit.kept:
        test.run(kit.result)


@case(**HELD)
def run_without_result(kit):
    kit.kept = kit.tests(_test(kit))
    kit.results = [test.run() for test in kit.kept]


def _twice(kit, suite):
    kit.kept = suite
    kit.result = kit.Result()
    suite.run(kit.result)
    try:
        suite.run(kit.result)
    except TypeError:   # it gave its tests away
        pass


@case(stock=since(KEPT, py36=FREE), mixin=since(LIGHT, py36=FREE))
def suite_run_twice(kit):
    _twice(kit, kit.Suite(kit.tests(_test(kit))))


@case(stock=since(KEPT, py36=FREE), mixin=since(LIGHT, py36=FREE))
def suite_run_twice_nested(kit):
    _twice(kit, kit.Suite([kit.Suite(kit.tests(_test(kit)))]))


class Keeping(unittest.TestSuite):
    """Keeps its tests, as it should."""

    _cleanup = False


@case(**HELD)
def suite_cleanup_False(kit):
    suite = kit.kept = Keeping([kit.plan(_test(kit), flat=True)])
    suite._tests[0]._cleanup = False
    return suite


@case(**HELD)
def suite_cleanup_False_inner_only(kit):
    tests = kit.tests(_test(kit))
    return unittest.TestSuite([Keeping(
        tests[:3] + [Probe("middle")] + tests[3:] + [Probe("end")])])


@case(**PASSED)
def suite_cleanup_False_outer_only(kit):
    return Keeping([kit.plan(_test(kit), flat=True)])


@case(**HELD)
def suite_cleanup_False_twice(kit):
    suite = Keeping(kit.tests(_test(kit)))
    _twice(kit, suite)


@case(**HELD)
def suite_custom_run(kit):
    class Suite(kit.Suite):
        def run(self, result, debug=False):
            for test in self._tests:
                test(result)
            return result

    tests = kit.tests(_test(kit))
    return Suite(tests[:3] + [Probe("middle")] + tests[3:] + [Probe("end")])


# The iterator of a list holds the list.
@case(stock=KEPT, mixin=LIGHT)
def suite_custom_iter(kit):
    class Suite(kit.Suite):
        def __iter__(self):
            return iter(list(self._tests))

    tests = kit.tests(_test(kit))
    return Suite(tests[:3] + [Probe("middle")] + tests[3:] + [Probe("end")])


@case(**PASSED)
def suite_custom_iter_sorted(kit):
    class Suite(kit.Suite):
        def __iter__(self):
            return iter(sorted(self._tests, key=lambda suite: suite.rank))

    suites = kit.plan(_test(kit))._tests
    for rank in range(4):
        suites[rank].rank = rank
    return Suite(suites[::-1])


# Stock suites from 3.4 on stumble over their own indices: IndexError after the run of the
# first tests, TypeError with a tuple. Ours run to the end.
@case(**PASSED)
def suite_custom_iter_flatten(kit):
    class Suite(kit.Suite):
        def __iter__(self):
            for suite in self._tests:
                for test in suite if isinstance(suite, unittest.TestSuite) else [suite]:
                    yield test

    suite = kit.kept = Suite(kit.plan(_test(kit))._tests)
    _stumbling(kit, suite)


@case(stock=since(KEPT, py36=left(("test_1",), ALL)),
      mixin=LIGHT)
def suite_tests_tuple(kit):
    suite = kit.kept = kit.plan(_test(kit), flat=True)
    suite._tests = tuple(suite._tests)
    _stumbling(kit, suite)


def _stumbling(kit, suite):
    try:
        kit.run(suite)
    except (IndexError, TypeError):
        pass


@case(stock=since(KEPT, py36=FREE), mixin=since(KEPT, py36=FREE))
def debug_pass(kit):
    kit.kept = suite = kit.Suite([kit.plan(_test(kit))])
    suite.debug()


# The caught exception holds the frames (3.x): the person wants to look.
@case(stock=left(("test_1",), ALL), runner=since(left((), ALL[1:]), py36=left(("test_1",), ALL)),
      mixin=left(("test_1",), ALL))
def debug_fail(kit):
    kit.kept = suite = kit.Suite(kit.tests(_fails(kit)))
    _debugged(kit, suite)
    kit.look()


def _debugged(kit, test):
    try:
        test.debug()
    except AssertionError as error:
        kit.keep.append(error)


@case(stock=KEPT, runner=KEPT, mixin=KEPT)
def debug_single_fail_cleanups(kit):
    kit.kept = kit.tests(_fails(kit))
    for test in kit.kept:
        test.addCleanup(test.id)
        _debugged(kit, test)
