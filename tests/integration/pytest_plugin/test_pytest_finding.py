"""What the pytest plugin finds: in functions, classes and fixtures of every scope."""
from __future__ import annotations

import re
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
        self.assertIn("left by fixture setting (test_sample.py)   test_sample.py:33\n", text)
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


DROPPED = """
    import asyncio
    import socket
    import tempfile
    import unittest
    import warnings


    class Dropped(unittest.TestCase):
        def test_file(self):
            open(__file__).read()

        def test_socket(self):
            socket.socket().settimeout(3)

        def test_folder(self):
            tempfile.TemporaryDirectory(prefix="shop-")

        def test_loop(self):
            asyncio.new_event_loop()

        def test_expected(self):
            with self.assertWarns(ResourceWarning):
                open(__file__).read()

        def test_ignored_by_the_test(self):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                open(__file__).read()


    def test_function():
        open(__file__).read()
"""


class DroppedTests(PytestCase):
    """What is dropped unclosed is reported without any -W, and shown to no one else."""

    def test_without_an_option_for_warnings(self):
        self.write(test_sample=DROPPED)
        text, status = self.pytest("--leaks=report", "test_sample.py")
        self.assertEqual(status, 0, text)
        self.assertEqual(sorted({re.sub(r"'[^']*'", "''", each) for each in self.causes(text)}), [
            "event loop was dropped without being closed",
            "file '' was dropped without being closed",
            "socket was dropped without being closed",
            "temporary folder '' was dropped without being closed"], text)
        self.assertNotIn("test_expected", text)
        self.assertNotIn("test_ignored_by_the_test", text)
        self.assertNotIn("warnings summary", text)
        self.assertNotIn("warnings filter", text)

    def test_an_option_for_warnings_still_holds(self):
        self.write(test_sample=DROPPED)
        text, status = self.pytest("--leaks=report", "-W", "default::ResourceWarning",
                                   "test_sample.py")
        self.assertIn("warnings summary", text)
        self.assertIn("file 'test_sample.py' was dropped without being closed", text)


class StateOfScopesTests(PytestCase):
    """What fixtures of a class or module change in the application, and do not put back."""

    def test_is_the_fixtures(self):
        self.write(shop="MODE = 'prod'\nHOOKS = []\n", test_shop="""
            import pytest
            import shop

            @pytest.fixture(scope="module")
            def mode():
                shop.MODE = "test"

            @pytest.fixture(scope="module")
            def put_back():
                shop.HOOKS.append(3)
                yield
                shop.HOOKS.remove(3)

            class TestShop:
                @classmethod
                def setup_class(cls):
                    shop.HOOKS.append(2)

                def test_order(self, mode, put_back):
                    pass

            def test_other(mode):
                pass
            """)
        output, _ = self.pytest("--leaks=report", "test_shop.py")
        self.assertIn("2 causes in 2 fixtures", output)
        self.assertRegex(output, "shop.MODE was changed .*1 fixture\n"
                                 "    changed by fixture mode .*test_shop.py:6\n")
        self.assertRegex(output, "shop.HOOKS has gained 1 item .*1 fixture\n"
                                 "    changed by .*TestShop::setup_class .*test_shop.py:17\n")


if __name__ == "__main__":
    unittest.main()
