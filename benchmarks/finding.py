"""What finding costs: the rows of benchmarks/speed.py, and where a test's microseconds go.

``python benchmarks/finding.py [--python PATH] [--repeat N] [--rows]`` runs 20,000 trivial tests in
one process under plain unittest, under us and under us with ``leaks="report"``, in turn, and prints
microseconds a test, and microseconds of each watch of the process. ``--rows`` adds the
whole-process rows and the census rows of speed.py.
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

CHILD = r'''
import io, statistics, sys, time, timeit, unittest
from unittest_leakfix import LeakFixTestRunner
from unittest_leakfix.tracing.acquisitions import Acquisitions
from unittest_leakfix.process_state.monitors import ProcessState
N, REPEAT = 20000, int(sys.argv[1])

def make(place):
    class Tests(unittest.TestCase):
        pass
    for number in range(100):
        def test(self):
            pass
        setattr(Tests, "test_%d" % number, test)
    Tests.__name__ = Tests.__qualname__ = "Tests%d" % place
    return Tests

def once(runner, **options):
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    suite = unittest.TestSuite(load(make(place)) for place in range(N // 100))
    begin = time.process_time()
    runner(stream=io.StringIO(), **options).run(suite)
    return (time.process_time() - begin) / N * 1e6

KINDS = {"plain unittest": (unittest.TextTestRunner, {}), "finding off": (LeakFixTestRunner, {}),
         "finding on": (LeakFixTestRunner, {"leaks": "report"})}
taken = {kind: [] for kind in KINDS}
for turn in range(REPEAT + 1):
    for kind, (runner, options) in KINDS.items():
        cost = once(runner, **options)
        if turn:
            taken[kind].append(cost)
print("Python %s" % sys.version.split()[0])
for kind, costs in taken.items():
    print("%-24s %7.2f us a test" % (kind, statistics.median(costs)))
acquisitions = Acquisitions()
acquisitions.install()
state = ProcessState(acquisitions)
state.before()
for name, function in [(type(watch).__name__, same) for same, watch in state._looks] + [
        ("all of them", state.after), ("full, once a class", state.full)]:
    print("  %-22s %7.2f us" % (name, min(timeit.repeat(function, number=200, repeat=20)) / 200 * 1e6))
acquisitions.remove()
'''  # noqa: E501


def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--rows", action="store_true", help="speed.py's rows of finding, too")
    options = parser.parse_args()
    status = subprocess.run([options.python, "-c", CHILD, str(options.repeat)],
                            env=dict(os.environ, PYTHONPATH=ROOT)).returncode
    if options.rows:
        speed = os.path.join(ROOT, "benchmarks", "speed.py")
        status |= subprocess.run([sys.executable, speed, "--python", options.python, "--repeat",
                                  str(options.repeat), "finding", "census"]).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
