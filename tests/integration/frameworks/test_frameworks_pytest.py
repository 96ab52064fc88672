"""The mixins under pytest."""

from __future__ import absolute_import

import unittest

from tests.integration.frameworks.framework_case import UNEXPECTED, FrameworkCase

try:
    import pytest  # noqa: F401
except ImportError:
    raise unittest.SkipTest("needs pytest")


class PytestTest(FrameworkCase):
    # pytest without a plugin knows no subTest (9 does).
    command = ["-m", "pytest", "-v", "-rA", "-p", "no:cacheprovider", "-p", "no:flaky",
               "-W", "ignore", "test_sample.py"]

    def test_outcomes(self):
        self.check()

    def test_full_tracebacks(self):
        self.command = self.command + ["--showlocals", "--tb=long"]
        self.check()


class PdbTest(FrameworkCase):
    """``pytest --pdb`` calls the real tearDown after the debugger: attributes stay."""

    more = UNEXPECTED
    command = PytestTest.command + ["--pdb"]

    def test_the_test_can_be_looked_at(self):
        typed = ("p 'see', self.payload.__class__.__name__,"
                 " self.db.execute('select 7').fetchone()\nc\n")
        expected, _ = self.perform("no", typed=typed * 20)
        text, probe = self.perform("yes", typed=typed * 20)
        self.assertEqual(text, expected)
        self.assertIn("('see', 'Payload', (7,))", text)
        self.assertEqual(probe["shared"], [1])


if __name__ == "__main__":
    unittest.main()
