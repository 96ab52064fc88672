"""Which of the objects that outlived their tests are leaks: asked once, when the run is over."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.support.paths import ROOT
from tests.zoo.case import ZooCase, keeper
from unittest_leakfix.leaks.retention.search import chains
from unittest_leakfix.leaks.survivors import ById, survivor
from unittest_leakfix.leaks.suspects import Suspects, Timeline


def tearDownModule():
    keeper.close()


class Slotted(tuple):
    __slots__ = ()


class TimelineTests(unittest.TestCase):
    """Classes of ten tests, three of them."""

    def setUp(self):
        self.timeline = Timeline()
        for nth in range(1, 31):
            self.timeline.now = nth
            if nth % 10 == 0:
                self.timeline.over()

    def grows(self, alive, lost=(), least=3):
        return self.timeline.grows(alive, lost, least)

    def test_each_test(self):
        self.assertTrue(self.grows(range(1, 31)))

    def test_to_the_end_of_a_class(self):
        self.assertTrue(self.grows(range(1, 11)))

    def test_each_class(self):
        self.assertTrue(self.grows([3, 13, 23]))

    def test_too_few(self):
        self.assertFalse(self.grows([29, 30]))
        self.assertTrue(self.grows([29, 30], least=2))

    def test_full_after_a_few(self):
        self.assertFalse(self.grows([1, 2, 3, 4]))

    def test_full_after_a_few_of_each_class(self):
        self.assertTrue(self.grows([1, 2, 3, 11, 12, 13, 21, 22, 23]))

    def test_the_last_ones_of_all(self):
        self.assertFalse(self.grows([27, 28, 29, 30], lost=range(1, 27)))

    def test_most_of_all_died(self):
        self.assertFalse(self.grows([5, 20, 30], lost=[7, 8, 21, 25]))
        self.assertTrue(self.grows([5, 20, 30], lost=[1, 2, 7, 8, 21]))

    def test_the_first_ones_of_all(self):
        self.assertFalse(self.grows([1, 2, 3, 4], lost=range(5, 31)))

    def test_some_of_all_died(self):
        self.assertTrue(self.grows(range(1, 31, 2), lost=range(2, 31, 2)))

    def test_span_of_a_test(self):
        self.assertEqual((11, 20), self.timeline.span(15))
        self.timeline.now = 33
        self.assertEqual((31, 33), self.timeline.span(32))

    def test_a_class_without_a_test(self):
        self.timeline.over()
        self.timeline.over()
        self.assertEqual((21, 30), self.timeline.span(30))


class SuspectTests(unittest.TestCase):

    def setUp(self):
        self.suspects = Suspects()

    def add(self, *values, nth):
        self.suspects.timeline.now = nth
        noted = [survivor("instance", "m.T.test_%d" % nth, "", each) for each in values]
        self.suspects.add(noted)
        return noted

    def test_the_dead_are_counted(self):
        kept = [TimelineTests(), TimelineTests()]
        self.add(*kept, nth=1)
        del kept[0]
        alive = self.suspects.alive()
        self.assertEqual([1], [each.nth for each in alive])
        self.assertIs(kept[0], alive[0].value())
        self.assertEqual({(__name__, "TimelineTests"): {1}}, dict(self.suspects.lost))

    def test_an_id_that_is_used_again_means_that_its_owner_is_gone(self):
        value = Slotted()
        first, = self.add(value, nth=1)
        self.assertIs(ById, type(first.ref))
        second, = self.add(value, nth=2)    # as if made in its place
        self.assertIsNone(first.ref())
        self.assertEqual(id(value), second.key)

    def test_an_id_that_went_to_another_class(self):
        first, = self.add(Slotted(), nth=1)
        other = TimelineTests()
        noted = survivor("instance", "m.T.test_2", "", other)
        first.ref._key = id(other)
        self.suspects._by_id = {id(other): first.ref}
        self.suspects.add([noted])
        self.assertIsNone(first.ref())

    def test_the_dead_are_dropped_on_the_way(self):
        self.add(*[TimelineTests() for _ in range(5)], nth=1)
        self.suspects._due = 3
        kept = TimelineTests()
        self.add(kept, nth=2)
        self.assertEqual([2], [each.nth for each in self.suspects])


class OwnHoldersTests(unittest.TestCase):
    """What finds leaks does not count as a holder."""

    def test_no_chain_through_what_finds(self):
        value, other = TimelineTests(), TimelineTests()
        reference = ById(value)
        reference._found = value
        suspects = Suspects()
        suspects.extra = other
        self.assertEqual([None, None], [self.without_locals(each) for each in ([value], [other])])
        self.assertIsNotNone((reference, suspects))

    def without_locals(self, targets):
        chain, = chains(targets, ignore=[targets, sys._getframe(), sys._getframe(1)])
        return chain if chain is not None and chain.root not in ("frame", "unknown") else None

    def test_a_holder_beside_it_is_found(self):
        value = ById(self)
        value._found = OwnHoldersTests.kept = TimelineTests()
        self.addCleanup(delattr, OwnHoldersTests, "kept")
        chain, = chains([OwnHoldersTests.kept])
        self.assertIn("OwnHoldersTests.kept", chain.expression)


# A runner that makes its own result, as one of Django's may: the detector learns it from the run.
NOTES = """
import gc, json, sys, unittest
from shop_notes import NOTES, Note
from unittest_leakfix.leaks.detector import LeakDetector
from unittest_leakfix.options import Options
from unittest_leakfix.suite import Run

class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.notes = []

    def startTest(self, test):
        super().startTest(test)
        (self.notes if sys.argv[1] == "result" else NOTES).append(Note())

class Tests(unittest.TestCase):
    def test_a(self):
        pass
    test_b = test_c = test_d = test_e = test_f = test_a

detector = LeakDetector(Options(leaks="report"))
detector.start()
result = Result()
Run(result, watcher=detector).all(unittest.defaultTestLoader.loadTestsFromTestCase(Tests))
detector.stop()
print(json.dumps([[leak.kind, leak.chain.expression] for leak in detector.findings().leaks]))
"""


class ResultTests(unittest.TestCase):
    """What a result of the user's notes of each test is known by the result's identity."""

    def found(self, place):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "shop_notes.py"), "w") as file:
            file.write("NOTES = []\nclass Note: pass\n")
        done = subprocess.run([sys.executable, "-c", NOTES, place], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True,
                              env=dict(os.environ, PYTHONPATH=os.pathsep.join([folder, ROOT])))
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return json.loads(done.stdout)

    def test_in_a_result_of_the_user_s(self):
        self.assertEqual([], self.found("result"))

    def test_the_same_in_a_module(self):
        self.assertEqual([["growth", "__main__.NOTES"]],
                         [[kind, way.partition("[")[0]] for kind, way in self.found("module")])


class JudgingTests(ZooCase):
    """Each case alone, and beside a kept test, which is the only cause then."""

    def judged(self, name):
        answer = keeper.ask(name, options={"leaks_json": "ZOO/leaks.json"})
        found = json.loads(answer["files"]["leaks.json"])
        self.assertEqual([], found["unmeasured"])
        return found["leaks"]

    def assertSilent(self, name):
        self.assertEqual([], self.judged("judged." + name))

    def left_by(self, name):
        leak, = self.judged("judged." + name)
        return leak, [test.rpartition(".")[2] for test in leak["tests"]]

    def test_slot(self):
        self.assertSilent("Slot")

    def test_window(self):
        self.assertSilent("Window")

    def test_refilled_by_each_class(self):
        answer = keeper.ask("judged.Refilled", "judged.RefilledAgain")
        self.assertEqual("", answer["report"])

    def test_filled_once(self):
        self.assertSilent("FilledOnce")

    def test_pool(self):
        self.assertSilent("Pool")

    def test_a_pool_that_a_few_tests_need_more_of(self):
        self.assertSilent("DeepPool")

    def test_bounded(self):
        for name in ("BoundedCache", "BoundedByMaxsize", "BoundedDeque",
                     "BoundedByItsClass"):
            with self.subTest(name):
                self.assertSilent(name)

    def test_not_bounded(self):
        for name in ("NotBounded", "Outgrown"):
            with self.subTest(name):
                leak, tests = self.left_by(name)
                self.assertEqual(("growth", 12), (leak["kind"], len(tests)))

    def test_streams_over_memory_are_objects(self):
        leak, tests = self.left_by("MemoryStreams")
        self.assertEqual(("growth", "Screen objects grow test after test"),
                         (leak["kind"], leak["subject"]))
        self.assertEqual(12, len(tests))
        self.assertSilent("OneMemoryStream")

    def test_ids_used_again(self):
        self.assertSilent("Numbered")

    def test_loggers(self):
        self.assertSilent("Loggers")

    def test_growth(self):
        leak, tests = self.left_by("Grows")
        self.assertEqual("growth", leak["kind"])
        self.assertEqual(12, len(tests))
        self.assertEqual(12, leak["growth"])

    def test_growth_beside_a_cache(self):
        leaks = [leak for leak in self.judged("judged.GrowsBesideACache")]
        self.assertEqual(["tests.zoo.shop.Shop.sold[0]"],
                         [leak["chain"]["expression"] for leak in leaks])

    def test_a_second_test_leaves_one_too(self):
        leak, tests = self.left_by("Twice")
        self.assertEqual("object", leak["kind"])
        self.assertEqual(["test_00", "test_01", "test_02"], tests)

    def test_a_crowd_is_counted_whole(self):
        leak, tests = self.left_by("Crowd")
        self.assertEqual(1500, leak["growth"])
        self.assertEqual(3, len(tests))

    def test_a_kept_test_on_what_may_stay(self):
        leak, tests = self.left_by("TestOnOrder")
        self.assertEqual("kept test", leak["kind"])
        self.assertEqual(["test_01"], tests)

    def test_registries_in_c_have_names(self):
        for name, registry in (("test_codec", "codecs.register()"),
                               ("test_codec_errors", "codecs.register_error()"),
                               ("test_atexit", "atexit")):
            with self.subTest(name):
                leak, = [leak for leak in self.judged("judged.InRegistries." + name)
                         if leak["kind"] == "kept test"]
                self.assertEqual(["tests.zoo.judged.InRegistries." + name], leak["tests"])
                self.assertTrue(leak["chain"]["expression"].startswith(registry), leak["chain"])

    def test_threads_of_what_the_class_has(self):
        self.assertSilent("LoopOfClass")
        self.assertSilent("PoolOfClass")
