"""Is the polluter found, and in how many runs? Twelve planted suites under three frameworks.

``python benchmarks/polluters.py [--framework NAME] [--jobs N] [--write] [SUITE ...]`` makes each
suite, of 10 to 2,000 tests one of which fails because of one, two or three tests before it, and has
``python -m unittest_leakfix polluter`` find these, by unittest, pytest and Django: the same files.
Each cell is the number of runs and the seconds of the command; "wrong" where it named others.
``--write`` puts the table into docs/polluter.md. Exit status 1 when an answer is wrong, or when
there were more runs than 2 log2(N) + 4 with one polluter.
"""
from __future__ import annotations

import argparse
import io
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "polluter.md")
BEGIN, END = "<!-- written by benchmarks/polluters.py -->\n", "<!-- end of the table -->\n"
FRAMEWORKS = ("unittest", "pytest", "django")
IN_MODULE, IN_CLASS = 50, 10

# What a polluter does, and what the victim does, with as many polluters as there are in "count".
WAYS = {
    "environment variable": ("os.environ['SHOP_MODE'] = 'test'",
                             "self.assertNotIn('SHOP_MODE', os.environ)"),
    "working directory": ("os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))",
                          "self.assertTrue(os.path.exists('here.txt'))"),
    "class attribute": ("app.Config.debug = True", "self.assertFalse(app.Config.debug)"),
    "module global": ("app.rate = 2", "self.assertEqual(app.rate, 1)"),
    "list appended to": ("app.items.append(1)", "self.assertLess(len(app.items), count)"),
    "cache filled": ("app.price()", "app.rate = 3; self.addCleanup(setattr, app, 'rate', 1); "
                     "self.assertEqual(app.price(), 3)"),
    "registry": ("app.registered.add(self.id())", "self.assertLess(len(app.registered), count)"),
    "setUpClass": ("", "self.assertFalse(app.Config.debug)"),
    "needed": ("app.items.append(1)", "self.assertTrue(app.items)"),
}
APP = '''\
import functools

rate = 1
items = []
registered = set()


class Config:
    debug = False


@functools.lru_cache(None)
def price():
    return rate
'''
SETTINGS = '''\
SECRET_KEY = "of a benchmark"
INSTALLED_APPS = []
DATABASES = {}
USE_TZ = True
'''
MANAGE = '''\
import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
'''


class Suite(NamedTuple):
    """A suite: of *tests* tests, in which *count* together pollute the last one in this *way*.

    *decoys* leave something that does no harm, and *menders* put right what was polluted before
    them.
    """

    name: str
    tests: int
    count: int
    way: str
    decoys: int = 0
    menders: int = 0


SUITES = (
    Suite("ten", 10, 1, "environment variable"),
    Suite("fifty", 50, 1, "module global"),
    Suite("hundred", 100, 2, "list appended to"),
    Suite("two hundred", 200, 1, "class attribute", decoys=3),
    Suite("three", 200, 3, "registry"),
    Suite("setter", 400, 1, "needed"),
    Suite("fixture", 500, 1, "setUpClass"),
    Suite("thousand", 1000, 1, "working directory"),
    Suite("cache", 1000, 1, "cache filled", decoys=20, menders=3),
    Suite("two of a thousand", 1000, 2, "registry", decoys=5),
    Suite("two thousand", 2000, 1, "list appended to", decoys=30),
    Suite("three of two thousand", 2000, 3, "list appended to"),
)


def named(number: int) -> str:
    """Return the id of a test by its number."""
    return "planted.test_%03d.Tests%d.test_%04d" % (
        number // IN_MODULE, number // IN_CLASS, number)


def make(suite: Suite, folder: str) -> Tuple[str, List[str]]:
    """Write the *suite* into *folder*, and return the ids of the victim and of the polluters."""
    dice = random.Random(suite.name)
    victim = suite.tests - 1
    before = list(range(victim - victim % IN_CLASS)) or list(range(victim))
    special = dice.sample(before, suite.count + suite.decoys)
    polluters, decoys = sorted(special[:suite.count]), special[suite.count:]
    pollute, check = WAYS[suite.way]
    bodies: Dict[int, str] = {number: pollute or "pass" for number in polluters}
    bodies.update((number, "os.environ['DECOY_%d'] = 'x'" % number) for number in decoys)
    free = [number for number in range(polluters[0]) if number not in bodies]
    bodies.update((number, "app.price.cache_clear()") for number in dice.sample(
        free, min(suite.menders, len(free))))
    bodies[victim] = check.replace("count", str(suite.count))
    fixtures = {number // IN_CLASS for number in polluters} if suite.way == "setUpClass" else set()
    os.makedirs(os.path.join(folder, "planted"))
    for name, text in (("app.py", APP), ("settings.py", SETTINGS), ("manage.py", MANAGE),
                       ("here.txt", ""), ("planted/__init__.py", "")):
        _write(os.path.join(folder, name), text)
    for start in range(0, suite.tests, IN_MODULE):
        lines = ["import os", "import unittest", "", "import app", ""]
        for number in range(start, min(start + IN_MODULE, suite.tests)):
            if number % IN_CLASS == 0:
                lines += ["", "class Tests%d(unittest.TestCase):" % (number // IN_CLASS)]
                if number // IN_CLASS in fixtures:
                    lines += ["    @classmethod", "    def setUpClass(cls):",
                              "        app.Config.debug = True", ""]
            lines += ["    def test_%04d(self):" % number, "        %s" % bodies.get(
                number, "self.assertTrue(app)"), ""]
        _write(os.path.join(folder, "planted", "test_%03d.py" % (start // IN_MODULE)),
               "\n".join(lines))
    if suite.way == "working directory":
        # The folder that it goes to has no such file.
        _write(os.path.join(folder, "planted", "test_%03d.py" % (polluters[0] // IN_MODULE)),
               io.open(os.path.join(folder, "planted", "test_%03d.py" % (
                   polluters[0] // IN_MODULE)), encoding="utf-8").read().replace(
                       pollute, "os.chdir(os.path.dirname(os.path.abspath(__file__)))"))
    return named(victim), [named(number) for number in polluters]


def _write(path: str, text: str) -> None:
    with io.open(path, "w", encoding="utf-8") as file:
        file.write(text)


def find(folder: str, framework: str, victim: str, jobs: int = 1,
         python: str = sys.executable) -> Dict[str, Any]:
    """Have the polluters of *victim* found in *folder*, and return the answer as JSON has it."""
    path = [ROOT] + [each for each in [os.environ.get("PYTHONPATH")] if each]
    # Only what is measured: other plugins of pytest's take seconds to load.
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path), PYTHONDONTWRITEBYTECODE="1",
                       PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    out = os.path.join(folder, "answer.json")
    if os.path.exists(out):
        os.remove(out)
    switch = [] if framework == "unittest" else ["--" + framework]
    more = {"unittest": [], "pytest": ["planted"], "django": ["planted"]}
    done = subprocess.run(
        [python, "-m", "unittest_leakfix", "polluter", *switch, "--jobs", str(jobs), "--json", out,
         victim, *more[framework]], cwd=folder, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    text = done.stdout.decode("utf-8", "replace")
    if not os.path.exists(out):
        raise SystemExit("no answer:\n" + text)
    with io.open(out, encoding="utf-8") as file:
        return dict(json.load(file), status=done.returncode, text=text)


def is_right(answer: Dict[str, Any], suite: Suite, polluters: List[str]) -> bool:
    """Tell whether the polluters were found, or one of the class whose fixture pollutes."""
    found = [name.replace(".py::", ".").replace("::", ".").replace("/", ".")
             for name in answer["polluters"]]
    kind = "state-setter" if suite.way == "needed" else "polluter"
    if suite.way == "setUpClass":
        found = [name.rpartition(".")[0] for name in found]
        polluters = [name.rpartition(".")[0] for name in polluters]
    return bool(answer["answer"] == kind and found == polluters and answer["proved"])


def table(chosen: List[Suite], frameworks: List[str], jobs: int) -> Tuple[List[str], bool]:
    """Return the lines of the table, and whether all is right."""
    head = ["tests", "polluters", "what they leave", "bound"] + list(frameworks)
    lines = ["| %s |" % " | ".join(head), "|%s" % ("---|" * len(head))]
    right = True
    for suite in chosen:
        cells = [format(suite.tests, ","), str(suite.count), suite.way + (
            ", %d decoys" % suite.decoys if suite.decoys else "")]
        bound = int(2 * math.log2(suite.tests - 1) + 4) if suite.count == 1 else None
        cells.append(str(bound or ""))
        for framework in frameworks:
            folder = tempfile.mkdtemp(prefix="leakfix-planted-")
            try:
                victim, polluters = make(suite, folder)
                answer = find(folder, framework, victim, jobs)
            finally:
                shutil.rmtree(folder)
            good = is_right(answer, suite, polluters)
            right = right and good and (bound is None or len(answer["runs"]) <= bound)
            cells.append("%d runs, %.0f s%s" % (len(answer["runs"]), answer["seconds"],
                                                "" if good else ", **wrong**"))
            sys.stderr.write("%s, %s: %s%s\n" % (suite.name, framework, cells[-1], "" if good
                                                 else "\n" + answer["text"]))
            sys.stderr.flush()
        lines.append("| %s |" % " | ".join(cells))
    return lines, right


def main(arguments: Optional[List[str]] = None) -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--framework", action="append", choices=FRAMEWORKS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("suite", nargs="*")
    options = parser.parse_args(arguments)
    chosen = [suite for suite in SUITES if not options.suite or suite.name in options.suite]
    lines, right = table(chosen, options.framework or list(FRAMEWORKS), options.jobs)
    print("\n".join(lines))
    if options.write:
        with io.open(PAGE, encoding="utf-8") as file:
            text = file.read()
        before, rest = text.split(BEGIN)
        _write(PAGE, before + BEGIN + "\n" + "\n".join(lines) + "\n\n" + END + rest.split(END)[1])
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
