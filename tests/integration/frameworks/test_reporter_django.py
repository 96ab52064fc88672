"""Django's results: debug-sql, pdb, and that of the workers of a parallel run."""

from __future__ import absolute_import

import logging
import pickle
import sys
import unittest

from tests.integration.frameworks import reporter_samples as samples
from tests.integration.frameworks.reporter_case import ReporterCase, RunnerCase
from unittest_leakfix import LeakFixResultMixin, LeakFixTestLoader

try:
    from django.test import runner
except ImportError:
    raise unittest.SkipTest("needs Django")
try:
    import tblib
except ImportError:
    tblib = None


class DebugSQLTest(RunnerCase, unittest.TestCase):
    theirs = runner.DebugSQLTextTestResult

    def setUp(self):
        logger = logging.getLogger("django.db.backends")
        self.addCleanup(logger.setLevel, logger.level)
        self.addCleanup(setattr, logger, "propagate", logger.propagate)
        logger.propagate = False


@unittest.skipUnless(hasattr(runner, "PDBDebugResult"), "needs Django 3.0 (--pdb)")
class PDBTest(RunnerCase, unittest.TestCase):
    theirs = getattr(runner, "PDBDebugResult", None)

    def setUp(self):
        self.addCleanup(setattr, sys, "stdin", sys.stdin)
        self.addCleanup(setattr, sys, "stdout", sys.stdout)
        sys.stdin = samples.Output(u"p len(locals())\nq\n" * 200)
        sys.stdout = samples.Output()

    def tearDown(self):
        if "Opening PDB" not in sys.stdout.getvalue():
            self.fail(sys.stdout.getvalue())


class RemoteResult(LeakFixResultMixin, runner.RemoteTestResult):
    """At module level: Django pickles a failing subtest, and with it the result."""


@unittest.skipUnless(tblib, "needs tblib (Django's parallel runs pickle tracebacks with it)")
class RemoteTest(ReporterCase, unittest.TestCase):
    theirs = runner.RemoteTestResult

    def ours(self):
        return RemoteResult

    def run_into(self, kind, loader):
        result = kind()
        samples.suite(loader)(result)
        # What the worker sends to the parent.
        self.events = pickle.loads(pickle.dumps(result.events))
        text = "\n".join(" ".join(_printed(part) for part in event)
                         for event in self.events if event[0] != "addDuration")
        # A pickled subtest without a message says so; its stand-in does not.
        return samples.steady(text).replace("[<object object at 0x0>] ", "")

    says = "of the test"

    def test_the_mixin_on_top(self):
        expected = self.run_into(self.theirs, None)
        self.assertIn(self.says, expected)
        self.assertEqual(self.run_into(self.ours(), LeakFixTestLoader()), expected)
        # The events hold tracebacks, which the parent wants to see: what did not
        # pass lives until the worker's suite is over.
        outcomes = samples.__name__ + ".Outcomes.test_"
        for gone in ("01_passes", "04_skip_in_the_test", "05_skip_by_decorator",
                     "07_unexpected_success", "09_cycle"):
            self.assertNotIn(outcomes + gone, samples.alive)


def _printed(part):
    if isinstance(part, tuple):
        return "%s: %s" % (part[0].__name__, part[1])
    return str(part)


if __name__ == "__main__":
    unittest.main()
