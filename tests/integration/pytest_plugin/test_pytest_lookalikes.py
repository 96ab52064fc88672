"""What the pytest plugin keeps quiet about: it looks like a leak, and is none."""
from __future__ import annotations

import os
import unittest

from tests.integration.pytest_plugin.pytest_case import PytestCase
from tests.support.paths import ROOT


class PluginsHooks(PytestCase):
    """What a plugin does around the phases of a test, and puts back after we look."""

    PLUGIN = """
        import logging, os, sys

        import pytest


        class Handler(logging.Handler):
            def emit(self, record):
                pass


        def around():
            handler = Handler()
            logging.getLogger().addHandler(handler)
            file = open(os.devnull)
            yield
            logging.getLogger().removeHandler(handler)
            file.close()


        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_setup(item):
            yield from around()


        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_call(item):
            yield from around()


        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_teardown(item):
            yield from around()
        """
    TESTS = """
        import logging


        def test_passes():
            pass


        def test_leaks():
            logging.getLogger().addHandler(logging.FileHandler("log"))
        """

    def test_installed_plugin(self):
        self.write(**{"venv__site-packages__jsonplugin": self.PLUGIN, "test_sample": self.TESTS})
        text, _ = self.pytest("--leaks=report", "-p", "jsonplugin", "test_sample.py",
                              PYTHONPATH=os.pathsep.join(
                                  [ROOT, os.path.join(self.folder, "venv", "site-packages")]))
        self.assertEqual(self.causes(text), ["FileHandler was left on logger \"root\""], text)

    def test_users_own_hook_that_puts_nothing_back(self):
        self.write(conftest="""
            import logging


            def pytest_runtest_call(item):
                logging.getLogger("shop").addHandler(logging.FileHandler("log"))
            """, test_sample="def test_passes():\n    pass\n")
        text, _ = self.pytest("--leaks=report", "test_sample.py")
        self.assertEqual(self.causes(text), ["FileHandler was left on logger \"shop\""], text)


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

    def test_what_is_around_modules_says_nothing_again(self):
        # A plugin's timer, too, which runs around a test and all of its fixtures.
        self.write(tests____init__="", tests__test_one="""
            import mimetypes, os, sys

            import pytest

            mimetypes.init()

            def test_environment():
                os.environ["SHOP"] = "1"

            def test_type():
                mimetypes.add_type("shop/order", ".order")

            def test_path():
                sys.path.append("/shop")

            @pytest.mark.limited
            def test_last():
                pass
            """, tests__test_two="""
            import os

            import pytest

            @pytest.fixture(scope="module", autouse=True)
            def region():
                os.environ["REGION"] = "1"

            def test_two():
                pass
            """, conftest="""
            import signal

            import pytest

            def pytest_configure(config):
                config.addinivalue_line("markers", "limited: within its time")

            @pytest.hookimpl(hookwrapper=True)
            def pytest_runtest_protocol(item):
                if not item.get_closest_marker("limited"):
                    yield
                    return
                before = signal.signal(signal.SIGALRM, lambda *args: None)
                signal.setitimer(signal.ITIMER_REAL, 30)
                yield
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
            """)
        text, ended = self.pytest("--leaks=report", "tests")
        self.assertEqual(ended, 0, text)
        self.assertEqual(['environment variable "REGION" was added',
                          'environment variable "SHOP" was added',
                          "mimetypes.types_map was changed", "sys.path was changed"],
                         sorted(self.causes(text)), text)
        # In a test function there is no self, whichever of them it was.
        self.assertNotIn("self.", self.section(text))
        self.assertIn("left by fixture region (tests/test_two.py)", text)

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
