"""A view starts threads that go on: nothing can take their connections from them while the tests
run."""

import http.client

from django.test import LiveServerTestCase


class AuditTests(LiveServerTestCase):
    def test_audits(self):
        for _ in range(3):
            client = http.client.HTTPConnection(self.server_thread.host, self.server_thread.port,
                                                timeout=30)
            self.addCleanup(client.close)
            client.request("GET", "/audit/")
            self.assertEqual(client.getresponse().read(), b"begun")
