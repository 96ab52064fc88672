"""The child process of ``corpora.py``: a suite in one mode, and each outcome noted in order."""

CHILD = r'''
import json, os, re, sys, unittest

wanted = json.loads(os.environ.pop("CORPORA"))
mode, style = wanted["mode"], wanted["style"]
sys.path[0] = os.getcwd()       # as for "python -m"


def recorder(path, owner=os.getpid(), getpid=os.getpid, write=os.write, dumps=json.dumps):
    """Return what notes an outcome. It goes to the file at once: a list here would be one that
    grows with each test, which is what is looked for."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    def note(*outcome):
        if getpid() == owner:
            write(descriptor, (dumps(outcome) + "\n").encode())
    return note


note = recorder(wanted["noted"])


def ignore_all():
    from unittest_leakfix.leaks import ignore
    from unittest_leakfix.leaks.model import kinds
    for kind in kinds.KINDS:
        ignore(**{re.sub(r"\W+", "_", kind): "*", "reason": "to compare"})


OURS = {"report": ["--leaks=report", "--leaks-json=" + wanted["report"]],
        "fail": ["--leaks=fail"]}.get(mode, [])


class Result(unittest.TextTestResult):
    def _note(self, test, outcome, error=None):
        last = "" if error is None else "%s: %s" % (error[0].__name__, error[1])
        note(test.id(), outcome, last[:300])

    def addSuccess(self, test):
        super().addSuccess(test); self._note(test, "ok")

    def addError(self, test, err):
        super().addError(test, err); self._note(test, "error", err)

    def addFailure(self, test, err):
        super().addFailure(test, err); self._note(test, "failure", err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason); self._note(test, "skipped")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err); self._note(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test); self._note(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(subtest, "failing subtest", err)


def with_unittest():
    if mode == "plain":
        sys.argv[0] = "python -m unittest"
        class Runner(unittest.TextTestRunner):
            resultclass = Result
        unittest.main(module=None, testRunner=Runner)
    sys.argv[0] = "python -m unittest_leakfix"
    sys.argv[1:1] = OURS
    import unittest_leakfix
    if mode == "fail":
        ignore_all()
    class Ours(unittest_leakfix.LeakFixResultMixin, Result):
        pass
    class Runner(unittest_leakfix.LeakFixTestRunner):
        resultclass = Ours
    unittest_leakfix.main(module=None, testRunner=Runner)


class Plugin:
    def pytest_configure(self):
        if mode == "fail":
            ignore_all()

    def pytest_runtest_logreport(self, report):
        note(report.nodeid, "%s %s%s" % (
            report.when, report.outcome, " xfail" if getattr(report, "wasxfail", "") else ""))


def with_pytest():
    import pytest
    options = ["-q", "-p", "no:cacheprovider"]
    if mode != "plain":
        options += ["-p", "unittest_leakfix.pytest_plugin", *(OURS or ["--leaks=release"])]
    sys.exit(pytest.main([*sys.argv[1:], *options], [Plugin()]))


def with_django():
    import django
    from django.conf import settings
    from django.test.runner import DiscoverRunner
    django.setup()
    class Recording:
        def get_resultclass(self):
            return Result
    bases = (Recording, DiscoverRunner)
    given = {"verbosity": 1, "interactive": False}
    if mode != "plain":
        from unittest_leakfix.django import LeakFixRunnerMixin
        if OURS:
            given["leaks"] = mode
        if mode == "report":
            given["leaks_json"] = wanted["report"]
        bases = (LeakFixRunnerMixin, *bases)
        if mode == "fail":
            ignore_all()
    runner = type("Runner", bases, {})(**given)
    sys.exit(bool(runner.run_tests(sys.argv[1:])))


{"unittest": with_unittest, "pytest": with_pytest, "django": with_django}[style]()
'''
