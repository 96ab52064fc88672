"""Budgets of redis and HTTP connections: the one too many fails, and says who has the others."""
from __future__ import annotations

import asyncio
import http.client
import io
import re
import unittest

from tests.support import private_server
from tests.support.servers_protocols import http_server
from tests.support.servers_redis import redis_server
from unittest_leakfix import LeakFixMixin, LeakFixTestRunner
from unittest_leakfix.databases.connection_limit import ConnectionBudgetError, of_class
from unittest_leakfix.tracing.client_connections import CLIENTS


class Limits(unittest.TestCase):
    def begin(self, **most):
        budget = of_class(type("OrderTests", (), {}), most, self)
        self.addCleanup(budget.end)

    def refused(self, head, line, call, *args):
        """Prove that *call* is refused, with a text that begins with *head* and has *line* in it
        with this test."""
        with self.assertRaises(ConnectionBudgetError) as caught:
            call(*args)
        text = re.sub(r":\d+\b", ":N", str(caught.exception))
        self.assertTrue(text.startswith(head), text)
        self.assertIn(line, text)
        self.assertIn("      for %s" % self.id(), text)
        self.assertIn("test_budget_clients.py:N in ", text)

    def patched(self):
        self.doCleanups()
        for each in CLIENTS.values():
            self.assertEqual(([], None),
                             (each.registry.subscribers, each.registry.before_connect))


class RedisTest(Limits):
    head = ("one redis connection more than the 2 that may be open at the same time "
            "(OrderTests.leakfix_max_connections = {'redis': 2})\nopen now:\n")

    def setUp(self):
        self.redis = private_server.driver("redis")
        self.server = redis_server()

    def test_clients(self):
        clients = []

        def client():
            clients.append(self.redis.Redis(host=self.server.host, port=self.server.port))
            self.addCleanup(clients[-1].close)
            clients[-1].ping()
        self.begin(redis=2)
        client()
        client()
        self.refused(self.head, "  2 x redis connection to 127.0.0.1:N/0\n", client)
        clients[0].connection_pool.disconnect()     # which close() does since redis 5
        client()
        clients[-1].ping()     # over a connection that is there
        self.patched()

    def test_awaited(self):
        from redis import asyncio as aioredis

        async def three():
            clients = [aioredis.Redis(host=self.server.host, port=self.server.port)
                       for _ in range(3)]
            try:
                for each in clients:
                    await each.ping()
            finally:
                for each in clients:
                    await each.connection_pool.disconnect()     # redis 4 has no aclose()
        self.begin(redis=2)
        self.refused(self.head, "  2 x redis connection to 127.0.0.1:N/0\n",
                     lambda: asyncio.run(three()))

    def test_of_a_class(self):
        server, redis = self.server, self.redis

        class CacheTests(LeakFixMixin, unittest.TestCase):
            leakfix_max_connections = {"redis": 1, "http": 0}

            def test_one(self):
                redis.Redis(host=server.host, port=server.port).ping()

            def test_two(self):
                self.clients = [redis.Redis(host=server.host, port=server.port) for _ in "ab"]
                for each in self.clients:
                    each.ping()

            def test_http(self):
                http.client.HTTPConnection(*http_server()).connect()
        for runner in (LeakFixTestRunner(stream=io.StringIO()),
                       unittest.TextTestRunner(stream=io.StringIO())):
            result = runner.run(unittest.defaultTestLoader.loadTestsFromTestCase(CacheTests))
            problems = {test.id().rpartition(".")[2]: text
                        for test, text in result.failures + result.errors}
            self.assertEqual({"test_two", "test_http"}, set(problems), problems)
            self.assertIn("one redis connection more than the 1 ", problems["test_two"])
            self.assertIn("no HTTP connection may be open here (CacheTests."
                          "leakfix_max_connections = {", problems["test_http"])
        self.patched()


class HttpTest(Limits):
    head = ("one HTTP connection more than the 1 that may be open at the same time "
            "(OrderTests.leakfix_max_connections = {'http': 1})\nopen now:\n")

    def setUp(self):
        self.host, self.port = http_server()
        self.url = "http://%s:%d/" % (self.host, self.port)

    def one_each(self, make):
        """Prove that the second of what *make* makes is refused."""
        self.begin(http=1)
        make()
        self.refused(self.head, "  1 x HTTP connection to 127.0.0.1:N\n", make)
        self.patched()

    def test_standard_library(self):
        def make():
            connection = http.client.HTTPConnection(self.host, self.port)
            self.addCleanup(connection.close)
            connection.request("GET", "/")
            connection.getresponse().read()
        self.one_each(make)

    def test_requests(self):
        requests = private_server.driver("requests")

        def make():
            session = requests.Session()
            self.addCleanup(session.close)
            session.get(self.url)
        self.one_each(make)

    def test_httpx(self):
        httpx = private_server.driver("httpx")

        def make():
            client = httpx.Client()
            self.addCleanup(client.close)
            client.get(self.url)
            client.get(self.url)        # over the same one
        self.one_each(make)

    def test_aiohttp(self):
        aiohttp = private_server.driver("aiohttp")

        async def two():
            async with aiohttp.ClientSession() as one, aiohttp.ClientSession() as other:
                for session in (one, one, other):
                    async with session.get(self.url) as response:
                        await response.read()
        self.begin(http=1)
        self.refused(self.head, "  1 x HTTP connection to 127.0.0.1:N\n",
                     lambda: asyncio.run(two()))


class WrongTest(unittest.TestCase):
    def test_what_is_no_limit(self):
        for wrong in ({"redis": "5"}, {"redis": -1}, {"cassandra": 5}, "5", {"http": True}):
            with self.subTest(wrong), self.assertRaises(TypeError) as caught:
                type("Wrong", (LeakFixMixin, unittest.TestCase),
                     {"leakfix_max_connections": wrong})
            self.assertIn("Wrong.leakfix_max_connections = ", str(caught.exception))
