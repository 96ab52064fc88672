"""What setUpClass leaves is the class's; the same cause in many tests is reported once."""
from __future__ import annotations

import sqlite3
import tempfile
import unittest

from tests.zoo import shop


class OfClass(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        tempfile.mkdtemp(prefix="shop-")

    def test_it(self):
        pass


class Heavy(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.rows = [str(number) * 9 for number in range(5000)]
        cls.number = 17

    def test_it(self):
        self.assertEqual(5000, len(self.rows))


class OpenedByClass(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.file = open(__file__)

    def test_it(self):
        self.assertFalse(self.file.closed)


class Growing(unittest.TestCase):
    """Instances of the application's class survive test after test."""

    def setUp(self):
        shop.orders.append(shop.Order(17))

    def test_1(self):
        pass

    def test_2(self):
        pass

    def test_3(self):
        pass

    def test_4(self):
        pass


class Same(unittest.TestCase):
    """One cause, many tests."""

    def setUp(self):
        self.db = sqlite3.connect(":memory:")

    def test_1(self):
        pass

    def test_2(self):
        pass

    def test_3(self):
        pass
