"""The governor: what finding may cost, with a clock that only the test moves."""
from __future__ import annotations

import contextlib
import io
import itertools
import os
import random
import tempfile
import unittest
from unittest import mock

from unittest_leakfix.leaks.governor import (
    _PARTS,
    _REFERENCE,
    _RUNNING,
    _SAMPLED,
    _SEARCH,
    _SELDOM,
    FLOOR,
    PHASES,
    SHARE,
    SLACK,
    Governor,
)
from unittest_leakfix.leaks.model.leak import Findings, Overhead, merge
from unittest_leakfix.leaks.report import json_report, text_report
from unittest_leakfix.leaks.run import LeakSession
from unittest_leakfix.suite import Run


class GovernorTests(unittest.TestCase):
    """A run of 100 s of tests may cost `LIMIT` seconds, and most of that before its end."""

    LIMIT = FLOOR + 100 * SHARE
    OVER = _RUNNING * LIMIT
    PART = LIMIT / _PARTS

    def setUp(self):
        self.now = 100.0
        self.governor = Governor(lambda: self.now)

    def run_for(self, seconds):
        self.now += seconds

    def spend(self, phase, seconds):
        began = self.governor.begin()
        self.now += seconds
        self.governor.add(phase, began)

    def look(self, what, seconds):
        began = self.governor.begin()
        self.now += seconds
        self.governor.spent(what, "classes", began)

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

    def test_what_is_done_after_each_test_is_timed_with_one_of_several(self):
        governor = self.governor
        self.assertEqual(_SAMPLED, governor.times_also(governor.looks, True))
        self.assertEqual(0, governor.times_also(governor.looks, False))
        governor.looks.adapt(True)      # what is left out after some tests is timed each time
        self.assertEqual(1, governor.times_also(governor.looks, True))
        self.assertEqual(1, governor.times_also(governor.looks, False))
        self.assertEqual(_SAMPLED, governor.times_also(governor.counts, True))
        began = governor.begin()
        self.now += 0.5
        governor.add("objects", began, _SAMPLED)
        self.assertEqual(0.5 * _SAMPLED, governor.seconds)

    def test_there_is_one_account(self):
        self.run_for(100)
        self.assertEqual(self.LIMIT, self.governor.limit)
        for phase in PHASES:
            self.spend(phase, 0.25)
        self.governor.started(0.5)
        self.assertEqual(0.25 * len(PHASES) + 0.5, self.governor.seconds)
        # A share of the tests' own time, and loading.
        self.assertEqual(self.LIMIT + 0.75, self.governor.limit)

    def done(self, spaced, tests):
        """Return after which of that many tests something is done, by the name of the
        method that tells."""
        found = []
        for number in range(tests):
            self.governor.times()
            if getattr(self.governor, spaced)():
                found.append(number)
        return found

    def is_spaced(self, phase, method, spacing):
        self.run_for(100)
        self.spend("collecting", self.OVER + 0.01)
        self.assertEqual(list(range(20)), self.done(method, 20))     # it cost nothing itself
        self.spend(phase, self.PART + 0.1)
        done = self.done(method, 5 * _SAMPLED)
        self.assertLess(len(done), 20)
        self.assertEqual(5 * _SAMPLED - len(done), spacing.left)
        self.done(method, 1000)
        self.assertEqual(_SELDOM, spacing.every)
        self.run_for(10000)
        self.done(method, 10 * _SAMPLED)
        left = spacing.left
        self.assertEqual(list(range(8)), self.done(method, 8))
        self.assertEqual(left, spacing.left)

    def test_looks_at_tests_are_spaced_and_come_back(self):
        self.is_spaced("looks", "looks_at_test", self.governor.looks)

    def test_counts_of_objects_are_spaced_and_come_back(self):
        self.is_spaced("objects", "counts_objects", self.governor.counts)

    def test_all_is_done_while_the_account_is_not_overdrawn(self):
        self.run_for(100)
        for phase in ("looks", "objects", "classes", "collecting"):
            self.spend(phase, self.OVER / 4 - 0.01)
        self.assertEqual(list(range(20)), self.done("looks_at_test", 20))
        self.assertEqual(list(range(20)), self.done("counts_objects", 20))
        self.assertTrue(self.governor.looks_at_class())
        self.governor.collect(lambda: None)
        self.assertEqual(SLACK, self.governor.slack)

    def test_what_is_cheap_is_not_left_out_for_what_is_expensive(self):
        self.run_for(100)
        self.look("modules", self.OVER + 0.1)
        self.look(8, 0.001)
        self.assertFalse(self.governor.affords("modules"))
        self.assertTrue(self.governor.affords(8))
        self.assertTrue(self.governor.affords("what was never looked at"))
        self.run_for(1000)
        self.assertTrue(self.governor.affords("modules"))

    def test_an_expensive_monitor_is_looked_at_in_some_classes(self):
        self.run_for(100)
        self.look(7, self.OVER + 0.1)
        self.look(8, 0.001)
        self.assertFalse(self.governor.due(7))
        self.assertTrue(self.governor.due(8))
        self.assertEqual(1, self.governor.skipped)
        self.run_for(100)    # enough by now, but it is one class
        self.assertFalse(self.governor.due(7))
        self.assertEqual(1, self.governor.skipped)
        self.governor.class_begins()
        self.assertTrue(self.governor.due(7))

    def test_collections_of_the_heap_are_spaced(self):
        def collect():
            self.now += self.OVER / 2 + 0.01

        self.run_for(100)
        self.governor.collect(collect)
        self.assertEqual(SLACK, self.governor.slack)
        self.governor.collect(collect)
        self.assertEqual(SLACK // 2, self.governor.slack)
        for _ in range(5):
            self.governor.collect(collect)
        self.assertEqual(1, self.governor.slack)
        self.run_for(10000)
        self.governor.collect(collect)
        self.assertEqual(SLACK, self.governor.slack)

    def test_a_collection_that_fails_is_counted(self):
        def collect():
            self.now += 3
            raise MemoryError

        with self.assertRaises(MemoryError):
            self.governor.collect(collect)
        self.assertEqual(3, self.governor.seconds)

    def test_classes_are_looked_at_while_that_can_be_afforded(self):
        self.run_for(100)
        self.spend("classes", self.OVER - 0.1)
        self.assertTrue(self.governor.looks_at_class())
        self.spend("classes", 0.2)
        self.assertFalse(self.governor.looks_at_class())
        self.assertEqual(1, self.governor.skipped)
        self.run_for(100)
        self.assertTrue(self.governor.looks_at_class())
        self.assertEqual(1, self.governor.skipped)

    def test_a_short_run_may_cost_more(self):
        self.governor.started(10)       # without byte code, on a busy machine
        self.spend("classes", _RUNNING * FLOOR - 0.01)
        self.assertTrue(self.governor.looks_at_class())
        self.spend("classes", 0.02)
        self.assertFalse(self.governor.looks_at_class())

    def test_the_end_has_what_the_run_must_leave(self):
        self.run_for(100)
        self.spend("classes", self.OVER + 0.1)
        self.assertFalse(self.governor.looks_at_class())
        self.assertTrue(self.governor.explains_early())
        self.spend("classes", self.LIMIT - self.OVER)
        self.assertFalse(self.governor.explains_early())
        self.assertEqual(1, self.governor.deferred)

    def test_an_explanation_waits_when_the_last_one_was_too_expensive(self):
        self.run_for(100)
        self.assertTrue(self.governor.explains_early())
        self.spend("explaining", self.LIMIT / 2 + 0.1)
        self.assertFalse(self.governor.explains_early())
        self.run_for(100)
        self.assertTrue(self.governor.explains_early())
        self.assertEqual(1, self.governor.deferred)

    def compared(self, seconds, heap):
        """Return how often each object of a heap is compared in a number of seconds."""
        return int(seconds / (heap * _REFERENCE))

    def test_the_search_for_holders_takes_what_is_left(self):
        self.run_for(100)
        late = self.governor.late(100000)
        self.assertFalse(late(self.compared(self.LIMIT - 0.01, 100000)))
        self.assertTrue(late(self.compared(self.LIMIT + 0.01, 100000)))

    def test_the_search_for_holders_does_not_go_by_the_clock(self):
        self.spend("classes", 10)
        late = self.governor.late(100000)
        self.now += 1000        # on a busy machine
        self.assertFalse(late(self.compared(_SEARCH - 0.01, 100000)))
        self.assertTrue(late(self.compared(_SEARCH + 0.01, 100000)))

    def test_account(self):
        self.run_for(10)
        self.spend("classes", 0.25)
        self.spend("explaining", 0.25)
        self.governor.scans = 7
        self.governor.untraced = 2
        self.governor.looks.left, self.governor.counts.left = 5, 6
        self.governor.stop()
        self.now += 1000        # the report is not counted
        phases = dict.fromkeys(PHASES, 0.0)
        phases.update(classes=0.25, explaining=0.25)
        self.assertEqual(Overhead(0.5, 0.05, tuple(phases.items()), 1, 7, 0, 0, 2, 5, 6),
                         self.governor.account())

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

    class Keeping(unittest.TestCase):
        """Tests that keep something."""

        def test_1(self):
            self.thing = Kept()

        def test_2(self):
            KEPT.append(Kept())

        def test_3(self):
            KEPT.append(self)

        def test_4(self):
            self.file = open(os.devnull)
            KEPT.append(self.file)

        def test_5(self):
            self.thing = Kept()
            KEPT.append(self.thing)

        def test_6(self):
            self.thing = Kept()

    class Garbage(unittest.TestCase):
        """Tests that leave what dies unclosed when the collector comes."""

        def test_1(self):
            self.thing = Kept()

        def test_2(self):
            cycle = [open(os.devnull)]
            cycle.append(cycle)
            self.thing = Kept()

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
        self.leaks = session.findings().leaks
        return {leak.name: [test.rpartition("Samples.")[2] for test in
                            leak.tests or leak.candidates] for leak in self.leaks}

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

    def left_by(self, case, **answers):
        """Return what a run of *case* leaves, as {text: (its tests, those it may be of)}."""
        self.addCleanup(KEPT.clear)
        self.addCleanup(lambda: [each.close() for each in KEPT if hasattr(each, "close")])
        self.found([case, Samples.Clean], **answers)
        return {leak.fingerprint.rpartition("Samples.")[2]:
                tuple([test.rpartition(".")[2] for test in tests]
                      for tests in (leak.tests, leak.candidates)) for leak in self.leaks}

    KEPT = "tests.unit.leaks.test_governor.KEPT[*]"
    OBJECT = "object: tests.unit.leaks.test_governor.Kept by " + KEPT
    TEST = "kept test by " + KEPT
    OPENED = "Keeping.test_4 by `self.file = open(os.devnull)`, held by " + KEPT
    FILE = "Garbage.test_2 by `cycle = [open(os.devnull)]`"

    def test_objects_are_counted_after_each_test(self):
        self.assertEqual({self.OBJECT: (["test_2", "test_5"], []), self.TEST: (["test_3"], []),
                          self.OPENED: (["test_4"], [])}, self.left_by(Samples.Keeping))
        self.assertEqual({self.FILE: (["test_2"], [])}, self.left_by(Samples.Garbage))

    def test_objects_are_counted_after_several_tests(self):
        # A kept test is known, and so is what a test had, and where a resource was opened.
        turns = itertools.cycle([False, False, True])
        self.assertEqual({
            self.OBJECT: (["test_5"], ["test_1", "test_2", "test_3"]), self.TEST: (["test_3"], []),
            self.OPENED: (["test_4"], [])},
            self.left_by(Samples.Keeping, counts_objects=lambda: next(turns)))

    def test_objects_are_counted_before_a_fixture(self):
        self.assertEqual({
            self.OBJECT: (["test_5"], ["test_1", "test_2", "test_3"]), self.TEST: (["test_3"], []),
            self.OPENED: (["test_4"], [])},
            self.left_by(Samples.Keeping, counts_objects=False))
        with contextlib.redirect_stderr(io.StringIO()):     # the file below it says so, too
            self.assertEqual({self.FILE: (["test_2"], [])},
                             self.left_by(Samples.Garbage, counts_objects=False))

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
    OTHER = Overhead(2.0, 0.05, (("tests", 1.5), ("classes", 0.5)), 1, 6, 1, 0, 4, 2, 7)

    def test_workers(self):
        found = merge([Findings(overhead=self.ONE), Findings(overhead=self.OTHER), Findings()])
        self.assertEqual(Overhead(3.0, 0.1, (("tests", 2.5), ("classes", 0.5)), 2, 11, 1, 3, 4, 2,
                                  7), found.overhead)
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
                      "next look and left the count of objects after 7 tests to the next one and "
                      "gave up the search for what holds 4 objects\n",
                      text_report.render(Findings(overhead=self.OTHER)))
        self.assertNotIn("To save time", text_report.render(Findings(
            overhead=Overhead(1.0, 0.1, (), 1, 5, 2, 0, 0)), verbose=True))
