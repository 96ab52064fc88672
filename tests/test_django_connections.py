"""Connections of Django's wrappers, live servers and the clean-up, looked at from within a Django project.

Django is set up once in a process, so each module of tests/django_inner runs in one of its own.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Inner(unittest.TestCase):
    """A module of tests/django_inner passes, all of it, and the run says nothing that it should not."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        try:
            import django
        except ImportError:
            raise unittest.SkipTest("Django is missing")

    def passes(self, name, *options):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(ROOT, "tests", "django_inner", name + ".py"), encoding="utf-8") as source:
            number = len(re.findall(r"(?m)^    def test_", source.read()))
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("DJANGO_", "PYTHON"))}
        environment.update(INNER_FOLDER=folder, PYTHONPATH=ROOT, PYTHONUTF8="1", PYTHONWARNINGS="default",
                           PYTHONUNBUFFERED="1")
        child = subprocess.run(
            [sys.executable, "-m", "django", "test", "--settings=tests.django_inner.settings", "--noinput",
             "--testrunner=unittest_leakfix.django.LeakFixDiscoverRunner", *options, "tests.django_inner." + name],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        said = child.stdout.decode("utf-8", "replace")
        self.assertEqual(child.returncode, 0, said)
        self.assertRegex(said, r"Ran %d tests in " % number)
        return said

    def test_connections(self):
        said = self.passes("connections_cases")
        # What ended threads left is told, one line of the cases' own for all.
        self.assertRegex(said, r"\nunittest_leakfix: closed \d+ connections of threads that were over\n"
                               r"  \d+ x connection 'default' to /\S*inner.sqlite3\n"
                               r"      opened at tests/django_inner/connections_cases.py:\d+ in _work, in thread worker\n")

    def test_live_server(self):
        self.assertNotIn("unittest_leakfix: closed", self.passes("live_server_cases"))

    def test_clean_up(self):
        self.assertNotIn("unittest_leakfix: ", self.passes("clean_up_cases"))

    def test_connections_when_leaks_are_found(self):
        said = self.passes("connections_cases", "--leaks=report")
        self.assertRegex(said, r"\n\[\d+\] connection 'default' to /\S*inner.sqlite3 was left open +\d+ tests\n")
        self.assertIn("    closed for you: its thread was over\n", said)
        self.assertNotIn("unittest_leakfix: closed", said)
        self.assertNotIn("memorydb", said)


if __name__ == "__main__":
    unittest.main()
