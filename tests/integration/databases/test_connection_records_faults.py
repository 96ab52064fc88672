"""What goes wrong with servers, connections and processes: the run goes on, and says it in one
line."""

from __future__ import annotations

import re
import socket
import threading
import unittest

from tests.integration.databases import connection_suites
from tests.integration.databases.connection_suites import DRIVERS
from tests.support import servers, servers_postgresql
from unittest_leakfix.databases.connection_limit import Budget, ConnectionBudgetError
from unittest_leakfix.tracing.opened_connections import connection_registry

WAYS = ((), ("--leaks=report",), ("--max-connections=9",),
        ("--leaks=report", "--max-connections=9"))
TAKING = """
class Shop(unittest.TestCase):
    def setUp(self):
        self.db = connect(**settings)

    def ask(self, statement="select 1", db=None):
        cursor = (db or self.db).cursor()
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None
"""


class Faults(unittest.TestCase):
    maxDiff = None

    def ran(self, printed, number, verdict):
        """Check the end of the run, and that nothing of ours stands in what it said."""
        self.assertRegex(printed, r"Ran %d tests? in .*\n\n%s\n" % (number, re.escape(verdict)))
        self.assertNotIn("unittest_leakfix/leaks", printed)
        self.assertNotIn("LeakFixWarning", printed)

    def each(self, names, body, number, verdict, ways=WAYS):
        for name in names:
            for options in ways:
                with self.subTest(name, options=options):
                    printed = connection_suites.run(name, TAKING + body, *options)
                    self.ran(printed, number, verdict)
                    yield printed

    def test_server_goes_away(self):
        body = """
    def test_a(self):
        server.stop()
    def test_b(self):
        pass
class Zoo(unittest.TestCase):
    def test_c(self):
        pass
"""
        head = connection_suites.HEAD + """
from tests.support import servers
server = servers.MariaDB(5)
settings = server.settings()
"""
        servers.mariadb()
        for name in ("pymysql", "MySQLdb", "mysql.connector"):
            for options in WAYS:
                with self.subTest(name, options=options):
                    printed = connection_suites.run(name, TAKING + body, *options, head=head)
                    self.ran(printed, 3, "FAILED (errors=1)")
                    self.assertIn("ERROR: test_b", printed)

    def test_postgresql_goes_away(self):
        servers_postgresql.postgresql()
        body = """
    def test_a(self):
        server.stop()
    def test_b(self):
        pass
"""
        head = connection_suites.HEAD + """
from tests.support import servers_postgresql
server = servers_postgresql.PostgreSQL(8)
settings = server.settings()
"""
        for name in ("psycopg2", "psycopg"):
            with self.subTest(name):
                printed = connection_suites.run(name, TAKING + body, *WAYS[3], head=head)
                self.ran(printed, 2, "FAILED (errors=1)")
                self.assertIn("ERROR: test_b", printed)
                self.assertRegex(printed, "OperationalError: .*127.0.0.1.*")

    def test_server_refuses(self):
        servers.mariadb()
        head = connection_suites.HEAD + """
from tests.support import servers
server = servers.MariaDB(10)
settings = server.settings()
"""
        body = """
class Shop(unittest.TestCase):
    def setUp(self):
        KEPT.append(connect(**settings))
""" + "".join("    def test_%02d(self): pass\n" % number for number in range(20))
        for name in ("pymysql", "MySQLdb", "mysql.connector"):
            with self.subTest(name):
                printed = connection_suites.run(name, body, "--leaks=report",
                                                "--max-connections=15",
                                             head=head)
                self.assertIn("Too many connections", printed)
                # Those that were refused are not connections: the budget of 15 is never reached.
                self.assertRegex(printed, r"Ran 20 tests in .*\n\nFAILED \(errors=1[0-9]\)")
                self.assertNotIn("ConnectionBudgetError", printed)
                self.assertIn("opened by Shop.setUp", printed)

    def test_closed_by_the_server(self):
        kill = {"mysql": "kill %d", "postgresql": "select pg_terminate_backend(%d)"}
        for name, driver in DRIVERS.items():
            body = """
    def test_a(self):
        other = connect(**settings)
        self.ask(%r %% self.ask(%r), other)
        other.close()
    def test_b(self):
        self.assertTrue(self.ask())
""" % (kill[driver.server], driver.ask)
            for printed in self.each([name], body, 2, "OK", WAYS[3:]):
                self.assertIn("OK", printed)

    def test_close_that_raises(self):
        body = """
    def setUp(self):
        __import__(driver.__name__ + ".connections")
        class Stubborn(driver.connections.Connection):
            def close(self):
                super().close()
                raise RuntimeError("gone away")
        self.db = Stubborn(**settings)
    def test_a(self): pass
"""
        for name in ("pymysql", "MySQLdb"):
            printed = connection_suites.run(name, TAKING + body, "--leaks=report",
                                         "--max-connections=1")
            self.assertRegex(printed, r"\nOK\n")
            self.assertEqual(printed.count("raised"), 1, printed)
            self.assertRegex(printed,
                             r"LeakFixWarning: Shop.test_a is finished, but closing self.db "
                             r"\(%s connection .*\) raised RuntimeError: gone away" % name)

    def test_closed_twice(self):
        body = """
    def test_a(self):
        self.db.close()
        try:
            self.db.close()
        except driver.Error:
            pass
    def test_b(self):
        self.addCleanup(self.db.close)
"""
        for printed in self.each(DRIVERS, body, 2, "OK", WAYS[3:]):
            self.assertNotIn("connection to", printed)

    def test_fork(self):
        """The child of a test runs on into our closing; the parent's session must live."""
        body = """
    def test_a(self):
        import os, sys
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            sys.exit(3)     # unittest takes it for an error and goes on
        os.waitpid(child, 0)
        self.assertTrue(self.ask())
    def test_b(self):
        pass
"""
        mixed = TAKING.replace("(unittest.TestCase)",
                               "(unittest_leakfix.LeakFixMixin, unittest.TestCase)")
        # The C drivers end a session when its object dies, in whichever process: plain unittest,
        # too.
        for name in ("pymysql", "psycopg2"):
            for options in WAYS:
                for taking in (TAKING, mixed):
                    with self.subTest(name, options=options, mixin=taking is mixed):
                        printed = connection_suites.run(name, taking + body, *options,
                                                     head=connection_suites.HEAD + EXITS)
                        self.ran(printed, 2, "OK")


# The child leaves at once when its part of the run is over: nothing but us has closed anything by
# then.
EXITS = """
PARENT = os.getpid()
def tearDownModule():
    if os.getpid() != PARENT:
        os._exit(0)
"""


class Hanging(unittest.TestCase):
    """A server that takes the connection and says nothing."""

    def setUp(self):
        self.driver = DRIVERS["pymysql"]
        self.driver.settings()
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.address = dict(host="127.0.0.1", port=listener.getsockname()[1])

    def test_bounded_by_the_drivers_own_limit(self):
        budget = Budget(1)
        budget.begin()
        self.addCleanup(budget.end)
        failed = []

        def hang():
            try:
                self.driver.open(read_timeout=1, **self.address)
            except Exception as error:
                failed.append(type(error).__name__)
        thread = threading.Thread(target=hang, name="slow")
        thread.start()
        while not connection_registry._opening:
            pass
        with self.assertRaises(ConnectionBudgetError) as caught:
            self.driver.open()
        self.assertRegex(str(caught.exception),
                         r"""^one connection more than the 1 that may be open at the same time \(max_connections=1\)
open now:
  1 x pymysql connection, being opened now
      user_code.py:1 in <module>
      outside of the tests, in thread slow$""")  # noqa: E501
        thread.join()
        self.assertEqual((failed, connection_registry._opening), (["OperationalError"], {}))
        self.driver.open().close()


if __name__ == "__main__":
    unittest.main()
