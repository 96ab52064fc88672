"""The connection budget: the call that would open one too many fails, and says who has the
others."""

from __future__ import annotations

import copy
import gc
import io
import os
import pickle
import sys
import threading
import unittest

from tests.integration.databases import connection_suites
from tests.integration.databases.connection_suites import DRIVERS, paragraph
from unittest_leakfix import LeakFixMixin, LeakFixTestRunner
from unittest_leakfix.databases import connection_limit
from unittest_leakfix.databases.connection_limit import Budget, ConnectionBudgetError
from unittest_leakfix.tracing.opened_connections import ConnectionRecord, connection_registry
from unittest_leakfix.tracing.stacks import Frame


def record(function="setUp", test="shop.OrderTests.test_pay", thread="MainThread", running=True,
           connecting=False, place="pymysql connection to app@db:3306/shop"):
    frames = (Frame("tests/test_orders.py", 17, function),) if function else ()
    return ConnectionRecord("pymysql", place, test, thread, running, 1, 4711, connecting, frames)


class Message(unittest.TestCase):
    maxDiff = None

    def test_golden(self):
        records = (
            record("connect", "setUpClass (shop.OrderTests)",
                   place="psycopg2 connection to app@db:5432/shop"),
            record(), record(thread="worker"), record(thread="worker", running=False), record(),
            record("", "", connecting=True, place="MySQLdb connection"))
        self.assertEqual(connection_limit.message(6, "OrderTests.leakfix_max_connections = 6",
                                                  records), """\
one connection more than the 6 that may be open at the same time (OrderTests.leakfix_max_connections = 6)
open now:
  2 x pymysql connection to app@db:3306/shop
      tests/test_orders.py:17 in setUp
      for shop.OrderTests.test_pay
  1 x psycopg2 connection to app@db:5432/shop
      tests/test_orders.py:17 in connect
      for setUpClass (shop.OrderTests)
  1 x pymysql connection to app@db:3306/shop
      tests/test_orders.py:17 in setUp
      for shop.OrderTests.test_pay, in thread worker
  1 x pymysql connection to app@db:3306/shop
      tests/test_orders.py:17 in setUp
      for shop.OrderTests.test_pay, in thread worker (no longer running)
  1 x MySQLdb connection, being opened now
      opened by unknown code
      outside of the tests""")  # noqa: E501

    def test_none_allowed(self):
        self.assertEqual(connection_limit.message(0, "max_connections=0", ()),
                         "no connection may be open here (max_connections=0)")

    def test_many(self):
        printed = connection_limit.message(300, "max_connections=300", tuple(
            record(test="shop.OrderTests.test_%d" % number) for number in range(300)))
        self.assertEqual(printed.count("\n"), 1 + 3 * 20 + 1)
        self.assertEqual(printed.splitlines()[-1],
                         "  and 280 more, of 280 other lines, tests or threads")

    def test_no_secret(self):
        printed = connection_limit.message(1, "max_connections=1", (
            record(place="strange connection to mysql://app:hunter2@db/shop"),))
        self.assertNotIn("hunter2", printed)

    def test_error_travels(self):
        error = ConnectionBudgetError(1, "max_connections=1", (record(),))
        for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            self.assertEqual((str(other), other.most, other.open), (str(error), 1, (record(),)))


class Arguments(unittest.TestCase):
    def test_no_number(self):
        for wrong in (-1, "3", 2.5, True):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError,
                                                             "max_connections=%r" % (wrong,)):
                Budget(wrong)
            with self.subTest(wrong), self.assertRaisesRegex(ValueError,
                                                             "max_connections=%r" % (wrong,)):
                LeakFixTestRunner(stream=io.StringIO(),
                                  max_connections=wrong).run(unittest.TestSuite())

    def test_no_number_on_a_class(self):
        for wrong in (-1, "3", 2.5, True):
            with self.subTest(wrong), self.assertRaisesRegex(
                    TypeError, r"Orders.leakfix_max_connections = %r is not a number" % (wrong,)):
                type("Orders", (LeakFixMixin, unittest.TestCase),
                     {"leakfix_max_connections": wrong})

    def test_command_line(self):
        import subprocess
        for arguments, printed in (
                (["--max-connections", "many"],
                 "argument --max-connections: invalid int value: 'many'"),
                (["--max-connections=-2"],
                 "error: max_connections=-2: give a number of connections, 0 or more"),
                (["--help"], "--max-connections N")):
            child = subprocess.run([sys.executable, "-m", "unittest_leakfix"] + arguments,
                                   cwd=connection_suites.ROOT, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
            self.assertIn(printed, child.stdout.decode())

    def test_foreign_runner(self):
        printed = connection_suites.run("pymysql", """
class Orders(unittest.TestCase):
    def test(self):
        pass

unittest_leakfix.main(argv=["x", "--max-connections=3", "test_shop.Orders"], testRunner=unittest.TextTestRunner())
""", module="test_shop")  # noqa: E501
        self.assertIn("error: --max-connections works with LeakFixTestRunner, and this program has "
                      "a runner "
                      "of its own: pass max_connections=3 to that one", printed)


class Budgets(unittest.TestCase):
    """With one real driver, in this process."""

    def setUp(self):
        self.driver = DRIVERS["pymysql"]
        self.settings = self.driver.settings()
        gc.collect()
        self.assertEqual(connection_registry.count(), 0)

    def limited(self, most):
        limit = Budget(most)
        limit.current = self.id()
        limit.begin()
        self.addCleanup(limit.end)
        return limit

    def test_the_one_too_many(self):
        self.limited(2)
        kept = [self.driver.open(), self.driver.open()]
        wanted = self.wanted(kept[0])
        with self.assertRaises(ConnectionBudgetError) as caught:
            self.driver.open()
        self.assertEqual(self.wanted(kept[0]), wanted)    # the server was not even asked
        self.assertEqual(caught.exception.most, 2)
        self.assertEqual([each.test for each in caught.exception.open], [self.id()] * 2)
        self.assertNotIn(self.settings["password"], str(caught.exception))
        kept.pop().close()
        kept.append(self.driver.open())     # a closed one makes room
        for each in kept:
            each.close()

    def wanted(self, connection):
        cursor = connection.cursor()
        cursor.execute("show global status like 'Connections'")
        return cursor.fetchone()

    def test_waiting_for_the_collector(self):
        self.limited(1)
        gc.disable()
        self.addCleanup(gc.enable)
        for _ in range(3):
            connection = self.driver.open()
            connection.me = connection
            del connection
        connection = self.driver.open()
        connection.close()

    def test_old_garbage(self):
        """Garbage that an earlier collection has moved on, and that only a full one takes."""
        self.limited(1)
        gc.disable()
        self.addCleanup(gc.enable)
        connection = self.driver.open()
        connection.me = connection
        gc.collect()
        del connection
        self.driver.open().close()

    def test_innermost_counts(self):
        self.limited(0)
        inner = Budget(1)
        inner.begin()
        self.driver.open().close()
        inner.end()
        with self.assertRaises(ConnectionBudgetError):
            self.driver.open()

    def test_ends(self):
        self.limited(0).end()
        self.driver.open().close()
        self.assertIsNone(connection_registry.before_connect)

    def test_reconnect_needs_no_second_place(self):
        self.limited(1)
        connection = self.driver.open()
        connection._force_close()
        connection.ping(reconnect=True)
        connection._force_close()
        connection.connect()
        connection.close()

    def test_threads_at_once(self):
        """Ten threads at the same moment, room for three: three get one."""
        self.limited(3)
        barrier, kept, refused = threading.Barrier(10), [], []

        def work():
            barrier.wait()
            try:
                kept.append(self.driver.open())
            except ConnectionBudgetError as error:
                refused.append(len(error.open))
        workers = [threading.Thread(target=work) for _ in range(10)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        self.assertEqual((len(kept), refused), (3, [3] * 7))
        for each in kept:
            each.close()

    def test_a_forked_child_has_no_budget(self):
        self.limited(0)
        child = os.fork()
        if not child:
            try:
                self.driver.open()
            except BaseException:
                os._exit(1)
            os._exit(0)
        self.assertEqual(os.waitpid(child, 0)[1], 0)


SUITE = """
class OrderTests(unittest.TestCase):
    def setUp(self):
        KEPT.append(connect(**settings))

    def test_a(self): pass
    def test_b(self): pass
    def test_c(self): pass
"""

ERROR = """\
unittest_leakfix.databases.connection_limit.ConnectionBudgetError: one connection more than the 2 that may be \
open at the same time (%s)
open now:
  1 x %s connection to leakfix@127.0.0.1%s/leakfix
      test_shop.py:16 in setUp
      for test_shop.OrderTests.test_a
  1 x %s connection to leakfix@127.0.0.1%s/leakfix
      test_shop.py:16 in setUp
      for test_shop.OrderTests.test_b"""  # noqa: E501


class Suites(unittest.TestCase):
    """Whole suites, driver by driver; golden texts."""

    maxDiff = None

    def check(self, driver, printed, how, failed="FAIL: test_c (test_shop.OrderTests"):
        name = driver.split(".")[0]
        port = "" if driver == "MySQLdb" else ":PORT"      # its client library keeps it to itself
        self.assertIn(failed, printed)
        self.assertEqual(paragraph(printed, "ConnectionBudgetError: "),
                         ERROR % (how, name, port, name, port))
        self.assertRegex(printed, r"Ran 3 tests in .*\n\nFAILED \((failures|errors)=1\)")

    def test_option(self):
        for driver in DRIVERS:
            with self.subTest(driver):
                printed = connection_suites.run(driver, SUITE, "--max-connections=2")
                self.check(driver, printed, "max_connections=2")

    def test_option_with_leaks(self):
        printed = connection_suites.run("pymysql", SUITE, "--max-connections", "2",
                                        "--leaks=report")
        self.check("pymysql", printed, "max_connections=2")
        self.assertIn("opened by OrderTests.setUp", printed)

    def test_class_attribute(self):
        limited = SUITE.replace("    def setUp", "    leakfix_max_connections = 2\n    def setUp")
        limited = limited.replace("\nclass", "class")   # the same line numbers
        mixed = limited.replace("(unittest", "(unittest_leakfix.LeakFixMixin, unittest")
        for module, body in (("unittest_leakfix", limited), ("unittest", mixed),
                             ("unittest_leakfix", mixed)):
            with self.subTest(module=module, mixin=body is mixed):
                printed = connection_suites.run("pymysql", body, module=module)
                self.check("pymysql", printed, "OrderTests.leakfix_max_connections = 2")

    def test_pytest(self):
        limited = SUITE.replace("    def setUp", "    leakfix_max_connections = 2\n    def setUp")
        body = limited.replace("\nclass", "class").replace(
            "(unittest", "(unittest_leakfix.LeakFixMixin, unittest")
        try:
            __import__("pytest")
        except ImportError:
            self.skipTest("pytest is missing")
        printed = connection_suites.run("pymysql", body, "-q", "-p", "no:cacheprovider",
                                     module="pytest",
                                     suffix=".py")
        self.assertIn("1 failed, 2 passed", printed)
        self.assertIn("for test_shop.OrderTests.test_b", printed)

    def test_class_beside_class(self):
        """Only the class that says so is limited; its own setUpClass counts."""
        body = SUITE + """
class Limited(unittest.TestCase):
    leakfix_max_connections = 4
    @classmethod
    def setUpClass(cls):
        cls.db = connect(**settings)
    def test_d(self):
        connect(**settings)
class Zero(unittest.TestCase):
    leakfix_max_connections = 0
    def test_e(self):
        pass
    def test_f(self):
        connect(**settings)
class Zz(unittest.TestCase):
    def test_g(self):
        connect(**settings)
"""
        printed = connection_suites.run("pymysql", body, "-v")
        self.assertEqual([
            line.partition(" ")[0] for line in printed.splitlines() if line.endswith("FAIL")],
                         ["test_f"])

    def test_setupclass(self):
        body = """
class OrderTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.first = connect(**settings)
        cls.second = connect(**settings)
    def test_a(self): pass
"""
        printed = connection_suites.run("pymysql", body, "--max-connections=1")
        self.assertIn("ERROR: setUpClass (test_shop.OrderTests)", printed)
        self.assertIn("      for setUpClass (test_shop.OrderTests)\n", printed)

    def test_owned_connections_make_room(self):
        """What the tests own is closed after each: two are enough for any number of tests."""
        body = SUITE.replace("KEPT.append(connect(**settings))", "self.db = connect(**settings)")
        for outcome in ("pass", "self.fail()", "self.skipTest('so')"):
            printed = connection_suites.run("pymysql", body.replace("pass", outcome),
                                         "--max-connections=1")
            self.assertNotIn("ConnectionBudgetError", printed)

    def test_off(self):
        printed = connection_suites.run("pymysql", """
class Orders(unittest.TestCase):
    def test(self):
        import sys
        self.assertFalse([name for name in sys.modules if name.startswith("unittest_leakfix.databases")])
        self.assertFalse(hasattr(driver.connections.Connection.connect, "__wrapped__"))
""")  # noqa: E501
        self.assertIn("\nOK\n", printed)


if __name__ == "__main__":
    unittest.main()
