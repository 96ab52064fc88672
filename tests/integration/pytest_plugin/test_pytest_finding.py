"""What the pytest plugin finds: in functions, classes and fixtures of every scope."""
from __future__ import annotations

import unittest

from tests.integration.pytest_plugin.pytest_case import PytestCase

SAMPLE = '''
    import os
    import sqlite3
    import unittest

    import pytest

    KEPT = []


    class Order:
        pass


    @pytest.fixture
    def order():
        order = Order()
        KEPT.append(order)
        return order


    @pytest.fixture
    def database():
        return sqlite3.connect("shop.db")


    @pytest.fixture(scope="module")
    def registry():
        return sqlite3.connect("registry.db")


    @pytest.fixture(scope="module", autouse=True)
    def setting():
        os.environ["SHOP_SETTING"] = "1"


    def test_order(order):
        pass


    def test_database(database, registry):
        database.execute("select 1")
        registry.execute("select 1")


    @pytest.mark.parametrize("size", [1, "größe"])
    def test_file(size):
        KEPT.append(open(__file__))


    class TestPlain:
        def test_kept(self):
            KEPT.append(self)

        def test_own(self):
            self.file = open(__file__)


    class OrderTests(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.catalogue = sqlite3.connect("catalogue.db")

        def setUp(self):
            self.db = sqlite3.connect("orders.db")

        def test_one(self):
            pass

        def test_two(self):
            os.environ["SHOP_URL"] = "http://localhost"
'''


class FindingTests(PytestCase):

    def test_everything(self):
        self.write(test_sample=SAMPLE)
        text, status = self.pytest("--leaks=report")
        self.assertEqual(0, status, text)
        self.assertEqual([
            "Order was kept after test_sample.py::test_order (its fixture order)",
            'environment variable "SHOP_SETTING" was added',
            'environment variable "SHOP_URL" was added',
            "file 'test_sample.py' was left open",
            "file 'test_sample.py' was left open",
            "sqlite3 connection to catalogue.db was left open",
            "sqlite3 connection to orders.db was left open",
            "sqlite3 connection to registry.db was left open",
            "sqlite3 connection to shop.db was left open",
            "test_sample.py::TestPlain::test_kept was kept after it finished"],
            sorted(self.causes(text)))
        self.assertIn("left by fixture setting (test_sample.py)\n", text)
        self.assertIn("in your code: registry.close(), after the fixture's yield\n", text)
        self.assertIn("in your code: cls.addClassCleanup(cls.catalogue.close)\n", text)

    def test_off_is_nothing(self):
        self.write(test_sample=SAMPLE)
        text, status = self.pytest()
        self.assertEqual(0, status, text)
        self.assertEqual("", self.section(text))

    def test_ini(self):
        self.write(test_sample=SAMPLE, ini="[pytest]\nleakfix = report\n")
        text, _ = self.pytest()
        self.assertEqual(10, len(self.causes(text)))
        text, _ = self.pytest("--leaks=off")
        self.assertEqual("", self.section(text))


if __name__ == "__main__":
    unittest.main()
