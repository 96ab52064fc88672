"""nose2's result. Its reporter keeps an event for each test that did not pass."""

from __future__ import absolute_import

import unittest

from tests.integration.frameworks import reporter_samples as samples
from tests.integration.frameworks.reporter_case import ReporterCase
from unittest_leakfix import LeakFixTestLoader

try:
    from nose2.plugins.result import ResultReporter
    from nose2.result import PluggableTestResult
    from nose2.runner import PluggableTestRunner
    from nose2.session import Session
    from nose2.util import _WritelnDecorator
except ImportError:
    raise unittest.SkipTest("needs nose2")


class Nose2Test(ReporterCase, unittest.TestCase):
    theirs = PluggableTestResult

    def run_into(self, kind, loader):
        stream = samples.Output()
        session = Session()
        reporter = ResultReporter(session=session)
        reporter.stream = _WritelnDecorator(stream)
        reporter.register()
        runner = PluggableTestRunner(session)
        runner.resultClass = kind
        runner.run(samples.suite(loader))
        return samples.steady(stream.getvalue())

    def test_the_mixin_on_top(self):
        expected = self.run_into(self.theirs, None)
        self.assertIn(self.says, expected)
        self.assertEqual(self.run_into(self.ours(), LeakFixTestLoader()), expected)
        # Theirs keeps the events of what did not pass, with the tracebacks.
        outcomes = samples.__name__ + ".Outcomes.test_"
        self.assertIn(outcomes + "02_fails", samples.alive)
        for gone in ("01_passes", "09_cycle"):
            self.assertNotIn(outcomes + gone, samples.alive)


if __name__ == "__main__":
    unittest.main()
