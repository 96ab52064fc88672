"""What large runs cost: a million survivors, 5,000 descriptors, 500 threads, 100,000 tests.

``python benchmarks/trust.py [--python PATH] [--repeat N] [ROW ...]`` runs each suite of
`tests/support/trust.py` with plain unittest, with ours, and with ``--leaks=report``, in turn, each
in a process of its own, and prints the medians of processor time and of peak memory, and the
medians of the ratios to plain unittest's of the same turn. The exit status is 1 where a verdict
differs.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from typing import Dict, List, NamedTuple, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from tests.support.trust import AFTER, HEAD, LARGE, of_ours  # noqa: E402

RUNS = {"plain": ["unittest"], "off": ["unittest_leakfix"],
        "report": ["unittest_leakfix", "--leaks=report"]}


class Cost(NamedTuple):
    seconds: float      # of the processor
    peak: float         # MiB
    verdicts: str       # unittest's own lines, and the exit status


def measure(python: str, run: str, folder: str) -> Cost:
    """Run ``sample`` in *folder*."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join((ROOT, folder)))
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen([python, "-m", *RUNS[run], "-v", "sample"], cwd=folder,
                                 env=environment,
                                 stdout=subprocess.DEVNULL, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
        output.seek(0)
        printed = output.read().decode("utf-8", "replace")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024,
                "%s\n%s" % (status, of_ours(printed)))


def row(python: str, name: str, repeat: int) -> Tuple[str, bool]:
    """Return the line of the table for this suite, and whether all verdicts were the same."""
    taken: Dict[str, List[Cost]] = {run: [] for run in RUNS}
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "sample.py"), "w", encoding="utf-8") as file:
            file.write(HEAD + LARGE[name][0] + AFTER)
        for turn in range(repeat + 1):      # the first fills the cache of byte code
            for run in RUNS:
                cost = measure(python, run, folder)
                if turn:
                    taken[run].append(cost)
    cells = [name]
    for run, costs in taken.items():
        cells.append("%.2f s, %.0f MiB" % (
            statistics.median(cost.seconds for cost in costs),
            statistics.median(cost.peak for cost in costs)))
        if run != "plain":
            pairs = list(zip(costs, taken["plain"]))
            cells[-1] += " (%.1f, %.1f)" % (statistics.median(
                mine.seconds / plain.seconds for mine, plain in pairs),
                                            statistics.median(mine.peak / plain.peak
                                                              for mine, plain in pairs))
    same = len({cost.verdicts for costs in taken.values() for cost in costs}) == 1
    return "| " + " | ".join(cells + ["same" if same else "DIFFER"]) + " |", same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("row", nargs="*", help="words of the rows to run: " + ", ".join(LARGE))
    options = parser.parse_args()
    version = subprocess.run([options.python, "-V"], stdout=subprocess.PIPE,
                             check=True).stdout.decode().strip()
    print("%s; in brackets: times plain unittest's\n" % version)
    print("| suite | plain | ours | finding on | verdicts |\n|---|---|---|---|---|")
    good = True
    for name in LARGE:
        if not options.row or any(re.search(word, name) for word in options.row):
            line, same = row(options.python, name, options.repeat)
            print(line, flush=True)
            good = good and same
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
