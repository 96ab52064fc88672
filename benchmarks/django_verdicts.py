"""Same verdicts? Suites of Django's and of a package for it, under Django's runner and under ours.

``python benchmarks/django_verdicts.py [--python PATH] [--repeat N] [--django VERSION] [SUITE ...]``
fetches the sources with their tests from PyPI into a scratch folder, makes an environment there,
and runs each suite in processes of its own: under ``DiscoverRunner``, under
``LeakFixDiscoverRunner``, and under that with ``--leaks=report``. Outcomes are compared test by
test, in order, and with them the exit status. The table has wall and CPU time as ratios to Django's
runner, medians of the repeats, in turn. What was found is printed. Exit status 1 when an outcome
differs, or when finding is off and costs more than 1.05 (CPU).
"""
from __future__ import annotations

import argparse
import glob
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from typing import Any, NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BOUND = 1.05
LIMIT = 900     # seconds for one run
NEWEST = {"django": {"3.8": "4.2.30", "3.9": "4.2.30", "3.10": "5.2.19", "3.11": "5.2.19"},
          "django-filter": {"3.8": "24.3", "3.9": "25.1"}}
"""The newest that run on an old Python; elsewhere it is the newest of all."""
LABELS = ("aggregation annotations auth_tests basic forms_tests generic_views model_forms queries "
          "servers "
          "signals template_tests test_client test_runner test_utils transactions").split()

# On the path of each run; the settings name the runners.
RECORDER = '''\
import atexit, json, os, unittest
from django.test.runner import DiscoverRunner

noted = []


class Result(unittest.TextTestResult):
    def note(self, test, outcome, error=None):
        noted.append((test.id(), outcome, "%s: %s" % (error[0].__name__, error[1]) if error else ""))

    def addSuccess(self, test):
        super().addSuccess(test); self.note(test, "ok")

    def addError(self, test, err):
        super().addError(test, err); self.note(test, "error", err)

    def addFailure(self, test, err):
        super().addFailure(test, err); self.note(test, "failure", err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason); self.note(test, "skipped")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err); self.note(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test); self.note(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(subtest, "failure", err)


class Recording:
    def get_resultclass(self):
        return Result

    def run_tests(self, *args, **kwds):
        try:
            return super().run_tests(*args, **kwds)
        finally:
            with open(os.environ["NOTED"], "w") as file:
                json.dump(noted, file)


class Plain(Recording, DiscoverRunner):
    pass


if os.environ["WAY"] != "Plain":
    from unittest_leakfix.django import LeakFixRunnerMixin

    class Ours(LeakFixRunnerMixin, Recording, DiscoverRunner):
        pass
'''  # noqa: E501
SETTINGS = '''\
import os
from {settings} import *
TEST_RUNNER = "recorder." + os.environ["WAY"].partition(" ")[0]
LEAKFIX_LEAKS = os.environ["WAY"].partition(" ")[2] or "off"
'''
WAYS = {"Django's": "Plain", "ours": "Ours", "ours, finding": "Ours report"}


class Suite(NamedTuple):
    """package: on PyPI; more: what its tests need; settings: the module; command: within its
    folder."""

    package: str
    more: list[str]
    settings: str
    folder: str
    command: list[str]


SUITES = {
    "django": Suite("django", ["asgiref", "sqlparse", "tblib"], "test_sqlite", "tests",
                    ["runtests.py", "--parallel=1", "--settings=recorded", "--noinput", *LABELS]),
    "django-filter": Suite("django-filter",
                           ["djangorestframework", "django-crispy-forms", "coreapi"],
                           "tests.settings", ".",
                           ["runtests.py", "--settings=recorded", "--noinput", "tests"]),
}


class Ran(NamedTuple):
    """What one process came to."""

    noted: list[Any]
    status: int
    wall: float
    cpu: float
    text: str


def fetch(folder: str, python: str, name: str, version: str) -> str:
    """Fetch the source of the package and return its folder."""
    subprocess.run([python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", name,
                    "--dest", folder,
                    "%s%s" % (name, "==" + version if version else "")], check=True)
    archive, = glob.glob(os.path.join(folder, "[dD]jango[-_]filter*.gz" if "filter" in name
                                      else "[dD]jango-[0-9]*.gz"))
    with tarfile.open(archive) as packed:
        if hasattr(tarfile, "data_filter"):
            packed.extraction_filter = tarfile.data_filter
        packed.extractall(folder)
    return archive[:-len(".tar.gz")]


def prepare(python: str, folder: str, suites: list[str], django: str) -> tuple[str, dict[str, str]]:
    """Make the environment; return its Python, and the folder of each suite."""
    subprocess.run([python, "-m", "venv", os.path.join(folder, "env")], check=True)
    made = os.path.join(folder, "env", "bin", "python")
    version = subprocess.check_output(
        [made, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], text=True).strip()
    pinned = django or NEWEST["django"].get(version, "")
    more = [each for name in suites for each in SUITES[name].more]
    subprocess.run([made, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                    "Django" + ("==" + pinned if pinned else ""), *more], check=True)
    installed = subprocess.check_output([made, "-c", "import django; print(django.__version__)"],
                                        text=True).strip()
    print("Python %s, Django %s" % (version, installed), flush=True)
    found = {}
    for name in suites:
        wanted = installed if name == "django" else NEWEST[name].get(version, "")
        found[name] = fetch(folder, made, SUITES[name].package, wanted)
    return made, found


def run(python: str, folder: str, name: str, way: str, scratch: str) -> Ran:
    """Run one suite one way."""
    suite = SUITES[name]
    noted = os.path.join(scratch, "noted.json")
    environment = dict(os.environ, WAY=WAYS[way], NOTED=noted, DJANGO_SETTINGS_MODULE="recorded",
                       PYTHONHASHSEED="0",
                       PYTHONPATH=os.pathsep.join([scratch, ROOT, folder]))
    begun, before = time.monotonic(), os.times()
    child = subprocess.run([python, *suite.command], cwd=os.path.join(folder, suite.folder),
                           env=environment,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=LIMIT)
    after = os.times()
    if not os.path.exists(noted):
        sys.exit("%s, %s, ended with:\n%s" % (name, way, child.stdout[-4000:]))
    with open(noted) as file:
        outcomes = json.load(file)
    os.remove(noted)
    return Ran(outcomes, child.returncode, time.monotonic() - begun,
               after[2] + after[3] - before[2] - before[3], child.stdout)


def steady(outcome: list[str]) -> tuple[str, ...]:
    """Return an outcome without addresses and scratch names."""
    return tuple(re.sub(r"0x[0-9a-f]+|/tmp/\w+|\d+\.\d+", "N", each) for each in outcome)


def differences(plain: Ran, other: Ran) -> list[str]:
    """Return a line for each difference."""
    mine, theirs = list(map(steady, other.noted)), list(map(steady, plain.noted))
    lines = ["%s: %s" % (sign, " ".join(each)[:300]) for sign, these, those in (
        ("Django's only", theirs, set(mine)), ("ours only", mine, set(theirs))) for each in these
        if each not in those]
    if not lines and mine != theirs:
        lines.append("the order differs")
    if plain.status != other.status:
        lines.append("exit status %d against %d" % (other.status, plain.status))
    return lines


def compare(python: str, folder: str, name: str, scratch: str, repeat: int,
            bound: float | None) -> bool:
    """Run a suite all ways, print what came out; return whether all is well, and the cost within
    *bound*."""
    with open(os.path.join(scratch, "recorder.py"), "w") as file:
        file.write(RECORDER)
    with open(os.path.join(scratch, "recorded.py"), "w") as file:
        file.write(SETTINGS.format(settings=SUITES[name].settings))
    runs: dict[str, list[Ran]] = {way: [] for way in WAYS}
    well = True
    for number in range(repeat):
        for way in WAYS:
            runs[way].append(run(python, folder, name, way, scratch))
            for line in differences(runs["Django's"][number], runs[way][number]):
                print("DIFFERS  %s, %s: %s" % (name, way, line), flush=True)
                well = False
    plain = runs["Django's"]
    print("%-14s %5d tests" % (name, len({each[0] for each in plain[0].noted})), end="")
    for way in list(WAYS)[1:]:
        wall, cpu = (statistics.median(getattr(mine, clock) / getattr(theirs, clock)
                                       for mine, theirs in zip(runs[way], plain))
                                       for clock in ("wall", "cpu"))
        print("   %s: wall %.2f, cpu %.2f" % (way, wall, cpu), end="")
        well = well and (way != "ours" or bound is None or cpu <= bound)
    print(flush=True)
    report = runs["ours, finding"][-1].text.partition("\nLEAKS")[2].partition("\nDestroying")[0]
    print("LEAKS" + report if report else "no leaks")
    return well


def main() -> int:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--django", default="",
                        help="a version of it; the newest for that Python otherwise")
    parser.add_argument("--verdicts", action="store_true",
                        help="verdicts alone count for the exit status, not the cost")
    parser.add_argument("suites", nargs="*", metavar="SUITE",
                        help="%s; all unless given" % ", ".join(SUITES))
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="leakfix-django-verdicts-")
    try:
        suites = options.suites or list(SUITES)
        python, folders = prepare(options.python, scratch, suites, options.django)
        # all of them are run, whatever comes out
        return 1 - min([compare(python, folders[name], name, scratch, options.repeat,
                                None if options.verdicts else BOUND) for name in suites])
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    sys.exit(main())
