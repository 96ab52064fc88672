"""What the finder keeps with a scope while it is under way."""
from __future__ import annotations

from typing import Any, Dict, List, Set, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.process import ProcessState

__unittest = True
bind(globals())

Key = Tuple[object, ...]      # of a change


class Kept:
    """The state of the process before the scope, and what is known of its fixtures."""

    def __init__(self, state: ProcessState, waiting: Tuple[Any, ...]) -> None:
        self.state = state
        self.waiting = waiting              # what the scope around it had found so far
        self.fixtures: Set[str] = set()     # names of its fixtures
        self.made: Dict[Key, str] = {}      # by which of them the process was changed
        self.values: List[Tuple[str, Any]] = []     # of those that are set up: name and definition
