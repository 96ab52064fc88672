"""A thread in the middle of a long query, and one that connects again as soon as its connection is
taken away."""

import threading

from django.db import DatabaseError, InterfaceError, connections
from django.test import TestCase

from shop.models import Order


class OrderTests(TestCase):
    def begin(self, name, work):
        begun = threading.Event()
        threading.Thread(target=work, args=(begun,), name=name, daemon=True).start()
        self.assertTrue(begun.wait(10))

    def test_long_query(self):
        def query(begun):
            with connections["default"].cursor() as cursor:
                begun.set()
                try:
                    cursor.execute("SELECT PG_SLEEP(60)" if cursor.db.vendor == "postgresql"
                                   else "SELECT SLEEP(60)")
                except DatabaseError:
                    threading.Event().wait()

        self.begin("long-query", query)

    def test_comes_again(self):
        def come_again(begun):
            while True:
                try:
                    Order.objects.count()
                    begun.set()
                except (DatabaseError, InterfaceError):
                    connections.close_all()

        self.begin("come-again", come_again)
