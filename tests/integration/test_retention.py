"""What unittest keeps of finished tests, and what is left with us: docs/retention.md."""

from __future__ import absolute_import

import sys
import unittest

from tests.retention import cases, harness


class Themes(unittest.TestCase):
    """One test for each case, with what outlived its test in each column, by name."""

    maxDiff = None


def _compared(case):
    def test(self):
        if case.needs[0] == 99:
            self.skipTest("needs /proc/self/fd")
        found = [(column, harness.perform(case, column)) for column in harness.COLUMNS]
        self.assertEqual(_lines(found), _lines(
            (column, case.expected[column]) for column in harness.COLUMNS))
    return test


def _lines(columns):
    return "\n".join("%s: %s" % (column, "\n        ".join(
        "%s=%s" % pair for pair in zip(harness.Left._fields, left)))
        for column, left in columns)


class CollectorOnTests(unittest.TestCase):
    """With the collector on, our runner leaves no more than with it off."""

    maxDiff = None

    def test_runner_leaves_no_more(self):
        extra = []
        for case in harness.CASES.values():
            if sys.version_info >= case.needs:
                left = harness.perform(case, "runner", collector=True)
                extra.extend("%s: %s of %s" % (case.name, field, ", ".join(names))
                             for field, names in _more(left, case.expected["runner"]))
        self.assertEqual([], extra)


def _more(left, most):
    for field in harness.Left._fields[:-1]:
        names = sorted(set(getattr(left, field)) - set(getattr(most, field)))
        if names:
            yield field, names


def load_tests(loader, tests, pattern):
    """One class for each theme: ``OutcomesTests.test_fail_assert``."""
    suite = unittest.TestSuite()
    for theme in CLASSES + [CollectorOnTests]:
        suite.addTests(loader.loadTestsFromTestCase(theme))
    return suite


CLASSES = []
for _theme in cases.THEMES:
    _tests = dict(("test_" + case.name, _compared(case))
                  for case in harness.CASES.values() if case.theme == _theme
                  # Before that version there is nothing to test.
                  and (sys.version_info >= case.needs or case.needs[0] == 99))
    if _tests:
        _name = _theme.capitalize() + "Tests"
        globals()[_name] = type(_name, (Themes,), dict(_tests, __module__=__name__))
        CLASSES.append(globals()[_name])
