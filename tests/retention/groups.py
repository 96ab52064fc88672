"""Exception groups and task groups."""

from __future__ import annotations

import asyncio
import unittest

from tests.retention.harness import KEPT, LIGHT, Payload, case


@case(stock=KEPT, mixin=LIGHT, needs=(3, 11))
def exception_group_fail(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            raise ExceptionGroup("broken", [ValueError("one"), KeyError("two")])  # noqa: F821
    return Tests


@case(stock=KEPT, mixin=LIGHT, needs=(3, 11))
def taskgroup_fail(kit):
    class Tests(kit.mix(unittest.IsolatedAsyncioTestCase)):
        async def test(self):
            self.payload = Payload(self)
            async with asyncio.TaskGroup() as group:
                group.create_task(self.broken())

        async def broken(self):
            raise ValueError("broken")
    return Tests
