"""A suite that passes, and leaves something behind with nearly every test.

From the folder above `examples`, with and without the report::

    python -m unittest discover -s examples/shop
    python -m unittest_leakfix --leaks=report discover -s examples/shop
"""

from __future__ import absolute_import

import sqlite3
import unittest

from shop import mail, signals


class OrderTests(unittest.TestCase):
    def setUp(self):
        self.db = sqlite3.connect(":memory:")
        self.db.execute("CREATE TABLE orders (number INTEGER, total INTEGER)")

    def test_total(self):
        self.db.execute("INSERT INTO orders VALUES (1, 20), (2, 22)")
        self.assertEqual(self.db.execute("SELECT sum(total) FROM orders").fetchone(), (42,))

    def test_no_orders(self):
        self.assertIsNone(self.db.execute("SELECT sum(total) FROM orders").fetchone()[0])


class CheckoutTests(unittest.TestCase):
    def test_checkout(self):
        self.rows = [(number, "x" * 100) for number in range(20000)]
        signals.post_save.connect(self.on_save)
        signals.post_save.send(7)
        self.assertEqual(self.saved, 7)

    def on_save(self, number):
        self.saved = number


class MailTests(unittest.TestCase):
    def test_send(self):
        mailer = mail.Mailer()
        mailer.start()
        mailer.send("Dear customer")
        mailer.wait()
        self.assertEqual(mailer.sent, ["Dear customer"])


if __name__ == "__main__":
    unittest.main()
