"""What could not be measured, and why."""
from __future__ import annotations

import sys
from typing import Dict, Tuple

from unittest_leakfix._core.early import bind

from .frames import OWN, kind_of

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
        kind, error, trace = sys.exc_info()
        where = ""
        while trace is not None:    # the innermost line of ours: users' code has its own faults
            if kind_of(trace.tb_frame.f_code.co_filename) == OWN:
                where = " at %s:%d" % (trace.tb_frame.f_code.co_filename.rpartition("unittest_leakfix")[2][1:],
                                       trace.tb_lineno)
            trace = trace.tb_next
        try:
            said = str(error).partition("\n")[0][:100]
        except Exception:
            said = ""
        reason = "finding failed: %s%s%s" % (
            kind.__name__ if kind is not None else "?", ": " + said if said else "", where)
        self.add(name, reason)
