"""Addresses of databases (URLs): read, filled in from option files, and shown without the
password."""

from __future__ import annotations

import getpass
import importlib
import os
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, Mapping, Optional, Tuple
from urllib.parse import parse_qsl, unquote, urlsplit

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.databases.mysql import MySQL
from unittest_leakfix.databases.postgresql import PostgreSQL
from unittest_leakfix.databases.server import Server, code
from unittest_leakfix.tracing.driver_ids import login_of

__unittest = True
bind(globals())

_expanduser = os.path.expanduser
_join = os.path.join

_SCHEMES = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql",
            "postgres": "postgresql"}
_DRIVERS = {
    "mysql": {"pymysql": "pymysql", "mysqldb": "MySQLdb", "mysqlconnector": "mysql.connector"},
    "postgresql": {"psycopg": "psycopg", "psycopg2": "psycopg2"},
}
_UNREADABLE = ("the address cannot be read. Write %s://user@host:port/database; in a name or "
               "password "
               "write @ as %%40, : as %%3A, / as %%2F, ? as %%3F, # as %%23")
# What the command's own connection needs; libpq knows the others of its own.
_MYSQL_OPTIONS = ("unix_socket", "socket", "charset")
_GROUPS = ("client", "client-server", "client-mariadb")
_DRIVER_MODULES = {"mysql": ("pymysql", "MySQLdb", "mysql.connector"),
                   "postgresql": ("psycopg", "psycopg2")}
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


class AddressError(ValueError):
    """An address that cannot be read. Its text never repeats the address, which may hold a
    password."""


@dataclass(frozen=True)
class Address:
    """Where a database is, and for whom. `password` is not part of its repr."""

    dialect: str
    """"mysql" or "postgresql"."""
    driver: str = ""
    """The module to use ("pymysql"); "" for whichever is there."""
    user: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    port: Optional[int] = None
    database: str = ""
    options: Tuple[Tuple[str, str], ...] = field(default=(), repr=False)
    """The rest of the address: for PostgreSQL parameters of libpq, for MySQL `unix_socket`."""

    def __str__(self) -> str:
        """Return user@host:port, without the password."""
        socket = dict(self.options).get("unix_socket")
        host = socket or self.host or "the local server"
        if self.port and not socket:
            host = "%s:%d" % ("[%s]" % host if ":" in host else host, self.port)
        return "%s@%s" % (self.user, host) if self.user else host


def read(url: str) -> Address:
    """Return the address that `url` stands for, as it is written.

    mysql:// (mariadb://) and postgresql:// (postgres://), with "+driver" as SQLAlchemy has it.
    Raises AddressError.
    """
    scheme, found, _ = url.partition("://")
    name, _, driver = scheme.lower().partition("+")
    if not found or name not in _SCHEMES:
        raise AddressError("an address begins with mysql:// or postgresql://")
    dialect = _SCHEMES[name]
    if driver and driver not in _DRIVERS[dialect]:
        raise AddressError("the drivers known for %s are: %s"
                           % (dialect, ", ".join(sorted(_DRIVERS[dialect]))))
    try:
        parts = urlsplit(url)
        port = parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True,
                                 strict_parsing=bool(parts.query)))
    except ValueError:  # its text repeats what it could not read
        raise AddressError(_UNREADABLE % name) from None
    database = parts.path[1:]
    # A sign that was not encoded: the rest of a password is taken for what follows it.
    if parts.fragment or any(sign in database + parts.query.partition("=")[0] for sign in "/@:"):
        raise AddressError(_UNREADABLE % name)
    return Address(dialect, _DRIVERS[dialect].get(driver, ""), unquote(parts.username or ""),
                   unquote(parts.password or ""), parts.hostname or "", port, unquote(database),
                   _options(dialect, options))


def _options(dialect: str, options: Dict[str, str]) -> Tuple[Tuple[str, str], ...]:
    if dialect == "mysql":
        if set(options).difference(_MYSQL_OPTIONS):
            raise AddressError("after ? only %s are known for mysql" % ", ".join(_MYSQL_OPTIONS))
        if "socket" in options:
            options["unix_socket"] = options.pop("socket")
    return tuple(sorted(options.items()))


def filled(address: Address, environ: Optional[Mapping[str, str]] = None,
           system: Tuple[str, ...] = ("/etc/my.cnf", "/etc/mysql/my.cnf")) -> Address:
    """Return `address` with what is missing taken from where MySQL's own client looks.

    The option files (those of the `system`, my.cnf in $MYSQL_HOME, ~/.my.cnf: the last one counts),
    then the environment (MYSQL_PWD, MYSQL_HOST, MYSQL_TCP_PORT, MYSQL_UNIX_PORT). For PostgreSQL
    nothing is done: libpq reads PG* and ~/.pgpass itself.
    """
    if address.dialect != "mysql":
        return address
    environ = os.environ if environ is None else environ
    home = environ.get("HOME") or _expanduser("~")
    files = list(system)
    if environ.get("MYSQL_HOME"):
        files.append(_join(environ["MYSQL_HOME"], "my.cnf"))
    settings: Dict[str, str] = {}
    for path in files + [_join(home, ".my.cnf")]:
        settings.update(_option_file(path))
    # Files before the environment, which is the weaker of the two for MySQL's client as well.
    settings.setdefault("password", environ.get("MYSQL_PWD", ""))
    settings.setdefault("host", environ.get("MYSQL_HOST", ""))
    settings.setdefault("port", environ.get("MYSQL_TCP_PORT", ""))
    settings.setdefault("socket", environ.get("MYSQL_UNIX_PORT", ""))
    return _with(address, settings)


def _with(address: Address, settings: Mapping[str, str]) -> Address:
    options = address.options
    if not address.host and not options and not settings["host"] and settings["socket"]:
        options = (("unix_socket", settings["socket"]),)
    port = settings["port"] if settings["port"].isdigit() else ""
    return replace(
        address, user=address.user or settings.get("user", "") or getpass.getuser(),
        password=address.password or settings["password"],
        host=address.host or settings["host"] or "127.0.0.1",
        port=address.port or int(port or 3306), options=options)


def _option_file(path: str) -> Dict[str, str]:
    """Return the client's options of one file in MySQL's form; nothing where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return {}
    settings: Dict[str, str] = {}
    group = ""
    for line in map(str.strip, lines):
        if line.startswith("["):
            group = line.strip("[] ")
        elif group in _GROUPS and line[:1] not in ("", "#", ";", "!"):
            name, _, value = line.partition("=")
            settings[name.strip().replace("_", "-")] = _unquoted(value.strip())
    return settings


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.partition(" #")[0].rstrip()


# A connection of our own to a database, by whichever driver is there.


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
        return code(error) in (1040, 1203,
                               "53300") or any(each in str(error).lower() for each in _FULL)
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


def address_of(driver: str, connection: Any) -> Address:
    """Return the address of an open connection of that *driver* (as records name it), with its
    password: for one of our own to the same server. Raises what the driver raises."""
    dialect = "postgresql" if driver in ("psycopg2", "psycopg", "asyncpg") else "mysql"
    found = login_of(driver, connection)
    socket = found.get("unix_socket")
    port = found.get("port")
    return Address(dialect, {"asyncpg": "", "aiomysql": ""}.get(driver, driver),
                   str(found.get("user") or ""), str(found.get("password") or ""),
                   str(found.get("host") or ""), int(port) if port else None,
                   options=(("unix_socket", str(socket)),) if socket else ())


def _driver(address: Address) -> Any:
    names = (address.driver,) if address.driver else _DRIVER_MODULES[address.dialect]
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
    text = redaction.error(error, address.password).split(": ", 1)[-1]
    text = text.rpartition("FATAL: ")[2].strip() or text
    if is_full(error):
        advice = _MYSQL_FULL if address.dialect == "mysql" else _POSTGRESQL_FULL
        if code(error) == 1203 or "for role" in text or "for database" in text:
            advice = "that limit is the account's or the database's own: connect as another account"
        return CannotConnect("%s is full (%s). %s"
                             % (address, text.rstrip("."), advice[0].upper() + advice[1:]))
    needed = code(error) == 1045 or any(each in text for each in _PASSWORD)
    kind = PasswordNeeded if needed else CannotConnect
    return kind("cannot connect to %s: %s" % (address, text))
