"""Suites give their tests away: each is taken out before it runs."""

from __future__ import absolute_import

import unittest

__unittest = True

_END = object()
EMPTIED = (
    "this suite gave its tests away when it ran: each was let go once it was "
    "finished. Load the tests again to run them again, or keep them: set "
    "_cleanup = False on the suite before its first run")


def given(suite, hand, result):
    """Put the tests of *suite* into *hand*, a list of one, one after the other.

    Each is taken out of the suite first, so that nothing but *hand* refers to it:
    no local, no iterator. Yields whether the suite keeps it all the same.
    """
    tests = getattr(suite, "_tests", None)
    if type(tests) is not list or overrides(suite, "__iter__"):
        return _given_by_iterator(suite, hand, result)
    if not getattr(suite, "_cleanup", True) or overrides(suite, "_removeTestAtIndex"):
        return _lent(suite, tests, hand, result)
    return _given_by_list(suite, tests, hand, result)


def _given_by_list(suite, tests, hand, result):
    remove = getattr(suite, "_removeTestAtIndex", None)
    place = 0
    while place < len(tests) and not result.shouldStop:
        hand[0] = tests[place]
        if hand[0] is None:
            raise TypeError(EMPTIED)
        if remove is not None:
            remove(place)
        else:
            tests[place] = _Removed(hand[0])
        yield False
        place += 1


def _lent(suite, tests, hand, result):
    """The suite was told to keep its tests, or decides itself (doctest's does)."""
    place = 0
    while place < len(tests) and not result.shouldStop:
        hand[0] = tests[place]
        yield True
        if getattr(suite, "_cleanup", True):
            suite._removeTestAtIndex(place)
        place += 1


def _given_by_iterator(suite, hand, result):
    """A suite with an order of its own: what it yields is looked up in its list."""
    iterator = iter(suite)
    if type(iterator) is type(iter([])):
        # It would hold the whole list that it goes over.
        iterator = _popping(list(iterator))
    tests = getattr(suite, "_tests", None)
    while not result.shouldStop:
        hand[0] = next(iterator, _END)
        if hand[0] is _END:
            break
        if getattr(suite, "_cleanup", True) and type(tests) is list:
            for place in range(len(tests)):
                if tests[place] is hand[0]:
                    tests[place] = None
                    break
        yield not getattr(suite, "_cleanup", True)


def _popping(tests):
    tests.reverse()
    while tests:
        yield tests.pop()


class _Removed(object):
    """2.7's suites do not count what was taken out: this stands there instead."""

    def __init__(self, test):
        self._count = test.countTestCases() if hasattr(test, "countTestCases") else 0

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
