"""What does a test that somebody keeps cost the tests after it? pytest with the plugin, off and on.

``python benchmarks/pytest_held.py [--python PATH] [--package FOLDER ...] [--repeat N] [--tests N]
[--instructions]`` writes small suites into a folder of its own and runs each under pytest with
``--leaks=off`` and with ``release`` and ``report`` in turn, after a warm-up run. A cell is the
median of the ratios of the pairs, in processor time of whole processes. ``--instructions`` counts
instructions instead, one run each under ``valgrind --tool=callgrind``. ``--package`` may be
repeated, for instance with a checkout of an earlier version.
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
from typing import Dict, List

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODES = ("release", "report")
HEAD = """
import unittest
KEEP = []

class Node:
    pass

class A(unittest.TestCase):
    def test_first(self):
        self.nodes = [Node() for _ in range(90)]
        for node in self.nodes:
            node.more = [Node() for _ in range(20)]
        %(first)s

class B(unittest.TestCase):
    pass

for number in range(%(tests)d):
    setattr(B, "test_%%04d" %% number, lambda self: %(each)s)
"""
SUITES = {
    "no test is kept": ("pass", "None"),
    "the first, which holds 2,000 objects, is kept": ("KEEP.append(self)", "None"),
    "all are kept": ("KEEP.append(self)", "KEEP.append(self)"),
}


class Bench:
    """Runs pytest in a folder of its own."""

    def __init__(self, python: str, package: str, folder: str, instructions: bool) -> None:
        self._python, self._folder, self._instructions = os.path.abspath(
            python), folder, instructions
        # With these the package would be compiled in each run.
        hidden = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        self._environ = dict(kept, PYTHONPATH=os.path.abspath(package), PYTHONHASHSEED="0",
                             PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")

    def run(self, module: str, mode: str) -> float:
        """Run the tests of *module*; return the seconds of processor time, or the instructions."""
        command = [self._python, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                   "-p", "unittest_leakfix.pytest_plugin", "--leaks=" + mode, module + ".py"]
        if self._instructions:
            command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"] + command
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        child = subprocess.run(command, cwd=self._folder, env=self._environ, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if " passed" not in child.stdout:
            raise SystemExit("%s\n%s" % (" ".join(command), child.stdout[-2000:]))
        if self._instructions:
            counted = re.search(r"Collected : (\d+)", child.stdout)
            assert counted is not None, child.stdout[-500:]
            return float(counted.group(1))
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def ratios(bench: Bench, module: str, repeat: int) -> Dict[str, float]:
    """Return the ratio of each mode to ``off``."""
    bench.run(module, "off")
    rounds: List[Dict[str, float]] = []
    for _ in range(repeat):
        taken = {mode: bench.run(module, mode) for mode in ("off", *MODES)}
        rounds.append({mode: taken[mode] / taken["off"] for mode in MODES})
    return {mode: statistics.median(each[mode] for each in rounds) for mode in MODES}


def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--package", action="append", metavar="FOLDER",
                        help="where unittest_leakfix is (may be repeated)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument("--tests", type=int, default=1000,
                        help="tests after the first (default: 1000)")
    parser.add_argument("--instructions", action="store_true", help="count them, with valgrind")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="leakfix_held_")
    try:
        print("%-50s %s" % ("", "".join("%10s" % mode for mode in MODES)))
        for package in options.package or [ROOT]:
            bench = Bench(options.python, package, folder, options.instructions)
            for place, (name, (first, each)) in enumerate(SUITES.items()):
                module = "test_held_%d" % place
                with open(os.path.join(folder, module + ".py"), "w", encoding="utf-8") as file:
                    file.write(HEAD % dict(first=first, each=each, tests=options.tests))
                found = ratios(bench, module, 1 if options.instructions else options.repeat)
                print("%-50s %s" % (name, "".join("%10.2f" % found[mode] for mode in MODES)),
                      flush=True)
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
