"""The names of tests, and the few words that the command and its child processes share."""
from __future__ import annotations

import difflib
import re
from typing import Dict, List, Sequence

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

PASSED, SKIPPED, FAILED = "passed", "skipped", "failed"
"""What became of a test."""

PLAN = "UNITTEST_LEAKFIX_POLLUTER_PLAN"
"""The variable that names the plan of a child process."""

RECORDED = "UNITTEST_LEAKFIX_MEMORY"
"""The variable by which a child records what each test takes."""

AGAIN = "UNITTEST_LEAKFIX_AGAIN"
"""The variable that says that this process is such a child, which runs no test in another one."""

_SHOWN = 8


class NotOne(Exception):
    """What was typed is not the name of just one test; ``like`` are names like it."""

    def __init__(self, like: List[str]) -> None:
        super().__init__("not the name of one test")
        self.like = like


class Numbered:
    """Makes names unique: the second test of a name gets a number. Called with each, in order."""

    def __init__(self) -> None:
        self._seen: Dict[str, int] = {}

    def __call__(self, name: str) -> str:
        number = self._seen[name] = self._seen.get(name, 0) + 1
        return name if number == 1 else "%s (%d)" % (name, number)


def match(typed: str, names: Sequence[str]) -> str:
    """Return the one of *names* that is meant by *typed*: its name, or the end of it, as unittest
    or as pytest writes it. Raises `NotOne`."""
    if typed in names:
        return typed
    plain = _plain(typed)
    found = [name for name in names if ("." + _plain(name)).endswith("." + plain)]
    exact = [name for name in found if _plain(name) == plain]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        last = plain.rpartition(".")[2]
        found = [name for name in names if last and _plain(name).rpartition(".")[2] == last]
    if not found:
        found = difflib.get_close_matches(typed, names, _SHOWN)
    raise NotOne(found[:_SHOWN])


def _plain(name: str) -> str:
    """Return *name* with dots only, but for the parameters of pytest's."""
    path, bracket, parameters = name.partition("[")
    path = re.sub(r"\.py(?=::|$)", "", path.replace("\\", "/")).replace("::", ".").replace("/", ".")
    return path.lstrip(".") + bracket + parameters


def is_of(fixture: str, test: str) -> bool:
    """Tell whether *test* runs between "setUpClass (tests.test_orders.OrderTests)" and its end, or
    in the scope of a fixture of pytest's that is named "x (tests/test_orders.py)"."""
    inner = fixture[fixture.rfind("(") + 1:-1] if fixture.endswith(")") else ""
    return bool(inner) and test.startswith((inner + ".", inner + "::", inner + "["))
