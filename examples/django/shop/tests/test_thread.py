"""A thread that still runs when the tests are over holds a connection to the test database."""

import threading

from django.test import TestCase

from shop.models import Order


class OrderTests(TestCase):
    def test_worker(self):
        counted = threading.Event()

        def worker():
            Order.objects.count()
            counted.set()
            threading.Event().wait()

        threading.Thread(target=worker, name="worker", daemon=True).start()
        self.assertTrue(counted.wait(10))
