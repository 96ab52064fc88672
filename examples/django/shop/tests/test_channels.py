"""Channels' live server is a process of its own: what its threads opened ends with it."""

import http.client
import unittest

try:
    from channels.testing import ChannelsLiveServerTestCase
except ImportError:
    raise unittest.SkipTest("needs channels and daphne")


class PageTests(ChannelsLiveServerTestCase):
    serve_static = False

    def test_orders(self):
        client = http.client.HTTPConnection(self.live_server_url.partition("//")[2], timeout=30)
        self.addCleanup(client.close)
        for _ in range(3):
            client.request("GET", "/orders/")
            answer = client.getresponse()
            self.assertEqual((answer.status, answer.read()), (200, b"0 orders"))

    def test_audit(self):
        client = http.client.HTTPConnection(self.live_server_url.partition("//")[2], timeout=30)
        self.addCleanup(client.close)
        client.request("GET", "/audit/")
        self.assertEqual(client.getresponse().read(), b"begun")
