"""Runs a case in a column and lists, by name, what outlived its test.

The columns: ``stock`` is plain unittest; ``runner`` has our runner, suite or result in
the place of unittest's; ``mixin`` has our mixins under stock unittest; ``both``.

The collector is off. A probe among the tests looks after the third, and again after the
sixth: first as things are, then after ``gc.collect()``.
"""

from __future__ import absolute_import

import collections
import gc
import os
import sys
import types
import unittest
import warnings
import weakref

import unittest_leakfix
from tests.retention.left import (  # noqa: F401, the cases take them from here
    ALL,
    FREE,
    KEPT,
    LIGHT,
    LIGHT_PAYLOAD_UNTIL_GC,
    LIGHT_UNTIL_GC,
    PAYLOAD,
    PAYLOAD_UNTIL_GC,
    UNTIL_GC,
    Left,
    left,
    since,
)

COLUMNS = ("stock", "runner", "mixin", "both")
Case = collections.namedtuple("Case", "theme name build expected needs")
CASES = collections.OrderedDict()


def case(stock=FREE, runner=FREE, mixin=FREE, both=None, needs=(2, 7)):
    """Register the decorated function as the case of its name.

    It is called with a `Kit` and returns a test class, a pair of classes (three tests
    each), a suite, or None when it has run its tests by itself. What each column leaves
    is a `Left`; *both* is as *runner* unless given. *needs*: the first Python.
    """
    def register(build):
        expected = dict(zip(COLUMNS, (stock, runner, mixin, runner if both is None else both)))
        CASES[build.__name__] = Case(build.__module__.rpartition(".")[2], build.__name__,
                                     build, expected, needs)
        return build
    return register


class Payload(object):
    """What a test takes: its name is the test's, or the one given."""

    def __init__(self, owner, suffix=""):
        name = owner if isinstance(owner, str) else owner._testMethodName
        self.name = name + suffix
        Kit.current.payloads.append((self.name, weakref.ref(self)))

    def __repr__(self):
        return "<payload>"

    def close(self):
        """Never called: it is not a resource."""
        raise AssertionError("a payload was closed")


class Probe(unittest.TestCase):
    """The tests that look."""

    def middle(self):
        Kit.current.look(middle=True)

    def end(self):
        Kit.current.look()


class Stream(object):
    """Takes what runners print, and forgets it."""

    def write(self, text):
        pass

    def flush(self):
        pass


class Kit(object):
    """What a case is built with, and the book of what its tests took."""

    current = None

    def __init__(self, column):
        self.ours = column in ("runner", "both")
        self.mixed = column in ("mixin", "both")
        self.payloads, self.instances, self.descriptors = [], [], []
        self.middle = self.left = None
        self.keep = []          # what somebody else, outside of the tests, refers to
        self.undoing = []
        self.base = self.mix(unittest.TestCase)
        theirs, ours = unittest, unittest_leakfix
        self.Suite = ours.LeakFixTestSuite if self.ours else theirs.TestSuite
        self.Result = ours.LeakFixTestResult if self.ours else theirs.TestResult
        self.TextResult = ours.LeakFixTextTestResult if self.ours else theirs.TextTestResult
        self.Runner = ours.LeakFixTestRunner if self.ours else theirs.TextTestRunner
        self.main = ours.main if self.ours else theirs.main

    def mix(self, base):
        """Return *base* with our mixins on top, in the columns that have them."""
        if not self.mixed:
            return base
        return type("Mixed", (unittest_leakfix.LeakFixMixin,
                              unittest_leakfix.ClassLeakFixMixin, base), {})

    def watch(self, name, instance):
        """Note *instance*, by name, and return it."""
        self.instances.append((name, weakref.ref(instance)))
        return instance

    def tests(self, *classes):
        """Return the six instances: of one class, or three each of two."""
        share = 6 // len(classes)
        self.keep.extend(classes)
        made = []
        for place, name in enumerate(ALL):
            cls = classes[place // share]
            setattr(cls, name, find(cls, "test"))
            made.append(self.watch(name, cls(name)))
        return made

    def plan(self, *classes, **options):
        """Return a suite of suites: three tests, a probe, three tests, the last probe.

        ``flat=True``: one suite. ``Inner``: the class of the inner ones.
        """
        tests = self.tests(*classes)
        if options.get("flat"):
            return unittest.TestSuite(
                tests[:3] + [Probe("middle")] + tests[3:] + [Probe("end")])
        Inner = options.get("Inner", unittest.TestSuite)
        return unittest.TestSuite([Inner(tests[:3]), Probe("middle"),
                                   Inner(tests[3:]), Probe("end")])

    def halves(self, Tests):
        """Return two subclasses, ``First`` and ``Second``."""
        return type("First", (Tests,), {}), type("Second", (Tests,), {})

    def run(self, suite, **options):
        """Run *suite* with the runner of this column, and return the result."""
        if sys.version_info >= (3,):
            options.setdefault("warnings", "ignore")
        options.setdefault("verbosity", 0)
        result = self.Runner(stream=Stream(), **options).run(suite)
        self.keep.append(result)
        return result

    def undo(self, function, *args):
        """Have *function* called when the case is over."""
        self.undoing.append((function, args))

    def module(self, name, *classes):
        """Return a new module *name* of which *classes* are, as unittest sees it."""
        module = types.ModuleType(name)
        sys.modules[name] = module
        self.undo(sys.modules.pop, name)
        for cls in classes:
            cls.__module__ = name
        return module

    def descriptor(self, test, *numbers):
        """Note that *test* opened the descriptors *numbers*."""
        for number in numbers:
            self.descriptors.append((test._testMethodName, _link(number)))

    def look(self, middle=False):
        """Note who is alive; at the end, collect and look once more."""
        if middle:
            self.middle = _finished(_alive(self.payloads))
            return
        seen = [_alive(self.payloads), _alive(self.instances), self._open()]
        gc.collect()
        gc.collect()
        after = [_alive(self.payloads), _alive(self.instances), self._open()]
        middle = None if self.middle in (None, _finished(seen[0])) else self.middle
        self.left = Left(*([each for pair in zip(seen, after) for each in pair] + [middle]))

    def _open(self):
        if not self.descriptors:
            return ()
        links = set(_link(number) for number in os.listdir("/proc/self/fd"))
        return _unique(name for name, link in self.descriptors if link in links)


def _link(number):
    try:
        return os.readlink("/proc/self/fd/%s" % number)
    except OSError:
        return None


def _alive(book):
    return _unique(name for name, reference in book if reference() is not None)


def _finished(names):
    """Return those of *names* that were finished by the middle probe."""
    return tuple(name for name in names if name.split(".")[0] in ALL[:3] + ("First",))


def _unique(names):
    return tuple(sorted(set(names)))


def find(cls, name):
    """Return what stands under *name* in *cls* or a base, unbound."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]


def perform(case, column, collector=False):
    """Run *case* in *column* and return what it `Left`. *collector*: leave it on."""
    kit = Kit.current = Kit(column)
    was, error = gc.isenabled(), sys.stderr
    if hasattr(gc, "freeze"):
        gc.freeze()     # what is there now costs the probe's collections nothing
    if not collector:
        gc.disable()
    sys.stderr = Stream()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _build_and_run(case, kit)
            if kit.left is None:
                kit.look()
    finally:
        sys.stderr = error
        for function, args in kit.undoing:
            function(*args)
        if was:
            gc.enable()
        Kit.current = None
        if hasattr(gc, "unfreeze"):
            gc.unfreeze()
    return kit.left


def _build_and_run(case, kit):
    built = case.build(kit)
    if isinstance(built, type):
        built = kit.plan(built)
    elif isinstance(built, tuple):
        built = kit.plan(*built)
    if built is not None:
        kit.run(built)
