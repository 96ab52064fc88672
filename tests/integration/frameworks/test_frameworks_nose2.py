"""The mixins under nose2."""

from __future__ import absolute_import

import unittest

from tests.integration.frameworks.framework_case import FrameworkCase

try:
    import nose2  # noqa: F401
except ImportError:
    raise unittest.SkipTest("needs nose2")


class Nose2Test(FrameworkCase):
    command = ["-m", "nose2", "-v", "test_sample"]

    def test_outcomes(self):
        self.check()


class StockTest(FrameworkCase):
    """unittest's own command line, for comparison."""

    command = ["-m", "unittest", "-v", "test_sample"]

    def test_outcomes(self):
        self.check()


if __name__ == "__main__":
    unittest.main()
