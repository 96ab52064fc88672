"""Same verdicts? The standard library's own suites, under unittest and under us.

``python benchmarks/verdicts.py [--python PATH] [--repeat N] [--ours=--leaks=report] [SUITE ...]``
runs each suite in a process of its own, under ``python -m unittest`` and under ``python -m
unittest_leakfix`` of that interpreter (2.7, 3.6 and later), and compares the outcome of every test
id. A difference is run again under plain unittest: what differs there too is that test's own
flakiness. Exit status 1 when a difference remains that this does not explain. The table also has
wall time, CPU time and peak memory (the largest process), as ratios of the medians, ours to plain.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 900     # seconds for one suite
AGAIN = 4       # so often is a suite with a difference run again under plain unittest

# Where a suite lives, newest place first; "x.*" are the modules of package x.
SUITES = {
    "json": ["test.test_json", "json.tests.*"],
    "logging": ["test.test_logging"],
    "email": ["test.test_email", "email.test.test_email"],
    "unittest": ["test.test_unittest", "unittest.test.*"],
    "asyncio": ["test.test_asyncio"],
    "sqlite3": ["test.test_sqlite3", "sqlite3.test.*"],
    "socket": ["test.test_socket"],
    "contextlib": ["test.test_contextlib", "test.test_with"],
    "tempfile": ["test.test_tempfile"],
    "gc": ["test.test_gc"],
    "weakref": ["test.test_weakref"],
    "threading": ["test.test_threading"],
    "subprocess": ["test.test_subprocess"],
    "io": ["test.test_io"],
    "import": ["test.test_import"],
}

# The child: notes each outcome, as the result records it. Python 2.7 and later.
RECORDER = r'''
import json, os, sys, unittest
flavour, report = sys.argv[1:3]
del sys.argv[1:3]

if "test.test_socket" in sys.argv:
    import socket
    if hasattr(socket, "IOCTL_VM_SOCKETS_GET_LOCAL_CID"):
        # In a virtual machine 3.8's tests of vsock wait for ever: this skips them.
        socket.IOCTL_VM_SOCKETS_GET_LOCAL_CID = 0

class Recorder(unittest.TextTestResult):
    noted = []
    def note(self, test, outcome, error=None):
        last = ""
        if error is not None:
            last = "%s: %s" % (error[0].__name__, error[1])
        self.noted.append((test.id(), outcome, last[:500]))
    def addSuccess(self, test):
        super(Recorder, self).addSuccess(test); self.note(test, "ok")
    def addError(self, test, err):
        super(Recorder, self).addError(test, err); self.note(test, "error", err)
    def addFailure(self, test, err):
        super(Recorder, self).addFailure(test, err); self.note(test, "failure", err)
    def addSkip(self, test, reason):
        super(Recorder, self).addSkip(test, reason); self.note(test, "skipped")
    def addExpectedFailure(self, test, err):
        super(Recorder, self).addExpectedFailure(test, err); self.note(test, "expected failure")
    def addUnexpectedSuccess(self, test):
        super(Recorder, self).addUnexpectedSuccess(test); self.note(test, "unexpected success")
    def addSubTest(self, test, subtest, err):
        super(Recorder, self).addSubTest(test, subtest, err)
        if err is not None:
            self.note(subtest, "failing subtest", err)

def write(owner=os.getpid(), getpid=os.getpid, open=open, dumps=json.dumps):
    if getpid() == owner:
        with open(report, "w") as file:
            file.write(dumps(Recorder.noted))

try:
    if flavour == "plain":
        sys.argv[0] = "python -m unittest"
        class Runner(unittest.TextTestRunner):
            resultclass = Recorder
        unittest.main(module=None, testRunner=Runner)
    else:
        sys.argv[0] = "python -m unittest_leakfix"
        import unittest_leakfix
        class Result(unittest_leakfix.LeakFixResultMixin, Recorder):
            pass
        class Runner(unittest_leakfix.LeakFixTestRunner):
            resultclass = Result
        unittest_leakfix.main(module=None, testRunner=Runner)
finally:
    write()
'''

# Which of the places hold tests. Prints the names for the command line as JSON.
FINDER = r'''
import json, pkgutil, sys, unittest
def names(place):
    if not place.endswith(".*"):
        return [place]
    package = __import__(place[:-2], fromlist=["x"])
    return ["%s.%s" % (place[:-2], each[1]) for each in pkgutil.iter_modules(package.__path__)
            if not each[2] and not each[1].startswith("_")]
for place in sys.argv[1:]:
    try:
        # Before 3.10 sqlite3's test methods are "Check...": only suite() knows them.
        found = [each + ".suite" if hasattr(__import__(each, fromlist=["x"]), "suite") else each
                 for each in names(place)]
        found = [each for each in found
                 if unittest.defaultTestLoader.loadTestsFromName(each).countTestCases()]
    except (ImportError, unittest.SkipTest):
        continue
    if found:
        sys.stdout.write("\n" + json.dumps(found))
        break
'''


class Measured:
    """One run: ``outcomes`` (a Counter of id and outcome), ``errors`` {id: last line}, exit
    ``status`` (None: over the limit), ``wall`` and ``cpu`` in seconds, ``peak`` in MiB, the
    last lines that it printed as ``tail``."""

    package = ROOT      # the folder that holds the package
    ours = ()           # more options for us
    logs = ""           # where what ours printed is kept; "": nowhere

    def __init__(self, python: str, flavour: str, names: list[str]) -> None:
        folder = tempfile.mkdtemp(prefix="v")
        try:
            self._run(folder, [python, "-c", RECORDER, flavour,
                               os.path.join(folder, "report.json"),
                               *(Measured.ours if flavour == "ours" else ()), *names])
            self._read(folder)
            if Measured.logs and flavour == "ours":
                shutil.copy(os.path.join(folder, "out"),
                            os.path.join(Measured.logs, "%s.txt" % names[0]))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(self, folder: str, command: list[str]) -> None:
        work = os.path.join(folder, "w")
        os.mkdir(work)
        environment = dict(os.environ, PYTHONPATH=Measured.package, TMPDIR=work)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with open(os.path.join(folder, "out"), "wb") as out:
            begin = time.perf_counter()
            child = subprocess.Popen(command, cwd=work, env=environment, stdout=out, stderr=out,
                                     stdin=subprocess.DEVNULL, start_new_session=True)
            self.status, usage = wait(child.pid)
            self.wall = time.perf_counter() - begin
            child.returncode = self.status or 0
        try:
            os.killpg(child.pid, signal.SIGKILL)    # what its tests left behind
        except ProcessLookupError:
            pass
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak = usage.ru_maxrss / 1024.0

    def _read(self, folder: str) -> None:
        with open(os.path.join(folder, "out"), encoding="utf-8", errors="replace") as out:
            self.tail = "".join(out.readlines()[-12:])
        try:
            with open(os.path.join(folder, "report.json")) as file:
                noted = json.load(file)
        except (OSError, ValueError):
            noted = []
        noted = [(normal(test), outcome, last) for test, outcome, last in noted]
        self.outcomes = collections.Counter((test, outcome) for test, outcome, _ in noted)
        self.errors = {test: last for test, _, last in noted if last}


def wait(pid: int, limit: float = LIMIT):
    """Wait for the child; returns its exit status (None: over the limit) and its usage."""
    deadline = time.monotonic() + limit
    killed = False
    while True:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return None if killed else os.waitstatus_to_exitcode(status), usage
        if time.monotonic() > deadline and not killed:
            killed = True
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.01)


def normal(test: str) -> str:
    """The id without what changes from run to run: addresses, and names of scratch folders."""
    return re.sub(r"0x[0-9a-f]{4,}|/[^ '\"]*/v[a-z0-9_]{8}/w[^ '\"]*", "...", test)


class Suite:
    """One suite on one interpreter: run, compared, explained."""

    def __init__(self, python: str, title: str, names: list[str]) -> None:
        self.python, self.title, self.names = python, title, names
        self.plain: list[Measured] = []
        self.ours: list[Measured] = []

    def run(self, repeat: int) -> int:
        """Run both *repeat* times, print a row, and return how many differences remain."""
        for turn in range(repeat):
            # Who comes first changes, so that neither always finds the disk warm.
            for flavour in (("plain", "ours"), ("ours", "plain"))[turn % 2]:
                getattr(self, flavour).append(Measured(self.python, flavour, self.names))
        differing = self._differing()
        for _ in range(AGAIN):
            if not self._unexplained(differing):
                break
            self.plain.append(Measured(self.python, "plain", self.names))
        left = self._unexplained(differing)
        self._print_row(repeat, len(differing), len(left))
        for test in differing:
            self._print_difference(test, test in left)
        return len(left)

    def _verdict(self, run: Measured, test: str) -> tuple:
        if test == "exit status":
            return (run.status,)
        return tuple(sorted((outcome, count) for (each, outcome), count
                            in run.outcomes.items() if each == test))

    def _differing(self) -> list[str]:
        tests = sorted({test for run in self.plain + self.ours for test, _ in run.outcomes})
        return [test for test in ["exit status"] + tests
                if len({self._verdict(run, test) for run in self.plain + self.ours}) > 1]

    def _unexplained(self, differing: list[str]) -> list[str]:
        """What was never so under plain unittest. The exit status only follows the tests."""
        left = []
        for test in differing:
            seen = {self._verdict(run, test) for run in self.plain}
            if not {self._verdict(run, test) for run in self.ours} <= seen:
                left.append(test)
        crashed = any(run.status is None or run.status < 0 for run in self.ours)
        if left == ["exit status"] and len(differing) > 1 and not crashed:
            return []
        return left

    def _print_row(self, repeat: int, differing: int, left: int) -> None:
        def median(runs, name):
            return statistics.median(getattr(run, name) for run in runs[:repeat])
        plain = [median(self.plain, name) for name in ("wall", "cpu", "peak")]
        ours = [median(self.ours, name) for name in ("wall", "cpu", "peak")]
        ratios = ["%.3f" % (b / a) for a, b in zip(plain, ours)]
        print("| %-10s | %5d | %9d | %11d | %6.1f | %s | %s | %6.1f | %s |" % (
            self.title, sum(self.plain[0].outcomes.values()), differing, left, plain[0],
            ratios[0], ratios[1], plain[2], ratios[2]), flush=True)

    def _print_difference(self, test: str, unexplained: bool) -> None:
        def printed(runs):
            return ", ".join(" + ".join(str(part) for part in self._verdict(run, test)) or "not run"
                             for run in runs)
        print("    %s %s\n      plain: %s\n      ours:  %s" % (
            "UNEXPLAINED" if unexplained else "flaky under plain unittest too:", test,
            printed(self.plain), printed(self.ours)))
        for run in self.plain + self.ours:
            if test in run.errors:
                print("      %s" % run.errors[test].splitlines()[-1])
                break
        if test == "exit status" and unexplained:
            print(re.sub("(?m)^", "      > ", self.ours[-1].tail))


def find(python: str, places: list[str]) -> list[str]:
    """Return the names to give unittest on the command line; [] if there is no such suite."""
    printed = subprocess.run([python, "-c", FINDER, *places], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True,
                          cwd=tempfile.gettempdir()).stdout.strip()
    return json.loads(printed.splitlines()[-1]) if printed else []


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen suites, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="the interpreter to look at")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each suite (default: 1)")
    parser.add_argument("--ours", action="append", default=[], metavar="OPTION",
                        help="an option for our command line: --ours=--leaks=report")
    parser.add_argument("--logs", default="", metavar="FOLDER",
                        help="keep what our runs print there, a file for each suite")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.suites) - set(SUITES))
    if unknown:
        parser.error("no suite %s; there are: %s" % (", ".join(unknown), ", ".join(SUITES)))
    version = subprocess.run([options.python, "-c", "import sys; print(sys.version.split()[0])"],
                             stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    print("Python %s, ratios are ours to plain unittest, medians of %d\n" % (
        version, options.repeat))
    print("| suite      | tests | differing | unexplained | wall s | ratio | CPU   | MiB    | "
          "ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    # Started in the background, a shell has it ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    Measured.ours, Measured.logs = tuple(options.ours), options.logs
    if options.logs:
        os.makedirs(options.logs, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        Measured.package = compiled(options.python, folder)
        left = run_all(options)
    print("\n%d unexplained differences" % left)
    return 1 if left else 0


def compiled(python: str, folder: str) -> str:
    """Copy the package to *folder* and compile it, as an installed one is. Returns *folder*."""
    shutil.copytree(os.path.join(ROOT, "unittest_leakfix"),
                    os.path.join(folder, "unittest_leakfix"),
                    ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    subprocess.run([python, "-m", "compileall", "-q", folder], stdout=subprocess.DEVNULL)
    return folder


def run_all(options: argparse.Namespace) -> int:
    """Run the chosen suites; return how many differences are not explained."""
    left = 0
    for title in options.suites or SUITES:
        names = find(options.python, SUITES[title])
        if names:
            left += Suite(options.python, title, names).run(options.repeat)
        else:
            print("| %-10s | not in this Python |" % title)
    return left


if __name__ == "__main__":
    sys.exit(main())
