"""A connection of our own to a database, by whichever driver is there."""
from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any, Callable, Dict, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core import redaction
from unittest_leakfix.databases.addresses import Address
from unittest_leakfix.databases.mysql import MySQL
from unittest_leakfix.databases.postgresql import PostgreSQL
from unittest_leakfix.databases.queries import code
from unittest_leakfix.databases.server import Server

__unittest = True
bind(globals())

_DRIVERS = {"mysql": ("pymysql", "MySQLdb", "mysql.connector"), "postgresql": ("psycopg", "psycopg2")}
_INSTALL = {"mysql": "PyMySQL", "postgresql": "psycopg[binary]"}
_PATIENCE = 10  # seconds; a server that hangs must not hang us
_NAME = "unittest_leakfix"

_MYSQL_FULL = (
    "one more is admitted for an account with CONNECTION ADMIN (SUPER before MariaDB 10.5 and "
    "MySQL 8), and on extra_port (MariaDB) or admin_port (MySQL 8): connect as such an account")
_POSTGRESQL_FULL = ("the last superuser_reserved_connections (3 by default) are for superusers: "
                    "connect as one (postgresql://postgres@...)")
_FULL = ("too many clients", "too many connections", "connection slots are reserved")
_PASSWORD = ("no password supplied", "password authentication failed")


class CannotConnect(Exception):
    """No connection. The text is one line, and holds no password."""


class PasswordNeeded(CannotConnect):
    """The server asked for a password, or for another one."""


def connect(address: Address) -> Any:
    """Return a DB-API connection in autocommit. Raises `CannotConnect`."""
    driver = _driver(address)
    settings, opener = _settings(address, driver)
    try:
        connection = opener(**settings)
    except Exception as error:
        raise _clear(address, error) from None  # its own text may show the settings
    if address.dialect == "postgresql" or driver.__name__ == "mysql.connector":
        connection.autocommit = True
    return connection


def is_full(error: BaseException) -> bool:
    """Tell whether a driver's error says that the server admits no more connections."""
    try:
        return code(error) in (1040, 1203, "53300") or any(each in str(error).lower() for each in _FULL)
    except Exception:   # its text cannot be had
        return False


def server(dialect: str, connection: Any) -> Server:
    """Return the server of that dialect behind `connection`."""
    return MySQL(connection) if dialect == "mysql" else PostgreSQL(connection)


def aside(address: Address) -> Any:
    """Return a connection that is not on the address's own database, where that is allowed.

    So that it does not stand in the way of a DROP DATABASE. Raises `CannotConnect`.
    """
    if address.dialect == "mysql":
        return connect(replace(address, database=""))
    try:
        return connect(replace(address, database="postgres"))
    except PasswordNeeded:
        raise
    except CannotConnect:
        return connect(address)


def _driver(address: Address) -> Any:
    names = (address.driver,) if address.driver else _DRIVERS[address.dialect]
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise CannotConnect("no driver for %s: %s cannot be imported. Install one: pip install %s" % (
        address.dialect, " or ".join(names), _INSTALL[address.dialect]))


def _settings(address: Address, driver: Any) -> Tuple[Dict[str, object], Callable[..., Any]]:
    settings: Dict[str, object] = {"host": address.host, "port": address.port, "user": address.user,
                                   "password": address.password}
    settings.update(address.options)
    if address.dialect == "postgresql":
        # Empty is left to libpq: PG* variables, ~/.pgpass.
        settings.update(dbname=address.database or "postgres")
        settings.setdefault("connect_timeout", _PATIENCE)
        settings.setdefault("application_name", _NAME)
        return {name: value for name, value in settings.items() if value}, driver.connect
    settings.update(database=address.database or None)
    if "unix_socket" in settings:
        settings.update(host="localhost", port=None)  # MySQLdb takes TCP for any other name
    settings.setdefault("charset", "utf8mb4")
    if driver.__name__ == "mysql.connector":
        settings.update(connection_timeout=_PATIENCE)
    else:
        settings.update(connect_timeout=_PATIENCE, read_timeout=_PATIENCE, autocommit=True)
    return {name: value for name, value in settings.items() if value is not None}, driver.connect


def _clear(address: Address, error: Exception) -> CannotConnect:
    """Return the error in one line, with what to do."""
    said = redaction.error(error, address.password).split(": ", 1)[-1]
    said = said.rpartition("FATAL: ")[2].strip() or said
    if is_full(error):
        advice = _MYSQL_FULL if address.dialect == "mysql" else _POSTGRESQL_FULL
        if code(error) == 1203 or "for role" in said or "for database" in said:
            advice = "that limit is the account's or the database's own: connect as another account"
        return CannotConnect("%s is full (%s). %s" % (address, said.rstrip("."), advice[0].upper() + advice[1:]))
    needed = code(error) == 1045 or any(each in said for each in _PASSWORD)
    kind = PasswordNeeded if needed else CannotConnect
    return kind("cannot connect to %s: %s" % (address, said))
