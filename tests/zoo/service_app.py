"""An asynchronous service: subscribers, tasks that go on, a cache, locks."""
from __future__ import annotations

import asyncio
import contextlib

subscribers = set()
pending = []
handlers = {}
background = None


class Feed:
    """Passes on to those who have subscribed."""

    def __init__(self):
        self.callbacks = []

    def publish(self, item):
        """Tell all of them."""
        for callback in list(self.callbacks):
            callback(item)


feed = Feed()


async def poll(seconds=60):
    """Go on for ever."""
    while True:
        await asyncio.sleep(seconds)


async def numbers():
    """Yield numbers."""
    for number in range(3):
        yield number


@contextlib.asynccontextmanager
async def polling():
    """Poll for a while."""
    task = asyncio.ensure_future(poll())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
