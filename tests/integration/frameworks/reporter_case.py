"""What every foreign reporter is tested for; see `ReporterCase`."""

from __future__ import absolute_import

import unittest

from tests.integration.frameworks import reporter_samples as samples
from unittest_leakfix import LeakFixResultMixin, LeakFixTestLoader, LeakFixTestRunner


class ReporterCase(object):
    """Mix it into a TestCase. ``theirs`` is the result class."""

    maxDiff = None
    theirs = None
    says = "test_02_fails"

    def ours(self):
        """The class as a user writes it. Override it where it is pickled."""
        return type(self.theirs.__name__, (LeakFixResultMixin, self.theirs), {})

    def run_into(self, kind, loader):
        """Run the suite into a *kind* as their runner does; return what was written."""
        return self.written(unittest.TextTestRunner, kind, loader)

    def written(self, runner_class, kind, loader=None, **options):
        """Run the suite by *runner_class* into a *kind*; return what was written."""
        stream = samples.Output()
        runner_class(stream=stream, resultclass=kind, **options).run(samples.suite(loader))
        lines = stream.getvalue().splitlines(True)
        if lines and lines[-1].startswith("unittest_leakfix: "):
            lines.pop()         # ours, at verbosity 2
        return samples.steady("".join(lines))

    def test_the_mixin_on_top(self):
        expected = self.run_into(self.theirs, None)
        self.assertIn(self.says, expected)
        text = self.run_into(self.ours(), LeakFixTestLoader())
        self.assertEqual(text, expected)
        self.assertEqual(samples.alive, [])


class RunnerCase(ReporterCase):
    """The same for a result class that ``TextTestRunner`` can make."""

    def test_our_runner(self):
        for verbosity in (1, 2):
            expected = self.written(unittest.TextTestRunner, self.theirs, verbosity=verbosity)
            text = self.written(LeakFixTestRunner, self.theirs, verbosity=verbosity)
            self.assertEqual(text, expected)
            self.assertEqual(samples.alive, [])
