"""The kinds of resource: is it one, is it open, how is it closed and described.

``kind_of(value)`` answers with a ``Kind`` or None. It looks at the type alone:
first at the classes given to ``register_resource``, then at the shipped
table, nearest class in the MRO first; then at the shape of the type (DB-API
connections and cursors, context managers with a ``close``). None of the
modules whose types are known is imported: they are known by name, and a name
counts only where ``sys.modules`` has that very class under it.

So what is known of sockets, processes, threads, event loops, databases and other clients is
loaded when there can be some: `prepare` looks before the tests and before each class of them,
and `kind_of` when it meets one whose module came later. Since no descriptor may be left then, the
source of what is not loaded is read beforehand, for a twentieth of the time that it takes to load.
"""

from __future__ import absolute_import

import os
import sys
import types
import weakref

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import (
    CONTAINERS,
    MISSING,
    PLAIN,
    class_of,
    flags_slot,
    is_coroutine_function,
    mro,
    name_of,
    on_type,
)
from unittest_leakfix._core.swap import originals
from unittest_leakfix.resources import context_managers, entry_points, files
from unittest_leakfix.resources.kind import Kind, method, open_by_flags, short_text

__unittest = True
bind(globals())

#: (module, class name): Kind, or None for what is not a resource after all.
TABLE = {}
#: The same, for what has no better name and no shape.
LAST = {}
for _part in (files, context_managers):
    TABLE.update(_part.KINDS)
#: The other parts: the modules, top packages or single classes that they know.
PARTS = {
    "network": (
        "socket", "_socket", "socketserver", "SocketServer", "smtplib", "ftplib", "telnetlib",
        "poplib", "imaplib", "http.client", "httplib", "selectors", "select", "logging",
        "logging.handlers"),
    "processes": (
        "subprocess", "multiprocessing.process", "multiprocessing.pool", "multiprocessing.managers",
        "multiprocessing.queues", "multiprocessing.connection", "_multiprocessing"),
    "threads": (
        "threading", "concurrent.futures._base", "concurrent.futures.thread",
        "concurrent.futures.process"),
    "event_loops": (
        "asyncio.events", "asyncio.runners", "_asyncio", "asyncio.tasks", "asyncio.base_events",
        "asyncio.streams", "asyncio.transports", ("builtins", "async_generator")),
    "db_connections": (
        "sqlite3", "mysql.connector.connection", "mysql.connector.connection_cext",
        "mysql.connector.aio.connection", "aiosqlite.core", "aiomysql.connection",
        "asyncpg.connection"),
    "clients": (
        "PyQt5", "PyQt6", "PySide2", "PySide6", "aiohttp", "aiomysql", "asyncpg", "botocore",
        "cimpl", "elasticsearch", "grpc", "h5py", "httpx", "kafka", "matplotlib", "opensearchpy",
        "pandas", "paramiko", "peewee", "pika", "playwright", "psycopg2", "psycopg_pool",
        "pymongo", "redis", "requests", "selenium", "sqlalchemy", "tables", "urllib3", "websocket",
        "websockets", "zmq"),
}
# What has the shape of a connection is looked for there, too: most drivers have no name here.
_DRIVERS = ("pymysql", "MySQLdb", "psycopg2", "psycopg", "oracledb", "cx_Oracle", "pyodbc",
            "pymssql")
_CONNECTION_SHAPE = ("cursor", "commit", "rollback", "close")
_CURSOR_SHAPE = ("execute", "fetchone", "fetchall", "close")
_modules = sys.modules
_pending = dict((module, part) for part in PARTS for module in PARTS[part])
# What they import of ours.
_BELOW = ("_core.waiting", "resources.client_table", "resources.database_clients")
_SEPARATOR = os.sep
_parts = {}     # name: module, of those that are loaded
_looked_at = [0]     # how many modules there were when `prepare` looked
__all__ = ["Kind", "kind_of", "register_resource"]
_Classic = getattr(types, "ClassType", None)  # Python 2.7
_Instance = getattr(types, "InstanceType", None)
_names_in = types.ModuleType.__dict__["__dict__"].__get__
_HEAP_TYPE = 1 << 9
# What most attributes are; it spares a run without resources the shipped table.
_NEVER = PLAIN | CONTAINERS | frozenset([type, object, types.FunctionType, types.MethodType,
                                         types.ModuleType])
_kinds = {}  # id(class) -> Kind or None; forgotten with the class
_refs = {}  # id(class) -> weak reference, whose callback forgets
_registered = {}  # id(class) -> (class, Kind)


def by_shape(cls):
    """Return the Kind that the methods of *cls* make it, or None."""
    for shape, name in ((_CONNECTION_SHAPE, "CONNECTION"), (_CURSOR_SHAPE, "CURSOR")):
        if context_managers.has_all(cls, shape):
            return getattr(_load("db_connections"), name)
    return context_managers.context_kind(cls)


def prepare():
    """Load what is known of the modules that are loaded by now. Cheap if there is none more.

    What cannot be loaded is tried again when it is needed.
    """
    if len(_modules) == _looked_at[0]:
        return
    _looked_at[0] = len(_modules)
    for module, part in tuple(_pending.items()):
        if module in _pending and module in _modules:
            _try_to_load(part)
    if "sqlite3" in _pending and any(module in _modules for module in _DRIVERS):
        _try_to_load("db_connections")


def load_all():
    """Load all there is: for finding, which imports nothing while tests run."""
    for part in PARTS:
        _try_to_load(part)


class _FromMemory(object):
    """Finds and loads modules of ours whose source was read before."""

    def __init__(self):
        self.sources = {}       # {name: (path, source)}

    def read(self, names):
        """Read the source of those *names* that are not loaded."""
        head = __name__.rpartition(".resources.")[0] + "."
        folder = __file__.rpartition("resources")[0]
        for name in names:
            path = folder + name.replace(".", _SEPARATOR) + ".py"
            if head + name not in _modules:
                try:
                    self.sources[head + name] = path, __loader__.get_data(path)
                except Exception:   # there is byte code alone: it has to be imported as ever
                    pass

    def load(self, name):
        """Import the module *name*, without a descriptor."""
        sys.meta_path.insert(0, self)
        try:
            __import__(name)
        finally:
            sys.meta_path[:] = [each for each in sys.meta_path if each is not self]

    def find_spec(self, name, path=None, target=None):
        """As a finder does: return the spec of the module *name*, None for what is not ours."""
        if name not in self.sources:
            return None
        return type(__spec__)(name, self, origin=self.sources[name][0])

    def create_module(self, spec):
        """As a loader does: an ordinary module."""

    def exec_module(self, module):
        """As a loader does: run the code of *module*."""
        path, source = self.sources[module.__name__]
        module.__file__ = path
        exec(compile(source, path, "exec"), module.__dict__)


def _try_to_load(part):
    try:
        _load(part)
    except _NotNow:
        pass


class _NotNow(Exception):
    """A part could not be loaded."""


def _load(part):
    """Load a *part*, and return the module."""
    name = "unittest_leakfix.resources." + part
    module = _parts.get(part)
    if module is None:
        with originals:     # it may bind what a test has replaced
            try:
                __import__(name)
            except errors.PASSING:
                raise
            except BaseException:   # such as no descriptor left
                try:
                    _memory.load(name)
                except errors.PASSING:
                    raise
                except BaseException:
                    raise _NotNow()
        module = _parts[part] = _modules[name]
        TABLE.update(module.KINDS)
        LAST.update(getattr(module, "LAST", ()))
        for each in PARTS[part]:
            _pending.pop(each, None)
    return module


def kind_of(value, _kinds=_kinds, id=id, type=type):
    """The ``Kind`` of a value, or None when it is not a resource.

    Decided by ``type(value)`` alone; no attribute of the value is looked at.
    Classes, modules, functions, generators and mocks are never resources.
    """
    try:
        return _kinds[id(type(value))]
    except KeyError:
        return _kind_of_class(class_of(value))


def _kind_of_class(cls):
    key = id(cls)
    if key in _kinds:  # an old-style class: its instances share one type
        return _kinds[key]
    try:
        kind = _find(cls)
    except _NotNow:     # it is let go as it is
        return None
    # By id and weakly: no metaclass's hash is called, and a class made
    # inside a test dies with its test.
    _refs[key] = weakref.ref(cls, _forgetter(key))
    _kinds[key] = kind
    return kind


def _forgetter(key, kinds=_kinds, refs=_refs):
    def forget(_):
        kinds.pop(key, None)
        refs.pop(key, None)
    return forget


def _find(cls):
    bases = mro(cls)
    # By identity: a metaclass may have an __eq__ of its own.
    if any(base is type or base is types.ModuleType for base in bases):
        return None
    for base in bases if _pending else ():
        name = name_of(base)
        if type(name[0]) is str:
            for key in (name[0], name, name[0].partition(".")[0]):
                if key in _pending:
                    _load(_pending[key])
    found = _by_name(bases, TABLE)
    if found is MISSING and any([entry_points.of_class(name_of(base)[0]) for base in bases]):
        found = _by_name(bases, TABLE)      # a library has shipped its own row
    if found is MISSING:
        found = by_shape(cls) or _by_name(bases, LAST)
    return None if found is MISSING else found


def _by_name(bases, table):
    for base in bases:
        if id(base) in _registered:
            return _registered[id(base)][1]
        name = name_of(base)
        # A class may say that it is from anything, even a list.
        if type(name[0]) is str and name in table and _is_really(base, name[0]):
            return table[name]
    return MISSING


def _is_really(cls, module):
    """True when ``cls`` lives in that module, and does not only say so."""
    if type(cls) is not _Classic and not flags_slot(cls) & _HEAP_TYPE:
        return True  # a C type; no Python code can make one
    module = sys.modules.get(module)
    if not issubclass(type(module), types.ModuleType):
        return False
    # Not under its name alone: that may be patched, or differ
    # (asyncio.tasks._PyTask calls itself Task).
    return any(each is cls for each in list(_names_in(module).values()))


def register_resource(type, close="close", is_open=None, describe=None, name=None, noun=None,
                      parts=None, remedy=None):
    """Make a class, and what inherits from it, a kind of resource.

    type: the class. close: a callable taking the value, or the name of a
    method; a coroutine function is awaited where there is a loop. is_open: a
    callable taking the value, with True, False or None for "cannot tell";
    without it flags such as ``closed`` are read. describe: a callable taking
    the value, with one short line, without secrets. name, or noun: a short noun, the
    class's name unless given. parts: a callable taking the value, with a list of
    what belongs to it and it does not refer to (threads, connections, paths): that
    is never reported for itself. remedy: what the user calls to end it, if that is
    not what *close* names: the name of a method, of a function that takes it (with
    its module: "acme.close"), or a tuple of these, the last one first.

    Registering a class again replaces what was said before; the nearest class in the MRO
    wins. Returns None. Raises TypeError on misuse.
    """
    _check_class(type)
    if isinstance(close, str):
        if on_type(type, close) is MISSING:
            raise TypeError("close: %s has no method %r" % (name_of(type)[1], close))
        named = (close,)
        waits, close = is_coroutine_function(on_type(type, close)), method(close)
    else:
        named = ()
        _check_callable("close", close, "a callable or the name of a method")
        waits = is_coroutine_function(close)
    ends = (() if remedy is None else (remedy,) if isinstance(remedy, str) else remedy)
    if not (isinstance(ends, tuple) and all(isinstance(each, str) for each in ends)):
        raise TypeError("remedy: expected the name of what ends it, not %s" % _noun(remedy))
    if name is not None and noun is not None:
        raise TypeError("name and noun are the same: give one of them")
    name = noun if name is None else name
    for label, given in (("is_open", is_open), ("describe", describe), ("parts", parts)):
        if given is not None:
            _check_callable(label, given, "a callable taking the value")
    if name is not None and not isinstance(name, str):
        raise TypeError("name: expected a str, not %s" % _noun(name))
    kind = Kind(name or short_text(name_of(type)[1]), close, is_open or open_by_flags, describe,
                waits, parts=parts, ends=ends or named, client=bool(parts or ends))
    add_kind(type, kind)


def add_kind(cls, kind):
    """Make *cls*, and what inherits from it, a resource of the `Kind` *kind*."""
    _registered[id(cls)] = (cls, kind)
    _forget_all()


def _check_class(cls):
    if not (isinstance(cls, type) or _Classic is not None and type(cls) is _Classic):
        raise TypeError("type: expected a class, not %s" % _noun(cls))
    if any(cls is each for each in (object, type, types.ModuleType, _Instance)):
        raise TypeError("type: %s is not a kind of resource" % name_of(cls)[1])


def _check_callable(label, given, expected):
    if not callable(given):
        raise TypeError("%s: expected %s, not %s" % (label, expected, _noun(given)))


def _noun(value):
    return name_of(type(value))[1]


def _forget_all():
    _kinds.clear()
    _refs.clear()
    _kinds.update((id(cls), None) for cls in _NEVER)


_forget_all()
_memory = _FromMemory()
if sys.version_info >= (3, 4):
    prepare()
    _memory.read(["resources." + _part for _part in PARTS] + list(_BELOW))
else:
    load_all()
