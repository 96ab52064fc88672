"""watch() and assertNoLeaks(): finding in one block of code."""
from __future__ import annotations

import os
import socket
import sqlite3
import sys
import threading
import types
import unittest

from tests.support.suites import outcomes, run
from unittest_leakfix import LeakFixMixin, LeakFixTestRunner
from unittest_leakfix.leaks import ignore, suppressions, watch


class Order:
    def __init__(self, *lines):
        self.lines = list(lines)


class WatchTests(unittest.TestCase):
    def setUp(self):
        self.shop = types.ModuleType("watched_shop")
        self.shop.orders = []
        self.shop.place = None
        sys.modules["watched_shop"] = self.shop
        self.addCleanup(sys.modules.pop, "watched_shop")

    def test_nothing_left(self):
        with watch() as found:
            Order(Order())
            socket.socket().close()
        self.assertEqual(found.leaks, [])
        self.assertEqual(str(found), "no leaks")

    def test_object_in_a_module(self):
        with watch("loading orders") as found:
            self.shop.orders.append(Order())
        leak, = found.leaks
        self.assertEqual((leak.kind, leak.tests, leak.chain.expression),
                         ("object", ("loading orders",), "watched_shop.orders[0]"))
        self.assertIs(eval(leak.chain.expression, {"watched_shop": self.shop}),
                      self.shop.orders[0])

    def test_open_resources_and_the_process(self):
        end = threading.Event()
        self.addCleanup(os.environ.pop, "LEAKFIX_WATCHED", None)
        with watch() as found:
            self.shop.place = sqlite3.connect(":memory:")
            os.environ["LEAKFIX_WATCHED"] = "yes"
            thread = threading.Thread(target=end.wait, name="watched-1")
            thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(end.set)
        self.addCleanup(self.shop.place.close)
        names = sorted(leak.kind for leak in found.leaks)
        # Up to 3.9 the collector does not see a sqlite3 connection, and one in memory
        # has no descriptor either.
        seen = ["connection"] if sys.version_info >= (3, 10) else []
        self.assertEqual(names, seen + ["environment", "thread"])

    def test_variables_around_the_block_are_no_leaks(self):
        with watch() as found:
            order = Order(1)
            self.mine = Order(2)
        self.assertEqual(found.leaks, [])
        self.assertEqual((order.lines, self.mine.lines), ([1], [2]))

    def test_what_is_ignored_is_not_reported(self):
        entry = ignore(object="Ord*", reason="orders live long")
        self.addCleanup(suppressions._ignored.remove, entry)
        with watch() as found:
            self.shop.orders.append(Order())
        self.assertEqual(found.leaks, [])

    def test_an_error_in_the_block_passes(self):
        with self.assertRaises(ZeroDivisionError):
            with watch() as found:
                self.shop.orders.append(Order())
                1 / 0
        self.assertEqual([leak.kind for leak in found.leaks], ["object"])

    def test_one_in_another(self):
        with watch() as outer:
            with watch() as inner:
                self.shop.orders.append(Order())
            os.environ["LEAKFIX_WATCHED"] = "yes"
            self.addCleanup(os.environ.pop, "LEAKFIX_WATCHED", None)
        self.assertEqual([leak.kind for leak in inner.leaks], ["object"])
        self.assertEqual([leak.kind for leak in outer.leaks], ["environment", "object"])


class AssertNoLeaksTests(unittest.TestCase):
    kept = []

    def make(self):
        kept = self.kept
        del kept[:]
        self.addCleanup(kept.__delitem__, slice(None))

        class Tests(LeakFixMixin, unittest.TestCase):
            def test_clean(self):
                with self.assertNoLeaks():
                    Order()
                    self.order = Order()

            def test_leaking(self):
                with self.assertNoLeaks("closing the shop"):
                    kept.append(Order())

            def test_failing_anyway(self):
                with self.assertNoLeaks():
                    kept.append(Order())
                    self.fail("own")
        return Tests

    def check(self, result):
        self.assertEqual(outcomes(result),
                         {"failures": ["test_failing_anyway", "test_leaking"]})
        self.assertIn("AssertionError: own", result.failures[0][1])
        self.assertIn("AssertionError: closing the shop : 1 leak was left behind:\n"
                      "  Order was kept after the block in Tests.test_leaking: held by "
                      "tests.unit.leaks.test_watch.AssertNoLeaksTests.kept[1]\n",
                      result.failures[1][1])

    def test_under_unittest(self):
        self.check(run(unittest.TextTestRunner, self.make()))

    def test_under_our_runner(self):
        self.check(run(LeakFixTestRunner, self.make()))

    def test_in_a_run_that_finds_too(self):
        result = run(LeakFixTestRunner, self.make(), leaks="report")
        self.check(result)
        self.assertNotIn("Not measured", result.text)


if __name__ == "__main__":
    unittest.main()
