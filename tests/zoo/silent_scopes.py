"""Look-alikes with fixtures: what a class or module opens is its own until it is torn down."""
from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import unittest
from unittest import mock

from tests.zoo import shop

folder = None
database = None


def setUpModule():
    global folder, database
    folder = tempfile.mkdtemp()
    database = sqlite3.connect(os.path.join(folder, "shop.db"))
    os.environ["SHOP_DB"] = folder


def tearDownModule():
    database.close()
    os.remove(os.path.join(folder, "shop.db"))
    os.rmdir(folder)
    del os.environ["SHOP_DB"]


class OfModule(unittest.TestCase):

    def test_uses_it(self):
        self.db = database
        self.db.execute("create table if not exists orders (number)")


class OfClass(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.db = sqlite3.connect(":memory:")
        cls.file = open(__file__)
        cls.patcher = mock.patch("tests.zoo.shop.price")
        cls.patcher.start()
        cls.end = threading.Event()
        cls.thread = threading.Thread(target=cls.end.wait)
        cls.thread.start()
        cls.registered = []

    @classmethod
    def tearDownClass(cls):
        cls.end.set()
        cls.thread.join()
        cls.patcher.stop()
        cls.file.close()
        cls.db.close()
        cls.registered.clear()

    def test_uses_it(self):
        self.cursor = self.db.cursor()

    def test_registers_for_the_class(self):
        self.order = shop.Order(17)
        self.registered.append(self.order)

    def test_opens_for_the_class(self):
        type(self).second = open(__file__)
        self.addClassCleanup(self.second.close)
