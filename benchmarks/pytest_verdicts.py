"""Same verdicts under pytest? Suites of well-known packages, with the plugin and without.

``python benchmarks/pytest_verdicts.py [--repeat N] [--keep FOLDER] [SUITE ...]`` makes a virtual
environment of this interpreter's, installs the package and pytest, fetches the package's source
distribution from PyPI for its tests, and runs them in turn without the plugin, with it (``off``),
and with ``--leaks=release``, ``report``. The outcome and the phase of every report of every test
are compared, and the exit status; a difference is printed, and makes the exit status 1. The table
has wall and processor time as ratios to the run without, medians. Needs the network, once.
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import venv

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What is installed; the source distribution; what pytest is given.
SUITES = {
    "attrs": (["attrs==25.3.0", "hypothesis", "cloudpickle", "pytest==8.4.2"], "attrs==25.3.0",
              ["tests", "-p", "no:randomly"]),
    "click": (["click==8.1.8", "pytest==8.4.2"], "click==8.1.8", ["tests"]),
    "jinja2": (["jinja2==3.1.6", "trio", "pytest==8.4.2"], "jinja2==3.1.6", ["tests"]),
}
MODES = ("off", "release", "report")
BOUNDS = {"off": 1.05, "release": 1.05}
RECORDER = '''
import json, os
noted = []
def pytest_runtest_logreport(report):
    noted.append([report.nodeid, report.when, report.outcome, bool(getattr(report, "wasxfail", ""))])
def pytest_sessionfinish(exitstatus):
    with open(os.environ["LEAKFIX_RECORD"], "w") as file:
        json.dump([int(exitstatus), noted], file)
'''  # noqa: E501


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5, metavar="N")
    parser.add_argument("--keep", metavar="FOLDER",
                        help="keep the environments there, and use them again")
    parser.add_argument("suites", nargs="*", choices=[[], *SUITES], default=[], metavar="SUITE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or scratch
        with open(os.path.join(scratch, "leakfix_recorder.py"), "w") as file:
            file.write(RECORDER)
        print("%-10s%-10s%8s%14s%14s   %s"
              % ("suite", "mode", "tests", "wall", "processor", "verdicts"))
        return max([compare(name, prepared(name, folder), scratch, options.repeat)
                    for name in options.suites or SUITES])


def prepared(name: str, folder: str) -> tuple[str, str]:
    """Return the interpreter with the package of that name, and the folder of its sources."""
    packages, source, _ = SUITES[name]
    home = os.path.join(os.path.abspath(folder), name)
    python = os.path.join(home, "environment", "bin", "python")
    if not os.path.exists(os.path.join(home, "done")):
        venv.create(os.path.join(home, "environment"), with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        subprocess.run([python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:",
                        "-d", home,
                        source], check=True)
        archive, = [each for each in os.listdir(home) if each.endswith(".tar.gz")]
        with tarfile.open(os.path.join(home, archive)) as sources:
            sources.extractall(home,
                               **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        open(os.path.join(home, "done"), "w").close()
    archive, = [each for each in os.listdir(home) if each.endswith(".tar.gz")]
    return python, os.path.join(home, archive[:-len(".tar.gz")])


def compare(name: str, where: tuple[str, str], scratch: str, repeat: int) -> int:
    """Run one suite in each mode in turn; print a line a mode; return 1 for a difference."""
    runs: dict[str, list[tuple[float, float]]] = {mode: [] for mode in ("without", *MODES)}
    differences: dict[str, str] = {}
    plain = run(name, where, scratch, "without")[0]     # a warm-up as well: byte code
    for _ in range(repeat):
        for mode in runs:
            verdicts, wall, processor = run(name, where, scratch, mode)
            runs[mode].append((wall, processor))
            if verdicts != plain:
                differences.setdefault(mode, difference(plain, verdicts))
    tests = len({report[0] for report in plain[1]})
    for mode in MODES:
        ratios = [statistics.median(
            ours[place] / theirs[place] for ours, theirs in zip(runs[mode], runs["without"]))
                  for place in (0, 1)]
        bound = "" if mode not in BOUNDS else " <= %.2f" % BOUNDS[mode]
        print("%-10s%-10s%8d%14.2f%14s   %s" % (
            name, mode, tests, ratios[0], "%.2f%s" % (ratios[1], bound),
            differences.get(mode, "the same")))
        sys.stdout.flush()
    if "without" in differences:
        print("%-10s differs from itself without the plugin: %s"
              % (name, differences.pop("without")))
    return int(bool(differences))


def run(name: str, where: tuple[str, str], scratch: str, mode: str) -> tuple[list, float, float]:
    """Run the suite once; return its verdicts, wall time and processor time."""
    python, sources = where
    record = os.path.join(scratch, "record.json")
    plugin = [] if mode == "without" else ["-p", "unittest_leakfix.pytest_plugin",
                                           "--leaks=" + mode]
    environ = dict(os.environ, PYTHONPATH=os.pathsep.join([scratch, ROOT]), LEAKFIX_RECORD=record,
                   PYTHONHASHSEED="0")
    before, begun = os.times(), time.perf_counter()
    subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p",
                    "leakfix_recorder", *plugin,
                    *SUITES[name][2]], cwd=sources, env=environ, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=900)
    wall, after = time.perf_counter() - begun, os.times()
    with open(record) as file:
        verdicts = json.load(file)
    os.remove(record)
    processor = (after.children_user + after.children_system
                 - before.children_user - before.children_system)
    return verdicts, wall, processor


def difference(plain: list, ours: list) -> str:
    """Say what differs first."""
    if plain[0] != ours[0]:
        return "exit status %d, with the plugin %d" % (plain[0], ours[0])
    for theirs, mine in zip(plain[1], ours[1]):
        if theirs != mine:
            return "%s, with the plugin %s" % (theirs, mine)
    return "%d reports, with the plugin %d" % (len(plain[1]), len(ours[1]))


if __name__ == "__main__":
    sys.exit(main())
