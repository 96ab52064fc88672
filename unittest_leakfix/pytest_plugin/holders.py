"""What pytest itself keeps objects by, for as long as a session or a scope lasts."""
from __future__ import annotations

from typing import Any, Iterator, List

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks import harness, labels
from unittest_leakfix.leaks.leak import Leak

from .scopes import Scope

__unittest = True
bind(globals())

_SESSION, _CONFIG = "session", "session.config"


class Holders(harness.Harness):
    """The values of the scopes' fixtures, and the session with its items."""

    def __init__(self, session: Any, scopes: List[Scope]) -> None:
        self._session = session
        self._scopes = scopes       # those under way, outermost first

    def named(self) -> Iterator[harness.Named]:
        for scope in self._scopes:
            for name, fixturedef in scope.kept.values:
                cached = fixturedef.cached_result
                if cached is not None and cached[0] is not None:
                    yield harness.Named(cached[0], name, labels.place(fixturedef.func))
        yield harness.Named(self._session, _SESSION, "")
        yield harness.Named(self._session.config, _CONFIG, "")


def is_held_rightly(leak: Leak) -> bool:
    """Tell whether what holds an object may: a wider fixture, which lets go of it when its scope is
    over, or a plugin of pytest that keeps its results until it reports them."""
    return (leak.chain is not None and leak.chain.root == "harness"
            and leak.chain.steps[0].label != _SESSION)
