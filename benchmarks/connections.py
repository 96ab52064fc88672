"""Connections: how many are open at once on a real server, and what recording them costs.

``python benchmarks/connections.py [--python PATH] [--driver NAME ...] [--shape NAME ...]`` starts a
private MariaDB and a private PostgreSQL that admit 20 sessions, and runs 60 tests that each open a
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
import functools
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import unittest
from typing import Any, Dict, List, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

NUMBER = 60
BOUND = 2
COST = 1.05
BATCH, WARM_UP = 200, 100     # the interpreter's own caches are cold after a patch

# name: lines of setUp, lines of the test, whether the connection belongs to the test
SHAPES: Dict[str, Tuple[str, str, bool]] = {
    "passing": ("self.db = take()", "pass", True),
    "failing": ("self.db = take()", "self.fail('as it should')", True),
    "skipped": ("self.db = take()", "self.skipTest('as it should')", True),
    "cycle": ("self.box = Box(); self.box.me = self.box; self.box.db = take()", "pass", True),
    "cursor kept": ("self.cursor = take().cursor()", "pass", True),
    "unfinished result": ("self.db = take(); self.cursor = unfinished(self.db)", "pass", True),
    "in a traceback": ("pass", "db = take(); fail_with(db)", True),
    "pool of the test": ("self.pool = pool(); self.pool.connect().close()", "pass", True),
    "module global": ("KEPT.append(take())", "pass", False),
    "running thread": ("hold()", "pass", False),
}

SUITE = u"""\
import importlib, json, os, threading, time, unittest
settings = json.loads(os.environ["SETTINGS"])
settings = dict((str(key), value) for key, value in settings.items())
driver = importlib.import_module(os.environ["DRIVER"])
watching = importlib.import_module(os.environ["WATCHER"])
watcher = watching.connect(**dict(settings, user=os.environ["ADMIN"]))
watcher.autocommit = True if "psycopg" in os.environ["WATCHER"] else watcher.autocommit
KEPT, PEAK = [], [0]
STOP = threading.Event()

class Box(object):
    pass

def take():
    db = driver.connect(**settings)
    sample()
    return db

def count():
    cursor = watcher.cursor()
    cursor.execute(os.environ["COUNT"])
    return int(cursor.fetchone()[-1]) - int(os.environ["LESS"])

def sample():
    # A session that was closed is gone from the server a moment later.
    found, until = count(), time.time() + 0.03
    while found > 1 and time.time() < until:
        found = min(found, count())
    PEAK[0] = max(PEAK[0], found)

def unfinished(db):
    cursors = getattr(driver, "cursors", None)
    cursor = db.cursor(cursors.SSCursor) if hasattr(cursors, "SSCursor") else db.cursor()
    cursor.execute("select 1 union all select 2")
    return cursor

def fail_with(db):
    raise ValueError("as it should")

def pool():
    import sqlalchemy
    return sqlalchemy.create_engine(os.environ["URL"], creator=take)

def hold():
    ready = threading.Event()
    def work():
        db = None
        try:
            db = take()
        finally:
            ready.set()
        STOP.wait()
    worker = threading.Thread(target=work)
    worker.daemon = True
    worker.start()
    ready.wait()

class Tests(unittest.TestCase):
    def setUp(self):
        {setting_up}
    def check(self):
        {body}

for number in range({number}):
    setattr(Tests, "test_%03d" % number, lambda self: self.check())

def tearDownModule():
    STOP.set()
    with open(os.environ["TOLD"], "w") as told:
        json.dump(PEAK[0], told)
"""

MYSQL = ("pymysql", "MySQLdb", "mysql.connector")
DIALECTS = {"pymysql": "mysql+pymysql", "MySQLdb": "mysql+mysqldb", "mysql.connector":
            "mysql+mysqlconnector", "psycopg2": "postgresql+psycopg2", "psycopg": "postgresql+psycopg"}
FULL = ("Too many connections", "too many clients", "remaining connection slots")


class Server:
    """A server, and how its sessions are counted."""

    def __init__(self, name: str) -> None:
        from tests import servers, servers_postgresql
        if name == "mysql":
            self.server: Any = servers.mariadb()
            self.count, self.watcher, self.less = "show status like 'Threads_connected'", "pymysql", 1
        else:
            self.server = servers_postgresql.postgresql()
            self.count, self.watcher, self.less = (
                "select count(*) from pg_stat_activity where usename = '%s'" % self.server.user,
                "psycopg2", 0)

    def environment(self, driver: str) -> Dict[str, str]:
        return dict(os.environ, PYTHONPATH=ROOT, SETTINGS=json.dumps(self.server.settings()),
                    DRIVER=driver, WATCHER=self.watcher, ADMIN=self.server.admin, COUNT=self.count,
                    LESS=str(self.less), URL=DIALECTS[driver] + "://")


def peak(python: str, module: str, driver: str, shape: str, server: Server) -> Tuple[int, int]:
    """Run one suite; return the peak of sessions, and how many tests were refused one."""
    setting_up, body, _ = SHAPES[shape]
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "test_connections.py"), "w") as written:
            written.write(SUITE.replace("{setting_up}", setting_up).replace("{body}", body)
                          .replace("{number}", str(NUMBER)))
        told = os.path.join(folder, "told")
        child = subprocess.run(
            [python, "-m", module, "test_connections"], cwd=folder, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=dict(server.environment(driver), TOLD=told))
        said = child.stdout.decode("utf-8", "replace")
        if server.server.password in said:
            raise SystemExit("the password is in the output of %s, %s" % (driver, shape))
        if not os.path.exists(told):
            raise SystemExit(said)
        with open(told) as file:
            parts = re.split(r"^(?:=+|Exception in thread .*)$", said, flags=re.M)
            return json.load(file), sum(any(full in part for full in FULL) for part in parts)


def table(python: str, drivers: List[str], shapes: List[str]) -> int:
    """Print the table; return the exit status."""
    servers = {True: None, False: None}  # type: Dict[bool, Any]
    print("Sessions open at once, %d tests; refused: tests that found the server full" % NUMBER)
    print("%-16s %-18s %8s %8s %8s %8s" % ("driver", "shape", "unittest", "refused", "ours", "refused"))
    worst = 0
    for driver in drivers:
        mine = driver in MYSQL
        if subprocess.run([python, "-c", "import " + driver], stderr=subprocess.DEVNULL).returncode:
            print("%-16s not installed" % driver)
            continue
        servers[mine] = servers[mine] or Server("mysql" if mine else "postgresql")
        for shape in shapes:
            if "pool" in shape and subprocess.run([python, "-c", "import sqlalchemy"],
                                                  stderr=subprocess.DEVNULL).returncode:
                continue
            plain = peak(python, "unittest", driver, shape, servers[mine])
            ours = peak(python, "unittest_leakfix", driver, shape, servers[mine])
            if SHAPES[shape][2]:
                worst = max(worst, ours[0])
            note = "" if SHAPES[shape][2] else "   not the test's: --leaks names it, a budget stops it"
            print("%-16s %-18s %8d %8d %8d %8d%s" % ((driver, shape) + plain + ours + (note,)), flush=True)
    print("bound: %d where the connection belongs to the test: %s" % (
        BOUND, "met" if worst <= BOUND else "NOT met"))
    return int(worst > BOUND)


def cost(repeat: int) -> int:
    """Print what records, a budget and finding cost per connection; return the exit status."""
    from tests import servers
    from unittest_leakfix.databases.budget import Budget
    from unittest_leakfix.databases.drivers import drivers
    from unittest_leakfix.leaks.acquisitions import Acquisitions
    server = servers.mariadb()
    settings = dict(server.settings(), unix_socket=server.socket)

    class User:
        current = "benchmarks.Connections.test_open"
    user, budget = User(), Budget(15)
    ways = {"off": (lambda: None, lambda: None),
            "records": (lambda: drivers.install(user), lambda: drivers.remove(user)),
            "budget": (budget.begin, budget.end),
            "off again": (lambda: None, lambda: None)}
    print("Opening a PyMySQL connection over a unix socket, %d of each, in batches in turn" % repeat)
    figures: Dict[str, Tuple[float, float]] = {}
    _in_a_test(_measure, figures, ways, repeat, settings)
    acquisitions = Acquisitions()   # last: its audit hook cannot be taken away
    _in_a_test(_measure, figures, {"off, hook there": ways["off"], "finding": (
        acquisitions.install, acquisitions.remove)}, repeat, settings)
    for name, (seconds, ratio) in figures.items():
        print("%-16s %8.1f us   %.3f" % (name, seconds * 1e6, ratio))
    met = figures["records"][1] <= COST
    print("bound: records %.2f: %s" % (COST, "met" if met else "NOT met"))
    return int(not met)


def _in_a_test(function: Any, *args: Any) -> None:
    """Call it as unittest calls a test: the stack up to there is what is recorded."""
    unittest.FunctionTestCase(functools.partial(function, *args)).debug()


def _measure(figures: Dict[str, Tuple[float, float]], ways: Dict[str, Any], repeat: int,
             settings: Dict[str, Any]) -> None:
    """Put into *figures* the lowest decile in seconds of each way, and its ratio to the first's.

    The lower one: what else the machine does lengthens the others.
    """
    import pymysql
    taken: Dict[str, List[float]] = {name: [] for name in ways}
    for _ in range(max(repeat // BATCH, 1)):
        for name, (begin, end) in ways.items():
            begin()
            batch = []
            for _ in range(BATCH + WARM_UP):
                start = time.perf_counter()
                connection = pymysql.connect(**settings)
                batch.append(time.perf_counter() - start)
                connection.close()
            end()
            taken[name] += batch[WARM_UP:]
    quartiles = {name: statistics.quantiles(each, n=10)[0] for name, each in taken.items()}
    first = next(iter(quartiles.values()))
    figures.update((name, (each, each / first)) for name, each in quartiles.items())


def main() -> int:
    """Read the options, and do it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", default=sys.executable, help="the interpreter that runs the suites")
    parser.add_argument("--driver", action="append", choices=list(DIALECTS), help="may be repeated")
    parser.add_argument("--shape", action="append", choices=list(SHAPES), help="may be repeated")
    parser.add_argument("--cost", action="store_true", help="measure the cost of records instead")
    parser.add_argument("--repeat", type=int, default=4000, help="connections of each way, for --cost")
    options = parser.parse_args()
    print("Python %s, %s" % (platform.python_version(), platform.machine()))
    if options.cost:
        return cost(options.repeat)
    return table(os.path.abspath(options.python), options.driver or list(DIALECTS), options.shape or list(SHAPES))


if __name__ == "__main__":
    sys.exit(main())
