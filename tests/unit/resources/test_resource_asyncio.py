"""Kinds of resource on the real thing: loops, tasks, async generators, servers.

Source with ``async def`` is kept in a text: Python 2.7 reads this file, too.
"""
from __future__ import absolute_import

import gc
import logging
import sqlite3
import sys
import threading
import unittest

from tests.unit.resources.test_resources import KindCase, unregister
from unittest_leakfix._core import waiting
from unittest_leakfix.resources import registry

try:
    import asyncio
except ImportError:  # Python 2.7
    asyncio = None

ASYNC = '''
async def sleep_long():
    await asyncio.sleep(600)

async def stubborn(release):
    while not release:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            pass

async def fails_when_cancelled():
    try:
        await asyncio.sleep(600)
    finally:
        raise ZeroDivisionError

async def numbers(seen):
    try:
        for number in range(3):
            yield number
    finally:
        await asyncio.sleep(0)
        seen.append("ended")

async def next_of(generator):
    return await generator.__anext__()

async def wait_for(awaitable):
    return await awaitable

async def close_inside(kind, value):
    return kind.close(value)

async def moment():
    await asyncio.sleep(0)

async def connect(server):
    return await asyncio.open_connection(*server.sockets[0].getsockname()[:2])

class AsyncDoor:
    closed = False
    async def __aenter__(self):
        return self
    async def __aexit__(self, *exc_info):
        await self.aclose()
    async def aclose(self):
        await asyncio.sleep(0)
        self.closed = True

class CoroutineDoor:
    closed = False
    async def __aenter__(self):
        return self
    async def __aexit__(self, *exc_info):
        await self.close()
    async def close(self):
        await asyncio.sleep(0)
        self.closed = True

class AsyncConnection:
    open = True
    async def close(self):
        self.open = False
    cursor = commit = rollback = close
'''
NAMES = {"asyncio": asyncio}
if asyncio is not None:
    exec(ASYNC, NAMES)


@unittest.skipIf(asyncio is None, "Python 2.7 has none")
class LoopCase(KindCase):
    def setUp(self):
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)

    def wait(self, awaitable):
        return self.loop.run_until_complete(NAMES["wait_for"](awaitable))

    def begin(self, coroutine, loop=None):
        """A task that has reached its first await."""
        loop = loop or self.loop
        task = loop.create_task(coroutine)
        loop.run_until_complete(NAMES["moment"]())
        return task

    def limit(self, seconds):
        before, waiting.CLOSE_TIMEOUT = waiting.CLOSE_TIMEOUT, seconds
        self.addCleanup(setattr, waiting, "CLOSE_TIMEOUT", before)

    def check_awaited(self, value, name, text=None):
        kind = self.kind(value, name)
        self.assertIs(kind.is_open(value), True)
        self.assertIs(kind.awaits(value), True)
        if text is not None:
            self.assertEqual(kind.describe(value), text)
        self.wait(kind.close(value))
        self.assertIs(kind.is_open(value), False)


class LoopTests(LoopCase):
    def test_loop(self):
        self.check(asyncio.new_event_loop(), "event loop", "event loop")

    def test_what_is_left_is_cancelled(self):
        loop, seen = asyncio.new_event_loop(), []
        task = self.begin(NAMES["sleep_long"](), loop)
        generator = NAMES["numbers"](seen)
        loop.run_until_complete(NAMES["next_of"](generator))
        self.check(loop, "event loop")
        self.assertTrue(task.cancelled())
        self.assertEqual(seen, ["ended"])

    def test_a_task_that_will_not_end_is_named(self):
        self.limit(0.02)
        loop, release = asyncio.new_event_loop(), []
        loop.set_exception_handler(lambda loop, context: None)
        task = self.begin(NAMES["stubborn"](release), loop)
        with self.assertRaises(waiting.CloseTimeout) as caught:
            self.kind(loop).close(loop)
        self.assertEqual(str(caught.exception),
                         "event loop: task of stubborn did not end when cancelled")
        self.assertIs(loop.is_closed(), True)
        self.assertIs(self.kind(task).is_open(task), False)
        release.append(1)
        task._log_destroy_pending = False

    def test_a_running_loop_is_never_closed(self):
        kind = self.kind(self.loop)
        self.assertRaises(RuntimeError, self.loop.run_until_complete,
                          NAMES["close_inside"](kind, self.loop))
        self.assertIs(kind.is_open(self.loop), True)

    def test_another_loop_is_closed_while_one_runs(self):
        other, kind = asyncio.new_event_loop(), self.kind(self.loop)
        task = self.begin(NAMES["sleep_long"](), other)
        self.loop.run_until_complete(NAMES["close_inside"](kind, other))
        self.assertIs(other.is_closed(), True)
        self.assertTrue(task.cancelled())

    def test_a_loop_with_a_busy_thread(self):
        loop, release = asyncio.new_event_loop(), threading.Event()
        logger = logging.getLogger("concurrent.futures")
        logger.disabled = True  # up to 3.9 it tells of a result that came too late
        self.addCleanup(setattr, logger, "disabled", False)
        loop.run_in_executor(None, release.wait)
        executor = loop._default_executor
        self.check(loop, "event loop")
        release.set()
        executor.shutdown(wait=True)

    @unittest.skipIf(sys.version_info < (3, 11), "new in 3.11")
    def test_runner(self):
        value = asyncio.Runner()
        self.assertIs(self.kind(value).is_open(value), False)
        value.get_loop()
        self.check(value, "asyncio runner")


class TaskTests(LoopCase):
    def test_task(self):
        task = self.begin(NAMES["sleep_long"]())
        self.check_awaited(task, "task", "task of sleep_long")
        self.assertTrue(task.cancelled())

    def test_a_task_in_python(self):
        cls = getattr(asyncio.tasks, "_PyTask", None)
        if cls is None:
            self.skipTest("3.6 names it otherwise")
        task = cls(NAMES["sleep_long"](), loop=self.loop)
        self.loop.run_until_complete(NAMES["moment"]())
        self.check_awaited(task, "task")

    def test_a_task_that_fails_when_cancelled(self):
        printed = []
        self.loop.set_exception_handler(lambda loop, context: printed.append(context))
        self.check_awaited(self.begin(NAMES["fails_when_cancelled"]()), "task")
        gc.collect()
        self.assertEqual(printed, [])

    def test_a_task_that_will_not_end_is_named(self):
        self.limit(0.02)
        release = []
        task = self.begin(NAMES["stubborn"](release))
        with self.assertRaises(waiting.CloseTimeout) as caught:
            self.wait(self.kind(task).close(task))
        self.assertEqual(str(caught.exception),
                         "task of stubborn did not end when cancelled")
        release.append(1)
        self.wait(self.kind(task).close(task))

    def test_waiting_for_a_task_can_itself_be_cancelled(self):
        release = []
        task = self.begin(NAMES["stubborn"](release))
        waiter = self.begin(NAMES["wait_for"](self.kind(task).close(task)))
        waiter.cancel()
        self.assertRaises(asyncio.CancelledError, self.loop.run_until_complete, waiter)
        release.append(1)
        self.wait(self.kind(task).close(task))

    def test_a_future_is_no_resource(self):
        self.assertIsNone(registry.kind_of(self.loop.create_future()))

    def test_a_coroutine_is_no_resource(self):
        value = NAMES["sleep_long"]()
        self.assertIsNone(registry.kind_of(value))
        value.close()


class GeneratorTests(LoopCase):
    def test_generator(self):
        seen = []
        value = NAMES["numbers"](seen)
        self.wait(value.__anext__())
        self.check_awaited(value, "async generator", "async generator numbers")
        self.assertEqual(seen, ["ended"])

    @unittest.skipIf(sys.version_info[:2] == (3, 11), "3.11 cannot tell")
    def test_a_generator_that_was_never_begun(self):
        value = NAMES["numbers"]([])
        self.assertIs(self.kind(value).is_open(value), False)


class StreamTests(LoopCase):
    def test_server_stream_and_transport(self):
        served = []

        def serve(reader, writer):
            served.append(writer)

        server = self.wait(asyncio.start_server(serve, "127.0.0.1", 0))
        writers = [self.wait(NAMES["connect"](server))[1] for _ in range(2)]
        self.check(writers[0], "stream")
        self.check(writers[1].transport, "transport")
        self.check(server, "asyncio server")
        for writer in served:
            writer.close()
        self.loop.run_until_complete(NAMES["moment"]())
        self.loop.run_until_complete(NAMES["moment"]())


class ShapeTests(LoopCase):
    def test_async_context_managers(self):
        self.check_awaited(NAMES["AsyncDoor"](), "AsyncDoor")
        self.check_awaited(NAMES["CoroutineDoor"](), "CoroutineDoor")

    def test_async_connection(self):
        self.check_awaited(NAMES["AsyncConnection"](), "database connection")

    def test_a_registered_coroutine_function(self):
        cls = type("Remote", (), {"closed": False})
        self.addCleanup(unregister, cls)
        exec("async def close(value):\n    value.closed = True\n", NAMES)
        registry.register_resource(cls, NAMES["close"])
        self.check_awaited(cls(), "Remote")
        cls.end = NAMES["close"]
        registry.register_resource(cls, "end")
        self.check_awaited(cls(), "Remote")

    def test_a_plain_close_that_answers_with_an_awaitable(self):
        cls = type("Late", (), {"closed": False})
        cls.close = lambda value: NAMES["CoroutineDoor"].close(value)
        self.addCleanup(unregister, cls)
        registry.register_resource(cls)
        value = cls()
        self.assertIs(self.kind(value).awaits(value), False)
        self.wait(self.kind(value).close(value))
        self.assertIs(value.closed, True)

    @unittest.skipIf(sys.version_info < (3, 7), "new in 3.7")
    def test_async_exit_stack(self):
        import contextlib
        value, called = contextlib.AsyncExitStack(), []
        self.assertIs(self.kind(value).is_open(value), False)
        value.callback(called.append, 1)
        self.check_awaited(value, "exit stack")
        self.assertEqual(called, [1])

    def test_others_await_nothing(self):
        value = sqlite3.connect(":memory:")
        self.assertIs(self.kind(value).awaits(value), False)
        value.close()


if __name__ == "__main__":
    unittest.main()
