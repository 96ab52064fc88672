"""Letting go of a finished test that nobody asked to do anything."""

from __future__ import absolute_import

import sys
import unittest
import weakref

from unittest_leakfix import attributes, faults, ownership
from unittest_leakfix.heap import heap

__unittest = True

# Bound here once: they are called for each test.
_getrefcount = getattr(sys, "getrefcount", None) or (lambda value: sys.maxsize)
_SOLE = ownership.SOLE
_attribute = object.__getattribute__
_TestCase = unittest.TestCase
_TRACEBACK = getattr(BaseException, "__traceback__", None)      # not on 2.7


class Tally(object):
    """What a run did: ``released`` tests, ``closed`` {kind of resource: how many},
    ``kept`` tests that somebody still held."""

    def __init__(self):
        self.released = 0
        self.kept = 0
        self.closed = {}

    def close(self, kind):
        """Count one closed resource of this *kind*."""
        self.closed[kind.name] = self.closed.get(kind.name, 0) + 1


def release(hand, tally):
    """Close what the finished test in *hand*, a list of one, owns, and let go of it.

    If somebody else still refers to it, nothing is touched. What was done is
    counted in *tally*.
    """
    if not isinstance(hand[0], _TestCase):
        return
    alone = _getrefcount(hand[0]) == _SOLE
    if not alone:
        # An exception, its traceback and unittest's frames form a cycle that
        # holds the test (3.12, python/cpython#129280; async tests on all).
        heap.collect_new()
        alone = _getrefcount(hand[0]) == _SOLE
    values = _attribute(hand[0], "__dict__")
    if alone and (_is_bare(values) or not attributes.may_hold(values.values())):
        tally.released += 1
        return
    # A kept traceback (nose2) leads to our frames, and by them to the hand. The class
    # leads to all its methods, and back only if it is not alone.
    owned, cycle = ownership.owned_cycle(
        [hand[0], values], [1, 1], (id(hand), id(type(hand[0]))))
    if id(hand[0]) not in owned:
        tally.kept += 1
        heap.doubt(weakref.ref(hand[0]))
        return
    tally.released += 1
    _close(hand[0], attributes.open_resources(values, values, owned), tally)
    if not alone:
        _break_cycle(values, cycle, type(hand[0]))
        left = weakref.ref(hand[0])
        hand[0] = None
        if left() is not None:
            # What leads back may be in a cycle of its own, without the test.
            heap.collect_new()
        if left() is not None:
            heap.doubt(left)


_BARE = len(vars(unittest.TestCase("run")))
_BARE_KINDS = attributes.ATOMS | frozenset([list, dict])


def _is_bare(values):
    """Tell at once that a test has no more than unittest's own attributes."""
    return len(values) == _BARE and _BARE_KINDS.issuperset(map(type, values.values()))


def _close(test, found, tally):
    """Close what was *found* on a test that asked for nothing: a fault is a warning."""
    for each in found:
        if each.kind.awaits(each.value):
            continue
        try:
            attributes.close(test, each)
        except Exception as error:
            faults.warn(test, each, error)
        else:
            tally.close(each.kind)


def _break_cycle(values, cycle, kind):
    """Take out of a test that is garbage the attributes that lead back to it.

    It was there when the heap was frozen, so the collector will not come by. A
    class with a ``__del__`` of its own may need them: those wait for the thaw.
    """
    finalizer = getattr(kind, "__del__", None)
    if finalizer is None or finalizer.__module__ == "unittest.async_case":
        for name in list(values):
            if id(values[name]) in cycle:
                if _TRACEBACK and issubclass(type(values[name]), BaseException):
                    # Loaded with the test (a broken import) and raised by it: on
                    # 3.12 the frames of its traceback hold the exception as well.
                    _TRACEBACK.__set__(values[name], None)
                del values[name]
