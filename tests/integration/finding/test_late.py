"""What explains and reports is loaded when something was found, whatever the tests have broken.

The package is a copy with byte code, as it is installed: without that all is loaded at once.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support.paths import ROOT
from tests.tiers import NEWEST, OLDEST, full_on

HEAD = """\
import builtins, io, os, sys, threading, unittest
from tests.support.descriptors import exhaust
try:    # what ends a thread as the process ends loads this, and aborts where no descriptor is left
    import ctypes
    ctypes.CDLL("libgcc_s.so.1")
except (ImportError, OSError):
    pass
OURS = "unittest_leakfix"
HELD = []
KEPT = []
class Thing:
    pass
def left(*args, **kwds):
    raise RuntimeError("left by a test")
class Tests(unittest.TestCase):
    def test_clean(self):
        global BEFORE
        early = sys.modules[OURS + "._core.early"]
        BEFORE = set(sys.modules) | set(early.held.codes)
        print("loaded:", sorted(name for name in sys.modules if name.startswith(OURS + ".leaks.")))
"""
TAIL = """\
import atexit
@atexit.register
def rest():
    print("not read:", sorted(set(sys.modules) - BEFORE - {"dis", "_opcode", "_opcode_metadata",
                                                            "opcode", "ast", "_ast"}))
"""
LEAVES = """
    def test_leaves(self):
        self.thing = Thing()
        KEPT.append(self)
        os.environ["LEFT_BEHIND"] = "1"
        threading.Thread(name="left", target=threading.Event().wait, daemon=True).start()
"""


@full_on(OLDEST, NEWEST)
class LateTests(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        shutil.copytree(os.path.join(ROOT, "unittest_leakfix"),
                        os.path.join(cls.folder, "unittest_leakfix"),
                        ignore=shutil.ignore_patterns("__pycache__", "django", "pytest_plugin"))
        subprocess.run([sys.executable, "-m", "compileall", "-q", cls.folder], check=True)

    def report(self, body):
        with open(os.path.join(self.folder, "sample.py"), "w", encoding="utf-8") as file:
            file.write(HEAD + textwrap.indent(textwrap.dedent(body), "    ") + TAIL)
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join([self.folder, ROOT]))
        ran = subprocess.run(
            [sys.executable, "-m", "unittest_leakfix", "--leaks=report", "sample"],
            cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            universal_newlines=True, timeout=120)
        self.assertEqual(0, ran.returncode, ran.stdout)
        return ran.stdout

    def assert_reported(self, shown):
        for text in ("Tests.test_leaves was kept after it finished", "LEFT_BEHIND",
                     'thread "left"'):
            self.assertIn(text, shown)
        self.assertIn("not read: []", shown)

    def test_nothing_is_loaded_for_nothing(self):
        shown = self.report("")
        self.assertNotIn("LEAKS", shown)
        for name in ("classify", "identify", "model.leak", "model.kinds", "retention.search",
                     "report.text_report", "report_files"):
            self.assertNotIn("'unittest_leakfix.leaks.%s'" % name, shown)

    def test_all_that_is_loaded_late_is_read_beforehand(self):
        self.assert_reported(self.report(LEAVES))

    @unittest.skipIf(os.name == "nt", "Windows has no limit to lower")
    def test_no_descriptor(self):
        self.assert_reported(self.report(LEAVES + """
    def test_z(self):
        exhaust(HELD, 60)
"""))

    def test_what_loading_calls_is_replaced(self):
        self.assert_reported(self.report(LEAVES + """
    def test_z(self):
        builtins.open = io.open = os.stat = builtins.__import__ = builtins.exec = left
        sys.path[:] = []
        sys.path_hooks[:] = []
"""))


if __name__ == "__main__":
    unittest.main()
