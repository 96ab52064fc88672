"""Flat? Peak memory of N tests that load rows, under Django's runner and under ours.

``python benchmarks/django_memory.py [--number N] [PYTHON ...]`` runs suites of N tests in classes
of ten with every interpreter given (the running one unless one is given; each needs Django). Each
test's ``setUp`` loads rows of half a megabyte; every other test fails. In ``test data`` each class
loads them in ``setUpTestData`` instead, and the tests do not touch them. Each cell is one process's
peak of resident memory in MiB above that of the same tests with rows of one byte, under the same
runner. "mixin" is Django's runner with ``LeakFixMixin`` and ``ClassLeakFixMixin`` on the tests
(before 3.8, where a class is put back by our suite alone, with the runner of docs/recipes.md),
"runner" is ``LeakFixDiscoverRunner`` and not a change to a test; "workers" is that and Django's
with ``--parallel=2``, where the peak is that of the larger worker. Exit status 1 when one of ours
is above 4 MiB.
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
BOUND = 4
ROWS, CLASS = 8, 10
SIZE = 1 << 16
PLAIN, OURS = "django.test.runner.DiscoverRunner", "unittest_leakfix.django.LeakFixDiscoverRunner"
ENDS = {"passing": "pass",
        "half failing": "self.assertTrue(int(self.id()[-3:]) % 2, 'as it should')",
        "skipped": "self.skipTest('as it should')"}

SETTINGS = """\
SECRET_KEY = "of a benchmark"
INSTALLED_APPS = ["shop"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "{runner}"
"""
MODELS = """\
from django.db import models

class Order(models.Model):
    text = models.TextField()
"""
RUN = """\
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
if __name__ == "__main__":
    from django.core.management import execute_from_command_line
    execute_from_command_line(["manage.py", "test", "-v0"] + sys.argv[1:])
"""
# For Django before 4.2, as docs/recipes.md has it.
RUNNER = """\
from django.test.runner import DiscoverRunner
from unittest_leakfix import LeakFixTestRunner

class Runner(DiscoverRunner):
    test_runner = LeakFixTestRunner
"""
# The peak is the kernel's VmHWM; the last test of each class writes that of its process.
SUITE = """\
import json, os
from django.test import TestCase
from shop.models import Order
{imports}

def peak():
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status if ":" in line)
    with open("peak-%d.json" % os.getpid(), "w") as measured:
        json.dump(int(lines["VmHWM"].split()[0]) / 1024.0, measured)

class Case(object):
    def setUp(self):
        {set_up}

    def tearDown(self):
        peak()

    def check(self):
        {end}

def rows():
    Order.objects.bulk_create([Order(text="%06d" % number + "x" * {size}) for number in range({rows})])
    return list(Order.objects.all())

def test_data(cls):
    {test_data}

for first in range(0, {number}, {in_class}):
    body = dict(("test_%03d" % number, lambda self: self.check()) for number in range(first, first + {in_class}))
    body["setUpTestData"] = classmethod(test_data)
    name = "Tests%03d" % first
    globals()[name] = type(name, ({mixin}Case, TestCase), body)
"""  # noqa: E501


def measure(python: str, way: str, end: str, of_class: bool, number: int, size: int) -> float:
    """Run one suite in a process of its own and return the peak of memory in MiB."""
    folder = tempfile.mkdtemp(prefix="leakfix-django-memory-")
    mixed, old = way == "mixin", way == "mixin" and is_old(python)
    runner = {"runner": OURS, "our workers": OURS}.get(way, "runners.Runner" if old else PLAIN)
    files = {
        "settings.py": SETTINGS.format(runner=runner), "shop/__init__.py": "",
        "shop/models.py": MODELS,
        "manage.py": RUN, "runners.py": RUNNER, "shop/tests.py": SUITE.format(
            imports="from unittest_leakfix import ClassLeakFixMixin, LeakFixMixin" if mixed else "",
            mixin="LeakFixMixin, ClassLeakFixMixin, " if mixed else "", end=ENDS[end],
            number=number, rows=ROWS,
            in_class=CLASS, size=size, set_up="pass" if of_class else "self.rows = rows()",
            test_data="cls.rows = rows()" if of_class else "pass")}
    try:
        os.mkdir(os.path.join(folder, "shop"))
        for name, text in files.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        printed = subprocess.run(
            [python, "manage.py", *(["--parallel=2"] if "workers" in way else []), "shop"],
            cwd=folder,
            env=dict(os.environ, PYTHONPATH=ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True).stdout
        peaks = []
        for name in os.listdir(folder):
            if name.startswith("peak-"):
                with open(os.path.join(folder, name)) as measured:
                    peaks.append(json.load(measured))
        if not peaks:
            sys.exit("%s, %s, ended with:\n%s" % (python, way, printed[-3000:]))
        return float(max(peaks))
    finally:
        shutil.rmtree(folder)


def is_old(python: str) -> bool:
    """Tell whether there is no unittest_leakfix.django for it."""
    return subprocess.run([python, "-c",
                           "import django, sys; sys.exit(sys.version_info < (3, 8) or "
                           "django.VERSION < (4, 2))"]).returncode == 1


def table(python: str, number: int) -> bool:
    """Print the table of one interpreter; return whether ours are within the bound."""
    version = subprocess.check_output([python, "-c",
                                       "import platform, django; print('Python %s, Django %s' % ("
                                       "platform.python_version(), django.get_version()))"],
                                       text=True).strip()
    ways = ["Django's",
            "mixin"] + ([] if is_old(python) else ["runner", "Django's workers", "our workers"])
    print("%s, %d tests" % (version, number))
    print("%-24s" % "" + "".join("%18s" % way for way in ways), flush=True)
    well = True
    cases = [(end, end, False) for end in ENDS] + [("test data", "passing", True)]
    for name, end, of_class in cases:
        cells = []
        for way in ways:
            above = (measure(python, way, end, of_class, number, SIZE)
                     - measure(python, way, end, of_class, number, 1))
            well = well and (way.startswith("Django's") or above <= BOUND)
            cells.append("%18.1f" % above)
        print("%-24s" % name + "".join(cells), flush=True)
    return well


def main() -> int:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", default=[sys.executable])
    options = parser.parse_args()
    pythons = [os.path.abspath(python) if os.sep in python else python
               for python in options.pythons]
    return 1 - min([table(python, options.number) for python in pythons])


if __name__ == "__main__":
    sys.exit(main())
