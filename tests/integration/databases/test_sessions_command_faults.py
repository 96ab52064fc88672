"""The command where it cannot do what it was asked: one clear line, and a status."""
from __future__ import annotations

import os

from tests.integration.databases.session_case import PostgreSQL
from tests.integration.databases.session_command import Environment, Run
from tests.support import servers, servers_postgresql


class Full(Environment):
    """A server that admits nobody more."""

    kind, driver = PostgreSQL, "psycopg2"

    def test_postgresql(self):
        server = servers_postgresql.PostgreSQL(5)
        self.addCleanup(server.stop)
        held = [self.driver_module.connect(**server.settings()) for _ in range(2)]
        self.full(server, "postgresql", "PGPASSWORD", held, "3 of 5", (
            "unittest_leakfix sessions: leakfix@127.0.0.1:%d is full (remaining connection slots "
            "are reserved for "
            "non-replication superuser connections). The last superuser_reserved_connections (3 by "
            "default) are for "
            "superusers: connect as one (postgresql://postgres@...)\n" % server.port))

    def test_mariadb(self):
        servers.mariadb()
        import pymysql
        server = servers.MariaDB(10)
        self.addCleanup(server.stop)
        held = [pymysql.connect(**server.settings()) for _ in range(10)]
        self.full(server, "mysql", "MYSQL_PWD", held, "11 of 10", (
            "unittest_leakfix sessions: leakfix@127.0.0.1:%d is full (Too many connections). One "
            "more is admitted for "
            "an account with CONNECTION ADMIN (SUPER before MariaDB 10.5 and MySQL 8), and on "
            "extra_port (MariaDB) or "
            "admin_port (MySQL 8): connect as such an account\n" % server.port))

    def full(self, server, scheme, variable, held, used, complaint):
        """The account of the tests is refused with that *complaint*; the administrator's sees the
        sessions."""
        self.addCleanup(lambda: [each.close() for each in held])
        url = "%s://%%s@127.0.0.1:%d/leakfix" % (scheme, server.port)
        run = Run(self, "sessions", url % "leakfix", **{variable: server.password})
        self.assertEqual((run.status, run.printed, run.complained), (2, "", complaint))
        run = Run(self, "sessions", url % "leakfix_admin", **{variable: server.password})
        self.assertEqual((run.status, run.complained), (0, ""))
        self.assertIn(used + " connections in use", run.printed)


class Mistakes(Environment):
    """What was asked in a wrong way: status 2, one clear line, and no password repeated."""

    @classmethod
    def setUpClass(cls):
        """No server is needed."""

    def refused(self, text, *arguments, **more):
        run = Run(self, "sessions", *arguments, **more)
        self.assertEqual((run.status, run.printed), (2, ""))
        self.assertEqual(run.complained.splitlines()[-1].split(": ", 1)[1], text)
        self.assertNotIn("hunter2", run.complained)

    def test_arguments(self):
        url = "mysql://u:hunter2@h/db"
        self.refused("error: the following arguments are required: URL")
        self.refused("error: unrecognized arguments: mysql://u:***@h/db", url, url)
        self.refused("error: argument --watch: invalid float value: 'mysql://u:***@h/db'",
                     "--watch=" + url)
        self.refused("error: --watch takes seconds, from 0.1 to 86400", "--watch", "0", url)
        self.refused("error: --watch takes seconds, from 0.1 to 86400", "--watch=nan", url)
        self.refused("error: --watch and --terminate do not go together", "--watch", url,
                     "--terminate")
        self.refused("error: --yes goes with --terminate", url, "--yes")
        self.refused("--terminate needs the one database whose sessions shall end: mysql://.../NAME",
                     "mysql://u:hunter2@h", "--terminate")
        self.refused("an address begins with mysql:// or postgresql://", "u:hunter2@h/db")

    def test_no_driver(self):
        for url, text in (
                ("mysql://u:hunter2@h/db",
                 "no driver for mysql: pymysql or MySQLdb or mysql.connector cannot be "
                 "imported. Install one: pip install PyMySQL"),
                ("postgresql+psycopg2://u:hunter2@h/db",
                 "no driver for postgresql: psycopg2 cannot be imported. "
                 "Install one: pip install psycopg[binary]")):
            self.refused(text, url, options=("-S",))

    def test_a_test_module_of_that_name(self):
        with open(os.path.join(self.home, "sessions.py"), "w") as module:
            module.write(
                "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        pass\n")
        run = Run(self, "sessions", cwd=self.home)
        self.assertEqual(run.status, 2)
        run = Run(self, "sessions.py", cwd=self.home)
        self.assertIn("Ran 1 test", run.complained)
        self.assertEqual(run.status, 0)
        self.assertIn("sessions.py", Run(self, "sessions", "--help").printed)
