"""Tests and objects that are kept, by everything that keeps."""
from __future__ import annotations

import atexit
import unittest

from tests.zoo import shop


class Basket:
    """A class of the tests' own."""


class Ticket:
    """A key that refers to its value."""

    def __init__(self, order):
        self.order = order


def feed(test):
    yield test.id()


class KeptTest(unittest.TestCase):

    def test_in_module_global(self):
        shop.last = self

    def test_in_dict(self):
        shop.by_number[17] = self

    def test_in_list(self):
        shop.orders.append(self)

    def test_in_class_attribute(self):
        shop.Client.connection = self

    def test_in_singleton(self):
        shop.Settings.instance().owner = self

    def test_in_lru_cache(self):
        shop.price(self)

    def test_in_default_argument(self):
        def report(test=self):
            return test.id()
        shop.hooks["report"] = report

    def test_in_closure(self):
        def report():
            return self.id()
        shop.hooks["report"] = report

    def test_in_signal(self):
        shop.post_save.connect(self.on_save)

    def test_in_context_variable(self):
        shop.current_order.set(self)

    def test_in_thread_local(self):
        shop.request.user = self

    def test_in_generator(self):
        shop.feeds.append(feed(self))
        next(shop.feeds[-1])

    def test_in_traceback(self):
        try:
            self.fail("no such order")
        except AssertionError as error:
            shop.last_error = error

    def test_in_call_args(self):
        shop.send(self, subject="Your order")

    def test_in_atexit(self):
        atexit.register(self.on_save, None)

    def on_save(self, order):
        self.saved = order


class KeptObject(unittest.TestCase):

    def test_attribute_in_list(self):
        self.order = heavy()
        shop.orders.append(self.order)

    def test_attribute_in_dict(self):
        self.order = heavy()
        shop.by_number["17"] = self.order

    def test_own_class_in_global(self):
        shop.last = Basket()

    def test_in_weak_map_by_its_key(self):
        self.order = shop.Order(17)
        shop.by_ticket[Ticket(self.order)] = self.order

    def test_in_lru_cache(self):
        self.order = heavy()
        shop.price(self.order)


def heavy():
    """An order that no singleton or pool would explain; a small one of those is silent."""
    order = shop.Order(17)
    order.scan = bytes(2000000)
    return order
