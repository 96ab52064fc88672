"""The sessions on real servers, listed over each driver."""
from __future__ import annotations

import os
import unittest
import warnings

from tests.integration.databases.session_case import (
    MYSQL_DRIVERS,
    POSTGRESQL_DRIVERS,
    MySQL,
    PostgreSQL,
    each_driver,
)
from tests.support import servers, servers_postgresql
from unittest_leakfix.databases import mysql, postgresql


class Listing:
    """What both servers tell."""

    def test_other_processes_and_sockets(self):
        child = self.hold()
        mine, watcher = self.connect(), self.connect(admin=True)
        found = self.kind.module.sessions(watcher, self.server.database)
        held = {each.pid_here: each for each in found}
        self.assertEqual(set(held), {child.pid, os.getpid()}, self.shown(found))
        self.assertEqual(held[os.getpid()].id, self.id_of(mine))
        theirs = held[child.pid]
        self.assertEqual((theirs.user, theirs.client_host, theirs.database),
                         (self.server.user, "127.0.0.1", self.server.database))
        self.assertTrue(theirs.client_port and theirs.age is not None)
        self.assertRegex(theirs.command_here, "^python[0-9.]* -c ")

    def test_fork_holds_it_too(self):
        mine, watcher = self.connect(), self.connect(admin=True)
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of the other tests (3.12)
            child = os.fork()
        if not child:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        try:
            found, = self.kind.module.sessions(watcher, self.server.database)
            self.assertEqual(found.pids_here, (os.getpid(), child))
            self.assertIn("held by pid %d (and its fork %d): python" % (os.getpid(), child),
                          self.shown(self.kind.module.sessions(watcher, self.server.database)))
        finally:
            os.close(reading), os.close(writing)
            os.waitpid(child, 0)
        self.assertTrue(self.alive(mine))

    def test_states_and_statements(self):
        busy, watcher = self.connect(), self.connect(admin=True)
        self.in_thread(busy, self.kind.sleep + " /* Grüße ☃ */")
        self.until(lambda: [
            each.statement for each in self.server_on(watcher).look(self.server.database)],
                   lambda seen: seen == [self.kind.sleep + " /* Grüße ☃ */"])
        busy, = self.server_on(watcher).look(self.server.database)
        self.assertEqual(busy.state.split(":")[0], "active")
        self.assertIn("Grüße ☃",
                      self.shown(self.kind.module.sessions(watcher, self.server.database)))
        self.kind.module.terminate_sessions(watcher, self.server.database)

    def test_secrets_in_statements(self):
        busy, watcher = self.connect(), self.connect(admin=True)
        self.in_thread(busy, self.kind.sleep + ", 'password: %s'" % self.server.password)
        found = self.until(lambda: self.kind.module.sessions(watcher, self.server.database),
                           lambda seen: [each.state[:6] for each in seen] == ["active"])
        self.assertIn(self.kind.sleep + ", ***", self.shown(found))
        self.kind.module.terminate_sessions(watcher, self.server.database)

    def test_who_is_asked_and_may_fail(self):
        mine, watcher = self.connect(), self.connect(admin=True)
        found = self.kind.module.sessions(watcher, self.server.database,
                                          lambda each: "test %d" % each.id)
        self.assertIn("opened by test %d" % self.id_of(mine), str(found))
        found = self.kind.module.sessions(watcher, self.server.database, lambda each: 1 // 0)
        self.assertEqual([each.opened_by for each in found], [""])

    def test_all_databases_and_never_itself(self):
        mine, watcher = self.connect(), self.connect(admin=True)
        found = self.kind.module.sessions(watcher)
        self.assertEqual([each.id for each in found], [self.id_of(mine)])
        self.assertEqual((found.in_use, found.limit), (2, 20))


globals().update(each_driver(Listing, MySQL, *MYSQL_DRIVERS))
globals().update(each_driver(Listing, PostgreSQL, *POSTGRESQL_DRIVERS))


class Faults(unittest.TestCase):
    """A server that ends while it is looked at; rows of other shapes."""

    def test_mariadb_stopped(self):
        servers.mariadb()
        pymysql = __import__("pymysql")
        server = servers.MariaDB(5)
        self.addCleanup(server.stop)
        other, connection = pymysql.connect(**server.settings()), pymysql.connect(
            **server.settings(admin=True))
        self.addCleanup(connection.close)
        server_on = mysql.MySQL(connection)
        self.assertEqual(len(server_on.look("leakfix")), 1)
        server.stop()
        with self.assertRaises(pymysql.err.OperationalError):
            mysql.terminate_sessions(connection, "leakfix")
        with self.assertRaises(pymysql.err.Error):
            server_on.look("leakfix")
        other.close()

    def test_postgresql_stopped(self):
        servers_postgresql.postgresql()
        psycopg2 = __import__("psycopg2")
        server = servers_postgresql.PostgreSQL(10)
        self.addCleanup(server.stop)
        connection = psycopg2.connect(**server.settings())
        self.addCleanup(connection.close)
        self.assertEqual(len(postgresql.sessions(connection)), 0)
        server.stop()
        with self.assertRaises(psycopg2.OperationalError):
            postgresql.sessions(connection)

    def test_rows_of_other_shapes(self):
        server, postgres = servers.mariadb(), servers_postgresql.postgresql()
        import psycopg
        import psycopg.rows
        import psycopg2
        import psycopg2.extras
        import pymysql
        import pymysql.cursors
        made = [(mysql,
                 pymysql.connect(cursorclass=pymysql.cursors.DictCursor, **server.settings())),
                (mysql, pymysql.connect(cursorclass=pymysql.cursors.SSCursor, **server.settings()))]
        for factory in (psycopg2.extras.RealDictCursor, psycopg2.extras.DictCursor,
                        psycopg2.extras.NamedTupleCursor):
            made.append((postgresql,
                         psycopg2.connect(cursor_factory=factory, **postgres.settings())))
        for shape in (psycopg.rows.dict_row, psycopg.rows.namedtuple_row):
            made.append((postgresql, psycopg.connect(row_factory=shape, **postgres.settings())))
        for module, connection in made:
            with self.subTest(connection=connection):
                found = module.sessions(connection, "leakfix")
                self.assertEqual([each.user for each in found], ["leakfix"] * len(found))
                self.assertTrue(len(found))
        for _, connection in made:
            connection.close()
