"""Large runs, and the runners of VS Code and PyCharm: verdict, output and exit status are plain
unittest's."""

from __future__ import absolute_import

import re
import sys
import unittest

from tests.support.trust import AFTER, LARGE, OURS, TrustCase
from tests.tiers import NEWEST, OLDEST, full_on

try:
    import resource
except ImportError:
    resource = None
try:
    import teamcity
except ImportError:
    teamcity = None

#: ``benchmarks/trust.py`` shows what they cost.
RUNS_OF_LARGE = tuple(run for run in OURS if run != "restore")


@full_on(OLDEST, NEWEST)
class LargeTests(TrustCase):
    def large(self, name):
        source, tests = LARGE[name]
        found = self.same(source, runs=RUNS_OF_LARGE, tests=tests)
        self.assertFound(found)
        return found

    def test_million_survivors(self):
        found = self.large("1,000,000 survivors")
        if "report" in found:
            report = found["report"].err
            self.assertIn("Row was kept after A.test_million", report)
            self.assertIn("list (1000001 items)", report)

    @unittest.skipUnless(resource and resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 8192,
                         "needs 8,192 descriptors")
    def test_5000_descriptors(self):
        found = self.large("5,000 descriptors")
        if "report" in found:
            self.assertIn("(device '/dev/null') was left open", found["report"].err)

    def test_500_threads(self):
        found = self.large("500 threads")
        if "report" in found:
            self.assertIn("was still running after its test", found["report"].err)

    def test_100000_tests(self):
        self.large("100,000 tests")


#: How VS Code runs unittest (its unittestadapter): a result class that sends each outcome on, in a
#: plain runner.
VS_CODE = u"""
import json, os, sys, traceback, unittest
sys.path.insert(0, os.environ["PYTHONPATH"].split(os.pathsep)[0])
class UnittestTestResult(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        self.formatted = []
        super(UnittestTestResult, self).__init__(*args, **kwargs)
    def addError(self, test, err):
        super(UnittestTestResult, self).addError(test, err)
        self.formatResult(test, "error", err)
    def addFailure(self, test, err):
        super(UnittestTestResult, self).addFailure(test, err)
        self.formatResult(test, "failure", err)
    def addSuccess(self, test):
        super(UnittestTestResult, self).addSuccess(test)
        self.formatResult(test, "success")
    def addSkip(self, test, reason):
        super(UnittestTestResult, self).addSkip(test, reason)
        self.formatResult(test, "skipped")
    def addExpectedFailure(self, test, err):
        super(UnittestTestResult, self).addExpectedFailure(test, err)
        self.formatResult(test, "expected-failure", err)
    def addUnexpectedSuccess(self, test):
        super(UnittestTestResult, self).addUnexpectedSuccess(test)
        self.formatResult(test, "unexpected-success")
    def addSubTest(self, test, subtest, err):
        super(UnittestTestResult, self).addSubTest(test, subtest, err)
        self.formatResult(test, "subtest-failure" if err else "subtest-success", err, subtest)
    def formatResult(self, test, outcome, error=None, subtest=None):
        text = ""
        if error is not None:
            text = "%%s %%s" %% (error[0].__name__, error[1]) + "".join(traceback.format_exception(*error))
        self.formatted.append([test.id(), outcome, text, subtest.id() if subtest else None])
%s
name = "sample"
suite = loader.loadTestsFromName(name)
ids = [test.id() for group in suite for test in group]
result = runner(resultclass=UnittestTestResult, stream=sys.stderr, verbosity=2, **options).run(suite)
print(json.dumps([ids, result.formatted, [[len(each), sorted(t.id() for t, _ in each)] for each in (
    result.failures, result.errors, result.skipped, result.expectedFailures)]], indent=1, sort_keys=True))
sys.exit(not result.wasSuccessful())
"""  # noqa: E501
MORE = u"""
sys.path.insert(0, os.environ["PYTHONPATH"].split(os.pathsep)[0])
from unittest_leakfix import LeakFixMixin
Base = (unittest.TestCase,) if os.environ["LEAKFIX_RUN"] == "plain" else (LeakFixMixin, unittest.TestCase)
class Ones(*Base):
    def test_a_owns(self):
        self.file = open(os.devnull)
        self.thing = Thing()
    def test_b_fails(self):
        self.thing = Thing()
        self.fail("on purpose")
    def test_c_subtests(self):
        self.thing = Thing()
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1)
    @unittest.expectedFailure
    def test_d_expected(self):
        self.thing = Thing()
        self.fail("on purpose")
    @unittest.expectedFailure
    def test_e_unexpected(self):
        self.thing = Thing()
""" + AFTER  # noqa: E501


@unittest.skipIf(sys.version_info < (3, 8), "they run Python 3.8 and later")
class RunnerTests(TrustCase):
    """The mixin under their runner; their result class under our suite and our runner."""

    WAYS = {
        "theirs": (u"loader, runner, options = unittest.TestLoader(), unittest.TextTestRunner, {}"),
        "our suite": (u"from unittest_leakfix import LeakFixTestLoader\n"
                      u"loader, runner = LeakFixTestLoader(), unittest.TextTestRunner\n"
                      u"options = {}"),
        "our runner": (u"from unittest_leakfix import LeakFixTestRunner\n"
                       u"loader, runner, options = unittest.TestLoader(), LeakFixTestRunner, {}"),
        "report": (u"from unittest_leakfix import LeakFixTestRunner\n"
                   u"loader, runner, options = unittest.TestLoader(), LeakFixTestRunner, {'leaks': "
                   u"'report'}"),
    }

    def script(self, run, text):
        return self.ran(run, MORE, program=[sys.executable, "-c", text])

    def test_vs_code(self):
        plain = self.script("plain", VS_CODE % self.WAYS["theirs"])
        for outcome in ("subtest-failure", "unexpected-success", "skipped", "error"):
            self.assertIn('"%s"' % outcome, plain.out, plain.shown)
        for way, text in self.WAYS.items():
            ours = self.script("off", VS_CODE % text)
            self.assertSame(plain, ours, way)

    @unittest.skipUnless(teamcity, "needs teamcity-messages")
    def test_pycharm(self):
        # PyCharm's helper gives unittest.main teamcity-messages' runner; here the class stands for
        # it.
        text = u"""
import os, sys, unittest
sys.path.insert(0, os.environ["PYTHONPATH"].split(os.pathsep)[0])
from teamcity import unittestpy
%s
if runner is unittest.TextTestRunner:
    runner = unittestpy.TeamcityTestRunner
else:
    options["resultclass"] = unittestpy.TeamcityTestResult
unittest.main(module=None, argv=["pycharm", "sample"], testLoader=loader, testRunner=runner(stream=sys.stderr, **options))
"""  # noqa: E501
        def steady(ran):
            # Their runner, not their result, counts the tests beforehand.
            ran.out = re.sub(r"##teamcity\[testCount [^\n]*\n", "", ran.out)
            ran.out = re.sub(r"(timestamp|duration|flowId)='[^']*'", r"\1=''", ran.out)
            return ran

        seen = {}
        for way, lines in self.WAYS.items():
            seen[way] = steady(self.script("plain" if way == "theirs" else "off", text % lines))
        mixed = steady(self.script("off", text % self.WAYS["theirs"]))
        self.assertIn("##teamcity[testFailed", seen["theirs"].out)
        for way, ran in dict(seen, mixed=mixed).items():
            self.assertEqual(ran.out, seen["theirs"].out, way)
            self.assertEqual(ran.status, seen["theirs"].status, (way, ran.shown))


if __name__ == "__main__":
    unittest.main()
