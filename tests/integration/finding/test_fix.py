"""The command ``fix`` on real reports: the suite passes as before, and what was typed ends what it
was for."""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support.paths import ROOT

SUITE = '''
"""A shop's tests."""

import os
import sqlite3
import threading
import unittest

import shop


def setUpModule():
    global log
    log = open(os.devnull)


class OrderTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.catalogue = open(os.devnull)

    def setUp(self):
        self.db = sqlite3.connect(":memory:")   # of each test

    def test_settings(self):
        shop.SETTINGS["currency"] = "USD"
        self.assertEqual(shop.SETTINGS["currency"], "USD")

    def test_environment(self):
        """Sets a variable."""
        os.environ["SHOP"] = "1"

    def test_in_the_shop(self):
        self.client = shop.Client()
        self.client.open()
'''
SHOP = '''
import os

SETTINGS = {"currency": "EUR"}


class Client:
    def open(self):
        self.file = open(os.devnull)
'''
MENDED = '''
"""A shop's tests."""

import os
import sqlite3
import threading
import unittest

import shop
from unittest import mock


def setUpModule():
    global log
    log = open(os.devnull)
    unittest.addModuleCleanup(log.close)


class OrderTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.catalogue = open(os.devnull)
        cls.addClassCleanup(cls.catalogue.close)

    def setUp(self):
        self.db = sqlite3.connect(":memory:")   # of each test
        self.addCleanup(self.db.close)

    def test_settings(self):
        with mock.patch.dict(shop.SETTINGS):
            shop.SETTINGS["currency"] = "USD"
            self.assertEqual(shop.SETTINGS["currency"], "USD")

    def test_environment(self):
        """Sets a variable."""
        os.environ["SHOP"] = "1"
        self.addCleanup(os.environ.pop, "SHOP", None)

    def test_in_the_shop(self):
        self.client = shop.Client()
        self.client.open()
'''
PYTEST = '''
import sqlite3

import pytest


@pytest.fixture
def db():
    connection = sqlite3.connect(":memory:")
    return connection


def test_rows(db):
    assert db.execute("SELECT 1").fetchall() == [(1,)]


def test_file(tmp_path):
    global report
    report = open(tmp_path / "report.csv", "w")
'''


class FixTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, **files):
        for name, text in files.items():
            with open(os.path.join(self.folder, name + ".py"), "w", encoding="utf-8") as file:
                file.write(text.lstrip("\n"))

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def run_python(self, *arguments, module="unittest_leakfix"):
        child = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=self.folder, encoding="utf-8",
            env=dict(os.environ, PYTHONPATH=ROOT, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.printed = child.stdout + child.stderr
        return child

    def report(self):
        """Run the suite; returns the kinds of its leaks."""
        self.run_python("--leaks-json=leaks.json", "discover")
        with open(os.path.join(self.folder, "leaks.json"), encoding="utf-8") as file:
            return sorted(leak["kind"] for leak in json.load(file)["leaks"])

    def test_written(self):
        self.write(test_orders=SUITE, shop=SHOP)
        before = self.report()
        self.assertEqual(before.count("file"), 3, self.printed)
        done = self.run_python("fix", "leaks.json", "--write")
        self.assertEqual(done.returncode, 0, self.printed)
        self.assertEqual(self.read("test_orders.py"), MENDED.lstrip("\n"))
        self.assertEqual(self.read("shop.py"), SHOP.lstrip("\n"))
        self.assertIn("5 of 6 causes in 1 file: written; run the tests again\nby hand:\n",
                      done.stderr)
        self.assertEqual(self.report(), ["file"], self.printed)     # of the shop's own
        self.assertIn("\nOK\n", self.printed)
        done = self.run_python("fix", "leaks.json")
        self.assertEqual((done.returncode, done.stdout), (1, ""))

    def test_the_patch_is_one_that_applies(self):
        self.write(test_orders=SUITE, shop=SHOP)
        self.report()
        done = self.run_python("fix", "leaks.json")
        self.assertEqual(self.read("test_orders.py"), SUITE.lstrip("\n"))
        self.assertIn("python -m unittest_leakfix fix leaks.json --write writes it\n", done.stderr)
        if shutil.which("git") is None:
            self.skipTest("needs git")
        subprocess.run(["git", "apply"], cwd=self.folder, input=done.stdout, encoding="utf-8",
                       check=True)
        self.assertEqual(self.read("test_orders.py"), MENDED.lstrip("\n"))

    def test_a_file_that_was_changed_meanwhile(self):
        self.write(test_orders=SUITE, shop=SHOP)
        self.report()
        path = os.path.join(self.folder, "test_orders.py")
        later = os.stat(os.path.join(self.folder, "leaks.json")).st_mtime + 10
        os.utime(path, (later, later))
        done = self.run_python("fix", "leaks.json", "--write")
        self.assertEqual(done.returncode, 1)
        self.assertIn("(test_orders.py was changed after the report was made)\n", done.stderr)
        self.assertEqual(self.read("test_orders.py"), SUITE.lstrip("\n"))

    def test_a_test_of_a_plain_name(self):
        """Several causes in one function, a file of another encoding, and what it is not for."""
        self.write(test_orders=textwrap.dedent('''
            # -*- coding: latin-1 -*-
            import os
            import unittest

            class OrderTests(unittest.TestCase):
                def test_two(self):
                    self.one = open(os.devnull)
                    self.two = open(os.devnull)
                    self.name = "caf\\u00e9"
            '''))
        path = os.path.join(self.folder, "test_orders.py")
        text = self.read("test_orders.py").replace("\\u00e9", "\u00e9")
        with open(path, "w", encoding="latin-1") as file:
            file.write(text)
        self.report()
        done = self.run_python("fix", "leaks.json", "--write")
        self.assertEqual(done.returncode, 0, self.printed)
        with open(path, encoding="latin-1") as file:
            self.assertEqual(file.read(), text.replace(
                "self.one = open(os.devnull)\n",
                "self.one = open(os.devnull)\n        self.addCleanup(self.one.close)\n").replace(
                "self.two = open(os.devnull)\n",
                "self.two = open(os.devnull)\n        self.addCleanup(self.two.close)\n"))

    def test_a_local_name_that_is_kept_later(self):
        """The name of the line itself: the attribute is not there yet when the clean-up is."""
        self.write(test_orders=textwrap.dedent('''
            import os
            import sqlite3
            import unittest

            class OrderTests(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    db = sqlite3.connect(":memory:")
                    cls.db = db

                def test_list(self):
                    other = open(os.devnull)
                    self.kept = [other]

                def test_loop(self):
                    self.kept = []
                    for _ in range(2):
                        file = open(os.devnull)
                        self.kept.append(file)
            '''))
        before = self.report()
        self.assertEqual(before, ["connection", "file", "file"], self.printed)
        done = self.run_python("fix", "leaks.json", "--write")
        self.assertEqual(done.returncode, 0, self.printed)
        text = self.read("test_orders.py")
        for line in ("        cls.addClassCleanup(db.close)\n        cls.db = db\n",
                     "        self.addCleanup(other.close)\n        self.kept = [other]\n",
                     "            self.addCleanup(file.close)\n            self.kept.append"):
            self.assertIn(line, text)
        self.assertEqual(self.report(), [], self.printed)
        self.assertIn("\nOK\n", self.printed)

    def test_what_is_left_has_the_number_of_the_report(self):
        self.write(test_orders=textwrap.dedent('''
            import os
            import threading
            import unittest

            class OrderTests(unittest.TestCase):
                def test_thread(self):
                    threading.Thread(target=threading.Event().wait, args=(20,), daemon=True).start()

                def test_zone(self):
                    os.environ["SHOP"] = "1"
            '''))
        self.report()
        numbers = re.findall(r"^\[(\d)\] thread ", self.printed, re.MULTILINE)
        self.assertEqual(numbers, ["1"], self.printed)
        self.assertIn("\nby hand:\n  [1] thread ", self.run_python("fix", "leaks.json").stderr)

    def test_what_is_not_a_report(self):
        self.write(other="")
        for name, why in (("none.json", "No such file"), ("other.py", "error: other.py cannot be")):
            done = self.run_python("fix", name)
            self.assertEqual(done.returncode, 2)
            self.assertIn(why, done.stderr)

    def test_pytest(self):
        try:
            import pytest  # noqa: F401
        except ImportError:
            self.skipTest("needs pytest")
        self.write(test_orders=PYTEST)
        arguments = ("-p", "unittest_leakfix.pytest_plugin", "-p", "no:cacheprovider",
                     "--leakfix-json=leaks.json")
        self.run_python(*arguments, module="pytest")
        done = self.run_python("fix", "leaks.json", "--write")
        self.assertEqual(done.returncode, 0, self.printed)
        self.assertEqual(self.read("test_orders.py"), PYTEST.lstrip("\n").replace(
            "    return connection\n", "    yield connection\n    connection.close()\n").replace(
            "def test_file(tmp_path):", "def test_file(tmp_path, request):").replace(
            '"w")\n', '"w")\n    request.addfinalizer(report.close)\n'))
        self.run_python(*arguments, module="pytest")
        self.assertIn("2 passed", self.printed)
        self.assertNotIn("LEAKS", self.printed)

    def test_fixtures_of_wide_scopes(self):
        """The fixture's own name for it, which is not that of the fixture; without one, by hand."""
        try:
            import pytest  # noqa: F401
        except ImportError:
            self.skipTest("needs pytest")
        self.write(test_orders=textwrap.dedent('''
            import os
            import pytest

            @pytest.fixture(scope="module")
            def log():
                f = open(os.devnull)
                yield f

            @pytest.fixture(scope="session")
            def trace():
                g = open(os.devnull)
                return g

            @pytest.fixture(scope="module")
            def plain():
                return open(os.devnull)

            @pytest.fixture
            def narrow():
                yield open(os.devnull)

            def test_one(log, trace, plain, narrow):
                pass
            '''))
        before = self.read("test_orders.py")
        arguments = ("-p", "unittest_leakfix.pytest_plugin", "-p", "no:cacheprovider",
                     "--leakfix-json=leaks.json")
        self.run_python(*arguments, module="pytest")
        done = self.run_python("fix", "leaks.json", "--write")
        self.assertEqual(done.returncode, 0, self.printed)
        self.assertEqual(self.read("test_orders.py"), before.replace(
            "    yield f\n", "    yield f\n    f.close()\n").replace(
            "    return g\n", "    yield g\n    g.close()\n"))
        self.assertEqual(done.stderr.count("(what is opened there has no name in the fixture)\n"),
                         2, done.stderr)
        self.run_python(*arguments, module="pytest")
        self.assertIn("1 passed", self.printed)
        self.assertNotIn("error", self.printed)


if __name__ == "__main__":
    unittest.main()
