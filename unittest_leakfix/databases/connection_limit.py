"""The connection budget: how many connections may be open at the same time."""

from __future__ import annotations

import gc
import threading
import unittest
from typing import Dict, List, Optional, Sequence, Tuple
from unittest.util import strclass

from unittest_leakfix._core import errors, redaction
from unittest_leakfix._core.declarations import most_connections
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix.observer import ForwardingObserver, RunObserver
from unittest_leakfix.tracing.drivers import drivers
from unittest_leakfix.tracing.opened_connections import (
    PID,
    ConnectionRecord,
    Raw,
    connection_registry,
)

__unittest = True
bind(globals())

MOST = 20
"""At most this many groups are listed; the others are counted."""
_collect = gc.collect


# Records of connections as lines of text, grouped by opening line, test and thread.


def grouped(records: Sequence[ConnectionRecord]) -> List[str]:
    """Return lines such as "  4 x pymysql connection to ...", and below each where and for whom
    it was opened."""
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
        lines.append("  and %d more, of %d other lines, tests or threads"
                     % (more, len(ordered) - MOST))
    return lines


def _lines(record: ConnectionRecord) -> Tuple[str, ...]:
    what = redaction.shown(record.place,
                           redaction.LONGEST) + (", being opened now" if record.connecting else "")
    frame = record.frames[0] if record.frames else None
    where = redaction.cut("%s:%d in %s" % (frame.file, frame.line, frame.function),
                          redaction.LONGEST) if frame else "opened by unknown code"
    who = "for %s" % redaction.cut(redaction.redact_id(record.test),
                                   redaction.LONGEST) if record.test else "outside of the tests"
    if record.thread != "MainThread" or not record.running:
        who += ", in thread %s" % redaction.shown(record.thread or "?")
        who += "" if record.running else " (no longer running)"
    return what, where, who


class ConnectionBudgetError(AssertionError):
    """The connection that was about to be opened is one more than allowed.

    ``most``: how many are; ``open``: the `ConnectionRecord` of each that is open, oldest first.
    """

    def __init__(self, most: int, given: str, open: Tuple[ConnectionRecord, ...]) -> None:
        super().__init__(message(most, given, open))
        self.most = most
        self.open = open

    def __reduce__(self) -> Tuple[object, ...]:
        return _again, (str(self), self.most, self.open)


def _again(text: str, most: int, open: Tuple[ConnectionRecord, ...]) -> ConnectionBudgetError:
    error = ConnectionBudgetError.__new__(ConnectionBudgetError, text)
    error.most, error.open = most, open
    return error


class Budget:
    """Allows at most *most* connections to servers to be open at once, between `begin` and `end`.

    *given* is how the limit was given: "max_connections=3". Of several at a time the one that
    began last counts. Set `current` to the test or fixture that runs.
    """

    _budgets: List["Budget"] = []
    _lock = threading.RLock()   # a finalizer that connects may run inside

    def __init__(self, most: int, given: str = "") -> None:
        if type(most) is not int or most < 0:
            raise ValueError("max_connections=%r: give a number of connections, 0 or more"
                             % (most,))
        self.most = most
        self.given = given or "max_connections=%d" % most
        self.current = ""
        self._pid = 0

    def begin(self) -> None:
        """Begin to count. Connections that were opened under records before count as well."""
        drivers.install(self)
        self._pid = connection_registry.pid
        Budget._budgets.append(self)
        connection_registry.before_connect = Budget._before_connect

    def end(self) -> None:
        """Allow any number again, or what the budget that began before this one allows."""
        if self in Budget._budgets:
            Budget._budgets.remove(self)
        if not Budget._budgets:
            connection_registry.before_connect = None
        drivers.remove(self)

    @staticmethod
    def _before_connect(connection: object, raw: Raw) -> Optional[ConnectionBudgetError]:
        budget = Budget._budgets[-1] if Budget._budgets else None
        # A forked child is not part of the run; and a thread that it lacks may hold its lock.
        if budget is not None and raw[PID] == budget._pid:
            with Budget._lock:
                if not budget._has_room(connection):
                    records = tuple(connection_registry.open_records(connection))
                    return ConnectionBudgetError(budget.most, budget.given, records)
                connection_registry.reserve(raw)
        return None

    def _has_room(self, connection: object) -> bool:
        if connection_registry.count(connection) < self.most:
            return True
        # What waits for the collector would be gone soon: first that of this test, then all.
        for collect in (heap.collect_new, _collect):
            collect()
            if connection_registry.count(connection) < self.most:
                return True
        return False


def of_class(cls: type, most: int, test: Optional[unittest.TestCase] = None) -> Budget:
    """Begin, and return, the budget of a class with ``leakfix_max_connections = most``; of one
    *test*."""
    budget = Budget(most, "%s.leakfix_max_connections = %d" % (cls.__name__, most))
    budget.current = "" if test is None else name_of(test)
    budget.begin()
    return budget


def name_of(test: unittest.TestCase) -> str:
    """Return the id of *test*, whatever its own ``id`` does."""
    try:
        return str(test.id())
    except Exception:
        return errors.label(test)


def message(most: int, given: str, records: Tuple[ConnectionRecord, ...]) -> str:
    """Return what the error says: *records* grouped by opening line, test and thread.

    >>> message(0, "max_connections=0", ())
    'no connection may be open here (max_connections=0)'
    """
    given = redaction.visible(given)
    if not most:
        head = "no connection may be open here (%s)" % given
    else:
        head = "one connection more than the %s that may be open at the same time (%s)" % (
            most, given)
    if not records:
        return head
    lines = [head, "open now:"] + grouped(records)
    return "\n".join(lines)


# An observer that keeps the connection budgets of a run and of its classes.

class CountingObserver(ForwardingObserver):
    """Counts between `start` and `stop`, and forwards all to the observer behind it.

    *most*: how many connections may be open at once in the whole run, None for any number. The
    tests and fixtures of a class with ``leakfix_max_connections`` have that one instead.
    """

    counts_connections = True

    def __init__(self, watcher: Optional[RunObserver] = None, most: Optional[int] = None) -> None:
        super().__init__(watcher)
        self.current = ""
        self._of_run = None if most is None else Budget(most)
        self._of_class: Optional[Budget] = None

    def start(self) -> None:
        """Begin to record, and to count if the run has a budget."""
        super().start()
        drivers.install(self)
        if self._of_run is not None:
            self._of_run.begin()

    def stop(self) -> None:
        """End both."""
        self._end_class()
        if self._of_run is not None:
            self._of_run.end()
        drivers.remove(self)
        super().stop()

    def test_started(self, test: unittest.TestCase) -> None:
        drivers.look()
        self.current = name_of(test)
        self.inner.test_started(test)

    def test_released(self) -> None:
        self.inner.test_released()
        self.current = ""

    def before_fixture(self, name: str) -> None:
        self.current = name
        self.inner.before_fixture(name)

    def class_started(self, cls: type) -> None:
        self._end_class()
        self.current = "setUpClass (%s)" % strclass(cls)
        most = most_connections(cls)
        if most is not None:
            self._of_class = of_class(cls, most)
        self.inner.class_started(cls)

    def class_finished(self, cls: type) -> None:
        self._end_class()
        self.current = ""
        self.inner.class_finished(cls)

    def module_started(self, name: str) -> None:
        self.current = "setUpModule (%s)" % name
        self.inner.module_started(name)

    def module_finished(self) -> None:
        self.current = ""
        self.inner.module_finished()

    def _end_class(self) -> None:
        if self._of_class is not None:
            self._of_class.end()
            self._of_class = None
