"""Threads that are over, whose connections wait for the garbage collector: it may not come by for long."""

import gc
import threading

from django.test import TestCase

from shop.models import Order


class OrderTests(TestCase):
    pass


def count_in_a_thread(self):
    thread = threading.Thread(target=Order.objects.count, name="counter")
    thread.start()
    thread.join()


def setUpModule():
    gc.disable()


def tearDownModule():
    gc.enable()


for number in range(25):
    setattr(OrderTests, "test_count_%02d" % number, count_in_a_thread)
