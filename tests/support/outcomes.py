"""Run the tests on this interpreter and write each outcome down as it happens.

``python -m tests.support.outcomes REPORT [NAME ...]`` writes one JSON object a line to the file
REPORT: a line before each module, one that a test began, one for each of its outcomes, one that it
finished, and a last line when all is over, each with the seconds since the start. So a crash is
seen (no last line) and its test is known (begun, never finished). NAME is a test module
(``test_runner``) wherever it stands, a class or method in one, or a folder of tests/
(``integration.databases``); none means every module.

A test module in a folder that needs a newer Python is one skip (`tests.support.python`). Nothing
here uses the package: what is tested does not say how the tests went.
"""

from __future__ import absolute_import

import json
import os
import sys
import time
import traceback
import unittest

from tests import tiers
from tests.support import passwords, paths

# A full collection takes the longer the more there is: what makes hundreds of them comes first,
FIRST = ("test_retention", "test_heap", "test_holders", "test_planted", "test_watch")
# then the other unit tests; and modules that load whole frameworks come last.
HEAVY = ("test_django", "test_example_django", "test_frameworks", "test_pytest", "test_recipes",
         "test_reporter")


class Report(object):
    """The file of outcomes. Only the process that opened it writes (tests fork)."""

    def __init__(self, path, open=open, getpid=os.getpid, dumps=json.dumps,
                 now=time.time):
        self._file = open(path, "w")
        self._getpid, self._dumps, self._now = getpid, dumps, now
        self._started = now()
        self._owner = getpid()

    def write(self, **line):
        """Write one line."""
        for name, text in line.items():
            if isinstance(text, bytes):  # 2.7: of any encoding
                line[name] = text.decode("utf-8", "replace")
        if self._getpid() == self._owner:
            line["at"] = round(self._now() - self._started, 3)
            self._file.write(self._dumps(line) + "\n")
            self._file.flush()


class Result(unittest.TextTestResult):
    """unittest's own, writing to ``report`` (set on a subclass) beside what it prints."""

    report = None

    def startTest(self, test):
        self.report.write(event="began", test=test.id())
        unittest.TextTestResult.startTest(self, test)

    def stopTest(self, test):
        unittest.TextTestResult.stopTest(self, test)
        self.report.write(event="finished", test=test.id())

    def addSuccess(self, test):
        unittest.TextTestResult.addSuccess(self, test)
        self._write(test, "passed")

    def addExpectedFailure(self, test, err):
        unittest.TextTestResult.addExpectedFailure(self, test, err)
        self._write(test, "passed")

    def addUnexpectedSuccess(self, test):
        unittest.TextTestResult.addUnexpectedSuccess(self, test)
        self._write(test, "failed", "unexpected success\n")

    def addSkip(self, test, reason):
        unittest.TextTestResult.addSkip(self, test, reason)
        self._write(test, "skipped", reason)

    def addFailure(self, test, err):
        unittest.TextTestResult.addFailure(self, test, err)
        self._write(test, "failed", self.failures[-1][1])

    def addError(self, test, err):
        unittest.TextTestResult.addError(self, test, err)
        self._write(test, "failed", self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        unittest.TextTestResult.addSubTest(self, test, subtest, err)
        if err is not None:
            text = (self.failures if issubclass(err[0], test.failureException) else self.errors)
            self._write(test, "failed", "%s\n%s" % (subtest, text[-1][1]))

    def _write(self, test, outcome, text=""):
        self.report.write(event="outcome", test=test.id(), outcome=outcome, text=text)


def main(report_path, names):
    """Run ``names`` (every module when empty). Returns the exit status: 0 when all passed."""
    report = Report(report_path)
    passwords.watch()
    kind = type("Result", (Result,), {"report": report})
    passed = True
    chosen = bool(names)
    # Each is loaded when its turn comes, for the same reason.
    names = [full for name in names for full in paths.resolved(name)] or sorted(
        paths.modules(), key=_turn)
    for number, name in enumerate(names, 1):
        report.write(event="module", name=name, number=number, of=len(names))
        reason = "" if chosen else tiers.left_out(name)
        if reason:
            report.write(event="outcome", test=name, outcome="skipped", text=reason)
            continue
        suite = _loaded(name, report)
        if suite is not None:
            passed &= unittest.TextTestRunner(resultclass=kind).run(suite).wasSuccessful()
    report.write(event="over")
    return 0 if passed else 1


def _turn(name):
    last = name.rpartition(".")[2]
    return (not last.startswith(FIRST), last.startswith(HEAVY), not name.startswith("tests.unit."),
            name)


def _loaded(name, report):
    """The tests of that name; None, and an outcome in the report, where they cannot be loaded."""
    try:
        # 2.7's loader hides why a module cannot be imported.
        __import__(_module(name))
        return unittest.defaultTestLoader.loadTestsFromName(name)
    except unittest.SkipTest as skip:
        report.write(event="outcome", test=name, outcome="skipped", text=str(skip))
    except Exception:
        report.write(event="outcome", test=name, outcome="failed", text=traceback.format_exc())
    return None


def _module(name):
    """Return the name of the module in which the test of that name is."""
    parts = name.split(".")
    while parts[1:] and not os.path.exists(os.path.join(paths.ROOT, *parts) + ".py"):
        del parts[-1]
    return ".".join(parts)


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2:]))
