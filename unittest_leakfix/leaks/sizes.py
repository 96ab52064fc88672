"""How much memory hangs on an object and on nothing else."""

from __future__ import annotations

import gc
import io
import sys
from types import FunctionType
from typing import Any, Callable, Iterable, Tuple

from unittest_leakfix._core import errors, ownership
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import (
    flags_slot,
    is_tracked,
    module_slot,
    name_slot,
    on_type,
)
from unittest_leakfix.resources.scan import is_atom

__unittest = True
bind(globals())

_HEAP_TYPE = 1 << 9
_get_referents = gc.get_referents
_MOST_SIZED = 20000
_getsizeof = sys.getsizeof
_sizeof = getattr(object, "__sizeof__", None)     # PyPy has no sizes, and no counts
_getrefcount: Callable[[object], int] = getattr(sys, "getrefcount", lambda value: 0)
# Not walked by the collector, and often the heaviest: counted where one holder has them.
_BULK = (str, bytes, bytearray, memoryview)
# Their buffers are not data of the test's: 8 kB, 128 kB since 3.14, whatever was read.
_BUFFERED = (io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.BufferedRWPair)


def only_held_by(target: object, limit: int = _MOST_SIZED) -> int:
    """Return the bytes of `target` and of what can be reached through it alone.

    At most `limit` objects are looked at; what lies further is left out. Runs no user code.
    0 where references are not counted (PyPy).
    """
    if not ownership.COUNTED:
        return 0
    nodes, known, below = ownership._walk([target], None, (), limit)
    base = ownership._BASE
    outside = [place for place in range(1, len(nodes))
               if _getrefcount(nodes[place]) - base - known[place] > 0]
    shared = ownership._spread(outside, below)
    shared.discard(0)
    mine = [place for place in range(len(nodes)) if place not in shared]
    return sum(_size(nodes[place]) for place in mine) + _bulk(nodes[place] for place in mine)


def size_of(value: object) -> int:
    """Return the bytes of one item of a container, and of what only it holds."""
    return _size(value) if is_atom(value) else only_held_by(value, 200)


def heaviest(items: Iterable[Tuple[str, object]], most: int = 5,
             floor: int = 0) -> Tuple[Tuple[str, str, int], ...]:
    """Return (name, type, bytes) of the named `items`, heaviest first, `floor` bytes at least."""
    sized = [(name, name_slot(type(value)), only_held_by(value)) for name, value in items]
    sized.sort(key=lambda item: (-item[2], item[0]))
    return tuple(item for item in sized[:most] if item[2] >= floor)


def _bulk(nodes: Iterable[object]) -> int:
    total = 0
    for node in nodes:
        for referent in _get_referents(node):
            # This loop, its list and the one holder.
            kind = type(referent)
            if (type(kind) is type and kind in _BULK or _home_of(kind) in _ARRAYS
                    and not is_tracked(referent)) and _getrefcount(referent) <= 4:
                total += _size(referent)
    return total


# Of what reports its data by nbytes; pandas' frames have numpy's arrays.
_ARRAYS = ("numpy", "torch", "cupy", "jax", "jaxlib", "tensorflow")


def _home_of(cls: type) -> str:
    name = module_slot(cls)
    return name.partition(".")[0] if type(name) is str else ""


def _array_size(value: Any) -> int:
    """Return the bytes of an array's data, whatever allocated it: a view keeps all of it."""
    total = 0
    try:
        total = int(_getsizeof(value))
        base = value
        for _ in range(10):
            below = getattr(base, "base", None)
            if below is None or _home_of(type(below)) not in _ARRAYS:
                break
            base = below
        total = max(total, int(getattr(base, "nbytes", 0) or 0))
        if _home_of(type(value)) == "torch":
            total = max(total, int(value.element_size() * value.nelement()))
    except errors.PASSING:
        raise
    except BaseException:   # a lazy or deleted array
        pass
    return total


def _size(value: object) -> int:
    cls = type(value)
    if _home_of(cls) in _ARRAYS:
        return _array_size(value)
    if type(cls) is type and cls in _BUFFERED:
        return 0
    if flags_slot(cls) & _HEAP_TYPE and type(on_type(cls, "__sizeof__")) is FunctionType:
        return int(_sizeof(value))   # type: ignore[misc]  # a user's own may raise, hang or lie
    try:
        return int(_getsizeof(value))
    except errors.PASSING:
        raise
    except BaseException:   # a C type's that is broken
        return 0
