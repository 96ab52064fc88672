import unittest
from collections.abc import Iterator
from typing import Any

EMPTIED: str

def given(
    suite: unittest.TestSuite,
    hand: list[Any],
    result: unittest.TestResult,
    lends: bool = False,
) -> Iterator[bool]: ...
def met_twice(suite: object) -> set[int]: ...
def method(kind: type, name: str) -> Any: ...
def overrides(suite: object, name: str) -> bool: ...
