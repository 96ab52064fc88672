"""What a finished test holds, if that is more than plain values: its owned resources are closed,
and the cycle that it is in is broken.

The class of the test knows nothing of us. Loaded when the first such test is finished.
"""

from __future__ import absolute_import

import os
import unittest
import weakref
from types import FunctionType

from unittest_leakfix._core import ownership
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix._core.introspection import MISSING, on_type
from unittest_leakfix.resources import scan

__unittest = True
bind(globals())
_ref = weakref.ref

_getpid = os.getpid
_OF_UNITTEST = frozenset(vars(unittest.TestCase("run")))
_attribute = object.__getattribute__
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
        heap.suspect(_ref(slot[0]))
        return
    tally.released += 1
    _close_all(slot[0], values, names, owned, tally)
    _break_cycle(values, cycle, type(slot[0]))
    left = _ref(slot[0])
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
    return finalizer is MISSING or (type(finalizer) is FunctionType
                                    and finalizer.__module__ == "unittest.async_case")
