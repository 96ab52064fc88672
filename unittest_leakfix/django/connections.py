"""The connections of Django's wrappers, in every thread: where each was opened, and an end to
those that are not used any more.

Django keeps one wrapper for each alias in each thread, and only that thread may use it. When the
thread ends, the wrapper waits in a cycle for the collector, and its session on the server with it.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
import warnings
from _thread import get_ident
from dataclasses import replace
from types import FrameType
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple
from weakref import ref

from django.db import connections as _of_thread
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.errors import LeakFixWarning
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix._core.swap import Swap
from unittest_leakfix.databases.connect import is_full
from unittest_leakfix.resources.kind import Kind, method
from unittest_leakfix.resources.registry import add_kind
from unittest_leakfix.tracing import frameworks
from unittest_leakfix.tracing.driver_ids import descriptors_of
from unittest_leakfix.tracing.frameworks import place_of
from unittest_leakfix.tracing.opened_connections import (
    DRIVER,
    IDENT,
    PID,
    ConnectionRecord,
    Raw,
    connection_registry,
)

__unittest = True
bind(globals())

# Django's wrappers of connections: who holds one, what it is called, and its end when its thread is
# over.

_current_frames = sys._current_frames


class HeldConnection(NamedTuple):
    """A wrapper that has connected, and where that was."""

    wrapper: ref[Any]
    thread: Optional[ref[threading.Thread]]
    raw: Raw

    def is_over(self) -> bool:
        """Tell whether its thread has ended."""
        if self.thread is None:     # not one of threading's
            return self.raw[IDENT] not in _current_frames()
        thread = self.thread()
        return thread is None or not thread.is_alive()


def thread_connections() -> List[Any]:
    """Return the wrappers that Django has for this thread; none where the settings are faulty."""
    try:
        return list(_of_thread.all(initialized_only=True))
    except Exception:   # Django says so, when it needs them
        return []


def is_open_copy(wrapper: Any) -> Optional[bool]:
    """Tell whether a wrapper is a copy that was made here (``connections["default"].copy()``)
    and is open.

    None for what Django, or another thread, looks after.
    """
    if wrapper.connection is None:
        return False
    if wrapper._thread_ident != get_ident() or is_in_memory(wrapper) or any(
            wrapper is each for each in thread_connections()):
        return None
    return True


def described(wrapper: Any) -> str:
    """Return "connection 'default' to app@db:5432/shop"."""
    connection = wrapper.connection
    return name_of(wrapper) if connection is None else place_of(connection, driver_of(connection),
                                                                name_of(wrapper))


def thread_descriptors() -> Set[int]:
    """Return the descriptors of `thread_connections`; not SQLite's, which has them for itself."""
    return set().union(*(descriptors_of(each.connection) for each in thread_connections()
                         if each.connection is not None and each.vendor != "sqlite"))


def is_in_memory(wrapper: Any) -> bool:
    """Tell whether its database is SQLite's in memory, whose connections Django never closes."""
    return wrapper is not None and wrapper.vendor == "sqlite" and bool(wrapper.is_in_memory_db())


def _close_memory(wrapper: Any) -> None:
    """Close a connection to a database in memory, but not the last one: that would destroy the
    database."""
    mine = next((each for each in thread_connections() if each.alias == wrapper.alias), None)
    name = str(wrapper.settings_dict["NAME"])
    if mine is None or mine is wrapper or mine.connection is None or "cache=shared" not in name:
        return
    if str(mine.settings_dict["NAME"]) == name:
        connection, wrapper.connection = wrapper.connection, None
        connection.close()


def is_pooled(connection: object) -> bool:
    """Tell whether a connection belongs to one of Django's pools (psycopg_pool notes on it which
    one has lent it)."""
    pool = getattr(connection, "_pool", None)
    return any(pool is each or any(connection is idle for idle in tuple(getattr(each, "_pool", ())))
               for each in pools().values())


def pool_threads() -> List[object]:
    """Return the threads of Django's pools."""
    return [thread for each in pools().values()
            for thread in [*getattr(each, "_workers", ()), getattr(each, "_sched_runner", None)]]


def pool_ports() -> Tuple[str, ...]:
    """Return how the addresses of the pools' servers end: ":5432"."""
    found = pools()
    return tuple(":%s" % (each.settings_dict.get("PORT") or 5432) for each in thread_connections()
                 if each.alias in found)


def pools() -> Dict[str, Any]:
    """Return the pools of connections by alias (Django 5.1 and later, PostgreSQL only)."""
    found: Dict[str, Any] = {}
    for wrapper in thread_connections():
        found.update(getattr(type(wrapper), "_connection_pools", {}))
    return found


def name_of(wrapper: Any) -> str:
    """Return "connection 'default'"."""
    return "connection %r" % str(getattr(wrapper, "alias", "?"))


def driver_of(connection: object) -> str:
    """Return the driver's name, as the records of connections have it."""
    module = type(connection).__module__
    return next((each for each in ("mysql.connector", "sqlite3") if module.startswith(each)),
                module.partition(".")[0])


def close(held: HeldConnection) -> Optional[ConnectionRecord]:
    """Close the connection of a thread that is over; None where there was nothing to close."""
    wrapper = held.wrapper()
    if wrapper is None or wrapper.connection is None or wrapper.allow_thread_sharing:
        return None
    if is_in_memory(wrapper):
        _close_memory(wrapper)
        return None     # Django itself never closes it, so no test is to blame
    record = replace(connection_registry.record_from(wrapper.connection, held.raw),
                     place=place_of(wrapper.connection, held.raw[DRIVER], name_of(wrapper)))
    wrapper.inc_thread_sharing()
    try:
        wrapper.close()
    except Exception as error:
        warnings.warn("the connection %r of thread %s, which is over, could not be closed: %s" % (
            wrapper.alias, redaction.shown(record.thread),
            redaction.error(error, str(wrapper.settings_dict.get("PASSWORD") or ""))),
            LeakFixWarning, stacklevel=2)
        return None
    finally:
        wrapper.dec_thread_sharing()
    return record


_DummyThread = threading._DummyThread

REMEDY = "connections.close_all() at the end of the thread's work"

_getframe = sys._getframe
_PATIENCE = 0.5
"""Seconds for which a full server is tried again, once something was released: it takes a moment to
notice."""


class Connections:
    """Knows them between `install` and `remove`. There is one, `connections`."""

    _sleep = staticmethod(time.sleep)
    _clock = staticmethod(time.monotonic)
    _collect = staticmethod(gc.collect)

    def __init__(self) -> None:
        self._held: Dict[int, HeldConnection] = {}
        self._users = 0
        self._swap = Swap()
        self._tests = 0     # the thread that runs the tests
        # The descriptors of those that are Django's own for that thread.
        self._of_django: Set[int] = set()

    # What Django tells.

    def install(self) -> None:
        """Begin to take note of what connects. `remove` has to follow, as often."""
        self._users += 1
        self._tests = get_ident()
        if self._users > 1:
            return
        original = BaseDatabaseWrapper.connect

        def connect(wrapper: Any) -> Any:
            return self._connect(original, wrapper)
        self._swap.put(BaseDatabaseWrapper, "connect", connect)
        # A backend with a connect() of its own tells by the signal.
        connection_created.connect(self._created, weak=False)
        add_kind(BaseDatabaseWrapper, Kind("database connection", method("close"), is_open_copy,
                                           described, opens_later=True))
        frameworks.frameworks.append(self)
        self.look()

    def remove(self) -> None:
        """End it; with the last one Django is as it was."""
        self._users -= 1
        if self._users:
            return
        self._swap.back()
        connection_created.disconnect(self._created)
        frameworks.frameworks.remove(self)
        self._held.clear()

    def _connect(self, original: Any, wrapper: Any) -> None:
        self.reap()
        try:
            original(wrapper)
        except Exception as error:
            # It is the first error that is raised, alone, as plainly.
            if wrapper.connection is not None or not is_full(error) or not self._connect_again(
                    original, wrapper):
                raise
        finally:
            self._note(wrapper, _getframe(2))

    def _connect_again(self, original: Any, wrapper: Any) -> bool:
        """The server is full: close what is not used, try again, and tell whether that did
        it."""
        before = len(self._held)
        heap.collect_new()
        self._collect()
        self.reap()
        end = self._clock() + (_PATIENCE if len(self._held) < before else 0)
        while True:
            try:
                original(wrapper)
                return True
            except Exception:
                if wrapper.connection is not None or self._clock() >= end:
                    return False
            self._sleep(0.02)

    def _created(self, connection: Any, **_: Any) -> None:
        self._note(connection, _getframe(1))

    def _note(self, wrapper: Any, frame: Optional[FrameType]) -> None:
        try:
            if wrapper.connection is None or wrapper.alias == NO_DB_ALIAS:
                return
            raw = self._raw(wrapper.connection, frame)
            thread = connection_registry._threads.get(raw[IDENT])
            known = thread is not None and not isinstance(thread, _DummyThread)
            if raw[IDENT] == self._tests and wrapper.vendor != "sqlite":
                self._of_django |= descriptors_of(wrapper.connection)
            self._held[id(wrapper)] = HeldConnection(
                ref(wrapper), ref(thread) if known else None, raw)  # type: ignore[arg-type]
        except Exception:   # what is only watched must not fail
            return

    def _raw(self, connection: object, frame: Optional[FrameType]) -> Raw:
        """Return the driver's record; a new one where there is none, or that of a pool's own
        thread."""
        known = connection_registry.raw_of(connection)
        if known is not None and getattr(connection, "_pool", None) is None:
            return known
        driver = driver_of(connection) if known is None else known[DRIVER]
        raw = connection_registry.raw(driver, frame)
        connection_registry.connected(connection, raw)
        return raw

    # Questions.

    def open(self) -> List[HeldConnection]:
        """Return those of this process that are open now, oldest first."""
        return [each for each in tuple(self._held.values())
                if each.raw[PID] == connection_registry.pid
                and getattr(each.wrapper(), "connection", None) is not None]

    def record_of(self, wrapper: Any) -> Optional[ConnectionRecord]:
        """Return the record of what *wrapper* has open, None where there is none."""
        return None if wrapper.connection is None else self.opening_of(wrapper.connection)

    def reap(self) -> List[ConnectionRecord]:
        """Close the connections of threads that are over; return their records, as they were.

        A wrapper whose connection is shared among threads is left alone.
        """
        over = [key for key, held in tuple(self._held.items()) if held.wrapper() is None
                or held.is_over()]
        if not over:
            return []
        reaped = []
        for key in over:
            held = self._held.pop(key, None)    # of two threads that reap, one has it
            try:
                mine = held is not None and held.raw[PID] == connection_registry.pid
                record = close(held) if held is not None and mine else None
            except Exception:   # the warning that it could not be closed, where warnings are errors
                continue
            if record is not None:
                reaped.append(record)
        if reaped:
            self.reaped(reaped)
        return reaped

    def reaped(self, records: List[ConnectionRecord]) -> None:
        """Called with the records of what was closed. Set by what reports them."""

    def look(self) -> None:
        """Take note of the descriptors of Django's own connections, which its test cases close as
        they like."""
        self._of_django = thread_descriptors()

    # What the records of connections ask of a framework.

    def name_of(self, connection: object) -> str:
        """Return "connection 'default'" for a connection of one of Django's wrappers."""
        held = self._of(connection)
        return "" if held is None else name_of(held.wrapper())

    def opening_of(self, connection: object) -> Optional[ConnectionRecord]:
        """Return the record of a connection of one of Django's wrappers, or of a wrapper's own."""
        held = self._held.get(id(connection))
        if held is not None and held.wrapper() is connection:
            return self.record_of(connection)
        held = self._of(connection)
        return None if held is None else connection_registry.record_from(connection, held.raw)

    def remedy_of(self, connection: object) -> str:
        """Return what a thread has to do, for a connection of another thread's wrapper."""
        held = self._of(connection)
        return "" if held is None or held.raw[IDENT] == self._tests else REMEDY

    def _of(self, connection: object) -> Optional[HeldConnection]:
        for held in tuple(self._held.values()):
            if getattr(held.wrapper(), "connection", None) is connection is not None:
                return held
        return None

    def keeps(self, connection: object) -> bool:
        """Tell whether it is Django's own for the thread that runs the tests, rests in a pool, or
        leads to memory."""
        if get_ident() == self._tests and any(
                each.connection is connection for each in thread_connections()):
            return True
        held = self._of(connection)
        return is_pooled(connection) if held is None else is_in_memory(held.wrapper())

    def runs_thread(self, thread: int) -> bool:
        """Tell whether it is a thread of one of Django's pools."""
        return any(thread == getattr(each, "ident", 0) for each in pool_threads())

    def owns_descriptor(self, fd: int, on: Tuple[str, str], closed: bool) -> bool:
        """Tell whether it is of one of Django's own, or of a pool's thread that is about to
        connect."""
        what, target = on
        if what == "eventpoll" and pools() or what == "socket" and target.endswith(pool_ports()):
            return True
        return fd in (self._of_django if closed else thread_descriptors()) or any(
            str(each.settings_dict["NAME"]) in target for each in thread_connections()
            if each.vendor == "sqlite" and not each.is_in_memory_db())


connections = Connections()
