"""The connection budget: how many connections may be open at the same time."""

from __future__ import annotations

import gc
import threading
import unittest
from typing import Dict, List, Optional, Sequence, Tuple, Union
from unittest.util import strclass

from unittest_leakfix._core import errors, redaction
from unittest_leakfix._core.declarations import most_connections
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix.observer import ForwardingObserver, RunObserver
from unittest_leakfix.tracing.client_connections import CLIENTS
from unittest_leakfix.tracing.drivers import Drivers, drivers
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

    def __init__(self, most: int, given: str, open: Tuple[ConnectionRecord, ...],
                 noun: str = "connection") -> None:
        super().__init__(message(most, given, open, noun))
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

    noun = "connection"
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

    @property
    def _drivers(self) -> Drivers:
        return drivers

    def _in_force(self) -> List["Budget"]:
        """Return the budgets that hold now, of this sort of connections."""
        return Budget._budgets

    def begin(self) -> None:
        """Begin to count. Connections that were opened under records before count as well."""
        self._drivers.install(self)
        self._pid = connection_registry.pid
        self._in_force().append(self)
        self._drivers.registry.before_connect = self._before_connect

    def end(self) -> None:
        """Allow any number again, or what the budget that began before this one allows."""
        in_force = self._in_force()
        if self in in_force:
            in_force.remove(self)
        if not in_force:
            self._drivers.registry.before_connect = None
        self._drivers.remove(self)

    def _before_connect(self, connection: object, raw: Raw) -> Optional[ConnectionBudgetError]:
        # Of several the last one counts, whichever has put this function there.
        in_force, registry = self._in_force(), self._drivers.registry
        budget = in_force[-1] if in_force else None
        # A forked child is not part of the run; and a thread that it lacks may hold its lock.
        if budget is not None and raw[PID] == budget._pid:
            with Budget._lock:
                if not budget._has_room(connection):
                    records = tuple(registry.open_records(connection))
                    return ConnectionBudgetError(budget.most, budget.given, records, budget.noun)
                registry.reserve(raw)
        return None

    def _has_room(self, connection: object) -> bool:
        registry = self._drivers.registry
        if registry.count(connection) < self.most:
            return True
        # What waits for the collector would be gone soon: first that of this test, then all.
        for collect in (heap.collect_new, _collect):
            collect()
            if registry.count(connection) < self.most:
                return True
        return False


class ClientBudget(Budget):
    """The same for connections of another *sort*: "redis", "http"."""

    _of_sort: Dict[str, List[Budget]] = {}

    def __init__(self, sort: str, most: int, given: str) -> None:
        super().__init__(most, given)
        self._sort = sort
        self.noun = "%s connection" % {"http": "HTTP"}.get(sort, sort)

    @property
    def _drivers(self) -> Drivers:
        return CLIENTS[self._sort]

    def _in_force(self) -> List[Budget]:
        return ClientBudget._of_sort.setdefault(self._sort, [])


class Budgets:
    """Those that one class has, of several sorts of connections."""

    def __init__(self, most: Dict[str, int], given: str) -> None:
        self._each = [Budget(number, given) if sort == "database"
                      else ClientBudget(sort, number, given)
                      for sort, number in sorted(most.items())]
        # Which test runs is known to the records of databases.
        self._recorded = _Current()

    @property
    def current(self) -> str:
        """Return the test or fixture that runs."""
        return self._recorded.current

    @current.setter
    def current(self, name: str) -> None:
        self._recorded.current = name

    def begin(self) -> None:
        """Begin all."""
        drivers.install(self._recorded)
        for each in self._each:
            each.begin()

    def end(self) -> None:
        """End them, the last one first."""
        for each in reversed(self._each):
            each.end()
        drivers.remove(self._recorded)


class _Current:
    current = ""


def budgets_of(most: Union[int, Dict[str, int]], name: str) -> Union[Budget, Budgets]:
    """Return the budget of a class with ``leakfix_max_connections = most``; *name* says whose."""
    given = "%s.leakfix_max_connections = %r" % (name, most)
    return Budgets(most, given) if type(most) is dict else Budget(
        most, given)  # type: ignore[arg-type]


def of_class(cls: type, most: Union[int, Dict[str, int]],
             test: Optional[unittest.TestCase] = None) -> Union[Budget, Budgets]:
    """Begin, and return, the budget of a class with ``leakfix_max_connections = most``; of one
    *test*."""
    budget = budgets_of(most, cls.__name__)
    budget.current = "" if test is None else name_of(test)
    budget.begin()
    return budget


def name_of(test: unittest.TestCase) -> str:
    """Return the id of *test*, whatever its own ``id`` does."""
    try:
        return str(test.id())
    except Exception:
        return errors.label(test)


def message(most: int, given: str, records: Tuple[ConnectionRecord, ...],
            noun: str = "connection") -> str:
    """Return what the error says: *records* grouped by opening line, test and thread.

    >>> message(0, "max_connections=0", ())
    'no connection may be open here (max_connections=0)'
    """
    given = redaction.visible(given)
    if not most:
        head = "no %s may be open here (%s)" % (noun, given)
    else:
        head = "one %s more than the %s that may be open at the same time (%s)" % (
            noun, most, given)
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
        self._of_class: Union[Budget, Budgets, None] = None

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
