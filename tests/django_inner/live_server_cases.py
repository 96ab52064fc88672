"""`unittest_leakfix.django.live_server`, on SQLite in a file and in memory."""
from __future__ import annotations

import http.client

from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connections as of_thread
from django.test import LiveServerTestCase, SimpleTestCase, override_settings

from tests.django_inner.urls import SEEN
from unittest_leakfix.django.live_server import LiveServers


@override_settings(MIDDLEWARE=["django.middleware.common.CommonMiddleware"])
class Requests(LiveServerTestCase):
    databases = {"default", "memory"}

    def setUp(self):
        SEEN.clear()
        self.address = self.server_thread.host, self.server_thread.port
        self.client = http.client.HTTPConnection(*self.address, timeout=30)
        self.addCleanup(self.client.close)

    def page(self, alias):
        self.client.request("GET", "/%s/" % alias)
        return self.client.getresponse().read().decode()

    def test_one_client_one_thread_a_connection_each(self):
        self.keeps_connections()
        self.assertEqual([self.page("default") for _ in range(3)], ["opened"] * 3)
        self.assertEqual(len({thread for thread, _ in SEEN}), 1)
        self.assertTrue(SEEN[0][0].is_alive())
        self.client.close()
        SEEN[0][0].join(10)
        self.assertEqual([wrapper.connection for _, wrapper in SEEN], [None] * 3)

    def keeps_connections(self):
        of_thread["default"].settings_dict["CONN_MAX_AGE"] = None
        self.addCleanup(of_thread["default"].settings_dict.update, CONN_MAX_AGE=0)

    def test_three_clients_that_do_not_hang_up(self):
        self.keeps_connections()
        for _ in range(3):
            self.page("default")
            self.client = http.client.HTTPConnection(*self.address, timeout=30)
            self.addCleanup(self.client.close)

    def test_memory_is_shared_and_left(self):
        of_thread["memory"].ensure_connection()
        self.assertEqual([self.page("memory") for _ in range(2)], ["open before"] * 2)
        self.assertEqual({wrapper for _, wrapper in SEEN}, {of_thread["memory"]})
        self.assertIsNotNone(of_thread["memory"].connection)

    def test_the_tests_own_is_left(self):
        of_thread["default"].ensure_connection()
        ours = of_thread["default"].connection
        self.page("default")
        self.assertIs(of_thread["default"].connection, ours)


class Installing(SimpleTestCase):
    def test_put_back(self):
        before = WSGIRequestHandler.handle_one_request
        other = LiveServers()
        other.install()
        other.install()
        self.assertIsNot(WSGIRequestHandler.handle_one_request, before)
        other.remove()
        other.remove()
        self.assertIs(WSGIRequestHandler.handle_one_request, before)
