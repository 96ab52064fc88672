"""asyncio: what was not awaited, not retrieved, not closed."""
from __future__ import annotations

import asyncio
import unittest

from tests.zoo import shop


async def poll():
    await asyncio.sleep(60)


async def rows():
    for number in range(3):
        yield number


async def broken():
    raise ValueError("no such order")


class Asyncio(unittest.TestCase):

    def test_never_awaited(self):
        poll()

    def test_loop_on_self(self):
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(asyncio.sleep(0))

    def test_loop_in_global(self):
        shop.last = asyncio.new_event_loop()

    def test_loop_in_cycle(self):
        loop = asyncio.new_event_loop()
        loop.itself = loop

    def test_task_destroyed(self):
        loop = asyncio.new_event_loop()
        task = loop.create_task(poll())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        del task

    def test_exception_never_retrieved(self):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(self.start())
        loop.close()

    async def start(self):
        asyncio.ensure_future(broken())
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def test_async_generator(self):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(self.read())
        loop.close()

    async def read(self):
        feed = rows()
        await feed.__anext__()
        shop.feeds.append(feed)


class AsyncTest(unittest.IsolatedAsyncioTestCase):

    async def test_exception_never_retrieved(self):
        asyncio.ensure_future(broken())
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def test_never_awaited(self):
        poll()
