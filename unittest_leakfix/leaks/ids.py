"""The ids of tests, made once a class: asking each test costs a microsecond."""
from __future__ import annotations

import unittest
from typing import Any

from unittest.util import strclass
from unittest_leakfix import faults
from unittest_leakfix.kind import on_type

__unittest = True


class Ids:
    """Knows what the tests of the class under way are called."""

    def __init__(self) -> None:
        self._named: Any = None         # the class whose tests are called _prefix...
        self._prefix = ""

    def of(self, test: unittest.TestCase) -> str:
        """Return the id of *test*."""
        cls = type(test)
        if cls is not self._named:
            plain = on_type(cls, "id") is unittest.TestCase.id
            self._prefix = strclass(cls) + "." if plain else ""
            self._named = cls
        try:
            return self._prefix + test._testMethodName if self._prefix else str(test.id())
        except Exception:
            return "%s.%s" % (type(test).__module__, faults.label(test))

    def forget(self) -> None:
        """The class is over."""
        self._named = None
