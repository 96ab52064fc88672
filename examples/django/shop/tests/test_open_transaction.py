"""A thread stays inside a transaction until the end: on MySQL the DROP DATABASE waits for it, a day
long."""

import threading

from django.db import transaction
from django.test import TestCase

from shop.models import Order


class OrderTests(TestCase):
    def test_worker(self):
        counted = threading.Event()

        def worker():
            with transaction.atomic():
                Order.objects.count()
                counted.set()
                threading.Event().wait()

        threading.Thread(target=worker, name="worker", daemon=True).start()
        self.assertTrue(counted.wait(10))
