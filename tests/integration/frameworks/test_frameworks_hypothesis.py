"""The mixins with Hypothesis, which puts a ``subTest`` of its own on the test."""

from __future__ import absolute_import

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.integration.frameworks.framework_case import FrameworkCase
from tests.support.paths import ROOT

try:
    import hypothesis  # noqa: F401
except ImportError:
    raise unittest.SkipTest("needs hypothesis")

PROPERTIES = '''
import hypothesis
from hypothesis import strategies

quick = hypothesis.settings(max_examples=20, database=None, deadline=None, derandomize=True)


class Properties(Base):
    @quick
    @hypothesis.given(strategies.integers())
    def test_holds(self, number):
        self.number, self.again = number, self.test_holds
        self.db.execute("select 1")

    @quick
    @hypothesis.given(strategies.integers())
    def test_falsified(self, number):
        self.more = Payload()
        self.assertLess(number, 10)
'''


class HypothesisTest(FrameworkCase):
    more = PROPERTIES
    command = ["-m", "unittest", "-v", "test_sample"]
    says = "test_falsified"

    def test_outcomes(self):
        self.check()

KEEPS = """
import unittest
import hypothesis
from hypothesis import strategies

KEPT = []

class Thing(object):
    pass

class Properties(unittest.TestCase):
    @hypothesis.settings(max_examples=20, database=None, deadline=None)
    @hypothesis.given(strategies.lists(strategies.text()))
    def test_clean(self, number):
        pass

    @hypothesis.settings(max_examples=20, database=None, deadline=None)
    @hypothesis.given(strategies.integers())
    def test_keeps(self, number):
        if not KEPT:
            KEPT.append(Thing())
"""


@unittest.skipIf(sys.version_info < (3, 8), "finding needs Python 3.8")
class FindingTest(unittest.TestCase):
    """Hypothesis collects garbage in each test that it runs."""

    def test_such_tests_are_measured(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "test_sample.py"), "w") as file:
            file.write(KEEPS)
        child = subprocess.Popen([sys.executable, "-m", "unittest_leakfix", "--leaks=report",
                                  "test_sample"], cwd=folder,
                                 env=dict(os.environ, PYTHONPATH=ROOT), stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        text = child.communicate()[0].decode("utf-8")
        self.assertEqual(0, child.returncode, text)
        self.assertNotIn("Not measured", text)
        self.assertIn("LEAKS  1 cause in 1 of 2 tests: 1 object\n\n[1] Thing was kept after "
                      "Properties.test_keeps", text)


if __name__ == "__main__":
    unittest.main()
