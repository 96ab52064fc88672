"""The mixins on testtools.TestCase, under testtools.run and under unittest."""

from __future__ import absolute_import

import unittest

from tests.integration.frameworks.framework_case import SUBTESTS, TRIES, FrameworkCase

try:
    import testtools  # noqa: F401
except ImportError:
    raise unittest.SkipTest("needs testtools")

DETAILS = '''
class Details(Base):
    def test_with_details(self):
        from testtools.content import text_content
        self.addDetail("words", text_content(u"detailed words"))
        self.expectThat(1, testtools.matchers.Equals(2))
        self.fail("with details")
'''


class TesttoolsTest(FrameworkCase):
    imports = "import testtools, testtools.matchers"
    base = "testtools.TestCase"
    more = TRIES + DETAILS

    def test_its_own_runner(self):
        self.command = ["-m", "testtools.run", "test_sample"]
        self.check()

    def test_under_unittest(self):
        self.command = ["-m", "unittest", "-v", "test_sample"]
        self.check()


class PlainCasesTest(FrameworkCase):
    """unittest's own cases under testtools.run."""

    command = ["-m", "testtools.run", "test_sample"]
    more = TRIES + SUBTESTS * hasattr(unittest.TestCase, "subTest")

    def test_outcomes(self):
        self.check()


if __name__ == "__main__":
    unittest.main()
