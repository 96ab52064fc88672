"""What recording a connection costs: ``python benchmarks/connections.py --cost``.

Each way opens PyMySQL connections over a unix socket to a private MariaDB, in batches in turn, so
that whatever else the machine does meets all of them.
"""

from __future__ import annotations

import functools
import statistics
import time
import unittest
from typing import Any, Dict, List, Tuple

BOUND = 1.05
BATCH, WARM_UP = 200, 100     # the interpreter's own caches are cold after a patch


def cost(repeat: int) -> int:
    """Print what records, a budget and finding cost per connection; return the exit status."""
    from tests.support import servers
    from unittest_leakfix.databases.connection_limit import Budget
    from unittest_leakfix.tracing.acquisitions import Acquisitions
    from unittest_leakfix.tracing.drivers import drivers
    server = servers.mariadb()
    settings = dict(server.settings(), unix_socket=server.socket)

    class User:
        current = "benchmarks.Connections.test_open"
    user, budget = User(), Budget(15)
    ways = {"off": (lambda: None, lambda: None),
            "records": (lambda: drivers.install(user), lambda: drivers.remove(user)),
            "budget": (budget.begin, budget.end),
            "off again": (lambda: None, lambda: None)}
    print("Opening a PyMySQL connection over a unix socket, %d of each, in batches in turn"
          % repeat)
    figures: Dict[str, Tuple[float, float]] = {}
    _in_a_test(_measure, figures, ways, repeat, settings)
    acquisitions = Acquisitions()   # last: its audit hook cannot be taken away
    _in_a_test(_measure, figures, {"off, hook there": ways["off"], "finding": (
        acquisitions.install, acquisitions.remove)}, repeat, settings)
    for name, (seconds, ratio) in figures.items():
        print("%-16s %8.1f us   %.3f" % (name, seconds * 1e6, ratio))
    met = figures["records"][1] <= BOUND
    print("bound: records %.2f: %s" % (BOUND, "met" if met else "NOT met"))
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
