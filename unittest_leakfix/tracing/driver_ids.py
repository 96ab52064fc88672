"""What tells a connection on the server's side: its number there, and its local port.

All of it is read from the driver's own memory; the server is not queried.
"""
from __future__ import annotations

import os
import stat
import sys
from typing import Any, Dict, Set, Tuple
from weakref import ref

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())
_fstat = os.fstat
_get_blocking = os.get_blocking
_listdir = os.listdir
_isdir = os.path.isdir
_set_blocking = os.set_blocking

_HERE = "/proc/self/fd"
# An attribute or method of the connection, with dots.
_IDS: Dict[str, str] = {
    "pymysql": "thread_id", "MySQLdb": "thread_id", "aiomysql": "thread_id",
    "mysql.connector": "connection_id", "psycopg2": "info.backend_pid",
    "psycopg": "info.backend_pid", "asyncpg": "get_server_pid",
}

# mysqlclient 2.3 refuses to answer while another thread runs a query. By the id of a connection:
# the connection, its session, its descriptor and the inode of that, as they were when it was
# opened.
_REFUSES = "MySQLdb"
_noted: Dict[int, Tuple[ref[Any], int, int, int]] = {}


def note(driver: str, connection: object) -> None:
    """Note what tells a connection that was just opened, if its driver may refuse to say so
    later."""
    if driver != _REFUSES:
        return
    key = id(connection)
    alive = ref(connection, lambda _: _noted.pop(key, None))
    fd = _descriptor_of(connection)
    _noted[key] = alive, _session_of(driver, connection), fd, _inode(fd)


class Login:
    """How a connection was opened: to open another one like it. Text of it shows nothing."""

    __slots__ = ("given",)

    def __init__(self, **given: Any) -> None:
        self.given = given


_LOGIN = {"host": "host", "user": "user", "password": "password", "passwd": "password",
          "port": "port", "unix_socket": "unix_socket"}
_PLACES = ("host", "user", "password", "database", "port", "unix_socket")
_logins: Dict[int, Tuple[ref[Any], Login]] = {}


def note_login(connection: object, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> None:
    """Note the server and account of a connection of MySQLdb, the one driver whose connections do
    not have them; as long as it lives, as the other drivers do."""
    given = dict(zip(_PLACES, args), **{_LOGIN[name]: value for name, value in kwargs.items()
                                        if name in _LOGIN})
    given.pop("database", None)
    if all(type(each) in (str, int, bytes) for each in given.values()):
        key = id(connection)
        _logins[key] = (ref(connection, lambda _: _logins.pop(key, None) and None),
                        Login(**given))


def login_of(driver: str, connection: Any) -> Dict[str, Any]:
    """Return host, port, user, password and unix_socket of a connection, as far as its driver, or
    `note_login`, has them. For a connection of our own beside it; never to be shown."""
    if driver == "MySQLdb":
        alive, login = _logins.get(id(connection), (None, None))
        found = login.given if login and alive is not None and alive() is connection else {}
    elif driver in ("psycopg2", "psycopg"):
        info = connection.info
        found = {name: getattr(info, name) for name in ("host", "port", "user", "password")}
    elif driver == "asyncpg":
        address, given = connection._addr, connection._params
        found = {"user": given.user, "password": given.password}
        if type(address) is tuple:
            found.update(host=address[0], port=address[1])
        else:
            host, _, port = str(address).rpartition("/.s.PGSQL.")
            found.update(host=host, port=int(port))
    else:
        values = vars(connection)
        found = {name: values.get(name, values.get("_" + name))
                 for name in ("host", "port", "user", "password", "unix_socket")}
    return {name: value.decode("utf-8") if type(value) is bytes else value
            for name, value in found.items() if value}


def in_transaction(driver: str, connection: Any) -> bool:
    """Tell whether a connection of MySQL may be in a transaction: by its driver's memory."""
    try:
        if driver == "pymysql":
            # Of a SELECT it does not note whether that began one: without autocommit it did.
            return bool(connection.server_status & 1) or not connection.get_autocommit()
        if driver == "aiomysql":
            return bool(connection.get_transaction_status())
        if driver == "mysql.connector":
            return bool(connection.in_transaction)
        return not connection.get_autocommit()
    except Exception:   # closed, or in the middle of a query
        return False


def session_of(driver: str, connection: object) -> int:
    """Return the server's number for a connection (MySQL's id, PostgreSQL's pid); 0 where
    unknown."""
    found = _session_of(driver, connection)
    noted = _noted.get(id(connection)) if not found else None
    # A closed one answers too, by an error: its session is over. MySQL gives no number twice.
    return noted[1] if noted is not None and noted[0]() is connection and _is_open(noted) else found


def _is_open(noted: Tuple[ref[Any], int, int, int]) -> bool:
    """Tell whether the descriptor of a connection is still the socket that it was."""
    return noted[2] < 0 or _inode(noted[2]) == noted[3]


def _inode(fd: int) -> int:
    try:
        return _fstat(fd).st_ino if fd >= 0 else -1
    except OSError:
        return -1


def _session_of(driver: str, connection: object) -> int:
    found: Any = connection
    try:
        for name in _IDS[driver].split("."):
            found = getattr(found, name)
            found = found() if callable(found) else found
    except Exception:   # closed, or broken
        return 0
    return found if type(found) is int else 0


def descriptor_of(connection: Any) -> int:
    """Return the descriptor of a connection's socket; -1 where the driver does not tell."""
    found = _descriptor_of(connection)
    noted = _noted.get(id(connection)) if found < 0 else None
    return noted[2] if noted is not None and noted[0]() is connection and _is_open(noted) else found


def _descriptor_of(connection: Any) -> int:
    try:
        # PyMySQL has no fileno(), but its socket has.
        sock = vars(connection).get("_sock") if hasattr(connection, "__dict__") else None
        fd = connection.fileno() if sock is None else sock.fileno()
    except Exception:
        return -1
    return fd if type(fd) is int else -1


def descriptors_of(connection: object) -> Set[int]:
    """Return the descriptor of a connection, or those that may be its: sockets to its server.

    The C extension of mysql.connector does not tell.
    """
    fd = descriptor_of(connection)
    if fd >= 0:
        return {fd}
    values = getattr(connection, "__dict__", {})
    module, port, path = sys.modules.get("socket"), values.get("_port"), values.get("_unix_socket")
    found: Set[int] = set()
    for name in _listdir(_HERE) if module is not None and port and _isdir(_HERE) else ():
        try:
            if stat.S_ISSOCK(_fstat(int(name)).st_mode):
                peer = _name_of(module, int(name), "getpeername")
                if peer == path or type(peer) is tuple and peer[1] == port:
                    found.add(int(name))
        except (OSError, ValueError):   # closed meanwhile, or not connected
            continue
    return found


def port_of(connection: object) -> int:
    """Return the local TCP port of a connection; 0 for a socket file, and where it is unknown."""
    fd = descriptor_of(connection)
    module = sys.modules.get("socket")
    if fd < 0 or module is None:
        return 0
    try:
        name = _name_of(module, fd, "getsockname")
    except (OSError, ValueError):
        return 0
    return name[1] if isinstance(name, tuple) and len(name) > 1 and type(name[1]) is int else 0


def _name_of(module: Any, fd: int, which: str) -> Any:
    # A socket object that is made of it sets the default timeout, and so O_NONBLOCK, on it.
    blocking = _get_blocking(fd)
    sock = module.socket(fileno=fd)
    try:
        return getattr(sock, which)()
    finally:
        sock.detach()
        _set_blocking(fd, blocking)
