"""Suites that have a test twice, an empty place, or what is not a test: as plain unittest, event
for event."""

from __future__ import absolute_import

import sys
import types
import unittest

from tests.support.suites import StringIO
from unittest_leakfix import LeakFixTestRunner, LeakFixTestSuite

MODES = [{}] if sys.version_info < (3, 8) else [{}, {"leaks": "report"}, {"leaks": "fail"}]


class World(object):
    """Two modules with a class or two each, that write down all that happens to them."""

    def __init__(self, failing=()):
        self.events = []
        self.failing = frozenset(failing)
        self.modules = [self._module(name) for name in ("again_one", "again_two")]
        self.A = self._case("A", self.modules[0])
        self.B = self._case("B", self.modules[0])
        self.C = self._case("C", self.modules[1])

    def _note(self, *event):
        self.events.append(event)
        if event in self.failing:
            raise ValueError("%s failed" % (event,))

    def _module(self, name):
        module = types.ModuleType(name)
        module.setUpModule = lambda: self._note("setUpModule", name)
        module.tearDownModule = lambda: self._note("tearDownModule", name)
        return module

    def _case(world, name, module):
        class Case(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                world._note("setUpClass", name)

            @classmethod
            def tearDownClass(cls):
                world._note("tearDownClass", name)

            def test_a(self):
                world._note("test_a", name)

            def test_b(self):
                world._note("test_b", name)
                self.fail("fails")
        Case.__name__ = Case.__qualname__ = name
        Case.__module__ = module.__name__
        setattr(module, name, Case)
        return Case

    def run(self, runner, build, **kwds):
        """Run what *build* makes; return the events, the outcomes, and how it ended."""
        stream = StringIO()
        kept = []
        ended = None

        class Result(unittest.TextTestResult):
            def __init__(self, *args):
                unittest.TextTestResult.__init__(self, *args)
                kept.append(self)
        for module in self.modules:
            sys.modules[module.__name__] = module
        try:
            runner(stream=stream, resultclass=Result, **kwds).run(build(self))
        except Exception as error:
            ended = type(error).__name__, str(error).partition(":")[0]
        finally:
            for module in self.modules:
                del sys.modules[module.__name__]
        result = kept[0]
        written = stream.getvalue().partition("\n")[0]      # the dots
        return (self.events, result.testsRun, ended, written,
                [str(each) for each, _ in result.failures + result.errors])


def loaded(case):
    return unittest.defaultTestLoader.loadTestsFromTestCase(case)


def with_content(*content):
    """Return a suite of plain unittest with this content, which ``addTest`` might not take."""
    suite = unittest.TestSuite()
    suite._tests.extend(content)
    return suite


class Again(unittest.TestCase):

    def same(self, build, failing=(), **expected):
        """Compare each way to run what *build* makes with plain unittest's; return that."""
        plain = World(failing).run(unittest.TextTestRunner, build)
        for mode in MODES:
            ours = World(failing).run(LeakFixTestRunner, build, **mode)
            if mode.get("leaks") == "fail":
                ours = ours[:3] + plain[3:]     # leaks may add failures
            self.assertEqual(ours, plain, mode)
        return plain

    def ended(self, plain):
        return plain[2]

    def test_suite_twice(self):
        def build(world):
            tests = loaded(world.A)
            return unittest.TestSuite([tests, tests])
        events, _, ended, _, _ = self.same(build)
        if sys.version_info >= (3,):
            self.assertEqual(events[-2:], [("tearDownClass", "A"), ("tearDownModule", "again_one")])
            self.assertEqual(ended, ("TypeError", "'NoneType' object is not callable"))
        else:
            self.assertEqual(events.count(("test_a", "A")), 2)

    def test_our_suite_twice(self):
        def build(world, kind=unittest.TestSuite):
            tests = kind([world.A("test_a"), world.A("test_b")])
            return kind([tests, tests])
        plain = World().run(unittest.TextTestRunner, build)
        ours = World().run(LeakFixTestRunner, lambda world: build(world, LeakFixTestSuite))
        self.assertEqual(ours, plain)

    def test_suite_twice_with_another_class_between(self):
        def build(world):
            tests = loaded(world.A)
            return unittest.TestSuite([tests, loaded(world.B), tests])
        self.same(build)

    def test_suite_twice_with_another_module_between(self):
        def build(world):
            tests = loaded(world.A)
            return unittest.TestSuite([tests, loaded(world.C), tests])
        self.same(build)

    def test_suite_twice_whose_class_cannot_be_set_up(self):
        def build(world):
            tests = loaded(world.A)
            return unittest.TestSuite([tests, tests])
        events, _, ended, _, _ = self.same(build, failing=[("setUpClass", "A")])
        self.assertIsNone(ended)
        self.assertEqual(events.count(("setUpClass", "A")), 1)

    def test_suite_twice_whose_class_cannot_be_set_up_and_another_between(self):
        def build(world):
            tests = loaded(world.A)
            return unittest.TestSuite([tests, loaded(world.B), tests])
        events, _, ended, _, _ = self.same(build, failing=[("setUpClass", "A")])
        self.assertIsNone(ended)
        self.assertEqual(events.count(("setUpClass", "A")), 2)

    def test_suite_twice_whose_module_cannot_be_set_up(self):
        def build(world):
            tests = loaded(world.A)
            return unittest.TestSuite([tests, tests])
        self.same(build, failing=[("setUpModule", "again_one")])

    def test_suite_twice_whose_class_cannot_be_torn_down(self):
        def build(world):
            tests = loaded(world.A)
            return unittest.TestSuite([tests, tests])
        self.same(build, failing=[("tearDownClass", "A")])

    def test_suite_twice_deep_in_others(self):
        def build(world):
            tests = unittest.TestSuite([unittest.TestSuite([world.A("test_a")])])
            return unittest.TestSuite([unittest.TestSuite([tests]), loaded(world.C),
                                       unittest.TestSuite([unittest.TestSuite([tests])])])
        self.same(build)

    def test_suite_that_keeps_its_tests_twice(self):
        def build(world):
            tests = loaded(world.A)
            tests._cleanup = False
            return unittest.TestSuite([tests, loaded(world.B), tests])
        events = self.same(build)[0]
        self.assertEqual(events.count(("test_a", "A")), 2)

    def test_same_test_twice_in_a_row(self):
        def build(world):
            test = world.A("test_a")
            return unittest.TestSuite([test, test, world.A("test_b")])
        events = self.same(build)[0]
        self.assertEqual(events.count(("test_a", "A")), 2)

    def test_same_test_in_two_suites_with_another_class_between(self):
        def build(world):
            test = world.A("test_b")
            return unittest.TestSuite([unittest.TestSuite([test]), loaded(world.B),
                                       unittest.TestSuite([test])])
        events = self.same(build)[0]
        self.assertEqual(events.count(("setUpClass", "A")), 2)

    def test_none_by_the_user(self):
        for place in range(3):
            def build(world):
                tests = [world.A("test_a"), world.A("test_b")]
                tests.insert(place, None)
                return with_content(*tests)
            self.assertEqual(self.ended(self.same(build)),
                             ("TypeError", "'NoneType' object is not callable"))

    def test_none_as_the_only_content(self):
        self.same(lambda world: unittest.TestSuite([loaded(world.A), with_content(None)]))
        self.same(lambda world: with_content(None))

    def test_what_cannot_be_called(self):
        for content in (5, "text", object(), [], {"a": 1}):
            def build(world):
                return with_content(world.A("test_a"), content, world.B("test_a"))
            self.assertEqual(self.ended(self.same(build))[0], "TypeError")

    def test_function_and_class(self):
        for content in (lambda result: None, unittest.TestResult.wasSuccessful, dict):
            def build(world):
                return with_content(world.A("test_a"), content, world.B("test_a"))
            self.same(build)

    def test_second_run_after_a_class_that_cannot_be_set_up(self):
        ends = []
        for runner in (unittest.TextTestRunner, LeakFixTestRunner):
            world = World([("setUpClass", "A")])
            suite = loaded(world.A)
            ends.append([world.run(runner, lambda _: suite)[2:] for _ in range(2)])
        self.assertEqual(ends[0], ends[1])
        self.assertEqual(suite.countTestCases(), 2)


@unittest.skipIf(sys.version_info < (3, 8), "finding leaks needs Python 3.8")
class NotALeak(unittest.TestCase):
    """A test that the suite has once more is held by the suite, and left nothing behind."""

    def report(self, build):
        stream = StringIO()
        runner = LeakFixTestRunner(stream=stream, leaks="report")
        world = World()
        for module in world.modules:
            sys.modules[module.__name__] = module
        try:
            runner.run(build(world))
        finally:
            for module in world.modules:
                del sys.modules[module.__name__]
        return stream.getvalue()

    def test_same_test_in_two_suites(self):
        def build(world):
            test = world.A("test_a")
            return unittest.TestSuite([unittest.TestSuite([test]), loaded(world.C),
                                       unittest.TestSuite([test])])
        self.assertNotIn("LEAKS", self.report(build))

    def test_same_test_three_times_with_what_it_has(self):
        class Thing(object):
            pass

        def build(world):
            class Has(unittest.TestCase):
                def test_has(self):
                    self.thing = Thing()
                    self.thing.others = [Thing() for _ in range(5)]
            Has.__module__ = world.A.__module__
            test = Has("test_has")
            return unittest.TestSuite([test, loaded(world.C), test, loaded(world.B), test])
        self.assertNotIn("LEAKS", self.report(build))

    def test_what_its_last_run_keeps_is_reported(self):
        kept = []
        self.addCleanup(kept.clear)

        def build(world):
            class Keeps(unittest.TestCase):
                def test_keeps(self):
                    kept.append(self)
            Keeps.__module__ = world.A.__module__
            test = Keeps("test_keeps")
            return unittest.TestSuite([test, loaded(world.C), test])
        written = self.report(build)
        self.assertIn("test_keeps was kept after it finished", written)
        self.assertNotIn("_drain_list", written)


if __name__ == "__main__":
    unittest.main()
