"""How much slower? ``python -m unittest_leakfix`` against ``python -m unittest``, whole processes.

``python benchmarks/speed.py [--python PATH ...] [--repeat N] [--clock cpu|wall] [ROW ...]`` writes
small suites into a folder of its own and runs each under both, in turn (plain, ours, plain,
ours ...), after one warm-up run of each that also fills the byte-code cache. The ratio of a row is
the median of the ratios of the pairs; with each pair run back to back, what else the machine does
meanwhile hits both. One table per interpreter: row, medians, ratio, bound (0 for none), met or
not. Exit status 1 when a bound is not met; ``--list`` shows the rows.

The times are user and system time of the child (``--clock cpu``, the default) or the wall's.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PLAIN, OURS = "unittest", "unittest_leakfix"
REPORT = "--leaks=report"
BIG = "500,000 lists"

# The suites, in the common subset of 2.7 and 3. %(n)d tests in classes of a hundred.
HEAD = "import unittest\n"
BIG_HEAP = '''
for name in ("django", "numpy", "sqlalchemy"):
    try:
        __import__(name)
    except ImportError:
        pass
try:
    import django.db.models, django.forms, django.contrib.admin.options
except Exception:
    pass
HEAP = [[] for _ in range(%d)]
'''
TESTS = '''
def make(place):
    class Tests(%(bases)s):
%(fixture)s
    for number in range(100):
        def test(self):
            %(body)s
        test.__name__ = "test_%%d" %% number
        setattr(Tests, test.__name__, test)
    Tests.__name__ = "Tests%%d" %% place
    Tests.__qualname__ = Tests.__name__
    return Tests

for place in range(%(n)d // 100):
    globals()["Tests%%d" %% place] = make(place)
'''
THREE = "        def setUp(self):\n            self.a = 1; self.b = 'b'; self.c = [1]"
SQLITE = "        def setUp(self):\n            self.db = sqlite3.connect(':memory:')"
SHARED = "        @classmethod\n        def setUpClass(cls):\n" \
         "            cls.a = 1; cls.b = 'b'; cls.c = [1]"


def suite(n: int, body: str = "pass", fixture: str = "        pass",
          bases: str = "unittest.TestCase",
          head: str = "") -> str:
    """The text of a test module with `n` tests."""
    return HEAD + head + TESTS % dict(n=n, body=body, fixture=fixture, bases=bases)


class Row(NamedTuple):
    """One comparison: two command lines over one or two suites."""

    name: str
    bound: float                # of the ratio ours / plain; 0: none
    plain: str                  # the module that plain unittest runs
    ours: Optional[str] = None  # the one that we run; None: the same
    module: str = OURS          # how we run it: python -m MODULE
    options: Tuple[str, ...] = ()
    times: float = 1.0          # of the runs asked for, since it takes long


def rows() -> List[Row]:
    """All rows, in the order of the table."""
    big = BIG_HEAP % 500000
    mixin = "import unittest_leakfix\n"
    mixed = "unittest_leakfix.LeakFixMixin, unittest.TestCase"
    classed = "unittest_leakfix.ClassLeakFixMixin, unittest.TestCase"
    listed = [
        Row("2,000 trivial tests", 1.03, suite(2000)),
        Row("20,000 trivial tests", 1.03, suite(20000)),
        Row("2,000 trivial tests, big heap", 0.85, suite(2000, head=big), times=0.5),
        Row("300 tests of 3,000 lists, big heap", 0.85,
            suite(300, "rows = [[] for _ in range(3000)]", head=big), times=0.5),
        Row("2,000 failing tests", 0, suite(2000, "self.fail()")),
        Row("2,000 tests with a sqlite3 connection", 0,
            suite(2000, fixture=SQLITE, head="import sqlite3\n")),
    ]
    for n in (2000, 20000):
        listed.append(Row("mixin, %s tests with 3 attributes" % format(n, ","), 1.06,
                          suite(n, fixture=THREE, head=mixin),
                          suite(n, fixture=THREE, head=mixin, bases=mixed), PLAIN))
    listed.append(Row("class mixin, 20,000 tests in 200 classes", 1.06,
                      suite(20000, fixture=SHARED, head=mixin),
                      suite(20000, fixture=SHARED, head=mixin, bases=classed), PLAIN))
    listed += [
        Row("finding, 2,000 trivial tests", 1.15, suite(2000), options=(REPORT,)),
        Row("finding, 20,000 trivial tests", 1.15, suite(20000), options=(REPORT,)),
        Row("finding, 2,000 trivial tests, big heap", 0.95, suite(2000, head=big),
            options=(REPORT,), times=0.5),
        Row("finding, 300 tests of 3,000 lists, big heap", 0.95,
            suite(300, "rows = [[] for _ in range(3000)]", head=big), options=(REPORT,),
            times=0.5),
    ]
    return listed


CENSUS = "census, a test's cost at a heap of %s objects"
CENSUS_BOUND = 1.2
CENSUS_SIZES = (0, 100000, 1000000)


class Bench:
    """Runs suites with one interpreter, in a folder of its own."""

    def __init__(self, python: str, clock: str) -> None:
        self.python = os.path.abspath(shutil.which(python) or python)
        self.clock = clock
        self.folder = tempfile.mkdtemp(prefix="leakfix_speed_")
        self._names: Dict[str, str] = {}
        hidden = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS")
        self._environ = {name: os.environ[name] for name in os.environ if name not in hidden}
        # 2.7 knows no cache apart: it runs a copy, so that the clone stays clean.
        shutil.copytree(os.path.join(ROOT, OURS), os.path.join(self.folder, OURS),
                        ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        self._environ["PYTHONPATH"] = self.folder

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder)

    def module(self, text: str) -> str:
        """Write a suite once; return its module's name."""
        if text not in self._names:
            self._names[text] = "suite_%d" % len(self._names)
            with open(os.path.join(self.folder, self._names[text] + ".py"), "w") as file:
                file.write(text)
        return self._names[text]

    def run(self, module: str, options: Tuple[str, ...], text: str) -> float:
        """Run a suite with ``python -m module``; return the seconds it took."""
        command = [self.python, "-m", module] + list(options) + [self.module(text)]
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        child = subprocess.run(command, cwd=self.folder, env=self._environ,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wall = time.perf_counter() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if b"\nRan " not in child.stdout:
            raise SystemExit("%s\ndid not run:\n%s" % (
                " ".join(command), child.stdout.decode("utf-8", "replace")[-2000:]))
        if self.clock == "wall":
            return wall
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    def says(self, *arguments: str) -> str:
        """The output of the interpreter with these arguments."""
        return subprocess.run([self.python] + list(arguments), env=self._environ,
                              cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT).stdout.decode("utf-8", "replace").strip()


def in_turn(one: Callable[[], float], other: Callable[[], float],
            repeat: int) -> Tuple[float, float, float]:
    """Call both in turn; return their medians and the median ratio of the pairs."""
    one(), other()
    pairs = [(one(), other()) for _ in range(repeat)]
    return (statistics.median(pair[0] for pair in pairs),
            statistics.median(pair[1] for pair in pairs),
            statistics.median(pair[1] / pair[0] for pair in pairs))


def measured(bench: Bench, row: Row, repeat: int) -> Tuple[float, float, float]:
    """Plain's median, ours, and the ratio, of one row."""
    return in_turn(lambda: bench.run(PLAIN, (), row.plain),
                   lambda: bench.run(row.module, row.options, row.ours or row.plain),
                   max(3, int(repeat * row.times)))


def census_cost(bench: Bench, size: int, repeat: int) -> float:
    """Seconds that finding adds to one test, at a heap of `size` objects.

    From 4,000 tests against 1,000 in one process each, so that neither start-up nor the making
    of the heap counts.
    """
    head = "HEAP = [[] for _ in range(%d)]\n" % size
    few, many = suite(1000, head=head), suite(4000, head=head)
    bench.run(OURS, (REPORT,), few)
    return statistics.median(
        (bench.run(OURS, (REPORT,), many) - bench.run(OURS, (REPORT,), few)) / 3000
        for _ in range(repeat))


LINE = "%-46s %9s %9s %7s %6s  %s"


def tell(name: str, plain: float, ours: float, ratio: float, bound: float, unit: str) -> bool:
    """Print one row; return whether its bound is met."""
    scale = 1000 if unit == "ms" else 1000000
    met = not bound or ratio <= bound
    print(LINE % (name, "%.1f %s" % (plain * scale, unit), "%.1f %s" % (ours * scale, unit),
                  "%.3f" % ratio, "%.2f" % bound if bound else "",
                  "" if not bound else "met" if met else "NOT MET"), flush=True)
    return met


def compare(bench: Bench, repeat: int, only: List[str]) -> bool:
    """The table of one interpreter; returns whether all bounds are met."""
    version = bench.says("-c", "import sys; print(sys.version.split()[0])")
    heap = bench.says("-c", "for name in ('django', 'numpy', 'sqlalchemy'):\n"
                      "    try: print(name + ' ' + __import__(name).__version__)\n"
                      "    except ImportError: pass")
    print("Python %s, %s time, medians of %d pairs; the big heap: %s" % (
        version, bench.clock, repeat, ", ".join([BIG] + heap.split("\n"))))
    print(LINE % ("", "plain", "ours", "ratio", "bound", ""))
    finds = "--leaks" in bench.says("-m", OURS, "--help")
    all_met = True
    for row in chosen(rows(), only):
        if row.options and not finds:
            print("%-46s skipped: this version has no --leaks" % row.name)
            continue
        all_met &= tell(row.name, *measured(bench, row, repeat), row.bound, "ms")
    if finds and (not only or any(word in CENSUS for word in only)):
        all_met &= census(bench, max(3, repeat // 2))
    elif not only:
        print("%-46s skipped: this version has no --leaks" % "census")
    return all_met


def census(bench: Bench, repeat: int) -> bool:
    """The census rows: each size against the empty heap."""
    costs = [census_cost(bench, size, repeat) for size in CENSUS_SIZES]
    return all([tell(CENSUS % format(size, ","), costs[0], cost, cost / costs[0],
                     CENSUS_BOUND, "us") for size, cost in zip(CENSUS_SIZES[1:], costs[1:])])


def chosen(all_rows: List[Row], only: List[str]) -> List[Row]:
    """The rows whose names have one of the words; all without words."""
    return [row for row in all_rows if not only or any(word in row.name for word in only)]


def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="words of the rows' names")
    parser.add_argument("--python", action="append", help="an interpreter (may be repeated)")
    parser.add_argument("--repeat", type=int, default=15, help="pairs of runs (default: 15)")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    parser.add_argument("--list", action="store_true", help="show the rows and exit")
    options = parser.parse_args()
    if options.list:
        print("\n".join([row.name for row in rows()] + [CENSUS % "N"]))
        return 0
    print("%s, %d processors" % (platform.machine(), os.cpu_count() or 1))
    met = True
    for python in options.python or [sys.executable]:
        bench = Bench(python, options.clock)
        try:
            met &= compare(bench, options.repeat, options.rows)
        finally:
            bench.close()
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
