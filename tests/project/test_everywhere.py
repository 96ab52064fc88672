"""The test command: what it says as it goes, and what becomes of children that are slow, hang or
die."""

from __future__ import absolute_import

import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from tests import everywhere, tiers
from tests.support import children, everywhere_samples, interpreters, measured, paths

try:
    import fcntl
except ImportError:
    fcntl = None

SAMPLES = "tests.support.everywhere_samples."


class Output(object):
    """Takes what is printed. When a text of *cues* came, the file of that name is made in
    *folder*."""

    encoding = None

    def __init__(self, folder, cues):
        self.text, self._folder, self._cues = u"", folder, cues

    def write(self, text):
        self.text += text if isinstance(text, type(u"")) else text.decode("utf-8")
        for cue, name in self._cues.items():
            if cue in self.text:
                open(os.path.join(self._folder, name), "w").close()

    def flush(self):
        pass


@unittest.skipIf(fcntl is None, "needs fcntl")
class EverywhereCase(unittest.TestCase):
    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.put(os.environ, "LEAKFIX_SAMPLES", self.folder)

    def put(self, variables, name, value):
        """Set an environment variable for the time of this test."""
        before = variables.get(name)
        variables[name] = value
        self.addCleanup(lambda: variables.pop(name) if before is None
                        else variables.update({name: before}))

    def run_command(self, *arguments, **options):
        """Run the command with fake interpreters; return its lines."""
        self.output = Output(self.folder, options.pop("cues", {}))
        found = options.pop("found", None)
        before, sys.stdout = sys.stdout, self.output
        try:
            self.status = everywhere.main(
                list(arguments),
                found={"3.12": everywhere_samples.Here()} if found is None else found,
                runner=children.Children(clock=lambda: everywhere_samples.clock(self.folder)),
                logs=os.path.join(self.folder, "logs"), **options)
        finally:
            sys.stdout = before
        return self.output.text.splitlines()

    def run_samples(self, name, **options):
        return self.run_command("--only", "3.12", "support.everywhere_samples." + name, **options)

    def failures(self, lines):
        """List the tests that are named as failed."""
        return [line[len("FAILED [3.12] "):].replace(SAMPLES, "") for line in lines
                if line.startswith("FAILED")]

    def assertAlone(self):
        """Nobody is left who has the lock."""
        with open(os.path.join(self.folder, "lock")) as lock:
            deadline = time.time() + 30
            while True:
                try:
                    return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except (IOError, OSError):
                    if time.time() > deadline:
                        self.fail("the child of the test still runs")
                    time.sleep(0.05)


class OutcomesTest(EverywhereCase):
    def test_counts(self):
        lines = self.run_samples("Outcomes")
        self.assertEqual((lines[-1], self.status), ("2 passed, 3 failed, 1 skipped", 1))
        self.assertEqual(self.failures(lines), [
            "Outcomes.test_error", "Outcomes.test_subtests", "Outcomes.test_unexpected_success"])

    def test_the_longest_modules_stand_before_the_skips(self):
        lines = self.run_samples("Outcomes")
        head = lines.index("The longest of 1 modules:")
        self.assertLess(head, lines.index("Skipped:"))
        seconds, name = lines[head + 1].split(" s  ")
        self.assertEqual((seconds.strip().isdigit(), name), (True, SAMPLES + "Outcomes (3.12)"))

    def test_class_that_fails(self):
        lines = self.run_samples("OutcomesOfClass")
        self.assertEqual((lines[-1], self.status), ("0 passed, 1 failed, 0 skipped", 1))

    def test_what_cannot_be_loaded(self):
        lines = self.run_samples("Nobody")
        self.assertEqual((lines[-1], self.status), ("0 passed, 1 failed, 0 skipped", 1))
        self.assertEqual(len(self.failures(lines)), 1, lines)
        self.assertIn("has no attribute 'Nobody'", self.output.text)

    def test_all_passed(self):
        self.assertEqual((self.run_samples("Outcomes.test_passes")[-1], self.status), (
            "1 passed, 0 failed, 0 skipped", 0))

    def test_nothing_ran(self):
        self.assertEqual((self.run_samples("Outcomes.test_skipped")[-1], self.status), (
            "0 passed, 0 failed, 1 skipped", 1))

    def test_interpreter_that_is_not_here(self):
        lines = self.run_samples("Outcomes", found={})
        self.assertIn("    1  Python 3.12 not found (3.12)", lines)
        self.assertEqual((lines[-1], self.status), ("0 passed, 0 failed, 1 skipped", 1))


class CoverageTest(EverywhereCase):
    def test_where_it_cannot_be_had_it_is_skipped_by_name(self):
        self.addCleanup(setattr, measured, "REQUIREMENTS", measured.REQUIREMENTS)
        measured.REQUIREMENTS = os.path.join(self.folder, "broken.txt")
        with open(measured.REQUIREMENTS, "w") as file:
            file.write("== this is not a requirement\n")
        lines = self.run_command("--coverage", "--only", "3.12", SAMPLES + "Outcomes.test_passes")
        self.assertEqual((lines[-1], self.status), ("0 passed, 0 failed, 2 skipped", 1))
        self.assertIn("    1  coverage was measured on no interpreter (coverage)", lines)
        self.assertIn("no coverage: ", self.output.text)


class SilenceTest(EverywhereCase):
    """The samples put the clock forward: nobody waits ten minutes."""

    def failure(self, name):
        """Run what fails once, and return the text of it."""
        self.lines = self.run_samples(name)
        self.assertEqual(self.status, 1)
        (failed,) = self.failures(self.lines)
        return failed, self.output.text.partition("FAIL: ")[2]

    def test_slow_output(self):
        self.assertEqual((self.run_samples("Speaks")[-1], self.status),
                         ("2 passed, 0 failed, 0 skipped", 0))

    def test_slow_tests(self):
        self.assertEqual((self.run_samples("ManyTests")[-1], self.status),
                         ("5 passed, 0 failed, 0 skipped", 0))

    def test_hangs(self):
        failed, text = self.failure("Hangs")
        self.assertEqual(failed, "Hangs.test_b_hangs")
        self.assertIn("the interpreter was ended: nothing happened for 600 s\n", text)
        self.assertEqual(self.lines[-1], "1 passed, 1 failed, 0 skipped")
        self.assertAlone()
        if sys.version_info >= (3,):
            self.assertIn("in test_b_hangs", text)
            self.assertIn("in waits_for_ever", text)

    def test_hangs_before_the_first_test(self):
        self.assertEqual(self.failure("HangsInClass")[0],
                         "the beginning of HangsInClass")

    def test_hangs_after_the_last_test(self):
        self.assertEqual(self.failure("HangsAfterwards")[0],
                         "what came after HangsAfterwards.test_passes")
        self.assertEqual(self.lines[-1], "1 passed, 1 failed, 0 skipped")

    def test_dies(self):
        failed, text = self.failure("Dies")
        self.assertEqual(failed, "Dies.test_b_dies")
        self.assertIn("the interpreter was killed by SIGKILL\n", text)
        self.assertEqual(self.lines[-1], "1 passed, 1 failed, 0 skipped")
        self.assertAlone()

    def test_exits(self):
        failed, text = self.failure("Exits")
        self.assertEqual(failed, "Exits.test_exits")
        self.assertIn("the interpreter ended with status 3\n", text)

    def test_the_others_go_on(self):
        lines = self.run_command("--only", "3.11,3.12", "support.everywhere_samples.Dies", found={
            "3.11": everywhere_samples.Here("3.11"), "3.12": everywhere_samples.Here()})
        self.assertEqual(lines[-1], "2 passed, 2 failed, 0 skipped")


class ProgressTest(EverywhereCase):
    """The samples wait for what is printed meanwhile."""

    def test_tests(self):
        lines = self.run_samples("Waits", every=0.1, cues={
            " s] 3.12: 1 tests, 0 failed, module 1 of 1": "go"})
        self.assertEqual(lines[-1], "2 passed, 0 failed, 0 skipped")

    def test_failure_is_named_at_once(self):
        lines = self.run_samples("FailsAndWaits", cues={
            "FAILED [3.12] %sFailsAndWaits.test_a_passes\n" % SAMPLES: "go"})
        self.assertEqual(lines[-1], "1 passed, 1 failed, 0 skipped")

    def test_count_of_failures(self):
        lines = self.run_samples("FailsAndWaits", every=0.1,
                                 cues={" s] 3.12: 1 tests, 1 failed": "go"})
        self.assertEqual(lines[-1], "1 passed, 1 failed, 0 skipped")


class EnvironmentTest(EverywhereCase):
    def interpreter(self, script):
        """An interpreter that makes its environments by a script for the shell."""
        path = os.path.join(self.folder, "python")
        with open(path, "w") as file:
            file.write("#!/bin/sh\ncd '%s'\n%s\n" % (self.folder, script))
        os.chmod(path, 0o755)
        interpreter = interpreters.Interpreter(path, (3, 12, 1), "venv")
        interpreter.folder = os.path.join(self.folder, "environment")
        return interpreter

    def prepare(self, script, **options):
        lines = self.run_samples("Outcomes", found={"3.12": self.interpreter(script)}, **options)
        self.assertEqual((lines[-1], self.status), ("0 passed, 1 failed, 0 skipped", 1))
        self.assertEqual(self.failures(lines), ["environment"])
        return self.output.text.partition("FAIL: environment [Python 3.12.1]")[2]

    def test_hangs(self):
        self.assertIn("was ended: nothing happened for 600 s\n", self.prepare(
            "echo heard of; while :; do echo 1000 >>clock; sleep 0.2; done"))

    def test_slow(self):
        self.assertIn("ended with 3\n", self.prepare(
            "for each in 1 2 3 4 5; do echo 400 >>clock; sleep 0.3; echo some more; done; exit 3"))

    def test_progress(self):
        self.assertIn("ended with 4\n", self.prepare(
            "while [ ! -e go ]; do sleep 0.1; done; exit 4", every=0.1,
            cues={" s] 3.12 environment: venv (": "go"}))


class InterruptTest(EverywhereCase):
    def interrupt(self, number):
        output = os.path.join(self.folder, "output")
        with open(output, "w") as file:
            child = subprocess.Popen([sys.executable, "-m", "tests.support.everywhere_samples",
                                      "Interrupted"],
                                     cwd=interpreters.ROOT, stdout=file, stderr=subprocess.STDOUT)
        try:
            everywhere_samples.FOLDER, before = self.folder, everywhere_samples.FOLDER
            everywhere_samples.wait_for("begun")
            child.send_signal(number)
            status = child.wait()
        finally:
            everywhere_samples.FOLDER = before
            if child.poll() is None:
                child.kill()
                child.wait()
        with io.open(output, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(status, 1, text)
        self.assertIn("interrupted in %sInterrupted.test_b_waits\n" % SAMPLES, text)
        self.assertEqual(text.splitlines()[-2:], [
            "Interrupted. Until then:",
            "1 passed, 0 failed, %d skipped" % (len(interpreters.VERSIONS) - 1)])
        self.assertNotIn("FAIL", text)
        self.assertAlone()
        self.assertTrue(os.path.exists(os.path.join(self.folder, "torn down")), text)

    def test_interrupt(self):
        self.interrupt(signal.SIGINT)

    def test_terminate(self):
        self.interrupt(signal.SIGTERM)


class TiersTest(EverywhereCase):
    def found(self):
        return {version: everywhere_samples.Here(version) for version in ("2.7", "3.9", "3.11")}

    def run_tier(self, *options):
        lines = self.run_command("support.everywhere_samples.Tier", *options,
                                 **{"found": self.found()})
        return lines[0], [line.strip() for line in lines if "  this is " in line]

    def test_quick(self):
        first, skipped = self.run_tier("--quick")
        self.assertEqual(first,
                         "Quick tier: Python %s alone, the newest here" % self.found()["3.11"].full)
        self.assertEqual(skipped, ["1  this is quick (3.11)"])
        self.assertEqual(self.output.text.splitlines()[-1], "0 passed, 0 failed, 1 skipped")

    def test_quick_of_some(self):
        self.assertEqual(self.run_tier("--quick", "--only", "2.7,3.9")[1],
                         ["1  this is quick (3.9)"])

    def test_full(self):
        first, skipped = self.run_tier()
        self.assertTrue(first.startswith("Full tier: "), first)
        self.assertEqual(skipped, ["3  this is full (2.7, 3.9, 3.11)"])

    def test_nightly(self):
        first, skipped = self.run_tier("--nightly")
        self.assertTrue(first.startswith("Nightly tier: "), first)
        self.assertEqual(skipped, ["3  this is nightly (2.7, 3.9, 3.11)"])

    def test_help(self):
        with self.assertRaises(SystemExit):
            self.run_command("--help")
        for tier in ("quick", "full", "nightly"):
            self.assertIn("\n  %s " % tier, self.output.text)

    def test_marks(self):
        here, elsewhere = tiers.full_on(sys.version_info[:2]), tiers.full_on((2, 6))
        for tier, marks in (("quick", []), ("full", ["here"]),
                            ("nightly", ["here", "elsewhere", "nightly"])):
            self.put(os.environ, tiers.VARIABLE, tier)
            here, elsewhere = tiers.full_on(sys.version_info[:2]), tiers.full_on((2, 6))
            runs = []
            for name, mark in (("here", here), ("elsewhere", elsewhere),
                               ("nightly", tiers.nightly)):
                class Test(unittest.TestCase):
                    @mark
                    def test(self):
                        pass
                result = unittest.TestResult()
                Test("test").run(result)
                runs += [] if result.skipped else [name]
            self.assertEqual(runs, marks, tier)

    def test_tier_of_no_kind(self):
        self.put(os.environ, tiers.VARIABLE, "weekly")
        self.assertRaises(ValueError, tiers.current)

    def test_mark_without_versions(self):
        self.assertRaises(TypeError, tiers.full_on)
        self.assertRaises(TypeError, tiers.full_on, lambda test: None)

    def test_modules(self):
        names = [name.rpartition(".")[2] for name in paths.modules()]
        self.assertEqual([], [start for start, _ in tiers.MODULES
                              if not any(name.startswith(start) for name in names)])
        for tier, middle, newest in ((tiers.QUICK, "", ""), (tiers.NIGHTLY, "", ""), (
                tiers.FULL, "full tier on 3.8 and 3.13; elsewhere nightly", "")):
            self.put(os.environ, tiers.VARIABLE, tier)
            self.assertEqual((middle, newest), (
                tiers.left_out("tests.unit.test_zoo", (3, 10)),
                tiers.left_out("tests.unit.test_zoo", tiers.NEWEST)))
            self.assertEqual("", tiers.left_out("tests.unit.test_runner", (3, 10)))
            self.assertEqual("", tiers.left_out("tests.unit.test_zoo", tiers.OLDEST))


class NamesTest(unittest.TestCase):
    """A name chooses its module wherever it stands."""

    def test_modules_classes_and_methods(self):
        for name in ("test_everywhere", "test_everywhere.NamesTest",
                     "test_everywhere.NamesTest.test_folders"):
            for given in (name, "tests." + name, "project." + name, "tests.project." + name):
                self.assertEqual(["tests.project." + name], paths.resolved(given))

    def test_folders(self):
        found = paths.resolved("integration.databases")
        self.assertIn("tests.integration.databases.test_budget", found)
        self.assertEqual(found, paths.resolved("tests.integration.databases"))
        self.assertLess(set(found), set(paths.resolved("integration")))

    def test_what_is_no_test_is_left_as_it_is(self):
        self.assertEqual([SAMPLES + "Passes"], paths.resolved("support.everywhere_samples.Passes"))
        self.assertEqual(["tests.test_nowhere.Tests"], paths.resolved("test_nowhere.Tests"))

    def test_each_module_has_a_name_of_its_own_and_stands_in_a_folder(self):
        names = [name.split(".")[-1] for name in paths.modules()]
        self.assertEqual(sorted(set(names)), sorted(names))
        self.assertEqual([], [name for name in paths.modules() if name.count(".") == 1])


if __name__ == "__main__":
    unittest.main()
