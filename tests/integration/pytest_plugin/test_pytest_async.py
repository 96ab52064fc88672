"""pytest-asyncio and anyio: what their tests leave is named; their own loops and runners are no
leaks."""
from __future__ import annotations

import unittest
from importlib.util import find_spec

from tests.integration.pytest_plugin.pytest_case import PytestCase
from tests.tiers import NEWEST, OLDEST, full_on


@unittest.skipUnless(find_spec("pytest_asyncio") and find_spec("anyio"),
                     "needs pytest-asyncio and anyio")
@full_on(OLDEST, NEWEST)
class AsyncTests(PytestCase):

    def test_leaks_are_named_and_the_plugins_own_are_none(self):
        self.write(ini="[pytest]\nasyncio_default_fixture_loop_scope = function\n", conftest='''
            import pytest

            @pytest.fixture
            def anyio_backend():
                return "asyncio"
        ''', test_sample='''
            import asyncio
            import pytest
            import pytest_asyncio

            KEPT = []

            @pytest_asyncio.fixture
            async def queue():
                queue = asyncio.Queue()
                yield queue

            @pytest_asyncio.fixture
            async def server():
                return await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)

            @pytest.mark.asyncio
            async def test_clean(queue):
                await queue.put(1)
                assert await queue.get() == 1

            @pytest.mark.asyncio
            async def test_never_awaited():
                asyncio.sleep(1)

            @pytest.mark.asyncio
            async def test_loop():
                KEPT.append(asyncio.new_event_loop())

            @pytest.mark.asyncio
            async def test_server(server):
                KEPT.append(server)

            @pytest.mark.anyio
            async def test_anyio():
                await asyncio.sleep(0)

            @pytest.mark.anyio
            async def test_anyio_file():
                KEPT.append(open(__file__))

            def test_sync():
                asyncio.run(asyncio.sleep(0))
        ''')
        text, status = self.pytest("-p", "pytest_asyncio.plugin", "-p", "anyio.pytest_plugin",
                                   "--leaks=report")
        self.assertEqual(0, status, text)
        section = self.section(text)
        reported = {"file 'test_sample.py' was left open", "event loop was left open",
                "coroutine 'sleep' was never awaited"}
        self.assertEqual(reported, reported & set(self.causes(text)), section)
        self.assertIn("opened by test_sample.py::test_loop   test_sample.py:27\n", section)
        for clean in ("test_clean", "test_anyio\n", "test_sync", "_asyncio.plugin",
                      "anyio_backend"):
            self.assertNotIn(clean, section)


if __name__ == "__main__":
    unittest.main()
