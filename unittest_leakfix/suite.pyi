import unittest
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from unittest_leakfix.instance_release import Tally
from unittest_leakfix.observer import RunObserver

_R = TypeVar("_R", bound=unittest.TestResult)

class Run:
    result: unittest.TestResult
    tally: Tally
    def __init__(
        self,
        result: unittest.TestResult,
        sweep: Callable[[unittest.TestCase], object] | None = None,
        watcher: RunObserver | None = None,
    ) -> None: ...
    def all(self, test: Callable[[Any], object], debug: bool = False) -> None: ...
    def suite(self, suite: unittest.TestSuite, debug: bool = False) -> None: ...

class LeakFixTestSuite(unittest.TestSuite):
    def run(self, result: _R, debug: bool = False) -> _R: ...

class LeakFixTestLoader(unittest.TestLoader): ...

EMPTIED: str

def drain_suite(
    suite: unittest.TestSuite,
    slot: list[Any],
    result: unittest.TestResult,
    lends: bool = False,
) -> Iterator[bool]: ...
def met_again(suite: object) -> tuple[set[int], dict[int, int]]: ...
def overrides(suite: object, name: str) -> bool: ...
