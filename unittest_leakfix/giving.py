"""Suites give their tests away: each is taken out before it runs."""

from __future__ import absolute_import

import unittest

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

_END = object()
_HOLDING = frozenset([type(iter([])), type(iter(())), type(reversed([]))])
EMPTIED = (
    "'NoneType' object is not callable: this suite gave its tests away when it ran, "
    "and each was let go once it was finished. Load the tests again to run them "
    "again, or keep them: set _cleanup = False on the suite before its first run")


def given(suite, hand, result, lends=False):
    """Put the tests of *suite* into *hand*, a list of one, one after the other.

    Each is taken out of the suite first, so that nothing but *hand* refers to it:
    no local, no iterator. Yields whether the suite keeps it all the same. A place that
    is empty, since its test was given away, gives None. What is still in *hand* when the
    next is asked for was not run: that goes back to its place. *lends*: it keeps them all.
    """
    tests = getattr(suite, "_tests", None)
    if type(tests) is tuple:
        tests = suite._tests = list(tests)
    if type(tests) is not list or overrides(suite, "__iter__"):
        return _given_by_iterator(suite, hand, result)
    if (lends or not getattr(suite, "_cleanup", True)
            or overrides(suite, "_removeTestAtIndex")):
        return _lent(suite, tests, hand, result)
    return _given_by_list(suite, tests, hand, result)


def _given_by_list(suite, tests, hand, result):
    remove = getattr(suite, "_removeTestAtIndex", None)
    place = 0
    while place < len(tests) and not result.shouldStop:
        hand[0] = tests[place]
        if hand[0] is None:
            yield False
        elif remove is not None:
            remove(place)
            yield False
            if hand[0] is not None:
                # A setUpClass failed. unittest leaves those tests where they are.
                tests[place] = hand[0]
                if hasattr(hand[0], "countTestCases"):
                    suite._removed_tests -= hand[0].countTestCases()
        else:
            tests[place] = _Removed(hand[0])
            yield False
            if hand[0] is not None:
                tests[place] = hand[0]
        place += 1


def _lent(suite, tests, hand, result):
    """The suite was told to keep its tests, or decides itself (doctest's does)."""
    place = 0
    while place < len(tests) and not result.shouldStop:
        hand[0] = tests[place]
        yield True
        if getattr(suite, "_cleanup", True) and hasattr(suite, "_removeTestAtIndex"):
            suite._removeTestAtIndex(place)     # not on 2.7
        place += 1


def _given_by_iterator(suite, hand, result):
    """A suite with an order of its own: what it yields is looked up in the lists."""
    iterator = iter(suite)
    if any(type(iterator) is each for each in _HOLDING):
        # It would hold the whole list that it goes over.
        iterator = _popping(list(iterator))
    kept = not getattr(suite, "_cleanup", True)
    places = {}
    _find_places(suite, places)
    while not result.shouldStop:
        hand[0] = next(iterator, _END)
        if hand[0] is _END:
            break
        owner, place = places.pop(id(hand[0]), (None, 0))
        if (owner is not None and place < len(owner._tests)
                and owner._tests[place] is hand[0]):
            _take_out(owner, place)
        yield kept


def _find_places(suite, places):
    """Note in *places* {id: (suite, place)} where each test is: a suite that
    flattens those inside yields theirs."""
    tests = getattr(suite, "_tests", None)
    if type(tests) is list and getattr(suite, "_cleanup", True):
        for place, each in enumerate(tests):
            places[id(each)] = suite, place
            if issubclass(type(each), unittest.TestSuite):
                _find_places(each, places)


def met_twice(suite):
    """Return the ids of the suites that are in *suite* more than once.

    2.7 does not empty its suites: what is there twice runs twice.
    """
    seen, twice = set(), set()
    todo = [suite]
    while todo:
        each = todo.pop()
        if issubclass(type(each), unittest.TestSuite) and id(each) not in twice:
            # What is inside one that is there twice is met twice, too.
            (twice if id(each) in seen else seen).add(id(each))
            tests = getattr(each, "_tests", None)
            if type(tests) is list or type(tests) is tuple:
                todo.extend(tests)
    return twice


def _take_out(suite, place):
    if hasattr(suite, "_removeTestAtIndex"):
        suite._removeTestAtIndex(place)
    else:
        suite._tests[place] = _Removed(suite._tests[place])


def _popping(tests):
    tests.reverse()
    while tests:
        yield tests.pop()


class _Removed(object):
    """2.7's suites do not count what was taken out: this stands there instead."""

    def __init__(self, test):
        try:
            self._count = test.countTestCases()
        except Exception:   # what is no test at all, or a suite with such content
            self._count = 0

    def countTestCases(self):
        return self._count

    def __call__(self, *args, **kwds):
        raise TypeError(EMPTIED)


def method(kind, name):
    """Return what class *kind* has as *name*, as a function where it is one."""
    found = getattr(kind, name, None)
    return getattr(found, "__func__", found)      # 2.7's unbound methods


def overrides(suite, name):
    """Tell whether the class of *suite* has another *name* than unittest's suite."""
    return method(type(suite), name) is not method(unittest.TestSuite, name)
