# needs Python 3.8
"""What tests change in an application, and the containers that grow in it: as a run reports it."""
from __future__ import annotations

import json

from tests.zoo.case import ZooCase, keeper

MARKET = "tests.zoo.market."


def tearDownModule():
    keeper.close()


class StateCase(ZooCase):

    def report(self, *names, **options):
        answer = keeper.ask(*names, options=dict(options, leaks_json="ZOO/leaks.json"))
        self.output = answer["output"]
        return json.loads(answer["files"]["leaks.json"])

    def leaks(self, *names, **options):
        report = self.report(*names, **options)
        self.assertEqual([], report["unmeasured"])
        return report["leaks"]


class GrowthTests(StateCase):

    def test_by_name_size_and_test(self):
        for case, name, spoken in (
                ("InList", "ROWS", "%s"), ("InDict", "BY_KEY", "%s"), ("InSet", "NAMES", "%s"),
                ("InBytes", "BUFFER", "%s"), ("InClass", "Config.rows", "%s"),
                ("InCache", "load", "the cache of %s"),
                ("InDefaultArgument", "collect", "a default argument of %s")):
            with self.subTest(case):
                leak, = self.leaks("grown." + case)
                subject = spoken % (MARKET + name) + " grew by 1.2 MB"
                self.assertEqual(subject, leak["subject"][:len(subject)])
                self.assertEqual(["tests.zoo.grown.%s.test_%d" % (case, number)
                                  for number in (1, 2, 3)], leak["tests"])
                self.assertAlmostEqual(1200000, leak["size"], delta=20000)

    def test_at_once(self):
        leak, = self.leaks("grown.InOneOfThree")
        self.assertEqual(["tests.zoo.grown.InOneOfThree.test_2"], leak["tests"])

    def test_small_items(self):
        leak, = self.leaks("grown.SmallItems")
        self.assertEqual("a default argument of %scollect grew by 10 items" % MARKET,
                         leak["subject"])

    def test_caches_registries_and_fixtures(self):
        for case in ("Cleared", "Bounded", "BoundedCache", "LoadedOnce", "OfFixture",
                     "FilledEarly"):
            with self.subTest(case):
                self.assertEqual([], self.leaks("grown." + case))


class RestoreTests(StateCase):

    def test_the_next_test_finds_it_as_it_was(self):
        for name in ("Setting", "Replaced", "Contained"):
            with self.subTest(name):
                leaks = self.leaks("changed." + name, "afterwards", restore=True)
                self.assertIn("\nOK", self.output)
                self.assertEqual({"put back for you, as --restore asks"},
                                 {leak["closed"] for leak in leaks})

    def test_without_it_the_next_one_fails(self):
        self.leaks("changed.Contained", "afterwards")
        self.assertIn("FAILED (failures=1)", self.output)

    def test_what_the_application_did(self):
        self.leaks("silent.State", "afterwards", restore=True)
        self.assertIn("\nOK", self.output)


class RecordedTests(StateCase):

    def test_also_what_is_no_leak(self):
        report = self.report("silent.State.test_made_when_first_wanted",
                             "changed.Setting.test_global")
        self.assertEqual(
            {MARKET + "Session._one": ["tests.zoo.silent.State.test_made_when_first_wanted"],
             MARKET + "MODE": ["tests.zoo.changed.Setting.test_global"]},
            {each["place"]: each["tests"] for each in report["state"]})
        self.assertEqual([MARKET + "MODE was changed"],
                         [leak["subject"] for leak in report["leaks"]])
