"""What sort of value the application's state is, without a reference to it where that would do
harm."""
from __future__ import annotations

import weakref
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import is_plain, module_slot, mro, name_slot
from unittest_leakfix.process_state import places
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.tracing import value_text

__unittest = True
bind(globals())

MISSING = object()
"""Stands for no value."""
_MOST_SORTED = 1000     # items of a container
_WEAK = (weakref.ref, weakref.WeakMethod, weakref.ProxyType, weakref.CallableProxyType)


class Gone:
    """What stands for a value that is not referred to."""

    __slots__ = "kind", "length"

    def __init__(self, value: Any) -> None:
        self.kind = type(value)
        self.length = places.length(value) if places.is_container(value) else -1

    @property
    def sort(self) -> str:
        """Return what sort of value it was."""
        if self.length >= 0:
            return "container" if self.length else "empty"
        return "mock" if _is_mock(self.kind) else "object"

    @property
    def text(self) -> str:
        """Return what it was, in a few words."""
        if self.length < 0:
            return value_text.qualified(self.kind) + " object"
        return "a %s of %d item%s" % (name_slot(self.kind), self.length,
                                      "" if self.length == 1 else "s")


def word(value: Any) -> str:
    """Return what sort of container it is: "list", "dict", "set", "deque", "cache"."""
    kind = name_slot(type(value))
    return "cache" if type(value) is places.LRU_CACHE else (
        "dict" if places.is_dict(value) else kind if kind in ("set", "deque") else "list")


def sort_of(value: Any) -> str:
    """Return what sort of value it is: "none", "empty", "atom", "function", "lambda", "class",
    "mock", "module", "container", "resource", "weak reference", "object"."""
    if type(value) is staticmethod or type(value) is classmethod:
        value = value.__func__
    kind = type(value)
    if value is None:
        return "none"
    if is_plain(value):
        return "atom" if value else "empty"
    if kind is places.LRU_CACHE:
        return "function"
    if places.is_container(value) or kind is tuple or kind is frozenset:
        return "container" if len(value) else "empty"
    if kind is FunctionType:
        return "lambda" if value.__name__ == "<lambda>" else "function"
    if issubclass(kind, type):
        return "class"
    if kind is ModuleType:
        return "module"
    if _is_mock(kind):
        return "mock"
    if kind is BuiltinFunctionType or kind is MethodType:
        return "function"
    if kind_of(value) is not None:
        return "resource"
    return "weak reference" if any(kind is each for each in _WEAK) else "object"


def _is_mock(cls: type) -> bool:
    return any(name_slot(base) == "NonCallableMock" for base in mro(cls))


def home_of(value: Any) -> str:
    """Return the module in which a function or class was written; "" for anything else."""
    if type(value) is staticmethod or type(value) is classmethod:
        value = value.__func__
    if issubclass(type(value), type):
        found = module_slot(value)
    else:
        found = value.__module__ if sort_of(value) in ("function", "lambda") else ""
    return found if type(found) is str else ""


def noted(value: Any) -> Any:
    """Return *value*, or what stands for it where it is not to be referred to."""
    return value if places.lasts(value) else Gone(value)


def text_of(value: Any) -> str:
    """Return what *value* is, in a few words; "" for none."""
    if value is MISSING:
        return ""
    if type(value) is staticmethod or type(value) is classmethod:
        value = value.__func__
    return value.text if type(value) is Gone else value_text.name_text(value)


def sort_or_none(value: Any) -> str:
    """Return its sort, also of what stands for one; "" for none."""
    if value is MISSING:
        return ""
    return value.sort if type(value) is Gone else sort_of(value)


def equal(old: Any, new: Any) -> bool:
    """Tell whether two plain values of one type are equal. Others are not compared."""
    return type(old) is type(new) and is_plain(old) and bool(old == new)


def sort_of_last(value: Any, gained: int) -> str:
    """Return "resource" if all that a container has *gained* are such, else the container's own
    sort."""
    items = places.items_of(value, _MOST_SORTED) if gained > 0 else None
    if items and type(value) is not set:
        last = items[-gained:]
        if len(last) == gained and all(sort_of(each) == "resource" for each in last):
            return "resource"
    return "container" if places.length(value) else "empty"
