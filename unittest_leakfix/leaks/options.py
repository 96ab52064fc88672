"""What was asked of finding: the options of the command line and of the runner."""
from __future__ import annotations

from typing import NamedTuple, Optional

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

MODES = ("off", "report", "fail")


class Options(NamedTuple):
    """leaks: "off", "report" or "fail"; failed: those of failing tests too; baseline: the file of
    known leaks; write_baseline, json: files to write; stacks: whole stacks; restore: put back
    environment, cwd, sys.path, patches and filters after each test."""

    leaks: str = "off"
    failed: bool = False
    baseline: Optional[str] = None
    write_baseline: Optional[str] = None
    json: Optional[str] = None
    stacks: bool = False
    restore: bool = False

    def checked(self) -> "Options":
        """Return these options; raises ValueError when `leaks` is none of the modes."""
        if self.leaks not in MODES:
            raise ValueError("leaks=%r: choose from %s" % (self.leaks, ", ".join(map(repr, MODES))))
        return self
