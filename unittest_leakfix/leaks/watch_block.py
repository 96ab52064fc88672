"""Finding in one block of code: ``with watch() as found: ...``, in a test, a script or a REPL."""
from __future__ import annotations

import unittest
from types import TracebackType
from typing import Any, List, Optional, Type

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix.leaks import classify  # noqa: F401 (loaded before the block)
from unittest_leakfix.leaks.detector import LeakDetector
from unittest_leakfix.leaks.model.leak import Leak, group
from unittest_leakfix.leaks.report import text_report
from unittest_leakfix.leaks.report.describe import in_words

__unittest = True
bind(globals())


class _BlockDetector(LeakDetector):
    """A detector for one block of code."""

    _asker = ""

    def begin_block(self, name: str) -> None:
        """Begin to find in a block of code; inside a run that finds, too."""
        outer = self._active[-1] if self._active else None
        if outer is not None:
            self._follow(outer._acquisitions)
            self._asker = self._acquisitions.current
        self._explanation.of_block()
        self._listen(outer is None)
        self._begin(name)

    def end_block(self) -> List[Leak]:
        """End the block; return what it left behind."""
        self._release_capture.install()
        self.test_released()
        self._acquisitions.current = self._asker
        self.stop()
        return self._reported_leaks.leaks


class Watch:
    """What `watch` gives. ``leaks`` is filled when the block is over."""

    def __init__(self, name: str) -> None:
        self.leaks: List[Leak] = []
        self._name = name
        self._detector = _BlockDetector()

    def __enter__(self) -> "Watch":
        heap.enter()
        try:
            self._detector.begin_block(self._name)
        except BaseException:
            heap.leave()
            raise
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        try:
            self.leaks = list(map(in_words, group(self._detector.end_block())))
        finally:
            heap.leave()

    def __str__(self) -> str:
        """Return one line for each leak; "no leaks" for none."""
        return text_report.failure_text(self.leaks) if self.leaks else "no leaks"


class AssertingWatch(Watch):
    """What ``LeakFixMixin.assertNoLeaks`` gives: at the end of the block it fails the test."""

    def __init__(self, test: unittest.TestCase, message: Any) -> None:
        super().__init__("the block in %s" % errors.label(test))
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
    around the block are not leaks. In a test of a run that finds, that test is measured all the
    same.
    """
    return Watch(name)
