"""Django's wrappers of connections: who holds one, what it is called, and its end when its thread is over."""
from __future__ import annotations

import sys
import threading
import warnings
from _thread import get_ident
from dataclasses import replace
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple
from weakref import ref

from django.db import connections as _of_thread

from unittest_leakfix._core.early import bind
from unittest_leakfix._core import redaction
from unittest_leakfix.databases.frameworks import place_of
from unittest_leakfix.databases.record import DRIVER, IDENT, ConnectionRecord, Raw
from unittest_leakfix.databases.records import book
from unittest_leakfix.databases.session_ids import descriptors_of
from unittest_leakfix.faults import LeakFixWarning

__unittest = True
bind(globals())

_current_frames = sys._current_frames


class Held(NamedTuple):
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


def own() -> List[Any]:
    """Return the wrappers that Django has for this thread; none where the settings are no good."""
    try:
        return list(_of_thread.all(initialized_only=True))
    except Exception:   # Django says so, when it needs them
        return []


def is_open_copy(wrapper: Any) -> Optional[bool]:
    """Tell whether a wrapper is a copy that somebody made here (``connections["default"].copy()``) and is open.

    None for what Django, or another thread, looks after.
    """
    if wrapper.connection is None:
        return False
    if wrapper._thread_ident != get_ident() or is_in_memory(wrapper) or any(wrapper is each for each in own()):
        return None
    return True


def described(wrapper: Any) -> str:
    """Return "connection 'default' to app@db:5432/shop"."""
    connection = wrapper.connection
    return name_of(wrapper) if connection is None else place_of(connection, driver_of(connection), name_of(wrapper))


def own_descriptors() -> Set[int]:
    """Return the descriptors of the connections of `own`; not SQLite's, which has them for itself."""
    return set().union(*(descriptors_of(each.connection) for each in own()
                         if each.connection is not None and each.vendor != "sqlite"))


def is_in_memory(wrapper: Any) -> bool:
    """Tell whether its database is SQLite's in memory, whose connections Django never closes."""
    return wrapper is not None and wrapper.vendor == "sqlite" and bool(wrapper.is_in_memory_db())


def _close_memory(wrapper: Any) -> None:
    """Close a connection to a database in memory, but not the last one: that would destroy the database."""
    mine = next((each for each in own() if each.alias == wrapper.alias), None)
    name = str(wrapper.settings_dict["NAME"])
    if mine is None or mine is wrapper or mine.connection is None or "cache=shared" not in name:
        return
    if str(mine.settings_dict["NAME"]) == name:
        connection, wrapper.connection = wrapper.connection, None
        connection.close()


def rests(connection: object) -> bool:
    """Tell whether a connection belongs to one of Django's pools (psycopg_pool notes on it which one has lent it)."""
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
    return tuple(":%s" % (each.settings_dict.get("PORT") or 5432) for each in own() if each.alias in found)


def pools() -> Dict[str, Any]:
    """Return the pools of connections by alias (Django 5.1 and later, PostgreSQL only)."""
    found: Dict[str, Any] = {}
    for wrapper in own():
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


def close(held: Held) -> Optional[ConnectionRecord]:
    """Close the connection of a thread that is over; None where there was nothing to close."""
    wrapper = held.wrapper()
    if wrapper is None or wrapper.connection is None or wrapper.allow_thread_sharing:
        return None
    if is_in_memory(wrapper):
        _close_memory(wrapper)
        return None     # Django itself never closes it, so nobody is to blame
    record = replace(book.made(wrapper.connection, held.raw),
                     place=place_of(wrapper.connection, held.raw[DRIVER], name_of(wrapper)))
    wrapper.inc_thread_sharing()
    try:
        wrapper.close()
    except Exception as error:
        warnings.warn("the connection %r of thread %s, which is over, could not be closed: %s" % (
            wrapper.alias, redaction.shown(record.thread), redaction.error(error, str(wrapper.settings_dict.get("PASSWORD") or ""))),
            LeakFixWarning, stacklevel=2)
        return None
    finally:
        wrapper.dec_thread_sharing()
    return record
