# needs Python 3.8
"""What a class body or a module opens while it is imported, and never closes, is reported of that
module; what its tear-down closes, or another module has, is not."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest

from tests.support.paths import ROOT

APPLICATION = """
import sqlite3
db = sqlite3.connect(":memory:")
"""
SUITE = """
import socket, sqlite3, sys, unittest
from shop_app import db
OUT = sys.stdout
LEFT = open("left.txt", "w")
CLOSED = open("closed.txt", "w")
REPLACED = open("replaced.txt", "w")


class OrderTests(unittest.TestCase):
    connection = sqlite3.connect("shop.db")
    done = sqlite3.connect("done.db")

    def test_it(self):
        pass

    @classmethod
    def tearDownClass(cls):
        cls.done.close()


class MoreTests(OrderTests):
    listener: object = socket.create_server(("127.0.0.1", 0))

    def test_replaced(self):
        global REPLACED
        REPLACED.close()
        REPLACED = None

    @classmethod
    def tearDownClass(cls):
        pass


def tearDownModule():
    CLOSED.close()
"""


class ImportedTest(unittest.TestCase):
    maxDiff = None

    def test_each(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("shop_app.py", APPLICATION), ("test_shop.py", SUITE)):
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
            report = os.path.join(folder, "leaks.json")
            ran = subprocess.run(
                [sys.executable, "-m", "unittest_leakfix", "--leaks=report",
                 "--leaks-json=" + report, "test_shop"], cwd=folder, stdin=subprocess.DEVNULL,
                env=dict(os.environ, PYTHONPATH=ROOT), stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=120)
            printed = ran.stdout.decode("utf-8", "replace")
            with open(report, encoding="utf-8") as file:
                leaks = json.load(file)["leaks"]
        self.assertEqual(ran.returncode, 0, printed)
        found = {(leak["kind"], leak["tests"][0], leak["acquisition"]["frames"][0]["line"],
                  leak["remedy"]) for leak in leaks if leak["kind"] != "foreign close"}
        lines = SUITE.splitlines()

        def line(start):
            return next(number for number, each in enumerate(lines, 1) if each.startswith(start))
        module = "module (test_shop)"
        self.assertEqual(found, {
            ("connection", module, line("    connection ="), "open it in setUpClass, then "
             "cls.addClassCleanup(cls.connection.close)"),
            ("socket", module, line("    listener:"), "open it in setUpClass, then "
             "cls.addClassCleanup(cls.listener.close)"),
            ("file", module, line("LEFT"), "open it in setUpModule, then "
             "unittest.addModuleCleanup(LEFT.close)"),
        }, printed)
        # A test that closes what all tests of its module share is another matter.
        self.assertEqual([leak["subject"] for leak in leaks if leak["kind"] == "foreign close"],
                         ["file 'replaced.txt' (a descriptor) was closed by a test that had not "
                          "opened it"], printed)


if __name__ == "__main__":
    unittest.main()
