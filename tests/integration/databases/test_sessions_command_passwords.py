"""Where the command takes a password from, and that it never prints one."""
from __future__ import annotations

import os
import select
import sys
import unittest
import warnings

try:
    import pty
except ImportError:
    raise unittest.SkipTest("no pseudo-terminals on this system")

from tests.integration.databases.session_case import PostgreSQL
from tests.integration.databases.session_command import Environment, Run
from tests.support import servers


class Passwords(Environment):
    """Where it comes from, when it is not in the address."""

    kind, driver = PostgreSQL, "psycopg2"

    def url(self):
        return "postgresql://leakfix@127.0.0.1:%d/leakfix" % self.server.port

    def test_pgpass(self):
        path = os.path.join(self.home, ".pgpass")
        with open(path, "w") as file:
            file.write("127.0.0.1:*:*:leakfix:%s\n" % self.server.password)
        os.chmod(path, 0o600)
        self.assertEqual(Run(self, "sessions", self.url(), PGPASSFILE=path).status, 0)

    def test_my_cnf(self):
        server = servers.mariadb()
        with open(os.path.join(self.home, ".my.cnf"), "w") as file:
            file.write("[client]\nuser=leakfix\npassword=%s\nport=%d\n"
                       % (server.password, server.port))
        run = Run(self, "sessions", "mysql://127.0.0.1/leakfix")
        self.assertEqual((run.status, run.complained), (0, ""))
        self.assertNotIn(server.password, run.printed)

    def test_no_terminal_no_question(self):
        run = Run(self, "sessions", self.url())
        self.assertEqual((run.status, run.printed), (2, ""))
        self.assertIn("no password supplied", run.complained)

    def test_asked_for(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of the other tests (3.12)
            child, terminal = pty.fork()
        if not child:
            try:
                os.execve(sys.executable,
                          [sys.executable, "-m", "unittest_leakfix", "sessions", self.url()],
                          self.environment())
            finally:
                os._exit(127)
        printed = self.until_printed(terminal,
                                     b"Password for leakfix@127.0.0.1:%d: " % self.server.port)
        os.write(terminal, self.server.password.encode() + b"\n")
        printed += self.until_printed(terminal, b"no sessions on")
        _, status = os.waitpid(child, 0)
        os.close(terminal)
        self.assertEqual(status, 0)
        self.shown(printed.decode())

    def until_printed(self, terminal, text):
        printed = b""
        while text not in printed:
            self.assertTrue(select.select([terminal], [], [], 20)[0], printed)
            printed += os.read(terminal, 4096)
        return printed
