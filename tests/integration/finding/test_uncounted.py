"""An interpreter that does not count references: PyPy, and a CPython from which the counts are
taken.

Finding watches the state of the process there, and says in one line what it does not find.
"""
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support import interpreters
from tests.support.paths import ROOT

# PyPy has none of these. The namespace of `object` itself can only be had from the collector.
WITHOUT_COUNTS = """
import gc, sys
del gc.get_referents(type.__dict__["__dict__"].__get__(object))[0]["__sizeof__"]
for module, names in ((gc, "freeze unfreeze get_freeze_count get_count get_threshold set_threshold get_debug is_tracked "
                           "set_debug callbacks"), (sys, "getrefcount")):
    for name in names.split():
        module.__dict__.pop(name, None)
"""  # noqa: E501

LEAVING = """
import logging, os, sqlite3, tempfile, threading, unittest, warnings
from unittest import mock
from unittest_leakfix import LeakFixMixin

kept = []

class Tests(unittest.TestCase):
    def test_changes_environment(self):
        os.environ["LEFT"] = "1"

    def test_changes_folder(self):
        os.chdir(tempfile.gettempdir())

    def test_descriptor(self):
        kept.append(os.open(__file__, os.O_RDONLY))

    def test_fork(self):
        pid = os.fork() if hasattr(os, "fork") else self.skipTest("no fork")
        if not pid:
            try:
                import time
                time.sleep(5)
            finally:
                os._exit(0)
        kept.append(pid)

    def test_handler(self):
        logging.getLogger("orders").addHandler(logging.StreamHandler())

    def test_patch(self):
        mock.patch("os.getlogin").start()

    def test_thread(self):
        threading.Thread(target=threading.Event().wait, name="mailer", daemon=True).start()

    def test_warnings(self):
        warnings.simplefilter("ignore", BytesWarning)
"""

CLEAN = """
import sqlite3, tempfile, unittest
from unittest_leakfix import LeakFixMixin

class Order:
    def __del__(self):
        raise ValueError("somebody else's garbage")

class Tests(unittest.TestCase):
    def tearDown(self):
        self.cycle = [self, Order()]

    def test_connection(self):
        self.db = sqlite3.connect(":memory:")

    def test_file(self):
        self.file = open(__file__)

    def test_folder(self):
        self.folder = tempfile.TemporaryDirectory()

    def test_one(self):
        pass

garbage = []
for _ in range(3):
    garbage.append(open(__file__))

class Later(unittest.TestCase):
    def test_garbage_of_before_is_collected(self):
        import gc
        global garbage
        garbage = None
        gc.collect()

class Mixed(LeakFixMixin, Tests):
    def test_in_a_block(self):
        import os
        with self.assertNoLeaks():
            open(__file__).close()
        with self.assertRaisesRegex(AssertionError, "IN_A_BLOCK"):
            with self.assertNoLeaks():
                os.environ["IN_A_BLOCK"] = "1"
        del os.environ["IN_A_BLOCK"]
"""

DECLARED = """
import unittest
from unittest_leakfix import ClassLeakFixMixin, LeakFixMixin

opened = []

class Tests(ClassLeakFixMixin, LeakFixMixin, unittest.TestCase):
    leakfix_close = ("file", "all")

    @classmethod
    def setUpClass(cls):
        cls.all = open(__file__)
        opened.append(cls.all)

    def test_a(self):
        self.file, self.other = open(__file__), open(__file__)
        opened.extend([self.file, self.other])

    def test_b(self):
        self.assertEqual([False, True, False], [each.closed for each in opened])

def tearDownModule():
    unittest.TestCase().assertEqual([True, True, False], [each.closed for each in opened])
    opened.pop().close()
"""

FAILING = """
import os, sqlite3, unittest

class Tests(unittest.TestCase):
    def test_bad(self):
        self.db = sqlite3.connect(":memory:")
        self.fail("as it should")

    def test_good(self):
        self.db = sqlite3.connect(":memory:")
"""


class UncountedCase(unittest.TestCase):
    """`python` and what it runs before anything else."""

    python, first = sys.executable, WITHOUT_COUNTS
    name = "this interpreter"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_suite(self, source, *options):
        """Run a test module; return the exit status, what was said, and the report as JSON."""
        with open(os.path.join(self.folder, "test_shop.py"), "w") as file:
            file.write(textwrap.dedent(source))
        report = os.path.join(self.folder, "report.json")
        files = ["--leaks-json",
                 report] if any(each.startswith("--leaks") for each in options) else []
        begin = self.first + "\nimport runpy\nsys.argv[:1] = ['unittest_leakfix/__main__.py']\n" \
            "runpy.run_module('unittest_leakfix', run_name='__main__', alter_sys=True)"
        child = subprocess.run(
            [self.python, "-c", "import sys\n" + begin, *options, *files, "test_shop"],
            cwd=self.folder, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
            env=interpreters.environment(PYTHONPATH=ROOT))
        found = None
        if files and os.path.exists(report):
            with open(report) as file:
                found = json.load(file)
        return child.returncode, child.stdout, found


class WithoutCounts(UncountedCase):
    def test_names_what_is_left_of_the_processs_state(self):
        status, printed, found = self.run_suite(LEAVING, "--leaks=report")
        self.assertEqual(0, status, printed)
        self.assertNotIn("Traceback", printed)
        tests = {leak["kind"]: leak["tests"] for leak in found["leaks"]}
        for kind, test in (("environment", "changes_environment"), ("cwd", "changes_folder"),
                           ("descriptor", "descriptor"), ("child process", "fork"),
                           ("logging handler", "handler"),
                           ("patch", "patch"), ("thread", "thread"),
                           ("warnings filter", "warnings")):
            with self.subTest(kind):
                self.assertEqual(["test_shop.Tests.test_" + test], tests.get(kind), printed)

    def test_says_in_one_line_what_it_does_not_find(self):
        status, printed, found = self.run_suite(CLEAN, "--leaks=report")
        self.assertEqual(0, status, printed)
        line = ("Not measured: objects that outlive their tests (%s does not count references: "
                "only the state of "
                "the process is watched)" % self.name)
        self.assertEqual([line], [each for each in printed.splitlines() if "Not measured" in each],
                         printed)
        self.assertEqual([], found["leaks"], printed)

    def test_failing_run_counts_no_garbage(self):
        status, printed, found = self.run_suite(CLEAN, "--leaks=fail")
        self.assertEqual((0, []), (status, found["leaks"]), printed)

    def test_leak_fails_its_test(self):
        status, printed, _ = self.run_suite(LEAVING, "--leaks=fail")
        self.assertEqual(1, status, printed)
        self.assertIn("FAIL: test_handler", printed)

    def test_restores(self):
        _, printed, found = self.run_suite(LEAVING + """
    def test_zz_sees_nothing_of_it(self):
        self.assertNotIn("LEFT", os.environ)
""", "--leaks=report", "--restore")
        self.assertIn("\nOK", printed)
        self.assertIn("environment", [leak["kind"] for leak in found["leaks"]])

    def test_closes_what_is_declared(self):
        status, printed, _ = self.run_suite(DECLARED)
        self.assertEqual(0, status, printed)

    def test_without_finding(self):
        status, printed, _ = self.run_suite(FAILING)
        self.assertEqual(1, status)
        self.assertIn("FAILED (failures=1)", printed)
        self.assertNotIn("still held", printed)
        self.assertNotIn("still held", self.run_suite(FAILING, "-v")[1])


class PyPyTests(WithoutCounts):
    first, name = "", "PyPy"

    @classmethod
    def setUpClass(cls):
        cls.python = interpreters.pypy()
        if cls.python is None:
            raise unittest.SkipTest("PyPy (3.8 or later) not found")

    def test_children_of_this_suite_are_pypys(self):
        printed = subprocess.check_output([self.python, "-c",
                                        "import sys; print(sys.implementation.name)"])
        self.assertEqual(b"pypy", printed.strip())


if __name__ == "__main__":
    unittest.main()
