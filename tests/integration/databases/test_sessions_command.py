"""python -m unittest_leakfix sessions URL: as a person runs it, on real servers. No password is
printed."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

from tests.integration.databases.session_case import (
    MYSQL_DRIVERS,
    POSTGRESQL_DRIVERS,
    MySQL,
    PostgreSQL,
    each_driver,
)
from tests.integration.databases.session_command import Environment, Run
from tests.support import servers_postgresql

SHOWN = """\
1 session on "leakfix", SERVER: 2 of 20 connections in use

  id user client state for
  ID leakfix 127.0.0.1:PORT idle N s
      held by pid HERE: python CUT
"""


class Commands:
    """With each driver."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        known = {"MySQLdb": "mysqldb", "mysql.connector": "mysqlconnector"}
        cls.scheme = "%s+%s" % (cls.kind.dialect, known.get(cls.driver, cls.driver))

    def url(self, user=None, password=None, database=None, port=None):
        return "%s://%s%s@%s:%d/%s" % (
            self.scheme, user or self.server.user, "" if password is None else ":" + password,
            self.server.host,
            port or self.server.port, self.server.database if database is None else database)

    def environment(self, **more):
        more.setdefault("MYSQL_PWD" if self.kind is MySQL else "PGPASSWORD", self.server.password)
        return super().environment(**more)

    def normal(self, text):
        for found, shown in (
                ("(MariaDB|PostgreSQL) [0-9.]+", "SERVER"), (r"(127.0.0.1:)\d+", r"\1PORT"),
                (r"\b\d+ s$", "N s"),
                ("pid %d:" % os.getpid(), "pid HERE:"), ("python[0-9.]* .*", "python CUT"),
                (r"^  \d+ ", "  ID "), ("^ +(?=held)", "      "), (r"(?<=\S) +", " "),
                (r"\n\nNote: 'leakfix.*", "")):
            text = re.sub("(?m)" + found, shown, text)
        return text

    def test_shows(self):
        self.connect()
        run = Run(self, "sessions", self.url())
        self.assertEqual((self.normal(run.printed), run.complained, run.status), (SHOWN, "", 0))

    def test_password_in_the_address(self):
        run = Run(self, "sessions", self.url(password=self.server.password), MYSQL_PWD="",
                  PGPASSWORD="")
        self.assertEqual((run.status, run.complained), (0, ""))

    def test_wrong_password(self):
        run = Run(self, "sessions", self.url(password="hunter2"), MYSQL_PWD="", PGPASSWORD="")
        self.assertEqual((run.status, run.printed, run.complained.count("\n")), (2, "", 1))
        self.assertIn("unittest_leakfix sessions: cannot connect to leakfix@127.0.0.1:%d: "
                      % self.server.port,
                      run.complained)
        self.assertNotIn("hunter2", run.complained)

    def test_nobody_there(self):
        run = Run(self, "sessions", self.url(password="hunter2", port=1))
        self.assertEqual((run.status, run.complained.count("\n")), (2, 1))
        self.assertNotIn("hunter2", run.complained)

    def test_terminate_asks(self):
        kept = self.connect()
        for answer in ("", "yess\n"):
            run = Run(self, "sessions", self.url(), "--terminate", answer=answer)
            self.assertEqual(run.status, 1)
            self.assertIn('End 1 session on "leakfix"? [y/N] ', run.printed)
            self.assertEqual(run.printed.splitlines()[-1][-18:], "Nothing was ended.")
        self.assertTrue(self.alive(kept))
        run = Run(self, "sessions", self.url(), "--terminate", answer="y\n")
        self.assertEqual((run.status, run.complained), (0, ""))
        self.assertRegex(run.printed, r'\nended 1 session on "leakfix": \d+\n$')
        self.assertFalse(self.alive(kept))

    def test_terminate_for_scripts(self):
        other = self.connect(admin=True, database="mysql" if self.kind is MySQL else "postgres")
        kept = self.connect()
        self.assertEqual(Run(self, "sessions", "--terminate", "--yes", self.url()).status, 0)
        self.assertEqual([self.alive(each) for each in (kept, other)], [False, True])
        self.assertEqual(Run(self, "sessions", "--terminate", "--yes", self.url()).status, 0)


for name, made in {**each_driver(Commands, MySQL, *MYSQL_DRIVERS, base=Environment),
                   **each_driver(Commands, PostgreSQL, *POSTGRESQL_DRIVERS,
                                 base=Environment)}.items():
    globals()[name] = made
del name, made


class Watching(Environment):
    """--watch, until Ctrl-C or until the server goes."""

    kind, driver = PostgreSQL, "psycopg2"

    def watch(self, server):
        child = subprocess.Popen(
            [sys.executable, "-m", "unittest_leakfix", "sessions", "--watch", "0.1",
             "postgresql://leakfix@127.0.0.1:%d/leakfix" % server.port],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
            env=self.environment(PGPASSWORD=server.password))
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def seen(self, child, text):
        for line in child.stdout:
            if line.startswith(text):
                return
        self.fail("ended without: " + text)

    def test_live(self):
        child = self.watch(self.server)
        self.seen(child, "no sessions")
        new = self.connect()
        self.seen(child, "1 session")
        new.close()
        self.seen(child, "no sessions")
        child.send_signal(signal.SIGINT)
        printed, complained = child.communicate(timeout=20)
        self.assertEqual((child.returncode, complained), (0, ""))

    def test_server_goes(self):
        server = servers_postgresql.PostgreSQL(10)
        self.addCleanup(server.stop)
        child = self.watch(server)
        self.seen(child, "no sessions")
        server.stop()
        _, complained = child.communicate(timeout=20)
        self.assertEqual((child.returncode, complained.count("\n")), (2, 1), complained)
        self.assertTrue(complained.startswith("unittest_leakfix sessions: leakfix@127.0.0.1:%d: "
                                              % server.port))
