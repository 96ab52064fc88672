"""The mixins with Hypothesis, which puts a ``subTest`` of its own on the test."""

from __future__ import absolute_import

import unittest

from tests.framework_case import FrameworkCase

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


if __name__ == "__main__":
    unittest.main()
