"""What both servers share: a look at the sessions, and their ending one by one."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Iterable, List, Mapping, Optional, Sequence, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.databases import local_processes
from unittest_leakfix.databases.server_sessions import (
    Ended,
    Keep,
    Refused,
    Session,
    Sessions,
    Who,
    ids_of,
)

__unittest = True
bind(globals())

class Server:
    """A server as seen over the caller's DB-API `connection`."""

    _sleep = staticmethod(time.sleep)
    _clock = staticmethod(time.monotonic)

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def look(self, database: Optional[str] = None) -> Sessions:
        """Return the sessions on `database`, or on all, as the server shows them."""
        raise NotImplementedError

    def end(self, session: Session) -> bool:
        """End one session if it is still the same and on the same database.

        Returns False when it was gone already. Raises `MissingPrivilege`, or the driver's error.
        """
        raise NotImplementedError

    def current_database(self) -> str:
        """Return the database that the connection is on, "" for none."""
        raise NotImplementedError

    def port(self) -> Optional[int]:
        """Return the port that the server listens on; None when it does not say."""
        raise NotImplementedError

    def sessions(self, database: Optional[str] = None, who: Optional[Who] = None) -> Sessions:
        """Return what `look` returns, with the processes that hold them and the tests that opened
        them."""
        found = self.look(database)
        held = local_processes.held_here(found.sessions, self.port()) if found.sessions else ()
        return replace(found, sessions=tuple(_opened(session, who) for session in held))

    def terminate(self, database: str, keep: Keep = (), only: Optional[Iterable[Session]] = None,
                  patience: float = 5.0) -> Ended:
        """End the sessions on `database`: see `terminate_sessions`."""
        if not isinstance(database, str) or not database.strip():
            raise ValueError("name the one database whose sessions shall end: not %r" % (database,))
        spared, chosen = ids_of(keep), None if only is None else list(only)
        ended: List[Session] = []
        gone: List[Session] = []
        refused: List[Refused] = []
        for session in self.look(database).sessions:
            if session.id in spared or chosen is not None and not any(map(session.is_same, chosen)):
                continue
            try:
                (ended if self.end(session) else gone).append(session)
            except Exception as error:  # each for itself: the others are ended all the same
                refused.append(Refused(session, error))
        lingering = self._lingering(database, ended, patience)
        return Ended(database, tuple(each for each in ended if each not in lingering), tuple(gone),
                     tuple(refused), lingering)

    def remaining(self, database: str, known: Iterable[Session]) -> Tuple[Session, ...]:
        """Return those of `known` that are still there."""
        now = self.look(database).sessions
        return tuple(each for each in known if any(map(each.is_same, now)))

    def wait(self, database: str, known: Iterable[Session], patience: float) -> Tuple[Session, ...]:
        """Wait until none of `known` is there, or `patience` seconds are over; return those that
        are."""
        left, step, end = tuple(known), 0.001, self._clock() + patience
        while left:
            left = self.remaining(database, left)
            if not left or self._clock() >= end:
                break
            self._sleep(min(step, max(end - self._clock(), 0)))
            step = min(step * 2, 0.2)
        return left

    def _lingering(self, database: str, known: List[Session], patience: float) -> Tuple[Session,
                                                                                       ...]:
        try:
            return self.wait(database, known, patience)
        except Exception:  # the server went away meanwhile: nothing was seen to be gone
            return tuple(known)


def _opened(session: Session, who: Optional[Who]) -> Session:
    if who is None:
        return session
    try:
        return replace(session, opened_by=who(session) or "")
    except Exception:  # the records know nothing of it: it is listed all the same
        return session


# Rows of a query over any DB-API connection, whatever its cursors make of a row.

def rows(connection: Any, statement: str,
         parameters: Sequence[object] = ()) -> List[Tuple[Any, ...]]:
    """Run one statement and return its rows as tuples; bytes become text.

    Only `cursor()`, `execute`, `fetchall` and `close` are called. Raises what the driver raises.
    """
    cursor = connection.cursor()
    try:
        # Without parameters a % is a %, with every driver.
        if parameters:
            cursor.execute(statement, tuple(parameters))
        else:
            cursor.execute(statement)
        names = [column[0] for column in cursor.description or ()]
        found = list(cursor.fetchall()) if names else []
    finally:
        try:
            cursor.close()
        except Exception:  # the connection is lost, and that was said already
            pass
    return [tuple(map(_plain, _values(row, names))) for row in found]


def code(error: BaseException) -> object:
    """Return the server's code of a driver's error: MySQL's number, PostgreSQL's SQLSTATE; None
    without one."""
    # The number first: mysql.connector and PyMySQL 1.2 have a SQLSTATE too, which is coarser.
    arguments = error.args
    for found in (getattr(error, "errno", None), arguments[0] if arguments else None):
        if found and isinstance(found, int):
            return found
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


def number(value: object) -> int:
    """Return an int for what drivers make of one (Decimal, text)."""
    return int(str(value))


def _values(row: Any, names: Sequence[str]) -> Sequence[Any]:
    if isinstance(row, Mapping):
        return [row[name] for name in names]
    if isinstance(row, (tuple, list)):
        return row
    return [getattr(row, name) for name in names]


def _plain(value: Any) -> Any:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, (bytes, bytearray,
                                                                         memoryview)) else value
