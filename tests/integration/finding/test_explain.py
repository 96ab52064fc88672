"""``python -m unittest_leakfix explain``, in a process of its own: leaks, warm-up, the planted
lines."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support.paths import ROOT
from tests.tiers import nightly

PROJECT = {"app": """\
    ROWS, TABLE, CONFIG = [], {}, {"mode": "live"}

    class Row:
        def __init__(self):
            self.text = bytearray(200000)  # line 5

    def add():
        ROWS.append(Row())
    """, "test_shop": """\
    import os, threading, unittest
    import app

    class Base(unittest.TestCase):
        pass

    class ShopTests(Base):
        @classmethod
        def setUpClass(cls):
            app.ready = True

        def test_grows(self):
            self.assertTrue(app.ready)
            app.add()

        def test_warms_up(self):
            if not app.TABLE:
                app.TABLE["rows"] = bytearray(300000)  # line 18

        def test_leaves_nothing(self):
            bytearray(500000)

        def test_thread(self):
            threading.Thread(target=threading.Event().wait, daemon=True).start()  # line 24

        def test_fails(self):
            self.fail("always")

        def test_ends(self):
            os._exit(3)
    """}


class ExplainCase(unittest.TestCase):
    cwd = ROOT

    def explain(self, *arguments: str, status: int = 0) -> str:
        """Return what the command prints."""
        done = subprocess.run(
            [sys.executable, "-m", "unittest_leakfix", "explain", *arguments], cwd=self.cwd,
            env=dict(os.environ, PYTHONPATH=ROOT, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
                     ZOO=tempfile.gettempdir()),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=300)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return done.stdout or done.stderr


class StoryTests(ExplainCase):
    """A small suite."""

    def setUp(self) -> None:
        self.cwd = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.cwd)
        for name, text in PROJECT.items():
            with open(os.path.join(self.cwd, name + ".py"), "w", encoding="utf-8") as file:
                file.write(textwrap.dedent(text))

    def test_what_grows_each_time(self) -> None:
        text = self.explain("--json", "story.json", "test_shop.ShopTests.test_grows")
        self.assertIn("EXPLAIN  test_shop.ShopTests.test_grows leaks: 200 kB more each time", text)
        self.assertIn("    allocated at app.py:5\n", text)
        self.assertIn("    > 5         self.text = bytearray(200000)  # line 5\n", text)
        self.assertIn("    called from app.py:8, test_shop.py:14\n", text)
        self.assertIn("app.ROWS", text)     # the holder
        self.assertIn("It ran 5 times", text)
        with open(os.path.join(self.cwd, "story.json"), encoding="utf-8") as file:
            value = json.load(file)
        self.assertTrue(value["leaks"])
        self.assertEqual(value["grown"][0]["stack"][0], {"file": "app.py", "line": 5})
        self.assertEqual(len(value["kept"]), 5)
        self.assertEqual(len(value["traced"]), 4)

    def test_warm_up(self) -> None:
        # The end of its name is found by discovery.
        text = self.explain("--times=2", "ShopTests.test_warms_up", status=1)
        self.assertIn("EXPLAIN  test_shop.ShopTests.test_warms_up does not leak: what its first "
                      "run left is warm-up", text)
        self.assertIn("WARM-UP  300 kB in the first run, and no more later\n"
                      "    allocated at test_shop.py:18\n", text)
        self.assertNotIn("GROWS", text)
        self.assertIn("It ran 3 times", text)

    def test_the_last_word_of_a_name(self) -> None:
        # By itself it is the name of a module that there is not.
        text = self.explain("--times=2", "test_grows")
        self.assertIn("EXPLAIN  test_shop.ShopTests.test_grows leaks: 200 kB more each time", text)
        text = self.explain("--times=2", "test_absent", status=1)
        self.assertIn("it fails: ImportError: Failed to import test module: test_absent", text)

    def test_pytests_name_and_a_report(self) -> None:
        try:
            import pytest  # noqa: F401
        except ImportError:
            self.skipTest("no pytest")
        text = self.explain("test_shop.py::ShopTests::test_grows")
        self.assertIn("allocated at app.py:5\n", text)
        report = {"version": 1, "worker": "", "tests": 1, "known": [], "gone": [],
                  "unmeasured": [], "more": 0, "leaks": [{
                      "kind": "thread", "subject": "t", "tests": [each], "size": 0, "chain": None,
                      "holding": [], "acquisition": None, "notes": [], "closed": "", "remedy": "",
                      "growth": 0, "silence": "", "cause": each}
                      for each in ("setUpClass (test_shop.ShopTests)",
                                   "test_shop.ShopTests.test_thread")]}
        with open(os.path.join(self.cwd, "r.json"), "w", encoding="utf-8") as file:
            json.dump(report, file)
        text = self.explain("r.json", "2")
        self.assertIn("EXPLAIN  test_shop.ShopTests.test_thread leaks", text)
        self.assertIn("test_shop.py:24\n", text)
        self.assertIn("error: cause 1 was left by setUpClass (test_shop.ShopTests), which is not a "
                      "test", self.explain("r.json", status=2))
        self.assertIn("r.json has 2 causes, and not a number 3", self.explain(
            "r.json", "3", status=2))

    def test_what_cannot_be_explained(self) -> None:
        self.assertIn("error: test_shop.ShopTests.test_none is not the name of just one test",
                      self.explain("test_shop.ShopTests.test_none", status=2))
        self.assertIn("was not measured: the process ended (exit status 3) in it",
                      self.explain("test_shop.ShopTests.test_ends", status=2))

    def test_a_test_that_fails_leaves_nothing(self) -> None:
        text = self.explain("--times=2", "test_shop.ShopTests.test_fails", status=1)
        self.assertIn("test_shop.ShopTests.test_fails leaves nothing\n"
                      "    it fails: AssertionError: always\n", text)


def planted(module: str, mark: str) -> str:
    """Return the place of the line of tests/zoo that has *mark*."""
    path = os.path.join("tests", "zoo", module + ".py")
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return "%s:%d" % (path, next(number for number, line in enumerate(file, 1)
                                     if mark in line))


class ZooTests(ExplainCase):
    """Of each kind the planted line is named."""

    def see(self, test: str, place: str, status: int = 0) -> None:
        text = self.explain("--times=2", "tests.zoo." + test, status=status)
        self.assertIn(place, text)

    def see_opened(self, name: str) -> None:
        self.see("lines.Held.test_" + name, planted("lines_app", "# opens: %s\n" % name))

    def test_thread(self) -> None:
        self.see_opened("thread")

    def test_growing_list(self) -> None:
        self.see("grown.InList.test_1", planted("grown", "market.ROWS.append(bytearray"))

    @nightly
    def test_descriptor(self) -> None:
        self.see_opened("os_open")

    @nightly
    def test_temporary_folder(self) -> None:
        self.see_opened("temporary_folder")

    @nightly
    def test_connection(self) -> None:
        self.see_opened("sqlite")

    @nightly
    def test_executor(self) -> None:
        self.see_opened("executor")

    @nightly
    def test_logging_handler(self) -> None:
        self.see_opened("file_handler")

    @nightly
    def test_patch(self) -> None:
        self.see_opened("patch_target")

    @nightly
    def test_event_loop(self) -> None:
        self.see_opened("loop")

    @nightly
    def test_growing_dictionary(self) -> None:
        # Under one key for each test: the second time replaces what the first one left.
        self.see("grown.InDict.test_1", planted("grown", "market.remember(number, {"), status=1)

    @nightly
    def test_kept_test(self) -> None:
        self.see("kept.KeptTest.test_in_module_global", "tests.zoo.shop.last")
