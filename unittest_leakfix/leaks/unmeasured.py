"""What could not be measured, and why."""
from __future__ import annotations

import sys
from typing import Dict, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.faults import fault
from unittest_leakfix.ownership import COUNTED

__unittest = True
bind(globals())

_NAMES = {"pypy": "PyPy", "graalpy": "GraalPy"}
#: What no run finds on this interpreter.
UNCOUNTED: Tuple[Tuple[str, str], ...] = () if COUNTED else ((
    "objects that outlive their tests", "%s does not count references: only the state of the process is watched"
    % _NAMES.get(sys.implementation.name, "this interpreter")),)


class Unmeasured:
    """The tests, fixtures and classes of a run of which not all was found out."""

    def __init__(self) -> None:
        self._reasons: Dict[Tuple[str, str], None] = {}

    def __bool__(self) -> bool:
        return bool(self._reasons or UNCOUNTED)

    def all(self) -> Tuple[Tuple[str, str], ...]:
        """Return pairs of name and reason, in order of running, each once."""
        return UNCOUNTED + tuple(self._reasons)

    def add(self, name: str, reason: str) -> None:
        """Note that *name* could not be measured."""
        self._reasons[name, reason] = None

    def fault(self, name: str) -> None:
        """Note that what is being handled now kept *name* from being measured."""
        self.add(name, "finding failed: %s" % fault())
