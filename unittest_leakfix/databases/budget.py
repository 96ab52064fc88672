"""The connection budget: so many connections may be open at the same time, and not one more."""
from __future__ import annotations

import gc
import threading
import unittest
from typing import List, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix import faults
from unittest_leakfix.heap import heap
from unittest_leakfix._core import redaction

from .drivers import drivers
from .groups import grouped
from .record import PID, ConnectionRecord, Raw
from .records import book

__unittest = True
bind(globals())

_collect = gc.collect


class ConnectionBudgetError(AssertionError):
    """The connection that was about to be opened is one more than allowed.

    ``most``: how many are; ``open``: the `ConnectionRecord` of each that is open, oldest first.
    """

    def __init__(self, most: int, said: str, open: Tuple[ConnectionRecord, ...]) -> None:
        super().__init__(message(most, said, open))
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

    *said* is how the limit was asked for: "max_connections=3". Of several at a time the one that
    began last counts. Set `current` to the test or fixture that runs.
    """

    _budgets: List["Budget"] = []
    _lock = threading.RLock()   # a finalizer that connects may run inside

    def __init__(self, most: int, said: str = "") -> None:
        if type(most) is not int or most < 0:
            raise ValueError("max_connections=%r: give a number of connections, 0 or more" % (most,))
        self.most = most
        self.said = said or "max_connections=%d" % most
        self.current = ""
        self._pid = 0

    def begin(self) -> None:
        """Begin to count. Connections that were opened under records before count as well."""
        drivers.install(self)
        self._pid = book.pid
        Budget._budgets.append(self)
        book.admit = Budget._admit

    def end(self) -> None:
        """Allow any number again, or what the budget that began before this one allows."""
        if self in Budget._budgets:
            Budget._budgets.remove(self)
        if not Budget._budgets:
            book.admit = None
        drivers.remove(self)

    @staticmethod
    def _admit(connection: object, raw: Raw) -> Optional[ConnectionBudgetError]:
        budget = Budget._budgets[-1] if Budget._budgets else None
        # A forked child is no part of the run; and a thread that it lacks may hold its lock.
        if budget is not None and raw[PID] == budget._pid:
            with Budget._lock:
                if not budget._has_room(connection):
                    return ConnectionBudgetError(
                        budget.most, budget.said, tuple(book.open_records(connection)))
                book.reserve(raw)
        return None

    def _has_room(self, connection: object) -> bool:
        if book.count(connection) < self.most:
            return True
        # What waits for the collector would be gone soon: first that of this test, then all.
        for collect in (heap.collect_new, _collect):
            collect()
            if book.count(connection) < self.most:
                return True
        return False


def of_class(cls: type, most: int, test: Optional[unittest.TestCase] = None) -> Budget:
    """Begin, and return, the budget of a class with ``leakfix_max_connections = most``; of one *test*."""
    budget = Budget(most, "%s.leakfix_max_connections = %d" % (cls.__name__, most))
    budget.current = "" if test is None else name_of(test)
    budget.begin()
    return budget


def name_of(test: unittest.TestCase) -> str:
    """Return the id of *test*, whatever its own ``id`` does."""
    try:
        return str(test.id())
    except Exception:
        return faults.label(test)


def message(most: int, said: str, records: Tuple[ConnectionRecord, ...]) -> str:
    """Return what the error says: *records* grouped by opening line, test and thread.

    >>> message(0, "max_connections=0", ())
    'no connection may be open here (max_connections=0)'
    """
    said = redaction.visible(said)
    if not most:
        head = "no connection may be open here (%s)" % said
    else:
        head = "one connection more than the %s that may be open at the same time (%s)" % (
            most, said)
    if not records:
        return head
    lines = [head, "open now:"] + grouped(records)
    return "\n".join(lines)
