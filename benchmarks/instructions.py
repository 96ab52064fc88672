"""What do we cost, in instructions? Whole processes under valgrind's callgrind, where noise hides
the rest.

``python benchmarks/instructions.py [--python PATH] [--number N] [--package FOLDER] [ROW ...]``
writes suites of N tests (2,000) into a folder of its own and counts the instructions of ``python -m
unittest`` and of ours over each, with PYTHONHASHSEED=0 and the byte code cached. The count of a run
differs by less than one in a thousand from that of the next. Exit status 1 when a bound is not met;
2 without valgrind. ``--package`` measures another checkout, for before and after.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Dict, List, NamedTuple

from speed import OURS, PLAIN, ROOT, SQLITE, THREE, suite


class Row(NamedTuple):
    """Our run of one suite against plain unittest's of another, which is the same but for us."""

    name: str
    bound: float
    plain: str
    ours: str
    module: str


def rows(number: int) -> List[Row]:
    """All rows, in the order of the table."""
    mixin = "import unittest_leakfix\n"
    mixed = "unittest_leakfix.LeakFixMixin, unittest.TestCase"
    database = "import sqlite3\n"
    three = suite(number, fixture=THREE)
    connection = suite(number, fixture=SQLITE, head=database)
    fails = suite(number, "self.fail()")
    return [
        Row("runner, trivial tests", 1.03, suite(number), suite(number), OURS),
        Row("runner, three attributes", 1.05, three, three, OURS),
        Row("runner, failing tests", 1.05, fails, fails, OURS),
        Row("runner, sqlite3 connection", 1.5, connection, connection, OURS),
        Row("mixin, three attributes", 1.35, three,
            suite(number, fixture=THREE, head=mixin, bases=mixed), PLAIN),
        Row("mixin, sqlite3 connection", 1.5, connection,
            suite(number, fixture=SQLITE, head=database + mixin, bases=mixed), PLAIN),
    ]


class Counter:
    """Counts the instructions of runs, in a folder of its own."""

    def __init__(self, python: str, package: str) -> None:
        self.python = python
        self.folder = tempfile.mkdtemp(prefix="leakfix_instructions_")
        shutil.copytree(os.path.join(package, OURS), os.path.join(self.folder, OURS),
                        ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        hidden = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS")
        self._environ = {name: os.environ[name] for name in os.environ if name not in hidden}
        self._environ.update(PYTHONHASHSEED="0", PYTHONPATH=self.folder)
        self._names: Dict[str, str] = {}
        self._counts: Dict[str, int] = {}

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder)

    def count(self, module: str, text: str) -> int:
        """The instructions of ``python -m module`` over a suite."""
        if text not in self._names:
            self._names[text] = "suite_%d" % len(self._names)
            with open(os.path.join(self.folder, self._names[text] + ".py"), "w") as file:
                file.write(text)
        command = [self.python, "-m", module, self._names[text]]
        key = " ".join(command)
        if key not in self._counts:
            self._run(command)      # fills the byte-code cache
            said = self._run(["valgrind", "--tool=callgrind",
                              "--callgrind-out-file=/dev/null"] + command)
            found = re.search(r"Collected : (\d+)", said)
            if found is None or "\nRan " not in said:
                raise SystemExit("%s\ndid not run:\n%s" % (key, said[-2000:]))
            self._counts[key] = int(found.group(1))
        return self._counts[key]

    def _run(self, command: List[str]) -> str:
        return subprocess.run(command, cwd=self.folder, env=self._environ, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT).stdout.decode("utf-8", "replace")


def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="words of the rows' names")
    parser.add_argument("--python", default=sys.executable, help="the interpreter")
    parser.add_argument("--number", type=int, default=2000, help="tests in a suite, in hundreds")
    parser.add_argument("--package", default=ROOT, help="the checkout to measure")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("valgrind is not installed")
        return 2
    counter = Counter(os.path.abspath(options.python), options.package)
    met = True
    print("%-34s %15s %15s %7s %6s" % ("", "plain", "ours", "ratio", "bound"))
    try:
        for row in rows(options.number):
            if options.rows and not any(word in row.name for word in options.rows):
                continue
            plain, ours = counter.count(PLAIN, row.plain), counter.count(row.module, row.ours)
            met &= ours <= row.bound * plain
            print("%-34s %15s %15s %7.3f %6.2f  %s" % (
                row.name, format(plain, ","), format(ours, ","), ours / plain, row.bound,
                "met" if ours <= row.bound * plain else "NOT MET"), flush=True)
    finally:
        counter.close()
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
