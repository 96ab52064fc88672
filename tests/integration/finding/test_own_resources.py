"""Resources of the user's own, and of libraries that ship a row: ``register_resource`` with parts
and a remedy, the entry points, and the example of docs/clients.md as it stands there."""
from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
import unittest

from tests.support.paths import ROOT
from tests.support.scripts import load
from unittest_leakfix import register_resource
from unittest_leakfix.resources import entry_points
from unittest_leakfix.resources.registry import kind_of

PAGE = os.path.join(ROOT, "docs", "clients.md")

LIBRARY = """
class Feed:
    def __init__(self, host):
        self.host, self.open = host, True

    def hang_up(self):
        self.open = False
"""
ROW = """
def register():
    import acme_feed
    from unittest_leakfix import register_resource
    register_resource(acme_feed.Feed, noun="acme feed", close="hang_up",
                      is_open=lambda feed: feed.open, describe=lambda feed: "feed of " + feed.host)


def broken():
    raise ValueError("not today")
"""
SUITE = """
import unittest
import acme_feed


class FeedTests(unittest.TestCase):
    def test_prices(self):
        self.feed = acme_feed.Feed("prices.example")
"""


def run(folder, name):
    """Return what a finding run of a suite in *folder* prints."""
    ran = subprocess.run(
        [sys.executable, "-m", "unittest_leakfix", "--leaks=report", name], cwd=folder,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join([ROOT, os.path.join(folder, "lib")]),
                 COLUMNS="100", NO_COLOR="1", PYTHONIOENCODING="utf-8"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    return ran.stdout.decode("utf-8", "replace")


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with io.open(path, "w", encoding="utf-8") as file:
        file.write(text)


class ExampleTest(unittest.TestCase):

    def test_it_prints_what_the_page_says(self):
        with io.open(PAGE, encoding="utf-8") as file:
            page = file.read()
        code = re.search(r"```python\n(.*?)```", page, re.S).group(1)
        printed = re.search(r"```\n(LEAKS .*?)```", page, re.S).group(1)
        with tempfile.TemporaryDirectory() as folder:
            write(folder, "test_feed.py", code)
            output = run(folder, "test_feed")
        self.assertIn(printed.strip(), output)

    def test_the_table_is_up_to_date(self):
        text, wanted = load("clients_table").PART.page()
        self.assertEqual(wanted, text, "stale: run python docs/clients_table.py")


class PackagesTest(unittest.TestCase):

    def test_the_packages_are_those_of_the_table(self):
        from unittest_leakfix.resources import clients, late_kinds
        self.assertEqual(set(late_kinds.PARTS["clients"]), {module.partition(".")[0]
                                            for module, _ in clients.KINDS})

    def test_they_are_not_loaded_without_one(self):
        code = ("import sys\nfrom unittest_leakfix.resources.registry import kind_of\n"
                "kind_of(open(%r)); kind_of(object())\n"
                "print('unittest_leakfix.resources.clients' in sys.modules)" % __file__)
        output = subprocess.check_output([sys.executable, "-W", "ignore", "-c", code],
                                       env=dict(os.environ, PYTHONPATH=ROOT))
        self.assertEqual(output.strip(), b"False")


class RegisteredTest(unittest.TestCase):

    def make(self):
        class Feed:
            def hang_up(self):
                pass
        return Feed

    def test_parts_and_remedy(self):
        cls, part = self.make(), object()
        register_resource(cls, noun="feed", close="hang_up", parts=lambda feed: [part],
                          remedy=("acme.end", "hang_up"))
        kind = kind_of(cls())
        self.assertEqual((kind.name, kind.ends(cls())), ("feed", ("acme.end", "hang_up")))
        self.assertEqual(kind.parts(cls()), [part])

    def test_parts_that_raise(self):
        cls = self.make()
        register_resource(cls, close="hang_up", parts=lambda feed: 1 / 0)
        self.assertEqual(kind_of(cls()).parts(cls()), [])

    def test_misuse(self):
        cls = self.make()
        for words, given in (("remedy: expected", {"remedy": 3}),
                             ("remedy: expected", {"remedy": ("a", 3)}),
                             ("parts: expected", {"parts": "threads"}),
                             ("the same", {"name": "feed", "noun": "feed"})):
            with self.subTest(words), self.assertRaisesRegex(TypeError, words):
                register_resource(cls, close="hang_up", **given)


class EntryPointsTest(unittest.TestCase):

    def library(self, folder, target="acme_leaks:register"):
        lib = os.path.join(folder, "lib")
        write(lib, "acme_feed.py", LIBRARY)
        write(lib, "acme_leaks.py", ROW)
        write(lib, "acme_feed-1.0.dist-info/entry_points.txt",
              "[console_scripts]\nacme = acme:main\n\n[%s]\n# its own\nacme_feed = %s\n"
              % (entry_points.GROUP, target))
        write(folder, "test_feed.py", SUITE)
        return lib

    def test_what_is_in_the_metadata(self):
        with tempfile.TemporaryDirectory() as folder:
            lib = self.library(folder)
            self.assertEqual(entry_points.read(lib), [("acme_feed", "acme_leaks:register")])
            write(lib, "other-1.0.dist-info/entry_points.txt", "[console_scripts]\na = b:c\n")
            write(lib, "bad-1.0.dist-info/METADATA", "")
            self.assertEqual(entry_points.read(lib), [("acme_feed", "acme_leaks:register")])
        self.assertEqual(entry_points.read(lib), [])

    def test_a_library_ships_its_row(self):
        with tempfile.TemporaryDirectory() as folder:
            self.library(folder)
            output = run(folder, "test_feed")
        self.assertIn("1 cause in 1 of 1 test: 1 acme feed", output)
        self.assertIn("self.addCleanup(self.feed.hang_up)", output)
        self.assertIn("test_feed.py:8\n", output)

    def test_one_that_fails_is_a_warning(self):
        with tempfile.TemporaryDirectory() as folder:
            self.library(folder, "acme_leaks:broken")
            output = run(folder, "test_feed")
        self.assertIn("the entry point acme_feed = acme_leaks:broken of "
                      "unittest_leakfix.resources failed", output)
        self.assertIn("ValueError: not today", output)
        self.assertIn("\nOK\n", output)


if __name__ == "__main__":
    unittest.main()
