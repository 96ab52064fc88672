"""Options and settings of LeakFixDiscoverRunner, runners of somebody's own, and input that makes no
sense."""
from __future__ import annotations

import os
import subprocess
import sys
import unittest

from tests.integration.django_runner.django_project import OURS, SETTINGS, ProjectCase, wanted
from tests.support.paths import ROOT

try:
    import django.test.runner  # noqa: F401
except ImportError:
    raise unittest.SkipTest("needs Django")
try:
    import xmlrunner
except ImportError:
    xmlrunner = None

SAMPLE = '''\
import os, weakref
from django.test import SimpleTestCase, TestCase
from shop.models import Order

payloads = []
kept = []


class Payload:
    pass


class Orders(TestCase):
    memo = None

    @classmethod
    def setUpTestData(cls):
        cls.order = Order.objects.create(name="a")
        cls.memo = Order.objects.create(name="b")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plain = Payload()

    def setUp(self):
        self.payload = Payload()
        payloads.append((self._testMethodName, weakref.ref(self.payload)))

    def test_passes(self):
        self.assertEqual((self.order.name, self.memo.name), ("a", "b"))

    def test_fails(self):
        self.fail("of the test")

    def test_file(self):
        self.file = open(__file__)
        kept.append(self.file)


class ZProbe(SimpleTestCase):
    def test_probe(self):
        alive = [name for name, each in payloads if each() is not None]
        for name in ("order", "memo", "plain", "client", "cls_atomics"):
            if name in vars(Orders):
                alive.append("%s:%s" % (name, type(vars(Orders)[name]).__name__))
        with open("probe.txt", "w") as probe:
            probe.write(" ".join(alive))
'''

RUNNERS = '''\
import unittest
from django.test.runner import DiscoverRunner
from unittest_leakfix import LeakFixTestRunner
from unittest_leakfix.django import LeakFixDiscoverRunner, LeakFixRunnerMixin


class Result(unittest.TextTestResult):
    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.stream.writeln("failed with %s" % type(test.payload).__name__)


class OwnResult(LeakFixDiscoverRunner):
    def get_resultclass(self):
        return Result


class OldRecipe(LeakFixDiscoverRunner):
    test_runner = LeakFixTestRunner


class Minimal:
    """As little as a runner can be: no stream, no TextTestRunner."""

    def __init__(self, **options):
        pass

    def run(self, suite):
        result = unittest.TestResult()
        suite.run(result)
        print("minimal: %d tests, %d failures" % (result.testsRun, len(result.failures)))
        return result


class OwnRunner(LeakFixRunnerMixin, DiscoverRunner):
    test_runner = Minimal


try:
    from xmlrunner.extra.djangotestrunner import XMLTestRunner

    class Xml(LeakFixRunnerMixin, XMLTestRunner):
        pass
except ImportError:
    pass
'''
RUNS = {
    # before the others leave things on the class
    "classes": wanted(LEAKFIX_RELEASE_CLASSES=True),
    "plain": wanted(),
    "setting": wanted(LEAKFIX_LEAKS="report"),
    "option first": wanted("--leaks=off", LEAKFIX_LEAKS="report"),
    "fail": wanted(LEAKFIX_LEAKS="fail"),
    "bad leaks": wanted(LEAKFIX_LEAKS="yes"),
    "bad budget": wanted(LEAKFIX_MAX_CONNECTIONS="5"),
    "negative": wanted("--max-connections=-1"),
    "no baseline": wanted("--leaks=report", "--leaks-baseline=nowhere.json"),
    "own result": wanted(runner="runners.OwnResult"),
    "old recipe": wanted("--leaks=report", runner="runners.OldRecipe"),
    "own runner": wanted("--leaks=report", runner="runners.OwnRunner"),
}


class OptionsTest(ProjectCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.write("shop/tests.py", SAMPLE)
        cls.write("runners.py", RUNNERS)
        runs = dict(RUNS,
                    **({"xml": wanted("--leaks=report",
                                      runner="runners.Xml")} if xmlrunner else {}))
        cls.runs = dict(zip(runs, cls.run_all(list(runs.values()))))

    def line(self, name):
        """The one line of a run that did not begin."""
        ran = self.runs[name]
        self.assertEqual(ran.status, 1)
        self.assertEqual(ran.text.count("\n"), 0, ran.text)
        return ran.text

    def test_test_data_is_let_go_and_the_rest_of_the_class_stays(self):
        self.assertEqual(self.runs["plain"].alive, ["memo:NoneType", "plain:Payload"])

    def test_classes_are_put_back_on_demand(self):
        self.assertEqual(self.runs["classes"].alive, ["memo:NoneType"])

    def test_a_setting_switches_finding_on(self):
        self.assertIn("[1] file 'shop/tests.py' was left open", self.runs["setting"].text)
        self.assertIn("FAILED (failures=1)", self.runs["setting"].text)
        self.assertIn("FAILED (failures=2)", self.runs["fail"].text)

    def test_an_option_comes_before_the_setting(self):
        self.assertNotIn("LEAKS", self.runs["option first"].text)

    def test_bad_input(self):
        self.assertEqual(self.line("bad leaks"),
                         "CommandError: LEAKFIX_LEAKS = 'yes': choose from 'off', 'report', 'fail'")
        self.assertEqual(self.line("bad budget"), "CommandError: LEAKFIX_MAX_CONNECTIONS = '5': "
                         "give a number of connections, 0 or more, or None")
        self.assertEqual(self.line("negative"),
                         "CommandError: max_connections=-1: give a number of connections, "
                         "0 or more")
        self.assertEqual(self.line("no baseline").replace(self.folder, "FOLDER"),
                         "CommandError: baseline FOLDER/nowhere.json cannot be read: No such file "
                         "or directory")

    def check_theirs(self, name, says):
        ran = self.runs[name]
        self.assertIn(says, ran.text)
        self.assertEqual(ran.alive, ["memo:NoneType", "plain:Payload"])
        self.assertEqual(ran.status, 1)

    def test_a_result_of_their_own(self):
        self.check_theirs("own result", "failed with Payload")

    def test_our_runner_as_theirs(self):
        self.check_theirs("old recipe", "[1] file 'shop/tests.py' was left open")
        self.assertEqual(self.runs["old recipe"].text.count("LEAKS"), 1)

    def test_a_runner_of_their_own(self):
        self.check_theirs("own runner", "minimal: 4 tests, 1 failures")
        self.assertIn("[1] file 'shop/tests.py' was left open", self.runs["own runner"].text)

    @unittest.skipIf(xmlrunner is None, "needs unittest-xml-reporting")
    def test_xmlrunner(self):
        self.check_theirs("xml",
                       "LEAKS  1 cause in 1 of 4 tests: 1 file\n\n[1] file 'shop/tests.py' was "
                       "left open")

    def test_help(self):
        self.write("settings.py", SETTINGS + "TEST_RUNNER = %r\n" % OURS)
        text = self.python("-m", "django", "test", "--help",
                           environment={"DJANGO_SETTINGS_MODULE": "settings"})
        for option in ("--leaks {off,report,fail}", "--max-connections N", "--parallel",
                       "LEAKFIX_LEAKS,"):
            self.assertIn(option, text)
        text = self.python("-m", "django", "test", "--leaks=yes",
                           environment={"DJANGO_SETTINGS_MODULE": "settings"})
        self.assertIn("error: argument --leaks: invalid choice: 'yes'", text)


class ImportTest(unittest.TestCase):
    def imported(self, code):
        child = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=ROOT),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return child.stdout.decode().splitlines()[-1]

    def test_without_django(self):
        line = self.imported(
            "import sys; sys.modules['django'] = None; import unittest_leakfix.django")
        self.assertTrue(
            line.startswith("ImportError: unittest_leakfix.django needs Django 4.2 or later "
                                        "(python -m pip install Django): "), line)

    def test_with_an_old_django(self):
        line = self.imported("import django; django.VERSION = (3, 2, 25, 'final', 0); import "
                             "unittest_leakfix.django")
        self.assertTrue(line.startswith("ImportError: unittest_leakfix.django needs Django 4.2 or "
                                        "later; this is "
                                        "Django 3.2.25"), line)

    def test_without_settings(self):
        line = self.imported(
            "from unittest_leakfix.django import LeakFixDiscoverRunner; LeakFixDiscoverRunner()")
        self.assertIn("ImproperlyConfigured: Requested setting", line)


if __name__ == "__main__":
    unittest.main()
