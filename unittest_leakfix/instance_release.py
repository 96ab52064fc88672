"""Letting go of a finished test whose class knows nothing of us.

Most tests hold nothing but plain values: `release` is all that they need. What the others hold
is for `release_held`.
"""

from __future__ import absolute_import

import gc
import os
import sys
import types
import unittest
import weakref
from itertools import islice

from unittest_leakfix._core import ownership
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix._core.introspection import MISSING, on_type
from unittest_leakfix.resources import scan

__unittest = True
bind(globals())

# What a finished test holds is released once nothing else refers to the test.

_getpid = os.getpid
_OF_UNITTEST = frozenset(vars(unittest.TestCase("run")))
_TRACEBACK = getattr(BaseException, "__traceback__", None)      # not on 2.7


def release_held(slot, alone, tally):
    """Close what the test in *slot*, a list of one, owns, and break the cycle it is in.

    *alone* tells that nothing but *slot* refers to the test. If something else does,
    nothing is touched. What was done is counted in *tally*.
    """
    values = _attribute(slot[0], "__dict__")
    if alone and not scan.may_hold(values.values()):
        tally.released += 1
        return
    if not ownership.certain():
        # Nothing is closed: PyPy, or other threads on a free-threaded build.
        if alone:
            tally.released += 1
        else:
            tally.kept += 1
        return
    names = [name for name in values if name not in _OF_UNITTEST]
    if alone:
        # Nothing leads back to the test: only what it holds is to be walked through.
        names = scan.not_plain(values, names)
        owned = scan.owned_by(values, names, (id(slot[0]), id(values)), 1)
        _close_all(slot[0], values, names, owned, tally)
        tally.released += 1
        return
    # A kept traceback (nose2) leads to our frames, and by them to the hand. The class
    # leads to all its methods, and back only if it is not alone.
    owned, cycle = ownership.owned_cycle(
        [slot[0], values], [1, 1], (id(slot), id(type(slot[0]))))
    if id(slot[0]) not in owned:
        tally.kept += 1
        heap.suspect(weakref.ref(slot[0]))
        return
    tally.released += 1
    _close_all(slot[0], values, names, owned, tally)
    _break_cycle(values, cycle, type(slot[0]))
    left = weakref.ref(slot[0])
    slot[0] = None
    if left() is not None:
        # What leads back may be in a cycle of its own, without the test.
        heap.collect_new()
    if left() is not None:
        heap.suspect(left)


def _close_all(test, values, names, owned, tally):
    """Close the open resources among the attributes *names* of a test that are *owned*."""
    found = scan.open_resources(values, names, owned)
    if not found:
        return
    first, inside, last, left = scan.in_stages(found, values, names, owned)
    found = None
    _close(test, first, tally)
    if last:
        # What holds something in a folder goes before the folder.
        del first
        _drop(values, names, type(test))
        _close(test, [each for each in inside if each.kind.is_open(each.value)], tally)
        del inside
        heap.collect_left(left)
        _close(test, last, tally)


def _close(test, found, tally):
    """Close what was *found* on a test.

    Nothing in a forked child: it may be its parent's connection there, and closing it
    would end the parent's session.
    """
    if found and tally.pid == _getpid():
        scan.close_each(test, found, tally.close)


def _drop(values, names, kind):
    """Take the attributes *names* out of a test of the class *kind* that is garbage."""
    if _needs_nothing(kind):
        for name in reversed(names):
            values.pop(name, None)


def _break_cycle(values, cycle, kind):
    """Take out of a test that is garbage the attributes that lead back to it.

    It was there when the heap was frozen, so the collector will not come by. A
    class with a ``__del__`` of its own may need them: those wait for the thaw.
    """
    if _needs_nothing(kind):
        for name in list(values):
            if id(values[name]) in cycle:
                if _TRACEBACK and issubclass(type(values[name]), BaseException):
                    # Loaded with the test (a broken import) and raised by it: on
                    # 3.12 the frames of its traceback hold the exception as well.
                    _TRACEBACK.__set__(values[name], None)
                del values[name]


def _needs_nothing(kind):
    """Tell whether the class *kind* has no ``__del__`` of its own, which may need attributes."""
    finalizer = on_type(kind, "__del__")
    return finalizer is MISSING or (type(finalizer) is types.FunctionType
                                    and finalizer.__module__ == "unittest.async_case")


# Bound here once: they are called for each test.
getrefcount = getattr(sys, "getrefcount", None) or (lambda value: sys.maxsize)     # PyPy
_SLOT = [object()]
_ALONE = getrefcount(_SLOT[0])      # what a list of one that has the only reference sees
_attribute = object.__getattribute__
_TestCase = unittest.TestCase
_getpid = os.getpid
_ATOMS = scan.ATOMS
# How many attributes each test has, the place of the last, and whether they are in order (3.6).
_BARE = len(_OF_UNITTEST) if sys.version_info >= (3, 6) else sys.maxsize
_LAST = _BARE - 1


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
    release_held(slot, is_alone(slot), tally)
    return False


def _is_plain(test):
    """Tell, for the many tests that have nothing else, whether the attributes of *test* are but
    texts, numbers and lists of them. False if in doubt."""
    values = _referents(test)
    if len(values) <= _BARE and type(values[0]) is dict:
        values = _more_than_bare(values[0])     # there is one already
    elif len(values) >= _BARE and type(values[_LAST]) is dict and dict in values[_LAST]:
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
        if kind is list or kind is dict:
            if value and scan.lists_more(value):
                return False
        elif kind not in _ATOMS and value is not type(test):
            return False
    return True


if sys.version_info >= (3, 8):
    def _more_than_bare(space):
        """Return the values in *space*, the ``__dict__`` of a test, but for unittest's own where
        these come first, as they do."""
        if len(space) >= _BARE:
            values = reversed(space.values())
            more = list(islice(values, len(space) - _BARE))
            last = next(values)
            if type(last) is dict and dict in last:
                return more
        return list(space.values())
else:
    def _more_than_bare(space):     # these cannot go backwards
        values = list(space.values())
        if len(values) >= _BARE and type(values[_LAST]) is dict and dict in values[_LAST]:
            del values[:_BARE]
        return values


if sys.version_info >= (3, 11) and ownership.COUNTED:
    # Its values, first assigned first, and its class; or its __dict__ where there is one already.
    # Not as vars(): to make one takes longer than all the rest.
    _referents = gc.get_referents
else:
    def _referents(test):
        return [_attribute(test, "__dict__")]
