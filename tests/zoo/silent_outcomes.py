"""Tests that do not pass: their leaks are not reported. The report is empty, the result is not."""
from __future__ import annotations

import os
import sqlite3
import unittest

from tests.zoo import shop


class Outcomes(unittest.TestCase):

    def test_fails(self):
        self.db = sqlite3.connect(":memory:")
        shop.last = self
        self.fail("no such order")

    def test_raises(self):
        os.environ["SHOP_DEBUG"] = "1"
        raise ValueError("no such order")

    @unittest.skip("no shop")
    def test_skipped(self):
        shop.last = self

    @unittest.expectedFailure
    def test_expected_failure(self):
        self.order = shop.Order(17)
        self.fail("known")

    def test_subtest(self):
        for number in range(3):
            with self.subTest(number=number):
                self.order = shop.Order(number)
