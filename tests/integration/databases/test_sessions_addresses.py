"""Addresses: what is read, what is filled in, and what never is repeated."""
from __future__ import annotations

import os
import shutil
import tempfile
import unittest

from unittest_leakfix.databases.connect import Address, AddressError, filled, read


class Reading(unittest.TestCase):
    def test_read(self):
        for url, wanted in (
                ("mysql://app@db:3307/shop", Address("mysql", "", "app", "", "db", 3307, "shop")),
                ("mariadb+pymysql://a%40b:p%2Fw@[::1]/we%22ird%2F",
                 Address("mysql", "pymysql", "a@b", "p/w", "::1", None, 'we"ird/')),
                ("mysql://app@/shop?socket=%2Frun%2Fs",
                 Address("mysql", "", "app", "", "", None, "shop", (("unix_socket", "/run/s"),))),
                ("postgresql+psycopg2://app:@db/shop?sslmode=require",
                 Address("postgresql", "psycopg2", "app", "", "db", None, "shop",
                         (("sslmode", "require"),))),
                ("postgres://", Address("postgresql"))):
            self.assertEqual(read(url), wanted)

    def test_unreadable(self):
        for url in ("mysql://u:hunter2/x@h/db", "mysql://u:12/hunter2@h/db",
                    "mysql://u:hunter2#x@h/db",
                    "mysql://u:hunter2?x@h/db", "mysql://u:x#hunter2@h/db",
                    "mysql://u:x?hunter2@h/db",
                    "mysql://u:[hunter2@h/db", "mysql://u:hunter2@h:port/db",
                    "oracle://u:hunter2@h/db",
                    "u:hunter2@h/db", "mysql://u:hunter2@h/db?ssl=hunter2",
                    "mysql+x://u:hunter2@h/db",
                    "mysql://u@h/db?a&b=hunter2", ""):
            with self.assertRaises(AddressError) as raised:
                read(url)
            self.assertNotIn("hunter2", str(raised.exception), url)

    def test_shown_without_the_password(self):
        address = read("mysql://app:hunter2@db:3307/shop")
        self.assertEqual((str(address), address.password), ("app@db:3307", "hunter2"))
        self.assertNotIn("hunter2", repr(address))
        self.assertEqual(str(read("mysql://app@/shop?socket=/run/s")), "app@/run/s")
        self.assertEqual(str(read("postgresql:///shop")), "the local server")
        self.assertEqual(str(read("postgresql://[::1]:5/shop")), "[::1]:5")


class Filling(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.home)

    def filled(self, url, files="", **environ):
        with open(os.path.join(self.home, ".my.cnf"), "w") as file:
            file.write(files)
        return filled(read(url), dict(environ, HOME=self.home), system=())

    def test_environment(self):
        found = self.filled("mysql://app@/shop", MYSQL_PWD="hunter2", MYSQL_HOST="db",
                            MYSQL_TCP_PORT="7")
        self.assertEqual(found, Address("mysql", "", "app", "hunter2", "db", 7, "shop"))

    def test_option_file(self):
        text = ("# mine\n[mysqld]\npassword=wrong\n[client]\nuser = app\npassword = 'hunter2'\n"
                "host=db # there\nport=7\n!includedir /etc\nssl\n[other]\npassword=wrong\n")
        found = self.filled("mysql:///shop", text, MYSQL_PWD="weaker")
        self.assertEqual(found, Address("mysql", "", "app", "hunter2", "db", 7, "shop"))

    def test_the_address_is_stronger(self):
        found = self.filled("mysql://me:mine@here:1/shop",
                            "[client]\nuser=a\npassword=b\nhost=c\nport=2\n")
        self.assertEqual(found, Address("mysql", "", "me", "mine", "here", 1, "shop"))

    def test_socket(self):
        found = self.filled("mysql://app@/shop", "[client]\nsocket=/run/s\n")
        self.assertEqual(found.options, (("unix_socket", "/run/s"),))
        self.assertEqual(self.filled("mysql://app@db/shop", "[client]\nsocket=/run/s\n").options,
                         ())

    def test_nothing_reported(self):
        found = self.filled("mysql://app@/", MYSQL_TCP_PORT="x")
        self.assertEqual(found, Address("mysql", "", "app", "", "127.0.0.1", 3306, ""))

    def test_libpq_finds_its_own(self):
        self.assertEqual(filled(read("postgresql:///shop")), Address("postgresql", database="shop"))
