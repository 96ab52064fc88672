"""IsolatedAsyncioTestCase."""

from __future__ import annotations

import asyncio
import contextvars
import unittest

from tests.retention.harness import (
    FREE,
    KEPT,
    LIGHT,
    LIGHT_UNTIL_GC,
    UNTIL_GC,
    Payload,
    case,
    left,
    since,
)

FAILED = dict(stock=KEPT, mixin=LIGHT, needs=(3, 8))


def _tests(kit, test, **others):
    """Return the test class whose method ``test`` is *test*."""
    return type("Tests", (kit.mix(unittest.IsolatedAsyncioTestCase),),
                dict(others, test=test))


@case(needs=(3, 8))
def async_pass(kit):
    async def test(self):
        self.payload = Payload(self)
        await asyncio.sleep(0)
    return _tests(kit, test)


@case(**FAILED)
def async_fail(kit):
    async def test(self):
        self.payload = Payload(self)
        self.assertEqual(1, 2)
    return _tests(kit, test)


@case(**FAILED)
def async_error(kit):
    async def test(self):
        self.payload = Payload(self)
        raise ValueError("broken")
    return _tests(kit, test)


@case(**FAILED)
def async_skip(kit):
    async def test(self):
        self.payload = Payload(self)
        self.skipTest("not today")
    return _tests(kit, test)


@case(**FAILED)
def async_skip_in_asyncSetUp(kit):
    async def asyncSetUp(self):
        self.payload = Payload(self)
        self.skipTest("not today")

    async def test(self):
        pass
    return _tests(kit, test, asyncSetUp=asyncSetUp)


@case(**FAILED)
def async_expected_failure(kit):
    @unittest.expectedFailure
    async def test(self):
        self.payload = Payload(self)
        self.assertEqual(1, 2)
    return _tests(kit, test)


@case(needs=(3, 8))
def async_exception_handled(kit):
    async def broken():
        raise ValueError("broken")

    async def test(self):
        self.payload = Payload(self)
        with self.assertRaises(ValueError):
            await broken()
    return _tests(kit, test)


@case(needs=(3, 8))
def async_cleanup(kit):
    async def clean(self):
        self.assertIsNotNone(self.payload)

    async def test(self):
        self.payload = Payload(self)
        self.addAsyncCleanup(self.clean)
    return _tests(kit, test, clean=clean)


# 3.9: the cancelled task keeps the frames of its CancelledError, and they keep the test.
@case(stock=since(FREE, py39=UNTIL_GC), mixin=since(FREE, py312=LIGHT_UNTIL_GC, py314=FREE),
      needs=(3, 8))
def async_leftover_task(kit):
    async def forever(self):
        await asyncio.sleep(600)

    async def test(self):
        self.payload = Payload(self)
        self.task = asyncio.ensure_future(self.forever())
        await asyncio.sleep(0)
    return _tests(kit, test, forever=forever)


@case(needs=(3, 8))
def async_leftover_task_swallows_cancel(kit):
    async def forever(self):
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            pass

    async def test(self):
        self.payload = Payload(self)
        self.task = asyncio.ensure_future(self.forever())
        await asyncio.sleep(0)
    return _tests(kit, test, forever=forever)


@case(needs=(3, 8))
def async_context(kit):
    variable = contextvars.ContextVar("variable")

    async def test(self):
        self.payload = Payload(self)
        variable.set(self.payload)
    return _tests(kit, test)


@case(stock=UNTIL_GC, mixin=since(FREE, py311=LIGHT_UNTIL_GC), needs=(3, 8))
def async_context_self(kit):
    variable = contextvars.ContextVar("variable")

    async def test(self):
        self.payload = Payload(self)
        variable.set(self)
    return _tests(kit, test)


LAST = left((), ("test_6",))


# Up to 3.10 setUp runs in the main context: the last test stays there, and each test
# keeps the context in which the one before it was set.
@case(stock=since(KEPT, py311=UNTIL_GC), runner=since(KEPT, py311=FREE),
      mixin=since(LAST, py311=LIGHT_UNTIL_GC), both=since(LAST, py311=FREE), needs=(3, 8))
def async_setup_context(kit):
    variable = contextvars.ContextVar("variable")
    kit.undo(variable.set, None)

    def setUp(self):
        variable.set(self)

    async def test(self):
        self.payload = Payload(self)
    return _tests(kit, test, setUp=setUp)


@case(needs=(3, 8))
def async_to_thread_executor(kit):
    async def test(self):
        self.payload = Payload(self)
        await asyncio.get_running_loop().run_in_executor(None, id, self.payload)
    return _tests(kit, test)


@case(needs=(3, 8))
def async_debug_pass(kit):
    async def test(self):
        self.payload = Payload(self)
    kit.kept = suite = kit.Suite(kit.tests(_tests(kit, test)))
    suite.debug()
