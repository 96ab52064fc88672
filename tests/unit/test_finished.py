"""FinishedTest answers what a reporter may ask of a test that ran, and holds nothing."""

from __future__ import absolute_import

import copy
import gc
import pickle
import sys
import unittest
import weakref

from tests.support import finished_samples as samples
from tests.support.finished_samples import Payload, doctests, function, other_function, ran, subtest
from unittest_leakfix.finished_test import finished

TESTS_SUBTESTS = hasattr(unittest.TestCase, "subTest")


class AnswersTest(unittest.TestCase):
    """The texts and names are the original's."""

    def assertSameAnswers(self, stand_in, case):
        for name in ("id", "__str__", "__repr__", "shortDescription", "countTestCases",
                     "__hash__"):
            self.assertEqual(getattr(stand_in, name)(), getattr(case, name)(), name)
        for name in ("__class__", "__module__", "__doc__", "_testMethodName",
                     "_testMethodDoc", "failureException"):
            self.assertEqual(getattr(stand_in, name), getattr(case, name), name)
        self.assertEqual(str(stand_in), str(case))
        self.assertEqual(repr(stand_in), repr(case))
        self.assertEqual("%s.%s" % (stand_in.__class__.__module__, stand_in.__class__.__name__),
                         "%s.%s" % (type(case).__module__, type(case).__name__))
        self.assertTrue(isinstance(stand_in, unittest.TestCase))
        self.assertTrue(isinstance(stand_in, type(case)))

    def test_a_test(self):
        for name in ("test_checkout", "test_refund"):
            case = ran(samples.Orders(name))
            self.assertSameAnswers(finished(case), case)
        self.assertEqual(finished(samples.Orders("test_checkout")).shortDescription(), "Check out.")

    def test_texts_that_need_what_setup_assigned(self):
        case = ran(samples.Named("test_it"))
        stand_in = finished(case)
        self.assertSameAnswers(stand_in, case)
        del case.order
        self.assertEqual([stand_in.id(), str(stand_in), repr(stand_in),
                          stand_in.shortDescription()],
                         ["order-7", "the order 7", "<order 7>", "about the order 7"])

    def test_texts_that_the_instance_has_itself(self):
        for name in ("id", "shortDescription"):
            case = samples.Orders("test_checkout")
            setattr(case, name, lambda: "its own")
            stand_in = finished(ran(case))
            self.assertEqual(getattr(stand_in, name)(), "its own")

    def test_texts_of_a_class_that_is_patched_while_it_runs(self):
        class Patched(unittest.TestCase):
            def test(self):
                pass
        first = finished(ran(Patched("test")))
        Patched.__repr__ = lambda self: "patched"
        Patched.id = lambda self: "patched id"
        second = finished(ran(Patched("test")))
        del Patched.__repr__, Patched.id
        self.assertEqual([repr(second), second.id()], ["patched", "patched id"])
        self.assertEqual([repr(first), first.id()], [repr(Patched("test")), Patched("test").id()])

    def test_no_metaclass_is_asked_for_the_texts(self):
        class Meta(type):
            def __getattribute__(cls, name):
                if wanted is not None and name in ("id", "shortDescription", "countTestCases"):
                    wanted.append(name)
                return type.__getattribute__(cls, name)
        wanted = None
        kind = Meta("Asked", (unittest.TestCase,), {"test": lambda self: None})
        case = ran(kind("test"))
        wanted = []
        stand_in = finished(case)
        self.assertEqual(wanted, [])
        self.assertSameAnswers(stand_in, case)

    def test_function_test_case(self):
        case = unittest.FunctionTestCase(function, description="By function.")
        self.assertSameAnswers(finished(case), case)
        self.assertEqual(finished(case).shortDescription(), "By function.")

    def test_doctest_case(self):
        case = doctests()
        self.assertSameAnswers(finished(case), case)
        self.assertEqual(finished(case).id(), "shop")

    @unittest.skipUnless(TESTS_SUBTESTS, "needs subTest (Python 3.4)")
    def test_subtest(self):
        for case in (subtest("hello", number=3, text="x"), subtest("only"), subtest()):
            stand_in = finished(case)
            self.assertSameAnswers(stand_in, case)
            self.assertEqual(stand_in._subDescription(), case._subDescription())
            self.assertEqual(stand_in._message, case._message)
            self.assertEqual(stand_in.params, case.params)
            self.assertSameAnswers(stand_in.test_case, case.test_case)

    @unittest.skipUnless(TESTS_SUBTESTS, "needs subTest (Python 3.4)")
    def test_parameters_that_are_objects_become_their_text(self):
        class Mute(object):
            def __repr__(self):
                raise RuntimeError("of the user")

        payload = Payload()
        stand_in = finished(subtest(payload=payload, rows=[payload], count=2))
        self.assertEqual(stand_in.params, {"payload": repr(payload),
                                           "rows": repr([payload]), "count": 2})
        self.assertIn("Mute object at", finished(subtest(mute=Mute())).params["mute"])

    def test_everything_of_the_users_raises(self):
        stand_in = finished(samples.Faulty("test_it"))
        name = "tests.support.finished_samples.Faulty.test_it"
        self.assertEqual(
            [stand_in.id(), str(stand_in), repr(stand_in), stand_in.shortDescription(),
             stand_in.countTestCases(), stand_in._testMethodName],
            [name, name, "<%s>" % name, None, 1, "test_it"])
        self.assertEqual(stand_in, finished(samples.Faulty("test_it")))
        self.assertEqual(len({stand_in, finished(samples.Faulty("test_it"))}), 1)

    def test_calling_it_says_what_to_do(self):
        stand_in = finished(samples.Orders("test_refund"))
        for call in (stand_in, stand_in.run, stand_in.debug):
            with self.assertRaises(TypeError) as caught:
                call(unittest.TestResult())
            self.assertEqual(
                str(caught.exception),
                "%s is finished and was let go; to run it again, load it again"
                % samples.Orders("test_refund"))


class EqualityTest(unittest.TestCase):
    """Equal exactly where the originals are, in both directions."""

    def assertAs(self, one, other):
        equal = one == other
        self.assertIs(finished(one) == finished(other), equal)
        self.assertIs(finished(one) == other, equal)
        self.assertIs(one == finished(other), equal)
        self.assertIs(finished(one) != other, not equal)
        self.assertIs(one != finished(other), not equal)
        self.assertIs(hash(finished(one)) == hash(other), hash(one) == hash(other))
        self.assertIs(other in [finished(one)], equal)
        self.assertIs(finished(other) in {one: 1}, equal)
        return equal

    def test_tests(self):
        self.assertTrue(self.assertAs(samples.Orders("test_refund"), samples.Orders("test_refund")))
        self.assertFalse(self.assertAs(samples.Orders("test_refund"),
                                       samples.Orders("test_checkout")))
        self.assertFalse(self.assertAs(samples.OwnFailure("test_it"), samples.Named("test_it")))

    def test_tests_whose_id_changes(self):
        one, other = ran(samples.Named("test_it")), ran(samples.Named("test_it"))
        other.order = 8
        self.assertTrue(self.assertAs(one, other))

    def test_function_test_cases(self):
        case = unittest.FunctionTestCase
        self.assertTrue(self.assertAs(case(function), case(function)))
        self.assertFalse(self.assertAs(case(function), case(other_function)))
        self.assertFalse(self.assertAs(case(function), case(function, setUp=function)))
        self.assertFalse(self.assertAs(case(function), case(function, description="x")))

    def test_doctest_cases(self):
        case = doctests()
        self.assertTrue(self.assertAs(case, case))
        self.assertFalse(self.assertAs(case, doctests("bank")))

    def test_subtests(self):
        if not TESTS_SUBTESTS:
            self.skipTest("needs subTest (Python 3.4)")
        self.assertTrue(self.assertAs(subtest(a=1), subtest(a=1)))

    def test_other_things(self):
        stand_in = finished(samples.Orders("test_refund"))
        for other in (None, 1, "test_refund", Payload(), samples.Orders):
            self.assertFalse(stand_in == other)
            self.assertTrue(stand_in != other)
            self.assertFalse(other == stand_in)


class PickleTest(unittest.TestCase):
    """It travels between processes as its test would."""

    def assertTravels(self, case):
        stand_in = finished(case)
        copies = [pickle.loads(pickle.dumps(stand_in, protocol))
                  for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
        for copied in copies + [copy.copy(stand_in), copy.deepcopy(stand_in)]:
            self.assertIs(type(copied), type(stand_in))
            self.assertEqual(copied, stand_in)
            self.assertEqual(hash(copied), hash(stand_in))
            self.assertEqual(
                [copied.id(), str(copied), repr(copied), copied.shortDescription()],
                [stand_in.id(), str(stand_in), repr(stand_in), stand_in.shortDescription()])
            self.assertIs(copied.__class__, type(case))
        return copies[-1]

    def test_tests(self):
        self.assertTravels(ran(samples.Orders("test_checkout")))
        self.assertTravels(samples.Faulty("test_it"))
        self.assertTravels(samples.OwnFailure("test_it"))
        self.assertTravels(unittest.FunctionTestCase(function))
        self.assertTravels(doctests())

    def test_subtests(self):
        if not TESTS_SUBTESTS:
            self.skipTest("needs subTest (Python 3.4)")
        copied = self.assertTravels(subtest(payload=lambda: 1, number=2))
        self.assertEqual(copied.params["number"], 2)
        self.assertEqual(copied.test_case, finished(samples.Orders("test_checkout")))

    def test_a_class_that_cannot_be_found_by_name(self):
        class Local(unittest.TestCase):
            def test_it(self):
                pass

        for case in (Local("test_it"), finished(Local("test_it"))):
            with self.assertRaises((pickle.PicklingError, AttributeError)):
                pickle.dumps(case, 2)


class SizeTest(unittest.TestCase):
    """It is small and refers to nothing of the test's."""

    def cases(self):
        yield ran(samples.Orders("test_checkout"))
        yield ran(samples.Named("test_it"))
        yield samples.Faulty("test_it")
        yield unittest.FunctionTestCase(lambda payload=Payload(): None)
        yield doctests()
        if TESTS_SUBTESTS:
            yield subtest(payload=Payload())

    def test_nothing_of_the_test_is_alive(self):
        for case in self.cases():
            stand_in = finished(case)
            graph = _reachable(stand_in)
            self.assertNotIn(id(case), graph)
            self.assertEqual([each for each in graph.values()
                              if isinstance(each, Payload)], [], stand_in.id())

    def test_the_test_is_gone(self):
        case = ran(samples.Orders("test_checkout"))
        payload, held = weakref.ref(case.payload), weakref.ref(case)
        stand_in = finished(case)
        del case
        gc.collect()
        self.assertIsNone(held())
        self.assertIsNone(payload())
        self.assertEqual(stand_in._testMethodName, "test_checkout")

    def test_size(self):
        for case in self.cases():
            stand_in = finished(case)
            size = sum(map(sys.getsizeof, _reachable(stand_in).values()))
            self.assertLess(size, 3000, stand_in.id())

    def test_a_long_parameter_is_written_out_once(self):
        if not TESTS_SUBTESTS:
            self.skipTest("needs subTest (Python 3.4)")
        text = "x" * 1000000
        stand_in = finished(subtest(text=text))
        size = sum(map(sys.getsizeof, _reachable(stand_in).values()))
        self.assertLess(size - sys.getsizeof(text), 1010000)


def _reachable(stand_in):
    """Return {id: object} of what *stand_in* alone refers to, classes left out."""
    found, todo = {}, [stand_in]
    while todo:
        each = todo.pop()
        if id(each) not in found and not isinstance(each, type):
            found[id(each)] = each
            todo.extend(gc.get_referents(each))
    return found
