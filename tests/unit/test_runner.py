"""LeakFixTestRunner with any suite, any result, and whatever happens meanwhile."""

from __future__ import absolute_import

import gc
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest
import weakref

import unittest_leakfix
from unittest_leakfix import (
    FinishedTest,
    LeakFixResultMixin,
    LeakFixTestLoader,
    LeakFixTestResult,
    LeakFixTestRunner,
    LeakFixTestSuite,
    LeakFixTextTestResult,
)
from unittest_leakfix import suite as suites

try:
    from StringIO import StringIO  # 2.7: unittest writes bytes and text
except ImportError:
    from io import StringIO

PY2 = sys.version_info < (3,)
SUBTESTS = sys.version_info >= (3, 4)


def run(test, **kwds):
    """Run with our runner. Returns (result, the text it printed, the runner)."""
    kind = kwds.pop("runner", LeakFixTestRunner)
    runner = kind(stream=StringIO(), **kwds)
    result = runner.run(test)
    return result, _normal(runner.stream.getvalue()), runner


def _normal(text):
    return re.sub(r"(Ran \d+ tests?) in .*", r"\1", text)


def journal():
    """A TestCase class whose tests write into ``order``, and the survivors into ``alive``."""

    class Test(unittest.TestCase):
        order, born, alive = [], {}, []

        def setUp(self):
            self.alive.extend(sorted(
                "%s in %s" % (name, self._testMethodName) for name, reference in self.born.items()
                if reference() is not None))
            self.order.append(self._testMethodName)
            self.born[self._testMethodName] = weakref.ref(self)
            self.payload = [self._testMethodName]

        def test_a(self):
            pass

        def test_b(self):
            self.fail("b")

        def test_c(self):
            self.skipTest("c")

        def test_d(self):
            raise ValueError("d")

        def test_e(self):
            pass
    Test.__name__ = "Journal"
    return Test


NAMES = ["test_a", "test_b", "test_c", "test_d", "test_e"]


class Base(unittest.TestCase):
    """After every test the process is as it was."""

    maxDiff = None

    def setUp(self):
        before = self.state()
        self.addCleanup(lambda: self.assertEqual(self.state(), before))

    def state(self):
        # Equal, not zero: these tests may themselves run under us.
        # 3.12 itself counts some hundred immortal objects as frozen.
        return (getattr(gc, "get_freeze_count", int)() > 2000, gc.get_objects, gc.get_referrers,
                list(getattr(gc, "callbacks", ())), list(suites._runs), gc.isenabled())

    def assert_let_go(self, test, order=NAMES):
        self.assertEqual(test.order, order)
        self.assertEqual(test.alive, [])
        self.assertEqual([name for name in test.born if test.born[name]() is not None], [])


class AnySuite(Base):

    def check(self, make, order=NAMES):
        test = journal()
        suite = make(test)
        count = suite.countTestCases()
        self.assertEqual(count, len(order))
        result, text, _ = run(suite)
        self.assertEqual(result.testsRun, len(order))
        self.assert_let_go(test, order)
        return suite, result

    def test_plain(self):
        suite, result = self.check(lambda test: unittest.TestSuite(map(test, NAMES)))
        self.assertEqual([type(each[0]) for each in result.failures + result.errors
                          + result.skipped], [FinishedTest] * 3)
        self.assertEqual(suite.countTestCases(), 5)

    def test_ours(self):
        suite, _ = self.check(lambda test: LeakFixTestSuite(map(test, NAMES)))
        self.assertEqual(suite.countTestCases(), 5)

    def test_from_loaders(self):
        class Loader(unittest.TestLoader):
            pass
        for loader in (Loader(), LeakFixTestLoader(), unittest.TestLoader()):
            self.check(loader.loadTestsFromTestCase)

    def test_nested(self):
        self.check(lambda test: unittest.TestSuite([
            unittest.TestSuite([test("test_a"), unittest.TestSuite([test("test_b")])]),
            LeakFixTestSuite([test("test_c")]), unittest.TestSuite(), test("test_d"),
            unittest.TestSuite([test("test_e")])]))

    def test_nested_with_a_run_of_its_own(self):
        class Theirs(unittest.TestSuite):
            def run(self, result, debug=False):
                tests, self._tests = self._tests, []
                tests.reverse()
                while tests:
                    tests.pop()(result)
                return result
        for kind in (None, unittest.TextTestResult):
            test = journal()
            result, _, _ = run(unittest.TestSuite([
                Theirs([test("test_a"),
                        test("test_b")]), test("test_c"), Theirs([test("test_d")])]),
                resultclass=kind)
            self.assertEqual((result.testsRun, test.order), (4, NAMES[:4]))
            # Its own variables may hold them while it runs, the result does not.
            self.assertEqual([type(each[0]) for each in result.failures + result.skipped
                              + result.errors], [FinishedTest] * 3)

    def test_run_of_its_own_that_calls_the_plain_one(self):
        class Theirs(unittest.TestSuite):
            ran = 0

            def run(self, result, debug=False):
                self.ran += 1
                return super(Theirs, self).run(result, debug)
        inner = []

        def make(test):
            inner.append(Theirs(map(test, NAMES)))
            return unittest.TestSuite([inner[0]])
        test = journal()
        result, _, _ = run(make(test))
        self.assertEqual((inner[0].ran, result.testsRun, test.order), (1, 5, NAMES))

    def test_iterators_of_their_own(self):
        class Sorted(unittest.TestSuite):
            def __iter__(self):
                return iter(sorted(self._tests, key=lambda test: test.id(), reverse=True))

        class Flat(unittest.TestSuite):
            def __iter__(self):
                return iter([each for suite in self._tests for each in suite])

        class Generator(unittest.TestSuite):
            def __iter__(self):
                for test in list(self._tests)[::-1]:
                    yield test
                    del test
        self.check(lambda test: Sorted(map(test, NAMES)), NAMES[::-1])
        self.check(lambda test: Flat([unittest.TestSuite(map(test, NAMES))]))
        test = journal()
        result, _, _ = run(Generator(map(test, NAMES)))
        self.assertEqual((test.order, result.testsRun), (NAMES[::-1], 5))

    def test_iterator_that_changes_the_suite(self):
        class Consuming(unittest.TestSuite):
            def __iter__(self):
                while self._tests:
                    yield self._tests.pop(0)
        test = journal()
        result, _, _ = run(Consuming(map(test, NAMES)))
        self.assert_let_go(test)

    def test_tuple_of_tests(self):
        class Fixed(unittest.TestSuite):
            def __init__(self, tests):
                super(Fixed, self).__init__()
                self._tests = tuple(tests)
        test = journal()
        suite = Fixed(map(test, NAMES))
        result, _, _ = run(suite)
        self.assertEqual((test.order, result.testsRun), (NAMES, 5))

    def test_one_test_alone(self):
        test = journal()
        result, text, _ = run(test("test_b"))
        self.assertEqual((test.order, len(result.failures)), (["test_b"], 1))

    def test_function_and_doctest(self):
        import doctest
        import types
        module = types.ModuleType("some_examples")
        module.__doc__ = ">>> 1 + 1\n2\n>>> 1 + 1\n3\n"
        called = []
        suite = unittest.TestSuite([unittest.FunctionTestCase(lambda: called.append(1)),
                                    doctest.DocTestSuite(module)])
        result, _, _ = run(suite)
        self.assertEqual((called, result.testsRun, len(result.failures)), ([1], 2, 1))
        self.assertIn("some_examples", result.failures[0][0].id())

    def test_keeps_its_tests_if_it_should(self):
        test = journal()
        suite = unittest.TestSuite(map(test, NAMES[:2]))
        suite._cleanup = False
        for _ in range(2):
            result, text, _ = run(suite)
            self.assertEqual((result.testsRun, len(result.failures)), (2, 1))
        self.assertEqual(test.order, NAMES[:2] * 2)
        self.assertEqual([type(each) for each in suite._tests], [test, test])

    def test_second_run(self):
        message = ("'NoneType' object is not callable: this suite gave its tests away when it ran, "
                   "and each was let go once it was finished. Load the tests again to run them "
                   "again, or keep them: set _cleanup = False on the suite before its first run")
        for kind in (unittest.TestSuite, LeakFixTestSuite):
            suite = kind([journal()("test_a")])
            run(suite)
            with self.assertRaises(TypeError) as raised:
                run(suite)
            self.assertEqual(str(raised.exception), message)

        class Backwards(unittest.TestSuite):
            def __iter__(self):
                return iter(self._tests[::-1])
        suite = Backwards([journal()("test_a")])
        run(suite)
        with self.assertRaises(TypeError) as raised:
            run(suite)
        self.assertEqual(str(raised.exception), message)
        empty = unittest.TestSuite()
        self.assertEqual([run(empty)[0].testsRun for _ in range(2)], [0, 0])

    def test_count_before_during_after(self):
        counts = []

        class Counts(unittest.TestCase):
            def test_one(self):
                counts.append(suite.countTestCases())

            test_two = test_one
        suite = unittest.TestSuite([Counts("test_one"), unittest.TestSuite([Counts("test_two")])])
        counts.append(suite.countTestCases())
        run(suite)
        counts.append(suite.countTestCases())
        self.assertEqual(counts, [2] * 4)

    def test_load_tests(self):
        import types
        test = journal()
        module = types.ModuleType("some_tests")
        module.load_tests = lambda loader, tests, pattern: unittest.TestSuite([
            test("test_b"), unittest.TestSuite([test("test_a")])])
        result, _, _ = run(unittest.TestLoader().loadTestsFromModule(module))
        self.assert_let_go(test, ["test_b", "test_a"])

    def test_stops_when_it_should(self):
        log = []

        class Stops(unittest.TestCase):
            @classmethod
            def tearDownClass(cls):
                log.append("tearDownClass")

            def test_one(self):
                log.append("test_one")
                results[0].stop()

            def test_two(self):
                log.append("test_two")

        class Result(LeakFixTextTestResult):
            def startTestRun(self):
                results.append(self)
        results = []
        run(unittest.TestSuite([
            unittest.TestSuite([Stops("test_one"), Stops("test_two")]), Stops("test_two")]),
            resultclass=Result)
        self.assertEqual(log, ["test_one", "tearDownClass"])

    def test_failfast(self):
        test = journal()
        result, _, _ = run(unittest.TestSuite(map(test, NAMES)), failfast=True)
        self.assertEqual(test.order, NAMES[:2])

    def test_suite_that_heeds_should_stop_itself(self):
        test = journal()

        class Patient(unittest.TestSuite):
            def run(self, result, debug=False):
                for each in self._tests:
                    if result.shouldStop:
                        break
                    each(result)
                return result
        run(unittest.TestSuite([Patient(map(test, NAMES)), test("test_e")]), failfast=True)
        self.assertEqual(test.order, NAMES[:2])

    def test_debug(self):
        test = journal()
        LeakFixTestSuite([test("test_a"), unittest.TestSuite([test("test_e")])]).debug()
        self.assertEqual(test.order, ["test_a", "test_e"])
        with self.assertRaisesRegexp(AssertionError, "^b$"):
            LeakFixTestSuite(map(test, NAMES)).debug()
        self.assertEqual(test.order, ["test_a", "test_e", "test_a", "test_b"])

    if not PY2:
        assertRaisesRegexp = unittest.TestCase.assertRaisesRegex


class AnyResult(Base):

    def finished(self, result):
        return [type(each) for each in [each[0] for each in result.failures + result.errors
                                        + result.skipped]]

    def test_result_classes(self):
        class Handlers(unittest.TextTestResult):
            def addFailure(self, test, err):
                super(Handlers, self).addFailure(test, err)
                seen.append(test.payload)
        seen = []
        for kind in (unittest.TextTestResult, LeakFixTextTestResult, Handlers,
                     type("Mixed", (LeakFixResultMixin, Handlers), {}),
                     lambda *args, **kwds: unittest.TestResult(),
                     lambda *args, **kwds: LeakFixTestResult()):
            test = journal()
            result, _, _ = run(unittest.TestSuite(map(test, NAMES)), resultclass=kind)
            self.assertEqual(self.finished(result), [FinishedTest] * 3)
            self.assert_let_go(test)
        self.assertEqual(seen, [["test_b"]] * 2)

    def test_lists_and_dicts_of_the_result(self):
        class Keeps(unittest.TextTestResult):
            def __init__(self, *args, **kwds):
                super(Keeps, self).__init__(*args, **kwds)
                self.all, self.reasons, self.rows = [], {}, []

            def stopTest(self, test):
                super(Keeps, self).stopTest(test)
                self.all.append(test)
                self.reasons.setdefault("any", []).append(test)
                self.rows.append((1, [test], "text"))
        test = journal()
        result, _, _ = run(unittest.TestSuite(map(test, NAMES)), resultclass=Keeps)
        self.assertEqual([each._testMethodName for each in result.all], NAMES)
        self.assertEqual([each._testMethodName for each in result.reasons["any"]], NAMES)
        self.assertEqual(result.all[0], test("test_a"))
        self.assertEqual(test.order, NAMES)

    @unittest.skipUnless(SUBTESTS, "subtests came with Python 3.4")
    def test_subtests(self):
        class Subs(unittest.TestCase):
            def test(self):
                reference.append(weakref.ref(self))
                for number in range(3):
                    with self.subTest(number=number):
                        self.assertEqual(number, 1)
        for kind in (unittest.TextTestResult, LeakFixTextTestResult):
            reference = []
            result, _, _ = run(unittest.TestSuite([Subs("test")]), resultclass=kind)
            self.assertEqual([each[0]._subDescription() for each in result.failures],
                             ["(number=0)", "(number=2)"])
            self.assertIsNone(reference[0]())


class AnyRunner(Base):

    def test_main(self):
        class Quiet(LeakFixTestRunner):
            def __init__(self, **kwds):
                super(Quiet, self).__init__(stream=StringIO(), **kwds)
        program = unittest.main(module="tests.unit.test_runner", argv=["x", "Sample"], exit=False,
                                testRunner=Quiet)
        self.assertEqual((program.result.testsRun, len(program.result.failures)), (2, 1))
        self.assertEqual(type(program.result.failures[0][0]), FinishedTest)

    def test_runner_of_ones_own(self):
        log = []

        class Result(unittest.TextTestResult):
            pass

        class Runner(LeakFixTestRunner):
            def _makeResult(self):
                log.append("_makeResult")
                return Result(self.stream, self.descriptions, self.verbosity)

            def run(self, test):
                log.append("before")
                result = super(Runner, self).run(test)
                log.append("after")
                return result
        test = journal()
        result, _, runner = run(unittest.TestSuite(map(test, NAMES)), runner=Runner)
        self.assertEqual(log, ["before", "_makeResult", "after"])
        self.assertEqual(type(result), Result)
        self.assert_let_go(test)
        self.assertEqual((runner.tally.released, runner.tally.kept), (5, 0))

    def test_on_top_of_a_foreign_runner(self):
        class Calls(unittest.TextTestRunner):
            def run(self, test):
                log.append(test.countTestCases())
                result = self._makeResult()
                test.run(result)
                return result

        class Looks(unittest.TextTestRunner):
            def run(self, test):
                log.extend(each._testMethodName for each in test)
                return super(Looks, self).run(test)
        for foreign, expected in ((Calls, [5]), (Looks, NAMES)):
            log = []
            test = journal()
            runner = type("Mixed", (LeakFixTestRunner, foreign), {})
            result, _, runner = run(unittest.TestSuite(map(test, NAMES)), runner=runner)
            self.assertEqual(log, expected)
            self.assert_let_go(test)
            self.assertEqual((runner.tally.released, runner.tally.kept), (5, 0))

    def test_suite_and_result_in_a_foreign_runner(self):
        class Runner(unittest.TextTestRunner):
            resultclass = LeakFixTextTestResult
        test = journal()
        result, _, _ = run(LeakFixTestLoader().loadTestsFromTestCase(test), runner=Runner)
        self.assert_let_go(test)

    def test_same_output_as_unittests(self):
        for verbosity in (0, 1):
            texts = [run(unittest.TestSuite(map(journal(), NAMES)), runner=runner,
                         verbosity=verbosity)[1]
                     for runner in (unittest.TextTestRunner, LeakFixTestRunner)]
            self.assertEqual(texts[1], texts[0])


class Sample(unittest.TestCase):
    """Run by other tests; its failure is wanted."""

    def test_passes(self):
        pass

    def test_fails(self):
        if suites._runs:
            self.fail("as wanted")


class ClosingLine(Base):
    """Golden texts."""

    def text(self, *bodies, **kwds):
        class Line(unittest.TestCase):
            """Tests made of functions."""
        for number, body in enumerate(bodies):
            setattr(Line, "test_%d" % number, body)
        return run(unittest.TestLoader().loadTestsFromTestCase(Line), **kwds)[1]

    def quiet(self, test):
        """Nothing to close."""

    def file(self, test):
        test.file = open(os.devnull)

    def two_files(self, test):
        test.files = [open(os.devnull), open(os.devnull)]

    def connection(self, test):
        test.db = sqlite3.connect(":memory:")

    def process(self, test):
        test.child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    def kept(self, test):
        _held.append(test)

    def tearDown(self):
        del _held[:]

    def lines(self, *names, **kwds):
        return self.text(*[
            (lambda action: lambda test: action(test))(getattr(self, name)) for name in names],
            **kwds)

    DOTS = "%s\n%s\nRan %d test%s\n\nOK\n"

    def dots(self, count):
        return self.DOTS % ("." * count, "-" * 70, count, "" if count == 1 else "s")

    def test_nothing(self):
        self.assertEqual(self.lines("quiet", "quiet"), self.dots(2))

    def test_kept_alone_is_not_reported(self):
        self.assertEqual(self.lines("kept"), self.dots(1))

    def test_verbose(self):
        hint = ' (leaks="report" names the holder)' if sys.version_info >= (3, 8) else ""
        for names, line in (
                (["quiet"], "let go of 1 finished test"),
                (["quiet", "quiet"], "let go of 2 finished tests"),
                (["quiet", "kept"], "let go of 1 finished test, 1 test still held by other code"
                 + hint),
                (["kept", "kept"], "let go of 0 finished tests, 2 tests still held by other "
                                   "code" + hint)):
            text = self.lines(*names, verbosity=2)
            self.assertEqual(text[text.index("\nOK\n"):], "\nOK\nunittest_leakfix: %s\n" % line)

    def test_one_kind(self):
        self.assertEqual(self.lines("file"), self.dots(1) + (
            "unittest_leakfix: let go of 1 finished test, closed 1 resource left open (1 file)\n"))
        self.assertEqual(self.lines("two_files", "quiet", "file"), self.dots(3) + (
            "unittest_leakfix: let go of 3 finished tests, closed 3 resources left open "
            "(3 files)\n"))

    def test_several_kinds(self):
        self.assertEqual(
            self.lines("process", "connection", "process", "file", "connection"), self.dots(5) + (
                "unittest_leakfix: let go of 5 finished tests, closed 5 resources left open "
                "(2 child processes, 1 file, 2 sqlite3 connections)\n"))

    def test_with_a_failure(self):
        def fails(test):
            test.file = open(os.devnull)
            test.fail("all the same")
        text = self.text(fails)
        self.assertTrue(text.endswith(
            "\nFAILED (failures=1)\nunittest_leakfix: let go of 1 finished test, closed 1 resource "
            "left open (1 file)\n"), text)

    def test_kinds_of_the_user(self):
        class Box(object):
            closed = False

            def close(self):
                self.closed = True
        for name, plural in (("box", "boxes"), ("proxy", "proxies"), ("tray", "trays"),
                             ("switch", "switches")):
            unittest_leakfix.register_resource(Box, name=name)

            def test(test):
                test.boxes = [Box(), Box()]
            text = self.text(test)
            self.assertTrue(text.endswith("(2 %s)\n" % plural), text)


_held = []


class Interrupted(Base):
    """KeyboardInterrupt passes, wherever it comes from, and leaves the process sane."""

    def interrupt(self, kind, resultclass=None):
        with self.assertRaises(KeyboardInterrupt):
            run(unittest.TestSuite([journal()("test_b"), kind("test"), journal()("test_a")]),
                resultclass=resultclass)

    def kinds(self):
        class Connection(sqlite3.Connection):
            def close(self):
                raise KeyboardInterrupt

        def raises(*args):
            raise KeyboardInterrupt

        class InTest(unittest.TestCase):
            test = raises

        class InSetUp(unittest.TestCase):
            setUp = raises

            def test(self):
                pass

        class InTearDown(InSetUp):
            setUp = unittest.TestCase.setUp
            tearDown = raises

        class InCleanup(InSetUp):
            def setUp(self):
                self.addCleanup(raises)

        class InSetUpClass(InSetUp):
            setUp = unittest.TestCase.setUp
            setUpClass = classmethod(raises)

        class InClose(InSetUp):
            def setUp(self):
                self.db = sqlite3.connect(":memory:", factory=Connection)
        return [InTest, InSetUp, InTearDown, InCleanup, InSetUpClass, InClose]

    def test_passes(self):
        for kind in self.kinds():
            for resultclass in (None, unittest.TextTestResult):
                before = self.state()
                self.interrupt(kind, resultclass)
                self.assertEqual(self.state(), before, kind)
        result, text, _ = run(unittest.TestSuite(map(journal(), NAMES)))
        self.assertEqual(result.testsRun, 5)

    def test_fault_in_the_result(self):
        class Faulty(unittest.TextTestResult):
            def addFailure(self, test, err):
                raise RuntimeError("in the result")
        with self.assertRaises(RuntimeError):
            run(unittest.TestSuite(map(journal(), NAMES)), resultclass=Faulty)

    @unittest.skipUnless(hasattr(signal, "SIGINT") and os.name == "posix", "needs a real signal")
    def test_catchbreak(self):
        class Signals(unittest.TestCase):
            def test_one(self):
                os.kill(os.getpid(), signal.SIGINT)

            def test_two(self):
                done.append("test_two")
        done = []
        before = signal.getsignal(signal.SIGINT)
        # The signal stops every result there is: the one this test runs for as well.
        results = unittest.signals._results
        outer = dict(results)
        results.clear()
        unittest.installHandler()
        try:
            result, _, _ = run(unittest.TestSuite([Signals("test_one"), Signals("test_two")]))
        finally:
            unittest.removeHandler()
            signal.signal(signal.SIGINT, before)
            results.update(outer)
        self.assertTrue(result.shouldStop)
        self.assertEqual((result.testsRun, done), (1, []))


class RunsInRuns(Base):

    def test_inside_a_test(self):
        outer, inner = journal(), journal()
        tallies = []

        class Outer(unittest.TestCase):
            def test(self):
                self.file = open(os.devnull)
                _, _, runner = run(unittest.TestSuite(map(inner, NAMES)))
                tallies.append(runner.tally)
                if hasattr(gc, "get_freeze_count"):
                    # Still the outer run's.
                    frozen.append(gc.get_freeze_count() > 2000)
        frozen = []
        _, _, runner = run(unittest.TestSuite([outer("test_b"), Outer("test"), outer("test_c")]))
        self.assert_let_go(outer, ["test_b", "test_c"])
        self.assert_let_go(inner)
        self.assertEqual([(each.released, each.closed) for each in tallies + [runner.tally]],
                         [(5, {}), (3, {"file": 1})])
        self.assertEqual(frozen, [True] if hasattr(gc, "get_freeze_count") else [])

    def test_plain_unittest_inside(self):
        inner = journal()

        class Outer(unittest.TestCase):
            def test(self):
                run(unittest.TestSuite(map(inner, NAMES)), runner=unittest.TextTestRunner)
        result, _, _ = run(Outer("test"))
        self.assertTrue(result.wasSuccessful())
        self.assertEqual(inner.order, NAMES)

    def test_interrupted_inside(self):
        class Inner(unittest.TestCase):
            def test(self):
                raise KeyboardInterrupt

        class Outer(unittest.TestCase):
            def test(self):
                with self.assertRaises(KeyboardInterrupt):
                    run(unittest.TestSuite([Inner("test")]))
        test = journal()
        result, _, _ = run(unittest.TestSuite([Outer("test"), test("test_a")]))
        self.assertEqual((result.testsRun, result.wasSuccessful()), (2, True))
        self.assert_let_go(test, ["test_a"])

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_fork(self):
        inner = journal()
        statuses = []

        class Forks(unittest.TestCase):
            def setUp(self):
                self.file = tempfile.TemporaryFile()

            def test(self):
                child = os.fork()
                if not child:
                    result, _, _ = run(unittest.TestSuite(map(inner, NAMES)))
                    sound = (result.testsRun, len(result.failures), inner.alive) == (5, 1, [])
                    os._exit(0 if sound else 1)
                statuses.append(os.waitpid(child, 0)[1])
        _, _, runner = run(unittest.TestSuite([Forks("test"), Forks("test")]))
        self.assertEqual(statuses, [0, 0])
        self.assertEqual(runner.tally.released, 2)
        self.assertEqual(sum(runner.tally.closed.values()), 2)

    def test_runs_in_threads(self):
        outcomes = []

        def work():
            test = journal()
            result, _, runner = run(unittest.TestSuite(map(test, NAMES * 20)))
            outcomes.append((result.testsRun, len(result.failures), test.order == NAMES * 20))
        threads = [threading.Thread(target=work) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual(outcomes, [(100, 20, True)] * 4)

    def test_thread_that_holds_its_test(self):
        go = threading.Event()
        threads = []

        class Threads(unittest.TestCase):
            def test(self):
                self.file = open(os.devnull)
                _files.append(weakref.ref(self))
                threads.append(threading.Thread(target=self.work))
                threads[0].start()

            def work(self):
                go.wait(20)
                closed.append(self.file.closed)
        closed, _files = [], []
        try:
            _, _, runner = run(unittest.TestSuite([Threads("test"), journal()("test_a")]))
        finally:
            go.set()
            threads.pop().join()
        self.assertEqual((runner.tally.kept, runner.tally.closed, closed), (1, {}, [False]))


if __name__ == "__main__":
    unittest.main()
