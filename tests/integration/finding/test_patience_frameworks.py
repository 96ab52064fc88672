# needs Python 3.8
"""``--patience`` and ``--exit-after`` under pytest and Django: as under unittest."""
from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import unittest

from tests.integration import test_patience
from tests.integration.test_patience import ENDED, LISTENER, OVER, HangCase
from tests.support.paths import ROOT

SLOW = """\
    import time, unittest
    class Tests(unittest.TestCase):
        def test_a(self): pass
        def test_b(self): time.sleep(%s)
"""
MANAGE = """\
import sys
from django.conf import settings
from django.core.management import execute_from_command_line
settings.configure(SECRET_KEY="x", USE_TZ=True,
                   TEST_RUNNER="unittest_leakfix.django.LeakFixDiscoverRunner")
execute_from_command_line(["manage.py", "test", *sys.argv[1:]])
"""


class FrameworkCase:
    """The same under each framework; `command` starts it."""

    command = ()
    named = ""      # the test that stands still

    def start(self, *arguments, **more):
        with open(os.path.join(self.folder, "manage.py"), "w") as file:
            file.write(MANAGE)
        return subprocess.Popen(
            (sys.executable, *self.command, *arguments), cwd=self.folder,
            env=dict(os.environ, PYTHONPATH=ROOT, PYTHONDONTWRITEBYTECODE="1",
                     PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"), **more)

    def test_a_thread_that_keeps_the_process(self):
        self.write(LISTENER)
        status, out, err = self.run_it("--leaks=report", *self.tests)
        self.assertEqual(0, status, out + err)
        self.assertEqual(1, err.count(OVER), err)
        found = err[err.index(OVER):]
        self.assertIn('  waits for thread "phone-listener" (test_it.Listener)\n'
                      '    now at test_it.py:4 in run, in wait of threading\n'
                      '    started by ', found)
        self.assertIn("test_it.py:8 in test_listens\n", found)
        self.assertTrue(err.endswith(ENDED + "0.\n"), err)

    def test_the_status_is_the_run_s(self):
        self.write(LISTENER + "            self.fail('too')\n")
        status, out, err = self.run_it(*self.tests)
        self.assertEqual(1, status, out + err)
        self.assertIn(ENDED + "1.\n", err)

    def test_a_test_that_stands_still(self):
        self.write(SLOW % 0.7)
        status, out, err = self.run_it(*self.tests)
        self.assertEqual(0, status, out + err)
        self.assertEqual(1, err.count("has not ended for"), err)
        self.assertIn("unittest_leakfix: %s has not ended for " % self.named, err)
        self.assertIn("  the main thread\n    test_it.py:4 in test_b\n", err)
        self.assertNotIn(OVER, err)

    def test_what_makes_no_sense(self):
        self.write(SLOW % 0)
        child = self.start("--patience=0", *self.tests, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        printed = b"".join(child.communicate()).decode()
        self.assertNotEqual(0, child.returncode)
        self.assertIn("--patience needs a number of seconds above 0", printed)
        self.assertNotIn("Traceback", printed)


@unittest.skipUnless(importlib.util.find_spec("pytest"), "needs pytest")
class PytestTests(FrameworkCase, HangCase):
    command = ("-m", "pytest", "-p", "no:cacheprovider", "-p", "unittest_leakfix.pytest_plugin")
    tests = ("test_it.py",)
    named = "test_it.py::Tests::test_b"

    def test_a_fixture_of_a_module(self):
        self.write("""\
            import pytest, time
            @pytest.fixture(scope="module")
            def database():
                time.sleep(0.7)
            def test_a(database): pass
            """)
        _, out, err = self.run_it(*self.tests)
        self.assertIn("unittest_leakfix: fixture database (test_it.py) has not ended for ", err)


@unittest.skipUnless(importlib.util.find_spec("django"), "needs Django")
class DjangoTests(FrameworkCase, HangCase):
    command = ("manage.py",)
    tests = ("test_it",)
    named = "test_it.Tests.test_b"


class _Terminal(test_patience.TerminalTests):
    """Driven in a terminal, where Ctrl-C is typed."""

    def test_ctrl_c_ends_the_wait(self):
        self.write(LISTENER)
        status, printed = self.drive("by itself.", "--patience", "0.3", *self.tests)
        self.assertEqual(1, printed.count(OVER), printed)
        self.assertEqual(1, printed.count("phone-listener"), printed)
        self.assertIn("KeyboardInterrupt", printed)

    def test_ctrl_c_in_a_test_that_stands_still(self):
        self.write(SLOW % 60)
        status, printed = self.drive("test_it.py:4 in test_b", "--patience", "0.3", *self.tests)
        self.assertNotEqual(0, status)
        self.assertEqual(1, printed.count("has not ended for"), printed)
        self.assertIn("KeyboardInterrupt", printed)


@unittest.skipUnless(importlib.util.find_spec("pytest"), "needs pytest")
class PytestTerminalTests(_Terminal):
    command, tests, start = PytestTests.command, PytestTests.tests, FrameworkCase.start


@unittest.skipUnless(importlib.util.find_spec("django"), "needs Django")
class DjangoTerminalTests(_Terminal):
    command, tests, start = DjangoTests.command, DjangoTests.tests, FrameworkCase.start

    def test_ctrl_c_in_a_test_that_stands_still(self):
        # Django's own: the first one has the test end, and the run with it.
        self.write(SLOW % 2 + "        def test_c(self): self.fail()\n")
        status, printed = self.drive("test_it.py:4 in test_b", "--patience", "0.3", *self.tests)
        self.assertEqual(0, status, printed)
        self.assertEqual(1, printed.count("has not ended for"), printed)
        self.assertIn("Ran 2 tests", printed)


def load_tests(loader, tests, pattern):
    """Without `_Terminal` itself, which has no framework."""
    return unittest.TestSuite(
        loader.loadTestsFromTestCase(case)
        for case in (PytestTests, DjangoTests, PytestTerminalTests, DjangoTerminalTests))


if __name__ == "__main__":
    unittest.main()
