"""Where each driver is patched, so that every connection that is opened is recorded.

One point in each, the last one that all its ways to connect pass: ``from pymysql import connect``
done long ago goes through it as well. A point is patched when its module is there, or as soon as
it is imported, and put back when the records are not needed any more. sqlite3 has no server; the
audit hook of finding records it.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from functools import partial, update_wrapper
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, FrozenSet, NamedTuple, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.ownership import ours
from unittest_leakfix._core.swap import LateSwap
from unittest_leakfix.resources import scan
from unittest_leakfix.tracing.driver_ids import note_login
from unittest_leakfix.tracing.opened_connections import (
    ConnectionRegistry,
    Subscriber,
    connection_registry,
)

__unittest = True
bind(globals())

_getframe = sys._getframe


class LateImports:
    """A finder on ``sys.meta_path`` that finds nothing itself.

    It calls *on_import* when one of the modules *names* has been executed. It is asked only for
    modules that are not loaded yet, so it costs nothing otherwise.
    """

    def __init__(self, names: FrozenSet[str], on_import: Callable[[], None]) -> None:
        self._names = names
        self._on_import = on_import

    def install(self) -> None:
        """Go to the front of the finders."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Leave them."""
        sys.meta_path[:] = [each for each in sys.meta_path if each is not self]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        """Return what the other finders find, with a loader that calls us afterwards."""
        if name not in self._names:
            return None
        for finder in tuple(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module") and hasattr(spec.loader, "create_module"):
                    spec.loader = _NotifyingLoader(spec.loader, self._on_import)
                found: ModuleSpec = spec
                return found
        return None


class _NotifyingLoader:
    """A loader in front of the real one, for one module; it takes itself away as it goes."""

    def __init__(self, loader: Any, on_import: Callable[[], None]) -> None:
        self._loader = loader
        self._on_import = on_import

    def create_module(self, spec: ModuleSpec) -> Optional[ModuleType]:
        """Return what the real one makes."""
        made: Optional[ModuleType] = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Have the real one execute the module, then call *on_import*."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._on_import()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Opening:
    """The block in which a driver opens *connection*, None as long as there is no object: it is
    recorded."""

    __slots__ = ("_driver", "_registry", "_raw", "connection")

    def __init__(self, driver: str, book: ConnectionRegistry, connection: object = None) -> None:
        self._driver = driver
        self._registry = book
        self._raw: Any = None
        self.connection = connection

    def __enter__(self) -> _Opening:
        if self._registry.before_connect is not None and get_ident() not in ours:
            self._raw = self._registry.opening(self._driver, self.connection, _getframe(2))
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._raw is None:
            if kind is None and self._registry.subscribers and get_ident() not in ours:
                self._registry.opened(self._driver, self.connection, _getframe(2))
        elif kind is None:
            self._registry.connected(self.connection, self._raw)
        else:
            self._registry.failed(self._raw)


# The ways to connect. What is called in the block runs between the two frames that it looks at.

def _method(driver: str, original: Any, book: ConnectionRegistry) -> Any:
    """For a method that connects *self*: ``connect``, or ``__init__`` of a C class's child."""
    def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _Opening(driver, book, self):
            return original(self, *args, **kwargs)
    return update_wrapper(connect, original)


def _mysqldb(driver: str, original: Any, book: ConnectionRegistry) -> Any:
    """For MySQLdb, whose connections cannot say with what they were opened."""
    def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _Opening(driver, book, self):
            original(self, *args, **kwargs)
        note_login(self, args, kwargs)
    return update_wrapper(connect, original)


def _function(driver: str, original: Any, book: ConnectionRegistry) -> Any:
    """For a function that returns the connection."""
    def connect(*args: Any, **kwargs: Any) -> Any:
        with _Opening(driver, book) as opening:
            opening.connection = original(*args, **kwargs)
        return opening.connection
    return update_wrapper(connect, original)


def _generator(driver: str, original: Any, book: ConnectionRegistry) -> Any:
    """For a class method that is a generator and returns the connection (psycopg 3, sync and
    async)."""
    make = original.__func__

    def connect(cls: Any, *args: Any, **kwargs: Any) -> Any:
        with _Opening(driver, book) as opening:
            opening.connection = yield from make(cls, *args, **kwargs)
        return opening.connection
    return classmethod(update_wrapper(connect, make))


def _awaited_method(driver: str, original: Any, book: ConnectionRegistry) -> Any:
    """For a coroutine method that connects *self*."""
    async def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _Opening(driver, book, self):
            return await original(self, *args, **kwargs)
    return update_wrapper(connect, original)


def _awaited_function(driver: str, original: Any, book: ConnectionRegistry) -> Any:
    """For a coroutine function that returns the connection."""
    async def connect(*args: Any, **kwargs: Any) -> Any:
        with _Opening(driver, book) as opening:
            opening.connection = await original(*args, **kwargs)
        return opening.connection
    return update_wrapper(connect, original)


class Point(NamedTuple):
    """Where a driver is patched: module, class ("" for the module itself), name; and how."""

    driver: str
    module: str
    owner: str
    name: str
    wrap: Callable[[str, Any, ConnectionRegistry], Any]


POINTS: Tuple[Point, ...] = (
    Point("pymysql", "pymysql.connections", "Connection", "connect", _method),
    # The base is a C class, which cannot be patched; its child is what is used.
    Point("MySQLdb", "MySQLdb.connections", "Connection", "__init__", _mysqldb),
    Point("mysql.connector", "mysql.connector.abstracts", "MySQLConnectionAbstract", "connect",
          _method),
    Point("mysql.connector", "mysql.connector.aio.connection", "MySQLConnection", "connect",
          _awaited_method),
    # Its connections are immutable C objects: the function below psycopg2.connect is all there is.
    Point("psycopg2", "psycopg2", "", "_connect", _function),
    # psycopg.connect is bound at import, so Connection.connect would be missed.
    Point("psycopg", "psycopg._connection_base", "BaseConnection", "_connect_gen", _generator),
    Point("asyncpg", "asyncpg.connect_utils", "", "_connect", _awaited_function),
    Point("aiomysql", "aiomysql.connection", "Connection", "_connect", _awaited_method),
)


class Drivers:
    """The patches of all drivers. There is one, `drivers`."""

    def __init__(self, book: ConnectionRegistry = connection_registry,
                 points: Tuple[Point, ...] = POINTS) -> None:
        self.registry = book
        self._late = LateImports(frozenset(point.module for point in points), self.look)
        self._patches = LateSwap([(point.module, point.owner, point.name,
                                   partial(_patch, point, book)) for point in points])

    def install(self, subscriber: Subscriber) -> None:
        """Begin to record for *subscriber*; patches the drivers for the first one."""
        if not any(each is subscriber for each in self.registry.subscribers):
            self.registry.subscribers.append(subscriber)
        if len(self.registry.subscribers) == 1:
            self._late.install()
            scan.foreign.append(self.registry.foreign)
            self._patches.install()
        self.look()

    def remove(self, subscriber: Subscriber) -> None:
        """*subscriber* wants no more records; with the last one the drivers are as they were."""
        users = self.registry.subscribers
        users[:] = [each for each in users if each is not subscriber]
        if users:
            return
        if self.registry.lock_watch is not None:
            self.registry.lock_watch.end()
        self._late.remove()
        scan.foreign[:] = [each for each in scan.foreign if each != self.registry.foreign]
        self._patches.remove()

    def look(self) -> None:
        """Patch the drivers that came since. Cheap."""
        self._patches.look()


def _patch(point: Point, book: ConnectionRegistry, original: Any) -> Any:
    return point.wrap(point.driver, original, book)


drivers = Drivers()
