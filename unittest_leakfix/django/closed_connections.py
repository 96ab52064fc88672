"""What was closed for threads that are over: reported as leaks where a detector runs, else at the
end of the run."""
from __future__ import annotations

import os
import sys
from typing import Dict, List, Sequence, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.django.connections import REMEDY
from unittest_leakfix.tracing.opened_connections import ConnectionRecord

__unittest = True
bind(globals())

_MOST = 10000
_SHOWN = 20


class ReapedConnections:
    """The records of the connections that `Connections.reap` has closed, and that were not
    reported yet."""

    def __init__(self) -> None:
        self.count = 0
        self._records: List[ConnectionRecord] = []

    def take(self, records: Sequence[ConnectionRecord]) -> None:
        """Give them to the detector, if there is one; keep them otherwise."""
        for record in records:
            if not _was_reported(record):
                self.count += 1
                if len(self._records) < _MOST:
                    self._records.append(record)

    def take_all(self) -> List[ConnectionRecord]:
        """Return the records, and forget them: the caller reports them."""
        records, self._records, self.count = self._records, [], 0
        return records

    def text(self) -> str:
        """Return what was closed, by opening line, "" for nothing; and forget it."""
        if not self.count:
            return ""
        lines = ["unittest_leakfix: closed %d connection%s of threads that were over" % (
            self.count, "" if self.count == 1 else "s")]
        groups: Dict[Tuple[str, str], List[ConnectionRecord]] = {}
        for record in self._records:
            groups.setdefault((record.place, _where(record)), []).append(record)
        for (place, where), same in sorted(groups.items(), key=lambda item: -len(item[1]))[:_SHOWN]:
            lines += ["  %d x %s" % (len(same), redaction.shown(place, redaction.LONGEST)),
                      "      opened at %s, in thread %s" % (redaction.cut(where, redaction.LONGEST),
                                                             redaction.shown(same[0].thread
                                                                             or "?"))]
            tests = list(dict.fromkeys(record.test for record in same if record.test))
            if tests:
                lines.append("      in %s%s" % (redaction.cut(redaction.redact_id(
                    tests[0]), redaction.LONGEST), "" if len(tests) == 1 else " and %d other%s" % (
                    len(tests) - 1, "s" if len(tests) > 2 else "")))
        if len(groups) > _SHOWN:
            lines.append("  and %d more opening lines" % (len(groups) - _SHOWN))
        self.count, self._records = 0, []
        return "\n".join(lines + ["in your code: " + REMEDY])


def opened(record: ConnectionRecord) -> str:
    """Return "was opened in test_orders.OrderTests.test_a at shop/models.py:19 in connect"."""
    return "was opened %sat %s" % ("in %s " % record.test if record.test else "", _where(record))


def _where(record: ConnectionRecord) -> str:
    if not record.frames:
        return "an unknown line"
    frame = record.frames[0]
    return "%s:%d in %s" % (frame.file.rpartition("site-packages" + os.sep)[2], frame.line,
                            frame.function)


def _was_reported(record: ConnectionRecord) -> bool:
    listening = sys.modules.get("unittest_leakfix.leaks.listening")
    if listening is None or not listening.ListeningObserver._active:
        return False
    from unittest_leakfix.leaks.fingerprint import place_of
    from unittest_leakfix.leaks.identify import matched
    from unittest_leakfix.leaks.model.leak import Leak
    from unittest_leakfix.tracing.acquisitions import Acquisition
    opened = Acquisition("database connection", record.place, record.test,
                         "%s (no longer running)" % (record.thread or "?"), record.frames)
    return bool(
        listening.ListeningObserver.accept(
            Leak(
                "connection",
                "%s was left open" % record.place,
                (record.test,) if record.test else (),
                acquisition=opened,
                closed="closed for you: its thread was over",
                remedy=REMEDY,
                name=matched(record.place),
                cause="connection of a thread that is over, opened in %s" % place_of(opened),
            )
        )
    )
