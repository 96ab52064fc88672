"""Records of connections as lines of text, grouped by opening line, test and thread."""
from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core import redaction

from .record import ConnectionRecord

__unittest = True
bind(globals())

MOST = 20
"""So many groups are listed; the others are counted."""


def grouped(records: Sequence[ConnectionRecord]) -> List[str]:
    """Return lines such as "  4 x pymysql connection to ...", and below each where and for whom it was opened."""
    groups: Dict[Tuple[str, ...], int] = {}
    for record in records:
        key = _lines(record)
        groups[key] = groups.get(key, 0) + 1
    ordered = sorted(groups.items(), key=lambda item: -item[1])     # stable: oldest first
    lines = []
    for (first, *rest), number in ordered[:MOST]:
        lines.append("  %d x %s" % (number, first))
        lines += ["      " + line for line in rest]
    more = sum(number for _, number in ordered[MOST:])
    if more:
        lines.append("  and %d more, of %d other lines, tests or threads" % (more, len(ordered) - MOST))
    return lines


def _lines(record: ConnectionRecord) -> Tuple[str, ...]:
    what = redaction.shown(record.place, redaction.LONGEST) + (", being opened now" if record.connecting else "")
    frame = record.frames[0] if record.frames else None
    where = redaction.cut("%s:%d in %s" % (frame.file, frame.line, frame.function), redaction.LONGEST) if frame else "opened by unknown code"
    who = "for %s" % redaction.cut(redaction.redact_id(record.test), redaction.LONGEST) if record.test else "outside of the tests"
    if record.thread != "MainThread" or not record.running:
        who += ", in thread %s" % redaction.shown(record.thread or "?")
        who += "" if record.running else " (no longer running)"
    return what, where, who
