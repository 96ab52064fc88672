"""What could not be measured, and why."""
from __future__ import annotations

from typing import Dict, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.faults import fault

__unittest = True
bind(globals())


class Unmeasured:
    """The tests, fixtures and classes of a run of which not all was found out."""

    def __init__(self) -> None:
        self._reasons: Dict[Tuple[str, str], None] = {}

    def __bool__(self) -> bool:
        return bool(self._reasons)

    def all(self) -> Tuple[Tuple[str, str], ...]:
        """Return pairs of name and reason, in order of running, each once."""
        return tuple(self._reasons)

    def add(self, name: str, reason: str) -> None:
        """Note that *name* could not be measured."""
        self._reasons[name, reason] = None

    def fault(self, name: str) -> None:
        """Note that what is being handled now kept *name* from being measured."""
        self.add(name, "finding failed: %s" % fault())
