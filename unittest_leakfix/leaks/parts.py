"""What an open resource holds outside Python's memory: so that its parts are not told again."""
from __future__ import annotations

import gc
import os
import threading
import types
from typing import Any, Iterator, List, Optional, Set, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix import faults
from unittest_leakfix.databases import session_ids
from unittest_leakfix.resources import kind_of

from . import identity, labels
from .acquisitions import Acquisition
from .referents import referents

__unittest = True
bind(globals())
_is_tracked: Any = getattr(gc, "is_tracked", None)     # not on PyPy
_realpath = os.path.realpath
_Thread = threading.Thread
_active = threading._active  # type: ignore[attr-defined]

_LIMIT = 400
_ELSEWHERE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.FrameType,
              types.CodeType)


def held(value: object, acquisition: Optional[Acquisition]) -> Tuple[Set[object], Set[int]]:
    """Return what stands for the parts of the resource *value*, and their ids.

    The first: descriptors, ("pid", n), ("thread", n), a path. A pool's threads, children and pipes
    are found by following its references, a few hundred at most, and never through types,
    modules, functions or frames.
    """
    stands: Set[object] = set()
    if acquisition is not None:
        stands.add(acquisition.detail)
        if acquisition.what == "sqlite3 connection":    # whose path may be relative, and its descriptor's is not
            stands.add(_realpath(acquisition.detail))
    parts: Set[int] = set()
    queue: List[Any] = [value]
    seen: Set[int] = {id(value), id(queue)}
    while queue and len(seen) < _LIMIT:
        each = queue.pop(0)
        stands.update(_of(each))
        if kind_of(each) is not None:
            parts.add(id(each))
        for referent in referents(each):
            if id(referent) not in seen and _is_tracked(referent) and not _elsewhere(referent):
                seen.add(id(referent))
                queue.append(referent)
    return stands, parts


def _elsewhere(value: object) -> bool:
    return issubclass(type(value), _ELSEWHERE)


def _of(value: object) -> Iterator[object]:
    kind = type(value)
    for fd in (identity.descriptor_of(value), identity.socket_descriptor(value)):
        if fd >= 0:
            yield fd
    pid = identity.running_process_id(value)
    if pid:
        yield "pid", pid
    if issubclass(kind, _Thread):
        ident = identity.attributes(value).get("_ident")
        # Once it has ended, its number may be another thread's.
        if _active.get(ident) is value:
            yield "thread", ident
    resource = kind_of(value)
    if resource is not None and resource.name == "database connection":
        yield session_ids.descriptor_of(value)
    module = labels.module_of(kind)
    if module.startswith("multiprocessing"):
        yield from _of_multiprocessing(identity.attributes(value))
    elif module in ("select", "selectors"):
        try:
            yield value.fileno()    # type: ignore[attr-defined]
        except faults.PASSING:
            raise
        except BaseException:  # a selector without one, or closed
            pass


def _of_multiprocessing(values: Any) -> Iterator[object]:
    """Connections keep their descriptor as _handle, children theirs as sentinel or for a finalizer."""
    for name in ("_handle", "sentinel"):
        if type(values.get(name)) is int:
            yield values[name]
    finalizer = values.get("finalizer")
    arguments = identity.attributes(finalizer).get("_args") if finalizer is not None else None
    for each in arguments if type(arguments) is tuple else ():
        if type(each) is int:
            yield each
        elif type(each) is list or type(each) is tuple:
            yield from (item for item in each if type(item) is int)
