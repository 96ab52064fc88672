"""Registries in C that keep what they were given: each is asked by a way of its own."""
from __future__ import annotations

import atexit
import codecs
import encodings
import gc
import sys
import types
from typing import Any, Dict, Iterator, NamedTuple, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import Swap

__unittest = True
bind(globals())
_get_referents = gc.get_referents
_get_referrers = gc.get_referrers
_gettrace, _getprofile = sys.gettrace, sys.getprofile
_register = atexit.register
_count = getattr(atexit, "_ncallbacks", lambda: 0)
_search = getattr(encodings, "search_function", None)
_BOUND = (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)
_strict = codecs.strict_errors


class Entry(NamedTuple):
    """An object that a registry keeps: the registry's name, and by which of its functions."""

    value: Any
    registry: str
    access: str


class Callbacks:
    """Notes what is registered with ``atexit`` from now on, by id: from 3.10 to 3.12 it cannot be
    asked."""

    def __init__(self) -> None:
        self._swap = Swap()
        self.ids: Dict[int, Tuple[type, int]] = {}

    def install(self) -> None:
        """Begin. Twice is once."""
        if not self._swap:
            ids = self.ids

            def register(function: Any, *args: Any, **kwargs: Any) -> Any:
                found = _register(function, *args, **kwargs)
                ids[id(function)] = _identity(function)
                return found
            self._swap.put_each([(atexit, "register", register)])

    def remove(self) -> None:
        """End."""
        self._swap.back()
        self.ids.clear()

    def has(self, value: Any) -> bool:
        """Tell whether *value* was registered; its id may be another's by now."""
        return id(value) in self.ids and self.ids[id(value)] == _identity(value)


def _identity(function: Any) -> Tuple[type, int]:
    # Of what has it by its type: a `__self__` of the user's own may be code that runs.
    return type(function), id(function.__self__) if type(function) in _BOUND else 0


callbacks = Callbacks()


def entries() -> Iterator[Entry]:
    """Return what can be asked for without anything to compare."""
    for value in _get_referents(atexit):        # 3.8 and 3.9: functions, their arguments
        if type(value) is not dict or value is not vars(atexit):
            yield Entry(value, "atexit", ".register()")
    if _search is not None:
        for found in _get_referrers(_search):
            if type(found) is list:
                yield Entry(found, "codecs", ".register()")
    for found in _get_referrers(_strict):
        if type(found) is dict and "strict" in found and "ignore" in found:
            yield Entry(found, "codecs", ".register_error()")
    for name, function in (("settrace", _gettrace), ("setprofile", _getprofile)):
        value = function()
        if value is not None:
            yield Entry(value, "sys", ".%s()" % name)


def is_of_atexit(value: Any) -> bool:
    """Tell whether *value* is the list of atexit's callbacks (3.13): nothing else looks like it."""
    return (type(value) is list and 0 < len(value) and len(value) == _count()
            and all(each is None or type(each) is tuple and len(each) == 3
                    and callable(each[0]) for each in list(value)))
