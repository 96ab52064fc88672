"""ClassLeakFixMixin: a class gives back what its setUpClass took."""

from __future__ import absolute_import

import sys
import unittest
import warnings
import weakref

from tests.support.suites import Payload, Resource, run
from unittest_leakfix import ClassLeakFixMixin, LeakFixTestCase, LeakFixTestRunner, LeakFixWarning

# Before 3.8 there are no class cleanups: there our suite restores the class.
HOOKED = sys.version_info >= (3, 8)
RUNNERS = [LeakFixTestRunner] + ([unittest.TextTestRunner] if HOOKED else [])

shared = []


class Case(ClassLeakFixMixin, unittest.TestCase):
    pass


class RestoreTests(unittest.TestCase):
    def tearDown(self):
        del shared[:]

    def each_runner(self, make):
        """Run make() under each runner; return (class, result) for each."""
        for runner in RUNNERS:
            cls = make()
            result = run(runner, cls)
            yield cls, result

    def test_gained_attributes_are_dropped_and_rebound_ones_come_back(self):
        def make():
            class Tests(Case):
                limit = 10

                @classmethod
                def setUpClass(cls):
                    cls.payload = Payload()
                    cls.seen = weakref.ref(cls.payload)
                    shared.append(cls.seen)
                    cls.limit = 20

                def test(self):
                    self.assertEqual(self.limit, 20)
                    self.assertTrue(self.payload)
            return Tests
        for cls, result in self.each_runner(make):
            self.assertTrue(result.wasSuccessful(), result.text)
            self.assertNotIn("payload", vars(cls))
            self.assertEqual(cls.limit, 10)
            self.assertIsNone(shared.pop()())

    def test_owned_resources_are_closed_after_teardown_and_class_cleanups(self):
        def make():
            class Tests(Case):
                log = []

                @classmethod
                def setUpClass(cls):
                    super(Tests, cls).setUpClass()
                    cls.server = Resource("server", cls.log)
                    cls.client = Resource("client", cls.log)
                    cls.client.server = cls.server
                    if HOOKED:
                        cls.addClassCleanup(cls.log.append, "cleanup")

                @classmethod
                def tearDownClass(cls):
                    cls.log.append("tearDownClass")

                def test(self):
                    pass
            return Tests
        for cls, result in self.each_runner(make):
            self.assertTrue(result.wasSuccessful(), result.text)
            self.assertEqual(cls.log, ["tearDownClass"] + ["cleanup"] * HOOKED
                             + ["client", "server"])

    def test_shared_resources_are_dropped_not_closed(self):
        def make():
            class Tests(Case):
                @classmethod
                def setUpClass(cls):
                    cls.ours = shared[0]

                def test(self):
                    pass
            return Tests
        shared.append(Resource("shared", []))
        for cls, _ in self.each_runner(make):
            self.assertFalse(shared[0].closed)
            self.assertNotIn("ours", vars(cls))

    def test_base_classes_are_not_touched(self):
        def make():
            class Base(Case):
                cache = None

            class Tests(Base):
                @classmethod
                def setUpClass(cls):
                    Base.cache = "memoised"

                def test(self):
                    pass
            return Tests
        for cls, _ in self.each_runner(make):
            self.assertEqual(cls.cache, "memoised")

    def test_each_subclass_is_restored_by_itself(self):
        class Base(Case):
            @classmethod
            def setUpClass(cls):
                cls.payload = cls.__name__

        class First(Base):
            def test(self):
                self.assertEqual(self.payload, "First")

        class Second(Base):
            def test(self):
                self.assertEqual(self.payload, "Second")
        for runner in RUNNERS:
            result = run(runner, First, Second)
            self.assertTrue(result.wasSuccessful(), result.text)
            self.assertEqual([each for each in (First, Second) if "payload" in vars(each)],
                             [])

    def test_setup_class_that_fails(self):
        def make():
            class Tests(Case):
                log = []

                @classmethod
                def setUpClass(cls):
                    cls.one = Resource("one", cls.log)
                    raise ValueError("setUpClass")

                def test(self):
                    raise AssertionError("never runs")
            return Tests
        for cls, result in self.each_runner(make):
            self.assertEqual(result.testsRun, 0)
            self.assertEqual(len(result.errors), 1)
            self.assertNotIn("one", vars(cls))

    def test_keep_and_close(self):
        def make():
            class Tests(Case):
                leakfix_keep = ("kept",)
                leakfix_close = ("ours",)
                log = []

                @classmethod
                def setUpClass(cls):
                    cls.kept = Resource("kept", cls.log)
                    cls.ours = shared[0]

                def test(self):
                    pass
            return Tests
        for _ in RUNNERS:
            shared.append(None)
        for cls, _ in self.each_runner_with_shared(make):
            self.assertFalse(cls.kept.closed)
            self.assertTrue(shared[0].closed)

    def each_runner_with_shared(self, make):
        for runner in RUNNERS:
            shared[:] = [Resource("shared", [])]
            cls = make()
            yield cls, run(runner, cls)

    def test_class_runs_twice(self):
        class Tests(Case):
            @classmethod
            def setUpClass(cls):
                assert not hasattr(cls, "payload")
                cls.payload = Payload()

            def test(self):
                pass
        for runner in RUNNERS * 2:
            result = run(runner, Tests)
            self.assertTrue(result.wasSuccessful(), result.text)

    def test_close_that_raises(self):
        def make():
            class OrderTests(Case):
                log = []

                @classmethod
                def setUpClass(cls):
                    cls.one = Resource("one", cls.log, ValueError("boom"))
                    cls.two = Resource("two", cls.log)

                def test(self):
                    pass
            return OrderTests
        printed = ("closing cls.one (Resource) raised ValueError: boom. Close it in your "
                "own code, or leave it open with leakfix_keep = ('one',)")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for cls, result in self.each_runner(make):
                self.assertEqual(sorted(cls.log), ["one", "two"])
                if HOOKED:
                    (where, text), = result.errors
                    self.assertIn("tearDownClass", str(where))
                    self.assertIn(printed, text)
        if not HOOKED:
            self.assertEqual([str(each.message) for each in caught
                              if each.category is LeakFixWarning],
                             ["OrderTests is finished, but " + printed])

    def check_class_cleanups_called_half_way(self):
        class Tests(Case):
            @classmethod
            def setUpClass(cls):
                cls.early = Payload()
                cls.doClassCleanups()
                assert cls.early
                cls.late = Payload()

            def test(self):
                pass
        for runner in RUNNERS:
            result = run(runner, Tests)
            self.assertTrue(result.wasSuccessful(), result.text)
            self.assertEqual(set(vars(Tests)) & set(["early", "late"]), set())

    if HOOKED:
        test_class_cleanups_called_half_way = check_class_cleanups_called_half_way

    def test_ready_made(self):
        def make():
            class Tests(LeakFixTestCase):
                @classmethod
                def setUpClass(cls):
                    cls.payload = Payload()

                def test(self):
                    self.mine = Payload()
                    shared.append(weakref.ref(self.mine))
            return Tests
        for cls, result in self.each_runner(make):
            self.assertTrue(result.wasSuccessful(), result.text)
            self.assertNotIn("payload", vars(cls))
            self.assertIsNone(shared.pop()())

    def test_mixin_behind_the_testcase(self):
        with self.assertRaises(TypeError) as caught:
            # 2.7 tells at the first instance, 3.x when the class is made.
            type("OrderTests", (unittest.TestCase, ClassLeakFixMixin),
                 {"runTest": lambda self: None})()
        self.assertEqual(
            str(caught.exception),
            "ClassLeakFixMixin must stand before the TestCase, or it is never called: "
            "class OrderTests(ClassLeakFixMixin, TestCase)")


if __name__ == "__main__":
    unittest.main()
