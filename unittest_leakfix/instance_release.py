"""Letting go of a finished test whose class knows nothing of us.

Most tests hold nothing but plain values: `release` is all that they need. What the others hold
is for `held_release`.
"""

from __future__ import absolute_import

import gc
import os
import sys
import unittest

from unittest_leakfix._core.early import bind, late
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix._core.introspection import ATOMS, lists_more

__unittest = True
bind(globals())

held_release = late(
    globals(), "held_release", "_core.errors", "_core.ownership", "_core.redaction",
    "_core.secret_patterns", "_core.secret_search", "_core.waiting", "resources.__init__",
    "resources.client_table", "resources.clients", "resources.context_managers",
    "resources.database_clients", "resources.db_connections", "resources.entry_points",
    "resources.event_loops", "resources.files", "resources.kind", "resources.late_kinds",
    "resources.network", "resources.processes", "resources.registry", "resources.scan",
    "resources.threads")

# Bound here once: they are called for each test.
getrefcount = getattr(sys, "getrefcount", None) or (lambda value: sys.maxsize)     # PyPy
_SLOT = [object()]
_ALONE = getrefcount(_SLOT[0])      # what a list of one that has the only reference sees
_attribute = object.__getattribute__
_getpid = os.getpid
_ATOMS = ATOMS
_OF_UNITTEST = frozenset(vars(unittest.TestCase("run")))
# How many attributes each test has, the place of the last, and whether they are in order (3.6).
_BARE = len(_OF_UNITTEST) if sys.version_info >= (3, 6) else sys.maxsize
_LAST = _BARE - 1
_SHORT = 9


class Tally(object):
    """What a run did: ``released`` tests, ``closed`` {kind of resource: how many},
    ``kept`` tests that were still held elsewhere, ``off`` what had to be switched off, and why."""

    def __init__(self):
        self.pid = _getpid()    # a child that a test forks may run on
        self.released = 0
        self.kept = 0
        self.closed = {}
        self.off = []

    def close(self, kind):
        """Count one closed resource of this *kind*."""
        self.closed[kind.name] = self.closed.get(kind.name, 0) + 1

    def counts(self):
        """Return what a worker sends to `merge`, as plain values."""
        return self.released, self.kept, self.closed

    def merge(self, counts):
        """Add the `counts` of a worker's tally."""
        released, kept, closed = counts
        self.released += released
        self.kept += kept
        for name, number in closed.items():
            self.closed[name] = self.closed.get(name, 0) + number


def is_alone(slot):
    """Tell whether *slot*, a list of one, has the only reference to what is in it."""
    if getrefcount(slot[0]) == _ALONE:
        return True
    # An exception, its traceback and unittest's frames form a cycle that
    # holds the test (3.12, python/cpython#129280; async tests on all).
    heap.collect_new()
    return getrefcount(slot[0]) == _ALONE


def release(slot, tally):
    """Close what the finished test in *slot*, a list of one, owns, and let go of it.

    It is a ``TestCase``. If something else still refers to it, nothing is touched. What was done
    is counted in *tally*. Returns whether what came last was collected, and the test has nothing
    that could leave more to collect.
    """
    if _is_plain(slot[0]):
        if getrefcount(slot[0]) == _ALONE:
            tally.released += 1
            return False
        heap.collect_young()    # as in is_alone, if it is as young
        if getrefcount(slot[0]) == _ALONE:
            tally.released += 1
            return True
    held_release.release_held(slot, is_alone(slot), tally)
    return False


def _is_plain(test):
    """Tell, for the many tests that have nothing else, whether the attributes of *test* are but
    texts, numbers and lists of them. False if in doubt."""
    values = _referents(test)
    if len(values) <= _BARE and type(values[0]) is dict:
        values = _values_of(values[0])      # there is one already
    if len(values) >= _BARE and type(values[_LAST]) is dict and dict in values[_LAST]:
        # unittest's own, which come first and end with _type_equality_funcs, are not looked at.
        if len(values) == _BARE + 1 and values[_BARE] is type(test):
            return True
        del values[:_BARE]
    for value in values:
        if value is None:
            continue
        kind = type(value)
        if kind is str or kind is int:
            continue
        # Not by a set of all types: a metaclass may have a hash and an equality of its own.
        if type(kind) is not type:
            return False
        if kind is list and len(value) < _SHORT:
            # Without a call, which takes longer than the rest of it.
            for item in value:
                if type(item) is not int and type(item) is not str:
                    break
            else:
                continue
        if kind is list or kind is dict:
            if value and lists_more(value):
                return False
        elif kind not in _ATOMS and value is not type(test):
            return False
    return True


if sys.version_info >= (3, 11) and hasattr(sys, "getrefcount"):
    # Its values, first assigned first, and its class; or its __dict__ where there is one already.
    # Not as vars(): to make one takes longer than all the rest.
    _referents = _values_of = gc.get_referents      # of a dict all values, if its keys are texts
else:
    def _referents(test):
        return [_attribute(test, "__dict__")]

    def _values_of(space):
        return list(space.values())
