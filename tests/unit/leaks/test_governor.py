"""The governor: what finding may cost, with a clock that only the test moves."""
from __future__ import annotations

import unittest

from unittest_leakfix.leaks.governor import _FREE, _SAMPLED, SHARE, Governor
from unittest_leakfix.leaks.model.leak import Findings, Overhead, merge
from unittest_leakfix.leaks.report import json_report, text_report


class GovernorTests(unittest.TestCase):

    def setUp(self):
        self.now = 100.0
        self.governor = Governor(lambda: self.now)

    def spend(self, phase, seconds):
        began = self.now
        self.now += seconds
        self.governor.add(phase, began)

    def test_one_of_several_tests_stands_for_all(self):
        timed = [self.governor.times() for _ in range(2 * _SAMPLED)]
        self.assertEqual(2, sum(timed))
        self.assertTrue(timed[0])
        self.governor.add_test(0.5)
        self.assertEqual(0.5 * _SAMPLED, self.governor.seconds)

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
        self.spend("classes", _FREE - 0.01)
        self.assertTrue(self.governor.looks_at_class())
        self.assertTrue(self.governor.explains_early())
        self.spend("classes", 0.02)
        self.assertFalse(self.governor.looks_at_class())
        self.assertFalse(self.governor.explains_early())

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
        self.now += _FREE - 0.01
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
            Overhead(0.5, 0.05, (("tests", 0.0), ("classes", 0.25), ("explaining", 0.25)), 1, 7,
                     0, 0, 2), account)

    def test_account_of_a_run_that_took_no_time(self):
        self.assertEqual(0.0, self.governor.account().share)


class AccountTests(unittest.TestCase):

    ONE = Overhead(1.0, 0.1, (("tests", 1.0),), 1, 5, 0, 3, 0)
    OTHER = Overhead(2.0, 0.05, (("tests", 1.5), ("classes", 0.5)), 1, 6, 1, 0, 4)

    def test_workers(self):
        found = merge([Findings(overhead=self.ONE), Findings(overhead=self.OTHER), Findings()])
        self.assertEqual(Overhead(3.0, 0.1, (("tests", 2.5), ("classes", 0.5)), 2, 11, 1, 3, 4),
                         found.overhead)
        self.assertIsNone(merge([Findings(), Findings()]).overhead)

    def test_json(self):
        value = json_report.to_value(Findings(overhead=self.OTHER))
        self.assertEqual({"tests": 1.5, "classes": 0.5}, value["overhead"]["phases"])
        self.assertEqual(self.OTHER, json_report.from_value(value).overhead)
        self.assertIsNone(json_report.from_value(json_report.to_value(Findings())).overhead)

    def test_one_line_says_what_was_left_out(self):
        self.assertIn("To cost little, finding looked at 3 classes together with the next\n",
                      text_report.render(Findings(overhead=self.ONE)))
        self.assertIn("finding did not look for the holders of 4 objects to the end\n",
                      text_report.render(Findings(overhead=self.OTHER)))
        self.assertNotIn("To cost little", text_report.render(Findings(
            overhead=Overhead(1.0, 0.1, (), 1, 5, 2, 0, 0)), verbose=True))
