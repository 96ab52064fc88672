"""What a user gets wrong, and mypy says so: the lines that end in "# E:" and its code."""

from __future__ import annotations

import sys
import unittest

import unittest_leakfix
from unittest_leakfix import (
    ClassLeakFixMixin,
    FinishedTest,
    LeakFixAsyncTestCase,
    LeakFixMixin,
    LeakFixTestCase,
    LeakFixTestLoader,
    LeakFixTestResult,
    LeakFixTestRunner,
    LeakFixTestSuite,
    register_resource,
)


class Client:
    """A resource of the user's own."""

    def hang_up(self) -> None:
        """End it."""


class Other:
    """Something else."""


def is_open(other: Other) -> bool:
    """Of another class than the client's."""
    return bool(other)


class OrderTests(LeakFixMixin, unittest.TestCase):
    """A string is not a tuple of names; a missing attribute is missed."""

    leakfix_keep = "client"  # E: assignment
    leakfix_close = (1,)  # E: assignment

    def test_client(self) -> None:
        """Nobody set it."""
        print(self.cleint)  # E: attr-defined


class ClassTests(ClassLeakFixMixin, unittest.TestCase):
    """The same for the class."""

    leakfix_keep = "client"  # E: assignment


class ReadyMadeTests(LeakFixTestCase):
    """The same here."""

    leakfix_close = None  # E: assignment


class AsyncTests(LeakFixAsyncTestCase):
    """As on unittest's class."""

    async def test_client(self) -> None:
        """Nobody set it."""
        print(self.cleint)  # E: attr-defined


register_resource(3)  # E: arg-type
register_resource(Client, close=3)  # E: arg-type
register_resource(Client, is_open=is_open)  # E: arg-type
register_resource(Client, describe=len)  # E: arg-type
register_resource(Client, colour="red")  # E: call-arg

LeakFixTestRunner(verbosity="loud")  # E: arg-type
LeakFixTestRunner(warnings="often")  # E: arg-type
LeakFixTestRunner(stream=3)  # E: arg-type
LeakFixTestRunner(resultclass=Client)  # E: arg-type
LeakFixTestRunner(sys.stderr, True, 1, False, False, None, None, True)  # E: call-arg
LeakFixTestRunner(leaks="yes")  # E: arg-type
LeakFixTestRunner(leaks_json=True)  # E: arg-type
LeakFixTestRunner().run(3)  # E: arg-type

LeakFixTestSuite([3])  # E: list-item
LeakFixTestSuite().run(3)  # E: type-var
LeakFixTestLoader().loadTestsFromTestCase(Client)  # E: arg-type
LeakFixTestResult().failures.append(3)  # E: arg-type
FinishedTest(3)  # E: arg-type
number: int = FinishedTest(OrderTests()).id()  # E: assignment

unittest_leakfix.no_such_name  # E: attr-defined
unittest_leakfix.main(testRunner=3)  # E: arg-type
