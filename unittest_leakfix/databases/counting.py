"""A watcher that keeps the connection budgets of a run and of its classes."""
from __future__ import annotations

import unittest
from typing import Optional

from unittest.util import strclass
from unittest_leakfix._core.early import bind
from unittest_leakfix.limits import most_connections
from unittest_leakfix.watcher import Passing, Watcher

from .budget import Budget, name_of, of_class
from .drivers import drivers

__unittest = True
bind(globals())


class Counting(Passing):
    """Counts for itself, and tells the watcher behind it all; between `start` and `stop`.

    *most*: how many connections may be open at once in the whole run, None for any number. The
    tests and fixtures of a class with ``leakfix_max_connections`` have that one instead.
    """

    counts_connections = True

    def __init__(self, watcher: Optional[Watcher] = None, most: Optional[int] = None) -> None:
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

    def begin(self, test: unittest.TestCase) -> None:
        drivers.look()
        self.current = name_of(test)
        self.inner.begin(test)

    def end(self) -> None:
        self.inner.end()
        self.current = ""

    def fixture(self, name: str) -> None:
        self.current = name
        self.inner.fixture(name)

    def class_begins(self, cls: type) -> None:
        self._end_class()
        self.current = "setUpClass (%s)" % strclass(cls)
        most = most_connections(cls)
        if most is not None:
            self._of_class = of_class(cls, most)
        self.inner.class_begins(cls)

    def class_over(self, cls: type) -> None:
        self._end_class()
        self.current = ""
        self.inner.class_over(cls)

    def module_begins(self, name: str) -> None:
        self.current = "setUpModule (%s)" % name
        self.inner.module_begins(name)

    def module_over(self) -> None:
        self.current = ""
        self.inner.module_over()

    def _end_class(self) -> None:
        if self._of_class is not None:
            self._of_class.end()
            self._of_class = None
