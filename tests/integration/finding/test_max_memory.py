"""``--max-memory`` and ``leakfix_max_memory``: what keeps too much each time fails, a cache does
not."""
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
from tests.tiers import nightly

SIZES = (0, 1, 5, 20, 40, 60, 80, 100, 150, 200)
TWENTY = """\
    import unittest
    LEFT, CACHES = [], {}

    class LimitTests(unittest.TestCase):
        leakfix_max_memory = "%d kB"

    def add(size):
        def leaks(self):
            LEFT.append(b"x" * size)
        def fills(self):
            if size not in CACHES:
                CACHES[size] = b"x" * size
        setattr(LimitTests, "test_leaks_%%03d" %% (size // %d), leaks)
        setattr(LimitTests, "test_fills_%%03d" %% (size // %d), fills)

    for each in %r:
        add(each * %d)
    """


class LimitCase(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, text: str, name: str = "test_it") -> None:
        with open(os.path.join(self.folder, name + ".py"), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))

    def call(self, *arguments: str, status: int, module: str = "unittest_leakfix") -> str:
        """Return what the run prints."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=self.folder,
            env=dict(os.environ, PYTHONPATH=ROOT, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=300)
        self.assertEqual(status, done.returncode, done.stdout)
        return done.stdout


class TwentyTests(LimitCase):
    """Twenty tests that keep 0 to 200 MB, each time or once."""

    def see(self, unit: int) -> None:
        self.write(TWENTY % (50 * unit // 1000, unit, unit, SIZES, unit))
        text = self.call("--leaks=report", "--leaks-json=r.json", "test_it", status=1)
        failed = re.findall(r"(?m)^FAIL: (?:test_\w+ \()?test_it\.LimitTests\.(\w+)", text)
        self.assertEqual(sorted(failed), ["test_leaks_%03d" % size for size in SIZES if size > 50])
        self.assertIn("Ran 20 tests", text)
        with open(os.path.join(self.folder, "r.json"), encoding="utf-8") as file:
            limits = json.load(file)["timeline"]["limits"]
        self.assertEqual({each["test"].rpartition(".")[2] for each in limits},
                         {"test_%s_%03d" % (sort, size) for sort in ("leaks", "fills")
                          for size in SIZES if size > 50})
        for each in limits:
            self.assertEqual(each["again"] > each["limit"], "leaks" in each["test"])

    def test_a_tenth_of_it(self) -> None:
        self.see(100000)

    @nightly
    def test_all_of_it(self) -> None:
        self.see(1000000)


class VerdictTests(LimitCase):
    def test_the_option_and_who_has_another_limit(self) -> None:
        self.write("""\
            import unittest
            LEFT = []
            class OneTests(unittest.TestCase):
                def test_leaks(self):
                    LEFT.append(b"x" * 8000000)
                def test_may(self):
                    LEFT.append(b"x" * 8000000)
                test_may.leakfix_max_memory = "9MB"
                def test_any(self):
                    LEFT.append(b"x" * 8000000)
                test_any.leakfix_max_memory = None
                def test_fails(self):
                    self.fail("its verdict stands")
                def test_passes(self):
                    pass
            class TwoTests(OneTests):
                leakfix_max_memory = None
                def test_may(self):
                    pass
            """)
        text = self.call("--max-memory=5MB", "-v", "test_it", status=1)
        self.assertIn("FAILED (failures=3)", text)
        self.assertIn("FAIL: test_it.OneTests.test_leaks\n", text)
        self.assertRegex(text, r"AssertionError: kept [89]\.\d MB, and [89]\.\d MB when it ran "
                               r"again: more than 5\.0 MB \(leakfix_max_memory\)")
        self.assertIn("MEMORY  1 test was above its limit; confirmed: 1\n", text)
        self.assertRegex(text, r"(?m)^test_passes .*ok$")

    def test_what_cannot_run_again_fails_nothing(self) -> None:
        self.write("""\
            import unittest
            from unittest_leakfix import LeakFixTestRunner
            LEFT = []
            class OneTests(unittest.TestCase):
                leakfix_max_memory = 5000000
                def test_leaks(self):
                    LEFT.append(b"x" * 8000000)
            class BadTests(unittest.TestCase):
                leakfix_max_memory = "much"
                def test_a(self):
                    pass
            if __name__ == "__main__":
                unittest.main(testRunner=LeakFixTestRunner(leaks="report"))
            """, "script")
        text = self.call(module="script", status=0)
        self.assertRegex(text, r"__main__\.OneTests\.test_leaks kept [89]\.\d MB, more than 5\.0 "
                               r"MB; unconfirmed, so it does not fail: ")
        self.assertIn("BadTests.leakfix_max_memory = 'much': give a number of bytes", text)

    def test_pytest(self) -> None:
        try:
            import pytest  # noqa: F401
        except ImportError:
            self.skipTest("no pytest")
        self.write("""\
            import pytest
            LEFT, CACHE = [], []
            @pytest.mark.leakfix_max_memory("5 MB")
            @pytest.mark.parametrize("number", [1, 2])
            def test_leaks(number):
                LEFT.append(b"x" * 4000000 * number)
            @pytest.mark.leakfix_max_memory("5 MB")
            def test_fills():
                if not CACHE:
                    CACHE.append(b"x" * 8000000)
            class TestClass:
                leakfix_max_memory = "5 MB"
                def test_leaks(self):
                    LEFT.append(b"x" * 8000000)
            """)
        text = self.call("-p", "unittest_leakfix.pytest_plugin", "-p", "no:cacheprovider",
                         "--leakfix=report", "test_it.py", module="pytest", status=1)
        self.assertIn("4 passed, 2 errors", text)
        self.assertIn("ERROR test_it.py::test_leaks[2] - kept 8.", text)
        self.assertIn("ERROR test_it.py::TestClass::test_leaks - kept 8.", text)
        self.assertIn("test_it.py::test_fills kept 8.", text)
        self.assertIn(": the first time fills a cache", text)
