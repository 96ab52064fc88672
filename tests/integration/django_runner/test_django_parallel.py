"""Parallel runs of Django's: what workers find arrives in the parent's report, each with its
worker."""
from __future__ import annotations

import json
import os
import re
import unittest
from dataclasses import replace
from typing import Dict, List

from tests.integration.django_runner.django_project import PLAIN, ProjectCase, wanted
from unittest_leakfix.leaks.suppressions import Baseline
from unittest_leakfix.options import Options
from unittest_leakfix.suite import Run

try:
    import tblib  # noqa: F401
    from django.test.runner import RemoteTestResult

    from unittest_leakfix.django.parallel import WorkerDetector
except ImportError:
    raise unittest.SkipTest("needs Django and tblib")

# In the first run Orders and Refunds wait for each other, so that they are run by two workers.
SAMPLE = '''\
import os, time
from django.test import SimpleTestCase

payloads = []
kept = []


def meet(mine, other):
    open(mine, "w").close()
    end = time.monotonic() + 20
    while not os.path.exists(other) and time.monotonic() < end:
        time.sleep(0.01)


class Orders(SimpleTestCase):
    def test_one(self):
        meet("orders.here", "refunds.here")
        kept.append(self)

    def test_two(self):
        pass


class Refunds(SimpleTestCase):
    def test_one(self):
        meet("refunds.here", "orders.here")
        self.file = open(__file__)


class Failing(SimpleTestCase):
    def test_one(self):
        os.environ["OF_A_FAILING_TEST"] = "1"
        self.fail("with a leak")

    def test_two(self):     # meets what it left, in whichever worker
        pass


class Fixture(SimpleTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.environ["OF_A_FIXTURE"] = "1"

    def test_one(self):
        pass
'''

REPORT = '''\
  4 causes in 3 of 6 tests and 1 fixture: 1 kept test, 1 file, 2 environment changes

[1] Orders.test_one was kept after it finished                       1 test
    shop.tests.kept[0]
    \u252c module shop.tests
    \u251c\u2500 list (1 item)  .kept
    \u2502                 ~~~~~
    \u2502    \u2193 [0]
    \u2570\u2192 Orders.test_one                            shop/tests.py:16
    in worker N
    in your code: self.addCleanup(kept.remove, self)

[2] file 'shop/tests.py' was left open                               1 test
    opened by Refunds.test_one   shop/tests.py:27
      26         meet("refunds.here", "orders.here")
    > 27         self.file = open(__file__)
    in worker N
    closed for you: nothing else referred to it
    in your code: self.addCleanup(self.file.close)

[3] environment variable "OF_A_FAILING_TEST" was added               1 test
    left by Failing.test_one   shop/tests.py:32
      31     def test_one(self):
    > 32         os.environ["OF_A_FAILING_TEST"] = "1"
    is 1
    met by the next test of its worker
    in worker N
    in your code: self.addCleanup(os.environ.pop, "OF_A_FAILING_TEST", None)

[4] environment variable "OF_A_FIXTURE" was added                    1 fixture
    left by Fixture.setUpClass   shop/tests.py:43
      42         super().setUpClass()
    > 43         os.environ["OF_A_FIXTURE"] = "1"
    is 1
    in worker N
    in your code: cls.addClassCleanup(os.environ.pop, "OF_A_FIXTURE", None)

More: --leaks-stacks  \u00b7  As failures: --leaks=fail  \u00b7  Silence one: ignore(environment="OF_A_FIXTURE", reason="...")
'''  # noqa: E501
KEPT = '''\
AssertionError: 1 leak was left behind:
  Orders.test_one was kept after it finished: held by shop.tests.kept[0]
'''
FIXTURE = '''\
FAIL: setUpClass (shop.tests.Fixture)
----------------------------------------------------------------------
AssertionError: 1 leak was left behind:
  environment variable "OF_A_FIXTURE" was added, left at shop/tests.py:43 in Fixture.setUpClass
'''
RUNS = {    # the report is the first
    "report": ["--leaks=report"],
    "fail": ["--leaks=fail", "-v2"],
    "json": ["--leaks=report", "--leaks-failed", "--leaks-json=leaks.json"],
    "write": ["--leaks=report", "--leaks-write-baseline=known.json"],
    "baseline": ["--leaks=fail", "--leaks-baseline=known.json", "-v2"],
    "failfast": ["--leaks=fail", "--leaks-baseline=gone.json", "--failfast"],
    "restore": ["--leaks=report", "--restore"],
    "update": ["--leaks-baseline=old.json", "--leaks-update-baseline"],
}


class FoundTest(ProjectCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.write("shop/tests.py", SAMPLE)
        cls.write("gone.json", json.dumps({"version": 1, "leaks": [
            {"kind": "file", "cause": "of old", "tests": ["shop.tests.Orders.test_two"]}]}))
        cls.write("old.json", json.dumps({"version": 1, "leaks": [
            {"kind": "umask", "cause": "umask umask", "tests": ["shop.tests.Orders.test_one"]},
            {"kind": "cwd", "cause": "cwd changed", "tests": ["shop.other.Tests.test_a"]}]}))
        runs = [wanted("--parallel=2", *args) for args in RUNS.values()]
        cls.runs = dict(zip([*RUNS, "plain"],
                            cls.run_all(runs + [wanted("--parallel=2", runner=PLAIN)])))

    def test_report(self):
        report = self.runs["report"].report()
        self.assertEqual(set(re.findall("in worker (.*)", report)), {"1", "2"})
        report = re.sub("met by shop.tests.*", "met by the next test of its worker", report)
        self.assertEqual(re.sub("in worker .*", "in worker N", report), REPORT)

    def test_what_was_closed_is_reported_for_all_workers(self):
        self.assertIn("unittest_leakfix: let go of 5 finished tests, closed 1 resource left open "
                      "(1 file), "
                      "1 test still held by other code\n", self.runs["fail"].text)

    def test_verdict_of_a_report(self):
        theirs, ours = self.runs["plain"], self.runs["report"]
        self.assertEqual(ours.status, theirs.status)
        self.assertIn("FAILED (failures=1)", theirs.text)
        self.assertIn("FAILED (failures=1)", ours.text)

    def test_leaks_are_failures_of_their_tests(self):
        ran = self.runs["fail"]
        self.assertIn("FAILED (failures=5)", ran.text)
        names = re.findall(r"^FAIL: (.*)$", ran.text, re.MULTILINE)
        self.assertEqual(sorted(name.partition(" ")[0] for name in names),
                         ["setUpClass", "test_one", "test_one", "test_one", "test_one"])
        self.assertRegex(ran.text,
                         r"FAIL: test_one \(shop\.tests\.Orders\b.*\)\n-+\n" + re.escape(KEPT))
        self.assertIn(FIXTURE, ran.text)

    def test_json(self):
        with open(os.path.join(self.folder, "leaks.json")) as file:
            reported = json.load(file)
        self.assertEqual(reported["tests"], 6)
        leaks = {leak["subject"]: {note["label"]: note["text"] for note in leak["notes"]}.get(
            "in worker")
                 for leak in reported["leaks"]}
        self.assertEqual(sorted(leaks), [
            "Orders.test_one was kept after it finished",
            'environment variable "OF_A_FAILING_TEST" was added',
            'environment variable "OF_A_FIXTURE" was added', "file 'shop/tests.py' was left open"])
        self.assertLessEqual(set(leaks.values()), {"1", "2"})

    def test_baseline(self):
        ran = self.runs["baseline"]
        self.assertIn("FAILED (failures=1)", ran.text)
        self.assertIn("Known: 4 (listed in known.json)", ran.text)
        self.assertNotIn("\nLEAKS  4", ran.text)

    def test_an_updated_baseline_is_that_which_was_written(self):
        self.assertIn("old.json was updated\n", self.runs["update"].text)
        old, written = (self.listed(name) for name in ("old.json", "known.json"))
        self.assertEqual(old.pop("cwd changed"), ["shop.other.Tests.test_a"])
        self.assertEqual(old, written)

    def listed(self, name: str) -> Dict[str, List[str]]:
        with open(os.path.join(self.folder, name)) as file:
            value = json.load(file)
        self.assertEqual(value["version"], 2)
        return {entry.get("fingerprint", entry.get("cause")): entry["tests"]
                for entry in value["leaks"]}

    def test_restored_in_the_workers(self):
        self.assertIn("put back", self.runs["restore"].text)


class LastOfAWorkerTest(unittest.TestCase):
    """A failing test that no other follows in its worker has left what the baseline lists."""

    def found(self, listed):
        class Failing(unittest.TestCase):
            __qualname__ = "Failing"

            def test_one(self):
                os.environ["OF_A_FAILING_TEST"] = "1"
                self.fail("with a leak")

        self.addCleanup(os.environ.pop, "OF_A_FAILING_TEST", None)
        baseline = Baseline("known.json", json.dumps({"version": 2, "leaks": [
            {"kind": "environment", "fingerprint": "environment %s added" % listed,
             "tests": [Failing("test_one").id()]}]}))
        detector = WorkerDetector(Options(leaks="fail", leaks_baseline="known.json"),
                                  baseline)
        result = RemoteTestResult()
        self.assertTrue(detector.start())
        try:
            detector.feed(result)
            Run(result, watcher=detector).all(unittest.TestSuite([Failing("test_one")]))
            found, ran, failures = detector.take()
        finally:
            detector.stop()
        self.assertEqual(failures, ())
        self.assertEqual([each[0] for each in result.events if each[0] == "addFailure"],
                         ["addFailure"])    # its own
        return baseline.compared(replace(found, ran=frozenset(ran)))

    def test_it_is_known_and_not_gone(self):
        found = self.found("OF_A_FAILING_TEST")
        self.assertEqual([each.leak.fingerprint for each in found.known],
                         ["environment OF_A_FAILING_TEST added"])
        self.assertEqual((found.leaks, found.gone), ((), ()))

    def test_what_is_not_listed_waits_for_a_test_that_meets_it(self):
        found = self.found("ANOTHER")
        self.assertEqual((found.leaks, found.known), ((), ()))
        self.assertEqual(found.gone, ("environment ANOTHER added",))


if __name__ == "__main__":
    unittest.main()
