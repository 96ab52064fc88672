"""Finding: what a test left behind, where it came from and who still holds it.

``watch()`` does it for any block of code, ``ignore()`` makes a leak known. For whole runs:
``python -m unittest_leakfix --leaks=report``, or ``LeakFixTestRunner(leaks="report")``.
"""
from __future__ import annotations

from .known import ignore
from .leak import Findings, Leak
from .watch import Watch, watch

__unittest = True
__all__ = ["Findings", "Leak", "Watch", "ignore", "watch"]
