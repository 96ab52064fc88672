import unittest
from typing import Any

LIFE: str
DROPPED: str

class Life:
    depth: int
    before: dict[str, Any]
    at_run: dict[str, Any] | None
    closed: set[str]
    tried: dict[int, tuple[type, Any]]
    pid: int
    # A Budget of unittest_leakfix.databases.
    budget: Any
    def __init__(self, test: unittest.TestCase, depth: int) -> None: ...
    def enter(self, test: unittest.TestCase) -> None: ...
    def add_closings(self, test: unittest.TestCase) -> bool: ...
    def end(self, test: unittest.TestCase) -> None: ...
