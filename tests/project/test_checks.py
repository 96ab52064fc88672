"""The checks of the test command: counted as tests are, skipped by name where there are none."""

from __future__ import absolute_import

import io
import os
import re
import sys
import unittest

from tests import everywhere
from tests.project.test_everywhere import EverywhereCase
from tests.support import checks, everywhere_samples, interpreters

PASSES = ("ruff", ["-c", "pass"])
FAILS = ("mypy", ["-c", "print('cli.py:3: error: of the source'); raise SystemExit(1)"])


class Checked(interpreters.Interpreter):
    """This interpreter, in place of the environment of the checks."""

    python = sys.executable


class ChecksTest(EverywhereCase):
    def put_in(self, module, **values):
        """Set attributes of a module for the time of this test."""
        for name, value in values.items():
            self.addCleanup(setattr, module, name, getattr(module, name))
            setattr(module, name, value)

    def perform(self, *given, **options):
        """Run the command with these checks and one test that passes."""
        self.put_in(checks, CHECKS=given)
        if options.pop("made", True):
            self.put_in(interpreters, prepare_from=lambda *arguments: None)
            self.put_in(checks, newest=lambda found: Checked(sys.executable, (3, 12, 1), "venv"))
        # The names of tests are what keeps the checks away: here they are chosen otherwise.
        self.put_in(everywhere.runs.Run, perform=lambda run, *arguments: setattr(run, "passed", 1))
        return self.run_command(*options.pop("arguments", ("--only", "3.12")), **options)

    def test_they_pass(self):
        lines = self.perform(PASSES, ("mypy", PASSES[1]))
        self.assertIn("checks: ruff, mypy: 2 passed", lines)
        self.assertEqual((lines[-1], self.status), ("3 passed, 0 failed, 0 skipped", 0))

    def test_one_fails(self):
        lines = self.perform(PASSES, FAILS)
        self.assertIn("FAILED [checks] mypy", lines)
        self.assertIn("checks: ruff, mypy: 1 passed, 1 failed", lines)
        self.assertIn("FAIL: mypy [checks]\n%s\ncli.py:3: error: of the source\n" % ("-" * 70),
                      self.output.text)
        self.assertEqual((lines[-1], self.status), ("2 passed, 1 failed, 0 skipped", 1))

    def test_they_are_not_tests(self):
        self.put_in(checks, CHECKS=(PASSES,))
        lines = self.perform(PASSES, found={})
        self.assertEqual((lines[-1], self.status), ("1 passed, 0 failed, 1 skipped", 1))

    def test_no_interpreter_for_them(self):
        lines = self.perform(PASSES, FAILS, made=False, arguments=("--only", "2.7"), found={
            "2.7": everywhere_samples.Here("2.7")})
        for name in ("ruff", "mypy"):
            self.assertIn("    1  %s needs Python 3.11 or later with venv (checks)" % name, lines)
        self.assertEqual((lines[-1], self.status), ("1 passed, 0 failed, 2 skipped", 0))

    def test_they_cannot_be_installed(self):
        def prepare_from(*arguments):
            raise interpreters.CannotPrepare("pip install ended with 1\nno network")
        self.put_in(checks, newest=lambda found: Checked(sys.executable, (3, 12, 1), "venv"))
        self.put_in(interpreters, prepare_from=prepare_from)
        lines = self.perform(PASSES, FAILS, made=False)
        self.assertIn("    1  mypy could not be installed, see .envs/logs/checks.txt "
                      "(no network) (checks)", lines)
        self.assertEqual((lines[-1], self.status), ("1 passed, 0 failed, 2 skipped", 0))

    def test_named_tests_alone(self):
        self.put_in(checks, CHECKS=(FAILS,))
        lines = self.run_samples("Outcomes.test_passes")
        self.assertEqual((lines[-1], self.status), ("1 passed, 0 failed, 0 skipped", 0))

    def test_newest(self):
        found = {"3.9": interpreters.Interpreter("a", (3, 9, 1), "venv"),
                 "3.11": interpreters.Interpreter("b", (3, 11, 1), "venv"),
                 "3.13": interpreters.Interpreter("c", (3, 13, 1), None)}
        self.assertEqual(checks.newest(found).path, "b")
        self.assertEqual(checks.newest(found).folder, checks.FOLDER)
        del found["3.11"]
        self.assertIsNone(checks.newest(found))


class PinsTest(unittest.TestCase):
    def test_the_same_everywhere(self):
        def pinned(*path):
            with io.open(os.path.join(interpreters.ROOT, *path), encoding="utf-8") as file:
                return dict(re.findall(r"\b(ruff|mypy)==([\d.]+)", file.read()))
        wanted = pinned("tests", "requirements-checks.txt")
        self.assertEqual(sorted(wanted), ["mypy", "ruff"])
        self.assertEqual(pinned(".pre-commit-config.yaml"), wanted)
        self.assertEqual(pinned("tests", "requirements.txt"), {"mypy": wanted["mypy"]})

    def test_the_site_is_made_with_what_its_requirements_say(self):
        def pinned(*path):
            with io.open(os.path.join(interpreters.ROOT, *path), encoding="utf-8") as file:
                return dict(re.findall(r"^(sphinx|furo|myst-parser)==(\S+)$", file.read(),
                                       re.MULTILINE))
        wanted = pinned("docs", "requirements.txt")
        self.assertEqual(sorted(wanted), ["furo", "myst-parser", "sphinx"])
        self.assertEqual(pinned("tests", "requirements-checks.txt"), wanted)


if __name__ == "__main__":
    unittest.main()
