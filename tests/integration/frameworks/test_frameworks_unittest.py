"""The mixins on unittest's other classes: FunctionTestCase and IsolatedAsyncioTestCase."""

from __future__ import absolute_import

import sqlite3
import unittest
import weakref

from tests.integration.frameworks.framework_case import TRIES, FrameworkCase
from unittest_leakfix import LeakFixMixin

ASYNC = '''
import asyncio


class Stream(object):
    """Closed by a coroutine only, on the loop it was made on."""

    closed = []

    def __init__(self, name):
        self.loop = asyncio.get_running_loop()
        self.name = name

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc_info):
        await self.aclose()

    async def aclose(self):
        assert asyncio.get_running_loop() is self.loop
        await asyncio.sleep(0)
        Stream.closed.append(self.name)


class Asynchronous(Base):
    async def asyncSetUp(self):
        self.stream = Stream(self.id())

    async def test_passes(self):
        await asyncio.sleep(0)
        self.again = self.test_passes

    async def test_fails(self):
        await asyncio.sleep(0)
        self.fail("asynchronously")

    async def test_skip(self):
        self.skipTest("asynchronously")

    @unittest.expectedFailure
    async def test_expected_failure(self):
        self.fail("expected")


class YProbe(unittest.TestCase):
    def test_closed(self):
        if os.environ["LEAKFIX"] == "yes":
            self.assertEqual(sorted(Stream.closed), [
                "test_sample.Asynchronous." + name for name in (
                    "test_expected_failure", "test_fails", "test_passes", "test_skip")])
'''


@unittest.skipUnless(hasattr(unittest, "IsolatedAsyncioTestCase"),
                     "needs IsolatedAsyncioTestCase (Python 3.8)")
class AsyncTest(FrameworkCase):
    base = "unittest.IsolatedAsyncioTestCase"
    command = ["-m", "unittest", "-v", "test_sample"]

    def test_outcomes(self):
        self.more = FrameworkCase.more.replace(TRIES, "") + ASYNC   # 3.11: it runs once
        self.write("test_sample.py", self.sample())
        self.check()


class Payload(object):
    """Something a test holds."""


class Connection(sqlite3.Connection):
    """Notes that it was closed."""

    def close(self):
        closed.append(self)
        super(Connection, self).close()


payloads = []
closed = []


class FunctionTest(unittest.TestCase):
    def setUp(self):
        del payloads[:], closed[:]
        self.shared = shared = sqlite3.connect(":memory:", factory=Connection)

        class Function(LeakFixMixin, unittest.FunctionTestCase):
            def setUp(self):
                super(Function, self).setUp()
                self.payload = Payload()
                self.db = sqlite3.connect(":memory:", factory=Connection)
                self.too = shared
                payloads.append(weakref.ref(self.payload))

        self.kind = Function

    def run_into(self, function, **options):
        result = unittest.TestResult()
        case = self.kind(function, **options)
        case(result)
        return case, result

    def test_outcomes(self):
        def fails():
            raise AssertionError("of the function")

        def skips():
            raise unittest.SkipTest("of the function")

        down = []
        for function, counts in ((fails, (1, 0)), (skips, (0, 1)), (list, (0, 0))):
            case, result = self.run_into(function, tearDown=lambda: down.append(1))
            self.assertEqual((len(result.failures), len(result.skipped)), counts)
            self.assertEqual(result.errors, [])
            self.assertEqual(sorted(set(vars(case)) & {"payload", "db", "too"}), [])
            self.assertIsNone(payloads[-1]())
            self.assertEqual(self.shared.execute("select 1").fetchone(), (1,))
        self.assertEqual(down, [1, 1, 1])
        self.assertEqual(len(closed), 3)
        self.assertNotIn(self.shared, closed)

    def test_late_access_says_who_dropped_it(self):
        case, _ = self.run_into(list)
        with self.assertRaises(AttributeError) as caught:
            case.payload
        self.assertEqual(str(caught.exception),
                         "'payload' was dropped when Function.runTest finished; keep it "
                         "with leakfix_keep = ('payload',)")


if __name__ == "__main__":
    unittest.main()
