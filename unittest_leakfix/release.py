"""Letting go of a finished test that nobody asked to do anything.

Most tests hold nothing: this module is all that they need. What the others hold is
for `belongings`.
"""

from __future__ import absolute_import

import os
import sys
import unittest

from unittest_leakfix._core.early import bind
from unittest_leakfix.belongings import give_back
from unittest_leakfix.heap import heap

__unittest = True
bind(globals())

# Bound here once: they are called for each test.
_getrefcount = getattr(sys, "getrefcount", None) or (lambda value: sys.maxsize)
_HAND = [object()]
_SOLE = _getrefcount(_HAND[0])      # what a list of one that has the only reference sees
_attribute = object.__getattribute__
_TestCase = unittest.TestCase
_getpid = os.getpid
_BARE = len(vars(unittest.TestCase("run")))
_TEXT = type(u"")


class Tally(object):
    """What a run did: ``released`` tests, ``closed`` {kind of resource: how many},
    ``kept`` tests that somebody still held, ``off`` what had to be switched off, and why."""

    def __init__(self):
        self.pid = _getpid()    # a child that a test forks may run on
        self.released = 0
        self.kept = 0
        self.closed = {}
        self.off = []

    def close(self, kind):
        """Count one closed resource of this *kind*."""
        self.closed[kind.name] = self.closed.get(kind.name, 0) + 1


def release(hand, tally):
    """Close what the finished test in *hand*, a list of one, owns, and let go of it.

    If somebody else still refers to it, nothing is touched. What was done is
    counted in *tally*.
    """
    if not issubclass(type(hand[0]), _TestCase):
        return
    alone = _getrefcount(hand[0]) == _SOLE
    if not alone:
        # An exception, its traceback and unittest's frames form a cycle that
        # holds the test (3.12, python/cpython#129280; async tests on all).
        heap.collect_new()
        alone = _getrefcount(hand[0]) == _SOLE
    values = _attribute(hand[0], "__dict__")
    if alone and len(values) == _BARE:
        # Bare: no more than unittest's own attributes. Not by a set of types: a metaclass may
        # have a hash and an equality of its own, and the ids of types make a slow set.
        for value in values.values():
            if value is not None:
                kind = type(value)
                if (kind is not str and kind is not list and kind is not dict
                        and kind is not bool and kind is not int and kind is not _TEXT):
                    break
        else:
            tally.released += 1
            return
        value = None    # give_back counts the references to it
    del values      # give_back counts the references to it
    give_back(hand, alone, tally)
