"""The connections of Django's wrappers, in every thread: who opened each, and an end to those nobody uses.

Django keeps one wrapper for each alias in each thread, and only that thread may use it. When the
thread ends, the wrapper waits in a cycle for the collector, and its session on the server with it.
"""
from __future__ import annotations

import gc
import sys
import threading
import time
from _thread import get_ident
from types import FrameType
from typing import Any, Dict, List, Optional, Set
from weakref import ref

from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from unittest_leakfix._core.early import bind
from unittest_leakfix.databases import frameworks
from unittest_leakfix.databases.connecting import is_full
from unittest_leakfix.databases.record import DRIVER, IDENT, PID, ConnectionRecord, Raw
from unittest_leakfix.databases.records import book
from unittest_leakfix.databases.session_ids import descriptors_of
from unittest_leakfix.heap import heap
from unittest_leakfix.resources import register_resource

from .wrappers import (
    Held, close, described, driver_of, is_in_memory, is_open_copy, name_of, own, own_descriptors,
    pool_ports, pool_threads, pools, rests)

__unittest = True
bind(globals())
_DummyThread = threading._DummyThread

REMEDY = "connections.close_all() at the end of the thread's work"

_getframe = sys._getframe
_PATIENCE = 0.5
"""So long a full server is asked again, once something was given back: it takes a moment to notice."""


class Connections:
    """Knows them between `install` and `remove`. There is one, `connections`."""

    _sleep = staticmethod(time.sleep)
    _clock = staticmethod(time.monotonic)
    _collect = staticmethod(gc.collect)

    def __init__(self) -> None:
        self._held: Dict[int, Held] = {}
        self._users = 0
        self._original: Any = None
        self._patch: Any = None
        self._tests = 0     # the thread that runs the tests
        self._kept: Set[int] = set()    # descriptors of those that are Django's own for that thread

    # What Django tells.

    def install(self) -> None:
        """Begin to take note of what connects. `remove` has to follow, as often."""
        self._users += 1
        self._tests = get_ident()
        if self._users > 1:
            return
        self._original = original = BaseDatabaseWrapper.connect

        def connect(wrapper: Any) -> Any:
            return self._connect(original, wrapper)
        self._patch = connect
        BaseDatabaseWrapper.connect = connect
        # A backend with a connect() of its own tells by the signal.
        connection_created.connect(self._created, weak=False)
        register_resource(BaseDatabaseWrapper, is_open=is_open_copy, describe=described, name="database connection")
        frameworks.frameworks.append(self)
        self.look()

    def remove(self) -> None:
        """End it; with the last one Django is as it was."""
        self._users -= 1
        if self._users:
            return
        if BaseDatabaseWrapper.__dict__.get("connect") is self._patch:
            BaseDatabaseWrapper.connect = self._original
        connection_created.disconnect(self._created)
        frameworks.frameworks.remove(self)
        self._held.clear()

    def _connect(self, original: Any, wrapper: Any) -> None:
        self.reap()
        try:
            original(wrapper)
        except Exception as error:
            # It is the first error that is raised, alone, as plainly.
            if wrapper.connection is not None or not is_full(error) or not self._connect_again(original, wrapper):
                raise
        finally:
            self._note(wrapper, _getframe(2))

    def _connect_again(self, original: Any, wrapper: Any) -> bool:
        """The server is full: give back what nobody uses, ask it again, and tell whether that did it."""
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
            thread = book._threads.get(raw[IDENT])
            known = thread is not None and not isinstance(thread, _DummyThread)
            if raw[IDENT] == self._tests and wrapper.vendor != "sqlite":
                self._kept |= descriptors_of(wrapper.connection)
            self._held[id(wrapper)] = Held(ref(wrapper), ref(thread) if known else None, raw)  # type: ignore[arg-type]
        except Exception:   # what is only watched must not fail
            return

    def _raw(self, connection: object, frame: Optional[FrameType]) -> Raw:
        """Return the driver's record; a new one where there is none, or that of a pool's own thread."""
        known = book.raw_of(connection)
        if known is not None and getattr(connection, "_pool", None) is None:
            return known
        driver = driver_of(connection) if known is None else known[DRIVER]
        raw = book.raw(driver, frame)
        book.connected(connection, raw)
        return raw

    # What is asked.

    def open(self) -> List[Held]:
        """Return those of this process that are open now, oldest first."""
        return [each for each in tuple(self._held.values())
                if each.raw[PID] == book.pid and getattr(each.wrapper(), "connection", None) is not None]

    def record_of(self, wrapper: Any) -> Optional[ConnectionRecord]:
        """Return the record of what *wrapper* has open, None where there is none."""
        return None if wrapper.connection is None else self.opening_of(wrapper.connection)

    def reap(self) -> List[ConnectionRecord]:
        """Close the connections of threads that are over; return their records, as they were.

        A wrapper whose connection is shared among threads is left alone.
        """
        over = [key for key, held in tuple(self._held.items()) if held.wrapper() is None or held.is_over()]
        if not over:
            return []
        reaped = []
        for key in over:
            held = self._held.pop(key, None)    # of two threads that reap, one has it
            try:
                record = None if held is None or held.raw[PID] != book.pid else close(held)
            except Exception:   # the warning that it could not be closed, where warnings are errors
                continue
            if record is not None:
                reaped.append(record)
        if reaped:
            self.reaped(reaped)
        return reaped

    def reaped(self, records: List[ConnectionRecord]) -> None:
        """Called with the records of what was closed. Set by who tells of them."""

    def look(self) -> None:
        """Take note of the descriptors of Django's own connections, which its test cases close as they like."""
        self._kept = own_descriptors()

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
        return None if held is None else book.made(connection, held.raw)

    def remedy_of(self, connection: object) -> str:
        """Return what a thread has to do, for a connection of another thread's wrapper."""
        held = self._of(connection)
        return "" if held is None or held.raw[IDENT] == self._tests else REMEDY

    def _of(self, connection: object) -> Optional[Held]:
        for held in tuple(self._held.values()):
            if getattr(held.wrapper(), "connection", None) is connection is not None:
                return held
        return None

    def keeps(self, connection: object) -> bool:
        """Tell whether it is Django's own for the thread that runs the tests, rests in a pool, or leads to memory."""
        if get_ident() == self._tests and any(
                each.connection is connection for each in own()):
            return True
        held = self._of(connection)
        return rests(connection) if held is None else is_in_memory(held.wrapper())

    def runs(self, thread: int) -> bool:
        """Tell whether it is a thread of one of Django's pools."""
        return any(thread == getattr(each, "ident", 0) for each in pool_threads())

    def owns(self, fd: int, name: str, closed: bool) -> bool:
        """Tell whether it is of one of Django's own, or of a pool's thread that is about to connect."""
        if name.startswith("eventpoll") and pools() or name.startswith("socket ") and name.endswith(pool_ports()):
            return True
        return fd in (self._kept if closed else own_descriptors()) or any(
            str(each.settings_dict["NAME"]) in name for each in own()
            if each.vendor == "sqlite" and not each.is_in_memory_db())


connections = Connections()
