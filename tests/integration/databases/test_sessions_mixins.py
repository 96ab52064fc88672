"""MySQLLeakFixMixin and PostgreSQLLeakFixMixin: what the tests of a class left on a real server."""
from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
import unittest
import warnings

from tests.integration.databases.session_case import MySQL, PostgreSQL, each_driver
from tests.support import servers, servers_postgresql
from unittest_leakfix import ClassLeakFixMixin, LeakFixWarning
from unittest_leakfix.databases.session_mixins import MySQLLeakFixMixin, PostgreSQLLeakFixMixin

LEFT = """\
OrderTests left 2 sessions on "leakfix", SERVER

  id user client state for
  ID leakfix 127.0.0.1:PORT idle N s
      held by pid HERE: python CUT
  ID leakfix 127.0.0.1:PORT idle N s
      held by pid HERE: python CUT

%sended 2 sessions on "leakfix": ID, ID"""
NOTES = {"postgresql": "", "mysql": (
    "Note: 'leakfix'@'%' sees its own sessions only, and no open transactions; to see all: "
    "GRANT PROCESS ON *.* TO 'leakfix'@'%'\n\n")}
kept = []


def ran(case):
    """Run a class; return its result, the texts of the LeakFixWarnings, and what unittest
    printed."""
    stream = io.StringIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = unittest.TextTestRunner(stream).run(
            unittest.defaultTestLoader.loadTestsFromTestCase(case))
    return result, [str(each.message) for each in caught
                    if each.category is LeakFixWarning], stream.getvalue()


class Mixins:
    """With both servers."""

    mixins = {"mysql": MySQLLeakFixMixin, "postgresql": PostgreSQLLeakFixMixin}

    def setUp(self):
        self.addCleanup(kept.clear)
        home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, home)
        reported = {"HOME": home, "MYSQL_HOST": self.server.host,
                "MYSQL_TCP_PORT": str(self.server.port),
                "MYSQL_PWD": self.server.password, "PGHOST": self.server.host,
                "PGPORT": str(self.server.port),
                "PGPASSWORD": self.server.password, "PGUSER": self.server.user}
        with open(os.path.join(home, ".my.cnf"), "w") as file:
            file.write("[client]\nuser=%s\n" % self.server.user)
        before = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))
        os.environ.update(reported)

    def case(self, *bases, **values):
        """A class of two tests; each keeps a connection in a module's list."""
        def test(this):
            kept.append(self.connect())
        values = dict({"leakfix_database": self.server.database, "test_one": test, "test_two": test,
                       "_leakfix_grace": 0.1}, **values)
        return type("OrderTests", (self.mixins[self.kind.dialect],) + bases + (unittest.TestCase,),
                    values)

    def normal(self, text):
        """The text without what differs from run to run, and so without the widths of columns."""
        for found, shown in (
                ("(MariaDB|PostgreSQL) [0-9.]+", "SERVER"), (r"(127.0.0.1:)\d+", r"\1PORT"),
                (r"\b\d+ s$", "N s"),
                ("pid %d:" % os.getpid(), "pid HERE:"), ("python[0-9.]* .*", "python CUT"),
                (r"^  \d+ ", "  ID "), (r"\d+, \d+$", "ID, ID"), ("^ +(?=held)", "      "),
                (r"(?<=\S) +", " ")):
            text = re.sub("(?m)" + found, shown, text)
        return self.shown(text)

    def test_reported_and_ended(self):
        before = self.connect()
        result, reported, _ = ran(self.case())
        self.assertEqual([self.normal(each) for each in reported],
                         [LEFT % NOTES[self.kind.dialect]])
        self.assertTrue(result.wasSuccessful())
        self.assertEqual([self.alive(each) for each in kept + [before]], [False, False, True])

    def test_fails_the_class(self):
        result, reported, printed = ran(self.case(leakfix_fail_on_sessions=True))
        self.assertEqual(reported, [])
        (where, text), = result.errors
        self.assertEqual(str(where), "tearDownClass (%s.OrderTests)" % self.case().__module__)
        self.assertIn("SessionsLeft: OrderTests left 2 sessions on", self.shown(text))
        self.assertIn('ended 2 sessions on "leakfix": ', text)
        self.assertEqual([self.alive(each) for each in kept], [False, False])
        self.shown(printed)

    def test_nothing_left(self):
        def test(this):
            this.db = self.connect()
            cycle = [this.db]
            cycle.append(cycle)
            this.db.close()
        result, reported, _ = ran(self.case(test_one=test, test_two=lambda this: None,
                                        leakfix_fail_on_sessions=True,
                                        _leakfix_grace=5))
        self.assertEqual((reported, result.errors), ([], []))

    def test_garbage_is_nothing_left(self):
        def test(this):
            cycle = [self.driver_module.connect(**self.server.settings())]
            cycle.append(cycle)
        result, reported, _ = ran(self.case(
            test_one=test, test_two=test, leakfix_fail_on_sessions=True, _leakfix_grace=5))
        self.assertEqual((reported, result.errors), ([], []))

    def test_no_database(self):
        result, reported, _ = ran(self.case(leakfix_database=None))
        self.assertEqual((reported, [self.alive(each) for each in kept]), ([], [True, True]))
        self.assertTrue(result.wasSuccessful())

    def test_function(self):
        opened_here = []

        def connection():
            opened_here.append(self.connect())
            return opened_here[-1]
        result, reported, _ = ran(self.case(leakfix_database=connection))
        self.assertEqual([self.normal(each) for each in reported],
                         [LEFT % NOTES[self.kind.dialect]])
        self.assertEqual(len(opened_here), 1)

    def test_address(self):
        address = "%s://%s:%s@%s:%d/%s" % (self.kind.dialect, self.server.user,
                                           self.server.password,
                                           self.server.host, self.server.port, self.server.database)
        _, reported, _ = ran(self.case(leakfix_database=address))
        self.assertEqual([self.normal(each) for each in reported],
                         [LEFT % NOTES[self.kind.dialect]])

    def test_class_attributes_closed_by_another_mixin(self):
        def setUpClass(cls):
            cls.db = self.driver_module.connect(**self.server.settings())
        result, reported, _ = ran(self.case(
            ClassLeakFixMixin, setUpClass=classmethod(setUpClass), leakfix_fail_on_sessions=True,
            test_one=lambda this: None, test_two=lambda this: None, _leakfix_grace=5))
        self.assertEqual((reported, result.errors), ([], []))

    def test_setUpClass_raises(self):
        def setUpClass(cls):
            kept.append(self.connect())
            raise RuntimeError("half way")
        result, reported, _ = ran(self.case(setUpClass=classmethod(setUpClass)))
        self.assertEqual([self.alive(each) for each in kept], [False])
        self.assertEqual([text.splitlines()[-1] for _, text in result.errors],
                         ["RuntimeError: half way"])
        self.assertEqual([each.splitlines()[0].split(" on ")[0] for each in reported],
                         ["OrderTests left 1 session"])

    def test_other_process(self):
        def test(this):
            kept.append(self.hold())
        result, reported, _ = ran(self.case(test_one=test, test_two=lambda this: None))
        self.assertIn("held by pid %d: python" % kept[0].pid, reported[0])

    def test_full_server(self):
        def test(this):
            try:
                for _ in range(30):
                    kept.append(self.connect())
            except self.driver_module.OperationalError:
                pass
        result, reported, _ = ran(self.case(test_one=test, test_two=lambda this: None))
        self.assertGreater(len(kept), 14)
        self.assertEqual([each.splitlines()[0].split(" on ")[0] for each in reported],
                         ["OrderTests left %d sessions" % len(kept)])
        self.assertEqual([self.alive(each) for each in kept], [False] * len(kept))

    def test_our_connection_lost(self):
        root = self.root()
        known = [each.id for each in self.kind.module.sessions(root)]

        def test(this):
            ours, = [each for each in self.kind.module.sessions(root) if each.id not in known]
            self.server_on(root).end(ours)
            kept.append(self.connect())
        result, reported, _ = ran(self.case(test_one=test, test_two=lambda this: None))
        self.assertEqual(result.errors, [])
        self.assertEqual([each.splitlines()[0].split(" on ")[0] for each in reported],
                         ["OrderTests left 1 session"])

    def test_unreachable(self):
        os.environ["PGPORT"] = os.environ["MYSQL_TCP_PORT"] = "1"
        result, reported, _ = ran(self.case())
        self.assertTrue(result.wasSuccessful())
        start = "OrderTests: the sessions on the server cannot be watched: CannotConnect: "
        self.assertEqual([each[:len(start)] for each in reported], [start])
        self.shown(reported)
        result, reported, _ = ran(self.case(leakfix_fail_on_sessions=True))
        self.assertEqual((reported, len(result.errors), result.testsRun), ([], 1, 0))
        self.assertIn("SessionsLeft: " + start, result.errors[0][1])

    def test_wrong_name(self):
        for wrong in ("", " ", "oracle://x/y", "%s://h/" % self.kind.dialect):
            _, reported, _ = ran(self.case(leakfix_database=wrong))
            self.assertEqual(len(reported), 1, wrong)

    def test_behind_the_TestCase(self):
        mixin = self.mixins[self.kind.dialect]
        with self.assertRaisesRegex(TypeError,
                                    "^%s must stand before the TestCase" % mixin.__name__):
            type("Wrong", (unittest.TestCase, mixin), {})


globals().update(each_driver(Mixins, MySQL, "pymysql"))
globals().update(each_driver(Mixins, PostgreSQL, "psycopg", "psycopg2"))


class Stopped(unittest.TestCase):
    """The server ends while the class runs."""

    def case(self, mixin, connect, stop, **values):
        return type("OrderTests", (mixin, unittest.TestCase), dict(
            leakfix_database=staticmethod(connect), test_stops=lambda this: stop(), **values))

    def check(self, mixin, connect, server):
        start = 'OrderTests: the sessions left on "leakfix" cannot be read: OperationalError'
        result, reported, _ = ran(self.case(mixin, connect, server.stop))
        self.assertTrue(result.wasSuccessful())
        self.assertEqual([each[:len(start)] for each in reported], [start])
        self.assertNotIn(server.password, "".join(reported))

    def test_mariadb(self):
        servers.mariadb()
        import pymysql
        server = servers.MariaDB(5)
        self.addCleanup(server.stop)
        self.check(MySQLLeakFixMixin, lambda: pymysql.connect(**server.settings()), server)

    def test_postgresql(self):
        servers_postgresql.postgresql()
        import psycopg2
        server = servers_postgresql.PostgreSQL(10)
        self.addCleanup(server.stop)
        self.check(PostgreSQLLeakFixMixin, lambda: psycopg2.connect(**server.settings()), server)

    def test_fails_when_it_shall(self):
        servers_postgresql.postgresql()
        import psycopg2
        server = servers_postgresql.PostgreSQL(10)
        self.addCleanup(server.stop)
        result, reported, _ = ran(self.case(
            PostgreSQLLeakFixMixin, lambda: psycopg2.connect(**server.settings()), server.stop,
            leakfix_fail_on_sessions=True))
        self.assertEqual((reported, len(result.errors)), ([], 1))
