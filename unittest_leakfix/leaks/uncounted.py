"""What stands in where references are not counted (PyPy): objects go when the collector comes.

That is in the window of any later test, and a collection after each test takes 10 to 30 ms there.
So whether an object has outlived its test, and whose the interpreter's complaints are, cannot be
known; the state of the process can.
"""
from __future__ import annotations

import unittest
from typing import Any, Dict, List, Optional, Set

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.seen import Survivor
from unittest_leakfix.leaks.passing_warnings import PassThroughCapture
from unittest_leakfix.leaks.survivors import SurvivorWatch

__unittest = True
bind(globals())


class NoSurvivorWatch(SurvivorWatch):
    """Counts nothing."""

    def begin(self, test: str) -> None:
        """Do nothing."""

    def finished(self, test: unittest.TestCase) -> bool:
        """Return True: there is nothing to note."""
        return True

    def held(self, test: object) -> None:
        """Do nothing."""

    def attributes(self, values: Dict[str, Any], fixture: bool = False) -> None:
        """Do nothing."""

    def exclude(self, ids: Set[int]) -> None:
        """Do nothing."""

    def end(self) -> Optional[List[Survivor]]:
        """Return an empty list."""
        return []


class NoCapture(PassThroughCapture):
    """Listens to nothing."""

    def install(self) -> None:
        """Do nothing."""
