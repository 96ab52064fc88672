"""The order of ``--shuffle``: modules, classes and methods in an order that a seed decides.

A module and a class stay together, so that their fixtures run once. The place of each follows from
the seed and its own name, not from the others: where some tests are left out, or there are new
ones, the rest keep their order, on any version of Python. Loaded only when ``--shuffle`` is given.
"""

from __future__ import absolute_import

import hashlib
import unittest

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import qualified
from unittest_leakfix.suite import _is_plain, overrides

__unittest = True
bind(globals())

# What a suite of one's own may have that an order of ours would pass over.
_METHODS = ("__iter__", "_removeTestAtIndex", "_handleClassSetUp", "_handleModuleFixture",
            "_handleModuleTearDown", "_tearDownPreviousClass")


def shuffled(suite, seed):
    """Return a suite of the tests of *suite* in the order of *seed*, a number.

    Plain suites are emptied, as a run would empty them. One that runs, orders or keeps its tests in
    its own way stays as it is, in the place of its first test's class.
    """
    places = []
    _flatten(suite, places)
    order = {}      # the blocks in their first order: equal keys stay as they were
    for number, test in enumerate(places):
        first = _first(test)
        kind = first.__class__
        for block in (kind.__module__, (kind.__module__, id(kind))):
            order.setdefault(block, len(order))
        places[number] = (
            _key(seed, kind.__module__), order[kind.__module__],
            _key(seed, qualified(kind)), order[kind.__module__, id(kind)],
            _key(seed, _name(first)), number, test)
    places.sort(key=_all_but_the_test)
    return unittest.TestSuite([place[-1] for place in places])


def _all_but_the_test(place):
    return place[:-1]


def _flatten(suite, found):
    """Take the tests out of *suite*, and of the plain suites in it, into *found*."""
    if not _is_block(suite):
        found.append(suite)
        return
    for place, test in enumerate(suite._tests):
        if test is not None:    # 3.4 and later leave that in the place of a test that has run
            if _is_block(test):
                _flatten(test, found)
            else:
                found.append(test)
                if hasattr(suite, "_removeTestAtIndex"):    # 2.7 does not empty its suites
                    suite._removeTestAtIndex(place)


def _is_block(test):
    """Tell whether *test* is a suite whose tests may be taken out and put in another order."""
    return (_is_plain(test) and type(getattr(test, "_tests", None)) is list
            and getattr(test, "_cleanup", True)
            and not any(overrides(test, name) for name in _METHODS if hasattr(test, name)))


def _first(test):
    """Return the first test of *test*, a test or a suite that stays together."""
    while not isinstance(test, unittest.TestCase):
        tests = getattr(test, "_tests", None)
        if type(tests) not in (list, tuple) or not tests:
            break
        test = tests[0]
    return test


def _name(test):
    try:
        return test.id()
    except Exception:   # what is not a test, or one whose id needs what its setUp makes
        return getattr(test, "_testMethodName", type(test).__name__)


def _key(seed, name):
    if not isinstance(name, str):   # 2.7's unicode
        name = name.encode("utf-8")
    text = "%d:%s" % (seed, name)
    return hashlib.sha256(text if str is bytes else text.encode("utf-8", "replace")).hexdigest()
