"""A second alias of the same database, used by a test case that is not Django's: nobody closes its
connection."""

import unittest

from django.db import connections
from django.test import TestCase

from shop.models import Order


class OrderTests(TestCase):
    databases = "__all__"

    def test_orders(self):
        self.assertEqual(Order.objects.count(), 0)


@unittest.skipUnless("replica" in connections, "set SHOP_REPLICA to the server's host")
class ReportTests(unittest.TestCase):
    databases = "__all__"   # so that Django makes them for it

    def test_report(self):
        self.assertEqual(Order.objects.using("replica").count(), 0)
