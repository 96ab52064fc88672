"""What tells a connection on the server's side: its number there, and its local port.

All of it is read from the driver's own memory; the server is not asked.
"""
from __future__ import annotations

import os
import stat
import sys
from typing import Any, Dict, Set

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

def session_of(driver: str, connection: object) -> int:
    """Return the server's number for a connection (MySQL's id, PostgreSQL's pid); 0 where unknown."""
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
        except (OSError, ValueError):   # closed meanwhile, or connected to nobody
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
