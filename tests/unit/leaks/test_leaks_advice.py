"""Advice in the user's own words: what its code calls things, and where each thing is taken out."""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
import types
import unittest

from unittest_leakfix.leaks import identify
from unittest_leakfix.leaks.model.chain import Chain, Link, Step, Thing
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.model.seen import Resource, Retained
from unittest_leakfix.leaks.report import describe, source_file, user_code
from unittest_leakfix.process_state.base import Change
from unittest_leakfix.tracing.acquisitions import Acquisition
from unittest_leakfix.tracing.stacks import Frame

APPLICATION = '''
    last = None
    orders = []
    handlers = {"order": [], "refund": []}
    by_number = {}
    formats = {"csv": str}
    exporters = [str, int]


    class Client:
        connection = None
        timeout = 30

        def run(self):
            pass


    client = Client()
'''
TESTS = '''
    import os
    import sqlite3
    import tempfile
    import unittest
    from unittest import IsolatedAsyncioTestCase

    import advised_shop as shop
    from advised_shop import orders


    class OrderTests(unittest.TestCase):

        def setUp(self):
            warnings.simplefilter("ignore")

        @classmethod
        def setUpClass(cls):
            cls.db = sqlite3.connect("shop.db")

        def test_named(self):
            self.db = sqlite3.connect("shop.db")

        def test_local(self):
            db = sqlite3.connect("shop.db")
            del db

        def test_nameless(self):
            shop.last = [sqlite3.connect("shop.db")]

        def test_inside_another(self):
            self.session = shop.session()

        def test_nothing_of_it(self):
            shop.session().execute("select 1")

        def test_both(self):
            descriptor, path = tempfile.mkstemp()

        def test_two_in_a_line(self):
            a = open(path); b = open(path)

        async def test_coroutine(self):
            pass
'''


def step(access, link, key="", category="object", name="Order", method="", place=""):
    return Step(access, Thing(category, name, method), place, False, link, key)


def root(name="advised_shop"):
    return step(name, Link.ROOT, category="module", name=name)


class AdviceCase(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        for name, source in (("advised_shop", APPLICATION), ("advised_tests", TESTS)):
            path = os.path.join(folder.name, name + ".py")
            with open(path, "w", encoding="utf-8") as file:
                file.write(textwrap.dedent(source))
            module = types.ModuleType(name)
            module.__file__ = path
            sys.modules[name] = module
            cls.addClassCleanup(sys.modules.pop, name)
            exec(compile(textwrap.dedent(source), path, "exec"), vars(module))
        cls.path = path
        cls.addClassCleanup(source_file.source_of.cache_clear)

    def line(self, text):
        """Return the number of the first line of the tests that has this text."""
        lines = textwrap.dedent(TESTS).splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def opened(self, test, after=1, what="sqlite3 connection", by=None):
        frame = Frame(self.path, self.line("def " + (by or test)) + after, by or test)
        named = "advised_tests.OrderTests." + test
        if by == "setUpClass":
            named = "setUpClass (advised_tests.OrderTests)"
        return Acquisition(what, "", named, "MainThread", (frame,))

    def remedy(self, leak):
        return describe.in_words(leak).remedy

    def resource(self, test, chain=None, **more):
        seen = Resource("sqlite3 connection to shop.db", resource="sqlite3 connection",
                        type="Connection", ends=("close",))
        return self.remedy(Leak("connection", "", ("advised_tests.OrderTests." + test,), 0, chain,
                                acquisition=self.opened(test, **more), seen=seen))

    def kept(self, *steps, name="self.order", test="test_named", kind="object"):
        chain = Chain("", True, (root(), *steps), "module", None)
        return self.remedy(Leak(kind, "", ("advised_tests.OrderTests." + test,), 0, chain,
                                seen=Retained("Order", name)))


class NameTests(AdviceCase):
    """What the statement that opened something calls it."""

    def test_an_attribute(self):
        self.assertEqual(self.resource("test_named"), "self.addCleanup(self.db.close)")

    def test_a_local_variable(self):
        self.assertEqual(self.resource("test_local"), "self.addCleanup(db.close)")

    def test_none_yet(self):
        self.assertEqual(self.resource("test_nameless"),
                         "keep the connection in self.connection, then "
                         "self.addCleanup(self.connection.close)")

    def test_what_has_it_inside(self):
        self.assertEqual(self.resource("test_inside_another"),
                         "self.addCleanup(self.session.close)")

    def test_a_line_that_has_nothing_of_it(self):
        self.assertEqual(self.resource("test_nothing_of_it"),
                         "close what opened it there, in its own way: that line has no name for "
                         "this")

    def test_of_two_statements_in_a_line_nobody_knows_which(self):
        self.assertEqual(self.resource("test_two_in_a_line"),
                         "keep the connection in self.connection, then "
                         "self.addCleanup(self.connection.close)")

    def test_a_fixture_of_the_class_has_the_class_s_clean_up(self):
        self.assertEqual(self.resource("test_named", by="setUpClass"),
                         "cls.addClassCleanup(cls.db.close)")

    def test_a_class_without_the_fixture_has_a_test_s(self):
        leak = Leak("umask", "", ("setUpClass (unittest.TestCase)",))
        self.assertEqual(describe._site(leak).scope.name, "TEST")

    def test_a_pool_wants_its_connection_back(self):
        chain = Chain("", True, (root(), step(".pool", Link.ATTRIBUTE, "pool", name="QueuePool"),
                                 step("._free", Link.ATTRIBUTE, "_free", name="Connection")),
                      "module", None)
        self.assertEqual(self.resource("test_named", chain),
                         "give it back to the QueuePool that keeps it, or close that")

    def test_source_that_cannot_be_read_gives_no_names(self):
        self.assertIsNone(source_file.source_of(os.path.join(os.path.dirname(self.path), "no.py")))
        site = user_code.Site("no.such.Test.test_x", None)
        self.assertEqual((site.names, site.place, site.statement), (None, "", None))

    def test_the_module_of_a_path_is_found_again_and_not_once_it_is_gone(self):
        module = types.ModuleType("test_baskets_of_this")
        module.__file__ = os.path.join(os.sep, "somewhere", "tests", "test_baskets_of_this.py")
        path = "tests/test_baskets_of_this.py"
        self.assertIsNone(user_code._module_of(path))
        sys.modules[module.__name__] = module
        self.addCleanup(sys.modules.pop, module.__name__, None)
        for _ in range(2):
            self.assertIs(module, user_code._module_of(path))
        again = types.ModuleType(module.__name__)
        again.__file__ = os.path.join(os.sep, "elsewhere", "test_baskets_of_this.py")
        sys.modules[module.__name__] = again
        self.assertIsNone(user_code._module_of(path))
        again.__file__ = module.__file__
        sys.modules["another name"] = sys.modules.pop(module.__name__)
        self.addCleanup(sys.modules.pop, "another name")
        self.assertIsNone(user_code._module_of(path))   # there are as many modules as before
        sys.modules[module.__name__] = module
        self.assertIs(again, user_code._module_of(path))


class WayOutTests(AdviceCase):
    """How an object is taken out of what keeps it, by the kind of reference."""

    def test_of_a_set(self):
        self.assertEqual(
            self.kept(step(".seen", Link.ATTRIBUTE, "seen", "container", "set"),
                      step(" member", Link.MEMBER)),
            "self.addCleanup(shop.seen.discard, self.order)")

    def test_of_a_list_by_the_name_that_was_imported(self):
        self.assertEqual(
            self.kept(step(".orders", Link.ATTRIBUTE, "orders", "container", "list"),
                      step("[0]", Link.INDEX, "0")),
            "self.addCleanup(shop.orders.remove, self.order)")

    def test_of_a_list_in_a_dict(self):
        self.assertEqual(
            self.kept(step(".handlers", Link.ATTRIBUTE, "handlers", "container", "dict"),
                      step("['order']", Link.VALUE, "'order'", "container", "list"),
                      step("[0]", Link.INDEX, "0", "bound method", "OrderTests", "on_order"),
                      step(".__self__", Link.OTHER, category="test", name="OrderTests"),
                      name="", kind="kept test"),
            "self.addCleanup(shop.handlers['order'].remove, self.on_order)")

    def test_of_a_dict_that_was_empty(self):
        self.assertEqual(
            self.kept(step(".by_number", Link.ATTRIBUTE, "by_number", "container", "dict"),
                      step("[17]", Link.VALUE, "17")),
            "self.addCleanup(shop.by_number.pop, 17, None)")

    def test_of_a_dict_that_may_have_had_the_key(self):
        self.assertEqual(
            self.kept(step(".formats", Link.ATTRIBUTE, "formats", "container", "dict"),
                      step("['csv']", Link.VALUE, "'csv'")),
            "with mock.patch.dict(shop.formats):  # from unittest import mock")

    def test_of_what_has_no_name_in_the_test(self):
        self.assertEqual(
            self.kept(step(".orders", Link.ATTRIBUTE, "orders", "container", "list"),
                      step("[0]", Link.INDEX, "0", name="OrderLine"),
                      step(".order", Link.ATTRIBUTE, "order")),
            "keep the OrderLine in self.order_line, then "
            "self.addCleanup(shop.orders.remove, self.order_line)")

    def test_of_a_list_in_an_item_that_was_there(self):
        inner = (step(".exporters", Link.ATTRIBUTE, "exporters", "container", "list"),
                 step("[1]", Link.INDEX, "1", name="Exporter"),
                 step(".rows", Link.ATTRIBUTE, "rows", "container", "list"),
                 step("[4]", Link.INDEX, "4"))
        self.assertEqual(self.kept(*inner),
                         "self.addCleanup(shop.exporters[1].rows.remove, self.order)")
        self.assertEqual(self.kept(inner[0]._replace(access=".orders", key="orders"), *inner[1:]),
                         "keep the Exporter in self.exporter, then "
                         "self.addCleanup(shop.orders.remove, self.exporter)")

    def test_of_a_dict_in_an_item_that_was_there(self):
        self.assertEqual(
            self.kept(step(".formats", Link.ATTRIBUTE, "formats", "container", "dict"),
                      step("['csv']", Link.VALUE, "'csv'", name="Format"),
                      step(".by_order", Link.ATTRIBUTE, "by_order", "container", "dict"),
                      step("[17]", Link.VALUE, "17")),
            "self.addCleanup(shop.formats['csv'].by_order.pop, 17, None)")

    def test_an_attribute_of_a_module(self):
        self.assertEqual(self.kept(step(".last", Link.ATTRIBUTE, "last")),
                         'self.addCleanup(setattr, shop, "last", shop.last)  # before the change')

    def test_an_attribute_that_the_module_never_had(self):
        self.assertEqual(self.kept(step(".extra", Link.ATTRIBUTE, "extra")),
                         'self.addCleanup(delattr, shop, "extra")')

    def test_a_method_of_a_class(self):
        self.assertEqual(
            self.kept(step(".Client", Link.ATTRIBUTE, "Client", "class", "Client"),
                      step(".run", Link.ATTRIBUTE, "run", "function", "<lambda>"),
                      step(".__closure__[0]", Link.OTHER)),
            'self.addCleanup(setattr, shop.Client, "run", vars(shop.Client)["run"])'
            "  # before the change")

    def test_an_attribute_of_an_object_that_was_there(self):
        self.assertEqual(
            self.kept(step(".client", Link.ATTRIBUTE, "client", name="Client"),
                      step(".connection", Link.ATTRIBUTE, "connection")),
            'self.addCleanup(delattr, shop.client, "connection")')    # the class's is there again

    def test_an_attribute_of_an_object_that_may_not_have_been_there(self):
        self.assertEqual(
            self.kept(step(".last", Link.ATTRIBUTE, "last", name="Client"),
                      step(".owner", Link.ATTRIBUTE, "owner")),
            "give shop.last.owner its old value back")

    def test_what_no_code_can_undo_has_no_code(self):
        self.assertEqual(self.kept(step(".client", Link.OTHER, "client", name="Client"),
                                   step("[0]", Link.OTHER)), "")

    def test_what_a_library_has_for_itself_is_left_alone(self):
        chain = Chain("", True, (root("threading"),
                                 step("._active", Link.ATTRIBUTE, "_active", "container", "dict"),
                                 step("[1]", Link.VALUE, "1")), "module", None)
        leak = Leak("object", "", ("advised_tests.OrderTests.test_named",), 0, chain,
                    seen=Retained("Order"))
        self.assertEqual(self.remedy(leak), "")

    def test_a_secret_in_it_and_there_is_none(self):
        self.assertEqual(
            self.kept(step(".by_number", Link.ATTRIBUTE, "by_number", "container", "dict"),
                      step("[...]", Link.VALUE, "'mysql://shop:hunter2@db/shop'")), "")


class SetUpTests(AdviceCase):
    """A ``with`` statement would end with the set-up: a clean-up lasts for the test."""

    def filters(self, by):
        change = Change("warning filter", "warnings.filters", added=("ignore",))
        opened = self.opened("test_named", what="warning filter", by=by) if by else None
        return self.remedy(identify.of_change(change, "advised_tests.OrderTests.test_named",
                                              opened))

    def test_in_the_test_itself(self):
        self.assertEqual("with warnings.catch_warnings():  # import warnings",
                         self.filters("test_named"))

    def test_in_the_set_up_or_nobody_knows_where(self):
        for by in ("setUp", None):
            with self.subTest(by):
                self.assertEqual(
                    "self.addCleanup(warnings.filters.__setitem__, slice(None), "
                    "warnings.filters[:])  # before the change; import warnings",
                    self.filters(by))

    def test_in_the_set_up_of_the_class(self):
        self.assertIn("cls.addClassCleanup(warnings.filters", self.filters("setUpClass"))


class HeadlineTests(unittest.TestCase):
    def test_no_address_and_no_made_up_name(self):
        for text, steady in (
                ("unclosed <posix.ScandirIterator object at 0x7fc8d50490d0>",
                 "unclosed posix.ScandirIterator"),
                ("unclosed <asyncio.sslproto._SSLProtocolTransport at 0x7f>",
                 "unclosed asyncio.sslproto._SSLProtocolTransport"),
                ("transport at 0x7f0011223344 was lost", "transport was lost"),
                ("file '/tmp/tmp8xm_qgq1/a.csv' was left open",
                 "file '/tmp/tmp*/a.csv' was left open"),
                ("file '/srv/template/tmp_orders.csv' was left open",
                 "file '/srv/template/tmp_orders.csv' was left open")):
            with self.subTest(text):
                self.assertEqual(describe.steady_words(text), steady)

    def test_no_port_that_the_system_chose(self):
        for text, steady in (
                ("socket 127.0.0.1:45424 -> 127.0.0.1:36085 was left open",
                 "socket 127.0.0.1:* -> 127.0.0.1:* was left open"),
                ("socket listening on [::1]:39217 was left open",
                 "socket listening on [::1]:* was left open"),
                ("server ('127.0.0.1', 40321) was left open",
                 "server ('127.0.0.1', *) was left open"),
                ("socket 10.0.0.2:60780 -> 10.0.0.1:8080 was left open",
                 "socket 10.0.0.2:* -> 10.0.0.1:8080 was left open"),
                ("socket listening on 0.0.0.0:0 was left open", None),
                ("socket listening on 127.0.0.1:32767 was left open", None),
                ("socket /srv/a:45000 was left open", None)):
            with self.subTest(text):
                self.assertEqual(describe.steady_words(text, "socket"), steady or text)
                self.assertEqual(describe.steady_words(text, "connection"), text)
        self.assertEqual("descriptor (socket 127.0.0.1:*) was left open", describe.steady_words(
            "descriptor (socket 127.0.0.1:38977) was left open", "descriptor"))


if __name__ == "__main__":
    unittest.main()
