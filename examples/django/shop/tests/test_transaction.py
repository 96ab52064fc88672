"""A thread inside a transaction: the next flush of the tables waits as long as the thread does."""

import threading

from django.db import transaction
from django.test import TransactionTestCase

from shop.models import Order


class OrderTests(TransactionTestCase):
    def test_worker(self):
        created = threading.Event()

        def worker():
            with transaction.atomic():
                Order.objects.create(item="tea")
                created.set()
                threading.Event().wait()

        threading.Thread(target=worker, name="worker", daemon=True).start()
        self.assertTrue(created.wait(10))
