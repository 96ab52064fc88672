"""Survivor: one object that outlived its test."""
from __future__ import annotations

from typing import Any, Callable

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


class Survivor:
    """One object that outlived its test. Told from another by identity alone: the comparison of
    two weak references compares their objects.

    what: "test", "attribute", "instance" or "resource"; name: how the test had it ("self.db", or
    the
    name of a *fixture* of pytest's), "" otherwise; ref: calls for the object, None once it is gone;
    type, module: of its class; key: its id.
    """

    __slots__ = ("what", "test", "name", "fixture", "type", "module", "ref", "key")

    def __init__(self, what: str, test: str, name: str, fixture: bool, type: str, module: str,
                 ref: Callable[[], Any], key: int) -> None:
        self.what, self.test, self.name, self.fixture = what, test, name, fixture
        self.type, self.module, self.ref, self.key = type, module, ref, key
