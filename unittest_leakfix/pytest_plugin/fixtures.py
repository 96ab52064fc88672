"""Fixtures: when each is set up and torn down, what it is called, and its value at the end.

A value that nothing but its fixture refers to is about to be dropped by pytest; what of it is open
is closed then.
"""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any, Callable, List, Optional, Type

import pytest

from unittest_leakfix._core import errors, ownership, redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import name_of as class_name_of
from unittest_leakfix.leaks.watch_block import Watch
from unittest_leakfix.resources import scan

__unittest = True
bind(globals())

# How pytest calls the fixtures that it makes of setUpClass, setup_module and the like.
_XUNIT = re.compile(r"_?(?:unittest|xunit)_(\w+?)_fixture")


def name_of(fixturedef: Any, node_id: str) -> str:
    """Return what a fixture around several tests is called in a report.

    "fixture db (tests/test_orders.py)", "setUpClass (tests/test_orders.py::OrderTests)".
    """
    found = _XUNIT.match(fixturedef.argname)
    name = found.group(1) if found else "fixture %s" % fixturedef.argname
    return "%s (%s)" % (name, node_id or "session")


def close_owned(fixturedef: Any, item: Any, closed: Callable[[scan.FoundResource], None]) -> None:
    """Close what is open of the value of a fixture that is torn down, if nothing else refers to it.

    *item* is the one whose tear-down it is, which still has the values of its fixtures. *closed* is
    called with each.
    """
    held: List[Any] = []
    references: List[int] = []
    past: List[int] = []
    _take(fixturedef, item, held, references, past)
    if not held or not scan.may_hold(held):
        return
    owned = ownership.owned(held, references, past)
    name = fixturedef.argname
    values = {name: held[0]}
    del held
    for found in scan.open_resources(values, [name], owned):
        if found.kind.awaits(found.value):
            continue
        try:
            scan.close(fixturedef, found)
        except errors.PASSING:
            raise
        except BaseException as error:
            errors.warn_text(
                "fixture %s is over, but closing it (%s) raised %s: %s. Close it in the fixture, "
                "after its yield" % (found.label, found.kind.describe(found.value),
                                     class_name_of(type(error))[1],
                                     redaction.text_of_error(error)))
        else:
            closed(found)


def _take(fixturedef: Any, item: Any, held: List[Any], references: List[int],
          past: List[int]) -> None:
    """Put the value into *held*, and how many references to it pytest is about to drop into
    *references*."""
    cached = fixturedef.cached_result
    if cached is None or cached[2] is not None or cached[0] is None:
        return
    funcargs = getattr(item, "funcargs", None) or {}
    held.append(cached[0])
    references.append(1 + sum(value is cached[0] for value in funcargs.values()))
    past += [id(cached), id(funcargs)]


# The fixture ``leakfix``: finding in one block of code.

class LeakFix:
    """What the fixture ``leakfix`` gives to a test."""

    def __init__(self, name: str) -> None:
        self._name = name

    def watch(self) -> Watch:
        """Return a context manager whose ``leaks`` is, after the block, the list of what it left
        behind."""
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
