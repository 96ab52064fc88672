"""Sessions as text, whole; and no secret in any of it."""
from __future__ import annotations

import struct
import unittest

from tests.support import private_server
from unittest_leakfix._core import redaction
from unittest_leakfix.databases.server import code
from unittest_leakfix.databases.server_sessions import (
    Ended,
    MissingPrivilege,
    Refused,
    Session,
    Sessions,
    duration,
    outcome,
    table,
)
from unittest_leakfix.leaks.report.terminal import Style
from unittest_leakfix.tracing.acquisitions import Acquisition
from unittest_leakfix.tracing.stacks import Frame

LEAK = Session(3933, "app", "127.0.0.1", 50168, "", "test_shop", "idle", 12.4,
               "SELECT COUNT(*) FROM orders", "2026-01-01 10:00:00.000000", (4170, 4175),
               "python -m unittest",
               Acquisition("connection", "", "OrderTests.test_leak", "orm-worker",
                           (Frame("tests/test_orders.py", 17, "worker"),)))
OTHER = Session(4176, "bücher", "::1", 50170, "psql", "test_shop", "idle in transaction", 7300.0,
                "INSERT INTO orders VALUES (1, 'Grüße ☃')", "", (4175,), "psql test_shop",
                "alias 'default'")
UNSEEN = Session(4200, "root", "?", None, "", "test_shop")
SOCKET = Session(7, "app", "", None, "", "other", "active: waiting for a lock", 0.2)

FULL = """\
3 sessions on "test_shop", PostgreSQL 15.18: 20 of 20 connections in use

  id    user    client           application  state                for
  3933  app     127.0.0.1:50168               idle                 12 s
        SELECT COUNT(*) FROM orders
        held by pid 4170 (and its fork 4175): python -m unittest
        opened by OrderTests.test_leak, thread 'orm-worker', tests/test_orders.py:17 in worker
  4176  bücher  [::1]:50170      psql         idle in transaction  2 h
        INSERT INTO orders VALUES (1, 'Grüße ☃')
        held by pid 4175: psql test_shop
        opened by alias 'default'
  4200  root    ?                             ?                    ?

Note: app sees little of other roles' sessions; to see all: GRANT pg_read_all_stats TO "app\""""
ASCII = r"""1 session on "test_shop"

  id    user       client       application  state                for
  4176  b\xfccher  [::1]:50170  psql         idle in transaction  2 h
        INSERT INTO orders VALUES (1, 'Gr\xfc\xdfe \u2603')
        held by pid 4175: psql test_shop
        opened by alias 'default'"""
ALL = """\
1 session, MariaDB 10.11.19: 2 of 151 connections in use

  id  user  client       database  state                       for
  7   app   socket file  other     active: waiting for a lock  0 s"""


class Tables(unittest.TestCase):
    maxDiff = None

    def test_whole(self):
        self.assertEqual(str(Sessions(
            (LEAK, OTHER, UNSEEN), "PostgreSQL 15.18", "test_shop", 20, 20,
            ("app sees little of other roles' sessions; to see all: GRANT pg_read_all_stats TO "
             "\"app\"",))), FULL)

    def test_ascii(self):
        self.assertEqual(table(Sessions((OTHER,), database="test_shop"), Style(encoding="ascii")),
                         ASCII)

    def test_all_databases(self):
        self.assertEqual(str(Sessions((SOCKET,), "MariaDB 10.11.19", None, 2, 151)), ALL)

    def test_none(self):
        self.assertEqual(str(Sessions((), "MariaDB 10.11.19", "test\nshop", 1, 151)),
                         'no sessions on "test\\nshop", MariaDB 10.11.19: 1 of 151 connections in '
                         'use')

    def test_narrow(self):
        for line in table(Sessions((LEAK, OTHER), database="test_shop"),
                          Style(width=60)).splitlines()[3:]:
            if line.startswith("       "):
                self.assertLessEqual(len(line), 60)

    def test_hostile_text(self):
        hostile = Session(1, "a\x1b[2Jb\nc", "h\r", None, "x" * 300, "d", "idle", 1.0,
                          "SELECT\x1b[2J\n1")
        text = str(Sessions((hostile,), database="d\x1b"))
        self.assertNotIn("\x1b", text)
        self.assertEqual(len(text.splitlines()), 5)
        self.assertIn("SELECT\\x1b[2J\\n1", text)

    def test_duration(self):
        self.assertEqual([duration(each) for each in (None, -1, 0, 119.9, 120, 7199, 7200, 172800)],
                         ["?", "0 s", "0 s", "119 s", "2 min", "119 min", "2 h", "2 d"])

    def test_outcome(self):
        ended = Ended("test_shop", (LEAK, OTHER), (SOCKET,), (Refused(UNSEEN, MissingPrivilege(
            "it is another role's: GRANT pg_signal_backend TO \"app\"")),), (SOCKET,))
        self.assertEqual(outcome(ended), """\
ended 2 sessions on "test_shop": 3933, 4176
1 session gone already: 7
1 session ordered to end, and still there (a transaction may be rolled back): 7
could not end session 4200 (root): it is another role's: GRANT pg_signal_backend TO "app\"""")
        self.assertEqual(str(Ended("test_shop")), 'ended no sessions on "test_shop"')


class Secrets(unittest.TestCase):
    """What holds `hunter2` never shows it."""

    STATEMENTS = (
        "SET PASSWORD = PASSWORD('hunter2')", "ALTER ROLE app PASSWORD 'hunter2'",
        "CREATE USER a IDENTIFIED BY 'hunter2'", 'CREATE USER a IDENTIFIED BY "hunter2"',
        "create user a identified with x as 0x68756e746572hunter2",
        "INSERT INTO users (name, password) VALUES ('a\\', 'hunter2')",
        "SELECT $$x$$, $a$ hunter2 $a$ AS secret", "SELECT pgp_sym_encrypt('x', 'hunter2')",
        "SELECT * FROM dblink('host=x password=hunter2', 'SELECT 1')",
        "ALTER ROLE a PASSWORD 'hunter2",
        "CREATE SUBSCRIPTION s CONNECTION 'postgres://u:hunter2@h/d'",
        "CREATE USER\nMAPPING OPTIONS (user 'a',\npassword 'hunter2')", "SET x.api_key = hunter2",
    )
    COMMANDS = (
        ["psql", "postgres://u:hunter2@h/d"], ["psql", "postgres://u:a/hunter2@b@h/d"],
        ["mysql", "-phunter2"],
        ["mysql", "--password=hunter2"], ["mysql", "--password", "hunter2"],
        ["psql", "host=x password=hunter2"],
        ["sh", "-c", "MYSQL_PWD=hunter2 mysql -e x"], ["sh", "-c", "PGPASSWORD='hunter2' psql"],
        ["python", "-c", "import pymysql; pymysql.connect(password='hunter2')"],
        ["python", "-c", "import pymysql; pymysql.connect('h', 'u', \"hunter2\")"],
        ["python", "-c", "settings = {'password': 'hunter2'}"],
    )

    def test_statements(self):
        for dialect in ("mysql", "postgresql"):
            for each in self.STATEMENTS:
                if dialect == "postgresql" and ("0x" in each or '"hunter2"' in each):
                    continue  # there a string has no double quotes, and 0x is none
                self.assertNotIn("hunter2", redaction.statement(each, dialect), each)

    def test_names_stay(self):
        self.assertEqual(redaction.statement('SELECT "user"."password" FROM "user" WHERE id = 4',
                                             "postgresql"),
                         'SELECT "user"."password" FROM "user" WHERE id = 4')
        self.assertEqual(redaction.statement("SELECT `a` FROM t WHERE b = 'c'", "mysql"),
                         "SELECT `a` FROM t WHERE b = 'c'")

    def test_commands(self):
        for each in self.COMMANDS:
            self.assertNotIn("hunter2", redaction.command(each), each)
        self.assertEqual(redaction.command(["/opt/venv/bin/python", "-c", "import psycopg2,time"]),
                         "/opt/venv/bin/python -c import psycopg2,time")

    def test_errors(self):
        self.assertEqual(redaction.error(ValueError("hunter2 is wrong"), "hunter2", ""),
                         "ValueError: *** is wrong")
        self.assertEqual(redaction.error(OSError(5, "lost")), "OSError: lost")

        class Lying(Exception):
            def __str__(self):
                raise RuntimeError
        self.assertEqual(redaction.error(Lying()), "Lying: (its text cannot be had)")

    def test_values(self):
        self.assertNotIn("hunter2", str(Sessions((Session(
            1, "u", application="postgres://u:hunter2@h", database="d",
            opened_by="connect(password='hunter2')"),))))

class CodeTest(unittest.TestCase):
    """The number of an error of MySQL's, whatever else its driver has of it."""

    def test_pymysql(self):
        errors = private_server.driver("pymysql").err
        packet = b"\xff" + struct.pack("<h", 1227) + b"#42000Access denied"
        with self.assertRaises(errors.OperationalError) as caught:
            errors.raise_mysql_exception(packet)    # which knows its SQLSTATE since 1.2
        self.assertEqual(1227, code(caught.exception))

    def test_connector(self):
        errors = private_server.driver("mysql.connector").errors
        self.assertEqual(1227, code(errors.get_exception(
            b"\x00\x00\x00\x00\xff" + struct.pack("<h", 1227) + b"#42000Access denied")))

    def test_sqlstate_beside_the_number(self):
        error = Exception(1227, "Access denied")
        error.sqlstate = "42000"
        self.assertEqual(1227, code(error))
        error = Exception("permission denied")
        error.sqlstate = "42501"
        self.assertEqual("42501", code(error))
        error = Exception("permission denied")
        error.pgcode = "42501"
        self.assertEqual("42501", code(error))
        self.assertIsNone(code(Exception("gone")))
