"""Threads that are over, whose connections wait for the garbage collector: it may not come by for
long."""

import gc
from concurrent.futures import ThreadPoolExecutor

from django.test import TransactionTestCase

from shop.models import Order


class OrderTests(TransactionTestCase):
    """Each test has a thread of its own, and waits until it is over."""


def count_in_a_thread(self):
    with ThreadPoolExecutor(1, thread_name_prefix="counter") as executor:
        self.assertEqual(executor.submit(Order.objects.count).result(), 0)


def setUpModule():
    gc.disable()


def tearDownModule():
    gc.enable()


for number in range(20):
    setattr(OrderTests, "test_count_%02d" % number, count_in_a_thread)
