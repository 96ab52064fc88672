"""MySQL and MariaDB: the sessions on a database, and an end to them.

Over any DB-API connection that the caller gives. Nothing is committed or rolled back: neither
reading the list nor KILL begins or ends a transaction.
"""
from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Dict, Iterable, List, Optional, Tuple

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

_LIST = "SELECT id, user, host, db, command, time, state, info FROM information_schema.processlist"
_ABOUT = ("SELECT VERSION(), @@version_comment, @@max_connections, @@performance_schema, "
          "@@lower_case_table_names, CONNECTION_ID(), CURRENT_USER()")
_LAST = ("SELECT t.processlist_id, s.sql_text FROM performance_schema.threads t "
         "JOIN performance_schema.events_statements_current s ON s.thread_id = t.thread_id "
         "WHERE t.processlist_id IS NOT NULL")
_PROGRAM = ("SELECT processlist_id, attr_value FROM performance_schema.session_connect_attrs "
            "WHERE attr_name = 'program_name'")
# What waits for a row's lock, and what holds it: MariaDB and MySQL up to 5.7, then MySQL 8.
_ROWS = ("SELECT r.trx_mysql_thread_id, b.trx_mysql_thread_id "
         "FROM information_schema.innodb_lock_waits w "
         "JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id "
         "JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id")
_ROWS_8 = ("SELECT r.processlist_id, b.processlist_id FROM performance_schema.data_lock_waits w "
           "JOIN performance_schema.threads r ON r.thread_id = w.requesting_thread_id "
           "JOIN performance_schema.threads b ON b.thread_id = w.blocking_thread_id")
# Of a table's: with performance_schema, and the plugin of MariaDB's that shows what is held.
_TABLES = ("SELECT r.processlist_id, b.processlist_id FROM performance_schema.metadata_locks w "
           "JOIN performance_schema.metadata_locks h ON h.object_type = w.object_type "
           "AND h.object_schema <=> w.object_schema AND h.object_name <=> w.object_name "
           "AND h.lock_status = 'GRANTED' AND h.owner_thread_id <> w.owner_thread_id "
           "JOIN performance_schema.threads r ON r.thread_id = w.owner_thread_id "
           "JOIN performance_schema.threads b ON b.thread_id = h.owner_thread_id "
           "WHERE w.lock_status = 'PENDING'")
_HELD = ("SELECT thread_id, table_schema, table_name FROM information_schema.metadata_lock_info "
         "WHERE lock_type = 'Table metadata lock'")
_METADATA = "metadata lock"
# Threads of the server's own that stand in the list.
_SERVERS = ("system user", "event_scheduler")
_GONE, _NOT_OWNER, _DENIED = 1094, 1095, (1044, 1142, 1227)


def sessions(connection: Any, database: Optional[str] = None,
             who: Optional[Who] = None) -> Sessions:
    """Return the sessions on `database`, or on all, but that of `connection` itself.

    `who(session)` may say which test opened it: text, an
    `Opening` (`Acquisition`, `ConnectionRecord`) or None. Without the PROCESS
    privilege the server shows the account's own sessions only; a note says so. Raises what the
    driver raises.
    """
    return MySQL(connection).sessions(database, who)


def terminate_sessions(connection: Any, database: str, keep: Keep = (),
                       only: Optional[Iterable[Session]] = None, patience: float = 5.0) -> Ended:
    """End, by KILL, every session whose database is `database`, and return what was ended.

    Never that of `connection` itself, nor those of `keep` (ids and Sessions); with `only`, no
    others than these Sessions. Each is looked at again when its turn comes. What may not be ended
    is returned with its error, a `MissingPrivilege` that names the GRANT. Waits up to `patience`
    seconds until they are gone. Raises ValueError for an empty name, TypeError for a wrong `keep`,
    and what the driver raises when the list cannot be read.
    """
    return MySQL(connection).terminate(database, keep, only, patience)


class MySQL(Server):
    """A MySQL or MariaDB server."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._about: Tuple[Any, ...] = ()

    def look(self, database: Optional[str] = None) -> Sessions:
        """Return the sessions as `information_schema.processlist` has them."""
        about = self._facts()
        transactions, waiting, notes = self._transactions()
        statements, programs = self._instrumented()
        every = [self._session(row, transactions, statements, programs)
                 for row in rows(self.connection, _LIST + " ORDER BY id")
                 if number(row[0]) != about[5] and row[1] not in _SERVERS]
        found = [each for each in self._linked(every, waiting)
                 if self._is_on(each.database or None, database)]
        used = rows(self.connection, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")
        return Sessions(tuple(found), self._name(), database,
                        number(used[0][1]) if used else None, number(about[2]), notes)

    def end(self, session: Session) -> bool:
        """KILL it, if it is still there and still on its database."""
        now = rows(self.connection, "%s WHERE id = %d" % (_LIST, session.id))
        same = [each for each in now if self._session(each).is_same(session)]
        if not same or session.id == self._facts()[5]:
            return False
        try:
            rows(self.connection, "KILL %d" % session.id)
        except Exception as error:
            if code(error) == _GONE:
                return False
            if code(error) == _NOT_OWNER:
                raise MissingPrivilege("it is another account's: GRANT %s ON *.* TO %s" % (
                    self._killing(), self._account())) from error
            raise
        return True

    def current_database(self) -> str:
        """Return the connection's default database."""
        return str(rows(self.connection, "SELECT DATABASE()")[0][0] or "")

    def port(self) -> Optional[int]:
        """Return the server's port."""
        return number(rows(self.connection, "SELECT @@port")[0][0])

    def _facts(self) -> Tuple[Any, ...]:
        if not self._about:
            about = rows(self.connection, _ABOUT)[0]
            self._about = about[:4] + (number(about[4]), number(about[5]), about[6])
        return self._about

    def _is_on(self, name: Optional[str], database: Optional[str]) -> bool:
        # Compared here: the server's own comparison ignores case, accents and blanks at the end.
        if database is None or name == database:
            return True
        return bool(self._facts()[4]) and name is not None and name.lower() == database.lower()

    def _session(self, row: Tuple[Any, ...], transactions: Optional[Dict[int, float]] = None,
                 statements: Optional[Dict[int, str]] = None,
                 programs: Optional[Dict[int, str]] = None) -> Session:
        statements, programs, transactions = statements or {}, programs or {}, transactions or {}
        this = number(row[0])
        host, port = _client(str(row[2] or ""))
        doing = str(row[6] or "")
        return Session(
            id=this, user=redaction.line(str(row[1] or "")), client_host=host, client_port=port,
            application=redaction.line(programs.get(this, "")), database=str(row[3] or ""),
            state=_state(str(row[4] or ""), doing, this in transactions),
            age=None if row[5] is None else float(str(row[5])),
            statement=redaction.statement(str(row[7] or statements.get(this) or ""), "mysql"),
            transaction=transactions.get(this), waits=_METADATA in doing)

    def _transactions(self) -> Tuple[Dict[int, float], List[int], Tuple[str, ...]]:
        """Return the ages of the open transactions by their sessions, the sessions that wait for
        the lock of a row, and a note when that needs a privilege."""
        try:
            found = rows(self.connection,
                         "SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW()), "
                         "trx_state FROM information_schema.innodb_trx")
        except Exception as error:
            if code(error) not in _DENIED:
                raise
            return {}, [], (
                "%s sees its own sessions only, and no open transactions; to see all: "
                "GRANT PROCESS ON *.* TO %s" % (self._account(), self._account()),)
        return ({number(row[0]): float(str(row[1] or 0)) for row in found},
                [number(row[0]) for row in found if row[2] == "LOCK WAIT"], ())

    def _linked(self, found: List[Session], waiting: List[int]) -> List[Session]:
        """Return the sessions, those that wait for a lock with the ones that hold it."""
        tables = [each.id for each in found if each.waits]
        if not tables and not waiting:
            return found
        pairs: List[Tuple[int, int]] = []
        if waiting:
            old = self._is_mariadb() or self._version() < (8, 0)
            pairs += self._pairs(_ROWS if old else _ROWS_8)
        if tables:
            pairs += self._pairs(_TABLES) if str(self._facts()[3]) in ("1", "ON") else []
            if not {one for one, _ in pairs}.issuperset(tables):
                pairs += self._held_tables(found)
        return [self._waiting(each, waiting, pairs, found) for each in found]

    def _waiting(self, session: Session, waiting: List[int], pairs: List[Tuple[int, int]],
                 found: List[Session]) -> Session:
        if session.id in waiting:
            session = replace(session, state="active: waiting for a lock", waits=True)
        if not session.waits:
            return session
        ids = {holder for waiter, holder in pairs if waiter == session.id}
        guess = not ids
        if guess:   # what has been in a transaction for longer than it waits, on its database
            ids = {each.id for each in found if each.id != session.id and not each.waits
                   and each.transaction is not None and _concerns(session, each.database)
                   and each.transaction >= (session.age or 0) - 1}
        return replace(session, waits_for=tuple(sorted(ids)), is_guess=guess and bool(ids))

    def _pairs(self, statement: str) -> List[Tuple[int, int]]:
        """Return (what waits, what holds); nothing where the server does not show it."""
        try:
            return [(number(one), number(other)) for one, other in rows(self.connection, statement)
                    if one and other and one != other]
        except Exception:   # no such table, no plugin, no privilege
            return []

    def _held_tables(self, found: List[Session]) -> List[Tuple[int, int]]:
        """Return the same by MariaDB's plugin, which shows what is held: a table that stands in the
        statement that waits."""
        try:
            held = rows(self.connection, _HELD)
        except Exception:   # it is not installed
            return []
        return [(each.id, number(holder)) for each in found if each.waits
                for holder, schema, table in held
                if number(holder) != each.id and _concerns(each, str(schema))
                and _names(each.statement, str(table))]

    def _instrumented(self) -> Tuple[Dict[int, str], Dict[int, str]]:
        """Return the last statements and the programs' names, where performance_schema has them."""
        found: List[Dict[int, str]] = []
        for statement in (_LAST, _PROGRAM) if str(self._facts()[3]) in ("1", "ON") else ():
            try:
                found.append(
                    {number(row[0]): str(row[1] or "") for row in rows(self.connection, statement)})
            except Exception as error:
                if code(error) not in _DENIED:
                    raise
                found.append({})
        return (found[0], found[1]) if found else ({}, {})

    def _name(self) -> str:
        version = str(self._facts()[0])
        return "%s %s" % ("MariaDB" if self._is_mariadb() else "MySQL", version.split("-")[0])

    def _is_mariadb(self) -> bool:
        return "mariadb" in ("%s %s" % self._facts()[:2]).lower()

    def _killing(self) -> str:
        if self._is_mariadb():
            return "CONNECTION ADMIN" if self._version() >= (10, 5) else "SUPER"
        return "CONNECTION_ADMIN" if self._version() >= (8, 0) else "SUPER"

    def _version(self) -> Tuple[int, ...]:
        return tuple(int(part) for part in str(self._facts()[0]).split(".")[:2])

    def _account(self) -> str:
        user, _, host = str(self._facts()[6]).rpartition("@")
        return "%s@%s" % tuple("'%s'" % part.replace("'", "''") for part in (user, host))


def _concerns(session: Session, database: str) -> bool:
    """Tell whether its statement may be about a table of that database."""
    return database in ("", session.database) or _names(session.statement, database)


def _names(statement: str, name: str) -> bool:
    return re.search(r"(?i)(?<![\w$])%s(?![\w$])" % re.escape(name), statement) is not None


def _client(host: str) -> Tuple[str, Optional[int]]:
    """Return host and port; ("", None) for a socket file, which the server calls localhost."""
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        return name, int(port)
    return ("" if host == "localhost" else host), None


def _state(command: str, doing: str, in_transaction: bool) -> str:
    if command == "Sleep":
        return "idle in transaction" if in_transaction else "idle"
    if command in ("Query", "Execute"):
        return "active: " + doing if doing else "active"
    return "being ended" if command == "Killed" else command.lower()
