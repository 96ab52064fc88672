"""Locks and semaphores of the user's modules that a test left taken. Kind: "lock".

Looked at are those that a module, a class or an object of the user's has under a name: two steps
from the module. A lock that is held while another thread runs may be that thread's, and is not
judged.
"""
from __future__ import annotations

import _thread
import sys
import threading
from typing import Any, Dict, Iterator, List, NamedTuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import dict_slot, identity, module_slot, mro
from unittest_leakfix.process_state.base import Change, FoundChange, Monitor, Undo
from unittest_leakfix.tracing import os_facts
from unittest_leakfix.tracing.stacks import is_users_module

__unittest = True
bind(globals())

_Lock, _RLock = _thread.LockType, _thread.RLock
_Semaphore = threading.Semaphore
_active: Dict[int, Any] = threading._active  # type: ignore[attr-defined]
_locked, _is_owned = _Lock.locked, _RLock._is_owned  # type: ignore[attr-defined]


class _Known(NamedTuple):
    name: str
    lock: Any
    kind: type
    """Of these: `_Lock`, `_RLock`, `_Semaphore`."""


class Locks(Monitor):
    """Watches which locks are taken: once for each class of tests."""

    per_test = False
    sharp = False

    def __init__(self) -> None:
        self._locks: List[_Known] = []
        self._taken: List[int] = []     # how often each is
        self._modules = 0               # which there were when they were looked for

    def take(self) -> None:
        modules = _loaded()
        if modules != self._modules:
            self._modules = modules
            self._locks = list(_find())
        self._taken = [_times(each) for each in self._locks]

    def window(self) -> None:
        """Take nothing: an import does not take the locks of others."""

    def same(self) -> bool:
        if _loaded() != self._modules:
            before = {id(each.lock): taken for each, taken in zip(self._locks, self._taken)}
            self.take()     # those of a module that was loaded meanwhile are as they were made
            self._taken = [before.get(id(each.lock), taken)
                           for each, taken in zip(self._locks, self._taken)]
        return all(_times(each) <= taken for each, taken in zip(self._locks, self._taken))

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        alone = len(_active) < 2
        for each, before in zip(self._locks, self._taken):
            times = _times(each) - before
            if times > 0 and (alone or each.kind is _RLock):
                found.append((Change("lock", each.name, "", restorable=True,
                                     after="%d times" % times if times > 1 else ""),
                              _releasing(each.lock, times)))
        return found


def _loaded() -> int:
    """Return a number that is another one once another module is loaded."""
    return hash(tuple(map(identity, sys.modules.values())))


def _times(known: _Known) -> int:
    if known.kind is _Lock:
        return int(_locked(known.lock))
    if known.kind is _RLock:
        return int(_is_owned(known.lock))
    value = os_facts.attributes(known.lock).get("_value")
    return -value if type(value) is int else 0


def _releasing(lock: Any, times: int) -> Undo:
    def undo() -> None:
        for _ in range(times):
            lock.release()

    return undo


def _find() -> Iterator[_Known]:
    for name, module in list(sys.modules.items()):
        if not is_users_module(module):
            continue
        for key, value in list(vars(module).items()):
            yield from _of(value, "%s.%s" % (name, key), name)


def _of(value: Any, name: str, module: str) -> Iterator[_Known]:
    kind = _kind(value)
    if kind is not None:
        yield _Known(name, value, kind)
        return
    if issubclass(type(value), type):
        space = dict_slot(value) if module_slot(value) == module else {}
    elif module_slot(type(value)) == module:     # an object of a class of the module's own
        space = os_facts.attributes(value)
    else:
        return
    for key, inner in list(space.items()):
        kind = _kind(inner)
        if kind is not None and type(key) is str:
            yield _Known("%s.%s" % (name, key), inner, kind)


def _kind(value: Any) -> Any:
    """Return which kind of lock a value is: a condition is judged by the lock that it has."""
    kind = type(value)
    if kind is _Lock or kind is _RLock:
        return kind
    return _Semaphore if any(each is _Semaphore for each in mro(kind)) else None
