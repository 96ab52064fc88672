"""``python -m unittest_leakfix polluter``, in a process of its own: answers, messages, status."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

from tests.support.paths import ROOT
from tests.tiers import NEWEST, full_on
from unittest_leakfix.shuffle import shuffled

sys.path.insert(0, os.path.join(ROOT, "benchmarks"))
try:
    import polluters as planted
finally:
    sys.path.pop(0)

STATE = """\
    class Config:
        debug = False
    items = []
"""


class CommandCase(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            with open(os.path.join(self.folder, name + ".py"), "w", encoding="utf-8") as file:
                file.write(textwrap.dedent(text))

    def call(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "unittest_leakfix", "polluter", *arguments], cwd=self.folder,
            env=dict(os.environ, PYTHONPATH=ROOT, PYTHONDONTWRITEBYTECODE="1",
                     PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=300)

    def ask(self, *arguments: str, status: int = 0) -> dict:
        done = self.call("--json", "answer.json", *arguments)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        with open(os.path.join(self.folder, "answer.json"), encoding="utf-8") as file:
            return dict(json.load(file), text=done.stdout)

    def repeat(self, answer: dict) -> int:
        """Type the command of an *answer*; return its status."""
        command = answer["repeat"].replace("python ", sys.executable + " ", 1)
        return subprocess.run(command, shell=True, cwd=self.folder,
                              env=dict(os.environ, PYTHONPATH=ROOT), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode


class AnswerTests(CommandCase):
    """Small suites of unittest's."""

    def test_what_it_left_and_what_mends_it(self) -> None:
        self.write(test_a="""\
            import os, unittest
            class A(unittest.TestCase):
                def test_one(self): pass
                def test_sets(self):
                    os.environ["SHOP_MODE"] = "test"
            """, test_b="""\
            import os, unittest
            class B(unittest.TestCase):
                def test_reads(self): self.assertNotIn("SHOP_MODE", os.environ)
            """)
        answer = self.ask("B.test_reads")
        self.assertEqual(["test_a.A.test_sets"], answer["polluters"])
        self.assertEqual("polluter", answer["answer"])
        self.assertTrue(answer["proved"])
        self.assertEqual(["self.addCleanup(os.environ.pop, \"SHOP_MODE\", None)"],
                         [leak["remedy"] for leak in answer["left"]])
        self.assertIn("by test_a.A.test_sets  test_a.py:5 in test_sets", answer["text"])
        self.assertIn("  mend      self.addCleanup(os.environ.pop, \"SHOP_MODE\", None)",
                      answer["text"])
        self.assertEqual("python -m unittest_leakfix test_a.A.test_sets test_b.B.test_reads",
                         answer["repeat"])
        self.assertEqual(1, self.repeat(answer))

    def test_a_registry_that_is_no_leak(self) -> None:
        """What is filled once is recorded, and no cause of the report."""
        self.write(app="""\
            handlers = {}
            """, test_a="""\
            import app, unittest
            class A(unittest.TestCase):
                def test_one(self): pass
                def test_registers(self): app.handlers.setdefault("text", print)
                def test_two(self): pass
            """, test_b="""\
            import app, unittest
            class B(unittest.TestCase):
                def test_is_empty(self): self.assertEqual({}, app.handlers)
            """)
        answer = self.ask("B.test_is_empty")
        self.assertEqual(["test_a.A.test_registers"], answer["polluters"])
        named = answer["changed"] + [leak["subject"] for leak in answer["left"]]
        self.assertTrue(any("app.handlers" in each for each in named), answer["text"])
        self.assertIn("app.handlers", answer["text"])

    def test_a_double_that_was_left_in_a_module(self) -> None:
        self.write(app="""\
            class Settings:
                cutoff = 1000
            settings = Settings()
            """, test_a="""\
            import app, unittest
            class Double:
                cutoff = 2
            class A(unittest.TestCase):
                def test_one(self): pass
                def test_replaces(self): app.settings = Double()
            """, test_b="""\
            import app, unittest
            class B(unittest.TestCase):
                def test_reads(self): self.assertEqual(1000, app.settings.cutoff)
            """)
        answer = self.ask("B.test_reads")
        self.assertEqual(["test_a.A.test_replaces"], answer["polluters"])
        self.assertEqual(1, len(answer["left"]), answer["text"])
        self.assertIn("app.settings", answer["text"])
        self.assertIn("  mend      ", answer["text"])

    def test_a_seed(self) -> None:
        self.write(app=STATE, test_a="""\
            import app, unittest
            class A(unittest.TestCase):
                def test_sets(self): app.Config.debug = True
                def test_x(self): pass
            class B(unittest.TestCase):
                def test_reads(self): self.assertFalse(app.Config.debug)
            """)
        kinds = [type(name, (unittest.TestCase,), {"__module__": "test_a", method: print})
                 for name, method in (("A", "test_sets"), ("B", "test_reads"))]
        seeds = {}      # by the class that runs first
        for seed in range(1, 30):
            suite = unittest.TestSuite([kinds[0]("test_sets"), kinds[1]("test_reads")])
            seeds.setdefault(type(next(iter(shuffled(suite, seed)))).__name__, seed)
        answer = self.ask("B.test_reads", "--shuffle", str(seeds["A"]))
        self.assertEqual(["test_a.A.test_sets"], answer["polluters"])
        answer = self.ask("B.test_reads", "--shuffle", str(seeds["B"]), status=1)
        self.assertEqual("passes", answer["answer"])

    def test_state_setter(self) -> None:
        self.write(app=STATE, test_a="""\
            import app, unittest
            class A(unittest.TestCase):
                def test_fills(self): app.items.append(1)
                def test_x(self): pass
                def test_y(self): pass
            """, test_b="""\
            import app, unittest
            class B(unittest.TestCase):
                def test_reads(self): self.assertTrue(app.items)
            """)
        answer = self.ask("test_b.B.test_reads")
        self.assertEqual(("state-setter", ["test_a.A.test_fills"]),
                         (answer["answer"], answer["polluters"]))
        self.assertTrue(answer["text"].startswith(
            "STATE-SETTER  test_b.B.test_reads needs test_a.A.test_fills\n"))

    def test_fails_alone_and_passes(self) -> None:
        self.write(test_a="""\
            import unittest
            class A(unittest.TestCase):
                def test_a(self): pass
                def test_b(self): self.fail("always")
                def test_c(self): pass
            """)
        answer = self.ask("A.test_b", status=1)
        self.assertEqual("fails alone", answer["answer"])
        self.assertEqual("AssertionError: always", answer["alone"]["text"])
        self.assertEqual("passes", self.ask("A.test_c", status=1)["answer"])
        answer = self.ask("A.test_a", status=1)
        self.assertEqual("no test runs before it", answer["note"])

    def test_flaky(self) -> None:
        """It fails in the first and in no later run."""
        self.write(test_a="""\
            import os, unittest
            class A(unittest.TestCase):
                def test_a(self): pass
                def test_b(self): pass
                def test_c(self):
                    if not os.path.exists("once"):
                        open("once", "w").close()
                        self.fail("the first time")
            """)
        self.assertEqual("flaky", self.ask("A.test_c", status=1)["answer"])

    def test_the_import_of_a_module(self) -> None:
        self.write(app=STATE, test_a="""\
            import unittest
            class A(unittest.TestCase):
                def test_a(self): pass
            """, test_b="""\
            import app, unittest
            app.Config.debug = True
            class B(unittest.TestCase):
                def test_b(self): pass
            """, test_c="""\
            import app, unittest
            class C(unittest.TestCase):
                def test_c(self): self.assertFalse(app.Config.debug)
            """)
        answer = self.ask("C.test_c")
        self.assertEqual(("import", ["test_b"]), (answer["answer"], answer["polluters"]))
        self.assertEqual(1, self.repeat(answer))

    def test_the_fixtures_of_another_class_and_module(self) -> None:
        sets = "app.Config.debug = True"
        test = "    def test_a(self): pass\n    def test_b(self): pass\n"
        for fixture in ("    @classmethod\n    def setUpClass(cls):\n        " + sets,
                        "def setUpModule():\n    " + sets):
            with self.subTest(fixture):
                text = "import app, unittest\nclass A(unittest.TestCase):\n%s\n%s"
                self.write(app=STATE, test_a=text % (test, fixture), test_b="""\
                    import app, unittest
                    class B(unittest.TestCase):
                        def test_reads(self): self.assertFalse(app.Config.debug)
                    """)
                self.assertEqual(["test_a.A.test_a"], self.ask("B.test_reads")["polluters"])

    def test_a_fixture_of_the_victim_fails(self) -> None:
        self.write(app=STATE, test_a="""\
            import app, unittest
            class A(unittest.TestCase):
                def test_a(self): pass
                def test_sets(self): app.Config.debug = True
            """, test_b="""\
            import app, unittest
            class B(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    assert not app.Config.debug, "left on"
                def test_reads(self): pass
            """)
        answer = self.ask("B.test_reads")
        self.assertEqual(["test_a.A.test_sets"], answer["polluters"])
        self.assertEqual("AssertionError: left on", answer["with"]["text"])

    def test_only_with_a_test_that_has_no_name(self) -> None:
        """Two tests of one name: what cannot be typed is run by the command itself."""
        self.write(app=STATE, test_a="""\
            import app, unittest
            class A(unittest.TestCase):
                def __init__(self, method, sets=False):
                    super().__init__(method)
                    self.sets = sets
                def test_a(self): app.Config.debug |= self.sets
            class B(unittest.TestCase):
                def test_reads(self): self.assertFalse(app.Config.debug)
            def load_tests(loader, tests, pattern):
                return unittest.TestSuite([A("test_a"), A("test_a", True), B("test_reads")])
            """)
        answer = self.ask("B.test_reads")
        self.assertEqual((["test_a.A.test_a (2)"], False),
                         (answer["polluters"], answer["proved"]))
        self.assertIn("--after 'test_a.A.test_a (2)'", answer["repeat"])
        self.assertEqual(1, self.repeat(answer))

    def test_names_of_another_folder(self) -> None:
        os.mkdir(os.path.join(self.folder, "checks"))
        self.write(**{"checks/test_a": """\
            import os, unittest
            class A(unittest.TestCase):
                def test_sets(self): os.environ["SHOP_MODE"] = "test"
                def test_zreads(self): self.assertNotIn("SHOP_MODE", os.environ)
            """})
        answer = self.ask("A.test_zreads", "discover", "-s", "checks")
        self.assertEqual((["test_a.A.test_sets"], True), (answer["polluters"], answer["proved"]))
        self.assertTrue(answer["repeat"].startswith("PYTHONPATH=checks:$PYTHONPATH python -m "))


class FaultTests(CommandCase):
    """Children that do not end as they should."""

    def plant(self, does: str) -> None:
        self.write(app=STATE, test_a="""\
            import app, os, signal, threading, time, unittest
            class A(unittest.TestCase):
                def test_a(self): pass
                def test_b(self): app.Config.debug = True
                def test_c(self): pass
            class V(unittest.TestCase):
                def test_v(self):
                    if app.Config.debug: %s
            """ % does)

    def test_the_victim_dies_or_stands_still(self) -> None:
        for does, printed in (("os.kill(os.getpid(), signal.SIGKILL)", "ended (SIGKILL) in it"),
                           ("os._exit(0)", "ended (exit status 0) in it"),
                           ("time.sleep(600)", "stood still in it")):
            with self.subTest(does):
                self.plant(does)
                answer = self.ask("V.test_v", "--limit", "2")
                self.assertEqual(["test_a.A.test_b"], answer["polluters"])
                self.assertIn(printed, answer["with"]["text"])

    def test_another_test_dies(self) -> None:
        self.write(test_a="""\
            import os, unittest
            class A(unittest.TestCase):
                def test_a(self): os._exit(3)
                def test_v(self): pass
            """)
        answer = self.ask("A.test_v", status=1)
        self.assertEqual("not run", answer["answer"])
        self.assertIn("the process ended (exit status 3) in test_a.A.test_a", answer["text"])

    def test_a_process_that_does_not_end(self) -> None:
        self.plant("self.fail('on')")
        self.write(test_0="""\
            import threading, unittest
            class Z(unittest.TestCase):
                def test_z(self): threading.Thread(target=threading.Event().wait).start()
            """)
        answer = self.ask("V.test_v", "--limit", "4")
        self.assertEqual(["test_a.A.test_b"], answer["polluters"])

    def test_ctrl_c_ends_the_children(self) -> None:
        self.write(test_a="""\
            import os, time, unittest
            class A(unittest.TestCase):
                def test_a(self): pass
                def test_b(self):
                    with open("new", "w") as file: file.write(str(os.getpid()))
                    os.rename("new", "pid")
                    time.sleep(300)
            """)
        child = subprocess.Popen(
            [sys.executable, "-m", "unittest_leakfix", "polluter", "A.test_b"], cwd=self.folder,
            env=dict(os.environ, PYTHONPATH=ROOT), stderr=subprocess.PIPE)
        path = os.path.join(self.folder, "pid")
        while not os.path.exists(path) and child.poll() is None:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        printed = child.communicate(timeout=60)[1].decode()
        self.assertEqual(130, child.returncode, printed)
        self.assertNotIn("Traceback", printed)
        with open(path, encoding="ascii") as file:
            self.assertRaises(OSError, os.kill, int(file.read()), 0)

    def test_what_cannot_be_run(self) -> None:
        self.write(test_a="""\
            import unittest
            class A(unittest.TestCase):
                def test_a(self): pass
            class B(unittest.TestCase):
                def test_a(self): pass
            """)
        for arguments, printed in (
                (["test_missing"], "test_missing is not the name of just one test; 2 tests were"),
                (["test_a"], "    test_a.A.test_a\n    test_a.B.test_a"),
                (["A.test_a", "discover", "-s", "nowhere"], "the tests could not be run"),
                (["A.test_a", "--wrong"], "--wrong"),
                ([], "the name of the test comes first"),
                (["-s", "x"], "the name of the test comes first"),
                (["--jobs", "0", "x"], "--jobs")):
            with self.subTest(arguments):
                done = self.call(*arguments)
                self.assertEqual(2, done.returncode, done.stderr)
                self.assertIn(printed, done.stderr)
                self.assertNotIn("Traceback (most recent call last):\n  File \"%s" % ROOT,
                                 done.stderr)


class FrameworkTests(CommandCase):
    """The suites of the benchmark, the small ones."""

    def check(self, framework: str, *names: str, jobs: int = 1) -> None:
        for suite in planted.SUITES:
            if suite.name in names:
                with self.subTest(suite.name):
                    folder = os.path.join(self.folder, suite.name)
                    victim, polluters = planted.make(suite, folder)
                    answer = planted.find(folder, framework, victim, jobs)
                    self.assertTrue(planted.is_right(answer, suite, polluters), answer["text"])

    def test_unittest(self) -> None:
        self.check("unittest", "fifty", "hundred")

    def test_unittest_jobs(self) -> None:
        self.check("unittest", "fifty", jobs=3)

    @unittest.skipUnless(importlib.util.find_spec("pytest"), "needs pytest")
    def test_pytest(self) -> None:
        self.check("pytest", "ten")

    @unittest.skipUnless(importlib.util.find_spec("django"), "needs Django")
    def test_django(self) -> None:
        self.check("django", "ten")

    @full_on(NEWEST)
    @unittest.skipUnless(importlib.util.find_spec("pytest"), "needs pytest")
    def test_functions_of_pytest(self) -> None:
        os.mkdir(os.path.join(self.folder, "checks"))
        self.write(app=STATE, **{"checks/test_a": """\
            import app, pytest
            @pytest.mark.parametrize("value", ["a.b", "x::y"])
            def test_sets(value):
                app.Config.debug = value == "x::y"
            def test_reads():
                assert not app.Config.debug
            """})
        answer = self.ask("--pytest", "test_reads", "checks", "-p", "no:terminalreporter")
        self.assertEqual(["checks/test_a.py::test_sets[x::y]"], answer["polluters"])
        self.assertTrue(answer["proved"])
        self.assertEqual(1, self.repeat(answer))


if __name__ == "__main__":
    unittest.main()
