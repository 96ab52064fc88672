"""A view starts a thread and does not wait for it. It ends, and its connection waits for the
garbage collector."""

import gc
import http.client

from django.test import LiveServerTestCase


class CheckoutTests(LiveServerTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(gc.enable)
        gc.disable()

    def bought(self):
        client = http.client.HTTPConnection(self.server_thread.host, self.server_thread.port,
                                            timeout=30)
        self.addCleanup(client.close)
        client.request("GET", "/checkout/")
        answer = client.getresponse()
        self.assertEqual(answer.status, 200, answer.read())


for number in range(20):
    setattr(CheckoutTests, "test_checkout_%02d" % number, CheckoutTests.bought)
