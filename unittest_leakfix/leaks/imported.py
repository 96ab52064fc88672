"""Which modules a test has imported: what hangs on them is warm-up."""
from __future__ import annotations

import sys
from typing import Dict, Set

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


class Imported:
    """The modules that each test has imported, by its id."""

    def __init__(self) -> None:
        self._of: Dict[str, Set[str]] = {}
        self._count = len(sys.modules)
        self._known = set(sys.modules)

    def note(self, test: str) -> None:
        """Take note of what is loaded since the last time as imported by *test*."""
        if len(sys.modules) != self._count:
            self._count = len(sys.modules)
            now = set(sys.modules)
            self._of.setdefault(test, set()).update(now - self._known)
            self._known |= now

    def by(self, test: str, module: str) -> bool:
        """Tell whether *test* has imported *module*."""
        return module in self._of.get(test, ())
