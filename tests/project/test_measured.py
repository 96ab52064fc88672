"""Coverage as the test command measures it: in every process, put together, held to a floor."""

from __future__ import absolute_import

import io
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.support import children, everywhere_samples, interpreters, measured, runs

try:
    import coverage
except ImportError:
    coverage = None


class FloorTest(unittest.TestCase):
    def judged(self, percent, **options):
        announced = []
        measuring = measured.Measuring(announced.append, **options)
        measuring._judge(percent, "the table")
        self.assertEqual(measuring.failed, len(announced))
        return measuring

    def test_under_the_floor_is_a_failure_that_says_what_to_do(self):
        measuring = self.judged(measured.FLOOR - 0.01)
        self.assertEqual((measuring.passed, measuring.failed), (0, 1))
        (test, text), = measuring.failures
        self.assertEqual(test, "coverage")
        for part in ("%.2f %% of the package's lines" % (measured.FLOOR - 0.01), "Write tests for",
                     "tests/support/measured.py", "the table"):
            self.assertIn(part, text)

    def test_at_the_floor(self):
        measuring = self.judged(float(measured.FLOOR))
        self.assertEqual((measuring.passed, measuring.failed), (1, 0))
        self.assertIn("the floor is %s %%" % measured.FLOOR, measuring.line())

    def test_some_tests_alone_are_not_held_to_it(self):
        measuring = self.judged(1.0, holds=False)
        self.assertEqual((measuring.passed, measuring.failed), (1, 0))
        self.assertIn("1.00 %", measuring.line())

    def test_many_failures_are_not_explained_by_it(self):
        run = runs.Run("3.12", None)
        run.passed, run.failed = 80, 20
        measuring = measured.Measuring()
        measuring.switched_on(everywhere_samples.Here(), tempfile.gettempdir())
        self.addCleanup(os.remove, os.path.join(tempfile.gettempdir(), "coverage.ini"))
        measuring.combine(None, None, [run])
        self.assertIn("20 of 100 tests failed", measuring.failures[0][1])

    def test_measured_nowhere(self):
        measuring = measured.Measuring()
        measuring.combine(None, None)
        self.assertEqual(measuring.skips,
                         [("coverage", "coverage was measured on no interpreter")])


@unittest.skipIf(coverage is None, "needs coverage")
@unittest.skipIf(sys.version_info < (3, 8), "needs the coverage of Python 3.8 and later")
class CombinedTest(unittest.TestCase):
    def test_what_two_processes_reach_is_put_together_with_what_nobody_imports(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        measuring = measured.Measuring(holds=False)
        variables = measuring.switched_on(everywhere_samples.Here(), folder)
        for module in ("options", "_core.waiting"):
            ran = subprocess.Popen(
                [sys.executable, "-c", "import coverage; coverage.process_startup()\n"
                 "import unittest_leakfix." + module],
                env=interpreters.environment(**variables), cwd=interpreters.ROOT,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual((ran.communicate()[0], ran.returncode), (b"", 0))
        measuring.combine(folder, children.Children())
        self.assertEqual((measuring.passed, measuring.failures), (1, []))
        with io.open(os.path.join(folder, "coverage.txt"), encoding="utf-8") as file:
            reached = dict((line.split()[0].partition("unittest_leakfix" + os.sep)[2],
                            line.split()[3]) for line in file if line.count("%") == 1)
        for name in ("options.py", os.path.join("_core", "waiting.py")):
            self.assertGreater(float(reached[name][:-1]), 20)
        self.assertEqual(reached[os.path.join("leaks", "detector.py")], "0.00%")


if __name__ == "__main__":
    unittest.main()
