"""What tests change in an application, and leave so."""
from __future__ import annotations

import unittest
from unittest import mock

from tests.zoo import market
from tests.zoo.market import NAMES, Config


class Setting(unittest.TestCase):

    def test_class_attribute(self):
        market.Config.DEBUG = True

    def test_class_imported_by_name(self):
        Config.DEBUG = True

    def test_global(self):
        market.MODE = "test"

    def test_number(self):
        market.RETRIES = 0

    def test_by_the_application(self):
        market.enter("test")

    def test_added(self):
        market.EXTRA = "beta"

    def test_removed(self):
        del market.RETRIES

    def test_none_to_object(self):
        market.current_user = market.User("alice")

    def test_by_setattr(self):
        setattr(market, "MODE", "test")     # noqa: B010

    def test_of_an_object(self):
        market.app.name = "test"


class Replaced(unittest.TestCase):

    def test_method_by_lambda(self):
        market.Config.load = staticmethod(lambda: "fake")

    def test_function_by_mock(self):
        market.now = mock.Mock(return_value=1)

    def test_method_by_function(self):
        def save(self):
            return "not saved"
        market.Config.save = save

    def test_constructor(self):
        market.User.__init__ = lambda self, name: None


class Contained(unittest.TestCase):

    def test_list(self):
        market.PLUGINS.append("extra")

    def test_dict(self):
        market.ROUTES["/x"] = "y"

    def test_value_of_a_key(self):
        market.FLAGS["beta"] = True

    def test_set(self):
        NAMES.add("extra")

    def test_of_a_class(self):
        market.Config.rows.append(1)


class Cached(unittest.TestCase):

    def test_while_a_setting_was_patched(self):
        with mock.patch.object(market, "MODE", "stub"):
            market.mode()
