"""What do we cost, in instructions? Whole processes under valgrind's callgrind, where noise hides
the rest.

``python benchmarks/instructions.py [--python PATH] [--number N ...] [--package FOLDER] [--before
FOLDER] [--pairs K] [--jobs J] [ROW ...]`` writes suites of N tests (2,000) into a folder of its own
and counts the instructions of ``python -m unittest`` and of ours over each, with PYTHONHASHSEED=0
and the byte code cached. The count of a run differs by less than one in a thousand from that of the
next. Exit status 1 when a bound is not met; 2 without valgrind.

``--before`` counts another checkout beside ``--package``, in the same run. ``--pairs`` measures
processor time instead: K rounds of plain, before and ours in turn, medians of the ratios.
``--jobs`` counts that many runs at the same time, which instructions do not mind.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, NamedTuple, Optional, Tuple

from speed import OURS, PLAIN, ROOT, SQLITE, THREE, suite


class Row(NamedTuple):
    """Our run of one suite against plain unittest's of another, which is the same but for us."""

    name: str
    bound: float
    plain: str
    ours: str
    module: str
    before: bool = True     # whether another checkout runs it too


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
            suite(number, fixture=SQLITE, head=database + mixin, bases=mixed), PLAIN,
            number <= 500),     # it grew with the square of their number
    ]


ONE = "import unittest\n\nclass Tests(unittest.TestCase):\n    def test(self):\n        pass\n"
Run = Tuple[str, str, str]      # a package, how it is run, and the text of the suite


class Counter:
    """Counts the instructions of runs, or their seconds, in a folder of its own."""

    def __init__(self, python: str, packages: Dict[str, str]) -> None:
        self._python = python
        self.folder = tempfile.mkdtemp(prefix="leakfix_instructions_")
        for name, package in packages.items():
            shutil.copytree(os.path.join(package, OURS), os.path.join(self.folder, name, OURS),
                            ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        hidden = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS")
        self._environ = {name: os.environ[name] for name in os.environ if name not in hidden}
        self._environ["PYTHONHASHSEED"] = "0"
        self._names: Dict[str, str] = {}
        self.counts: Dict[Run, int] = {}

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder)

    def add(self, text: str) -> None:
        """Write the suite of this *text*."""
        if text not in self._names:
            self._names[text] = "suite_%d" % len(self._names)
            with open(os.path.join(self.folder, self._names[text] + ".py"), "w") as file:
                file.write(text)

    def count(self, run: Run) -> None:
        """Note the instructions of a run."""
        self.seconds(run)       # fills the byte-code cache
        shown = self._run(run, ["valgrind", "--tool=callgrind",
                                "--callgrind-out-file=/dev/null"])
        found = re.search(r"Collected : (\d+)", shown)
        if found is None:
            raise SystemExit(shown[-2000:])
        self.counts[run] = int(found.group(1))

    def seconds(self, run: Run) -> float:
        """Return the processor time of a run."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._run(run, [])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    def _run(self, run: Run, under: List[str]) -> str:
        package, module, text = run
        command = under + [self._python, "-m", module, self._names[text]]
        shown = subprocess.run(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(self._environ, PYTHONPATH=os.path.join(self.folder, package) + os.pathsep
                     + self.folder)).stdout.decode("utf-8", "replace")
        if "\nRan " not in shown:
            raise SystemExit("%s\ndid not run:\n%s" % (" ".join(command), shown[-2000:]))
        return shown


def compared(row: Row, before: bool) -> List[Run]:
    """The runs of a row: plain unittest's, ours before, ours now."""
    packages = ["before", "now"] if before and row.before else ["now"]
    return [("now", PLAIN, row.plain)] + [(each, row.module, row.ours) for each in packages]


def paired(counter: Counter, runs: List[Run], rounds: int) -> List[float]:
    """The medians of the ratios of the processor times of *runs* to that of the first."""
    for run in runs:
        counter.seconds(run)
    taken = [[counter.seconds(run) for run in runs] for _ in range(rounds)]
    return [statistics.median(each[place] / each[0] for each in taken)
            for place in range(len(runs))]


def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="words of the rows' names")
    parser.add_argument("--python", default=sys.executable, help="the interpreter")
    parser.add_argument("--number", type=int, action="append",
                        help="tests in a suite, in hundreds (may be repeated; default: 2000)")
    parser.add_argument("--package", default=ROOT, help="the checkout to measure")
    parser.add_argument("--before", help="another checkout to compare with")
    parser.add_argument("--pairs", type=int, default=0, help="rounds of processor time instead")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    options = parser.parse_args()
    if shutil.which("valgrind") is None and not options.pairs:
        print("valgrind is not installed")
        return 2
    packages = {"now": options.package}
    if options.before:
        packages["before"] = options.before
    table = [Row("runner, one test", 0, ONE, ONE, OURS)] + [
        row._replace(name="%s, %s tests" % (row.name, format(number, ",")))
        for number in options.number or [2000] for row in rows(number)]
    table = [row for row in table
             if not options.rows or any(word in row.name for word in options.rows)]
    counter = Counter(os.path.abspath(options.python), packages)
    try:
        for row in table:
            counter.add(row.plain)
            counter.add(row.ours)
        if not options.pairs:
            runs = {run for row in table for run in compared(row, bool(options.before))}
            with ThreadPoolExecutor(options.jobs) as pool:
                list(pool.map(counter.count, sorted(runs, key=lambda run: len(run[2]))))
        return 0 if show(table, counter, bool(options.before), options.pairs) else 1
    finally:
        counter.close()


def show(table: List[Row], counter: Counter, before: bool, rounds: int) -> bool:
    """Print all rows; return whether all bounds are met."""
    met = True
    print("%-42s %15s %15s %8s %8s %6s" % ("", "plain", "now", "before", "now", "bound"))
    for row in table:
        runs = compared(row, before)
        ratios = (paired(counter, runs, rounds) if rounds
                  else [counter.counts[run] / counter.counts[runs[0]] for run in runs])
        counts: List[Optional[int]] = [counter.counts.get(run) for run in runs]
        good = not row.bound or ratios[-1] <= row.bound
        met &= good
        print("%-42s %15s %15s %8s %8.3f %6s  %s" % (
            row.name, _text(counts[0]), _text(counts[-1]),
            "%.3f" % ratios[1] if len(ratios) > 2 else "", ratios[-1], row.bound or "",
            "" if not row.bound else "met" if good else "NOT MET"), flush=True)
    return met


def _text(count: Optional[int]) -> str:
    return "" if count is None else format(count, ",")


if __name__ == "__main__":
    sys.exit(main())
