"""Whose a leak is: the test in whose window it came, one of a class's tests where that is all that
is known, and never a fixture that does not exist."""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support.paths import ROOT


class BlameCase(unittest.TestCase):
    """Each class runs its module ``SAMPLE`` once, in a process of its own."""

    SAMPLE = ""
    MORE = {}
    COMMAND = ("unittest_leakfix", "sample")
    OPTIONS = ()
    ENVIRONMENT = {}

    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {"sample": cls.SAMPLE, **cls.MORE}.items():
                with open(os.path.join(folder, name + ".py"), "w") as file:
                    file.write(textwrap.dedent(text))
            ran = subprocess.run(
                [sys.executable, "-m", *cls.COMMAND, "--leaks=report", "--leaks-json=r.json",
                 *cls.OPTIONS], cwd=folder,
                env=dict(os.environ, PYTHONPATH=ROOT, **cls.ENVIRONMENT),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
            cls.output = ran.stdout
            with open(os.path.join(folder, "r.json")) as file:
                cls.report = json.load(file)

    def named(self, *words):
        return [leak for leak in self.report["leaks"]
                if all(word in json.dumps(leak) for word in words)]

    def one(self, *words):
        found = self.named(*words)
        self.assertEqual(1, len(found), "%s: %s\n%s" % (words, found, self.output))
        return found[0]

    def assertLeftBy(self, tests, *words):
        """One leak that mentions *words* is left by *tests* of the sample, and known to be so."""
        leak = self.one(*words)
        self.assertEqual(["sample." + test for test in tests], leak["tests"], self.output)
        self.assertEqual([], leak["candidates"])
        return leak


class InheritedFixtureTest(BlameCase):
    """What hangs on something that the fixture of a base gave each class is one cause."""

    SAMPLE = """
        import unittest

        class Bus:
            handler = None

        class Base(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.bus = Bus()

            def setUp(self):
                self.bus.handler = self.handle

            def handle(self):
                pass

        class A(Base):
            def test_a(self):
                pass

        class B(Base):
            def test_b(self):
                pass

        class Other(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.bus = Bus()

            def test_other(self):
                self.bus.handler = self.test_other
    """

    def test_one_cause_for_all_that_inherit_it(self):
        self.assertLeftBy(["A.test_a", "B.test_b"], "A.test_a")

    def test_a_fixture_of_its_own_is_a_cause_of_its_own(self):
        leak = self.assertLeftBy(["Other.test_other"], "Other.test_other")
        self.assertEqual(2, len(self.report["leaks"]))
        self.assertIn("Other", leak["fingerprint"])

    def test_the_remedy_holds_for_all_of_them(self):
        remedy = self.one("A.test_a")["remedy"]
        self.assertIn("self.bus", remedy)
        self.assertNotIn("A.bus", remedy)


class WrappedTest(BlameCase):
    """A test is where it is written, whatever is around it."""

    SAMPLE = """
        import functools, unittest
        from unittest import mock
        import sample_wrappers

        PATCHED, BARE, BOTH, META = [], [], [], []

        class A(unittest.TestCase):
            @mock.patch("os.getlogin", mock.Mock())
            def test_patched(self):
                PATCHED.append(self)

            @sample_wrappers.bare
            def test_bare(self):
                BARE.append(self)

            @sample_wrappers.bare
            @sample_wrappers.wraps
            def test_both(self):
                BOTH.append(self)

        class B(unittest.TestCase, metaclass=sample_wrappers.Meta):
            def test_of_meta(self):
                META.append(self)
    """
    MORE = {"sample_wrappers": """
        import functools

        def bare(function):
            def wrapper(*args):
                return function(*args)
            return wrapper

        def wraps(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper

        class Meta(type):
            def __new__(meta, name, bases, space):
                return super().__new__(meta, name, bases, {
                    key: bare(value) if key.startswith("test") else value
                    for key, value in space.items()})
    """}

    def test_each_is_where_it_is_written(self):
        lines = textwrap.dedent(self.SAMPLE).splitlines()
        for name in ("test_patched", "test_bare", "test_both", "test_of_meta"):
            with self.subTest(name):
                place = self.one("kept after", name)["chain"]["steps"][-1]["place"]
                file, _, line = place.rpartition(":")
                self.assertEqual("sample.py", file)
                # of the first decorator before 3.8
                near = lines[int(line) - 1:int(line) + 3]
                self.assertTrue(any("def " + name in each for each in near), place)

    def test_names_of_the_test_s_own_module(self):
        self.assertEqual(
            ["self.addCleanup(%s.remove, self)" % name
             for name in ("BARE", "BOTH", "META", "PATCHED")],
            sorted(leak["remedy"] for leak in self.report["leaks"]))


@unittest.skipUnless(sys.version_info >= (3, 12) and importlib.util.find_spec("coverage"),
                     "needs sys.monitoring, and coverage")
class CoverageTest(BlameCase):
    """What coverage notes of the code under test is not a leak of the tests that run it first."""

    SAMPLE = """
        import unittest

        class Order:
            pass

        KEPT = []

        class Tests(unittest.TestCase):
            pass

        for number in range(12):
            space = {}
            exec(compile("def first(value):\\n    return [value]\\n", __file__, "exec"), space)
            def test(self, first=space["first"]):
                first(1)
            setattr(Tests, "test_%02d" % number, test)

        class Later(unittest.TestCase):
            def test_kept(self):
                KEPT.append(Order())
    """
    COMMAND = ("coverage", "run", "--data-file=measured", "-m", "unittest_leakfix", "sample")
    ENVIRONMENT = {"COVERAGE_CORE": "sysmon"}

    def test_only_what_is_kept(self):
        self.assertLeftBy(["Later.test_kept"], "Order")
        self.assertEqual(1, len(self.report["leaks"]), self.output)


class DiesLaterTest(BlameCase):
    """What is kept until a later test runs, and dies there unclosed, is its opener's."""

    SAMPLE = """
        import os, socket, tempfile, unittest

        class Loop:
            handler = None

        KEPT = []

        class T(unittest.TestCase):
            loop = Loop()

            def setUp(self):
                self.loop.handler = self.handle     # takes the place of the last test's
                self.server = socket.create_server(("127.0.0.1", 0))
                self.other = socket.socket()

            def handle(self):
                pass

            def test_a(self):
                self.skipTest("no")

            def test_b(self):
                pass

            def test_c(self):
                self.loop.handler = None

        class Files(unittest.TestCase):
            def test_1_opens(self):
                KEPT.append(open(os.devnull))

            def test_2_nothing(self):
                pass

            def test_3_drops(self):
                KEPT.clear()

        class Fails(unittest.TestCase):
            def test_1_opens_and_fails(self):
                KEPT.append(open(os.__file__))
                self.fail("no")

            def test_2_drops(self):
                KEPT.clear()
        """

    def test_each_line_is_a_cause(self):
        lines = {leak["acquisition"]["frames"][0]["line"]: leak["tests"]
                 for leak in self.named("socket", "dropped without being closed")}
        self.assertEqual({14: ["sample.T.test_a", "sample.T.test_b"],
                          15: ["sample.T.test_a", "sample.T.test_b"]}, lines, self.output)

    def test_a_file_of_an_earlier_test(self):
        self.assertLeftBy(["Files.test_1_opens"], "dev/null", "dropped")

    def test_of_a_failing_test_it_is_only_counted(self):
        self.assertEqual([], self.named("os.py"), self.output)
        self.assertEqual(1, self.report["failed"])
        self.assertIn("Failing tests left 1 more cause (--leaks-failed shows it)", self.output)


class WindowsTest(BlameCase):
    """A change is of the test in whose window it came; a look per class says so."""

    SAMPLE = """
        import asyncio, decimal, gc, locale, logging, os, resource, signal, sys, tempfile, time
        import unittest

        for number in range(40):    # too many to look at after each test
            logging.getLogger("shop.%d" % number)

        class Others:
            def test_a(self): pass
            def test_c(self): pass

        class Signal(Others, unittest.TestCase):
            def test_b(self):
                signal.signal(signal.SIGUSR2, lambda *_: None)

        class Mask(Others, unittest.TestCase):
            def test_b(self):
                os.umask(0o77)

        class Clock(Others, unittest.TestCase):
            def test_b(self):
                time.time = lambda: 0.0

        class Limit(Others, unittest.TestCase):
            def test_b(self):
                soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))

        class Collector(Others, unittest.TestCase):
            def test_b(self):
                gc.set_threshold(5)

        class Precision(Others, unittest.TestCase):
            def test_b(self):
                decimal.getcontext().prec = 5

        class Arguments(Others, unittest.TestCase):
            def test_b(self):
                sys.argv.append("more")

        class Handler(Others, unittest.TestCase):
            def test_b(self):
                logging.getLogger("shop.3").addHandler(logging.NullHandler())

        class Rare(Others, unittest.TestCase):
            def test_b(self):
                vars(os)["cpu_" + "count"] = lambda: 1

        class RareAgain(Others, unittest.TestCase):
            def test_b(self):
                vars(os)["get" + "ppid"] = lambda: 1

        class RareSignal(Others, unittest.TestCase):
            def test_b(self):
                signal.signal(signal.SIGWINCH, lambda *_: None)

        class Level(Others, unittest.TestCase):
            def test_b(self):
                logging.getLogger("shop.7").setLevel(10)

        class Innocent(unittest.TestCase):
            def test_adds_a_handler(self):
                logging.getLogger("shop.9").addHandler(logging.NullHandler())

        class TheOnlyOne(unittest.TestCase):
            def test_one(self):
                tempfile.mkstemp = None

        class WithFixtures(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                signal.signal(signal.SIGIO, lambda *_: None)
                os.environ["OF_SET_UP"] = "1"
                logging.getLogger("shop.11").setLevel(10)

            @classmethod
            def tearDownClass(cls):
                os.environ["OF_TEAR_DOWN"] = "1"
                logging.getLogger("shop.11").setLevel(0)

            def test_a(self):
                logging.getLogger("shop.12").addHandler(logging.NullHandler())

            def test_b(self):
                pass

        class AfterFixtures(unittest.TestCase):
            def test_adds_a_handler(self):
                logging.getLogger("shop.13").addHandler(logging.NullHandler())
        """

    def test_named_by_their_test(self):
        for name, words in (("Signal", ("SIGUSR2",)), ("Mask", ("umask",)),
                            ("Clock", ("time.time",)), ("Limit", ("RLIMIT_NOFILE",)),
                            ("RareSignal", ("SIGWINCH",)), ("Collector", ("gc.get_threshold",)),
                            ("Precision", ("getcontext().prec",)),
                            ("Arguments", ("sys.argv",)),
                            ("Handler", ("NullHandler", "shop.3"))):
            with self.subTest(name):
                self.assertLeftBy([name + ".test_b"], *words)

    def test_a_look_per_class_says_so(self):
        leak = self.one("os.cpu_count")
        self.assertEqual([], leak["tests"])
        self.assertEqual(["sample.Rare.test_a", "sample.Rare.test_b", "sample.Rare.test_c"],
                         leak["candidates"])
        self.assertIn("left by one of the 3 tests of sample.Rare (looked at once per class)",
                      self.output)

    def test_then_each_test_is_looked_at(self):
        self.assertLeftBy(["RareAgain.test_b"], "os.getppid")

    def test_of_a_single_test_it_is_known(self):
        self.assertLeftBy(["TheOnlyOne.test_one"], "tempfile.mkstemp")

    def test_the_next_is_judged_from_the_state_it_found(self):
        leak = self.one("logging level", "shop.7")
        self.assertEqual({"sample.Level"}, {each.rpartition(".")[0] for each in (
            leak["tests"] + leak["candidates"])})
        self.assertEqual([], self.named("shop.11"), "it was put back")

    def test_fixtures_by_what_they_changed(self):
        for name, word in (("setUpClass", "OF_SET_UP"), ("tearDownClass", "OF_TEAR_DOWN"),
                           ("setUpClass", "SIGIO")):
            self.assertEqual([name + " (sample.WithFixtures)"], self.one(word)["tests"])
        self.assertLeftBy(["WithFixtures.test_a"], "NullHandler", "shop.12")

    def test_no_other_fixture_is_named(self):
        named = {test for leak in self.report["leaks"] for test in
                 leak["tests"] + leak["candidates"] if "(" in test}
        self.assertEqual({"setUpClass (sample.WithFixtures)", "tearDownClass "
                          "(sample.WithFixtures)"}, named)

    def test_the_proven_are_counted(self):
        proven = {test for leak in self.report["leaks"] for test in leak["tests"]
                  if "(" not in test}
        self.assertIn(" in %d of %d tests and 2 fixtures: " % (
            len(proven), self.report["tests"]), self.output)


class DeducedTest(BlameCase):
    """What was looked at once per class, and only one line can have done."""

    SAMPLE = """
        import os, unittest

        class T(unittest.TestCase):
            def test_a(self): pass
            def test_b(self):
                os.getloadavg = lambda: (0, 0, 0)
            def test_c(self): pass
        """

    def test_by_its_line(self):
        leak = self.assertLeftBy(["T.test_b"], "os.getloadavg")
        self.assertEqual(7, leak["acquisition"]["frames"][0]["line"])


class FailingTest(BlameCase):
    """What a failing test left is counted, and reported once a later test meets it."""

    SAMPLE = """
        import logging, os, subprocess, sys, unittest

        class A(unittest.TestCase):
            def test_1_fails(self):
                os.environ["SHOP_MODE"] = "test"
                self.fail("before it could put it back")

            def test_2_meets_it(self):
                pass

        class B(unittest.TestCase):
            @classmethod
            def tearDownClass(cls):
                os.environ.pop("SHOP_CLASS", None)

            def test_the_fixture_puts_it_back(self):
                os.environ["SHOP_CLASS"] = "test"
                self.fail("no")

        class C(unittest.TestCase):
            def test_1(self):
                pass

            def test_9_is_the_last(self):
                logging.getLogger("shop").setLevel(10)
                raise ValueError("nobody comes after it")
        """

    def test_what_the_next_meets(self):
        leak = self.assertLeftBy(["A.test_1_fails"], "SHOP_MODE")
        self.assertIn({"label": "met by", "text": "sample.A.test_2_meets_it"}, leak["notes"])

    def test_what_a_fixture_put_back(self):
        self.assertEqual([], self.named("SHOP_CLASS"), self.output)

    def test_what_nobody_meets(self):
        self.assertEqual([], self.named("shop", "level"), self.output)
        self.assertEqual(2, self.report["failed"])


class RestoredTest(FailingTest):
    """What ``--restore`` put back no test meets."""

    OPTIONS = ("--restore",)

    def test_what_the_next_meets(self):
        self.assertEqual([], self.named("SHOP_MODE"), self.output)

    def test_what_nobody_meets(self):
        self.assertEqual(3, self.report["failed"])


class PoolTest(BlameCase):
    """The threads of an executor are the executor's, whatever makes it start one."""

    SAMPLE = """
        import asyncio, concurrent.futures, threading, unittest

        class OfALoop(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.loop = asyncio.new_event_loop()

            @classmethod
            def tearDownClass(cls):
                cls.loop.close()

            def test_a(self):
                self.loop.run_until_complete(self.loop.run_in_executor(None, sum, [1, 2]))

            def test_b(self):
                pass

        class OfAClass(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.pool = concurrent.futures.ThreadPoolExecutor(2, "of-a-class")

            @classmethod
            def tearDownClass(cls):
                cls.pool.shutdown()

            def test_a(self):
                self.assertEqual(3, self.pool.submit(sum, [1, 2]).result())

        class Busy(unittest.TestCase):
            @classmethod
            def tearDownClass(cls):
                cls.end.set()
                cls.thread.join()

            def test_goes_on(self):
                type(self).end = threading.Event()
                pool = concurrent.futures.ThreadPoolExecutor(1, "busy")
                pool.submit(self.end.wait)
                type(self).thread, = pool._threads
                pool.shutdown(wait=False)

        class Own(unittest.TestCase):
            @classmethod
            def tearDownClass(cls):
                cls.end.set()
                cls.thread.join()

            def test_goes_on(self):
                type(self).end = threading.Event()
                type(self).thread = threading.Thread(target=self.end.wait, name="own")
                self.thread.start()
        """

    def test_they_are_the_executors(self):
        self.assertEqual([], self.named("asyncio_"), self.output)
        self.assertEqual([], self.named("of-a-class"), self.output)

    def test_one_at_work_that_was_shut_down(self):
        self.assertLeftBy(["Busy.test_goes_on"], "busy_0")

    def test_one_of_the_tests_own(self):
        self.assertLeftBy(["Own.test_goes_on"], '\\"own\\"')
        self.assertEqual(2, len(self.report["leaks"]), self.output)


@unittest.skipIf(importlib.util.find_spec("pytest") is None, "pytest is not installed")
class PytestTest(BlameCase):
    """The same under pytest, where scopes have fixtures."""

    COMMAND = ("pytest", "-q", "-p", "no:unittest_leakfix", "-p", "unittest_leakfix.pytest_plugin",
               "sample.py")
    SAMPLE = """
        import os, tempfile
        import pytest

        class TestOnce:
            def test_1(self): pass
            def test_2(self): vars(os)["cpu_" + "count"] = lambda: 1
            def test_3(self): pass

        def test_fails():
            os.environ["OF_FAILING"] = "1"
            assert 0

        def test_meets():
            pass

        @pytest.fixture(scope="module")
        def mask():
            os.environ["OF_SET_UP"] = "1"
            old = os.umask(0o77)
            yield
            os.umask(old)

        def test_with_it(mask):
            vars(tempfile)["mk" + "stemp"] = None

        @pytest.fixture(scope="class")
        def late():
            yield
            os.environ["OF_TEAR_DOWN"] = "1"

        class TestLate:
            def test_1(self, late): pass
            def test_2(self, late): pass
        """

    def test_a_look_per_class_says_so(self):
        leak = self.one("os.cpu_count")
        self.assertEqual([], leak["tests"])
        self.assertEqual(["sample.py::TestOnce::test_%d" % each for each in (1, 2, 3)],
                         leak["candidates"])

    def test_then_each_test_is_looked_at(self):
        self.assertEqual(["sample.py::test_with_it"], self.one("mkstemp")["tests"])

    def test_fixtures_by_what_they_changed(self):
        for name, word in (("fixture mask (sample.py)", "OF_SET_UP"),
                           ("fixture late (sample.py::TestLate)", "OF_TEAR_DOWN")):
            self.assertEqual([name], self.one(word)["tests"])
        self.assertEqual([], self.named("umask"))

    def test_of_a_failing_test(self):
        leak = self.one("OF_FAILING")
        self.assertEqual(["sample.py::test_fails"], leak["tests"])
        self.assertIn({"label": "met by", "text": "sample.py::test_meets"}, leak["notes"])


class EndedChildTest(BlameCase):
    """A child that a failing test left, and that ends later, is nobody else's."""

    SAMPLE = """
        import os, sys, unittest

        class T(unittest.TestCase):
            def test_a(self):
                self.pid = os.spawnv(os.P_NOWAIT, sys.executable,
                                     [sys.executable, "-c", "import time; time.sleep(0.7)"])
                self.fail("the time was up")

            def test_b(self):
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)     # it stays a zombie
        """
    OPTIONS = ("--leaks-failed",)

    def test_its_test(self):
        self.assertLeftBy(["T.test_a"], "child process")
        self.assertEqual(1, len(self.report["leaks"]), self.output)


if __name__ == "__main__":
    unittest.main()
