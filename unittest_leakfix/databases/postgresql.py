"""PostgreSQL 10 and later: the sessions on a database, and an end to them.

Over any DB-API connection that the caller gives. What is done to its transaction: inside one, we
work behind a savepoint of our own, so that an error of ours does not break it; outside of one, a
driver begins one for our query (unless it is in autocommit), and we roll that one back. A driver
that does not tell (only psycopg and psycopg2 do: `connection.info`) is left in what it began.
"""
from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterable, Iterator, Optional, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.databases.server import Server, code, number, rows
from unittest_leakfix.databases.server_sessions import (
    Ended,
    Keep,
    MissingPrivilege,
    Session,
    Sessions,
    Who,
)

__unittest = True
bind(globals())

_STARTED = "coalesce(to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '')"
# An ordinary role may not see what other roles' backends are.
_CLIENTS = ("datname IS NOT NULL AND usename IS NOT NULL "
            "AND coalesce(backend_type, 'client backend') IN ('client backend', 'walsender')")
# clock_timestamp(): now() stands still in a transaction.
_LIST = """
SELECT pid, usename, host(client_addr) AS host, client_port, application_name, datname, state,
       extract(epoch from clock_timestamp() - coalesce(state_change, backend_start)) AS age,
       query, """ + _STARTED + """ AS started, wait_event_type,
       extract(epoch from clock_timestamp() - xact_start) AS begun,
       CASE WHEN wait_event_type = 'Lock'
            THEN array_to_string(pg_blocking_pids(pid), ' ') END AS blocking
FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND """ + _CLIENTS
# In one statement: between a look and an end of its own, a pid may become another session's.
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = %s AND datname = %s AND """ + _STARTED + """ = %s AND pid <> pg_backend_pid()"""
_ABOUT = ("SELECT current_setting('server_version') AS version, current_setting('max_connections') "
          "AS most, "
          "current_user AS account, (SELECT count(*) FROM pg_stat_activity WHERE " + _CLIENTS
          + ") AS used")
_UNSEEN = "<insufficient privilege>"
_IDLE, _IN_TRANSACTION, _FAILED = 0, 2, 3
_DENIED = "42501"


def sessions(connection: Any, database: Optional[str] = None,
             who: Optional[Who] = None) -> Sessions:
    """Return the sessions on `database`, or on all, but that of `connection` itself.

    `who(session)` may say which test opened it: text, an
    `Opening` (`Acquisition`, `ConnectionRecord`) or None. An ordinary role
    sees of other roles' sessions neither client nor state nor statement; a note says so. Raises
    what the driver raises, and RuntimeError when the connection is in a failed transaction.
    """
    return PostgreSQL(connection).sessions(database, who)


def terminate_sessions(connection: Any, database: str, keep: Keep = (),
                       only: Optional[Iterable[Session]] = None, patience: float = 5.0) -> Ended:
    """End, by pg_terminate_backend, every session on `database`, and return what was ended.

    Never that of `connection` itself, nor those of `keep` (ids and Sessions); with `only`, no
    others than these Sessions. Each is looked at again when its turn comes. What may not be ended
    is returned with its error, a `MissingPrivilege` that names the GRANT. Waits up to `patience`
    seconds until they are gone. Raises ValueError for an empty name, TypeError for a wrong `keep`,
    and what the driver raises when the list cannot be read.
    """
    return PostgreSQL(connection).terminate(database, keep, only, patience)


class PostgreSQL(Server):
    """A PostgreSQL server."""

    def look(self, database: Optional[str] = None) -> Sessions:
        """Return the sessions as `pg_stat_activity` has them."""
        with self._apart():
            version, limit, account, used = rows(self.connection, _ABOUT)[0]
            if database is None:
                found = rows(self.connection, _LIST + " ORDER BY backend_start, pid")
            else:
                found = rows(self.connection,
                             _LIST + " AND datname = %s ORDER BY backend_start, pid",
                             (database,))
        notes: Tuple[str, ...] = ()
        if any(row[8] == _UNSEEN for row in found):
            notes = ("%s sees little of other roles' sessions; to see all: GRANT pg_read_all_stats "
                     "TO %s" % (
                account, _identifier(account)),)
        return Sessions(tuple(map(_session, found)), "PostgreSQL " + str(version).split(" ")[0],
                        database, number(used), number(limit), notes)

    def end(self, session: Session) -> bool:
        """End its backend, if it is still there and still on its database."""
        try:
            with self._apart():
                done = rows(self.connection, _END, (session.id, session.database, session.started))
        except Exception as error:
            if code(error) == _DENIED:
                raise MissingPrivilege(self._lacking(session)) from error
            raise
        return bool(done and done[0][0])

    def current_database(self) -> str:
        """Return the database that the connection is on."""
        return self._value("SELECT current_database()")

    def port(self) -> Optional[int]:
        """Return the server's port."""
        return int(self._value("SELECT current_setting('port')"))

    def _value(self, statement: str, parameters: Tuple[object, ...] = ()) -> str:
        with self._apart():
            found = rows(self.connection, statement, parameters)
        return str(found[0][0]) if found else ""

    def _lacking(self, session: Session) -> str:
        account = self._value("SELECT current_user")
        if self._value("SELECT rolsuper FROM pg_roles WHERE rolname = %s",
                       (session.user,)) == "True":
            return "it is a superuser's, and only a superuser may end it: connect as one"
        return "it is another role's: GRANT pg_signal_backend TO %s" % _identifier(account)

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """Query without a trace in the caller's transaction (see the top of this module)."""
        before = self._transaction()
        if before == _FAILED:
            raise RuntimeError("the connection is in a failed transaction: roll it back first")
        if before == _IN_TRANSACTION:
            rows(self.connection, "SAVEPOINT leakfix")
        try:
            # In a transaction the server shows the list as it was at the first look.
            rows(self.connection, "SELECT pg_stat_clear_snapshot()")
            yield
        except BaseException:
            self._undo(before)
            raise
        self._undo(before)

    def _undo(self, before: Optional[int]) -> None:
        try:
            if before == _IN_TRANSACTION:
                rows(self.connection, "ROLLBACK TO SAVEPOINT leakfix")
                rows(self.connection, "RELEASE SAVEPOINT leakfix")
            elif before == _IDLE:
                self.connection.rollback()
        except Exception:  # the connection is lost: the next use of it raises
            pass

    def _transaction(self) -> Optional[int]:
        try:
            return int(self.connection.info.transaction_status)
        except Exception:  # another driver
            return None


def _session(row: Tuple[Any, ...]) -> Session:
    (pid, user, host, port, application, database, state, age, query, started, waits, begun,
     blocking) = row
    unseen = query == _UNSEEN
    doing = str(state or "")
    if doing == "active" and waits == "Lock":
        doing = "active: waiting for a lock"
    return Session(
        id=number(pid), user=redaction.line(str(user or "")),
        client_host="?" if unseen else str(host or ""),
        client_port=None if unseen or port is None or number(port) < 0 else number(port),
        application=redaction.line(str(application or "")), database=str(database),
        state=doing, age=None if age is None else float(age),
        statement="" if unseen else redaction.statement(str(query or ""), "postgresql"),
        started=str(started), transaction=None if begun is None else float(begun),
        waits=waits == "Lock",
        waits_for=tuple(sorted(set(map(int, str(blocking or "").split())))))


def _identifier(name: object) -> str:
    return '"%s"' % str(name).replace('"', '""')
