"""Tests of the service: each leaves one thing."""
from __future__ import annotations

import asyncio
import unittest

from tests.zoo import service_app


class Loops(unittest.TestCase):

    def test_loop_of_the_test(self):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(asyncio.sleep(0))
        service_app.pending.append(loop)

    def test_callback_that_waits(self):
        loop = asyncio.new_event_loop()
        loop.call_later(60, self.received)
        service_app.pending.append(loop)

    def received(self, *items):
        pass


class Feeds(unittest.IsolatedAsyncioTestCase):

    async def test_subscriber_stays(self):
        service_app.subscribers.add(self)

    async def test_callback_stays(self):
        service_app.feed.callbacks.append(self.received)

    async def test_handler_stays(self):
        service_app.handlers["price"] = self.received

    async def test_test_in_a_list(self):
        service_app.pending.append(self)
        await asyncio.sleep(0)

    def received(self, item):
        return item
