"""The instance of a test's class: what a pytest item has of it, and the letting go of it."""
from __future__ import annotations

import sys
import unittest
import weakref
from types import MethodType
from typing import Any, Callable, List, Optional

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix.attributes import namespace
from unittest_leakfix.belongings import give_back
from unittest_leakfix.heap import heap
from unittest_leakfix.ownership import owned
from unittest_leakfix.release import Tally

__unittest = True
bind(globals())

_getrefcount: Callable[[Any], int] = getattr(sys, "getrefcount", lambda value: sys.maxsize)    # PyPy
_HAND: List[Any] = [object()]
_SOLE = _getrefcount(_HAND[0])
# What somebody keeps is tried again unasked at the 8th, 16th, 32nd ... turn, not after this one.
_LAST_TURN = 2048


def instance_of(item: pytest.Item) -> Any:
    """Return the instance that *item* runs on, None for a function's."""
    values = vars(item)
    found = values.get("_instance")         # pytest 8.2
    if found is None:
        found = values.get("_testcase")     # before, a TestCase's
    if found is None and isinstance(item.parent, pytest.Class):
        found = getattr(values.get("_obj"), "__self__", None)   # a plain class's
    return None if issubclass(type(found), type) else found


class Hand:
    """Holds the instance of one item, from its tear-down until it can be let go."""

    def __init__(self, item: pytest.Item) -> None:
        self.test = item.nodeid
        self._hand: List[Any] = [instance_of(item)]
        self._left: Optional["weakref.ref[Any]"] = None
        self._count = 0         # how many references there were when it could not be let go of
        self._turns = 0
        self._next = 8          # the turn at which it is tried again, whatever has changed
        self.is_over = False
        self.is_case = issubclass(type(self._hand[0]), unittest.TestCase)

    def peek(self) -> List[Any]:
        """Return the list of one that has the instance, or None."""
        return self._hand

    def hold(self) -> None:
        """Hold again what could not be let go: who has it is about to drop it."""
        if self._left is not None:
            self._hand[0] = self._left()

    def is_due(self) -> bool:
        """Tell whether to try again to let go of what somebody has kept.

        A try walks through all that the instance holds, 5 ms at most. So it is worth it when a
        reference to the instance was dropped, which takes less than a microsecond to see. What
        else could free it, a change further up in a cycle, is tried for at doubling distances.
        """
        hand = self._hand
        self._turns += 1
        if self._left is None or self._turns == self._next:
            return True
        if hand[0] is None:
            hand[0] = self._left()
        if hand[0] is None or _getrefcount(hand[0]) < self._count:
            return True
        hand[0] = None
        return False

    def let_go(self, tally: Tally, last: bool) -> bool:
        """Close what the instance owns and let go of it, once nobody else refers to it.

        Returns whether it is gone. If somebody does refer to it, one can try again later; with
        *last* it is counted as kept.
        """
        hand = self._hand
        if self._left is not None:
            hand[0], self._left = self._left(), None
            tally.released += hand[0] is None       # it has gone by itself meanwhile
        if hand[0] is None:
            return True
        alone = _getrefcount(hand[0]) == _SOLE
        if not alone:
            # An exception, its traceback and the frames form a cycle that holds the test (3.12,
            # python/cpython#129280; async tests on all).
            heap.collect_new()
            alone = _getrefcount(hand[0]) == _SOLE
        if not alone and not last and not self._is_owned():
            self._left = weakref.ref(hand[0])
            self._count = _getrefcount(hand[0])
            if self._turns >= self._next:
                self._next = 2 * self._next if self._next < _LAST_TURN else 0
        else:
            give_back(hand, alone, tally)
        hand[0] = None
        return self._left is None

    def _is_owned(self) -> bool:
        """Tell whether nothing but a cycle of its own refers to the instance."""
        values = namespace(self._hand[0])
        return id(self._hand[0]) in owned([self._hand[0], values], [1, 1], (id(self._hand), id(type(self._hand[0]))))


def forget(item: pytest.Item) -> None:
    """Take the instance out of the finished *item*, which would keep it until the session is over.

    Asked for again, pytest makes a new one.
    """
    values = vars(item)
    if isinstance(values.get("_obj"), MethodType) and isinstance(item.parent, pytest.Class):
        values["_obj"] = None
    values.pop("_instance", None)
    # The first before pytest 8.2; the second is pytest 9's memory of skips, before Python 3.11.
    for name in ("_testcase", "_cached_errors_and_skips"):
        if values.get(name) is not None:
            values[name] = None
    # Plugins that try again (flaky, rerunfailures) keep the last failure, with its frames.
    for name, value in list(values.items()):
        if issubclass(type(value), pytest.ExceptionInfo):
            values[name] = None
        elif type(value) is dict and any(issubclass(type(each), pytest.ExceptionInfo) for each in value.values()):
            value.clear()
