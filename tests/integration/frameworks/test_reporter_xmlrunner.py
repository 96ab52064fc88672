"""unittest-xml-reporting: the same JUnit files, and no finished test stays."""

from __future__ import absolute_import

import io
import os
import shutil
import tempfile
import unittest

from tests.integration.frameworks import reporter_samples as samples
from tests.integration.frameworks.reporter_case import ReporterCase
from unittest_leakfix import LeakFixTestRunner

try:
    import xmlrunner
    from xmlrunner.result import _XMLTestResult
except ImportError:
    raise unittest.SkipTest("needs unittest-xml-reporting")


class XMLTest(ReporterCase, unittest.TestCase):
    theirs = _XMLTestResult

    def run_into(self, kind, loader):
        return self.report(xmlrunner.XMLTestRunner, kind, loader)

    def report(self, runner_class, kind, loader):
        """Return the text output and the files, one after the other."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        stream = samples.Output()
        runner_class(output=folder, stream=stream, resultclass=kind,
                     outsuffix="now").run(samples.suite(loader))
        written = stream.getvalue()
        for name in sorted(os.listdir(folder)):
            with io.open(os.path.join(folder, name), encoding="utf-8") as report:
                written += u"\n%s\n%s" % (name, report.read())
        self.assertIn("TEST-%s.Outcomes-now.xml" % samples.__name__, written)
        return samples.steady(written)

    def test_our_runner_and_theirs_in_one(self):
        class Both(xmlrunner.XMLTestRunner, LeakFixTestRunner):
            """Theirs calls the suite itself, so ours adds nothing: it must not harm."""

        expected = self.report(xmlrunner.XMLTestRunner, self.theirs, None)
        self.assertEqual(self.report(Both, self.theirs, None), expected)


if __name__ == "__main__":
    unittest.main()
