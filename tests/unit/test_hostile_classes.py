"""Classes without a hash, metaclasses and values that raise: neither the verdict nor the closing
suffers.

Each kind of `hostile` in each way in. What plain unittest does with it is the right value; nothing
of it is called to look what it is; and the connection beside it is closed all the same.
"""

from __future__ import absolute_import

import os
import re
import subprocess
import sys
import tempfile
import unittest
import warnings

from tests.support import hostile
from tests.support.paths import ROOT
from tests.support.suites import StringIO
from unittest_leakfix import (
    ClassLeakFixMixin,
    LeakFixMixin,
    LeakFixTestCase,
    LeakFixTestRunner,
    LeakFixWarning,
)

FINDS = sys.version_info >= (3, 8)
if FINDS:
    import importlib.util


class Connection(object):
    """Open until it is closed, which is written down under its name."""

    closed = False

    def __init__(self, name, log):
        self.name = name
        self.log = log

    def close(self):
        self.closed = True
        self.log.append(self.name)

    cursor = commit = rollback = close



class World(object):
    """Tests that have hostile things in all places where one looks, with a connection beside."""

    def __init__(self, base, kinds=hostile.KINDS, meta=type):
        self.closed = []
        self.kept = []
        space = {"setUpClass": classmethod(self._setup(kinds)), "__module__": __name__}
        for name in kinds:
            for test in self._tests(name, kinds[name]):
                space["%s_%s" % (test.__name__, name)] = test
        # Its cell is filled when it is made, as that of ``super()``.
        self.case = meta("Hostile", (base,), space)

    def _opened(self, where):
        return Connection(where, self.closed)

    def _setup(world, kinds):
        def setUpClass(cls):
            super(world.case, cls).setUpClass()
            for name in kinds:
                setattr(cls, "shared_" + name, kinds[name]())
            cls.connection = world._opened("setUpClass")
        return setUpClass

    def _tests(world, name, make):
        def test_attributes(self):
            self.value = make()
            self.values = [make(), 1]
            self.table = {"a": make(), "b": (make(), "x")}
            self.connection = world._opened("test_attributes_" + name)

        def test_fails(self):
            self.value = value = make()  # noqa: F841 (kept by the traceback)
            self.connection = world._opened("test_fails_" + name)
            self.fail("fails")

        def test_keeps(self):
            self.value = make()
            self.list = [make()]
            world.kept.append(self.value)
            world.kept.append(self.list)
            self.connection = world._opened("test_keeps_" + name)
        return test_attributes, test_fails, test_keeps

    def run(self, runner, **kwds):
        """Run them; return the outcomes and which hostile methods were called meanwhile."""
        stream = StringIO()
        del hostile.CALLS[:]
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(self.case)
        with warnings.catch_warnings():
            warnings.simplefilter("error", LeakFixWarning)
            result = runner(stream=stream, **kwds).run(suite)
        self.text = stream.getvalue()
        return (result.testsRun, [str(each) for each, _ in result.failures + result.errors],
                len(result.skipped), sorted(set(hostile.CALLS)))


# Way: base class, runner, its options, whether the connection of the class is closed.
WAYS = {
    "runner": (unittest.TestCase, LeakFixTestRunner, {}, False),
    "mixin": (type("Mixed", (LeakFixMixin, unittest.TestCase), {}), unittest.TextTestRunner, {},
              False),
    "class mixin": (type("Mixed", (ClassLeakFixMixin, unittest.TestCase), {}), LeakFixTestRunner,
                    {}, True),
    "both": (LeakFixTestCase, LeakFixTestRunner, {}, True),
}
if FINDS:
    WAYS.update({
        "report": (unittest.TestCase, LeakFixTestRunner, {"leaks": "report"}, False),
        "report and both": (LeakFixTestCase, LeakFixTestRunner,
                            {"leaks": "report", "restore": True},
                            True),
    })


class Values(unittest.TestCase):

    maxDiff = None

    def same(self, way, kinds=hostile.KINDS, meta=type):
        base, runner, kwds, of_class = WAYS[way]
        expected = World(unittest.TestCase, kinds, meta).run(unittest.TextTestRunner)
        world = World(base, kinds, meta)
        self.assertEqual(world.run(runner, **kwds), expected)
        self.assertEqual(sorted(world.closed), sorted(
            ["test_%s_%s" % (test, name) for name in kinds
             for test in ("attributes", "fails", "keeps")]
            + ["setUpClass"] * of_class))
        self.assertNotIn("finding failed", world.text)
        self.assertNotIn("LeakFixWarning", world.text)
        return world

    def test_runner(self):
        self.same("runner")

    def test_mixin(self):
        self.same("mixin")

    def test_class_mixin(self):
        self.same("class mixin")

    def test_both(self):
        self.same("both")

    @unittest.skipUnless(FINDS, "finding needs Python 3.8")
    def test_report(self):
        self.same("report")

    @unittest.skipUnless(FINDS, "finding needs Python 3.8")
    def test_report_and_both(self):
        self.same("report and both")


class ByName(type):
    """A metaclass whose classes compare by name, and so have no hash."""

    def __eq__(cls, other):
        return isinstance(other, type) and other.__name__ == cls.__name__

    __hash__ = None


class Numb(type):
    """A metaclass whose classes have neither truth nor length."""

    def __bool__(cls):
        raise hostile.Bite("__bool__")

    __nonzero__ = __len__ = __bool__


ONE = {"like_int": hostile.KINDS["like_int"]}


class TestClasses(Values):
    """The class of the tests itself has such a metaclass."""

    def same(self, way, kinds=ONE, meta=ByName):
        for meta in (ByName, Numb):
            base, runner, kwds, of_class = WAYS[way]
            if base is not unittest.TestCase:
                base = meta("Base", (base,), {"__module__": __name__})
            WAYS["here"] = base, runner, kwds, of_class
            try:
                Values.same(self, "here", kinds, meta)
            finally:
                del WAYS["here"]


class Biting(unittest.TestCase):
    """What is looked at and closed as a resource may raise what is not an ``Exception``."""

    def run_with(self, make, base, runner, **kwds):
        class Sample(base):
            def test_one(self):
                self.resource = make()

            def test_two(self):
                pass
        stream = StringIO()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", LeakFixWarning)
            result = runner(stream=stream, **kwds).run(
                unittest.defaultTestLoader.loadTestsFromTestCase(Sample))
        return result, [str(each.message) for each in warned if each.category is LeakFixWarning]

    def test_runner(self):
        for kwds in [{}, {"leaks": "report"}] if FINDS else [{}]:
            result, _ = self.run_with(hostile.biting_resource, unittest.TestCase, LeakFixTestRunner,
                                      **kwds)
            self.assertEqual((result.testsRun, result.errors, result.failures), (2, [], []))

    def test_runner_warns_of_a_close_that_raises(self):
        def make():
            value = hostile.biting_resource()
            type(value).closed = False
            return value
        result, warned = self.run_with(make, unittest.TestCase, LeakFixTestRunner)
        self.assertEqual((result.testsRun, result.errors, result.failures), (2, [], []))
        self.assertIn("raised Bite: close", "".join(warned))

    def test_mixin_says_which_attribute(self):
        result, _ = self.run_with(hostile.biting_resource, LeakFixTestCase, unittest.TextTestRunner)
        self.assertEqual((result.testsRun, result.failures), (2, []))
        self.assertIn("self.resource", result.errors[0][1])
        self.assertEqual(len(result.errors), 1)

    def test_interrupts_pass(self):
        for error in (KeyboardInterrupt, SystemExit):
            def close(self):
                raise error()
            def make():
                value = hostile.biting_resource()
                type(value).closed, type(value).close = False, close
                return value
            with self.assertRaises(error):
                self.run_with(make, unittest.TestCase, LeakFixTestRunner)


PYTEST = """
import unittest
import pytest
from tests.support import hostile

KEPT = []
KINDS = sorted(name for name in hostile.KINDS if not name.endswith("_error"))


@pytest.fixture
def made(request):
    return hostile.KINDS[request.param]()


@pytest.fixture(scope="module", params=KINDS)
def of_module(request):
    return hostile.KINDS[request.param]()


@pytest.mark.parametrize("made", KINDS, indirect=True)
def test_fixture(made):
    KEPT.append(made)


def test_fixture_of_module(of_module):
    pass


@pytest.mark.parametrize("name", KINDS)
def test_fails(name):
    value = hostile.KINDS[name]()
    KEPT.append([value])
    assert 0


class TestPlain:
    @pytest.mark.parametrize("name", KINDS)
    def test_attribute(self, name):
        self.value = hostile.KINDS[name]()
        self.values = [hostile.KINDS[name](), 1]
        KEPT.append(self.values)


class Case(unittest.TestCase):
    pass


for name in KINDS:
    def test(self, make=hostile.KINDS[name]):
        self.value = make()
        self.table = {"a": make()}
        KEPT.append(self.table)
    setattr(Case, "test_" + name, test)
del test


def test_leaks():
    KEPT.append(open(__file__))
"""


@unittest.skipUnless(FINDS, "finding needs Python 3.8")
class Pytest(unittest.TestCase):

    def run_pytest(self, *options):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "test_sample.py"), "w") as file:
                file.write(PYTEST)
            ran = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p",
                 "no:unittest_leakfix",
                 "--tb=no", "-r", "N"] + list(options), cwd=folder,
                 env=dict(os.environ, PYTHONPATH=ROOT),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = ran.stdout.decode()
        return (ran.returncode, re.findall(r"(\d+ (?:failed|passed|error))", text)), text

    def test_report_and_release(self):
        if importlib.util.find_spec("pytest") is None:
            self.skipTest("needs pytest")
        plain, text = self.run_pytest()
        self.assertEqual(plain[0], 1, text)
        for mode in ("report", "release"):
            ours, text = self.run_pytest("-p", "unittest_leakfix.pytest_plugin", "--leaks=" + mode,
                                         *(["--leaks-failed"] if mode == "report" else []))
            self.assertEqual(ours, plain, text)
            self.assertNotIn("finding failed", text)
            self.assertNotIn("LeakFixWarning", text)
            self.assertNotIn("INTERNALERROR", text)
            if mode == "report":
                self.assertIn("test_sample.py' was left open", text)


if __name__ == "__main__":
    unittest.main()
