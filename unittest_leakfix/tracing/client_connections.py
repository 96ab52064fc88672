"""Connections to redis and by HTTP, as they are counted where a class limits them.

The points at which clients connect are patched only while a budget holds. Each sort has records of
its own, beside those of connections to databases.
"""
from __future__ import annotations

from typing import Any, Callable, Dict

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import own_attribute
from unittest_leakfix.resources.client_table import address_text, as_text
from unittest_leakfix.resources.database_clients import redis_connected
from unittest_leakfix.resources.kind import short_text
from unittest_leakfix.tracing.drivers import (
    Drivers,
    Point,
    _awaited_function,
    _awaited_method,
    _method,
)
from unittest_leakfix.tracing.opened_connections import ConnectionRegistry, connection_registry

__unittest = True
bind(globals())


class ClientRegistry(ConnectionRegistry):
    """The records of one sort of connections: is one open, and where does it lead."""

    def __init__(self, is_open: Callable[[Any], bool], place: Callable[[Any], str]) -> None:
        super().__init__()
        self._is_open = is_open
        self._place = place

    def current(self) -> str:
        """Return what runs now, which the records of databases know as well."""
        return super().current() or connection_registry.current()

    def is_open(self, connection: Any) -> bool:
        """Tell whether it is open; it is where that cannot be known."""
        try:
            return self._is_open(connection)
        except Exception:   # its library has changed
            return True

    def place_of(self, connection: Any, driver: str) -> str:
        """Return "redis connection to 127.0.0.1:6379/0"."""
        try:
            where = "" if connection is None else self._place(connection)
        except Exception:
            where = ""
        return "%s connection%s" % (driver, " to " + where if where else "")


# -- redis

def _redis_place(connection: Any) -> str:
    path = short_text(getattr(connection, "path", ""))
    where = path or address_text(getattr(connection, "host", ""),
                                 int(getattr(connection, "port", 0)))
    return "%s/%s" % (where, getattr(connection, "db", 0))


# -- HTTP: the standard library's, urllib3's (requests), httpcore's (httpx), aiohttp's

def _http_is_open(connection: Any) -> bool:
    transport = getattr(connection, "transport", None)      # of aiohttp, whose object it is
    if hasattr(connection, "transport"):
        return transport is not None and not transport.is_closing()
    if hasattr(connection, "_origin"):                      # of httpcore
        inner = own_attribute(connection, "_connection")
        return inner is not None and not inner.is_closed()
    return getattr(connection, "sock", None) is not None


def _http_place(connection: Any) -> str:
    if hasattr(connection, "transport"):
        found = connection.transport.get_extra_info("peername")
        return address_text(found[0], found[1])
    origin = getattr(connection, "_origin", None) or connection
    return address_text(as_text(origin.host), origin.port)


_REDIS = tuple(
    Point("redis", module, owner, "connect", wrap)
    for module, wrap in (("redis.connection", _method),
                         ("redis.asyncio.connection", _awaited_method))
    # redis 4 has it on Connection.
    for owner in ("AbstractConnection", "Connection"))
_HTTP = (
    Point("HTTP", "http.client", "HTTPConnection", "connect", _method),
    Point("HTTP", "urllib3.connection", "HTTPConnection", "_new_conn", _method),
    Point("HTTP", "httpcore._sync.connection", "HTTPConnection", "_connect", _method),
    Point("HTTP", "httpcore._async.connection", "AsyncHTTPConnection", "_connect",
          _awaited_method),
    Point("HTTP", "aiohttp.connector", "TCPConnector", "_create_connection", _awaited_function),
)

CLIENTS: Dict[str, Drivers] = {
    "redis": Drivers(ClientRegistry(redis_connected, _redis_place), _REDIS),
    "http": Drivers(ClientRegistry(_http_is_open, _http_place), _HTTP),
}
"""By what ``leakfix_max_connections`` calls them."""
