"""The leak zoo: each animal has one whole text, each look-alike none.

``python tests/write_golden.py test_zoo`` writes the texts anew: read the diff.
"""
from __future__ import annotations

import sys

from tests.zoo.case import ZooCase, each_animal, keeper, plain

# What Python itself says while the test runs stays where it was.
PRINTED = ("ResourceWarning", "was never awaited", "exception was never retrieved")
# Too expensive to be looked at after each test: reported of the class.
# Before 3.10 the collector does not know sqlite3's connections, and none in memory has a
# descriptor.
UNSEEN = ("opened.Connection.test_in_module_global", "opened.Connection.test_in_class_attribute")


def tearDownModule():
    keeper.close()


@each_animal("kept", "workers", "opened", "running", "state", "coroutines", "changed")
class ZooTests(ZooCase):

    def see(self, name):
        if name in UNSEEN and sys.version_info < (3, 10):
            self.skipTest("before Python 3.10 the collector does not know sqlite3's connections")
        answer = keeper.ask(name)
        self.assertGolden(name, plain(answer["report"]))
        self.assertTrue(answer["successful"], answer["output"])
        self.assertIn("LEAKS  1 cause in 1 of 1 test: 1 ", answer["report"])
        if answer["stray"]:
            self.assertTrue(any(each in answer["stray"] for each in PRINTED), answer["stray"])


class ScopeTests(ZooCase):

    def see(self, name):
        answer = keeper.ask(name)
        self.assertGolden(name, plain(answer["report"]))
        self.assertEqual("", answer["stray"])
        self.assertIn("LEAKS  1 cause in ", answer["report"])

    def test_module(self):
        self.see("scopes_module.OfModule")

    def test_file_of_a_module(self):
        self.see("scopes_module_open.OfModule")

    def test_class(self):
        self.see("scopes.OfClass")

    def test_heavy_class(self):
        self.see("scopes.Heavy")

    def test_file_of_a_class(self):
        self.see("scopes.OpenedByClass")

    def test_growing(self):
        self.see("scopes.Growing")

    def test_same_cause(self):
        self.see("scopes.Same")


@each_animal("silent", "silent_scopes", "silent_apps")
class LookAlikeTests(ZooCase):

    def see(self, name):
        answer = keeper.ask(name)
        self.assertEqual("", answer["report"])
        self.assertTrue(answer["successful"], answer["output"])
        self.assertEqual("", answer["stray"])


@each_animal("silent_outcomes")
class OutcomeTests(ZooCase):
    """A test that fails: its leaks are counted, and not shown."""

    def see(self, name):
        answer = keeper.ask(name)
        failed = name.endswith(("fails", "raises"))
        self.assertEqual(
            "LEAKS  none, but failing tests left 1 cause (--leaks-failed shows it)"
            if failed else "", answer["report"])
        self.assertEqual("", answer["stray"])

    def test_all_together(self):
        answer = keeper.ask("silent_outcomes")
        # The variable was there when the next test ran.
        self.assertIn("left by Outcomes.test_raises", answer["report"])
        self.assertIn("met by tests.zoo.silent_outcomes.Outcomes.test_skipped", answer["report"])
        self.assertIn("Failing tests left 1 more cause", answer["report"])
        self.assertIn("FAILED (failures=1, errors=1, skipped=1, expected failures=1)",
                      answer["output"])


class AllSilentTests(ZooCase):
    """Look-alikes do not become leaks in company."""

    def test_silent(self):
        answer = keeper.ask("silent", "silent_scopes", "silent_apps")
        self.assertEqual("", answer["report"])
        self.assertTrue(answer["successful"], answer["output"])
