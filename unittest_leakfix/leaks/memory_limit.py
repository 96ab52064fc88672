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
from unittest_leakfix.leaks.model.timeline import OverLimit

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


def message(over: OverLimit) -> str:
    """Return why the test fails."""
    assert over.again is not None
    return "kept %s, and %s when it ran again: more than %s (%s)" % (
        kinds.amount(over.grown), kinds.amount(over.again), kinds.amount(over.limit), NAME)
