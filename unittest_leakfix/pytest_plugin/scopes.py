"""The scopes around an item: session, package, module and class, and which of them are under
way."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Set, Tuple

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix.process_state.monitors import ProcessState

__unittest = True
bind(globals())

class Scope:
    """One scope under way. ``kind`` is as pytest's fixtures call it; ``name`` its node id,
    "session" for that."""

    def __init__(self, node: Any, kind: str) -> None:
        self.node = node
        self.kind = kind
        self.name = node.nodeid if kind != "session" else "session"
        self.data: Any = None       # what the finder keeps with it

    @property
    def holder(self) -> Any:
        """The class or module itself; None for the others."""
        return getattr(self.node, "obj", None) if self.kind in ("class", "module") else None


class Scopes:
    """The stack of scopes, outermost first."""

    def __init__(self) -> None:
        self.active: List[Scope] = []

    def enter(self, item: pytest.Item, begins: Callable[[Scope], None]) -> None:
        """Take note of those around *item*; call *begins* with each new one."""
        chain = [node for node in item.listchain()[:-1] if _kind(node) is not None]
        # a node may have an equality of its own
        known = {id(scope.node) for scope in self.active}
        for node in chain:
            if id(node) not in known:
                scope = Scope(node, str(_kind(node)))
                begins(scope)
                self.active.append(scope)

    def leaving(self, nextitem: Optional[pytest.Item]) -> List[Scope]:
        """Return those that are over before *nextitem*, the innermost first. None: all are."""
        needed = set(map(id, nextitem.listchain())) if nextitem is not None else set()
        return [scope for scope in reversed(self.active) if id(scope.node) not in needed]

    def leave(self, scope: Scope) -> None:
        """It is over."""
        self.active.remove(scope)

    def of(self, node: Any, kind: str) -> Optional[Scope]:
        """Return the scope of the fixture that is of this *kind* of scope, by its node."""
        for scope in reversed(self.active):
            if scope.node is node or scope.kind == kind:
                return scope
        return self.active[0] if self.active else None


def _kind(node: Any) -> Optional[str]:
    if isinstance(node, pytest.Session):
        return "session"
    if isinstance(node, pytest.Package):    # before pytest 8 a Module
        return "package"
    if isinstance(node, pytest.Class):
        return "class"
    return "module" if isinstance(node, pytest.File) else None


# What the finder keeps with a scope while it is under way.

Key = Tuple[object, ...]      # of a change


class ScopeData:
    """The state of the process before the scope, and what is known of its fixtures."""

    def __init__(self, state: ProcessState) -> None:
        self.state = state
        self.fixtures: Set[str] = set()     # names of its fixtures
        self.made: Dict[Key, str] = {}      # by which of them the process was changed
        self.values: List[Tuple[str, Any]] = []     # of those that are set up: name and definition
        self.changes = False        # one of them may change the application
