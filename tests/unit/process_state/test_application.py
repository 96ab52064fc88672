"""The state of an application: where it is, what differs, and how it is put back."""
from __future__ import annotations

import os
import sys
import types
import unittest
from unittest import mock

from tests.support.paths import ROOT
from unittest_leakfix.process_state import application, places

NAME = "walked_settings"
SOURCE = '''
import collections, functools
MODE = "prod"
PLUGINS = []
ROUTES = {"/": "index"}
LAST = collections.deque(maxlen=2)
class Config:
    DEBUG = False
    rows = []
    class Inner:
        depth = 1
    @staticmethod
    def load():
        return "real"
Alias = Config
class Session:
    def __init__(self):
        self.user = None
        self.items = []
    def log_out(self):
        self.user = None
session = Session()
@functools.lru_cache(maxsize=None)
def mode():
    return MODE
def collect(item, into=[]):
    into.append(item)
def counter():
    seen = []
    def count(item):
        seen.append(item)
    return count
count = counter()
'''


class ApplicationCase(unittest.TestCase):

    restores = False

    def setUp(self):
        file = os.path.join(ROOT, NAME + ".py")
        self.module = types.ModuleType(NAME)
        self.module.__file__ = file
        exec(compile(SOURCE, file, "exec"), vars(self.module))
        found = [(NAME, self.module, True)]
        for patch in (mock.patch.dict(sys.modules, {NAME: self.module}),
                      mock.patch.object(places, "modules", lambda: found)):
            patch.start()
            self.addCleanup(patch.stop)
        self.modules = application.Modules(True, self.restores)
        self.modules.take()

    def differences(self):
        return {each.place.expression[len(NAME) + 1:]: each for each in self.modules.look()}

    def only(self):
        (name, difference), = self.differences().items()
        return name, difference


class DifferenceTests(ApplicationCase):

    def test_nothing(self):
        self.assertEqual({}, self.differences())

    def test_global(self):
        self.module.MODE = "test"
        name, found = self.only()
        self.assertEqual(("MODE", "changed", "prod", "test", "'test'"),
                         (name, found.how, found.before, found.after, found.literal))
        self.assertEqual({}, self.differences())    # the base is taken anew

    def test_the_last_global(self):
        self.module.zzz = 1
        self.assertEqual(("zzz", "added"), (self.only()[0], "added"))

    def test_equal_value(self):
        self.module.MODE = "".join(["pr", "od"])
        self.assertEqual({}, self.differences())

    def test_removed(self):
        del self.module.MODE
        self.assertEqual(("removed", ""), (self.only()[1].how, ""))

    def test_class_attribute(self):
        self.module.Config.DEBUG = True
        self.assertEqual("Config.DEBUG", self.only()[0])    # and not Alias.DEBUG

    def test_nested_class(self):
        self.module.Config.Inner.depth = 2
        self.assertEqual("Config.Inner.depth", self.only()[0])

    def test_attribute_of_an_object(self):
        self.module.session.user = "alice"
        self.assertEqual("session.user", self.only()[0])

    def test_what_the_class_has_for_an_object_anyway(self):
        self.module.session.log_out = self.module.session.log_out   # as a clean-up leaves it
        self.assertEqual({}, self.differences())
        self.module.session.log_out = self.module.mode
        self.assertEqual("session.log_out", self.only()[0])

    def test_another_object_in_its_place(self):
        self.module.session = self.module.Session()
        self.assertEqual("session", self.only()[0])     # none of its attributes besides

    def test_sorts(self):
        for value, sort in ((mock.Mock(), "mock"), (lambda: 0, "lambda"), (dict, "class"),
                            (None, "none"), (0, "empty"), ([], "empty"), ([1], "container"),
                            (staticmethod(lambda: 0), "lambda"), (sys, "module")):
            with self.subTest(sort):
                self.module.MODE = "prod"
                self.modules.take()
                self.module.MODE = value
                self.assertEqual(sort, self.only()[1].new)

    def test_containers(self):
        for name, change in (
                ("PLUGINS", lambda: self.module.PLUGINS.append(1)),
                ("LAST", lambda: self.module.LAST.append(1)),
                ("Config.rows", lambda: self.module.Config.rows.append(1)),
                ("session.items", lambda: self.module.session.items.append(1)),
                ("mode", self.module.mode),
                ("collect.__defaults__[0]", lambda: self.module.collect(1)),
                ("count.__closure__[0].cell_contents", lambda: self.module.count(1))):
            with self.subTest(name):
                change()
                found, difference = self.only()
                self.assertEqual((name, "filled", 1), (found, difference.how, difference.items))

    def test_value_of_a_key(self):
        self.module.ROUTES["/"] = "other"
        name, found = self.only()
        self.assertEqual(("ROUTES['/']", "index", "other"), (name, found.before, found.after))

    def test_item_in_the_place_of_another(self):
        self.module.ROUTES.clear()
        self.module.ROUTES["/x"] = "other"
        self.assertEqual("changed items", self.only()[1].how)

    def test_nothing_is_kept_alive(self):
        import weakref
        gone = weakref.ref(self.module.session)
        self.module.session = None
        self.assertIsNone(gone())

    def test_nothing_of_theirs_runs(self):
        class Hostile:
            def __getattribute__(self, name):
                raise AssertionError(name)
            __eq__ = __hash__ = __len__ = __iter__ = __bool__ = __getattribute__

        class Container(list):
            __eq__ = __len__ = __iter__ = Hostile.__getattribute__
        self.module.hostile = Hostile()
        self.module.container = Container()
        self.modules.take()
        self.module.hostile, self.module.container = Hostile(), Container()
        self.assertEqual({"hostile", "container"}, set(self.differences()))


class PutBackTests(ApplicationCase):

    restores = True

    def test_all_of_it(self):
        module = self.module
        load, plugins = vars(module.Config)["load"], module.PLUGINS
        module.MODE = module.EXTRA = "test"
        module.Config.DEBUG = True
        module.Config.load = staticmethod(lambda: "fake")
        del module.Config.rows
        module.PLUGINS.append(1)
        module.ROUTES["/"] = module.ROUTES["/x"] = "y"
        module.session.user = "alice"
        module.session.items.append(1)
        module.LAST.append(1)
        module.mode()
        module.collect(1)
        done = application.put_back(self.modules.look())
        self.assertEqual(12, len(done), [each.place.expression for each in done])
        self.assertEqual(("prod", False, "real", [], [], {"/": "index"}, None, [], 0),
                         (module.MODE, module.Config.DEBUG, module.Config.load(),
                          module.Config.rows, module.PLUGINS, module.ROUTES, module.session.user,
                          module.session.items, module.mode.cache_info().currsize))
        self.assertEqual(([], 0), (module.collect.__defaults__[0], len(module.LAST)))
        self.assertFalse(hasattr(module, "EXTRA"))
        self.assertIs(load, vars(module.Config)["load"])
        self.assertIs(plugins, module.PLUGINS)

    def test_cache_that_had_results_stays(self):
        self.module.mode()
        self.modules.take()
        self.module.mode.cache_clear()
        self.module.mode()
        self.assertEqual([], application.put_back(self.modules.look()))

    def test_long_containers_are_not_copied(self):
        self.module.PLUGINS[:] = range(10001)
        self.modules.take()
        self.module.PLUGINS.append(1)
        self.assertEqual([], application.put_back(self.modules.look()))


class ModuleTests(unittest.TestCase):
    """Which modules are watched."""

    def test_whose(self):
        self.assertIs(True, places.watched(__name__, sys.modules[__name__]))
        self.assertIsNone(places.watched("unittest", unittest))
        self.assertIsNone(places.watched("unittest_leakfix.cases",
                                         sys.modules["unittest_leakfix.process_state.places"]))
        installed = types.ModuleType("thirdlib")
        installed.__file__ = os.path.join(os.sep, "x", "site-packages", "thirdlib.py")
        self.assertIs(False, places.watched("thirdlib", installed))

    def test_what_a_test_module_imports_is_of_where_it_comes_from(self):
        made = []
        for name in ("test_shop", "shop_lib"):
            module = types.ModuleType(name)
            module.__file__ = os.path.join(ROOT, name + ".py")
            made.append((name, module, True))
        made[0][1].ROWS = made[1][1].ROWS = []
        with mock.patch.dict(sys.modules, {name: module for name, module, _ in made}), \
                mock.patch.object(places, "modules", lambda: made):
            modules = application.Modules(True)
            modules.take()
            made[0][1].ROWS.append(1)
            self.assertEqual(["shop_lib.ROWS"],
                             [each.place.expression for each in modules.look()])


if __name__ == "__main__":
    unittest.main()
