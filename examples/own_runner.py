"""A runner of one's own, with the suite and the result that let go of finished tests.

    python examples/own_runner.py

from the clone; with the package installed it runs from anywhere.
"""

from __future__ import absolute_import, print_function

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))    # for the clone: nothing is installed

from unittest_leakfix import LeakFixResultMixin, LeakFixTestLoader  # noqa: E402


class Dots(unittest.TestResult):
    """A result class of your own. The test that it is called with is the live one."""

    def addSuccess(self, test):
        print("ok     ", test.id())

    def addSkip(self, test, reason):
        super(Dots, self).addSkip(test, reason)
        print("skipped", test.id())


class Result(LeakFixResultMixin, Dots):
    """The same; it keeps no finished test."""


def main():
    """Run the examples and return the exit status."""
    suite = LeakFixTestLoader().discover(HERE)    # the suite gives its tests away
    result = Result()
    suite.run(result)
    print("%d tests, of the %d skipped there is left: %s" % (
        result.testsRun, len(result.skipped),
        ", ".join(sorted(set(type(test).__name__ for test, _ in result.skipped)))))
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
