"""Finding: what a test left behind, where it came from and what still holds it.

``watch()`` does it for any block of code, ``ignore()`` makes a leak known. For whole runs:
``python -m unittest_leakfix --leaks=report``, or ``LeakFixTestRunner(leaks="report")``.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unittest_leakfix._core.early import bind

if TYPE_CHECKING:
    from unittest_leakfix.leaks.model.leak import Findings, Leak
    from unittest_leakfix.leaks.suppressions import ignore
    from unittest_leakfix.leaks.watch_block import Watch, watch

__unittest = True
bind(globals())
__all__ = ["Findings", "Leak", "Watch", "ignore", "watch"]

_HOMES = {"Findings": "model.leak", "Leak": "model.leak", "Watch": "watch_block",
          "watch": "watch_block",
          "ignore": "suppressions"}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: a run that finds does without them."""
    if name not in _HOMES:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    from importlib import import_module
    return getattr(import_module("%s.%s" % (__name__, _HOMES[name])), name)
