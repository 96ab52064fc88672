"""The connections of Django's wrappers, in every thread: who opened each, and an end to those nobody uses.

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
from types import FrameType
from typing import Any, Dict, List, NamedTuple, Optional, Set
from weakref import ref

from django.db import connections as _of_thread
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from unittest_leakfix.databases import frameworks
from unittest_leakfix.databases.connecting import is_full
from unittest_leakfix.databases.record import DRIVER, IDENT, PID, ConnectionRecord, Raw
from unittest_leakfix.databases.records import book
from unittest_leakfix.databases.session_ids import descriptors_of
from unittest_leakfix.faults import LeakFixWarning
from unittest_leakfix.heap import heap

__unittest = True

_getframe = sys._getframe
_PATIENCE = 0.5
"""So long a full server is asked again, once something was given back: it takes a moment to notice."""


class Held(NamedTuple):
    """A wrapper that has connected, and where that was."""

    wrapper: ref[Any]
    thread: Optional[ref[threading.Thread]]
    raw: Raw

    def is_over(self) -> bool:
        """Tell whether its thread has ended."""
        if self.thread is None:     # not one of threading's
            return self.raw[IDENT] not in sys._current_frames()
        thread = self.thread()
        return thread is None or not thread.is_alive()


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
        connection_created.connect(self._created, weak=False, dispatch_uid="unittest_leakfix")
        frameworks.frameworks.append(self)
        self.look()

    def remove(self) -> None:
        """End it; with the last one Django is as it was."""
        self._users -= 1
        if self._users:
            return
        if BaseDatabaseWrapper.__dict__.get("connect") is self._patch:
            BaseDatabaseWrapper.connect = self._original
        connection_created.disconnect(dispatch_uid="unittest_leakfix")
        frameworks.frameworks.remove(self)
        self._held.clear()

    def _connect(self, original: Any, wrapper: Any) -> None:
        self.reap()
        try:
            original(wrapper)
        except Exception as error:
            if wrapper.connection is not None or not is_full(error):
                raise
            self._connect_again(original, wrapper, error)
        finally:
            self._note(wrapper, _getframe(2))

    def _connect_again(self, original: Any, wrapper: Any, error: Exception) -> None:
        """The server is full: give back what nobody uses, and ask it again."""
        before = len(self._held)
        heap.collect_new()
        self._collect()
        self.reap()
        end = self._clock() + (_PATIENCE if len(self._held) < before else 0)
        while True:
            try:
                original(wrapper)
                return
            except Exception as again:
                if wrapper.connection is not None or not is_full(again) or self._clock() >= end:
                    raise
            self._sleep(0.02)

    def _created(self, connection: Any, **_: Any) -> None:
        self._note(connection, _getframe(1))

    def _note(self, wrapper: Any, frame: Optional[FrameType]) -> None:
        try:
            if wrapper.connection is None or wrapper.alias == NO_DB_ALIAS:
                return
            raw = self._raw(wrapper.connection, frame)
            thread = book._threads.get(raw[IDENT])
            known = thread is not None and not isinstance(thread, threading._DummyThread)
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
        driver = _driver(connection) if known is None else known[DRIVER]
        raw = book.raw(driver, frame)
        book.connected(connection, raw)
        return raw

    # What is asked.

    def open(self) -> List[Held]:
        """Return those of this process that are open now, oldest first."""
        return [each for each in tuple(self._held.values())
                if each.raw[PID] == book.pid and getattr(each.wrapper(), "connection", None) is not None]

    def reap(self) -> List[ConnectionRecord]:
        """Close the connections of threads that are over; return their records, as they were.

        A wrapper whose connection is shared among threads is left alone.
        """
        over = [key for key, held in tuple(self._held.items()) if held.is_over()]
        if not over:
            return []
        reaped = []
        for key in over:
            held = self._held.pop(key, None)    # of two threads that reap, one has it
            record = None if held is None or held.raw[PID] != book.pid else _close(held)
            if record is not None:
                reaped.append(record)
        if reaped:
            self.reaped(reaped)
        return reaped

    def reaped(self, records: List[ConnectionRecord]) -> None:
        """Called with the records of what was closed. Set by who tells of them."""

    def look(self) -> None:
        """Take note of the descriptors of Django's own connections, which its test cases close as they like."""
        self._kept = set().union(*(
            descriptors_of(each.connection) for each in _of_thread.all(initialized_only=True)
            if each.connection is not None and each.vendor != "sqlite"))

    # What the records of connections ask of a framework.

    def name_of(self, connection: object) -> str:
        """Return "connection 'default'" for a connection of one of Django's wrappers."""
        for held in tuple(self._held.values()):
            wrapper = held.wrapper()
            if wrapper is not None and wrapper.connection is connection:
                return "connection %r" % wrapper.alias
        return ""

    def keeps(self, connection: object) -> bool:
        """Tell whether it is Django's own for the thread that runs the tests, or rests in a pool."""
        if get_ident() == self._tests and any(
                each.connection is connection for each in _of_thread.all(initialized_only=True)):
            return True
        pool = getattr(connection, "_pool", None)
        return (pool is not None and any(pool is each for each in pools().values())
                and not self.name_of(connection))

    def closes(self, fd: int, name: str) -> bool:
        """Tell whether it was of one of Django's own."""
        return fd in self._kept or any(
            str(each.settings_dict["NAME"]) in name for each in _of_thread.all(initialized_only=True)
            if each.vendor == "sqlite" and not each.is_in_memory_db())


def pools() -> Dict[str, Any]:
    """Return the pools of connections by alias (Django 5.1 and later, PostgreSQL only)."""
    found: Dict[str, Any] = {}
    for wrapper in _of_thread.all(initialized_only=True):
        found.update(getattr(type(wrapper), "_connection_pools", {}))
    return found


def _driver(connection: object) -> str:
    module = type(connection).__module__
    return next((each for each in ("mysql.connector", "sqlite3") if module.startswith(each)),
                module.partition(".")[0])


def _close(held: Held) -> Optional[ConnectionRecord]:
    """Close the connection of a thread that is over; None where there was nothing to close."""
    wrapper = held.wrapper()
    if wrapper is None or wrapper.connection is None or wrapper.allow_thread_sharing:
        return None
    if wrapper.vendor == "sqlite" and wrapper.is_in_memory_db():
        return None     # closing the last connection to it would destroy the database
    record = book.made(wrapper.connection, held.raw)
    wrapper.inc_thread_sharing()
    try:
        wrapper.close()
    except Exception as error:
        warnings.warn("the connection %r of thread %s, which is over, could not be closed: %s: %s" % (
            wrapper.alias, record.thread, type(error).__name__, error), LeakFixWarning, stacklevel=2)
        return None
    finally:
        wrapper.dec_thread_sharing()
    return record


connections = Connections()
