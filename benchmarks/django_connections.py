"""Django: how many connections are open at once on a real server, and what watching them costs.

``python benchmarks/django_connections.py [--story NAME ...]`` starts a private PostgreSQL and a
private MariaDB that admit 20 sessions, and runs the stories of examples/django under Django's
runner and under ours. A cell is the peak of the sessions on the test database, asked every few
milliseconds by a session of another account, and how many of the tests failed or could not be run.
(Those of ``failing`` fail by themselves.)

``--cost`` measures instead the processor time of the whole run under ours against Django's, the
median of some runs in turn: Django test cases with one query, test cases that flush, requests of
one client that keeps its connection to a live server.
"""
from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
from typing import Any, Dict, List, Sequence, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

STORIES = ("finished_threads", "checkout", "pages", "api", "failing")
OURS = ("--testrunner", "unittest_leakfix.django.LeakFixDiscoverRunner")
SUITES = {
    "1000 test cases, a query each": """
from django.test import TestCase
from shop.models import Order

class Tests(TestCase):
    def query(self):
        Order.objects.count()

for number in range(1000):
    setattr(Tests, "test_%d" % number, Tests.query)
""",
    "60 test cases that flush": """
from django.test import TransactionTestCase
from shop.models import Order

class Tests(TransactionTestCase):
    def query(self):
        Order.objects.count()

for number in range(60):
    setattr(Tests, "test_%d" % number, Tests.query)
""",
    "100 requests of one client": """
import http.client
from django.test import LiveServerTestCase

class Tests(LiveServerTestCase):
    def test_requests(self):
        client = http.client.HTTPConnection(self.server_thread.host, self.server_thread.port, timeout=30)
        self.addCleanup(client.close)
        for _ in range(100):
            client.request("GET", "/orders/")
            client.getresponse().read()
""",  # noqa: E501
}


class Server:
    """A server, and how its sessions are counted."""

    def __init__(self, engine: str) -> None:
        from tests.support import servers, servers_postgresql
        self.engine = engine
        if engine == "mysql":
            import pymysql
            self.server: Any = servers.mariadb()
            self.admin: Any = pymysql.connect(user="root", password=self.server.password,
                                              autocommit=True,
                                              unix_socket=self.server.socket)
            self._run_sql("GRANT ALL ON `test%%`.* TO '%s'@'%%'" % self.server.user)
            self._count = ("SELECT COUNT(*) FROM information_schema.processlist"
                           " WHERE db LIKE 'test%'")
        else:
            import psycopg
            self.server = servers_postgresql.postgresql()
            self.admin = psycopg.connect(autocommit=True, **self.server.settings(admin=True))
            self._run_sql("ALTER ROLE %s CREATEDB" % self.server.user)
            self._count = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname LIKE 'test%'"

    def _run_sql(self, statement: str) -> int:
        cursor = self.admin.cursor()
        cursor.execute(statement)
        return int(cursor.fetchone()[0]) if cursor.description else 0

    def watch(self, over: threading.Event) -> int:
        """Return the most sessions there were until *over*."""
        most = 0
        while not over.wait(0.003):
            most = max(most, self._run_sql(self._count))
        return most

    def run(self, runner: Sequence[str], labels: Sequence[str], **more: str) -> str:
        """Run tests of the shop; return the output."""
        settings = dict(SHOP_ENGINE=self.engine, SHOP_HOST=self.server.host,
                        SHOP_PORT=str(self.server.port),
                        SHOP_USER=self.server.user, SHOP_PASSWORD=self.server.password,
                        SHOP_CONN_MAX_AGE="60")
        environment = dict(os.environ, **settings, **more)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, more.get("PYTHONPATH"))))
        printed = subprocess.run(
            [sys.executable, "manage.py", "test", "--noinput", *runner, *labels],
            stdout=subprocess.PIPE,
            cwd=os.path.join(ROOT, "examples", "django"), env=environment,
            stderr=subprocess.STDOUT).stdout.decode()
        if self.server.password in printed:
            raise SystemExit("the password is in the output")
        return printed


def failed(printed: str) -> str:
    """Return how many tests did not pass, of how many."""
    ran = re.search(r"Ran (\d+) test", printed)
    if ran is None:
        return "ended before"
    names = set(re.findall(r"(?m)^(?:ERROR|FAIL): (.*)$", printed))
    return "%d of %s" % (len(names), ran.group(1))


def peaks(stories: Sequence[str]) -> None:
    """Print the table of peaks."""
    print("%-18s %-11s %10s %14s %10s %14s"
          % ("story", "server", "Django's", "failed", "ours", "failed"))
    for engine in "postgresql", "mysql":
        server = Server(engine)
        for story in stories:
            cells: List[Any] = []
            for runner in (), OURS:
                over, most = threading.Event(), [0]
                watch = threading.Thread(target=lambda: most.append(server.watch(over)))
                watch.start()
                printed = server.run(runner, ["shop.tests.test_" + story])
                over.set()
                watch.join()
                cells += [max(most), failed(printed)]
            print("%-18s %-11s %10s %14s %10s %14s" % (story, engine, *cells), flush=True)


def cost(runs: int) -> None:
    """Print the ratios."""
    print("%-32s %-11s %10s %8s %8s" % ("tests", "server", "Django's", "ours", "ratio"))
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(SUITES.values()):
            with open(os.path.join(folder, "test_cost_%d.py" % number), "w") as file:
                file.write(text)
        for engine in "postgresql", "mysql":
            server = Server(engine)
            for number, name in enumerate(SUITES):
                took: Dict[Tuple[str, ...], List[float]] = {(): [], OURS: []}
                for _ in range(runs):
                    for runner, found in took.items():
                        before = spent()
                        printed = server.run(runner, ["test_cost_%d" % number], PYTHONPATH=folder)
                        found.append(spent() - before)
                        if "\nOK\n" not in printed:
                            raise SystemExit(printed)
                plain, ours = (statistics.median(found) for found in took.values())
                print("%-32s %-11s %8.0fms %6.0fms %8.2f" % (
                    name, engine, plain * 1000, ours * 1000, ours / plain), flush=True)


def spent() -> float:
    """Return the processor time of the children so far."""
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--story", nargs="+", choices=STORIES, default=STORIES)
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    import django
    print("Python %s, Django %s" % (platform.python_version(), django.get_version()))
    if options.cost:
        cost(options.runs)
    else:
        peaks(options.story)


if __name__ == "__main__":
    main()
