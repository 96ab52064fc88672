"""Which objects were born in a test and outlived it: facts, and no reference kept.

`begin()` hides the whole heap (`heap.py`), `end()` looks at what has come since. A survivor is
remembered by a weak reference, or by its id where its type allows none, until its class is over:
only then is it asked for again, since what a class's tests share ends with the class.
"""
from __future__ import annotations

import gc
import sys
import unittest
import weakref
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

from unittest_leakfix.attributes import ATOMS, namespace
from unittest_leakfix.heap import heap
from unittest_leakfix.resources import kind_of

from .frames import LIBRARY, OWN, kind_of as code_of

__unittest = True

MOST = 1000
"""How many survivors of one test are remembered; the others are counted."""
_HEAP_TYPE = 1 << 9
_flags_of = type.__dict__["__flags__"].__get__
_module_of = type.__dict__["__module__"].__get__


@dataclass(frozen=True)
class Survivor:
    """One object that outlived its test.

    what: "test", "attribute", "instance" or "resource"; name: of the attribute, "" otherwise;
    ref: calls for the object, None once it is gone; type: its class.
    """

    what: str
    test: str
    name: str
    type: str
    module: str
    ref: Callable[[], Any]
    key: int


class Census:
    """Counts the survivors of one test after the other."""

    def __init__(self) -> None:
        self._test = ""
        self._window = 0
        self._held: List[Survivor] = []
        self.more = 0

    def begin(self, test: str) -> None:
        """Call when the test of this id is about to run."""
        self._held = []
        self._test = test
        self._window = heap.open_window()

    def finished(self, test: unittest.TestCase) -> None:
        """Take note of the finished test and what it holds, before it is let go."""
        self._note("test", test, "")
        self.attributes(namespace(test))

    def attributes(self, values: Dict[str, Any]) -> None:
        """Take note of the attributes that a test holds, or is about to lose."""
        for name, value in values.items():
            if type(value) not in ATOMS and not name.startswith("_"):
                self._note("attribute", value, name)

    def end(self) -> Optional[List[Survivor]]:
        """Call when the test was let go. Returns who outlived it, None if that cannot be told."""
        born = heap.newborn(self._window)
        if born is None:
            return None
        ids = set(map(id, born))
        held = {each.key: each for each in self._held
                if each.ref() is not None and (each.what == "test" or each.key in ids)}
        found = list(held.values())
        seen = 0
        while born:
            each = born.pop()
            if id(each) in held or not _is_news(each):
                continue
            seen += 1
            if seen <= MOST:
                found.append(self._survivor(
                    "instance" if kind_of(each) is None else "resource", each, ""))
            else:
                self.more += 1
        self._held = []
        return found

    def _note(self, what: str, value: object, name: str) -> None:
        try:
            weakref.ref(value)
        except TypeError:
            return
        self._held.append(self._survivor(what, value, name))

    def _survivor(self, what: str, value: object, name: str) -> Survivor:
        cls = type(value)
        return Survivor(what, self._test, name, cls.__name__, str(_module_of(cls)),
                        _reference(value), id(value))


def _reference(value: object) -> Callable[[], Any]:
    try:
        return weakref.ref(value)
    except TypeError:
        return _ById(value)


class _ById:
    """Finds an object that cannot be weakly referenced again: same id, same type, still tracked.

    Only sure for a resource whose acquisition names the test; the caller checks that.
    """

    def __init__(self, value: object) -> None:
        self._key, self._type = id(value), type(value)

    def __call__(self) -> Any:
        for each in gc.get_objects():
            if id(each) == self._key:
                return each if type(each) is self._type else None
        return None


def _is_news(value: object) -> bool:
    """Tell whether a survivor is worth a word: a resource, or an instance of somebody's class."""
    cls = type(value)
    if kind_of(value) is not None:
        return not issubclass(cls, unittest.TestCase)
    if not _flags_of(cls) & _HEAP_TYPE or issubclass(cls, (type, unittest.TestCase)):
        return False
    return is_users(cls)


def is_users(cls: type) -> bool:
    """Tell whether *cls* was written neither in the standard library nor here."""
    name = _module_of(cls)
    module = sys.modules.get(name) if isinstance(name, str) else None
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return module is None or name == "__main__"
    return code_of(file) not in (LIBRARY, OWN)
