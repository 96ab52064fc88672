import sys
import unittest
from collections.abc import Mapping
from typing import Any, ClassVar

from unittest_leakfix._core.attributes import Attributes, _Names
from unittest_leakfix._core.declarations import Limited

if sys.version_info >= (3, 8):
    from unittest_leakfix.leaks import Watch

class LeakFixMixin(Limited):
    leakfix_keep: ClassVar[_Names]
    leakfix_close: ClassVar[_Names]
    def __init_subclass__(cls, **kwds: Any) -> None: ...
    # Any: the mixin goes before anybody's TestCase, whatever its run takes and returns.
    # No __getattr__ here: with it every misspelt attribute would pass.
    def __call__(self, *args: Any, **kwds: Any) -> Any: ...
    def run(self, *args: Any, **kwds: Any) -> Any: ...
    def doCleanups(self) -> Any: ...
    if sys.version_info >= (3, 8):
        def assertNoLeaks(self, msg: object = None) -> Watch: ...

def check(cls: type, mixin: type) -> None: ...

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

def keep_reportable(
    test: unittest.TestCase, holder: Attributes, dropped: Mapping[str, Any]
) -> None: ...
