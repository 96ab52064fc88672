"""Doctests and FunctionTestCase."""

from __future__ import absolute_import

import doctest
import types
import unittest

from tests.retention.harness import ALL, FREE, KEPT, LIGHT, Payload, Probe, case, left, since

try:
    import builtins
except ImportError:     # Python 2.7
    import __builtin__ as builtins


def _doctests(kit, text):
    """Return a suite of six doctests; ``NAME`` in *text* is the name of each."""
    module = types.ModuleType("retention_doctests")
    module.__test__ = dict((name, text.replace("NAME", name)) for name in ALL)
    suite = doctest.DocTestSuite(module, globs={"Payload": Payload})
    for name, test in zip(ALL, suite):
        kit.watch(name, test)
    suite._tests.insert(3, Probe("middle"))
    suite._tests.append(Probe("end"))
    return suite


# A DocTestSuite keeps its tests (3.4), whose names are cleared after each.
KEEPS = dict(stock=LIGHT, runner=since(FREE, py36=LIGHT), mixin=LIGHT)


@case(**KEEPS)
def doctest_pass(kit):
    return _doctests(kit, ">>> payload = Payload('NAME')\n")


@case(**KEEPS)
def doctest_fail(kit):
    return _doctests(kit, ">>> payload = Payload('NAME')\n>>> 1\n2\n")


@case(**KEEPS)
def doctest_error(kit):
    return _doctests(kit, ">>> payload = Payload('NAME')\n>>> 1 // 0\n1\n")


UNDERSCORE = left(("test_6",), ALL, middle=("test_3",))


@case(stock=UNDERSCORE, runner=since(UNDERSCORE._replace(
    instances=(), instances_gc=()), py36=UNDERSCORE), mixin=UNDERSCORE)
def doctest_underscore(kit):
    kit.undo(vars(builtins).pop, "_", None)
    return _doctests(kit, ">>> Payload('NAME')\n<payload>\n")


@case(stock=since(LIGHT, py36=FREE), mixin=since(LIGHT, py36=FREE))
def doctest_in_plain_suite(kit):
    return unittest.TestSuite(list(_doctests(kit, ">>> payload = Payload('NAME')\n")))


def _functions(kit, fails):
    """The payload hangs on the wrapped function: no attribute of the test."""
    def function(name):
        box = []

        def test():
            box.append(Payload(name))
            if fails:
                raise ValueError("broken")
        return kit.watch(name, kit.mix(unittest.FunctionTestCase)(test))

    return unittest.TestSuite([
        unittest.TestSuite(list(map(function, ALL[:3]))), Probe("middle"),
        unittest.TestSuite(list(map(function, ALL[3:]))), Probe("end")])


@case(stock=since(KEPT, py36=FREE), mixin=since(KEPT, py36=FREE))
def functiontestcase_pass(kit):
    return _functions(kit, fails=False)


@case(stock=KEPT, mixin=KEPT)
def functiontestcase_fail(kit):
    return _functions(kit, fails=True)
