"""The story of the full server with the drivers that are awaited: connections opened in
asyncSetUp."""

from __future__ import annotations

import unittest

from tests.integration.databases import connection_suites
from tests.tiers import NEWEST, OLDEST, full_on

NUMBER = 25     # the servers admit 20, PostgreSQL 17 of ours
FULL = "Too many connections|too many clients|remaining connection slots"
TAKING = """
class Shop(%sunittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.db = await connect(**settings)

for number in range(25):
    async def check(self):
        self.fail("as it should")
    setattr(Shop, "test_%%02d" %% number, check)
"""
MIXED = TAKING % "unittest_leakfix.LeakFixMixin, "
TAKING %= ""
# What was closed in the test before is gone from the server a moment later, so one at a time is
# all.
AT_ONCE = """
class Shop(unittest_leakfix.LeakFixMixin, unittest.IsolatedAsyncioTestCase):
    leakfix_max_connections = 1
    async def asyncSetUp(self):
        self.db = await connect(**settings)
    async def test_a(self): pass
    async def test_b(self): self.fail("as it should")
    async def test_c(self): self.skipTest("as it should")
    async def test_d(self): pass
"""
KEEPING = """
class Shop(unittest.IsolatedAsyncioTestCase):
    async def test_order(self):
        KEPT.append(await connect(**settings))
"""
FAULTS = """
import asyncio

class Shop(unittest_leakfix.LeakFixMixin, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.db = await connect(**settings)

    async def test_closed_by_the_test(self):
        closing = self.db.close()
        if closing is not None:
            await closing

    async def test_closed_by_the_server(self):
        other = await connect(**settings)
        await ask(other, end % await ask(self.db, number))
        closing = other.close()
        if closing is not None:
            await closing

    async def test_closed_from_a_thread_without_its_loop(self):
        self.task = asyncio.ensure_future(asyncio.sleep(3600))
"""
ASKING = """
async def ask(db, statement):
    if hasattr(db, "fetchval"):
        return await db.fetchval(statement)
    cursor = db.cursor()
    cursor = await cursor if hasattr(cursor, "__await__") and not hasattr(cursor, "execute") else cursor
    await cursor.execute(statement)
    return (await cursor.fetchone())[0] if cursor.description else None
"""  # noqa: E501


class Story:
    """The story with one driver. The classes below name it."""

    driver = ""
    cleanup = "addAsyncCleanup"

    def run_suite(self, body: str, *options: str, module: str = "unittest_leakfix") -> str:
        printed = connection_suites.run(self.driver, body, *options, module=module)
        self.assertNotIn("LeakFixWarning", printed)
        return printed

    def test_plain(self) -> None:
        printed = self.run_suite(TAKING, module="unittest")
        self.assertRegex(printed, FULL)
        self.assertRegex(printed, r"FAILED \(failures=\d+, errors=\d+\)")

    def test_ours(self) -> None:
        printed = self.run_suite(TAKING)
        self.assertRegex(printed, r"Ran 25 tests in .*\n\nFAILED \(failures=25\)\n")

    def test_mixin_under_plain_unittest(self) -> None:
        printed = self.run_suite(MIXED, module="unittest")
        self.assertRegex(printed, r"Ran 25 tests in .*\n\nFAILED \(failures=25\)\n")

    def test_one_at_a_time(self) -> None:
        printed = self.run_suite(AT_ONCE, module="unittest")
        self.assertRegex(printed, r"Ran 4 tests in .*\n\nFAILED \(failures=1, skipped=1\)\n")

    def test_kept_in_a_global(self) -> None:
        printed = self.run_suite(KEEPING, "--leaks=report")
        reported = connection_suites.paragraph(printed, "[1]")
        self.assertIn("%s connection to leakfix@127.0.0.1:PORT/leakfix was left open"
                      % self.driver.partition(" ")[0], reported)
        self.assertIn("test_shop.KEPT[0]", reported)
        self.assertIn("opened by Shop.test_order", reported)
        self.assertIn("in your code: keep the connection in self.connection, then "
                      "self.%s(self.connection.close)" % self.cleanup, reported)
        self.assertRegex(reported, r"> +\d+         KEPT.append\(await connect\(\*\*settings\)\)")

    def test_let_go_by_the_runner(self) -> None:
        """Its close() can no longer be awaited; reported once, and nothing more that its driver
        says as it dies."""
        printed = self.run_suite(TAKING.replace("range(25)", "range(2)").replace(
            'self.fail("as it should")', "pass"),
                              "--leaks=report")
        self.assertIn("LEAKS  1 cause in 2 of 2 tests: 1 connection", printed)
        reported = connection_suites.paragraph(printed, "[1]")
        self.assertIn("connection to leakfix@127.0.0.1:PORT/leakfix was left open", reported)
        self.assertIn("opened by Shop.asyncSetUp   test_shop.py:1", reported)
        self.assertIn("let go for you: nothing else referred to it, and there was no loop left to "
                      "await its close()",
                      reported)
        self.assertIn("in your code: self.%s(self.db.close)" % self.cleanup, reported)

    def test_faults(self) -> None:
        server = connection_suites.AWAITED[self.driver].server
        end, number = {"mysql": ("kill %s", "select connection_id()"), "postgresql": (
            "select pg_terminate_backend(%s)", "select pg_backend_pid()")}[server]
        for module, options in (("unittest", ()), ("unittest_leakfix", ("--leaks=report",))):
            with self.subTest(module):
                printed = self.run_suite(ASKING + "end, number = %r, %r\n" % (end, number) + FAULTS,
                                      *options, module=module)
                self.assertRegex(printed, r"Ran 3 tests in .*\n\nOK\n")


@full_on(OLDEST, NEWEST)
class Asyncpg(Story, unittest.TestCase):
    driver = "asyncpg"


@full_on(OLDEST, NEWEST)
class Psycopg(Story, unittest.TestCase):
    driver = "psycopg async"


@full_on(OLDEST, NEWEST)
class AioMySQL(Story, unittest.TestCase):
    driver = "aiomysql"
    cleanup = "addCleanup"      # its close() is not a coroutine


if __name__ == "__main__":
    unittest.main()
