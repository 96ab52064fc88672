"""Remedy: the code that ends a leak, as a value. ``report.remedy_text`` writes it down."""
from __future__ import annotations

import enum
from typing import NamedTuple, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())

IT = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands in the expressions of a remedy for what leaked, whatever the user's code calls it."""


class CodeScope(enum.Enum):
    """Where the code of a remedy is to stand: that decides how a clean-up is registered there."""

    TEST = "a method of a TestCase"
    CLASS = "setUpClass"
    MODULE = "setUpModule"
    FUNCTION = "a test function of pytest's"
    FIXTURE = "a fixture of pytest's"
    XUNIT = "a set-up of pytest's in xunit's manner"


class When(enum.Enum):
    """When the code of a remedy must run, if another time than once the thing is there."""

    AFTER = ""
    BEFORE = "before the change"
    INSTEAD = "in place of the call"


class Call(NamedTuple):
    """One clean-up: what to call when the test, class or module is over. All Python expressions."""

    function: str
    """On which of the user's expressions: "self.db.close", "os.chdir", "setattr"."""
    arguments: Tuple[str, ...] = ()
    saved: str = ""
    """The last argument: what is to be read at once, before anything is changed."""
    awaited: bool = False
    """The call gives something that must be awaited."""
    late: bool = False
    """What is called is to be looked up when it runs: it is not there before."""


class Remedy(NamedTuple):
    """What ends a leak. One of: clean-ups to call, a ``with`` statement, something to await; or
    advice alone."""

    calls: Tuple[Call, ...] = ()
    """In the order of registering them: the last one is the first to run."""
    manager: str = ""
    """What a ``with`` statement enters: "contextlib.closing(connection)". Of one that has clean-ups
    too these take its place in a set-up, where it would end too early."""
    in_set_up: bool = False
    """The change was made in a set-up, or perhaps was."""
    target: str = ""
    """The name that the ``with`` statement gives it."""
    awaits: str = ""
    """What is to be awaited in the test itself: "rows.aclose()"."""
    statement: str = ""
    """A statement that stands for itself: "asyncio.run(poll())"."""
    advice: str = ""
    """What to do besides, in words, before the calls."""
    monkeypatch: str = ""
    """What pytest's fixture of that name does in place of all this in a test function:
    ``setenv("SHOP", ...)``."""
    scope: CodeScope = CodeScope.TEST
    when: When = When.AFTER
    it: str = ""
    """What the user's code calls `IT`; "" where it has no name there yet."""
    noun: str = ""
    """What `IT` is, for the reader, who gives it a name."""
    variable: str = ""
    """A name that it may be given."""
    imports: Tuple[str, ...] = ()
    """The import statements that the code needs and the user's module lacks."""
    site: Optional[Frame] = None
    """The line of the test or fixture that the code belongs to."""

    def at(self, scope: CodeScope) -> "Remedy":
        """Return the same remedy where code of *scope* is meant."""
        return self if scope is self.scope else self._replace(scope=scope)

    def of(self, it: str = "", noun: str = "", variable: str = "") -> "Remedy":
        """Return the same remedy for what is called *it*, or may be called *variable*."""
        return self._replace(it=it, noun=noun or self.noun, variable=variable or self.variable)

    @property
    def enters(self) -> bool:
        """Tell whether it is written as a ``with`` statement where its scope is."""
        return bool(self.manager) and not (self.calls and (
            self.in_set_up or self.scope in (CodeScope.CLASS, CodeScope.MODULE, CodeScope.XUNIT)))

    @property
    def code(self) -> Tuple[str, ...]:
        """The expressions that are written where its scope is, without words."""
        if self.monkeypatch and self.scope is CodeScope.FUNCTION:
            found = [self.monkeypatch]
        elif self.enters:
            found = [self.manager]
        else:
            found = [part for call in self.calls for part in (call.function, *call.arguments,
                                                              call.saved)]
            found.append(self.awaits)
        return tuple(part.replace(IT, self.it or "self") for part in found if part)


def calling(function: str, *arguments: str) -> Remedy:
    """Return the remedy that is one clean-up."""
    return Remedy((Call(function, arguments),))


def restoring(function: str, *arguments: str, saved: str, monkeypatch: str = "") -> Remedy:
    """Return the remedy that is one clean-up with a value that was *saved* before the change."""
    return Remedy((Call(function, arguments, saved),), when=When.BEFORE, monkeypatch=monkeypatch)
