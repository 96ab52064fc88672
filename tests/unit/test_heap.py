"""The frozen heap: nothing lives longer than under plain unittest, answers stay true."""

from __future__ import absolute_import

import gc
import os
import subprocess
import sys
import textwrap
import unittest
import weakref

from tests.support.suites import Payload, run
from unittest_leakfix import LeakFixTestRunner
from unittest_leakfix._core.gc_control import FREEZES, heap

if not FREEZES:
    raise unittest.SkipTest("this interpreter cannot freeze its heap (3.7 and later can)")


class Before(object):
    """Garbage in a cycle that was there before the run."""

    def __init__(self):
        self.me = self


class HonestTests(unittest.TestCase):
    """A test that asks the collector gets its answer from the whole heap."""

    def run_one(self, method):
        result = run(LeakFixTestRunner, type("Tests", (unittest.TestCase,),
                                             {"test": method}))
        self.assertTrue(result.wasSuccessful(), result.text)

    def test_the_heap_is_frozen_while_tests_run(self):
        counts = []
        self.run_one(lambda test: counts.append(gc.get_freeze_count()))
        self.assertGreater(counts[0], 1000)

    def test_collect_collects_what_was_there_before(self):
        slot = [Before()]
        gone = weakref.ref(slot[0])

        def method(test):
            del slot[:]
            gc.collect()
            test.assertIsNone(gone())
        self.run_one(method)

    def test_collect_imported_by_name(self):
        slot = [Before()]
        gone = weakref.ref(slot[0])
        from gc import collect

        def method(test):
            del slot[:]
            collect()
            test.assertIsNone(gone())
        self.run_one(method)

    def test_collect_with_the_collector_switched_off(self):
        slot = [Before()]
        gone = weakref.ref(slot[0])

        def method(test):
            del slot[:]
            gc.disable()
            try:
                gc.collect()
            finally:
                gc.enable()
            test.assertIsNone(gone())
        self.run_one(method)

    def test_get_objects_lists_what_was_there_before(self):
        before = Before()

        def method(test):
            test.assertTrue(any(each is before for each in gc.get_objects()))
        self.run_one(method)

    def test_get_referrers_finds_what_was_there_before(self):
        holder = [Payload()]

        def method(test):
            test.assertTrue(any(each is holder for each in gc.get_referrers(holder[0])))
        self.run_one(method)

    def test_get_referrers_finds_nothing_that_it_would_not_find_itself(self):
        def within(ask, value):
            yield ask(value)

        def seen_by(ask):
            value = Payload()
            kinds = [type(each).__name__ for each in ask(value)]
            return kinds, [type(each).__name__ for each in next(within(ask, value))]
        usual = seen_by(gc.get_referrers)
        self.run_one(lambda test: test.assertEqual(seen_by(gc.get_referrers), usual))

    def test_frozen_again_after_the_question(self):
        counts = []

        class Tests(unittest.TestCase):
            def test_1(self):
                gc.collect()
                gc.get_objects()
                counts.append(gc.get_freeze_count())

            def test_2(self):
                counts.append(gc.get_freeze_count())
        run(LeakFixTestRunner, Tests)
        self.assertLess(counts[0], 1000)
        self.assertGreater(counts[1], 1000)

    def test_the_collectors_own_full_collections_leave_it_frozen(self):
        def method(test):
            seen = []

            def note(phase, info):
                if phase == "start":
                    seen.append(info["generation"])
            gc.callbacks.append(note)
            try:
                kept = [[] for _ in range(400000)]
            finally:
                gc.callbacks.remove(note)
            if gc.get_threshold()[2]:   # 3.14's first releases made none by themselves
                test.assertIn(2, seen)
            test.assertGreater(gc.get_freeze_count(), 1000)
            del kept
        self.run_one(method)

    def test_everything_is_put_back_after_the_run(self):
        before = gc.get_objects, gc.get_referrers, list(gc.callbacks)
        self.run_one(lambda test: None)
        self.assertEqual((gc.get_objects, gc.get_referrers, list(gc.callbacks)), before)

    def test_our_own_collections_leave_the_callbacks_as_they_were(self):
        def note(phase, info):
            pass
        seen, slot = [], [Before()]
        gone = weakref.ref(slot[0])

        class Tests(unittest.TestCase):
            def test_1(self):
                self.fail("on purpose")     # held by a cycle on 3.12

            def test_2(self):
                seen.append(list(gc.callbacks))
                gc.callbacks.append(note)
                self.fail("on purpose")

            def test_3(self):
                seen.append(list(gc.callbacks))
                gc.callbacks.remove(note)
                self.rows = [Before() for _ in range(10)]
                seen.append([weakref.ref(each) for each in self.rows])

            def test_4(self):
                seen.append([each() for each in seen.pop()])
                seen.append(list(gc.callbacks))
                del slot[:]
                gc.collect()        # the whole heap's answer
                seen.append(gone())
        run(LeakFixTestRunner, Tests)
        first, second, rows, third, found = seen
        self.assertIn(heap._called, first)
        self.assertEqual([second, third], [first + [note], first])
        self.assertEqual((rows, found), ([None] * 10, None))

    def test_a_failing_test_leaves_nothing_of_its_own_in_a_cycle(self):
        class Tests(unittest.TestCase):
            def test_1(self):
                self.name, self.rows = "plain", [1]
                known.append(weakref.ref(self))
                self.fail("on purpose")

            def test_2(self):
                alive.append([each() for each in known])
                self.payload = Payload()
                known.append(weakref.ref(self.payload))
                known.append(weakref.ref(self))
                self.fail("on purpose")

            def test_3(self):
                alive.append([each() for each in known])
                later = [Before() for _ in range(1000)]     # the collector comes: they grow old
                known.append(weakref.ref(later[0]))
                del later
                self.fail("on purpose")

            def test_4(self):
                alive.append([each() for each in known])
        known, alive = [], []
        run(LeakFixTestRunner, Tests)
        self.assertEqual(alive, [[None], [None] * 3, [None] * 4])

    def test_what_a_failing_test_holds_in_a_cycle_of_its_own_goes_with_it(self):
        # On 3.12 the test has to be collected first; what it holds grows old meanwhile.
        class Tests(unittest.TestCase):
            def test_1_attribute(self):
                self.cycle = Before()
                known.append(weakref.ref(self.cycle))
                self.fail("on purpose")

            def test_2(self):
                alive.append([each() for each in known])

            def test_3_inside_another(self):
                self.rows = [object(), {"cycle": Before()}]
                known.append(weakref.ref(self.rows[1]["cycle"]))
                raise ValueError("on purpose")

            def test_4(self):
                alive.append([each() for each in known])

            def test_5_beside_a_resource(self):
                self.file = open(os.devnull)
                self.cycle = Before()
                self.cycle.file = self.file
                known.append(weakref.ref(self.cycle))
                self.skipTest("on purpose")

            def test_6(self):
                alive.append([each() for each in known])
        known, alive = [], []
        run(LeakFixTestRunner, Tests)
        self.assertEqual(alive, [[None], [None] * 2, [None] * 3])

    def test_a_test_that_freezes_and_thaws_itself(self):
        def method(test):
            gc.freeze()
            gc.unfreeze()
            test.assertEqual(gc.get_freeze_count(), 0)
        self.run_one(method)

    def test_debugging_the_collector_keeps_no_garbage(self):
        def method(test):
            test.addCleanup(gc.set_debug, gc.get_debug())
            gc.set_debug(gc.DEBUG_SAVEALL)
            Before()
        length = len(gc.garbage)
        self.run_one(method)
        self.assertEqual(len(gc.garbage), length)


class NothingIsKeptTests(unittest.TestCase):
    """What plain unittest would free is freed."""

    def tearDown(self):
        gc.collect()

    def survivors(self, prepare, count=40):
        """Run *count* tests that prepare(self); return the names of those alive after
        the last, without a collection."""
        seen = []

        def method(test):
            prepare(test)
            seen.append((test._testMethodName, weakref.ref(test)))
        members = dict(("test_%02d" % place, method) for place in range(count))

        def probe(test):
            test.alive = [name for name, ref in seen if ref() is not None]
            alive.extend(test.alive)
        alive = []
        members["test_probe"] = probe
        result = run(LeakFixTestRunner, type("Tests", (unittest.TestCase,), members))
        self.assertTrue(result.wasSuccessful(), result.text)
        self.assertEqual(len(seen), count)
        return alive

    def test_cycle_through_the_instance(self):
        def prepare(test):
            test.cb = test.assertEqual
        self.assertEqual(self.survivors(prepare), [])

    def test_context_of_assert_raises(self):
        def prepare(test):
            test.cm = test.assertRaises(ValueError)
            with test.cm:
                raise ValueError
        self.assertEqual(self.survivors(prepare), [])

    def test_mocks(self):
        from unittest import mock

        def prepare(test):
            test.mock = mock.MagicMock()
            test.mock.method(test)
            test.mock.other.return_value = test
        # Each mock has a class of its own, which refers to it; up to 3.8 the
        # collector does not see the reference from a mock to its class.
        most = 16 if sys.version_info < (3, 9) else 0
        alive = self.survivors(prepare)
        self.assertLessEqual(len(alive), most, alive)

    def test_graph_larger_than_the_limit_of_the_walk(self):
        def prepare(test):
            first = last = Payload()
            for _ in range(5000):
                last.next = Payload()
                last = last.next
            last.next = test
            test.first = first
        alive = self.survivors(prepare)
        # At most this many doubtful tests wait for the whole heap to be looked at.
        self.assertLessEqual(len(alive), 16, alive)

    def test_cycle_in_a_class_with_a_finalizer(self):
        """A finalizer may read what would be taken out: the collector does it."""
        reported = []
        seen = []

        class Tests(unittest.TestCase):
            def __del__(self):
                reported.append(self.payload)

        def method(test):
            test.payload = test._testMethodName
            test.me = test
            seen.append(weakref.ref(test))
        for place in range(40):
            setattr(Tests, "test_%02d" % place, method)
        run(LeakFixTestRunner, Tests)
        self.assertEqual([ref() for ref in seen if ref() is not None], [])
        self.assertEqual(sorted(reported), ["test_%02d" % place for place in range(40)])

    def test_the_collector_came_during_the_test(self):
        """What it saw alive is older now, and what goes afterwards is taken from the count of the
        new."""
        alive, counts = [], []

        def method(test):
            counts.append(sum(each() is not None for each in alive))
            loose = Payload()
            loose.me = loose
            alive.append(weakref.ref(loose))
            many = [[] for _ in range(3 * gc.get_threshold()[0])]
            del loose, many[:]
        members = dict(("test_%d" % place, method) for place in range(6))
        run(LeakFixTestRunner, type("Tests", (unittest.TestCase,), members))
        self.assertEqual(counts, [0] * 6)

    def test_old_garbage_goes_once_the_heap_has_grown_by_a_quarter(self):
        slot = [Before()]
        gone = weakref.ref(slot[0])
        grown = []
        # A quarter of what is here, and of what the tests before this one have left of it.
        each = max(2000, len(gc.get_objects()) // 4 // 30)

        def method(test):
            del slot[:]
            grown.append([[] for _ in range(each)])
        members = dict(("test_%02d" % place, method) for place in range(40))
        members["test_probe"] = lambda test: grown.append(gone())
        run(LeakFixTestRunner, type("Tests", (unittest.TestCase,), members))
        self.assertIsNone(grown[-1])

    def test_kept_tests_that_are_given_back_later_are_freed(self):
        kept, seen = [], []

        def method(test):
            test.me = test
            kept.append(test)
            seen.append(weakref.ref(test))
        members = dict(("test_%02d" % place, method) for place in range(40))
        members["test_probe"] = lambda test: kept.__delitem__(slice(None))
        run(LeakFixTestRunner, type("Tests", (unittest.TestCase,), members))
        gc.collect()
        self.assertEqual([ref() for ref in seen if ref() is not None], [])

    def full_collections(self, number, method):
        """Return how often all was thawed and collected in a run of that many tests."""
        counted, full = [], heap.full
        heap.full = lambda: (counted.append(1), full())
        try:
            members = dict(("test_%04d" % place, method) for place in range(number))
            run(LeakFixTestRunner, type("Tests", (unittest.TestCase,), members))
        finally:
            del heap.full
        return len(counted)

    def test_full_collections_get_rarer_while_all_tests_are_kept(self):
        kept = []
        # At 16, 32, 64 ... tests.
        self.assertLess(self.full_collections(500, lambda test: kept.append(test)), 8)

    def test_full_collections_get_rarer_while_a_part_of_each_test_is_kept(self):
        kept = []

        def method(test):
            test.parts = [test]
            kept.append(test.parts)
        self.assertLess(self.full_collections(500, method), 8)


class ExitTests(unittest.TestCase):
    def test_garbage_of_the_loaded_heap_is_finalised_at_exit(self):
        script = textwrap.dedent("""
            import unittest, unittest_leakfix

            class Held(object):
                def __del__(self):
                    print("finalised")
            held = Held()
            held.me = held

            class Tests(unittest.TestCase):
                def test(self):
                    global held
                    del held
            unittest_leakfix.main()
            """)
        for python in (sys.executable,):
            out = subprocess.Popen([python, "-c", script], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=dict(
                                       os.environ, PYTHONPATH=os.pathsep.join(sys.path)))
            stdout, stderr = out.communicate()
            self.assertEqual((stdout.strip(), out.returncode), (b"finalised", 0), stderr)


if __name__ == "__main__":
    unittest.main()
