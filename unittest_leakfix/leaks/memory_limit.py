"""Limits of what a test may keep: ``--max-memory``, ``leakfix_max_memory``, and whether it does so
again.

What a test keeps the first time may be a cache. So those above their limit run again, twice, in a
child process, when all tests are over; the second time counts. Where that cannot be done nothing
fails.
"""
from __future__ import annotations

import unittest
from types import FunctionType
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from unittest_leakfix._core.declarations import bytes_of
from unittest_leakfix._core.early import bind, later
from unittest_leakfix._core.errors import PASSING, fault_text
from unittest_leakfix._core.introspection import mro, name_of, names_in
from unittest_leakfix.leaks.model.timeline import OverLimit, Timeline
from unittest_leakfix.leaks.timeline import Recorder
from unittest_leakfix.options import Options

if TYPE_CHECKING:
    from unittest_leakfix.leaks.model import kinds
else:
    kinds = later(globals(), "leaks.model.kinds")

__unittest = True
bind(globals())

NAME = "leakfix_max_memory"
_MOST = 50
"""How many tests run again."""

RunsAgain = Callable[[Sequence[str]], Tuple[Dict[str, int], str]]
"""Runs tests again, and returns what each kept then, and why others could not be run."""


def declared(cls: type) -> Dict[str, Optional[int]]:
    """Return the limits that a class declares: by the names of methods, and "" for all others.

    None stands for any size. Raises ``ValueError`` for what is not a number of bytes.
    """
    found: Dict[str, Optional[int]] = {}
    for base in reversed(mro(cls)):
        if base in (object, unittest.TestCase):
            continue
        space = names_in(base)
        if NAME in space:
            found = {"": _limit(space[NAME], base, "")}
        for name, value in space.items():
            if type(value) is FunctionType and name in found:
                del found[name]     # overridden
            if type(value) is FunctionType and NAME in value.__dict__:
                found[name] = _limit(value.__dict__[NAME], base, "." + name)
    return found


def _limit(value: Any, cls: type, name: str) -> Optional[int]:
    try:
        return None if value is None else bytes_of(value)
    except ValueError as error:
        raise ValueError("%s%s.%s = %r: %s" % (
            name_of(cls)[1], name, NAME, value, error)) from None


def confirmed(over: Iterable[OverLimit], runs_again: Optional[RunsAgain],
              why: str = "") -> List[OverLimit]:
    """Return *over* with what each kept when it ran again; *why* is the reason where *runs_again*
    is None."""
    found = list(over)
    if not found:
        return found
    heaviest = sorted(found, key=lambda each: -each.grown)[:_MOST]
    again: Dict[str, int] = {}
    if runs_again is not None:
        try:
            again, why = runs_again([each.test for each in heaviest])
        except PASSING:
            raise
        except BaseException:
            why = fault_text()
        why = why or "too many tests are above their limits"
    return [each._replace(again=again[each.test]) if each.test in again
            else each._replace(why=why) for each in found]


class KeptMemory:
    """What the tests of a run keep, recorded where it was asked for or has a limit, and the limits.

    *connections* and *descriptors* return how many are open.
    """

    def __init__(self, options: Options, connections: Callable[[], int],
                 descriptors: Callable[[], Optional[int]]) -> None:
        self._options = options
        self._connections, self._descriptors = connections, descriptors
        most = options.max_memory
        self.most: Optional[int] = most if isinstance(most, int) else None
        """The limit of all tests that have none of their own."""
        self.limit = self.most
        """That of the test that runs, or runs next."""
        self.declared: Dict[str, Optional[int]] = {}
        """Those of the class under way."""
        self.recorder = self._recording() if (
            options.memory is not None or options.leaks_html is not None
            or most is not None) else None

    def _recording(self) -> Recorder:
        return Recorder(self._connections, self._descriptors, most=self._options.memory,
                        traces=self._options.memory_traced)

    def open(self) -> None:
        """The run begins."""
        if self.recorder is not None:
            self.recorder.open()

    def close(self) -> None:
        """The run is over."""
        if self.recorder is not None:
            self.recorder.close()

    def forget(self) -> None:
        """What was recorded so far was taken."""
        if self.recorder is not None:
            self.recorder.forget()

    def timeline(self) -> Optional[Timeline]:
        """Return what was recorded so far, None where nothing is."""
        return None if self.recorder is None else self.recorder.timeline()

    def class_begins(self, cls: type) -> None:
        """Take the limits that a class declares: where it does, memory is recorded from now on.

        Raises ``ValueError`` for what is not a number of bytes.
        """
        self.limit, self.declared = self.most, {}
        self.declared = declared(cls)
        if self.declared:
            self._record()

    def test_begins(self, method: str) -> None:
        """The test that runs next is this *method* of the class."""
        self.limit = self.declared.get(method, self.declared.get("", self.most))

    def limit_next(self, most: Optional[int]) -> None:
        """The test that runs next may keep *most* bytes."""
        self.limit = most
        if most is not None:
            self._record()

    def _record(self) -> None:
        if self.recorder is None:
            self.recorder = self._recording()
            self.recorder.open()

    @property
    def over(self) -> List[OverLimit]:
        """The tests that kept more than they may."""
        return [] if self.recorder is None else self.recorder.limits

    @over.setter
    def over(self, over: List[OverLimit]) -> None:
        if self.recorder is not None:
            self.recorder.limits = over


def message(over: OverLimit) -> str:
    """Return why the test fails."""
    assert over.again is not None
    return "kept %s, and %s when it ran again: more than %s (%s)" % (
        kinds.amount(over.grown), kinds.amount(over.again), kinds.amount(over.limit), NAME)
