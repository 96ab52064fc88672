"""teamcity-messages: the same messages, and no finished test stays."""

from __future__ import absolute_import

import unittest

from tests.integration.frameworks import reporter_samples as samples
from tests.integration.frameworks.reporter_case import RunnerCase

try:
    from teamcity import unittestpy
    from teamcity.unittestpy import TeamcityTestResult
except ImportError:
    raise unittest.SkipTest("needs teamcity-messages")


class TeamcityTest(RunnerCase, unittest.TestCase):
    theirs = TeamcityTestResult

    def setUp(self):
        # The messages go past the stream, to what was sys.stdout at import.
        self.addCleanup(setattr, unittestpy, "_real_stdout", unittestpy._real_stdout)

    def written(self, runner_class, kind, loader=None, **options):
        unittestpy._real_stdout = stdout = samples.Output()
        text = super(TeamcityTest, self).written(runner_class, kind, loader, **options)
        return text + samples.steady(stdout.getvalue())


if __name__ == "__main__":
    unittest.main()
