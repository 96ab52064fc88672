"""MySQLLeakFixMixin, PostgreSQLLeakFixMixin: sessions that a class left on the server are reported
and ended."""
from __future__ import annotations

import gc
import os
import sys
import warnings
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Optional, Tuple, Union

from unittest_leakfix._core import redaction
from unittest_leakfix._core.attributes import before_set_up, is_setting_up
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.errors import LeakFixWarning
from unittest_leakfix.databases import connect
from unittest_leakfix.databases.server import Server
from unittest_leakfix.databases.server_sessions import (
    Ended,
    Opening,
    Session,
    Sessions,
    count,
    outcome,
    quoted,
    table,
)
from unittest_leakfix.mixins import check

__unittest = True
bind(globals())
_getpid = os.getpid

#: The name of a database, its address, or a function that returns a connection to it.
Database = Union[str, Callable[[], Any]]


class SessionsLeft(AssertionError):
    """A class left sessions on the server. The text has the table."""


@dataclass
class _Watched:
    """What is known of the server between the class's beginning and its end."""

    server: Server
    connection: Any
    database: str
    before: Tuple[Session, ...]
    pid: int


_watched: Dict[type, _Watched] = {}


class _SessionsMixin:
    """See `MySQLLeakFixMixin`."""

    leakfix_database: Optional[Database] = None
    leakfix_fail_on_sessions = False
    _leakfix_dialect = ""
    _leakfix_grace = 0.5
    _leakfix_pid = staticmethod(os.getpid)
    _leakfix_collect = staticmethod(gc.collect)

    def __init_subclass__(cls, **kwds: Any) -> None:
        super().__init_subclass__(**kwds)
        for mixin in cls.__mro__:
            if _SessionsMixin in mixin.__bases__:
                check(cls, mixin)
        before_set_up(cls, cls.__dict__.get("setUpClass"), "_leakfix_watch")

    @classmethod
    def setUpClass(cls) -> None:
        """Take note of the sessions that are there."""
        cls._leakfix_watch()
        super().setUpClass()  # type: ignore[misc]

    @classmethod
    def doClassCleanups(cls) -> None:
        """Run the class cleanups, then tell and end the sessions that are left."""
        super().doClassCleanups()  # type: ignore[misc]
        # Not when setUpClass itself calls it half way through.
        if not is_setting_up(cls):
            cls._leakfix_end()

    @classmethod
    def leakfix_opened_by(cls, session: Session) -> Union[str, Opening, None]:
        """Return the test that opened `session`: by our records, where connections are recorded.
        May be overridden."""
        records = sys.modules.get("unittest_leakfix.tracing.opened_connections")
        return None if records is None else records.connection_registry.record_of_session(session)

    @classmethod
    def _leakfix_watch(cls) -> None:
        if cls in _watched or cls.leakfix_database is None:
            return
        try:
            _watched[cls] = _begin(cls._leakfix_dialect, cls.leakfix_database)
        except Exception as error:
            cls._leakfix_trouble("the sessions on the server cannot be watched", error, None)

    @classmethod
    def _leakfix_end(cls) -> None:
        watched = _watched.pop(cls, None)
        if watched is None or watched.pid != cls._leakfix_pid():
            return  # a fork: the parent's connection is not ours to use or close
        report = cls.tearDown_exceptions.append  # type: ignore[attr-defined]
        try:
            _reopen(watched, cls._leakfix_dialect, cls.leakfix_database)
            left = _left(watched, cls._leakfix_grace, cls._leakfix_collect)
            if left:
                cls._leakfix_report(watched, left, report)
        except Exception as error:
            cls._leakfix_trouble("the sessions left on %s cannot be read"
                                 % quoted(watched.database), error, report)
        finally:
            _close(watched.connection)

    @classmethod
    def _leakfix_report(cls, watched: _Watched, left: Tuple[Session, ...],
                      report: Callable[[Any], None]) -> None:
        shown = watched.server.sessions(watched.database, cls.leakfix_opened_by)
        still_there = tuple(each for each in shown.sessions if any(map(each.is_same, left)))
        if not still_there:
            return
        ended = watched.server.terminate(watched.database, only=still_there)
        text = _left_text(cls, replace(shown, sessions=still_there), ended)
        if cls.leakfix_fail_on_sessions:
            report((SessionsLeft, SessionsLeft(text), None))
        else:
            warnings.warn(text, LeakFixWarning, stacklevel=2)

    @classmethod
    def _leakfix_trouble(cls, text: str, error: Exception,
                         report: Optional[Callable[[Any], None]]) -> None:
        """A class that shall fail on sessions must not pass unseen; any other is warned of."""
        line = "%s: %s: %s" % (cls.__name__, text, redaction.error(error))
        if not cls.leakfix_fail_on_sessions:
            warnings.warn(line, LeakFixWarning, stacklevel=2)
        elif report is None:
            raise SessionsLeft(line) from None
        else:
            report((SessionsLeft, SessionsLeft(line), None))


class MySQLLeakFixMixin(_SessionsMixin):
    """Reports and ends the sessions on a MySQL or MariaDB database that the tests of a class left.

    Put it first, and name the database::

        class OrderTests(MySQLLeakFixMixin, unittest.TestCase):
            leakfix_database = "test_shop"

    ``leakfix_database`` is a name (server, user and password as MySQL's own client finds them), an
    address ("mysql://user@host/test_shop"), or a function that returns a connection to it. After
    ``tearDownClass`` and the class cleanups, every session on that database that was not there
    before ``setUpClass`` is shown in a `LeakFixWarning`, and ended: other processes' as well, so
    let it be a database that only these tests use. With ``leakfix_fail_on_sessions = True`` they
    are an error of the class. Python 3.8 and later, under every runner.
    """

    _leakfix_dialect = "mysql"


class PostgreSQLLeakFixMixin(_SessionsMixin):
    """Reports and ends the sessions on a PostgreSQL database that the tests of a class left.

    As `MySQLLeakFixMixin`; a name is looked up as libpq does (PGHOST, PGUSER, ~/.pgpass), and our
    own session is on the database "postgres", so that it does not stand in the way of a DROP.
    """

    _leakfix_dialect = "postgresql"


def _begin(dialect: str, database: Database) -> _Watched:
    connection, name = _opened(dialect, database)
    try:
        server = connect.server(dialect, connection)
        name = name or server.current_database()
        if not name:
            raise ValueError(
                "the connection of leakfix_database is on no database: let it choose one")
        return _Watched(server, connection, name, server.look(name).sessions, _getpid())
    except BaseException:
        _close(connection)
        raise


def _opened(dialect: str, database: Database) -> Tuple[Any, str]:
    """Return our connection, which is kept for the class (the server may be full later), and the
    name."""
    if not isinstance(database, str):
        return database(), ""
    if "://" in database:
        address = connect.read(database)
        if address.dialect != dialect or not address.database:
            raise ValueError("leakfix_database takes %s://.../NAME here" % dialect)
    else:
        address = connect.Address(dialect, database=database)
    if not address.database.strip():
        raise ValueError("leakfix_database is empty: name the database")
    return connect.aside(connect.filled(address)), address.database


def _reopen(watched: _Watched, dialect: str, database: Optional[Database]) -> None:
    """Put a new connection in the place of one that was lost (wait_timeout, ended by a test)."""
    try:
        watched.server.current_database()
    except Exception:
        if database is None:
            raise
        _close(watched.connection)
        watched.connection = _opened(dialect, database)[0]
        watched.server = connect.server(dialect, watched.connection)


def _left(watched: _Watched, grace: float, collect: Callable[[], object]) -> Tuple[Session, ...]:
    """Return the sessions that are new, and stay when garbage was collected and `grace` seconds
    given."""
    def new() -> Tuple[Session, ...]:
        found = watched.server.look(watched.database).sessions
        return tuple(each for each in found if not any(map(each.is_same, watched.before)))
    found = new()
    if not found:
        return ()
    collect()  # a connection in a cycle, or of a thread that is over
    return watched.server.wait(watched.database, found, grace)


def _left_text(cls: type, left: Sessions, ended: Ended) -> str:
    lines = table(left).split("\n")
    number = len(left.sessions)
    lines[0] = "%s left %s on %s, %s" % (cls.__name__, count(number), quoted(left.database or ""),
                                         left.server)
    return "\n".join(lines + ["", outcome(ended)])


def _close(connection: Any) -> None:
    try:
        connection.close()
    except Exception:  # lost meanwhile
        pass
