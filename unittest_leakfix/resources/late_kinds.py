"""Kinds that are loaded late: the files about sockets, processes, threads, event loops and clients.

Each is loaded when there can be such a resource, and its rows are put into `TABLE`.
`prepare` looks before the tests and before each class of them, and `kind_of` of the registry when
it meets one whose module came later. Since no descriptor may be left then, the code of what is
not loaded is read beforehand (`_core.early`), for a twentieth of the time that it takes to load.
"""

from __future__ import absolute_import

import sys

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind, held
from unittest_leakfix._core.swap import originals
from unittest_leakfix.resources import context_managers, files

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
_modules = sys.modules
pending = dict((module, part) for part in PARTS for module in PARTS[part])
# What they import of ours.
_BELOW = ("_core.waiting", "resources.client_table", "resources.database_clients")
_parts = {}     # name: module, of those that are loaded
_looked_at = [0]     # how many modules there were when `prepare` looked


def prepare():
    """Load what is known of the modules that are loaded by now. Cheap if there is none more.

    What cannot be loaded is tried again when it is needed.
    """
    if len(_modules) == _looked_at[0]:
        return
    _looked_at[0] = len(_modules)
    for module, part in tuple(pending.items()):
        if module in pending and module in _modules:
            _try_to_load(part)
    if "sqlite3" in pending and any(module in _modules for module in _DRIVERS):
        _try_to_load("db_connections")


def load_all():
    """Load all there is: for finding, which imports nothing while tests run."""
    for part in PARTS:
        _try_to_load(part)


def _try_to_load(part):
    try:
        load(part)
    except NotNow:
        pass


class NotNow(Exception):
    """A part could not be loaded."""


def load(part):
    """Load a *part*, and return the module. Raises `NotNow`."""
    name = "unittest_leakfix.resources." + part
    module = _parts.get(part)
    if module is None:
        with originals:     # it may bind what a test has replaced
            try:
                module = _parts[part] = held.load(name)
            except errors.PASSING:
                raise
            except BaseException:
                raise NotNow()
        TABLE.update(module.KINDS)
        LAST.update(getattr(module, "LAST", ()))
        for each in PARTS[part]:
            pending.pop(each, None)
    return module


if sys.version_info >= (3, 4):
    prepare()
    held.read(["resources." + _part for _part in PARTS] + list(_BELOW), source=True)
else:
    load_all()
