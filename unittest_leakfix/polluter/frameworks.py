"""The command lines of a child: unittest's, pytest's and Django's."""
from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from typing import Dict, List, Mapping, NamedTuple, Sequence, Tuple

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

Command = Tuple[List[str], Dict[str, str]]
"""What to run, and the variables that it needs besides those that there are. PYTHONPATH stands
before the one that there is."""

_abspath, _basename, _dirname = os.path.abspath, os.path.basename, os.path.dirname
_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_RUNNER = "unittest_leakfix.polluter.django_selection.Runner"


class Tests(NamedTuple):
    """What a child said of the tests that it collected."""

    victim: str
    """Its whole name."""
    before: Tuple[str, ...]
    """The tests that run before it, in their order."""
    total: int = 0
    """How many there are."""
    modules: Tuple[str, ...] = ()
    """The modules of all tests, as they can be typed."""
    uses: Tuple[str, ...] = ()
    """The modules of which the victim's has something."""
    labels: Tuple[str, ...] = ()
    """Those of the arguments that said which tests are meant."""
    quiet: Mapping[str, str] = {}
    """Plugins of pytest's that would give two tests another order, and how their options begin."""
    top: str = ""
    """The folder that unittest's names begin in."""
    root: str = ""
    """The folder that pytest's names begin in."""


class Framework:
    """How to run tests. *arguments* are what the user gives to choose all of them."""

    name = ""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = list(arguments)

    def run(self, arguments: Sequence[str], folder: str, report: str = "") -> Command:
        """Return the command of a child with these *arguments*. *folder* is for what it writes.
        *report*: leaks are found, and written there."""
        raise NotImplementedError

    def naming(self, names: Sequence[str], tests: Tests) -> Command:
        """Return the arguments for the tests or modules *names* alone, in this order."""
        raise NotImplementedError

    def shown(self, names: Sequence[str], tests: Tests) -> str:
        """Return what a person types for the tests *names*."""
        arguments, variables = self.naming(names, tests)
        words = ["%s=%s%s" % (name, shlex.quote(value), ":$" + name if os.environ.get(name) else "")
                 for name, value in variables.items()]
        return " ".join(words + list(map(shlex.quote, self._typed() + arguments)))

    def _typed(self) -> List[str]:
        raise NotImplementedError

    def _others(self, tests: Tests) -> List[str]:
        """Return the arguments that do not choose tests."""
        rest: List[str] = []
        labels, dropped = list(tests.labels), False
        for each in self.arguments:
            if each in labels:
                labels.remove(each)
            elif each.startswith(tuple(tests.quiet.values())):
                dropped = "=" not in each
                continue
            elif not dropped or each.startswith("-"):
                rest.append(each)
            dropped = False
        return rest


class Unittest(Framework):
    """``python -m unittest_leakfix``, with discovery if no tests are named."""

    name = "unittest"

    def run(self, arguments: Sequence[str], folder: str, report: str = "") -> Command:
        found = ["--leaks=report", "--leaks-failed", "--leaks-json", report] if report else []
        return [*_python(), "-m", "unittest_leakfix.polluter.selection", *arguments, *found], {}

    def naming(self, names: Sequence[str], tests: Tests) -> Command:
        top = os.path.relpath(tests.top) if tests.top else "."
        return list(names), {} if top == "." else {"PYTHONPATH": top}

    def _typed(self) -> List[str]:
        return ["python", "-m", "unittest_leakfix"]


class Pytest(Framework):
    """``python -m pytest``."""

    name = "pytest"

    def run(self, arguments: Sequence[str], folder: str, report: str = "") -> Command:
        found = ["-p", "unittest_leakfix.pytest_plugin", "--leakfix=report", "--leakfix-failed",
                 "--leakfix-json", report] if report else []
        # With a cache of its own: the user's list of the last failures stays as it is.
        return [*_python(), "-m", "pytest", "-p", "unittest_leakfix.polluter.pytest_selection",
                "-o", "cache_dir=%s" % os.path.join(folder, "cache"), *arguments, *found], {}

    def naming(self, names: Sequence[str], tests: Tests) -> Command:
        quiet = [word for each in tests.quiet for word in ("-p", "no:" + each)]
        return [*self._others(tests), *quiet, *(_from_here(each, tests.root) for each in names)], {}

    def _typed(self) -> List[str]:
        return ["python", "-m", "pytest"]


class Django(Framework):
    """``manage.py test``, of this folder, or ``python -m django test``."""

    name = "django"

    def run(self, arguments: Sequence[str], folder: str, report: str = "") -> Command:
        arguments = list(arguments)
        variables = _reachable()
        for place, each in enumerate(arguments):
            if each.startswith("--testrunner"):
                value = each.partition("=")[2] or (arguments[place + 1:] + [""])[0]
                variables["UNITTEST_LEAKFIX_POLLUTER_RUNNER"] = value
        arguments += ["--testrunner", _RUNNER, "--noinput"]
        if report:
            variables["UNITTEST_LEAKFIX_POLLUTER_FINDS"] = "1"
            arguments += ["--leaks=report", "--leaks-failed", "--leaks-json", report]
        return [*_python(), *self._program(), *arguments], variables

    def naming(self, names: Sequence[str], tests: Tests) -> Command:
        return [*self._others(tests), *names], {}

    def _program(self) -> List[str]:
        return ["manage.py", "test"] if os.path.exists("manage.py") else ["-m", "django", "test"]

    def _typed(self) -> List[str]:
        return ["python", *self._program()]


FRAMEWORKS = {kind.name: kind for kind in (Unittest, Pytest, Django)}


def add_arguments(parser: argparse.ArgumentParser, default: str, pytest: str, django: str) -> None:
    """Add the options that choose a framework, *default* without one; *pytest* and *django* say
    what the command does by it."""
    parser.add_argument("--pytest", dest="framework", action="store_const", const="pytest",
                        default=default, help=pytest)
    parser.add_argument("--django", dest="framework", action="store_const", const="django",
                        help=django + " by manage.py test; without a manage.py in this folder, by "
                        "python -m django test")


def check_name(parser: argparse.ArgumentParser, rest: Sequence[str]) -> None:
    """End with the error of *parser* where *rest*, the arguments that are not ours, does not begin
    with the name of a test."""
    if not rest or rest[0].startswith("-"):
        parser.error("the name of the test comes first, before the arguments that are not ours")


def top_of(name: str) -> str:
    """Return the folder that the name of the module *name* begins in, "" if it is not known."""
    path = getattr(sys.modules.get(name), "__file__", None)
    if not isinstance(path, str):
        return ""
    path = _abspath(path)
    if _basename(path).startswith("__init__."):
        path = _dirname(path)
    for _ in name.split("."):
        path = _dirname(path)
    return path


def _python() -> List[str]:
    return [sys.executable, *subprocess._args_from_interpreter_flags()]     # type: ignore[attr-defined]


def _from_here(name: str, root: str) -> str:
    path, mark, rest = name.partition("::")
    return (os.path.relpath(os.path.join(root, path)) if root else path) + mark + rest


def _reachable() -> Dict[str, str]:
    """Return the variables with which a program that runs in another folder finds this package:
    none where it is installed."""
    if os.path.basename(_PACKAGE) in ("site-packages", "dist-packages"):
        return {}
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {} if _PACKAGE in path else {"PYTHONPATH": _PACKAGE}
