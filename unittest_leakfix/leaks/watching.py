"""Finding in one block of code: ``with watch() as found: ...``, in a test, a script or a REPL."""
from __future__ import annotations

import unittest
from types import TracebackType
from typing import Any, List, Optional, Type

from unittest_leakfix import faults
from unittest_leakfix.heap import heap

from . import text
from .finder import Finder
from .leak import Leak, group

__unittest = True


class Watch:
    """What `watch` gives. ``leaks`` is filled when the block is over."""

    def __init__(self, name: str) -> None:
        self.leaks: List[Leak] = []
        self._name = name
        self._finder = Finder()

    def __enter__(self) -> "Watch":
        heap.enter()
        try:
            self._finder.block_begins(self._name)
        except BaseException:
            heap.leave()
            raise
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        try:
            self.leaks = group(self._finder.block_ends())
        finally:
            heap.leave()

    def __str__(self) -> str:
        """Return one line for each leak; "no leaks" for none."""
        return text.failure_text(self.leaks) if self.leaks else "no leaks"


class Asserting(Watch):
    """What ``LeakFixMixin.assertNoLeaks`` gives: at the end of the block it fails the test."""

    def __init__(self, test: unittest.TestCase, message: Any) -> None:
        super().__init__("the block in %s" % faults.label(test))
        self._fail = test.failureException
        self._message = "" if message is None else "%s : " % (message,)

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        super().__exit__(kind, error, trace)
        if self.leaks and error is None:
            raise self._fail(self._message + str(self))


def watch(name: str = "the block") -> Watch:
    """Find what a block of code leaves behind: ``with watch() as found: ...; found.leaks``.

    *name* stands for the test in the leaks. Returns a context manager whose ``leaks`` is a list
    of `Leak` after the block; ``str()`` of it is a short text. Local variables of the code
    around the block are no leaks. In a test of a run that finds, the objects of that test are
    not counted beside: the report says so.
    """
    return Watch(name)
