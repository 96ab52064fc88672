"""The files that were asked for: the report as JSON, and a baseline."""
from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Optional, Tuple

from unittest_leakfix._core.early import bind

from . import json, known
from .leak import Findings
from .whole_file import Reserve, Target, reason

__unittest = True
bind(globals())

_getpid = os.getpid
_GONE = "the descriptor that was kept for it is gone, a test has closed it"


class Files:
    """The files of one run, found at its start and written at its end, by the process that began it.

    *report* and *baseline* are written, *read* is the baseline that is read. Raises ValueError for
    one that cannot be written, and where two are the same file.
    """

    def __init__(self, report: Optional[str], baseline: Optional[str], read: Optional[str] = None) -> None:
        self._pid = _getpid()
        self._reserve = Reserve()
        self._written: Dict[str, bool] = {}
        self._targets: Dict[str, Target] = {}
        for option, name in (("--leaks-json", report), ("--leaks-write-baseline", baseline)):
            if name is not None:
                try:
                    self._targets[option] = Target(name)
                except ValueError as error:
                    raise ValueError("%s: %s" % (option, error)) from None
        targets = list(self._targets.values())
        if len(targets) == 2 and targets[0].is_same(targets[1]):
            raise ValueError("--leaks-json and --leaks-write-baseline are the same file (%s): each needs its own"
                             % targets[0].name)
        if report is not None and read is not None and targets[0].is_file(read):
            raise ValueError("--leaks-json would overwrite the baseline that --leaks-baseline reads (%s): "
                             "each needs its own file" % targets[0].name)

    def __bool__(self) -> bool:
        return bool(self._targets)

    def begin(self) -> None:
        """The tests are about to run: hold a descriptor for the files."""
        if self._targets:
            self._reserve.hold()

    def write(self, found: Findings, whole: bool = True) -> List[str]:
        """Write what was *found*; what was written already is not written again.

        Without *whole* the tests did not all run, and a baseline would lack what the others leave:
        that file stays as it is. Returns a line for each that could not be written. Not in a process
        that a test has forked.
        """
        if not self._targets or self._pid != _getpid():
            return []
        faults = []
        held = self._reserve.give_up()
        for option, target in self._targets.items():
            if option in self._written:
                continue
            if option == "--leaks-write-baseline" and not whole:
                faults.append("%s was not written: the run was interrupted" % target.name)
                continue
            try:
                target.write(_TEXTS[option](found))
                self._written[option] = True
            except Exception as error:  # nothing that a file lacks is a matter of the verdict
                faults.append("%s could not be written: %s%s" % (
                    target.name, reason(error), "" if held else " (%s)" % _GONE))
        return faults

    def end(self) -> None:
        """Give up what is held. Twice is once."""
        self._reserve.give_up()


def _baseline(found: Findings) -> str:
    return known.baseline_text([*found.leaks, *(item.leak for item in found.known)])


_TEXTS: Dict[str, Callable[[Findings], str]] = {
    "--leaks-json": lambda found: json.to_text(found), "--leaks-write-baseline": _baseline}
