"""The workers of Django's parallel runs: what they keep, how they are started, what they can be
reported."""
from __future__ import annotations

import re
import unittest

from tests.integration.django_runner.django_project import (
    OURS,
    PLAIN,
    SETTINGS,
    ProjectCase,
    wanted,
)
from tests.tiers import NEWEST, OLDEST, full_on

try:
    import django.test.runner  # noqa: F401
    import tblib  # noqa: F401
except ImportError:
    raise unittest.SkipTest("needs Django and tblib")
try:
    import pymysql
except ImportError:
    pymysql = None

TAKING = '''\
import os, weakref
from django.test import SimpleTestCase

payloads = []


class Payload:
    pass


class ByPartsOfAClass(SimpleTestCase):
    def setUp(self):
        self.payload = Payload()
        payloads.append((self._testMethodName, weakref.ref(self.payload)))

    def test_a(self):
        self.fail("of the test")

    def test_b(self):
        with self.subTest("of the test"):
            raise ValueError(self.payload.__class__.__name__)

    def test_c(self):
        try:
            raise KeyError("of the test")
        except KeyError as error:
            self.error = error
            raise

    def test_z(self):
        with open("probe.txt", "w") as probe:
            probe.write(" ".join(name for name, each in payloads[:-1] if each() is not None))


class Other(SimpleTestCase):
    def test_one(self):
        pass
'''
MANAGE = '''\
import multiprocessing, os, sys
if __name__ == "__main__":
    multiprocessing.set_start_method(os.environ["START"])
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    from django.core.management import execute_from_command_line
    execute_from_command_line(["manage.py", "test", *sys.argv[1:]])
'''


class WorkersTest(ProjectCase):
    """What is kept in the workers, and workers that are started otherwise than by a fork."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.write("shop/tests.py", TAKING)
        cls.write("manage.py", MANAGE)

    def test_failed_tests_are_let_go_before_their_class_is_over(self):
        plain, ours = self.run_all([wanted("--parallel=2", runner=PLAIN), wanted("--parallel=2")])
        self.assertEqual(plain.alive, ["test_a", "test_b", "test_c"])
        self.assertEqual(ours.alive, [])
        self.assertIn("FAILED (failures=1, errors=2)", plain.text)
        self.assertIn("FAILED (failures=1, errors=2)", ours.text)

    @full_on(OLDEST, NEWEST)
    def test_workers_that_are_spawned(self):
        self.write("settings.py", SETTINGS + "TEST_RUNNER = %r\n" % OURS)
        text = self.python("manage.py", "--parallel=2", "-v2", "--leaks=report", "--leaks-failed",
                           "shop",
                           environment={"START": "spawn"})
        self.assertIn("FAILED (failures=1, errors=2)", text)
        self.assertIn("let go of 5 finished tests", text)
        self.assertIn("LEAKS  none in 5 tests", text)


OTHERS = '''\
import threading, unittest
from django.test import SimpleTestCase, TransactionTestCase
from shop.models import Order

payloads = []


class Connecting(SimpleTestCase):
    def test_connects(self):
        import pymysql
        pymysql.connect(host="127.0.0.1", port=1, password="not-to-be-seen")


class Limited(SimpleTestCase):
    leakfix_max_connections = 0

    def test_limited(self):
        self.test_connects()

    test_connects = Connecting.test_connects


class Reporting(SimpleTestCase):
    def test_skip(self):
        self.skipTest("of the test")

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("of the test")


class Threads(TransactionTestCase):
    def test_thread(self):
        thread = threading.Thread(target=Order.objects.count, name="counting")
        thread.start()
        thread.join()


class Unpicklable(SimpleTestCase):
    def test_raises(self):
        class Local(Exception):
            pass
        raise Local("of the test")
'''
RUNNERS = '''\
import unittest
from django.test.runner import DiscoverRunner, ParallelTestSuite, RemoteTestResult, RemoteTestRunner
from unittest_leakfix.django import LeakFixRunnerMixin


class Result(RemoteTestResult):
    def addSkip(self, test, reason):
        super().addSkip(test, "of %s" % test.id())


class Remote(RemoteTestRunner):
    resultclass = Result


class Suite(ParallelTestSuite):
    runner_class = Remote


class Plain(DiscoverRunner):
    parallel_test_suite = Suite


class Ours(LeakFixRunnerMixin, Plain):
    pass
'''


@full_on(OLDEST, NEWEST)
class OthersTest(ProjectCase):
    """Budgets, first failures, parallel suites of somebody's own, and what cannot be sent."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.write("shop/tests.py", OTHERS)
        cls.write("settings.py",
                  SETTINGS + 'DATABASES["default"]["TEST"] = {"NAME": "orders.sqlite3"}\n')
        cls.write("runners.py", RUNNERS)
        two = ("shop.tests.Connecting", "shop.tests.Reporting")
        limits = ("shop.tests.Limited", "shop.tests.Reporting")
        bad = ("shop.tests.Unpicklable", "shop.tests.Reporting")
        cls.runs = cls.run_all([
            wanted("--parallel=2", "--max-connections=0", labels=two),
            wanted("--parallel=2", labels=limits),
            wanted("--parallel=2", "-v2", labels=two[1:] + limits[:1], runner="runners.Plain"),
            wanted("--parallel=2", "-v2", labels=two[1:] + limits[:1], runner="runners.Ours"),
            wanted("--parallel=2", "--failfast", "--max-connections=0", labels=two),
            wanted("--parallel=2", labels=("shop.tests.Threads", "shop.tests.Reporting"))])
        cls.bad = [wanted("--parallel=2", labels=bad, runner=runner) for runner in (PLAIN, OURS)]

    @unittest.skipIf(pymysql is None, "needs PyMySQL")
    def test_budget_of_each_process(self):
        ran, of_class = self.runs[:2]
        for text in (ran.text, of_class.text):
            self.assertIn("ConnectionBudgetError: no connection may be open here", text)
            self.assertNotIn("not-to-be-seen", text.replace('password="not-to-be-seen")', ""))
        self.assertIn("(max_connections=0)", ran.text)
        self.assertIn("(Limited.leakfix_max_connections = 0)", of_class.text)

    def test_a_parallel_suite_of_their_own(self):
        plain, ours = self.runs[2:4]
        self.assertIn("skipped 'of shop.tests.Reporting.test_skip'", plain.text)
        self.assertIn("skipped 'of shop.tests.Reporting.test_skip'", ours.text)
        self.assertIn("let go of 4 finished tests", ours.text)

    @unittest.skipIf(pymysql is None, "needs PyMySQL")
    def test_failfast(self):
        self.assertEqual(self.runs[4].status, 1)
        self.assertIn("FAILED (failures=1", self.runs[4].text)

    def test_connections_that_were_closed_in_a_worker_are_reported(self):
        text = self.runs[5].text
        self.assertIn("unittest_leakfix: closed 1 connection of threads that were over\n  1 x "
                      "connection 'default'", text)
        self.assertIn("      in shop.tests.Threads.test_thread\n", text)

    def test_what_cannot_be_sent_ends_the_run_as_under_django(self):
        ends = []
        for run in self.bad:
            with self.assertRaises(AssertionError) as caught:
                self.run_all([run])
            ends.append(re.sub("0x[0-9a-f]+", "0x0",
                               str(caught.exception).rstrip().splitlines()[-1]))
        self.assertIn("Can't", ends[0])
        self.assertEqual(ends[1], ends[0])


class SuitesTest(unittest.TestCase):
    def test_suites_of_the_parent_give_their_tests_away(self):
        from unittest_leakfix.django.parallel import _DrainedSuites

        class Tests(unittest.TestCase):
            def test_one(self):
                pass
        suite = unittest.TestSuite([Tests("test_one"), Tests("test_one")])
        given = _DrainedSuites([suite])
        self.assertEqual([each.countTestCases() for each in given], [2])
        self.assertEqual([type(test) for test in given[0]], [Tests, Tests])
        self.assertEqual(suite._tests, [None, None])
        self.assertEqual(suite.countTestCases(), 2)


if __name__ == "__main__":
    unittest.main()
