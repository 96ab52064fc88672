"""Suites that open connections to real servers, run in a process of their own; and their drivers.

A driver is a `Driver`: how it is imported, how it connects, and how it asks the server for the
number of its session. Their environment holds the password, so each output is searched for it.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import unittest
from types import MappingProxyType
from typing import Any, Dict, Mapping, NamedTuple

from tests.support import servers, servers_postgresql
from tests.support.paths import ROOT


class Driver(NamedTuple):
    """name: as records have it; module: to import; connect: an expression of ``settings``."""

    name: str
    module: str
    server: str
    connect: str
    ask: str

    def settings(self) -> Dict[str, Any]:
        """The settings of its server. Raises SkipTest where the driver or the server is missing."""
        try:
            importlib.import_module(self.module)
        except ImportError:
            raise unittest.SkipTest("%s is missing" % self.module)
        return server(self.server).settings()

    def open(self, **more: Any) -> Any:
        """Open a connection as its users do, from the caller's line on."""
        scope = {"driver": importlib.import_module(self.module),
                 "settings": dict(self.settings(), **more)}
        return eval(compile(self.connect, "user_code.py", "eval"), scope)


def server(name: str) -> Any:
    """Return the process's MariaDB or PostgreSQL; SkipTest where there is none."""
    return servers.mariadb() if name == "mysql" else servers_postgresql.postgresql()


DRIVERS = {each.name: each for each in (
    Driver("pymysql", "pymysql", "mysql", "driver.connect(**settings)", "select connection_id()"),
    Driver("MySQLdb", "MySQLdb", "mysql", "driver.connect(**settings)", "select connection_id()"),
    Driver("mysql.connector", "mysql.connector", "mysql", "driver.connect(**settings)",
           "select connection_id()"),
    Driver("psycopg2", "psycopg2", "postgresql", "driver.connect(**settings)",
           "select pg_backend_pid()"),
    Driver("psycopg", "psycopg", "postgresql", "driver.connect(**settings)",
           "select pg_backend_pid()"),
)}

# Those that are awaited: for suites in a process of their own.
AWAITED = {each.name: each for each in (
    Driver("asyncpg", "asyncpg", "postgresql", "connect(**settings)", ""),
    Driver("psycopg async", "psycopg", "postgresql", "connect(**settings)", ""),
    Driver("aiomysql", "aiomysql", "mysql", "connect(**settings)", ""),
)}
_BASES = {"asyncpg": "database", "aiomysql": "db"}      # what it calls the database

HEAD = """\
import json
import os
import threading
import unittest

import unittest_leakfix
import {module} as driver
from {module} import connect

settings = json.loads(os.environ["SETTINGS"])
KEPT = []

"""


def run(driver: str, body: str, *options: str, module: str = "unittest_leakfix",
        head: str = HEAD, suffix: str = "",
        settings: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Run *body*, the classes of a test module that has ``connect`` and ``settings``, in a child.

    Returns what it wrote, without its folder and with PORT for the port. Fails if that has the
    password in it.
    """
    chosen = DRIVERS.get(driver) or AWAITED[driver]
    values = dict(chosen.settings(), **settings)
    if driver in _BASES:
        values[_BASES[driver]] = values.pop("dbname", None) or values.pop("database")
    if driver == "psycopg async":
        head += "connect = driver.AsyncConnection.connect\n"
    with tempfile.TemporaryDirectory() as folder:
        folder = os.path.realpath(folder)
        with open(os.path.join(folder, "test_shop.py"), "w") as written:
            written.write(head.format(module=chosen.module) + body)
        environment = dict(os.environ, PYTHONPATH=ROOT, SETTINGS=json.dumps(values))
        child = subprocess.run(
            [sys.executable, "-m", module, *options, "test_shop" + suffix], cwd=folder,
            env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    printed = child.stdout.decode("utf-8", "replace")
    if values["password"] in printed:
        raise AssertionError("the password is in the output")
    printed = printed.replace(folder + os.sep, "").replace(str(values["port"]), "PORT")
    return printed


def paragraph(printed: str, start: str) -> str:
    """Return the block of *printed* from the first line that has *start* up to an empty line."""
    lines = printed.splitlines()
    for place, line in enumerate(lines):
        if start in line:
            end = lines.index("", place) if "" in lines[place:] else len(lines)
            return "\n".join(line.rstrip() for line in lines[place:end])
    raise AssertionError("no line with %r in:\n%s" % (start, printed))
