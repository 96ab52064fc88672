"""The chain of references: what it prefers, what it leaves alone, and where it ends."""
import collections
import ctypes
import enum
import functools
import gc
import linecache
import os
import re
import subprocess
import sys
import tempfile
import threading
import types
import unittest
import warnings
import weakref
from unittest import mock

if sys.version_info < (3, 8):
    raise unittest.SkipTest("finding needs Python 3.8")

from tests.support.paths import ROOT
from unittest_leakfix._core import code_origin
from unittest_leakfix.leaks.model.chain import Link, Thing
from unittest_leakfix.leaks.report.reference_chain import thing_text
from unittest_leakfix.leaks.retention import edges as naming
from unittest_leakfix.leaks.retention import objects, paths, search


class T:
    pass


def module(case, name="zoo", **names):
    """A real module for one test."""
    made = sys.modules[name] = types.ModuleType(name)
    vars(made).update(names)
    case.addCleanup(sys.modules.pop, name, None)
    case.addCleanup(vars(made).clear)
    return made


def make(space, hold):
    """Makes a target in a frame that is over on return."""
    target = T()
    hold(space, target)
    return weakref.ref(target)


class PlaceTest(unittest.TestCase):
    def test_a_place_is_as_from_the_folder_of_the_start_wherever_a_test_went(self):
        before = objects.place(make), objects.place(self)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(tempfile.gettempdir())
        self.assertEqual((objects.place(make), objects.place(self)), before)
        os.chdir(os.path.dirname(__file__))
        self.assertEqual(objects.place(make).rpartition(":")[0], code_origin.short(__file__))


class PreferenceTest(unittest.TestCase):
    def test_the_example_of_the_design(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.mkdir(os.path.join(folder.name, "shop"))
        files = {"__init__.py": "",
                 "signals.py": "class Signal:\n    def __init__(self):\n        self.receivers = "
                               "[]\n"
                 "post_save = Signal()\n",
                 "tests.py": "import unittest\nclass OrderTests(unittest.TestCase):\n"
                 "    def on_save(self): pass\n    def test_checkout(self): pass\n"}
        for name, text in files.items():
            with open(os.path.join(folder.name, "shop", name), "w") as file:
                file.write(text)
        # Places are written as from the folder where the run was started.
        start = mock.patch.object(code_origin, "START", folder.name + os.sep)
        start.start()
        self.addCleanup(start.stop)
        sys.path.insert(0, folder.name)
        self.addCleanup(sys.path.remove, folder.name)
        import shop.signals
        import shop.tests
        for name in ("shop", "shop.signals", "shop.tests"):
            self.addCleanup(sys.modules.pop, name)
        test = shop.tests.OrderTests("test_checkout")
        shop.signals.post_save.receivers.extend([test.on_save, len, 1])
        found = search.chains([test], ignore=[sys._getframe()])[0]
        expression = "shop.signals.post_save.receivers[0].__self__"
        place = os.path.join("shop", "tests.py")
        self.assertEqual(found, search.Chain(expression, True, (
            search.Step("shop.signals", Thing("module", "shop.signals"), "", False, Link.ROOT),
            search.Step(".post_save", Thing("object", "Signal"), "", False, Link.ATTRIBUTE,
                        "post_save"),
            search.Step(".receivers", Thing("container", "list", length=3), "", True,
                        Link.ATTRIBUTE, "receivers"),
            search.Step("[0]", Thing("bound method", "OrderTests", "on_save"), place + ":3", False,
                        Link.INDEX, "0"),
            search.Step(".__self__", Thing("test", "OrderTests", "test_checkout"), place + ":4",
                        False, Link.OTHER, "__self__")), "module", None))
        self.assertIs(eval(expression), test)
        bound = shop.signals.post_save.receivers[0]
        born = search.chains([test], ignore=[sys._getframe()], born={id(bound), id(test)})[0]
        self.assertEqual([step.access for step in born.steps if step.suspect], [".receivers"])
        del bound

    def test_a_users_module_before_the_library(self):
        target = T()
        module(self, x=target)
        sys.zoo_y = target
        self.addCleanup(delattr, sys, "zoo_y")
        self.assertEqual(search.chains([target])[0].expression, "zoo.x")

    def test_the_nearest_root(self):
        target = T()
        module(self, x=[[[target]]], y=[target])
        self.assertEqual(search.chains([target])[0].expression, "zoo.y[0]")

    def test_an_instances_dict_is_no_level(self):
        target = T()
        module(self, x=T(), y=[[[[target]]]])
        x = sys.modules["zoo"].x
        x.a = T()
        x.a.b = T()
        x.a.b.t = target
        del x
        self.assertEqual(search.chains([target])[0].expression, "zoo.x.a.b.t")

    def test_a_module_that_no_dotted_name_leads_to(self):
        target = T()
        module(self, name="zoo.deep-er", x=target)
        self.assertEqual(search.chains([target])[0].expression, "sys.modules['zoo.deep-er'].x")

    def test_a_caller_is_the_last_to_be_named(self):
        target = T()
        found = search.chains([target])[0]
        self.assertEqual((found.root, found.evaluates), ("frame", False))
        self.assertEqual(found.expression,
                         "<frame of test_a_caller_is_the_last_to_be_named()>.f_locals['target']")

    def test_main(self):
        program = ("import sys; sys.path.insert(0, %r); from unittest_leakfix.leaks.retention "
                   "import search as holders\n"
                   "class T: pass\nx = [T()]\nprint(holders.chains([x[0]])[0])"
                   % ROOT)
        out = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE,
                             universal_newlines=True)
        self.assertIn("expression='__main__.x[0]', evaluates=True", out.stdout)

    def test_a_module_and_its_class(self):
        made = module(self)
        exec("class K: pass", vars(made))
        found = search.chains([made])[0]
        self.assertEqual((found.expression, found.warm_up), ("sys.modules['zoo']", "sys.modules"))
        self.assertEqual(search.chains([made.K])[0].expression, "zoo.K")

    def test_other_leaks_are_leaves(self):
        target, other = T(), T()
        other.t = target
        zoo = module(self, x=other)
        here = [sys._getframe()]
        found = search.chains([target], others=[id(other), id(target)], ignore=here)[0]
        self.assertEqual((found.root, found.expression), ("leak", "<another leak>.t"))
        zoo.y = [[[target]]]
        self.assertEqual(search.chains([target], others=[id(other)], ignore=here)[0].expression,
                         "zoo.y[0][0][0]")


class EndTest(unittest.TestCase):
    def held_by_nothing(self):
        target = T()
        target.me = [target]
        return search.chains([target], ignore=[sys._getframe()])[0]

    def test_nothing_holds_it(self):
        self.assertIsNone(self.held_by_nothing())
        target = T()
        self.assertIsNone(search.chains([target], ignore=[sys._getframe()])[0])
        self.assertEqual(search.chains([target], ignore=[sys._getframe()]), [None])

    def test_where_counts_are_not_exact_no_c_code_is_blamed(self):
        target, held = T(), []
        held.append(target)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))
        try:
            with mock.patch.object(paths, "EXACT", False):
                found = search.chains([target], ignore=[sys._getframe()])[0]
        finally:
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(held))
        self.assertIsNone(found)

    @unittest.skipUnless(paths.EXACT, "a free-threaded build does not count all references")
    def test_c_code_holds_it(self):
        target, held = T(), []
        held.append(target)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))
        try:
            found = search.chains([target], ignore=[sys._getframe()])[0]
        finally:
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(held))
        self.assertEqual(found.root, "unknown")
        self.assertEqual(
            [thing_text(step.what) for step in found.steps],
            ["C code (1 reference out of the collector's sight)", "list (1 item)", "T"],
        )
        self.assertFalse(found.evaluates)

    def test_too_far_away(self):
        target = link = T()
        for _ in range(20):
            link = [link]
        module(self, x=link)
        del link
        found = search.chains([target], ignore=[sys._getframe()], limit=5)[0]
        self.assertEqual((found.root, thing_text(found.steps[0].what)),
                         ("unknown", "gave up after 5 levels"))
        self.assertEqual(search.chains([target])[0].expression, "zoo.x" + "[0]" * 20)

    def test_a_heap_of_a_million(self):
        calls = []

        def counted(*args):
            calls.append(len(args))
            return gc.get_referrers(*args)

        target = T()
        heap = [[number, []] for number in range(500000)]
        registry = T()
        registry.items = [1, target]
        module(self, heap=heap, registry=registry)
        search.Walk.get_referrers = staticmethod(counted)
        self.addCleanup(setattr, search.Walk, "get_referrers", staticmethod(gc.get_referrers))
        self.assertEqual(search.chains([target])[0].expression, "zoo.registry.items[1]")
        self.assertLessEqual(len(calls), 6)
        for entry in heap:
            entry[1] = target
        del calls[:]
        registry.items.remove(target)
        named, edge = [], naming.edge
        naming.edge = lambda *args: named.append(1) or edge(*args)
        self.addCleanup(setattr, naming, "edge", edge)
        found = search.chains([target])[0]
        self.assertLess(len(named), 50)
        self.assertRegex(found.expression, r"^zoo\.heap\[\d+\]\[1\]$")
        self.assertIs(eval(found.expression, {"zoo": sys.modules["zoo"]}), target)
        self.assertLessEqual(len(calls), 6)

    def test_a_thousand_share_the_walk(self):
        calls = []

        def counted(*args):
            calls.append(len(args))
            return gc.get_referrers(*args)

        targets = [T() for _ in range(1000)]
        module(self, x={number: [target] for number, target in enumerate(targets)})
        search.Walk.get_referrers = staticmethod(counted)
        self.addCleanup(setattr, search.Walk, "get_referrers", staticmethod(gc.get_referrers))
        found = search.chains(targets)
        self.assertEqual([chain.expression for chain in found],
                         ["zoo.x[%d][0]" % number for number in range(1000)])
        self.assertLessEqual(len(calls), 6)

    def test_many_of_one_container_share_the_search_for_their_places(self):
        class Odd:
            """A key without a plain text."""

        def cached(one):
            return one

        cached = functools.lru_cache(maxsize=None)(cached)
        fillers = {"list": list, "tuple": tuple, "deque": collections.deque, "set": set,
                   "frozenset": frozenset,
                   "values": lambda all: dict(enumerate(all)),
                   "odd": lambda all: {Odd(): each for each in all},
                   "keys": lambda all: dict.fromkeys(all),
                   "cache": lambda all: list(map(cached, all)) and cached}
        for name, fill in fillers.items():
            with self.subTest(name):
                targets = [T() for _ in range(100)]
                module(self,
                       x=fill([T() for _ in range(2000)] + targets + [T() for _ in range(50)]))
                searched, large = [], naming.Large.edge

                def counted(self, holder, child, edges):
                    return large(self, holder, child,
                                 lambda *args: searched.append(name) or edges(*args))

                with mock.patch.object(naming.Large, "edge", counted):
                    found = search.chains(targets)
                scope = {"zoo": sys.modules["zoo"], "gc": gc, "collections": collections}
                for chain, target in zip(found, targets):
                    self.assertIs(eval(chain.expression, dict(scope)), target, chain.expression)
                self.assertLessEqual(len(searched), 3)
                self.assertTrue(searched)


class ReleaseTest(unittest.TestCase):
    """Nothing is kept: every target is gone the moment it is let go of, without a collection."""

    def setUp(self):
        self.addCleanup(gc.enable)
        gc.disable()

    def test_gone_at_once(self):
        zoo = module(self)
        for hold in (lambda m, t: setattr(m, "x", [t]), lambda m, t: setattr(m, "x", lambda: t),
                     lambda m, t: setattr(m, "x", types.MethodType(len, t))):
            gone = make(zoo, hold)
            self.assertIsNotNone(search.chains([gone()])[0])
            del zoo.x
            self.assertIsNone(gone())

    def test_a_threads_frame_keeps_no_copy(self):
        steps = [threading.Event() for _ in range(4)]
        gone = []

        def serve():
            job = T()
            extra = locals()
            gone.append(weakref.ref(job))
            del extra
            steps[0].set()
            steps[1].wait()
            del job
            steps[2].set()
            steps[3].wait()

        thread = threading.Thread(target=serve, name="zoo-thread")
        thread.start()
        steps[0].wait()
        found = search.chains([gone[0]()])[0]
        self.assertEqual((found.root, found.steps[-1].access), ("thread", ".f_locals['job']"))
        steps[1].set()
        steps[2].wait()
        kept = gone[0]() is not None
        steps[3].set()
        thread.join()
        self.assertFalse(kept)

    def test_a_callers_locals_stay_his(self):
        target, here = T(), locals()
        before = dict(here)
        search.chains([target])[0]
        self.assertEqual({name: here[name] for name in before}, before)
        exec("made = 1")
        search.chains([target])[0]
        del here


class WarmUpTest(unittest.TestCase):
    def reason(self, target):
        return search.chains([target], ignore=[sys._getframe(), sys._getframe(1)])[0].warm_up

    def test_known_caches(self):
        self.assertEqual(self.reason(re.compile("zoo[a-z]+x")), "the cache of compiled patterns")
        linecache.getlines(__file__)
        self.assertEqual(self.reason(linecache.cache[__file__]), "linecache's source lines")
        module(self, __warningregistry__={"key": T()})
        self.assertEqual(self.reason(sys.modules["zoo"].__warningregistry__["key"]),
                         "a warnings registry")
        self.assertEqual(self.reason(warnings), "sys.modules")

    def test_known_caches_of_modules_that_are_noted(self):
        from unittest_leakfix._core.swap import originals
        originals.note()
        self.addCleanup(originals.forget)
        self.assertEqual(self.reason(re.compile("zoo[a-z]+z")), "the cache of compiled patterns")
        self.assertEqual(search.chains([linecache.cache], ignore=[sys._getframe()])[0].expression,
                         "linecache.cache")

    def test_an_enums_table(self):
        zoo = module(self, enum=enum, T=T)
        exec("class E(enum.Enum):\n    A = T()\nE.__module__ = 'zoo'", vars(zoo))
        self.assertIn("enum", self.reason(zoo.E._value2member_map_) or "enum")

    def test_a_leak_beside_a_cache_is_no_warm_up(self):
        pattern = re.compile("zoo[a-z]+y")
        module(self, x=[[pattern]])
        found = search.chains([pattern])[0]
        self.assertEqual((found.expression, found.warm_up), ("zoo.x[0][0]", None))


if __name__ == "__main__":
    unittest.main()
