"""Connections: how many are open at once on a real server, and what recording them costs.

``python benchmarks/connections.py [--python PATH] [--driver NAME ...] [--shape NAME ...]`` starts a
private MariaDB, PostgreSQL and redis that admit 20 sessions, and runs 60 tests that each open a
connection, for each driver and shape under ``python -m unittest`` and ``python -m
unittest_leakfix``. A cell is the peak of ``Threads_connected`` or of the rows in
``pg_stat_activity``, asked in each test by a session of another account, that one not counted;
and how many tests the full server refused. Exit status 1 when ours is above 2 for a shape whose
connection belongs to the test.

``--cost`` measures instead what opening a PyMySQL connection over a unix socket costs with records
on against off, connection by connection in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from typing import Any, Dict, List, Tuple

import connection_cost
from connection_suites import DRIVERS, NUMBER, SHAPES, Driver, suite

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

BOUND = 2
FULL = ("Too many connections", "too many clients", "remaining connection slots",
        "max number of clients", "PoolTimeout: ")


class Server:
    """A server, and how its sessions are counted."""

    def __init__(self, name: str) -> None:
        from tests.support import servers, servers_postgresql, servers_redis
        if name == "mysql":
            self.server: Any = servers.mariadb()
            self.count = "show status like 'Threads_connected'"
            self.watcher, self.less = "pymysql", 1
        elif name == "redis":
            self.server = servers_redis.redis_server()
            self.count, self.watcher, self.less = "", "redis", 1
        else:
            self.server = servers_postgresql.postgresql()
            self.count, self.watcher, self.less = (
                "select count(*) from pg_stat_activity where usename = '%s'" % self.server.user,
                "psycopg2", 0)

    def environment(self, driver: Driver) -> Dict[str, str]:
        """Return what the suites of *driver* are given."""
        if driver.server == "redis":
            place = json.dumps({"host": self.server.host, "port": self.server.port})
            return dict(os.environ, PYTHONPATH=ROOT, SETTINGS=place, DRIVER=driver.module,
                        WATCHER=self.watcher, WATCHED=place)
        settings = self.server.settings()
        settings[driver.database] = settings.pop("dbname", None) or settings.pop("database")
        return dict(os.environ, PYTHONPATH=ROOT, SETTINGS=json.dumps(settings),
                    DRIVER=driver.module,
                    WATCHER=self.watcher, WATCHED=json.dumps(self.server.settings(admin=True)),
                    COUNT=self.count, LESS=str(self.less))


def peak(python: str, module: str, driver: Driver, shape: str, server: Server) -> Tuple[int, int]:
    """Run one suite; return the peak of sessions, and how many tests were refused one."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "test_connections.py"), "w") as written:
            written.write(suite(driver, driver.shapes[shape]))
        measured = os.path.join(folder, "measured")
        child = subprocess.run(
            [python, "-m", module, "test_connections"], cwd=folder, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=dict(server.environment(driver), MEASURED=measured))
        printed = child.stdout.decode("utf-8", "replace")
        if server.server.password in printed:
            raise SystemExit("the password is in the output of %s, %s" % (driver.name, shape))
        if not os.path.exists(measured):
            raise SystemExit(printed)
        with open(measured) as file:
            parts = re.split(r"^(?:=+|Exception in thread .*)$", printed, flags=re.M)
            return json.load(file), sum(any(full in part for full in FULL) for part in parts)


def table(python: str, drivers: List[str], shapes: List[str]) -> int:
    """Print the table; return the exit status."""
    servers: Dict[str, Server] = {}
    print("Sessions open at once, %d tests; refused: tests that found the server full" % NUMBER)
    print("%-16s %-18s %8s %8s %8s %8s"
          % ("driver", "shape", "unittest", "refused", "ours", "refused"))
    worst = 0
    for driver in (DRIVERS[name] for name in drivers):
        if not _has(python, driver.module) or driver.awaited and not _has(python,
                                                                          "unittest.async_case"):
            print("%-16s not here" % driver.name)
            continue
        if driver.server not in servers:
            servers[driver.server] = Server(driver.server)
        for name, shape in driver.shapes.items():
            if shapes and name not in shapes or not driver.awaited and (
                        "pool" in name or "session" in name) and not _has(
                    python, "sqlalchemy"):
                continue
            plain = peak(python, "unittest", driver, name, servers[driver.server])
            ours = peak(python, "unittest_leakfix", driver, name, servers[driver.server])
            if shape.of_the_test:
                worst = max(worst, ours[0])
            note = ("" if shape.of_the_test
                    else "   not the test's: --leaks names it, a budget stops it")
            print("%-16s %-18s %8d %8d %8d %8d%s" % ((driver.name, name) + plain + ours + (note,)),
                  flush=True)
    print("bound: %d where the connection belongs to the test: %s" % (
        BOUND, "met" if worst <= BOUND else "NOT met"))
    return int(worst > BOUND)


def _has(python: str, module: str) -> bool:
    return not subprocess.run([python, "-c", "import " + module],
                              stderr=subprocess.DEVNULL).returncode


def main() -> int:
    """Read the options, and do it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", default=sys.executable,
                        help="the interpreter that runs the suites")
    parser.add_argument("--driver", action="append", choices=list(DRIVERS), help="may be repeated")
    parser.add_argument("--shape", action="append", help="may be repeated: " + ", ".join(SHAPES))
    parser.add_argument("--cost", action="store_true", help="measure the cost of records instead")
    parser.add_argument("--repeat", type=int, default=4000,
                        help="connections of each way, for --cost")
    options = parser.parse_args()
    if options.cost:
        print("Python %s, %s" % (platform.python_version(), platform.machine()))
        return connection_cost.cost(options.repeat)
    python = os.path.abspath(options.python)
    subprocess.run([python, "-c", "import platform; print('Python', platform.python_version())"])
    return table(python, options.driver or list(DRIVERS), options.shape or [])


if __name__ == "__main__":
    sys.exit(main())
