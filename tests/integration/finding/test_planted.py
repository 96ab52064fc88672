"""Random graphs of objects with planted leaks: each is named by an expression that gives it, and
nothing else is reported."""
from __future__ import annotations

import collections
import functools
import gc
import os
import sys
import types
import unittest
from unittest import mock

from tests.tiers import NIGHTLY, VARIABLE
from unittest_leakfix.leaks import listening
from unittest_leakfix.leaks.detector import LeakDetector
from unittest_leakfix.leaks.governor import Governor
from unittest_leakfix.options import Options
from unittest_leakfix.suite import Run

try:
    import hypothesis
    from hypothesis import strategies
except ImportError:
    raise unittest.SkipTest("needs hypothesis")

EXAMPLES = 100 if os.environ.get(VARIABLE) == NIGHTLY else 6
APPLICATION, TESTS = "planted_application", "planted_tests"


class Order:
    """Of the tests' own module: one that is left is a leak."""


class Part:
    """Of the application."""

    def take(self, *args):
        pass


class Slotted:
    __slots__ = ("part", "__weakref__")


Order.__module__ = TESTS
Part.__module__ = Slotted.__module__ = APPLICATION


# What refers to an object: each gives a new holder of the one that it is given.

def attribute(held):
    part = Part()
    part.held = held
    return part


def slot(held):
    slotted = Slotted()
    slotted.part = held
    return slotted


def cell(held):
    def function():
        return held
    return function


def default(held):
    def function(value=held):
        return value
    return function


def keyword_default(held):
    def function(*, value=held):
        return value
    return function


def on_function(held):
    def function():
        pass
    function.held = held
    return function


def method(held):
    part = Part()
    part.held = held
    return part.take


def of_class(held):
    return type("Shelf", (), {"held": held, "__module__": APPLICATION})


def cached(held):
    @functools.lru_cache(maxsize=None)
    def function(number):
        return held
    function(1)
    return function


def cycle(held):
    parts = [held]
    parts.append(parts)
    return parts


HOLDERS = {
    "list": lambda held: [1, held], "tuple": lambda held: (held, 2),
    "dict value": lambda held: {"key": held, "other": None}, "dict key": lambda held: {
        held if type(held).__hash__ is not None else Part(): [held]},
    "deque": lambda held: collections.deque([held]),
    "ordered dict": lambda held: collections.OrderedDict(key=held),
    "set": lambda held: {held} if type(held) in (Order, Part) else [held],
    "partial": lambda held: functools.partial(print, held),
    "namespace": lambda held: types.SimpleNamespace(held=held),
    "attribute": attribute, "slot": slot, "cell": cell, "default": default,
    "keyword default": keyword_default, "on function": on_function, "method": method,
    "class": of_class, "cache": cached, "cycle": cycle,
}
PLANS = strategies.lists(
    strategies.tuples(strategies.sampled_from(["leak", "kept", "dropped", "garbage"]),
                      strategies.lists(strategies.sampled_from(sorted(HOLDERS)), max_size=4)),
    min_size=1, max_size=6)


def letters(number):
    return "shelf_" + "abcdefgh"[number]


def body(number, plan, planted):
    """Return a test method that does as *plan* says; *planted* gets what it leaves, by id."""
    kind, holders = plan

    def test(self):
        value = self if kind == "kept" else Order()
        held = functools.reduce(lambda inner, name: HOLDERS[name](inner), holders, value)
        if kind == "garbage":
            value.itself = held
            return
        application = sys.modules[APPLICATION]
        setattr(application, letters(number), held)
        if kind == "dropped":
            self.addCleanup(delattr, application, letters(number))
        else:
            planted[self.id()] = id(value)
    return test


class Unhurried(LeakDetector):
    """For which no time passes: in the process of a large suite, where a look at the heap takes
    long, it gives up no search and leaves out no look, which the report would say."""

    def __init__(self, options):
        with mock.patch.object(listening, "Governor", lambda: Governor(lambda: 0.0)):
            super().__init__(options)


class PlantedTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        for name in (APPLICATION, TESTS):
            module = sys.modules[name] = types.ModuleType(name)
            self.addCleanup(sys.modules.pop, name)
            module.__file__ = "/shop/%s.py" % name
        sys.modules[TESTS].Order = Order
        sys.modules[APPLICATION].Part, sys.modules[APPLICATION].Slotted = Part, Slotted

    def run_planted(self, plans):
        """Run a test for each plan; return the leaks, and what was planted by test."""
        planted = {}
        case = type("Planted", (unittest.TestCase,), {
            "test_" + letters(number): body(number, plan, planted)
            for number, plan in enumerate(plans)})
        case.__module__, case.__qualname__ = TESTS, "Planted"
        sys.modules[TESTS].Planted = case
        detector = Unhurried(Options(leaks="report"))
        detector.start()
        try:
            result = unittest.TestResult()
            Run(result, watcher=detector).all(
                unittest.defaultTestLoader.loadTestsFromTestCase(case))
        finally:
            detector.stop()
        self.assertTrue(result.wasSuccessful(), result.errors)
        return detector.findings(), planted

    @hypothesis.settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
                         suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(PLANS)
    def test_each_planted_leak_and_nothing_else(self, plans):
        application = vars(sys.modules[APPLICATION])
        before = set(application)
        try:
            findings, planted = self.run_planted(plans)
            self.assertEqual((), findings.unmeasured)
            self.assertEqual(sorted(planted), sorted(
                test for leak in findings.leaks for test in leak.tests))
            for leak in findings.leaks:
                self.assertTrue(leak.chain.evaluates, leak.chain)
                space = {name: sys.modules[name] for name in (
                    APPLICATION, TESTS, "gc", "sys", "collections", "functools")}
                self.assertEqual(planted[leak.tests[0]], id(eval(
                    leak.chain.expression, space)), leak.chain)
        finally:
            for name in set(application) - before:
                del application[name]
            gc.collect()


if __name__ == "__main__":
    unittest.main()
