"""LeakFixMixin: after each test, what it gained is closed and dropped."""

from __future__ import absolute_import

import gc
import os
import pickle
import sqlite3
import sys
import threading
import unittest
import warnings
import weakref

import unittest_leakfix
from tests.support.suites import Payload, Resource, outcomes, run_plainly
from unittest_leakfix import ClassLeakFixMixin, LeakFixMixin, LeakFixWarning
from unittest_leakfix._core import ownership
from unittest_leakfix.snapshot import TestSnapshot, snapshots

shared = []


class Case(LeakFixMixin, unittest.TestCase):
    log = None      # set by make()


def make(**members):
    """Make a class with the mixin, and its one instance per test."""
    return type("Tests", (Case,), members)


def _descriptors():
    """Return what this process has open, as the kernel lists it."""
    return sorted(os.readlink("/proc/self/fd/" + name)
                  for name in os.listdir("/proc/self/fd")
                  if os.path.exists("/proc/self/fd/" + name))


def run_one(method, **members):
    """Run *method* as the only test; return (instance, result, log of closings)."""
    log = []
    tests = make(test=method, log=log, **members)
    test = tests("test")
    result = unittest.TestResult()
    test(result)
    return test, result, log


class DropTests(unittest.TestCase):
    def tearDown(self):
        del shared[:]

    def test_gained_attributes_are_dropped(self):
        def method(self):
            self.payload = Payload()
            method.seen = weakref.ref(self.payload)
        test, result, _ = run_one(method)
        self.assertTrue(result.wasSuccessful())
        self.assertIsNone(method.seen())
        self.assertNotIn("payload", vars(test))

    def test_dropped_attribute_says_so(self):
        def method(self):
            self.client = Payload()
        test, _, _ = run_one(method)
        with self.assertRaises(AttributeError) as caught:
            test.client
        self.assertEqual(
            str(caught.exception),
            "'client' was dropped when Tests.test finished; keep it with "
            "leakfix_keep = ('client',)")

    def test_missing_attribute_says_what_python_says(self):
        test, _, _ = run_one(lambda self: None)
        with self.assertRaises(AttributeError) as caught:
            test.clinet
        self.assertEqual(str(caught.exception),
                         "'Tests' object has no attribute 'clinet'")

    def test_what_was_there_before_stays_and_rebound_values_come_back(self):
        class Tests(Case):
            def __init__(self, name):
                super(Tests, self).__init__(name)
                self.first, self.second, self.third = "a", "b", None

            def test(self):
                self.first = "changed"
                del self.second
                self.third = Payload()
        test = Tests("test")
        before = dict(vars(test))
        test(unittest.TestResult())
        after = {name: vars(test)[name] for name in before}
        self.assertEqual(after, before)

    def test_attributes_set_before_the_call_stay(self):
        tests = make(test=lambda self: None)
        test = tests("test")
        test.injected = Payload()
        test(unittest.TestResult())
        self.assertIn("injected", vars(test))

    def test_keep_adds_up_along_the_bases(self):
        class Base(Case):
            leakfix_keep = ("first",)

        class Tests(Base):
            leakfix_keep = ("second",)

            def test(self):
                self.first = self.second = self.third = Payload()
        test = Tests("test")
        test(unittest.TestResult())
        self.assertEqual(sorted(set(vars(test)) & set(["first", "second", "third"])),
                         ["first", "second"])

    def test_slots_mangled_names_and_hostile_attribute_access(self):
        class Slotted(object):
            __slots__ = ()

        class Tests(Case):
            __slots__ = ("slot",)
            hostile = False

            def __setattr__(self, name, value):
                if self.hostile and not name.startswith("_"):
                    raise RuntimeError("set " + name)
                super(Tests, self).__setattr__(name, value)

            def __delattr__(self, name):
                raise RuntimeError("delete " + name)

            def test(self):
                self.slot = Payload()
                self.__mangled = Payload()
                Tests.seen = [weakref.ref(self.slot), weakref.ref(self.__mangled)]
                Tests.hostile = True
        test = Tests("test")
        result = unittest.TestResult()
        test(result)
        self.assertEqual([ref() for ref in Tests.seen], [None, None])
        self.assertEqual(result.errors, [])

    def test_every_outcome_drops(self):
        seen = []

        class Tests(Case):
            def setUp(self):
                self.payload = Payload(self.id().rsplit(".", 1)[1])
                seen.append((self.payload.name, weakref.ref(self.payload)))

            def test_pass(self):
                pass

            def test_fail(self):
                self.fail()

            def test_error(self):
                raise ValueError

            def test_skip(self):
                self.skipTest("")

            @unittest.expectedFailure
            def test_expected(self):
                self.fail()

            @unittest.expectedFailure
            def test_unexpected(self):
                pass

            def test_cycle(self):
                self.me = self
                self.bound = self.test_pass
        result = run_plainly(Tests)
        self.assertEqual([name for name, ref in seen if ref() is not None], [])
        self.assertEqual(len(seen), 7)
        self.assertEqual(outcomes(result), {
            "errors": ["test_error"], "failures": ["test_fail"],
            "skipped": ["test_skip"], "expectedFailures": ["test_expected"]})

    def test_runs_twice(self):
        seen = []

        class Tests(Case):
            def test(self):
                assert not hasattr(self, "payload")
                self.payload = Payload()
                seen.append(weakref.ref(self.payload))
        test = Tests("test")
        for _ in range(2):
            result = unittest.TestResult()
            test(result)
            self.assertTrue(result.wasSuccessful(), result.errors)
        self.assertEqual([ref() for ref in seen], [None, None])

    def test_a_retry_inside_run_drops_at_the_end_only(self):
        class Tests(Case):
            tries = []

            def run(self, result=None):
                for _ in range(2):
                    super(Tests, self).run(result)
                    self.tries.append("kept" in vars(self))

            def test(self):
                self.kept = Payload()
        test = Tests("test")
        test(unittest.TestResult())
        self.assertEqual(Tests.tries, [True, True])
        self.assertNotIn("kept", vars(test))

    def test_run_called_directly(self):
        def method(self):
            self.payload = Payload()
        tests = make(test=method)
        test = tests("test")
        test.run(unittest.TestResult())
        self.assertNotIn("payload", vars(test))

    def test_debug_leaves_everything_for_a_look(self):
        def method(self):
            self.payload = Payload()
            self.fail("look")
        test = make(test=method)("test")
        self.assertRaises(AssertionError, test.debug)
        self.assertIn("payload", vars(test))

    def test_instance_with_a_teardown_of_its_own_keeps_all(self):
        """pytest --pdb postpones the tearDown in this way."""
        def method(self):
            self.payload = Payload()
        test = make(test=method)("test")
        test.tearDown = lambda: None
        test(unittest.TestResult())
        self.assertIn("payload", vars(test))

    def test_interrupt_passes_and_drops(self):
        def method(self):
            self.payload = Payload()
            raise KeyboardInterrupt
        test = make(test=method)("test")
        self.assertRaises(KeyboardInterrupt, test, unittest.TestResult())
        self.assertNotIn("payload", vars(test))

    def test_result_of_run_is_passed_through(self):
        plain = type("Plain", (unittest.TestCase,), {"test": lambda self: None})
        mixed = make(test=lambda self: None)
        result = unittest.TestResult()
        self.assertEqual(mixed("test").run(result) is result,
                         plain("test").run(result) is result)

    def test_id_that_reads_a_dropped_attribute_can_still_be_reported(self):
        class Tests(Case):
            def setUp(self):
                self.tenant = "acme"
                self.payload = Payload()

            def __str__(self):
                return "test of %s" % self.tenant

            def test(self):
                self.fail("so that it is reported")
        result = run_plainly(Tests)
        self.assertIn("FAIL: test of acme", result.text)
        self.assertNotIn("payload", vars(result.failures[0][0]))

    def test_pickles_while_it_runs_and_after(self):
        class Holder(object):
            pass
        PickledTests.pickled = []
        test = PickledTests("test")
        test(unittest.TestResult())
        PickledTests.pickled.append(pickle.dumps(test))
        self.assertEqual([type(pickle.loads(each)) for each in PickledTests.pickled],
                         [PickledTests, PickledTests])


class PickledTests(LeakFixMixin, unittest.TestCase):
    pickled = None

    def test(self):
        if self.pickled is not None:
            outcome, self._outcome = getattr(self, "_outcome", None), None
            done, self._resultForDoCleanups = getattr(
                self, "_resultForDoCleanups", None), None
            self.pickled.append(pickle.dumps(self))
            self._outcome, self._resultForDoCleanups = outcome, done


class CloseTests(unittest.TestCase):
    def tearDown(self):
        del shared[:]

    def test_owned_resources_are_closed_last_assigned_first(self):
        def method(self):
            self.connection = Resource("connection", self.log)
            self.session = Resource("session", self.log)
            self.session.connection = self.connection
            self.cursor = Resource("cursor", self.log)
            self.cursor.session = self.session
        _, result, log = run_one(method)
        self.assertEqual(log, ["cursor", "session", "connection"])
        self.assertTrue(result.wasSuccessful())

    def test_sqlite_connection_is_closed(self):
        """Its own statement cache refers to it on 3.11+; it is owned all the same."""
        opened = _descriptors()

        def method(self):
            self.db = sqlite3.connect(__file__)
        gc.disable()
        try:
            for _ in range(5):
                run_one(method)
            self.assertEqual(_descriptors(), opened)
        finally:
            gc.enable()

    def test_shared_resource_is_dropped_but_not_closed(self):
        def method(self):
            self.ours = shared[0]
            self.out = sys.stdout
        shared.append(Resource("shared", []))
        test, _, _ = run_one(method)
        self.assertFalse(shared[0].closed)
        self.assertFalse(sys.stdout.closed)
        self.assertNotIn("ours", vars(test))

    def test_resource_that_was_there_before_is_not_closed(self):
        log = []
        test = make(test=lambda self: setattr(self, "again", self.given), log=log)("test")
        test.given = Resource("given", log)
        test(unittest.TestResult())
        self.assertEqual(log, [])

    def test_resources_in_containers_are_closed(self):
        def method(self):
            self.pool = [Resource("first", self.log),
                         {"key": (Resource("second", self.log),)}]
        _, _, log = run_one(method)
        self.assertEqual(log, ["second", "first"])

    def test_same_object_under_two_names_is_closed_once(self):
        def method(self):
            self.one = self.two = Resource("it", self.log)
        _, _, log = run_one(method)
        self.assertEqual(log, ["it"])

    def test_closed_by_the_test_is_not_closed_again(self):
        def method(self):
            self.one = Resource("it", self.log)
            self.one.close()
        _, _, log = run_one(method)
        self.assertEqual(log, ["it"])

    def test_closed_after_the_tests_own_cleanups(self):
        def method(self):
            self.one = Resource("one", self.log)
            self.addCleanup(lambda: self.log.append("cleanup"))
        _, _, log = run_one(
            method, tearDown=lambda self: self.log.append("tearDown"))
        self.assertEqual(log, ["tearDown", "cleanup", "one"])

    def test_cleanups_called_half_way_do_not_close(self):
        def method(self):
            self.one = Resource("one", self.log)
            self.doCleanups()
            self.log.append("still open" if not self.one.closed else "closed too early")
        _, result, log = run_one(method)
        self.assertEqual(log, ["still open", "one"])
        self.assertTrue(result.wasSuccessful())

    def test_close_that_raises_is_one_error_for_each_object(self):
        def method(self):
            self.first = Resource("first", self.log, ValueError("first boom"))
            self.second = Resource("second", self.log)
            self.third = Resource("third", self.log, ValueError("third boom"))
        _, result, log = run_one(method)
        order = ["third", "second", "first"]
        if sys.version_info < (3, 6):       # a __dict__ has no order there
            order = log
        self.assertEqual(log, order)
        self.assertEqual(len(result.errors), 2)
        raised = [name for name in order if name != "second"]
        for (_, text), name in zip(result.errors, raised):
            self.assertIn(
                "closing self.%s (Resource) raised ValueError: %s boom. Close it in "
                "your own code, or leave it open with leakfix_keep = (%r,)"
                % (name, name, name), text)

    def test_close_that_raises_comes_beside_the_tests_own_failure(self):
        def method(self):
            self.one = Resource("one", self.log, ValueError("boom"))
            self.fail("own")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _, result, _ = run_one(method)
        self.assertEqual(len(result.failures), 1)
        # To 3.10 the failure's traceback shares the frame's locals, but self.one is
        # an attribute, so it is closed within the test on every version.
        self.assertEqual(len(result.errors), 1)
        self.assertEqual([each for each in caught
                          if issubclass(each.category, LeakFixWarning)], [])

    def test_local_of_a_failing_test_is_closed_after_it(self):
        def method(self):
            local = self.one = Resource("one", self.log)
            self.fail("with " + local.name)
        _, result, log = run_one(method)
        self.assertEqual(log, ["one"])
        self.assertEqual((len(result.failures), len(result.errors)), (1, 0))

    def test_error_seen_only_after_the_test_is_a_warning(self):
        def method(self):
            local = self.one = Resource("one", self.log, ValueError("boom"))
            self.fail("with " + local.name)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _, result, log = run_one(method)
        self.assertEqual(log, ["one"])
        reported = [str(each.message) for each in caught
                if issubclass(each.category, LeakFixWarning)]
        self.assertEqual(len(reported) + len(result.errors), 1)
        for text in reported:
            self.assertEqual(
                text, "Tests.test is finished, but closing self.one (Resource) raised "
                "ValueError: boom. Close it in your own code, or leave it open with "
                "leakfix_keep = ('one',)")

    def test_keep_is_neither_closed_nor_dropped(self):
        def method(self):
            self.one = Resource("one", self.log)
        test, _, log = run_one(method, leakfix_keep=("one",))
        self.assertEqual(log, [])
        self.assertFalse(test.one.closed)

    def test_declared_names_are_closed_though_shared_or_unknown(self):
        class Ticket(object):
            closed = False

            def close(self):
                self.closed = True

        def method(self):
            self.ticket = shared[1]
            self.ours = shared[0]
        shared.extend([Resource("shared", []), Ticket()])
        run_one(method, leakfix_close=("ours", "ticket"))
        self.assertEqual([each.closed for each in shared], [True, True])

    def test_domain_object_with_a_close_is_left_alone(self):
        class Ticket(object):
            closed = False

            def close(self):
                Ticket.closed = True

        def method(self):
            self.ticket = Ticket()
        run_one(method)
        self.assertFalse(Ticket.closed)

    def test_registered_resource_is_closed(self):
        class Lease(object):
            log = []

            def give_back(self):
                self.log.append("given back")
        unittest_leakfix.register_resource(Lease, close="give_back")

        def method(self):
            self.lease = Lease()
        run_one(method)
        self.assertEqual(Lease.log, ["given back"])

    def test_what_a_thread_still_uses_is_shared(self):
        end, begun = threading.Event(), threading.Event()

        def work(resource):
            begun.set()
            end.wait()

        def method(self):
            self.one = Resource("one", self.log)
            thread = threading.Thread(target=work, args=(self.one,))
            thread.start()
            begun.wait()
            method.thread = thread
        try:
            _, _, log = run_one(method)
            self.assertEqual(log, [])
        finally:
            end.set()
            method.thread.join()

    def test_interrupt_in_a_close_passes(self):
        def method(self):
            self.one = Resource("one", self.log, KeyboardInterrupt())
        test = make(test=method, log=[])("test")
        self.assertRaises(KeyboardInterrupt, test, unittest.TestResult())

    def test_system_exit_in_a_close_is_an_error_of_the_test_as_in_a_cleanup(self):
        def method(self):
            self.one = Resource("one", self.log)
            self.two = Resource("two", self.log, SystemExit(3))
        _, result, log = run_one(method)
        self.assertEqual(sorted(log), ["one", "two"])
        self.assertEqual(len(result.errors), 1)
        self.assertIn("SystemExit", result.errors[0][1])

    def test_a_cleanup_that_a_close_adds_is_run(self):
        def method(self):
            self.one = Resource("one", self.log)
            test, close = self, self.one.close
            self.one.close = lambda: (close(), test.addCleanup(test.log.append, "cleanup"))
        self.assertEqual(run_one(method)[2], ["one", "cleanup"])

    @unittest.skipIf(sys.version_info < (3, 4), "only functions are expected to fail there")
    def test_what_a_base_expects_to_fail_is_expected(self):
        def test(self):
            self.fail()

        @unittest.expectedFailure
        class Base(unittest.TestCase):
            pass

        class Answers(unittest.TestCase):
            def __getattr__(self, name):
                if name == "__unittest_expecting_failure__":
                    return True
                raise AttributeError(name)
        for base in (Base, Answers):
            result = unittest.TestResult()
            type("Tests", (LeakFixMixin, base), {"test": test})("test")(result)
            self.assertEqual([len(result.expectedFailures), len(result.failures)], [1, 0], base)
        later = type("Tests", (LeakFixMixin, unittest.TestCase), {"test": test})
        for failures in (1, 0):
            result = unittest.TestResult()
            later("test")(result)
            self.assertEqual(len(result.failures), failures)
            unittest.expectedFailure(later)
        self.assertIs(LeakFixMixin.__unittest_expecting_failure__, False)

    def test_what_dir_lists_can_be_read(self):
        """As by nose2 on the class, and by a debugger on an instance."""
        class Answers(unittest.TestCase):
            def __getattr__(self, name):
                if name == "__unittest_expecting_failure__":
                    return False
                raise AttributeError(name)
        looked = [LeakFixMixin, ClassLeakFixMixin]
        for base in (unittest.TestCase, Answers):
            for mixins in ((LeakFixMixin,), (ClassLeakFixMixin,),
                           (LeakFixMixin, ClassLeakFixMixin)):
                tests = type("Tests", mixins + (base,), {"test": lambda self: None})
                looked += [tests, tests("test"), type("More", (tests,), {})]
        unreadable = [(one, name) for one in looked for name in dir(one)
                      if not hasattr(one, name)]
        self.assertEqual(unreadable, [])

    def test_setup_that_fails_half_way(self):
        def half(self):
            self.one = Resource("one", self.log)
            raise ValueError
        test, result, log = run_one(lambda self: None, setUp=half)
        self.assertEqual(log, ["one"])
        self.assertEqual(len(result.errors), 1)
        self.assertNotIn("one", vars(test))


class MisuseTests(unittest.TestCase):
    def test_mixin_behind_the_testcase(self):
        with self.assertRaises(TypeError) as caught:
            type("OrderTests", (unittest.TestCase, LeakFixMixin), {})()
        self.assertEqual(
            str(caught.exception),
            "LeakFixMixin must stand before the TestCase, or it is never called: "
            "class OrderTests(LeakFixMixin, TestCase)")

    def test_names_as_a_plain_string(self):
        for name in ("leakfix_keep", "leakfix_close"):
            with self.assertRaises(TypeError) as caught:
                type("OrderTests", (LeakFixMixin, unittest.TestCase),
                     {name: "client", "runTest": lambda self: None})()
            self.assertEqual(
                str(caught.exception),
                "OrderTests.%s = 'client' is a string; write a tuple of names: "
                "%s = ('client',)" % (name, name))

    def test_mixin_of_mixins(self):
        class Base(LeakFixMixin):
            def setUp(self):
                self.payload = Payload()

        class Tests(Base, unittest.TestCase):
            def test(self):
                pass
        test = Tests("test")
        test(unittest.TestResult())
        self.assertNotIn("payload", vars(test))


class LookTests(unittest.TestCase):
    """What the mixin looks at, and what it remembers of classes."""

    def looked_at(self, method, result, **members):
        """Run *method* and return the types of all that was walked through."""
        seen = []
        real = ownership._getrefcount

        def noting(value):
            seen.append(type(value))
            return real(value)
        tests = make(test=method, **members)
        test = tests("test")
        ownership._getrefcount = noting
        try:
            test(result)
        finally:
            ownership._getrefcount = real
        return set(seen)

    def setUp(self):
        if not ownership.COUNTED:
            self.skipTest("needs reference counts")

    def test_nothing_of_unittests_own_is_walked_through(self):
        def method(self):
            self.db = sqlite3.connect(":memory:")
        result = unittest.TestResult()
        seen = self.looked_at(method, result)
        self.assertIn(sqlite3.Connection, seen)
        self.assertEqual([kind for kind in seen if kind.__module__.startswith("unittest")], [])

    def test_a_result_of_any_class_is_not_walked_through(self):
        class Foreign(object):      # as pytest's and trial's, which are not a TestResult
            shouldStop = False

            def __getattr__(self, name):
                return lambda *args, **kwds: None

        def method(self):
            self.db = sqlite3.connect(":memory:")
            self.report = result.addError
        result = Foreign()
        result.everything = [Payload()]
        seen = self.looked_at(method, result)
        self.assertIn(sqlite3.Connection, seen)
        self.assertNotIn(Foreign, seen)
        self.assertNotIn(Payload, seen)

    def test_a_test_that_fails_does_not_lead_to_the_result(self):
        class Result(unittest.TestResult):
            pass

        def method(self):
            self.db = sqlite3.connect(":memory:")
            try:
                self.fail()
            except AssertionError as error:
                self.error = error
                raise
        seen = self.looked_at(method, Result())
        self.assertIn(sqlite3.Connection, seen)
        self.assertNotIn(Result, seen)

    def test_what_a_base_declares_later_counts(self):
        class Base(unittest.TestCase):
            pass

        class Tests(LeakFixMixin, Base):
            def test(self):
                self.payload, self.other = Payload(), Payload()
        self.assertNotIn("payload", self.after(Tests))
        Base.leakfix_keep = ("payload",)
        self.assertIn("payload", self.after(Tests))
        Tests.leakfix_keep = ("other",)
        self.assertIn("payload", self.after(Tests))
        self.assertIn("other", self.after(Tests))
        del Base.leakfix_keep
        self.assertNotIn("payload", self.after(Tests))
        self.assertIn("other", self.after(Tests))

    def test_bases_that_are_changed_count(self):
        class Base(unittest.TestCase):
            pass

        class Other(unittest.TestCase):
            leakfix_keep = ("payload",)

        class Tests(LeakFixMixin, Base):
            def test(self):
                self.payload = Payload()
        self.assertNotIn("payload", self.after(Tests))
        Tests.__bases__ = (LeakFixMixin, Other)
        self.assertIn("payload", self.after(Tests))

    def test_what_the_mixin_itself_is_given_counts(self):
        class Tests(LeakFixMixin, unittest.TestCase):
            def test(self):
                self.payload = Payload()
        self.addCleanup(setattr, LeakFixMixin, "leakfix_keep", LeakFixMixin.leakfix_keep)
        LeakFixMixin.leakfix_keep = ("payload",)
        self.assertIn("payload", self.after(Tests))

    def test_a_getattr_that_a_base_gains_later_is_asked(self):
        class Base(unittest.TestCase):
            pass

        class Tests(LeakFixMixin, Base):
            def test(self):
                Tests.seen.append(self.anything)
        Tests.seen = []
        Base.__getattr__ = lambda self, name: (
            name if name == "anything" else object.__getattribute__(self, name))
        self.after(Tests)
        self.assertEqual(Tests.seen, ["anything"])

    def test_a_class_that_ran_is_not_kept_alive(self):
        class Tests(LeakFixMixin, unittest.TestCase):
            def test(self):
                self.payload = Payload()
        self.after(Tests)
        left = weakref.ref(Tests)
        del Tests
        gc.collect()
        self.assertIsNone(left())

    def test_a_copy_of_a_class_has_declarations_of_its_own(self):
        class Tests(LeakFixMixin, unittest.TestCase):
            def test(self):
                self.payload = Payload()
        members = dict(vars(Tests), leakfix_keep=("payload",))
        for name in ("__dict__", "__weakref__"):
            members.pop(name, None)
        copy = type("Copy", (LeakFixMixin, unittest.TestCase), members)
        self.assertIn("payload", self.after(copy))
        self.assertNotIn("payload", self.after(Tests))

    def test_a_dict_that_the_test_clears_or_replaces(self):
        def clear(self):
            values = list(self.__dict__.items())
            self.__dict__.clear()
            self.__dict__.update(reversed(values))
            self.payload = Payload()

        def replace(self):
            self.__dict__ = dict(self.__dict__)
            self.payload = Payload()
        for method in (clear, replace):
            test, result, _ = run_one(method)
            self.assertEqual(result.errors, [])
            self.assertNotIn("payload", vars(test))

    def test_a_fault_of_ours_leaves_no_number_behind(self):
        """A later test may have the id: it would be taken for one that runs already."""
        def fails(self, *args):
            raise MemoryError()
        for name in ("enter", "end"):
            self.addCleanup(setattr, TestSnapshot, name, vars(TestSnapshot)[name])
            setattr(TestSnapshot, name, fails)
            test = make(test=lambda self: None)("test")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    test(unittest.TestResult())
                except MemoryError:
                    pass
            self.assertNotIn(id(test), snapshots)

    def test_a_description_that_the_test_gave_itself_stays(self):
        def method(self):
            self._testMethodDoc = "Said by the test."
        test, _, _ = run_one(method)
        self.assertEqual(test.shortDescription(), "Said by the test.")

    def after(self, tests):
        """Run the test of the class; return what its instance has afterwards."""
        test = tests("test")
        test(unittest.TestResult())
        return vars(test)


if __name__ == "__main__":
    unittest.main()
