"""What a run could not measure, and what stands in where references are not counted (PyPy).

There objects go when the collector comes: in the window of any later test, and a collection after
each test takes 10 to 30 ms. So whether an object has outlived its test, and whose the interpreter's
complaints are, cannot be known; the state of the process can.
"""
from __future__ import annotations

import os.path
import sys
import unittest
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.errors import fault_text
from unittest_leakfix._core.ownership import COUNTED
from unittest_leakfix.leaks.model.seen import Survivor
from unittest_leakfix.leaks.passing_warnings import PassThroughCapture
from unittest_leakfix.leaks.survivors import SurvivorWatch
from unittest_leakfix.process_state.descriptors import listed

__unittest = True
bind(globals())

_NAMES = {"pypy": "PyPy", "graalpy": "GraalPy"}
#: What no run finds on this interpreter.
UNCOUNTED: Tuple[Tuple[str, str], ...] = () if COUNTED else ((
    "objects that outlive their tests",
    "%s does not count references: only the state of the process is watched"
    % _NAMES.get(sys.implementation.name, "this interpreter")),)
#: What no run sees on this system.
UNSEEN: Tuple[Tuple[str, str], ...] = (
    () if listed() else (("descriptors that no object has",
                          "this system has neither /proc nor /dev/fd"),)
) + (() if os.path.isdir("/proc/self") else ((
    "child processes but those of multiprocessing and those whose Popen is gone",
    "this system has no /proc"),))


class Unmeasured:
    """The tests, fixtures and classes of a run of which not all was found out."""

    def __init__(self) -> None:
        self._reasons: Dict[Tuple[str, str], None] = {}

    def __bool__(self) -> bool:
        return bool(self._reasons or UNCOUNTED)

    def all(self) -> Tuple[Tuple[str, str], ...]:
        """Return pairs of name and reason, in order of running, each once; before them what this
        interpreter and this system do not show, which alone does not make a report."""
        return UNCOUNTED + UNSEEN + tuple(self._reasons)

    def forget(self) -> None:
        """What was noted so far was taken."""
        self._reasons.clear()

    def add(self, name: str, reason: str) -> None:
        """Note that *name* could not be measured."""
        self._reasons[name, reason] = None

    def fault(self, name: str) -> None:
        """Note that what is being handled now kept *name* from being measured."""
        self.add(name, "finding failed: %s" % fault_text())


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

    def end(self, due: Callable[[], bool] = bool) -> Optional[List[Survivor]]:
        """Return an empty list."""
        return []


class NoCapture(PassThroughCapture):
    """Listens to nothing."""

    def install(self) -> None:
        """Do nothing."""
