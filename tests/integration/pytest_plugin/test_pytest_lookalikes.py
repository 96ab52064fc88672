"""What the pytest plugin keeps quiet about: it looks like a leak, and is none."""
from __future__ import annotations

import unittest

from tests.integration.pytest_plugin.pytest_case import PytestCase


class LookAlikes(PytestCase):
    def quiet(self, sample, *expected, mode="report"):
        self.write(test_sample=sample)
        text, ended = self.pytest("--leaks=" + mode, "test_sample.py")
        self.assertEqual([each.replace("FOLDER/", "") for each in self.causes(text)],
                         list(expected), text)
        self.assertEqual(ended, 0, text)

    def test_what_a_wider_fixture_holds_is_of_that_fixture(self):
        # With "fail" objects are judged when the class is over, and the module's fixture is not.
        self.quiet("""
            import pytest


            class Order:
                pass


            @pytest.fixture(scope="module")
            def orders():
                return []


            class TestOrders:
                def test_one(self, orders):
                    orders.append(Order())

                def test_two(self, orders):
                    orders.append(Order())

                def test_three(self, orders):
                    orders.append(Order())


            def test_later(orders):
                assert len(orders) == 3
            """, mode="fail")

    def test_a_database_with_a_relative_path_is_reported_once(self):
        self.quiet("""
            import sqlite3

            KEPT = []


            def test_one():
                KEPT.append(sqlite3.connect("shop.db"))
                KEPT[0].execute("create table t (n)")
            """, "sqlite3 connection to shop.db was left open")


if __name__ == "__main__":
    unittest.main()
