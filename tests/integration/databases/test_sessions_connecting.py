"""The command's own connection: a server that hangs, and what performance_schema adds."""
from __future__ import annotations

import os
import socket
import unittest
from unittest import mock

from tests.integration.databases.session_case import MYSQL_DRIVERS, POSTGRESQL_DRIVERS
from tests.support import private_server, servers
from unittest_leakfix.databases import connect, local_processes, mysql
from unittest_leakfix.databases.connect import Address
from unittest_leakfix.databases.server_sessions import Session


class Hanging(unittest.TestCase):
    """Somebody listens, and never says a word."""

    def setUp(self):
        self.silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.silent.close)

    def test_each_driver(self):
        for dialect, drivers in (("mysql", MYSQL_DRIVERS), ("postgresql", POSTGRESQL_DRIVERS)):
            for name in drivers:
                with self.subTest(driver=name):
                    try:
                        private_server.driver(name)
                    except unittest.SkipTest as missing:
                        self.skipTest(str(missing))
                    address = Address(dialect, name, "u", "hunter2", "127.0.0.1",
                                      self.silent.getsockname()[1], "d")
                    with mock.patch.object(connect, "_PATIENCE", 1):
                        with self.assertRaises(connect.CannotConnect) as raised:
                            connect.connect(address)
                    text = str(raised.exception)
                    self.assertTrue(text.startswith("cannot connect to u@127.0.0.1:"), text)
                    self.assertNotIn("hunter2", text)
                    self.assertNotIn("\n", text)


class Instrumented(unittest.TestCase):
    """A MariaDB that keeps statements."""

    @classmethod
    def setUpClass(cls):
        servers.mariadb()
        on = [each.replace("performance-schema=OFF", "performance-schema=ON")
              for each in servers.FAST]
        on += ["--performance-schema-consumer-events-statements-current=ON",
               "--performance-schema-instrument=statement/%=ON"]
        with mock.patch.object(servers, "FAST", on):
            cls.server = servers.MariaDB(10)
        cls.addClassCleanup(cls.server.stop)

    def test_last_statement_and_application(self):
        pymysql = private_server.driver("pymysql")
        admin = pymysql.connect(**self.server.settings(admin=True))
        self.addCleanup(admin.close)
        plain = pymysql.connect(program_name="shop", **self.server.settings())
        self.addCleanup(plain.close)
        plain.cursor().execute("SELECT 'é☃' AS last")
        found, = mysql.sessions(admin, "leakfix")
        self.assertEqual((found.statement, found.application, found.state),
                         ("SELECT 'é☃' AS last", "shop", "idle"))
        plain.cursor().execute("SET @password = '%s'" % self.server.password)
        self.assertEqual(mysql.sessions(admin, "leakfix")[0].statement, "SET @password = ***")
        # Who may not read it sees the list all the same.
        self.assertEqual([each.statement for each in mysql.sessions(plain)], [])


class Holders(unittest.TestCase):
    """Addresses as the kernel lists them."""

    def test_mapped_address(self):
        # A program that speaks IPv6 alone: the server sees 127.0.0.1, the kernel lists
        # ::ffff:127.0.0.1.
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        try:
            client = socket.socket(socket.AF_INET6)
            self.addCleanup(client.close)
            client.connect(("::ffff:127.0.0.1", listening.getsockname()[1]))
        except OSError:
            self.skipTest("no IPv6")
        accepted, (host, port) = listening.accept()
        self.addCleanup(accepted.close)
        found, = local_processes.held_here([Session(1, client_host=host, client_port=port)])
        self.assertEqual((host, found.pid_here), ("127.0.0.1", os.getpid()))

    def test_nobody_here(self):
        for host in ("192.0.2.1", "db.example", "?", "localhost"):
            found, = local_processes.held_here([Session(1, client_host=host, client_port=9)], 5432)
            self.assertEqual(found.pids_here, ())
