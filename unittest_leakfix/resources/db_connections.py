"""Kinds: DB-API 2.0 connections and cursors, sqlite3 and its quirks.

Openness is read without a word to the server, and a description never
touches a password: only host, port, user and database are looked up.
"""
from __future__ import absolute_import

import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import (
    MISSING,
    class_of,
    flag,
    is_coroutine_function,
    mro,
    name_of,
    on_type,
    own_attribute,
)
from unittest_leakfix.resources.kind import Kind, method, open_by_flags, short_text

__unittest = True
bind(globals())

_HOSTS = ("host", "_host", "server_host", "unix_socket", "_unix_socket")
_PORTS = ("port", "_port")
_USERS = ("user", "_user")
_BASES = ("db", "_db", "database", "_database", "dbname")


def closing_is_awaited(value):
    """True when ``close`` on the type is a coroutine function."""
    return is_coroutine_function(on_type(class_of(value), "close"))


# -- any driver

def _driver(value):
    """Return the top package of the driver's own class, below a user's subclasses."""
    for base in reversed(mro(class_of(value))):
        module = name_of(base)[0]
        if type(module) is str and on_type(base, "cursor") is not MISSING:
            return "" if module == "__main__" else module.split(".")[0]
    return ""


def _first(value, names):
    for name in names:
        found = own_attribute(value, name)
        shown = str(found) if type(found) is int else short_text(found)
        if shown:
            return shown
    return ""


def place_text(user, host, port, base):
    """``user@host:port/base``, with what is known."""
    where = (user + "@" if user and host else "") + host
    where += ":" + port if port and host and not host.startswith("/") else ""
    return where + ("/" + base if base and where else base)


def _connection_text(value):
    driver = _driver(value)
    place = place_text(_first(value, _USERS), _first(value, _HOSTS), _first(value, _PORTS),
                   _first(value, _BASES))
    try:
        place = place or _info_place(value) or _host_info(value)
    except Exception:
        pass  # a lost connection may refuse; its driver is still worth naming
    text = "%s connection" % driver if driver else "database connection"
    return "%s to %s" % (text, place) if place else text


def _info_place(value):
    # psycopg2 2.8 and psycopg 3: libpq's own memory, no round trip. Its
    # .password and .dsn stay unread.
    if on_type(class_of(value), "info") is MISSING:
        return ""
    info = value.info
    port = info.port
    return place_text(short_text(info.user), short_text(info.host),
                  str(port) if type(port) is int else "", short_text(info.dbname))


def _host_info(value):
    # mysqlclient keeps no attributes; "db.example via TCP/IP" is local knowledge.
    if on_type(class_of(value), "get_host_info") is MISSING:
        return ""
    return short_text(value.get_host_info())


def _cursor_open(value):
    text = open_by_flags(value, ("closed", "is_closed", "_closed"))
    if text is not None:
        return text
    # PyMySQL and mysqlclient: a closed cursor has let go of its connection,
    # and a cursor dies with it.
    connection = own_attribute(value, "connection", MISSING)
    if connection is None:
        return False
    if connection is not MISSING and open_by_flags(connection) is False:
        return False
    return None


CONNECTION = Kind("database connection", method("close"), open_by_flags, _connection_text,
                  awaits=closing_is_awaited)
CURSOR = Kind("cursor", method("close"), _cursor_open, awaits=closing_is_awaited)


# -- drivers that need more than a flag

def _connector_open(value):
    # mysql.connector: is_connected() pings the server. Look at the socket.
    outer = own_attribute(value, "_socket", MISSING)
    if outer is MISSING:
        return None
    held = getattr(outer, "sock", None)
    return held is not None and held.fileno() != -1


def _connector_awaited_open(value):
    inner = own_attribute(value, "_socket")
    return inner is not None and flag(inner, "_is_connected")


def _connector_c_open(value):
    inner = own_attribute(value, "_cmysql")
    return inner is not None and bool(inner.connected())  # a flag of the C client


def _aiosqlite_open(value):
    return own_attribute(value, "_connection") is not None


def _needs_a_loop(value):
    # aiomysql: close() is not a coroutine, but its transport asks the loop to close it.
    loop = own_attribute(value, "_loop")
    return loop is not None and loop.is_closed()


def _asyncpg_text(value):
    address, settings = value._addr, value._params
    host, port = address if type(address) is tuple else (address, "")
    place = place_text(short_text(settings.user), short_text(host), str(port),
                   short_text(settings.database))
    return "asyncpg connection to %s" % place


# -- sqlite3

def _sqlite_open(probe):
    """Openness by an access that raises ProgrammingError once it is closed."""
    def is_open(value):
        try:
            probe(value)
        except Exception as error:
            if type(error).__name__ != "ProgrammingError":
                return None
            return _is_other_thread(error)
        return True
    return is_open


def _is_other_thread(error):
    return "created in a thread" in str(error)


def _sqlite_close(value):
    try:
        value.close()
    except Exception as error:
        # check_same_thread: only its own thread may close it, so deallocation
        # has to; and a cursor whose connection is closed refuses to be closed.
        if type(error).__name__ != "ProgrammingError" or not (
                _is_other_thread(error) or "closed database" in str(error)):
            raise


_sqlite_connection_open = _sqlite_open(lambda value: value.total_changes)


def _sqlite_cursor_open(value):
    # A closed cursor looks like an open one until it is used.
    return None if _sqlite_connection_open(value.connection) else False


def _sqlite_text(value):
    # Python 2.7 commits before a PRAGMA, so there it stays unasked.
    if sys.version_info < (3, 6) or not _sqlite_connection_open(value):
        return "sqlite3 connection"
    cursor = sys.modules["sqlite3"].Cursor(value)  # not value.cursor(): no row_factory
    try:
        for row in cursor.execute("PRAGMA database_list"):
            if row[1] in ("main", b"main"):
                return "sqlite3 connection to %s" % (short_text(row[2], 100) or ":memory:")
    finally:
        cursor.close()


_CONNECTOR = "mysql.connector."

#: (module, class) -> Kind, or None for what is not a resource.
KINDS = {
    ("sqlite3", "Connection"): Kind("sqlite3 connection", _sqlite_close,
                                    _sqlite_connection_open, _sqlite_text),
    ("sqlite3", "Cursor"): Kind("sqlite3 cursor", _sqlite_close, _sqlite_cursor_open),
    ("sqlite3", "Blob"): Kind("sqlite3 blob", _sqlite_close, _sqlite_open(len)),
    (_CONNECTOR + "connection", "MySQLConnection"): Kind(
        "database connection", method("close"), _connector_open, _connection_text),
    (_CONNECTOR + "connection_cext", "CMySQLConnection"): Kind(
        "database connection", method("close"), _connector_c_open, _connection_text),
    (_CONNECTOR + "aio.connection", "MySQLConnection"): Kind(
        "database connection", method("close"), _connector_awaited_open, _connection_text,
        awaits=True),
    ("aiosqlite.core", "Connection"): Kind(
        "database connection", method("close"), _aiosqlite_open, _connection_text,
        awaits=True),
    ("aiomysql.connection", "Connection"): Kind(
        "database connection", method("close"), open_by_flags, _connection_text,
        awaits=_needs_a_loop),
    ("asyncpg.connection", "Connection"): Kind(
        "database connection", method("close"), lambda value: not value.is_closed(),
        _asyncpg_text, awaits=True),
}
