"""Tests whose leaks are known: for ``ignore``, ``leakfix_ignore``, baselines and the like."""
from __future__ import annotations

import os
import sqlite3
import threading
import unittest

from tests.zoo import shop
from tests.zoo.running import wait


class Base(unittest.TestCase):
    leakfix_ignore = ({"environment": "SHOP_*", "reason": "the shop reads it for good"},)


class Ignoring(Base):
    leakfix_ignore = [{"kept_test": "*", "reason": "the last one stays for the post-mortem"}]

    def test_kept(self):
        shop.last = self

    def test_environment(self):
        os.environ["SHOP_DEBUG"] = "1"

    def test_connection(self):
        self.db = sqlite3.connect(":memory:")


class Threads(unittest.TestCase):

    def test_1(self):
        threading.Thread(target=wait, name="mailer-1", daemon=True).start()

    def test_2(self):
        threading.Thread(target=wait, name="mailer-2", daemon=True).start()


class Several(unittest.TestCase):

    def test_two(self):
        self.rows = [str(number) for number in range(1000)]
        shop.last = self

    def test_none(self):
        pass

    def test_fails(self):
        shop.orders.append(self)
        self.fail("no such order")
