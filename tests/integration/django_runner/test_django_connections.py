"""Connections of Django's wrappers, live servers and the clean-up, looked at from within a Django
project.

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

from tests.support.paths import ROOT

UNKNOWN = """
from django.test import TestCase


class OrderTests(TestCase):
    databases = {"default", "nowhere"}

    def test_nothing(self):
        pass
"""

LIVE_SERVERS = """\
unittest_leakfix: closed 6 connections of live servers' requests, for clients that did not hang up
  Requests.test_three_clients_that_do_not_hang_up: 3 connections opened by request threads, \
at most N at once; 3 of them closed for you, without that up to N at once
  Requests.test_one_client_one_thread_a_connection_each: 3 connections opened by request threads, \
at most 1 at once; 3 of them closed for you, without that up to 1 at once
  they would have stayed: a thread keeps its connection while it waits for its client, where \
CONN_MAX_AGE is not 0 (default: None)
in your settings for tests: DATABASES["default"]["CONN_MAX_AGE"] = 0
or in your code: with requests.Session() as session:, or the like, so that the client hangs up
"""
COPIES = """\
connection 'default' to FILE was left open 1 test
    tests.django_inner.copies_cases.KEPT[0]
    ┬ module tests.django_inner.copies_cases
    ├─ list (1 item)  .KEPT
    │                 ~~~~~
    │    ↓ [0]
    ╰→ DatabaseWrapper
    opened by CopyTests.test_2_in_a_global   tests/django_inner/copies_cases.py in opened
      13         copy = connections["default"].copy()
    > 14         copy.ensure_connection()
    called from tests/django_inner/copies_cases.py:21
    in your code: keep the connection in self.connection, then self.addCleanup(self.connection.close)

[2] connection 'default' to FILE was left open 1 test
    opened by CopyTests.test_1_on_self   tests/django_inner/copies_cases.py in opened
      13         copy = connections["default"].copy()
    > 14         copy.ensure_connection()
    called from tests/django_inner/copies_cases.py:18
    closed for you: nothing else referred to it
    in your code: self.addCleanup(self.reports.close)"""  # noqa: E501


class Inner(unittest.TestCase):
    """A module of tests/django_inner passes, all of it, and the run says nothing that it should
    not."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        try:
            import django  # noqa: F401
        except ImportError:
            raise unittest.SkipTest("Django is missing")

    def passes(self, name, *options, runner="unittest_leakfix.django.LeakFixDiscoverRunner"):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(ROOT, "tests", "django_inner", name + ".py"),
                  encoding="utf-8") as source:
            number = len(re.findall(r"(?m)^    def test_", source.read()))
        status, printed = self.run_it(folder, runner, *options, "tests.django_inner." + name)
        self.assertEqual(status, 0, printed)
        self.assertRegex(printed, r"Ran %d tests\n" % number)
        return printed

    def run_it(self, folder, runner, *arguments):
        """Run ``django-admin test``; return its status and output, without the time it took."""
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("DJANGO_", "PYTHON"))}
        environment.update(INNER_FOLDER=folder, PYTHONPATH=os.pathsep.join((ROOT, folder)),
                           PYTHONUTF8="1",
                           PYTHONWARNINGS="default", PYTHONUNBUFFERED="1")
        child = subprocess.run(
            [sys.executable, "-m", "django", "test", "--settings=tests.django_inner.settings",
             "--noinput",
             "--testrunner=" + runner, *arguments],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=120)
        printed = child.stdout.decode("utf-8", "replace")
        return child.returncode, re.sub(r" in [0-9.]+s$", "", printed, flags=re.MULTILINE)

    def test_connections(self):
        self.passes("connections_cases")

    def test_reaping(self):
        printed = self.passes("reaping_cases")
        # What ended threads left is reported, one line of the cases' own for all.
        self.assertRegex(printed,
                         r"\nunittest_leakfix: closed \d+ connections of threads that were over\n"
                               r"  \d+ x connection 'default' to /\S*inner.sqlite3\n"
                               r"      opened at tests/django_inner/worker.py:\d+ in _work, in "
                               r"thread worker\n")

    def test_copies(self):
        printed = self.passes("copies_cases", "--leaks=report")
        self.assertIn("unittest_leakfix: let go of 4 finished tests, closed 1 resource left open "
                      "(1 database connection)\n", printed)
        reported = re.sub(r"/\S*inner.sqlite3", "FILE",
                      printed.partition("\n[1] ")[2].partition("\n\nMore")[0])
        self.assertEqual(re.sub(r":\d+(?= in opened$)| +(?= \d+ test$)", "", reported, flags=re.M),
                         COPIES)

    def test_live_server(self):
        self.assertNotIn("unittest_leakfix: closed", self.passes("live_server_cases"))
        printed = self.passes("live_server_cases", "--leaks=report")
        # How many at once: the threads of one request may not be over when the next one is there.
        counted = re.sub(r"(_hang_up: 3 .* at most )[1-3]( at once; .* up to )[23](?= at once)",
                         r"\1N\2N", printed)
        self.assertIn(LIVE_SERVERS, counted)
        self.assertNotIn("test_memory_is_shared", printed.partition("closed 6 connections")[2])

    def test_clean_up(self):
        self.assertNotIn("unittest_leakfix: ", self.passes("clean_up_cases"))

    def test_runners_without_databases(self):
        for runner in "NoDatabases", "NoneReturned":
            printed = self.passes("clean_up_cases", runner="tests.django_inner.runners." + runner)
            self.assertTrue(printed.endswith("\nOK\n"), printed)

    def test_unknown_alias(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "test_nowhere.py"), "w", encoding="utf-8") as file:
            file.write(UNKNOWN)
        printed = [self.run_it(folder, runner, "test_nowhere") for runner in (
            "django.test.runner.DiscoverRunner", "unittest_leakfix.django.LeakFixDiscoverRunner")]
        self.assertEqual(printed[0], printed[1])
        self.assertEqual(printed[0][0], 1)
        self.assertIn("nowhere", printed[0][1])

    def test_reaping_when_leaks_are_found(self):
        printed = self.passes("reaping_cases", "--leaks=report")
        self.assertRegex(
            printed,
            r"\n\[\d+\] connection 'default' to /\S*inner.sqlite3 was left open +\d+ tests\n")
        self.assertIn("    closed for you: its thread was over\n", printed)
        self.assertNotIn("unittest_leakfix: closed", printed)
        # Neither the tests' own in the file nor those in memory.
        self.assertEqual(set(re.findall(r"(?m)^\[\d+\] (\w+ \S+ to)", printed)),
                         {"connection 'default' to"}, printed)
        self.assertNotIn("memorydb", printed)


if __name__ == "__main__":
    unittest.main()
