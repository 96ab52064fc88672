"""Survivor: one object that outlived its test."""
from __future__ import annotations

from typing import Any, Callable, Iterator, List

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


class Survivor:
    """One object that outlived its test. Compared by identity alone: the comparison of
    two weak references compares their objects.

    what: "test", "attribute", "instance" or "resource"; name: how the test had it ("self.db", or
    the
    name of a *fixture* of pytest's), "" otherwise; ref: calls for the object, None once it is gone;
    type, module: of its class; key: its id;
    nth: which test of the run that was; more: calls for others of its class that outlived the same
    test; seen: it was classified before; reported: it was reported.
    """

    __slots__ = ("what", "test", "name", "fixture", "type", "module", "ref", "key", "nth", "more",
                 "seen", "reported")

    def __init__(self, what: str, test: str, name: str, fixture: bool, type: str, module: str,
                 ref: Callable[[], Any], key: int) -> None:
        self.what, self.test, self.name, self.fixture = what, test, name, fixture
        self.type, self.module, self.ref, self.key = type, module, ref, key
        self.nth = 0
        self.more: List[Callable[[], Any]] = []
        self.seen = self.reported = False

    def refs(self) -> Iterator[Callable[[], Any]]:
        """Return what calls for each of the objects that this stands for."""
        yield self.ref
        yield from self.more

    def value(self) -> Any:
        """Return the object, or another one that this stands for and that is alive; else None."""
        found = self.ref()
        if found is None and self.more:
            found = next((each for each in (ref() for ref in self.more) if each is not None), None)
        return found
