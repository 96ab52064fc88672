"""A small typed suite, as a user writes it: every public name in its ordinary use."""

from __future__ import annotations

import sys
import unittest
from typing import Callable, ClassVar

import unittest_leakfix
from unittest_leakfix import (
    ClassLeakFixMixin,
    CloseError,
    FinishedTest,
    LeakFixAsyncTestCase,
    LeakFixMixin,
    LeakFixResultMixin,
    LeakFixTestCase,
    LeakFixTestLoader,
    LeakFixTestResult,
    LeakFixTestRunner,
    LeakFixTestSuite,
    LeakFixTextTestResult,
    LeakFixWarning,
    register_resource,
)
from unittest_leakfix.leaks import ignore, watch


class Client:
    """A resource of the user's own."""

    def __init__(self, address: str) -> None:
        self.address: str | None = address

    def hang_up(self) -> None:
        """End it."""
        self.address = None


def is_open(client: Client) -> bool:
    """Whether it was not hung up."""
    return client.address is not None


register_resource(Client, close=Client.hang_up, is_open=is_open, describe=repr)


class OrderTests(LeakFixMixin, unittest.TestCase):
    """The mixin on unittest's class, with both declarations."""

    leakfix_keep = ("shared",)
    leakfix_close = ("client",)

    def setUp(self) -> None:
        self.client = Client("here")
        self.shared: list[int] = []

    def test_client(self) -> None:
        """The attributes keep their types."""
        self.assertEqual(self.client.address, "here")


class ClassTests(ClassLeakFixMixin, unittest.TestCase):
    """The mixin for what setUpClass takes."""

    leakfix_keep = ["rates"]
    client: Client

    @classmethod
    def setUpClass(cls) -> None:
        cls.client = Client("there")

    def test_client(self) -> None:
        """Class attributes keep their types."""
        self.assertEqual(self.client.address, "there")


class MoreClassTests(ClassTests):
    """Names of its own, which add up."""

    leakfix_keep = ["currencies", "countries"]


class ReadyMadeTests(LeakFixTestCase):
    """The ready-made class."""

    # Annotated where subclasses say more: mypy takes a bare tuple's length for part of its type.
    leakfix_keep: ClassVar[tuple[str, ...]] = ("address",)

    def test_client(self) -> None:
        """As on unittest's class, and a block that leaves nothing behind."""
        with self.assertNoLeaks("the client") as found:
            self.client = Client("here")
        self.assertEqual([leak.subject for leak in found.leaks], [])
        self.assertTrue(is_open(self.client))


class MoreReadyMadeTests(ReadyMadeTests):
    """A longer tuple than that of the base."""

    leakfix_keep = ("cache", "lines")


class AsyncTests(LeakFixAsyncTestCase):
    """The ready-made class for coroutines."""

    async def test_client(self) -> None:
        """An awaited test."""
        self.client = Client("here")


class CountingResult(LeakFixTextTestResult):
    """A result class of the user's own."""

    def addSuccess(self, test: unittest.TestCase) -> None:
        """As unittest's."""
        super().addSuccess(test)


class OtherResult(LeakFixResultMixin, unittest.TestResult):
    """The mixin on top of somebody else's result class."""


def names(result: unittest.TestResult) -> list[str]:
    """The tests that failed, as the result still knows them."""
    return [test.id() for test, _ in result.failures if isinstance(test, FinishedTest)]


def first_fault(test: unittest.TestCase) -> str:
    """The error of a test that could not close what it had."""
    try:
        test.debug()
    except CloseError as error:
        return f"{error}: {error.__cause__}"
    return ""


def left_behind(work: Callable[[], object]) -> list[str]:
    """What a block of code leaves behind, but for a thread that may stay."""
    ignore(thread="mailer-*", reason="it ends with the process")
    with watch("work") as found:
        work()
    return [f"{leak.kind}: {leak.subject}" for leak in found.leaks]


def run() -> bool:
    """A runner of the user's own: suite, loader, result and runner."""
    suite = LeakFixTestSuite([OrderTests("test_client")])
    suite.addTests(LeakFixTestLoader().loadTestsFromTestCase(ClassTests))
    plain: unittest.TestResult = LeakFixTestResult()
    names(suite.run(plain))
    names(suite.run(OtherResult()))
    LeakFixTestRunner(resultclass=OtherResult)
    runner = LeakFixTestRunner(stream=sys.stderr, verbosity=2, resultclass=CountingResult)
    LeakFixTestRunner(leaks="report", leaks_failed=True, leaks_stacks=True, restore=True,
                      leaks_baseline="known.json", leaks_write_baseline=None, leaks_json=None)
    result = runner.run(LeakFixTestLoader().loadTestsFromTestCase(OrderTests))
    if runner.tally is not None:
        print(runner.tally.released, runner.tally.closed.get("socket", 0))
    return result.wasSuccessful() and issubclass(LeakFixWarning, Warning)


if __name__ == "__main__":
    print(unittest_leakfix.__version__)
    unittest_leakfix.main()
