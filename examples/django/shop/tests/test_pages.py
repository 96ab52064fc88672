"""A live server with CONN_MAX_AGE, and clients that do not hang up: each keeps a thread, and each
thread a connection."""

import http.client
import unittest

from django.db import connection
from django.test import LiveServerTestCase


@unittest.skipUnless(connection.settings_dict["CONN_MAX_AGE"], "set SHOP_CONN_MAX_AGE=60")
class PageTests(LiveServerTestCase):
    clients = []

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        while cls.clients:
            cls.clients.pop().close()

    def shown(self):
        client = http.client.HTTPConnection(self.server_thread.host, self.server_thread.port,
                                            timeout=30)
        self.clients.append(client)
        client.request("GET", "/orders/")
        answer = client.getresponse()
        self.assertEqual((answer.status, answer.read()), (200, b"0 orders"))


for number in range(20):
    setattr(PageTests, "test_orders_%02d" % number, PageTests.shown)
