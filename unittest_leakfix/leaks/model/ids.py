"""The ids of tests, made once a class: asking each test costs a microsecond."""
from __future__ import annotations

import unittest
from typing import Any

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import name_of, on_type, qualified

__unittest = True
bind(globals())


def readable_id(test: str) -> str:
    """Return what a test is called in a sentence: its class and method; of pytest's, the whole node
    id."""
    return test if "::" in test.partition("[")[0] else ".".join(test.rsplit(".", 2)[-2:])


def defines(test: str, module: str) -> bool:
    """Tell whether the test of this id is written in *module*."""
    path, colons, _ = test.partition("::")
    if not colons:
        return test.startswith(module + ".")
    # pytest tells a file; what that is imported as depends on its import mode.
    return ("." + path.rpartition(".")[0].replace("/", ".")).endswith("." + module)


class TestIds:
    """Knows what the tests of the class under way are called."""

    def __init__(self) -> None:
        self._named: Any = None         # the class whose tests are called _prefix...
        self._prefix = ""

    def of(self, test: unittest.TestCase) -> str:
        """Return the id of *test*."""
        cls = type(test)
        if cls is not self._named:
            plain = on_type(cls, "id") is unittest.TestCase.id
            self._prefix = qualified(cls) + "." if plain else ""
            self._named = cls
        try:
            return self._prefix + test._testMethodName if self._prefix else str(test.id())
        except errors.PASSING:
            raise
        except BaseException:   # an id of the user's own, or what is no TestCase
            return "%s.%s" % (name_of(type(test))[0], errors.label(test))

    def forget(self) -> None:
        """The class is over."""
        self._named = None
