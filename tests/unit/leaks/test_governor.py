"""The governor: what finding may cost, with a clock that only the test moves."""
from __future__ import annotations

import contextlib
import itertools
import os
import random
import tempfile
import unittest
from unittest import mock

from unittest_leakfix.leaks.governor import (
    _FREE,
    _FREE_COLLECTING,
    _FREE_LOOKS,
    _FREE_SEARCH,
    _SAMPLED,
    _SELDOM,
    SHARE,
    SLACK,
    Governor,
)
from unittest_leakfix.leaks.model.leak import Findings, Overhead, merge
from unittest_leakfix.leaks.report import json_report, text_report
from unittest_leakfix.leaks.run import LeakSession
from unittest_leakfix.suite import Run


class GovernorTests(unittest.TestCase):

    def setUp(self):
        self.now = 100.0
        self.governor = Governor(lambda: self.now)

    def spend(self, phase, seconds):
        began = self.governor.begin()
        self.now += seconds
        self.governor.add(phase, began)

    def test_one_of_several_tests_stands_for_all(self):
        timed = [self.governor.times() for _ in range(2 * _SAMPLED)]
        self.assertEqual(2, sum(timed))
        self.assertTrue(timed[0])
        began = self.governor.begin()
        self.now += 0.5
        self.governor.add_test((began, self.governor.begin()))
        self.assertEqual(0.5 * _SAMPLED, self.governor.seconds)

    def test_what_is_timed_within_another_counts_once(self):
        began = self.governor.begin()
        self.now += 1
        self.spend("changes", 2)
        self.now += 3
        self.governor.add_test((began, self.governor.begin()))
        self.assertEqual(2 + 4 * _SAMPLED, self.governor.seconds)
        began = self.governor.begin()
        self.spend("collecting", 2)
        self.now += 1
        self.assertEqual(1, self.governor.add("classes", began))

    def ended(self, tests):
        """Which of that many tests are looked at after they have ended."""
        looked = []
        for number in range(tests):
            self.governor.times()
            if self.governor.looks_at_test():
                looked.append(number)
        return looked

    def test_each_test_is_looked_at_while_that_costs_a_share(self):
        self.now += 100
        self.spend("tests", 100 * SHARE - 1)
        self.assertEqual(list(range(40)), self.ended(40))
        self.assertEqual(0, self.governor.unlooked)

    def test_looks_at_tests_are_spaced_and_come_back(self):
        self.now += 100
        self.spend("changes", 100 * SHARE + 1)
        looked = self.ended(5 * _SAMPLED)
        self.assertEqual([1, 3, 5, 7], looked[:4])      # every second one, then every fourth
        self.assertEqual([11, 15], looked[4:6])
        self.assertEqual(5 * _SAMPLED - len(looked), self.governor.unlooked)
        self.ended(1000)
        self.assertEqual(_SELDOM, self.governor._every)
        self.now += 1000
        self.ended(10 * _SAMPLED)
        unlooked = self.governor.unlooked
        self.assertEqual(list(range(8)), self.ended(8))
        self.assertEqual(unlooked, self.governor.unlooked)

    def test_looks_at_classes_and_collections_do_not_space_those_at_tests(self):
        self.now += 100
        for phase in ("classes", "collecting", "explaining"):
            self.spend(phase, 50)
        self.assertEqual(list(range(20)), self.ended(20))

    def test_an_expensive_monitor_is_looked_at_in_some_classes(self):
        def look(monitor, seconds):
            began = self.governor.begin()
            self.now += seconds
            self.governor.looked(monitor, began)

        self.now += 100
        look(7, 100 * SHARE / 2 + 1)
        look(8, 0.001)
        self.assertFalse(self.governor.due(7))
        self.assertTrue(self.governor.due(8))
        self.assertEqual(1, self.governor.skipped)
        self.now += 100     # enough by now, but it is one class
        self.assertFalse(self.governor.due(7))
        self.assertEqual(1, self.governor.skipped)
        self.governor.class_begins()
        self.assertTrue(self.governor.due(7))

    def test_collections_of_the_heap_are_spaced(self):
        def collect():
            self.now += 3

        self.now += 100
        self.governor.collect(collect)
        self.assertEqual(SLACK, self.governor.slack)
        self.governor.collect(collect)
        self.assertEqual(SLACK // 2, self.governor.slack)
        for _ in range(5):
            self.governor.collect(collect)
        self.assertEqual(1, self.governor.slack)
        self.now += 1000
        self.governor.collect(collect)
        self.assertEqual(SLACK, self.governor.slack)
        self.assertEqual(24, self.governor.seconds)

    def test_a_collection_that_fails_is_counted(self):
        def collect():
            self.now += 3
            raise MemoryError

        with self.assertRaises(MemoryError):
            self.governor.collect(collect)
        self.assertEqual(3, self.governor.seconds)

    def test_classes_are_looked_at_while_that_costs_a_share(self):
        self.now += 100
        self.spend("classes", 100 * SHARE - 0.5)
        self.assertTrue(self.governor.looks_at_class())
        self.spend("classes", 1)
        self.assertFalse(self.governor.looks_at_class())
        self.assertEqual(1, self.governor.skipped)
        self.now += 100
        self.assertTrue(self.governor.looks_at_class())
        self.assertEqual(1, self.governor.skipped)

    def test_other_phases_take_nothing_from_the_looks(self):
        self.now += 100
        self.spend("explaining", 50)
        self.assertTrue(self.governor.looks_at_class())

    def test_a_short_run_may_cost_more(self):
        self.spend("classes", _FREE_LOOKS - 0.01)
        self.assertTrue(self.governor.looks_at_class())
        self.assertTrue(self.governor.explains_early())
        self.spend("classes", 0.02)
        self.assertFalse(self.governor.looks_at_class())
        self.assertTrue(self.governor.explains_early())
        self.spend("explaining", _FREE)
        self.assertFalse(self.governor.explains_early())
        self.spend("collecting", _FREE_COLLECTING + 0.01)
        self.governor.collect(lambda: None)
        self.assertEqual(SLACK // 2, self.governor.slack)

    def test_an_explanation_waits_when_the_last_one_was_too_expensive(self):
        self.now += 100
        self.assertTrue(self.governor.explains_early())
        self.spend("explaining", 3)
        self.assertFalse(self.governor.explains_early())
        self.assertEqual(1, self.governor.deferred)
        self.now += 100
        self.assertTrue(self.governor.explains_early())
        self.assertEqual(1, self.governor.deferred)

    def test_the_search_for_holders_ends(self):
        self.now += 100
        late = self.governor.late()
        self.now += 100 * SHARE - 0.1
        self.assertFalse(late())
        self.now += 0.2
        self.assertTrue(late())

    def test_the_search_for_holders_in_a_short_run(self):
        late = self.governor.late()
        self.now += _FREE_SEARCH - 0.01
        self.assertFalse(late())
        self.now += 0.02
        self.assertTrue(late())

    def test_account(self):
        self.now += 10
        self.spend("classes", 0.25)
        self.spend("explaining", 0.25)
        self.governor.scans = 7
        self.governor.untraced = 2
        self.governor.stop()
        self.now += 1000        # the report is not counted
        account = self.governor.account()
        self.assertEqual(
            Overhead(0.5, 0.05, (("tests", 0.0), ("changes", 0.0), ("classes", 0.25),
                                 ("state", 0.0), ("collecting", 0.0), ("explaining", 0.25)),
                     1, 7, 0, 0, 2),
            account)

    def test_account_of_a_run_that_took_no_time(self):
        self.assertEqual(0.0, self.governor.account().share)


def put(module, name):
    """Replace a function, by no line that mentions it."""
    setattr(module, name, mock.Mock())


class Samples:
    """Not found by a loader."""

    class Leaving(unittest.TestCase):
        """Tests that leave something behind."""

        def test_1(self):
            pass

        def test_2(self):
            os.environ["LEAKFIX_GOVERNED"] = "2"

        def test_3(self):
            put(tempfile, "mkstemp")    # looked at by class
            put(random, "shuffle")      # by test

        def test_4(self):
            os.environ["LEAKFIX_GOVERNED_TOO"] = "4"

    class Clean(unittest.TestCase):

        def test_1(self):
            pass

    class FixtureLeaves(unittest.TestCase):

        @classmethod
        def setUpClass(cls):
            os.environ["LEAKFIX_OF_FIXTURE"] = "1"

        def test_1(self):
            put(tempfile, "mkstemp")

        def test_2(self):
            pass


class BlameTests(unittest.TestCase):
    """What is looked at more seldom is of one of the tests since the last look."""

    def setUp(self):
        self.addCleanup(setattr, tempfile, "mkstemp", tempfile.mkstemp)
        self.addCleanup(setattr, random, "shuffle", random.shuffle)
        for name in ("LEAKFIX_GOVERNED", "LEAKFIX_GOVERNED_TOO", "LEAKFIX_OF_FIXTURE"):
            self.addCleanup(os.environ.pop, name, None)

    def found(self, cases, **answers):
        """What a run of *cases* leaves, as {name: the tests it may be of}; the governor *answers*
        so."""
        load = unittest.defaultTestLoader.loadTestsFromTestCase
        result = unittest.TestResult()
        patches = [mock.patch.object(Governor, name, side_effect=side) if callable(side)
                   else mock.patch.object(Governor, name, return_value=side)
                   for name, side in answers.items()]
        session = LeakSession()
        with contextlib.ExitStack() as stack:
            for each in patches:
                stack.enter_context(each)
            watcher = session.begin(result)
            try:
                Run(result, None, watcher).all(unittest.TestSuite(map(load, cases)))
            finally:
                session.end()
        return {leak.name: [test.rpartition("Samples.")[2] for test in
                            leak.tests or leak.candidates] for leak in session.findings().leaks}

    ALL = ["Leaving.test_1", "Leaving.test_2", "Leaving.test_3", "Leaving.test_4"]

    def test_each_test(self):
        self.assertEqual({"LEAKFIX_GOVERNED": ["Leaving.test_2"],
                          "LEAKFIX_GOVERNED_TOO": ["Leaving.test_4"],
                          "random.shuffle": ["Leaving.test_3"],
                          "tempfile.mkstemp": self.ALL}, self.found([Samples.Leaving]))

    def test_every_third_test(self):
        turns = itertools.cycle([False, False, True])
        self.assertEqual(
            {"LEAKFIX_GOVERNED": ["Leaving.test_2"],    # its line is known
             "LEAKFIX_GOVERNED_TOO": ["Leaving.test_4"],
             "random.shuffle": self.ALL[:3],
             "tempfile.mkstemp": self.ALL},
            self.found([Samples.Leaving, Samples.Clean], looks_at_test=lambda: next(turns)))

    def test_no_test_but_the_class(self):
        found = self.found([Samples.Clean, Samples.Leaving, Samples.Clean], looks_at_test=False)
        self.assertEqual(self.ALL, found["random.shuffle"])

    def test_classes_are_looked_at_together(self):
        closely = iter([False, False, True])
        found = self.found([Samples.Clean, Samples.Leaving, Samples.Clean], looks_at_test=False,
                           looks_at_class=lambda: next(closely))
        self.assertEqual(["Leaving.test_2"], found["LEAKFIX_GOVERNED"])
        self.assertEqual({"Clean.test_1", "Leaving.test_1", "Leaving.test_2", "Leaving.test_3",
                          "Leaving.test_4"}, set(found["tempfile.mkstemp"]))

    def test_a_fixture_is_one_of_them_where_it_was_not_looked_at_by_itself(self):
        closely = iter([False, False, True])
        found = self.found([Samples.Clean, Samples.FixtureLeaves, Samples.Clean],
                           looks_at_test=False, due=False, looks_at_class=lambda: next(closely))
        self.assertEqual({"Clean.test_1", "FixtureLeaves)", "FixtureLeaves.test_1",
                          "FixtureLeaves.test_2"},
                         set(found["tempfile.mkstemp"]))

    def test_an_expensive_monitor_is_not_due(self):
        found = self.found([Samples.Clean, Samples.FixtureLeaves, Samples.Clean], due=False)
        self.assertEqual({"Clean.test_1", "FixtureLeaves)", "FixtureLeaves.test_1",
                          "FixtureLeaves.test_2"},
                         set(found["tempfile.mkstemp"]))
        self.assertEqual(["FixtureLeaves)"], found["LEAKFIX_OF_FIXTURE"])


KEPT = []


class Kept:
    pass


class ScansTests(unittest.TestCase):
    """How often the heap is gone over does not grow with the classes that leak."""

    def scans(self, classes):
        def test(self):
            KEPT.append(Kept())

        self.addCleanup(KEPT.clear)
        result, session = unittest.TestResult(), LeakSession()
        suite = unittest.TestSuite([type("Leaky%d" % number, (unittest.TestCase,),
                                         {"test": test, "__module__": __name__})("test")
                                    for number in range(classes)])
        watcher = session.begin(result)
        try:
            Run(result, None, watcher).all(suite)
        finally:
            session.end()
        findings = session.findings()
        leak, = [leak for leak in findings.leaks if "Kept" in leak.cause + leak.subject]
        self.assertEqual(classes, len(leak.tests))
        KEPT.clear()
        return findings.overhead.scans

    def test_ten_times_the_classes(self):
        few = self.scans(40)
        self.assertGreater(few, 0)
        self.assertEqual(few, self.scans(400))


class AccountTests(unittest.TestCase):

    ONE = Overhead(1.0, 0.1, (("tests", 1.0),), 1, 5, 0, 3, 0)
    OTHER = Overhead(2.0, 0.05, (("tests", 1.5), ("classes", 0.5)), 1, 6, 1, 0, 4, 2)

    def test_workers(self):
        found = merge([Findings(overhead=self.ONE), Findings(overhead=self.OTHER), Findings()])
        self.assertEqual(Overhead(3.0, 0.1, (("tests", 2.5), ("classes", 0.5)), 2, 11, 1, 3, 4, 2),
                         found.overhead)
        self.assertIsNone(merge([Findings(), Findings()]).overhead)

    def test_json(self):
        value = json_report.to_value(Findings(overhead=self.OTHER))
        self.assertEqual({"tests": 1.5, "classes": 0.5}, value["overhead"]["phases"])
        self.assertEqual(self.OTHER, json_report.from_value(value).overhead)
        self.assertIsNone(json_report.from_value(json_report.to_value(Findings())).overhead)

    def test_one_line_says_what_was_left_out(self):
        self.assertIn("To save time, finding left the look after 3 classes to the next look\n",
                      text_report.render(Findings(overhead=self.ONE)))
        self.assertIn("To save time, finding left the look at the process after 2 tests to the "
                      "next look and gave up the search for what holds 4 objects\n",
                      text_report.render(Findings(overhead=self.OTHER)))
        self.assertNotIn("To save time", text_report.render(Findings(
            overhead=Overhead(1.0, 0.1, (), 1, 5, 2, 0, 0)), verbose=True))
