"""`unittest_leakfix.django.clean_up` and `aliases`: what a person is shown, without a server."""
from __future__ import annotations

from types import SimpleNamespace
from unittest import mock

from django.db import OperationalError
from django.db.utils import ConnectionHandler
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from unittest_leakfix.django import blocked_flush, clean_up
from unittest_leakfix.django import databases as aliases
from unittest_leakfix.django.clean_up import created

SECRET = "kirschkern"


def wrapper(vendor, name="test_shop", error=None):
    """What `setup_databases` names: a wrapper, as far as it is asked."""
    return SimpleNamespace(
        vendor=vendor, alias="default",
        settings_dict={"NAME": name, "PASSWORD": SECRET, "OPTIONS": {}},
        creation=SimpleNamespace(
            get_test_db_clone_settings=lambda suffix: {"NAME": "%s_%s" % (name, suffix)}),
        _nodb_cursor=mock.Mock(side_effect=error))


class BeforeDestroy(SimpleTestCase):
    def test_nothing(self):
        self.assertEqual(clean_up.before_destroy([]), "")

    def test_sqlite(self):
        self.assertEqual(clean_up.before_destroy([(wrapper("sqlite"), "shop", True)]), "")

    def test_another_make(self):
        self.assertEqual(
            clean_up.before_destroy([(wrapper("oracle"), "shop", True)]),
            "unittest_leakfix: the sessions on \"test_shop\" cannot be listed: 'default' is "
            "on oracle, neither PostgreSQL nor MySQL")

    def test_a_server_that_is_gone(self):
        error = OperationalError("connection failed: no route to host for password %s" % SECRET)
        self.assertEqual(
            clean_up.before_destroy([(wrapper("postgresql", error=error), "shop", True)]),
            "unittest_leakfix: the sessions on \"test_shop\" cannot be listed: OperationalError: "
            "connection failed: no route to host for password ***")

    def test_not_ours_to_destroy(self):
        wanted = wrapper("postgresql")
        self.assertEqual(clean_up.before_destroy([(wanted, "shop", False)]), "")
        self.assertEqual(clean_up.before_destroy([(wanted, "shop", True)], keepdb=True), "")
        wanted._nodb_cursor.assert_not_called()

    def test_created(self):
        config = [(wrapper("postgresql"), "shop", True), (wrapper("postgresql"), "shop", False),
                  (wrapper("mysql", " "), "shop", True)]
        self.assertEqual([each.name for each in created(config, parallel=2)],
                         ["test_shop_1", "test_shop_2", "test_shop", " _1", " _2"])
        self.assertEqual([each.name for each in created(config)], ["test_shop"])


class Aliases(SimpleTestCase):
    def reported(self, used=None, **databases):
        engine = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}
        handler = ConnectionHandler(
            {alias: dict(engine, **more) for alias, more in databases.items()})
        with mock.patch.object(aliases, "django_connections", handler):
            return [line.partition("DATABASES")[2] for line in aliases.unmirrored(used)]

    def test_the_same_to_the_letter(self):
        self.assertEqual(self.reported(default={}, other={}),
                         ['[\'other\']["TEST"] = {"MIRROR": \'default\'}'])

    def test_two_names_of_one_host(self):
        self.assertEqual(self.reported(default={"HOST": "127.0.0.1"},
                                   a={"HOST": "localhost", "PORT": "5432"}, b={"HOST": ""}),
                         ['[\'a\']["TEST"] = {"MIRROR": \'default\'}',
                          '[\'b\']["TEST"] = {"MIRROR": \'default\'}'])

    def test_default_comes_first(self):
        self.assertEqual(self.reported(a={}, default={}),
                         ['[\'a\']["TEST"] = {"MIRROR": \'default\'}'])

    def test_others(self):
        self.assertEqual(self.reported(
            default={"HOST": "localhost"}, port={"PORT": "5433"}, host={"HOST": "db.example"},
            name={"NAME": "other"},
            test={"TEST": {"NAME": "another"}}, mirror={"TEST": {"MIRROR": "default"}},
            mysql={"ENGINE": "django.db.backends.sqlite3"}), [])

    def test_not_used(self):
        self.assertEqual(self.reported(used={"default"}, default={}, other={}), [])


class Settings(SimpleTestCase):
    def test_may_terminate(self):
        from unittest_leakfix.django.clean_up import may_terminate
        self.assertTrue(may_terminate())
        for no in False, 0:
            with override_settings(LEAKFIX_TERMINATE_SESSIONS=no):
                self.assertFalse(may_terminate())

    def test_patience(self):
        before = TransactionTestCase._fixture_teardown
        for patience, reported in ((0.5, []), (3, []), ("long", ["'long'"]), (-1, ["-1"]),
                               (None, ["None"])):
            noticed, other = [], blocked_flush.BlockedFlushes()
            with override_settings(LEAKFIX_PATIENCE=patience):
                other.install(noticed.append)
                self.assertEqual(blocked_flush.seconds(), 10 if reported else patience)
            self.assertIsNot(TransactionTestCase._fixture_teardown, before)
            other.remove()
            self.assertIs(TransactionTestCase._fixture_teardown, before)
            self.assertEqual(
                noticed, ["unittest_leakfix: LEAKFIX_PATIENCE = %s is not a number of seconds "
                        "above 0: 10 is used" % each for each in reported])
