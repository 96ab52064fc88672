"""What is known of the clients, pools and engines that people use: a table, and how to add a row.

One call of `client` is one row, which is all there is to add for a new one::

    client("redis client", "redis.client.Redis", _redis_open, _redis_place,
           made_by="Redis from_url")

A row says what it is called; its classes, as ``module.Class``, where each has its own ``__init__``
(that notes the user's line); whether it is open; where it leads, without secrets; how it is closed
(``close="dispose"``), and how the user closes it (``ends``, if that is more than one call). What
belongs to it and cannot be reached from it by references is ``parts``. A library that changes its
inside makes ``is_open`` raise, which says "cannot be known": then nothing is closed or reported.
No library is imported to know its types.
"""
from __future__ import absolute_import

import gc
import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import (
    class_of,
    is_coroutine_function,
    is_tracked,
    name_of,
    on_type,
    own_attribute,
)
from unittest_leakfix._core.redaction import redact
from unittest_leakfix.resources.kind import Kind, method, short_text

__unittest = True
bind(globals())

_get_referents = gc.get_referents

#: (module, class) -> Kind.
KINDS = {}
#: {(module, class): noun} of those whose constructor notes the user's line.
MADE = {}
#: Modules in C that open descriptors and threads of the process's own, once, when first used.
NATIVE = ("grpc._cython.cygrpc", "zmq.backend.cython._zmq", "cimpl")
#: By the class of what a thread runs: the attribute that is true once it is to end, which
#: takes it a while. Nothing needs to wait for that.
ENDING = {("pymongo.periodic_executor", "PeriodicExecutor"): "_stopped"}
#: {class that keeps connections for others: what gives back or closes the one that it keeps}
KEEPERS = {"scoped_session": "remove", "SqliteDatabase": "close", "PostgresqlDatabase": "close",
           "MySQLDatabase": "close", "Psycopg3Database": "close"}
#: {class of a pool: the attributes in which are its idle connections}: these are the pool's.
IDLE = {"QueuePool": ("_pool",), "AsyncAdaptedQueuePool": ("_pool",),
        "SingletonThreadPool": ("_all_conns", "_conn"), "StaticPool": ("connection",),
        "SimpleConnectionPool": ("_pool",), "ThreadedConnectionPool": ("_pool",),
        "ConnectionPool": ("_pool", "_available_connections"), "AsyncConnectionPool": ("_pool",),
        "BlockingConnectionPool": ("_available_connections", "pool"),
        "PooledDB": ("_idle_cache",), "PersistentDB": ("thread",)}
#: {kind of leak: nouns} as which the rows are reported.
NOUNS = {"connection": [], "connection pool": [], "client": [], "file": [], "figure": [],
         "widget": []}
#: {kind of leak: names} of the functions and classes that make one.
OPENERS = dict((leak, []) for leak in NOUNS)


def client(noun, classes, is_open, place=None, close="close", leak="client", ends=(), made_by="",
           awaits=None, parts=None, whole=None, closed_with=None,
           threads=False):
    """Add a row. *classes* and *made_by* are names, with blanks between; *close* the name of a
    method, or a callable; *ends* what the user calls, the last one first: methods, ".pool.close"
    of an attribute, or functions with a dot in their name, which take it; or what returns them for
    one that is there, if that depends on the library's version; *parts* returns objects, paths and
    addresses; *closed_with* returns the object that closes this one when it is closed itself;
    *threads*: its own refer to it now and then."""
    closer = close if callable(close) else method(close)
    ends = ends or (() if callable(close) else (close,))
    if awaits is None:
        def awaits(value):
            return is_coroutine_function(on_type(class_of(value), ends[-1]))

    def describe(value):
        # "psycopg2 connection" is as the driver's own would be called.
        called = whole(value) if whole is not None else noun
        try:
            where = place(value) if place is not None else ""
        except Exception:
            where = ""
        return "%s to %s" % (called, redact(where)) if where else called
    kind = Kind(noun, closer, is_open, describe, awaits, parts=parts, ends=ends,
                closed_with=closed_with, client=True, threads=threads)
    for each in classes.split():
        module, _, name = each.rpartition(".")
        KINDS[module, name] = kind
        MADE[module, name] = noun
        OPENERS[leak].append(name)
    OPENERS[leak] += [each for each in made_by.split() if each not in OPENERS[leak]]
    if noun not in NOUNS[leak]:
        NOUNS[leak].append(noun)


# -- what most of them need

def path_of(value, path):
    """Return what a dotted path of instance attributes leads to, None where it ends before."""
    for name in path.split("."):
        if value is None:
            return None
        value = own_attribute(value, name)
    return value


def by_flag(path, is_open):
    """Openness by an attribute: it is open when the truth of that is *is_open*."""
    def openness(value):
        name, _, last = path.rpartition(".")
        owner = path_of(value, name) if name else value
        if owner is None:
            return None
        return bool(getattr(owner, last)) is is_open
    return openness


_MOST = 3000


def has_socket(value):
    """Tell whether an open socket is below *value*, going through instances and containers only."""
    module = sys.modules.get("_socket")
    if value is None or module is None:
        return False
    seen, waiting = set([id(value)]), [value]
    while waiting and len(seen) < _MOST:
        each = waiting.pop()
        kind = class_of(each)
        if issubclass(kind, module.socket):
            if module.socket.fileno(each) != -1:
                return True
            continue
        if kind in _ENDS or issubclass(kind, type) or _is_elsewhere(kind):
            continue
        for part in _get_referents(each):
            if id(part) not in seen and is_tracked(part):
                seen.add(id(part))
                waiting.append(part)
    return False


_ENDS = frozenset([type(path_of), type(sys), type(gc.collect), type(path_of.__code__)])


def _is_elsewhere(kind):
    """Tell whether what a client refers to by this class is somebody else's."""
    return name_of(kind) in (("_asyncio", "Task"), ("asyncio.events", "TimerHandle"),
                             ("builtins", "frame"), ("builtins", "traceback"),
                             ("builtins", "method"), ("_thread", "_local"),
                             ("threading", "Thread")) or name_of(kind)[0] in (
                                 "asyncio.unix_events", "logging", "ssl")


def by_sockets(path):
    """Openness of a client that has opened something when a socket is open below *path*."""
    return lambda value: has_socket(path_of(value, path))


def address_text(host, port):
    host = short_text(host)
    return "%s:%d" % (host, port) if host and type(port) is int else host


def url_text(value):
    """Return an URL as text without its user and what comes after the path."""
    text = short_text(str(value), 200)
    scheme, mark, rest = text.rpartition("://")
    return scheme + mark + rest.partition("?")[0].rpartition("@")[2]


def url_at(path):
    """Return what writes down the URL that an attribute has."""
    def place(value):
        found = path_of(value, path)
        return url_text(found) if found is not None else ""
    return place


def as_text(value):
    return value.decode("utf-8", "replace") if type(value) is bytes else value
