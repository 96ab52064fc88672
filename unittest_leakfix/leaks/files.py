"""The files that were asked for: the report as JSON, and a baseline."""
from __future__ import annotations

from typing import Callable, List, Optional, Tuple

from unittest_leakfix._core.early import bind

from . import json, known
from .leak import Findings

__unittest = True
bind(globals())


def write(found: Findings, report: Optional[str], baseline: Optional[str]) -> List[str]:
    """Write what was *found* to the files *report* (JSON) and *baseline*, each if it has a name.

    Returns a line for each that could not be written.
    """
    writers: List[Tuple[Optional[str], Callable[[str], None]]] = [
        (report, lambda path: json.dump(found, path)),
        (baseline, lambda path: known.write_baseline(
            path, [*found.leaks, *(item.leak for item in found.known)]))]
    faults = []
    for path, writer in writers:
        if path:
            try:
                writer(path)
            except OSError as error:
                faults.append("%s could not be written: %s" % (path, error.strerror or error))
    return faults
