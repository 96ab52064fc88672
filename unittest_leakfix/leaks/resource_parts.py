"""What an open resource holds outside Python's memory, so that its parts are not reported again."""

from __future__ import annotations

import gc
import os
import threading
import types
from typing import Any, Container, Iterator, List, Optional, Set, Tuple

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix._core.introspection import is_tracked
from unittest_leakfix.leaks.retention import objects
from unittest_leakfix.leaks.retention.edges import referents
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.tracing import driver_ids, os_facts
from unittest_leakfix.tracing.acquisitions import Acquisition

__unittest = True
bind(globals())

_realpath = os.path.realpath
_get_objects = gc.get_objects
_Thread = threading.Thread
_active = threading._active  # type: ignore[attr-defined]
_MOST_PARTS, _MOST_OF_CLIENT = 400, 3000
_ELSEWHERE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType,
              types.FrameType,
              types.CodeType)


def held_resources(value: object,
                   acquisition: Optional[Acquisition]) -> Tuple[Set[object], Set[int]]:
    """Return what stands for the parts of the resource *value*, and their ids.

    The first: descriptors, ("pid", n), ("thread", n), a path. A pool's threads, children and pipes
    are found by following its references, a few hundred at most, and never through types,
    modules, functions or frames.
    """
    stands: Set[object] = set()
    if acquisition is not None:
        if acquisition.detail:
            stands.add(acquisition.detail)
        # whose path may be relative, and its descriptor's is not
        if acquisition.what == "sqlite3 connection":
            stands.add(_realpath(acquisition.detail))
    parts: Set[int] = set()
    queue: List[Any] = [value]
    kind = kind_of(value)
    pools = kind is not None and kind.client
    if kind is not None:
        given = [part for part in kind.parts(value) if part is not None]
        stands.update(part for part in given if type(part) is str)
        queue += [part for part in given if type(part) is not str]
    seen: Set[int] = {id(queue), *map(id, queue)}
    most = _MOST_OF_CLIENT if pools else _MOST_PARTS
    while queue and len(seen) < most:
        each = queue.pop(0)
        stands.update(_of(each))
        kind = kind_of(each)
        # A connection leads to the pool that it is in, and is a part of that.
        if kind is not None and (pools or not kind.client):
            parts.add(id(each))
        for referent in referents(each):
            if id(referent) not in seen and is_tracked(referent) and not _elsewhere(referent):
                seen.add(id(referent))
                queue.append(referent)
    return stands, parts


def having(descriptors: Container[int]) -> List[Tuple[Any, int]]:
    """Return the resources of the whole heap that have one of these *descriptors*, with it."""
    heap.thaw()
    values = _get_objects()
    types = list(map(id, map(type, values)))
    kinds = {key for key, value in dict(zip(types, values)).items() if kind_of(value) is not None}
    found: List[Tuple[Any, int]] = []
    for key, value in zip(types, values) if kinds else ():
        if key in kinds:
            fd = max(os_facts.descriptor_of(value), os_facts.socket_descriptor(value))
            if fd >= 0 and fd in descriptors:
                found.append((value, fd))
    return found


def _elsewhere(value: object) -> bool:
    return issubclass(type(value), _ELSEWHERE)


def _of(value: object) -> Iterator[object]:
    kind = type(value)
    for fd in (os_facts.descriptor_of(value), os_facts.socket_descriptor(value)):
        if fd >= 0:
            yield fd
    pid = os_facts.running_process_id(value)
    if pid:
        yield "pid", pid
    if issubclass(kind, _Thread):
        ident = os_facts.attributes(value).get("_ident")
        # Once it has ended, its number may be another thread's.
        if _active.get(ident) is value:
            yield "thread", ident
    resource = kind_of(value)
    if resource is not None and resource.name == "database connection":
        yield driver_ids.descriptor_of(value)
    module = objects.module_of(kind)
    if module.startswith("multiprocessing"):
        yield from _of_multiprocessing(os_facts.attributes(value))
    elif module in ("select", "selectors"):
        try:
            yield value.fileno()    # type: ignore[attr-defined]
        except errors.PASSING:
            raise
        except BaseException:  # a selector without one, or closed
            pass


def _of_multiprocessing(values: Any) -> Iterator[object]:
    """Connections keep their descriptor as _handle, children theirs as sentinel or for a
    finalizer."""
    for name in ("_handle", "sentinel"):
        if type(values.get(name)) is int:
            yield values[name]
    finalizer = values.get("finalizer")
    arguments = os_facts.attributes(finalizer).get("_args") if finalizer is not None else None
    for each in arguments if type(arguments) is tuple else ():
        if type(each) is int:
            yield each
        elif type(each) is list or type(each) is tuple:
            yield from (item for item in each if type(item) is int)
