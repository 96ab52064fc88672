"""Remedy: the code that ends a leak, as a value. ``report.remedy_text`` writes it down."""
from __future__ import annotations

import enum
from typing import NamedTuple, Tuple

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


class CodeScope(enum.Enum):
    """Where the code of a remedy is to stand: that decides how a clean-up is registered there."""

    TEST = "a method of a TestCase"
    CLASS = "setUpClass"
    MODULE = "setUpModule"
    FUNCTION = "a test function of pytest's"
    FIXTURE = "a fixture of pytest's"
    XUNIT = "a set-up of pytest's in xunit's manner"


class Call(NamedTuple):
    """One clean-up: what to call when the test, class or module is over. All Python expressions."""

    function: str
    """On which of the user's expressions: "self.db.close", "os.chdir", "setattr"."""
    arguments: Tuple[str, ...] = ()
    awaited: bool = False
    """The call gives something that must be awaited."""


class Remedy(NamedTuple):
    """What ends a leak. One of: clean-ups to call, a ``with`` statement, something to await; or
    advice alone."""

    calls: Tuple[Call, ...] = ()
    """In the order of registering them: the last one is the first to run."""
    manager: str = ""
    """What a ``with`` statement enters: "contextlib.closing(connection)"."""
    target: str = ""
    """The name that the ``with`` statement gives it."""
    awaits: str = ""
    """What is to be awaited in the test itself: "rows.aclose()"."""
    advice: str = ""
    """What to do besides, in words, before the calls."""
    monkeypatch: str = ""
    """What pytest's fixture of that name does in place of all this in a test function:
    "setenv(...)"."""
    scope: CodeScope = CodeScope.TEST

    def at(self, scope: CodeScope) -> "Remedy":
        """Return the same remedy where code of *scope* is meant."""
        return self if scope is self.scope else self._replace(scope=scope)


def calling(function: str, *arguments: str) -> Remedy:
    """Return the remedy that is one clean-up."""
    return Remedy((Call(function, arguments),))
