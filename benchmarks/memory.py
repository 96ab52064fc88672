"""Flat? Peak memory and descriptors of N tests, under plain unittest and under us.

``python benchmarks/memory.py [--number N] [PYTHON ...]`` runs suites of N tests, each of which
puts 1 MiB on itself, with every interpreter given (2.7, 3.6 and later; the running one unless one
is given): under ``python -m unittest``, under ``python -m unittest_leakfix``, and with the mixin
under ``python -m unittest``. Each cell is one process's peak of resident memory in MiB, above that
of the same N tests with one byte each under the same command. Those bases come first: plain
unittest's, and the larger of ours. The ratio is that of the whole processes, the worse of ours to
plain. Then the same for descriptors of sqlite3 files (base: the same tests without). Exit status 1
when one of ours is more than 2 MiB, or 2 descriptors.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BOUND = 2
NUMBERS = [50, 100, 300]
WAYS = {"plain": ("unittest", ""), "runner": ("unittest_leakfix", ""),
        "mixin": ("unittest", "unittest_leakfix.LeakFixMixin, ")}
ENDS = {"passing": "pass", "failing": "self.fail('as it should')",
        "skipped": "self.skipTest('as it should')", "cycle": "self.again = self.check"}

# The peak is the kernel's VmHWM: ru_maxrss would count this script's own memory before the exec.
SUITE = """\
import atexit, json, os, sqlite3, unittest
import unittest_leakfix

peak = [0]

def report():
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status if ":" in line)
    with open("peak.json", "w") as measured:
        json.dump({{"memory": int(lines["VmHWM"].split()[0]) / 1024.0, "descriptors": peak[0]}}, measured)

atexit.register(report)

class Tests({mixin}unittest.TestCase):
    def setUp(self):
        {take}
        peak[0] = max(peak[0], len(os.listdir("/proc/self/fd")))

    def check(self):
        {end}

for number in range({number}):
    setattr(Tests, "test_%03d" % number, lambda self: self.check())
"""  # noqa: E501
MEMORY = "self.payload = bytearray(b'x') * (1 << 20)"
LITTLE = "self.payload = bytearray(1)"
FILES = "self.db = sqlite3.connect('orders.db'); self.db.execute('PRAGMA user_version = 1')"


def measure(python: str, way: str, end: str, take: str, number: int) -> dict[str, float]:
    """Run one suite in a process of its own. Returns the peaks of "memory" (MiB) and
    "descriptors"."""
    module, mixin = WAYS[way]
    folder = tempfile.mkdtemp(prefix="leakfix-memory-")
    try:
        with open(os.path.join(folder, "test_peak.py"), "w") as written:
            written.write(SUITE.format(mixin=mixin, take=take, end=ENDS[end], number=number))
        environment = dict(os.environ, PYTHONPATH=ROOT)
        environment.pop("PYTHONWARNINGS", None)
        subprocess.run([python, "-m", module, "test_peak"], cwd=folder, env=environment,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        with open(os.path.join(folder, "peak.json")) as measured:
            peaks: dict[str, float] = json.load(measured)
        return peaks
    finally:
        shutil.rmtree(folder)


def table(python: str, what: str, take: str, numbers: list[int]) -> bool:
    """Print the table of one interpreter. Returns whether all of ours are within the bound."""
    within = True
    print(" %-11s %5s %7s %7s %9s %7s %7s   ratio" % (what, "N", "base", "ours", *WAYS))
    for end in ENDS:
        for number in numbers:
            bases = [measure(python, way, end, LITTLE, number)[what] for way in WAYS]
            peaks = [measure(python, way, end, take, number)[what] for way in WAYS]
            above = [peak - base for peak, base in zip(peaks, bases)]
            fits = max(above[1:]) <= BOUND
            within = within and fits
            print("  %-10s %5d %7.1f %7.1f %9.1f %7.1f %7.1f   %5.2f%s" % (
                end, number, bases[0], max(bases[1:]), *above, max(peaks[1:]) / peaks[0],
                "" if fits else "  above the bound"), flush=True)
    return within


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="Peak memory, plain unittest and us.")
    parser.add_argument("--number", type=int, action="append", help="how many tests")
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", default=[sys.executable])
    options = parser.parse_args()
    within = True
    for python in options.pythons:
        if os.sep in python:
            python = os.path.abspath(python)    # the suites run in a folder of their own
        printed = subprocess.run([python, "-c", "import sys; print(sys.version.split()[0])"],
                              stdout=subprocess.PIPE, check=True)
        print("Python " + printed.stdout.decode().strip())
        for what, take in (("memory", MEMORY), ("descriptors", FILES)):
            within = table(python, what, take, options.number or NUMBERS) and within
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
