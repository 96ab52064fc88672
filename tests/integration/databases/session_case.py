"""What the tests of sessions share: both servers, each of their drivers, and who holds sessions."""
from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import unittest
from typing import Any, Callable, NamedTuple

from tests.support import private_server, servers, servers_postgresql
from unittest_leakfix.databases import mysql, postgresql
from unittest_leakfix.databases.connect import server as server_of

HOLDER = """
import importlib, json, sys
driver, settings, number = json.loads(sys.stdin.readline())
held = [importlib.import_module(driver).connect(**settings) for _ in range(number)]
print("holding", flush=True)
sys.stdin.read()
"""


class Dialect(NamedTuple):
    """How one kind of server is used by a test: our module for it, and its own SQL."""

    dialect: str
    module: Any
    start: Callable[[], Any]
    quote: str
    sleep: str
    begin: str
    own_id: str

    def quoted(self, name):
        """Return *name* as the name of a database in a statement."""
        return self.quote + name.replace(self.quote, 2 * self.quote) + self.quote


MySQL = Dialect("mysql", mysql, servers.mariadb, "`", "SELECT SLEEP(60)", "START TRANSACTION",
                "SELECT CONNECTION_ID()")
PostgreSQL = Dialect("postgresql", postgresql, servers_postgresql.postgresql, '"',
                     "SELECT pg_sleep(60)", "BEGIN", "SELECT pg_backend_pid()")


class SessionCase(unittest.TestCase):
    """A server, and connections that are closed after the test."""

    kind = None
    driver = None

    @classmethod
    def setUpClass(cls):
        cls.server = cls.kind.start()
        cls.driver_module = private_server.driver(cls.driver)

    def setUp(self):
        super().setUp()
        # What earlier tests closed stands on the server's list for a moment longer.
        deadline = time.monotonic() + 10
        watcher = self.connect(admin=True)
        while len(self.kind.module.sessions(watcher)) and time.monotonic() < deadline:
            time.sleep(0.01)
        watcher.close()

    def connect(self, admin=False, autocommit=True, database=None, **more):
        settings = dict(self.server.settings(admin=admin), **more)
        if database is not None and self.kind is PostgreSQL:
            settings["dbname"] = database
        connection = self.driver_module.connect(**settings)
        self.addCleanup(self.close, connection)
        if database is not None and self.kind is MySQL:
            # mysql.connector sends a name that is not ASCII in another encoding when it connects.
            self.run_sql(connection, "USE " + self.kind.quoted(database))
        if autocommit:
            set_autocommit(connection)
        return connection

    def close(self, connection):
        try:
            connection.close()
        except Exception:  # ended by the test, or closed by it
            pass

    def root(self):
        """A connection that may GRANT."""
        if self.kind is PostgreSQL:
            return self.connect(admin=True, database="postgres")
        import pymysql
        connection = pymysql.connect(user="root", password=self.server.password,
                                     unix_socket=self.server.socket)
        self.addCleanup(self.close, connection)
        self.run_sql(connection, "SET lock_wait_timeout = 5")
        return connection

    def run_sql(self, connection, statement):
        cursor = connection.cursor()
        cursor.execute(statement)
        found = list(cursor.fetchall()) if cursor.description else []
        cursor.close()
        return found

    def database(self, name):
        """A database of that name for this test; the user may use it."""
        admin = self.root()
        self.run_sql(admin, "CREATE DATABASE %s" % self.kind.quoted(name))
        drop = "DROP DATABASE %s" % self.kind.quoted(name)
        if self.kind is PostgreSQL:
            drop += " WITH (FORCE)"
        else:
            self.run_sql(admin, "GRANT ALL ON %s.* TO '%s'@'%%'" % (
                self.kind.quoted(name), self.server.user))
        self.addCleanup(lambda: self.run_sql(self.root(), drop))
        return name

    def id_of(self, connection):
        found = self.run_sql(connection, self.kind.own_id)[0][0]
        if self.kind is PostgreSQL and connection.info.transaction_status != 0:
            connection.rollback()
        return found

    def alive(self, connection):
        try:
            self.run_sql(connection, "SELECT 1")
        except Exception:
            return False
        return True

    def server_on(self, connection):
        return server_of(self.kind.dialect, connection)

    def hold(self, number=1, **more):
        """Another process that holds sessions; its Popen."""
        child = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, universal_newlines=True)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.stdin.close)
        child.stdin.write(json.dumps([self.driver, dict(self.server.settings(), **more), number])
                          + "\n")
        child.stdin.flush()
        self.assertEqual(child.stdout.readline(), "holding\n")
        return child

    def in_thread(self, connection, statement):
        """Run `statement` in a thread; return it and the list where its error will be."""
        errors = []

        def work():
            try:
                self.run_sql(connection, statement)
            except Exception as error:
                errors.append(error)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        return thread, errors

    def until(self, look, true, every=0.01):
        """Look until `true(what was seen)`, and return it: for what the server does in its own
        time."""
        for _ in range(int(5 / every)):
            found = look()
            if true(found):
                return found
            time.sleep(every)
        self.fail("never came: %s" % (found,))

    def shown(self, value):
        """Its text, without a password in it."""
        text = str(value)
        self.assertNotIn(self.server.password, text)
        self.assertNotIn(self.server.password, repr(value))
        return text


def set_autocommit(connection):
    try:
        connection.autocommit(True)  # PyMySQL, MySQLdb
    except TypeError:
        connection.autocommit = True


def each_driver(case, kind, *drivers, base=SessionCase):
    """Classes of `case` for the drivers, by name: to be put into a module's globals."""
    made = {}
    for driver in drivers:
        name = "%s_%s" % (case.__name__, driver.replace(".", "_"))
        made[name] = type(name, (case, base), {"kind": kind, "driver": driver,
                                                      "__module__": case.__module__})
    return made


MYSQL_DRIVERS = ("pymysql", "MySQLdb", "mysql.connector")
POSTGRESQL_DRIVERS = ("psycopg", "psycopg2")
