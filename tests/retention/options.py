"""The runner's options, unittest.main, and runs that end early."""

from __future__ import absolute_import

import types
import unittest

from tests.retention.harness import ALL, KEPT, LIGHT, Payload, Stream, case, left, since
from tests.retention.outcomes import FAILED, FAILED_LOCAL, PASSED


def _test(kit, fails=False):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            if fails:
                self.fail("broken")
    return Tests


def _never_run(last, payloads=()):
    """What never ran stays in the suite: the tests after *last*."""
    return left(payloads, ALL[ALL.index(last) + 1:])


# test_2 is the last that runs; what __init__ made stays with those that never ran.
@case(stock=since(KEPT, py36=left(ALL[1:], ALL[1:])), runner=left(ALL[2:], ALL[2:]),
      mixin=since(KEPT, py36=left(ALL[1:], ALL[1:])))
def failfast(kit):
    class Tests(kit.base):
        def __init__(self, name):
            unittest.TestCase.__init__(self, name)
            self.payload = Payload(name)

        def test(self):
            self.assertNotEqual(self._testMethodName, "test_2")
    kit.kept = suite = kit.plan(Tests, flat=True)
    kit.run(suite, failfast=True)


@case(stock=since(left(ALL[:2], ALL), py36=left(("test_2",), ALL[1:])),
      runner=_never_run("test_2"), mixin=since(LIGHT, py36=_never_run("test_1")))
def failfast_setUp_payload(kit):
    class Tests(kit.base):
        def setUp(self):
            self.payload = Payload(self)

        def test(self):
            self.assertNotEqual(self._testMethodName, "test_2")
    kit.kept = suite = kit.plan(Tests, flat=True)
    kit.run(suite, failfast=True)


@case(**PASSED)
def buffer_pass(kit):
    kit.run(kit.plan(_test(kit)), buffer=True)


@case(**FAILED)
def buffer_fail(kit):
    kit.run(kit.plan(_test(kit, fails=True)), buffer=True)


@case(needs=(3, 6), **FAILED_LOCAL)
def tb_locals_fail(kit):
    class Tests(kit.base):
        def test(self):
            payload = self.payload = Payload(self)
            self.assertIsNone(payload)
    kit.run(kit.plan(Tests), tb_locals=True)


@case(needs=(3, 12))
def durations_pass(kit):
    kit.run(kit.plan(_test(kit)), durations=0)


@case(needs=(3, 12), **FAILED)
def durations_fail(kit):
    kit.run(kit.plan(_test(kit, fails=True)), durations=0)


@case(**PASSED)
def verbosity2_pass(kit):
    kit.run(kit.plan(_test(kit)), verbosity=2)


def _main(kit, Tests, **options):
    class Loader(unittest.TestLoader):
        def loadTestsFromModule(self, *args, **kwds):
            return kit.plan(Tests)
    runner = kit.Runner(stream=Stream(), verbosity=0)
    return kit.main(testRunner=runner, testLoader=Loader(), argv=["retention"],
                    module=types.ModuleType("retention_main"), **options)


@case(**PASSED)
def unittest_main_pass(kit):
    kit.keep.append(_main(kit, _test(kit), exit=False))


@case(**FAILED)
def unittest_main_fail(kit):
    kit.keep.append(_main(kit, _test(kit, fails=True), exit=False))


@case(**FAILED)
def main_module_exit_sys_exit(kit):
    try:
        _main(kit, _test(kit, fails=True))
    except SystemExit as error:
        kit.keep.append(error)
        kit.look()


def _interrupted(kit, suite, error, **options):
    try:
        kit.run(suite, **options)
    except error:
        pass


# The test that was under way goes with the frames of the exception; none after it ran.
@case(stock=since(left(ALL[:2], ALL), py36=left(("test_2",), ALL[1:])),
      runner=_never_run("test_2"), mixin=since(LIGHT, py36=_never_run("test_1")))
def cleanup_keyboardinterrupt(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            if self._testMethodName == "test_2":
                self.addCleanup(self.interrupt)

        def interrupt(self):
            raise KeyboardInterrupt

    kit.kept = suite = kit.plan(Tests, flat=True)
    _interrupted(kit, suite, KeyboardInterrupt)


@case(stock=left(("test_1",), ALL), runner=_never_run("test_1"), mixin=LIGHT)
def raise_in_result_callback(kit):
    class Result(kit.TextResult):
        def addSuccess(self, test):
            raise ZeroDivisionError("a broken reporter")

    kit.kept = suite = kit.plan(_test(kit), flat=True)
    _interrupted(kit, suite, ZeroDivisionError, resultclass=Result)
