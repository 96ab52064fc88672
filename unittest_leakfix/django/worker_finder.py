"""The finder of a worker, which finds through many results and tells nobody but the parent."""
from __future__ import annotations

import unittest
from typing import Any, Dict, List, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks import text
from unittest_leakfix.leaks.finder import Finder
from unittest_leakfix.leaks.known import Baseline
from unittest_leakfix.leaks.leak import Findings, Leak, by_test
from unittest_leakfix.leaks.options import Options
from unittest_leakfix.leaks.unmeasured import Unmeasured

__unittest = True
bind(globals())

_FAILED = frozenset(["addError", "addFailure", "addSubTest"])


class WorkerFinder(Finder):
    """`feed` it with the result of each class, which is a ``RemoteTestResult``; `take` what it found."""

    def __init__(self, options: Options, baseline: Optional[Baseline]) -> None:
        super().__init__(options, None, baseline)
        self._failing = options.leaks == "fail"
        self._failures: List[Tuple[str, str]] = []
        self._events: List[Any] = []
        self._seen = 0
        self._places: Dict[str, int] = {}

    def feed(self, result: Any) -> None:
        """The next class is run into *result*."""
        self._result = result
        self._events = result.events
        self._seen = 0
        self._places = {}

    def take(self) -> Tuple[Findings, Tuple[str, ...], Tuple[Tuple[str, str], ...]]:
        """Return what was found since the last time, the ids of the tests that ran, where there is a
        baseline, and (fixture, message) of leaks that are failures of no test."""
        self._over()
        found, ran, failures = self.findings(), tuple(self._ran), tuple(self._failures)
        self._news.leaks, self._news.known, self._tests = [], [], 0
        self._unmeasured, self._census.more = Unmeasured(), 0
        self._ran.clear()
        self._failures.clear()
        return found, ran, failures

    def finished(self, test: unittest.TestCase) -> None:
        # A remote result has no lists: its events say who failed, and the test's place in its class.
        self._places[self._test] = self._result.testsRun - 1
        new, self._seen = self._events[self._seen:], len(self._events)
        if any(event[0] in _FAILED for event in new):
            self._news.failed.add(self._test)
        super().finished(test)

    def tell(self, leaks: List[Leak]) -> List[Leak]:
        news = super().tell(leaks)
        if self._failing:
            for name, mine in by_test(news).items():
                self._fail(name, text.failure_text(mine))
        return news

    def _fail(self, name: str, message: str) -> None:
        """Say that the leaks of test *name* fail it."""
        if name not in self._places:    # a fixture, or a test of an earlier class
            self._failures.append((name, message))
            return
        self._events.append(("addFailure", self._places[name], (AssertionError, AssertionError(message), None)))
        if self._result.failfast:
            self._result.stop()
