"""The connections to database servers that are open now: the test, line and process of each.

A record dies with its connection, or is not reported any more once that is closed. Of the arguments
that a connection was opened with nothing is kept: server, user and database are read from the
connection itself, by the names that hold no secret.
"""

from __future__ import annotations

import os
import threading
from _thread import get_ident
from dataclasses import dataclass
from itertools import count
from types import FrameType
from typing import Any, Callable, Collection, Container, Dict, List, Optional, Protocol, Set, Tuple
from weakref import ref

from unittest_leakfix._core.early import bind
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.tracing.driver_ids import descriptors_of, note, port_of, session_of
from unittest_leakfix.tracing.frameworks import place_of, stays_open
from unittest_leakfix.tracing.stacks import Frame, entry, frames_of, is_installed, stack, walk

__unittest = True
bind(globals())

#: driver, test, name and number of the thread, process, serial number; then code and place in it of
#: each frame. Flat and plain, so that the collector leaves it alone (see `frames.walk`).
Raw = Tuple[Any, ...]
DRIVER, TEST, THREAD, IDENT, PID, SERIAL, PLAIN = range(7)
_getpid = os.getpid
_main_thread = threading.main_thread
_SWEPT = 64


# Where one connection was opened: as it is kept, and as it is returned.


@dataclass(frozen=True)
class ConnectionRecord:
    """Where one connection was opened.

    driver: "pymysql"; place: "pymysql connection to app@db.example:3306/shop"; test: the id of the
    test or the name of the fixture that ran, "" outside of one; thread: its name; running: whether
    that thread still runs; pid: the process that opened it; session: the server's number for it
    (MySQL's connection id, PostgreSQL's backend pid), 0 where unknown; connecting: it is being
    opened now; frames: of the opening, innermost first.
    """

    driver: str
    place: str
    test: str
    thread: str
    running: bool
    pid: int
    session: int
    connecting: bool
    frames: Tuple[Frame, ...]


class Subscriber(Protocol):
    """What needs the records, and knows which test runs now."""

    current: str


class ConnectionRegistry:
    """The records of this process, which the patches in `drivers.py` write: those of connections
    to databases are `connection_registry`."""

    _threads: Dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]

    def __init__(self) -> None:
        self.subscribers: List[Subscriber] = []
        self.before_connect: Optional[Callable[[object, Raw], Optional[Exception]]] = None
        """Called before a connection is opened, with the connection if there is an object yet.
        Returns None once it has reserved a place, or the error to raise."""
        self.lock_watch: Any = None
        """What is begun, with the number of the main thread, when two connections are open, and
        ended with the records."""
        self.pid = _getpid()
        self._ties: Dict[int, Tuple[ref[Any], Raw]] = {}
        self._most = _SWEPT
        self._opening: Dict[int, Raw] = {}
        self._serial = count(1)
        self._reported: Set[int] = set()
        _registries.append(ref(self))

    # What the patches call. Microseconds count: a local connection takes a hundred of them.

    def opened(self, driver: str, connection: object, frame: Optional[FrameType]) -> None:
        """Record a connection that the code in *frame* has just opened."""
        try:
            ident = get_ident()
            thread = self._threads.get(ident)
            raw = (driver, self.subscribers[-1].current or self.current(),
                   "" if thread is None else thread._name,  # type: ignore[attr-defined]
                   ident, self.pid, next(self._serial),
                   *(stack(frame) or self._origin(thread) or entry(frame) or walk(frame)))
            self._ties[id(connection)] = ref(connection), raw
            note(driver, connection)
            if len(self._ties) > 1:
                self._watch()
            if len(self._ties) > self._most:
                self._sweep()
        except Exception:
            # The last subscriber has just left, or a connection factory's object allows no weak
            # reference: what is only watched must not fail.
            return

    def raw(self, driver: str, frame: Optional[FrameType]) -> Raw:
        """Return the record of a connection that the code in *frame* opens now in this thread."""
        thread = self._threads.get(get_ident())
        return (driver, self.current(), str(getattr(thread, "_name", "")), get_ident(), self.pid,
                next(self._serial)) + (stack(frame) or self._origin(thread) or entry(frame)
                                       or walk(frame))

    def opening(self, driver: str, connection: object, frame: Optional[FrameType]) -> Raw:
        """Note that the code in *frame* is about to open a connection; returns its record.

        For budgets. *connection*: the object that will be connected, None where the driver makes
        it later. Raises what ``before_connect`` returns; `connected` or `failed` has to follow
        otherwise.
        """
        raw = self.raw(driver, frame)
        refused = None if self.before_connect is None else self.before_connect(connection, raw)
        if refused is not None:
            raise refused
        self.reserve(raw)
        return raw

    def reserve(self, raw: Raw) -> None:
        """Count the connection that is about to be opened."""
        self._opening[raw[SERIAL]] = raw

    def failed(self, raw: Raw) -> None:
        """Note that nothing came of it."""
        self._opening.pop(raw[SERIAL], None)

    def connected(self, connection: object, raw: Raw) -> None:
        """Tie the record to the connection that was opened."""
        try:
            # Before the place is given back: another thread counts at any moment.
            self._ties[id(connection)] = ref(connection), raw
            note(raw[DRIVER], connection)
        except TypeError:
            return
        finally:
            self.failed(raw)
        if len(self._ties) > 1:
            self._watch()
        if len(self._ties) > self._most:
            self._sweep()

    def _watch(self) -> None:
        """Have waits for locks watched, now that one connection can be in the way of another."""
        if self.lock_watch is not None and self.has_two():
            self.lock_watch.begin(_main_thread().ident)

    def has_two(self) -> bool:
        """Tell whether the objects of two connections are alive. The newest come first."""
        alive = 0
        for each, raw in reversed(tuple(self._ties.values())):
            if each() is not None and raw[PID] == self.pid:
                alive += 1
                if alive > 1:
                    return True
        return False

    def _sweep(self) -> None:
        """Take out the dead. A callback of each weak reference would cost each connection more."""
        for key, (alive, _) in tuple(self._ties.items()):
            if alive() is None:
                self._ties.pop(key, None)
        self._most = 2 * len(self._ties) + _SWEPT

    def current(self) -> str:
        """Return what runs now: the id of a test, the name of a fixture; "" for neither."""
        for subscriber in reversed(self.subscribers):
            if subscriber.current:
                return subscriber.current
        return ""

    def _origin(self, thread: Optional[threading.Thread]) -> Tuple[object, ...]:
        """Return the user's frames that started *thread* (a pool's own), where one of the users
        knows."""
        flat: Tuple[object, ...] = ()
        for subscriber in self.subscribers:
            started = getattr(subscriber, "started_at", None)
            if started is not None and thread is not None:
                flat = started(thread)
        while flat and is_installed(str(flat[0])):
            flat = flat[3:]
        return flat

    # Questions.

    def raw_of(self, connection: object) -> Optional[Raw]:
        """Return the record of a connection as it is kept, None if there is none."""
        alive, raw = self._ties.get(id(connection), (None, None))
        return raw if alive is not None and alive() is connection else None

    def of(self, connection: object) -> Optional[ConnectionRecord]:
        """Return the record of *connection*, None where it has none."""
        raw = self.raw_of(connection)
        return None if raw is None else self.record_from(connection, raw)

    def foreign(self, connection: object) -> bool:
        """Tell whether *connection* was opened by another process, from which this one was
        forked."""
        raw = self.raw_of(connection)
        return raw is not None and raw[PID] != self.pid

    def open_connections(self) -> List[Tuple[Any, ConnectionRecord]]:
        """Return the connections that this process has open now, oldest first, with their
        records."""
        return [(each, self.record_from(each, raw)) for each, raw in self._open()]

    def open_records(self, but: object = None) -> List[ConnectionRecord]:
        """Return the records of what is open now or being opened, oldest first; without *but*."""
        made = {raw[SERIAL]: self.record_from(each, raw) for each, raw in self._taken(but)}
        return [made[serial] for serial in sorted(made)]

    def count(self, but: object = None) -> int:
        """Return how many those are."""
        return len({raw[SERIAL] for _, raw in self._taken(but)})

    def _taken(self, but: object) -> List[Tuple[Any, Raw]]:
        """List what is being opened, without its object, then what is open. Some may stand in
        both."""
        pid = self.pid
        # In this order: what leaves the first meanwhile is in the second already.
        opening = [(None, raw) for raw in tuple(self._opening.values()) if raw[PID] == pid]
        return opening + [(each, raw) for each, raw in self._open() if each is not but]

    def mark(self) -> int:
        """Return a mark for `left_open`."""
        return next(self._serial)

    def left_open(self, since: int, known: Collection[int],
                  yet: Container[str]) -> List[Tuple[Any, str]]:
        """Return, each once only, the open connections that tests and fixtures left, with their
        names.

        Those since that mark, without those whose ids are *known*, and without those of the
        fixtures *yet* to be over.
        """
        found = [(each, raw) for each, raw in self._open()
                 if raw[SERIAL] > since and raw[TEST] and raw[TEST] not in yet
                 and raw[SERIAL] not in self._reported and not stays_open(each)]
        self._reported.update(raw[SERIAL] for _, raw in found)
        return [(each, raw[TEST]) for each, raw in found if id(each) not in known]

    def mark_reported(self, connection: object) -> None:
        """Leave *connection* out of `left_open` from now on."""
        self._reported.add((self.raw_of(connection) or (0,) * PLAIN)[SERIAL])

    def descriptors(self) -> Set[int]:
        """Return the descriptors of the open connections that tests and fixtures opened."""
        return set().union(*(descriptors_of(each) for each, raw in self._open() if raw[TEST]))

    def record_of_session(self, session: Any) -> Optional[ConnectionRecord]:
        """Return the record of the connection whose server session is *session*
        (``sessions.Session``).

        Matched by the server's number for it, which is unique on one server, and by the local port
        where both sides know it, which distinguishes two servers.
        """
        return self.connection_of_session(session)[1]

    def connection_of_session(self, session: Any) -> Tuple[Any, Optional[ConnectionRecord]]:
        """Return the connection that `record_of_session` returns the record of, and that record;
        None for both where there is none."""
        for connection, record in self.open_connections():
            if record.session and record.session == session.id:
                port = port_of(connection)
                if not port or not session.client_port or port == session.client_port:
                    return connection, record
        return None, None

    def _open(self) -> List[Tuple[Any, Raw]]:
        pid = self.pid
        alive = [(each(), raw) for each, raw in tuple(self._ties.values()) if raw[PID] == pid]
        return [(each, raw) for each, raw in alive if each is not None and self.is_open(each)]

    def is_open(self, connection: object) -> bool:
        """Tell whether a connection is open; it is where that cannot be known."""
        kind = kind_of(connection)
        return kind is None or kind.is_open(connection) is not False

    def place_of(self, connection: object, driver: str) -> str:
        """Return what a connection is, and where it leads."""
        return place_of(connection, driver)

    def record_from(self, connection: object, raw: Raw) -> ConnectionRecord:
        """Return a record as it is returned to callers."""
        thread = self._threads.get(raw[IDENT])
        return ConnectionRecord(
            raw[DRIVER], self.place_of(connection, raw[DRIVER]),
            raw[TEST], raw[THREAD], getattr(thread, "_name", None) == raw[THREAD], raw[PID],
            session_of(raw[DRIVER], connection), connection is None, frames_of(raw[PLAIN:]))


_registries: List[ref[ConnectionRegistry]] = []
connection_registry = ConnectionRegistry()


def _forked() -> None:
    for each in _registries:
        registry = each()
        if registry is not None:
            registry.pid = _getpid()


# asking for it each time would cost each connection a system call
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
