"""The tests of clients and databases with old and new versions of the libraries.

``python tests/integration/databases/client_versions.py [NAME ...]`` makes an environment for each
row of `ROWS` (or those named), in a temporary folder, runs the row's test modules there, prints one
line for each, and removes it. The exit status is 1 when one failed. What a module skips there is
counted: a library that is not in the row is missing. The servers are the tests' own.
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
from typing import Dict, List, NamedTuple, Tuple

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
CLIENTS = "tests.integration.finding.test_clients"
BUDGETS = "tests.integration.databases.test_budget_clients"
LOCKS = "tests.integration.databases.test_lock_waits"
RECORDS = "tests.integration.databases.test_connection_records_drivers"
DJANGO = "tests.integration.django_runner.test_django_connections"


class Row(NamedTuple):
    """Packages as pip takes them, and the test modules that they are for."""

    packages: Tuple[str, ...]
    modules: Tuple[str, ...]


ROWS: Dict[str, Row] = {
    "sqlalchemy-1.4": Row(("SQLAlchemy<2", "psycopg2-binary", "PyMySQL", "asyncpg", "greenlet"),
                          (CLIENTS, LOCKS)),
    "sqlalchemy-2.0": Row(("SQLAlchemy==2.0.*", "psycopg2-binary", "PyMySQL", "asyncpg",
                           "greenlet"), (CLIENTS, LOCKS)),
    "sqlalchemy-new": Row(("SQLAlchemy", "psycopg2-binary", "PyMySQL", "asyncpg", "greenlet"),
                          (CLIENTS, LOCKS)),
    "redis-4": Row(("redis<5",), (CLIENTS, BUDGETS)),
    "redis-new": Row(("redis",), (CLIENTS, BUDGETS)),
    "aiohttp-3.8": Row(("aiohttp<3.10",), (CLIENTS, BUDGETS)),
    "mysqlclient-2.2": Row(("mysqlclient==2.2.*", "PyMySQL"), (RECORDS,)),
    "mysqlclient-new": Row(("mysqlclient", "PyMySQL"), (RECORDS,)),
    "psycopg": Row(("psycopg2-binary", "psycopg[binary,pool]"), (CLIENTS, RECORDS)),
    "django-4.2": Row(("Django==4.2.*",), (DJANGO,)),
    "django-new": Row(("Django",), (DJANGO,)),
}


def run(row: Row, folder: str) -> List[Tuple[str, bool, str]]:
    """Return for each module of a row whether it passed, and its last line."""
    venv.create(folder, with_pip=True)
    python = os.path.join(folder, "bin", "python")
    subprocess.run([python, "-m", "pip", "install", "-q", *row.packages], check=True)
    found = []
    for module in row.modules:
        child = subprocess.run([python, "-m", "unittest", module], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        ran = re.findall(r"^Ran \d+ tests?", child.stdout, flags=re.M)
        last = child.stdout.strip().rpartition("\n")[2]
        found.append((module, not child.returncode, "%s: %s" % (" ".join(ran[-1:]), last)))
        failed = re.findall(r"^(?:FAIL|ERROR): .*", child.stdout, flags=re.M)
        found += [(module, False, each) for each in failed]
    return found


def main(names: List[str]) -> int:
    """Run the rows of those names, or all."""
    good = True
    for name in names or list(ROWS):
        with tempfile.TemporaryDirectory() as folder:
            for module, passed, text in run(ROWS[name], folder):
                good = good and passed
                print("%-16s %-45s %s" % (name, module.rpartition(".")[2], text), flush=True)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
