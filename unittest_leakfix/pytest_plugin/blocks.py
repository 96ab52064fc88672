"""The fixture ``leakfix``: finding in one block of code."""
from __future__ import annotations

from types import TracebackType
from typing import Optional, Type

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.watching import Watch

__unittest = True
bind(globals())


class LeakFix:
    """What the fixture ``leakfix`` gives to a test."""

    def __init__(self, name: str) -> None:
        self._name = name

    def watch(self) -> Watch:
        """Return a context manager whose ``leaks`` is, after the block, the list of what it left behind."""
        return Watch("the block in %s" % self._name)

    def assert_no_leaks(self, message: str = "") -> Watch:
        """Return a context manager that fails the test if its block leaves anything behind."""
        return _Asserting("the block in %s" % self._name, message)


class _Asserting(Watch):
    def __init__(self, name: str, message: str) -> None:
        super().__init__(name)
        self._message = message

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        __tracebackhide__ = True
        super().__exit__(kind, error, trace)
        if self.leaks and error is None:
            pytest.fail((self._message + ": " if self._message else "") + str(self))
