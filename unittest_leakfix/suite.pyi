import unittest
from collections.abc import Callable
from typing import Any, TypeVar

from unittest_leakfix.release import Tally
from unittest_leakfix.watcher import Watcher

_R = TypeVar("_R", bound=unittest.TestResult)

class Run:
    result: unittest.TestResult
    tally: Tally
    def __init__(
        self,
        result: unittest.TestResult,
        sweep: Callable[[unittest.TestCase], object] | None = None,
        watcher: Watcher | None = None,
    ) -> None: ...
    def all(self, test: Callable[[Any], object], debug: bool = False) -> None: ...
    def suite(self, suite: unittest.TestSuite, debug: bool = False) -> None: ...

class LeakFixTestSuite(unittest.TestSuite):
    def run(self, result: _R, debug: bool = False) -> _R: ...

class LeakFixTestLoader(unittest.TestLoader): ...
