"""Tests that fail with a connection of their own in the hand: the result keeps each test, and so
each connection."""

from django.db import connections
from django.test import TransactionTestCase


class OrderTests(TransactionTestCase):
    def setUp(self):
        self.reports = connections["default"].copy()

    def fails(self):
        with self.reports.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM shop_order")
        self.fail("the report is not written yet")


for number in range(20):
    setattr(OrderTests, "test_report_%02d" % number, OrderTests.fails)
