"""What tests replace and leave so, or use up, does not reach our own code: builtins, functions,
descriptors."""

from __future__ import absolute_import

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
import warnings

from tests.support.paths import ROOT
from tests.tiers import NEWEST, OLDEST, full_on
from unittest_leakfix import LeakFixMixin, LeakFixTestRunner, suite
from unittest_leakfix._core import early, errors, waiting
from unittest_leakfix._core.swap import Originals, Swap
from unittest_leakfix.observer import RunObserver

try:
    from StringIO import StringIO  # 2.7: unittest writes bytes and text
except ImportError:
    from io import StringIO



# A module beside each sample.
CLIENT = u"""
class Client(object):
    def __enter__(self):
        return self
    def __exit__(self, *error):
        pass
    def close(self):
        raise RuntimeError("does not close")
"""


def run_sample(source, *options, **where):
    """Run a module of tests of this text with plain unittest and with ours, of the checkout in
    *package*.

    Returns (output, status) of each.
    """
    package = where.get("package", ROOT)
    folder = tempfile.mkdtemp()
    try:
        for name, text in ("sample", textwrap.dedent(source)), ("client", CLIENT):
            with io.open(os.path.join(folder, name + ".py"), "w", encoding="utf-8") as file:
                file.write(u"import os, sys, unittest\n" + text)
        return [_ran(folder, package, "unittest"),
                _ran(folder, package, "unittest_leakfix", *options)]
    finally:
        shutil.rmtree(folder)


def _ran(folder, package, module, *options):
    path = os.pathsep.join((package, ROOT, folder))     # the samples use tests/support
    environ = dict(os.environ, PYTHONPATH=path)
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX") if package != ROOT else ():
        environ.pop(name, None)
    child = subprocess.Popen(
        [sys.executable, "-m", module] + list(options) + ["-v", "sample"], cwd=folder,
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return child.communicate()[0].decode("utf-8", "replace"), child.returncode


def verdicts(output):
    return re.findall(r"(?m)^test_\S+ \(.*$|^Ran \d+ tests?|^OK.*$|^FAILED.*$", output)


class SampleCase(unittest.TestCase):
    maxDiff = None
    package = ROOT

    def ran(self, source, *options):
        return run_sample(source, *options, package=self.package)

    def same(self, source, *options):
        """Return the output of our run, which ends as plain unittest's."""
        (plain, status), (ours, mine) = self.ran(source, *options)
        self.assertEqual((verdicts(ours), mine), (verdicts(plain), status), ours)
        self.assertEqual(re.findall(r'File "\S*[/\\]unittest_leakfix[/\\].*', ours), [])
        return ours


class LeftTests(SampleCase):
    """What a test leaves replaced or used up, and the tests after it: our runner and our mixin."""

    def test_getpid_that_raises(self):
        ours = self.same(u"""
            class Tests(unittest.TestCase):
                def test_a(self):
                    def no_pid():
                        raise RuntimeError("no pid")
                    os.getpid = no_pid
                def test_b(self):
                    self.file = open(os.devnull)
            """)
        self.assertIn("closed 1 resource left open (1 file)", ours)

    def test_getpid_that_is_put_back(self):
        ours = self.same(u"""
            class Tests(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    cls.getpid, os.getpid = staticmethod(os.getpid), lambda: 7
                @classmethod
                def tearDownClass(cls):
                    os.getpid = cls.getpid
                def test_patched(self):
                    self.file = open(os.devnull)
            class Then(unittest.TestCase):
                def test_then(self):
                    self.file = open(os.devnull)
            """)
        self.assertIn("closed 2 resources left open (2 files)", ours)

    def test_builtins_by_which_we_look(self):
        ours = self.same(u"""
            try:
                import builtins
            except ImportError:
                import __builtin__ as builtins
            devnull = open(os.devnull)
            class Tests(unittest.TestCase):
                def test_a(self):
                    def left(*args):
                        raise RuntimeError("left by a test")
                    for name in ("any", "id", "sorted", "vars", "reversed", "open", "frozenset", "enumerate"):
                        setattr(builtins, name, left)
                def test_b(self):
                    global devnull
                    self.file, devnull = devnull, None
            """)  # noqa: E501
        self.assertIn("closed 1 resource left open (1 file)", ours)

    @unittest.skipIf(os.name == "nt", "Windows has no limit to lower")
    def test_no_descriptor(self):
        ours = self.same(u"""
            from tests.support.descriptors import exhaust
            HELD = []
            class Tests(unittest.TestCase):
                def test_a_owns(self):
                    self.file = open(os.devnull)
                    exhaust(HELD, 60, lambda: open(os.devnull))
                def test_b_fails(self):
                    self.own = HELD.pop()
                    self.fail("on purpose")
            """)  # noqa: E501
        self.assertIn("closed 2 resources left open (2 files)", ours)

    @unittest.skipIf(os.name == "nt", "Windows has no limit to lower")
    def test_no_descriptor_and_close_raises(self):
        ours = self.same(u"""
            from tests.support.descriptors import exhaust
            HELD = []
            from client import Client
            class Tests(unittest.TestCase):
                def test_a_owns(self):
                    exhaust(HELD, 60, lambda: open(os.devnull))
                    self.client = Client()
                    self.client.closed = False
            """)  # noqa: E501
        self.assertIn("closing self.client (Client) raised RuntimeError: does not close", ours)

    @unittest.skipIf(os.name == "nt", "Windows has no limit to lower")
    def test_no_descriptor_with_mixin(self):
        plain, ours = self.ran(u"""
            from tests.support.descriptors import exhaust
            from unittest_leakfix import LeakFixMixin
            HELD = []
            class Tests(LeakFixMixin, unittest.TestCase):
                def test_a(self):
                    exhaust(HELD, 60, lambda: open(os.devnull))
                    self.own = HELD.pop()
                    Tests.own = os.fstat, self.own.fileno()
                def test_b(self):
                    fstat, number = self.own
                    with self.assertRaises(OSError):
                        fstat(number)
            """)  # noqa: E501
        for output, status in (plain, ours):
            self.assertEqual(status, 0, output)

    def test_warnings_that_raise(self):
        for left in ("warnings.warn", "warnings.showwarning", "warnings.formatwarning"):
            self.same(u"""
                import warnings
                from client import Client
                class Tests(unittest.TestCase):
                    def test_a(self):
                        def left(*args, **kwds):
                            raise RuntimeError("left by a test")
                        %s = left
                        self.client = Client()
                        self.client.closed = False
                """ % left)

    @unittest.skipIf(sys.version_info < (3,), "2.7 empties a module that is gone")
    def test_our_modules_are_gone(self):
        ours = self.same(u"""
            class Tests(unittest.TestCase):
                def test_a(self):
                    for name in list(sys.modules):
                        if name.startswith("unittest_leakfix"):
                            del sys.modules[name]
                    del sys.path[:], sys.meta_path[:]
                def test_b(self):
                    self.file = open(os.devnull)
                def test_c(self):
                    self.fail("on purpose")
            """)
        self.assertIn("closed 1 resource left open (1 file)", ours)


LOADS = u"""
    class Tests(unittest.TestCase):
        def test_plain(self):
            self.a, self.b, self.c = 1, "b", [1]
%s
    import atexit
    @atexit.register
    def loaded():
        print("loaded: " + " ".join(name[len("unittest_leakfix."):] for name in sorted(sys.modules)
                                    if name.startswith("unittest_leakfix.")))
"""


@full_on(OLDEST, NEWEST)
@unittest.skipIf(sys.version_info < (3, 7), "all is loaded at once there")
class LateTests(LeftTests):
    """The same where byte code is at hand, and so most of ours is loaded late."""

    @classmethod
    def setUpClass(cls):
        cls.package = tempfile.mkdtemp()
        try:
            ours = os.path.join(ROOT, "unittest_leakfix")
            above = [name for name in os.listdir(ours) if os.path.isdir(os.path.join(ours, name))
                     and name not in ("_core", "resources")]
            shutil.copytree(ours, os.path.join(cls.package, "unittest_leakfix"),
                            ignore=shutil.ignore_patterns(*(above + ["*.pyc"])))
            run_sample(LOADS % u"", package=cls.package)    # which writes the byte code
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.package)

    def loaded(self, code=u""):
        ours = self.same(LOADS % textwrap.indent(textwrap.dedent(code), "        "))
        return re.search("loaded: (.*)", ours).group(1).split()

    def test_what_no_test_needs_is_not_loaded(self):
        needed = self.loaded()
        for name in ("suite", "result", "runner", "instance_release"):
            self.assertIn(name, needed)
        for name in needed:
            self.assertNotIn(name, ("held_release", "finished_test", "_core.redaction",
                                    "_core.ownership"))
            self.assertFalse(name.startswith("resources."), name)

    def test_what_a_test_needs_is(self):
        self.assertIn("finished_test", self.loaded(u"""
            def test_skipped(self):
                self.skipTest("on purpose")
            """))
        closing = self.loaded(u"""
            def test_owns(self):
                self.file = open(os.devnull)
            """)
        self.assertIn("held_release", closing)
        self.assertIn("resources.files", closing)
        self.assertNotIn("resources.clients", closing)

    def test_what_is_loaded_now_knows_what_an_imported_module_knows(self):
        code = (u"import sys\n"
                u"from unittest_leakfix._core import early\n"
                u"if sys.argv[1:]:\n"
                u"    early.load_now(['_core.introspection', 'result'])\n"
                u"import unittest_leakfix.result, unittest_leakfix._core.introspection\n"
                u"for each in unittest_leakfix._core.introspection, unittest_leakfix.result:\n"
                u"    spec = each.__spec__\n"
                u"    print(each.__name__, each.__file__, each.__package__, spec.cached,\n"
                u"          type(each.__loader__), each.__loader__ is spec.loader, spec.name,\n"
                u"          spec.origin, spec.parent, spec.has_location,\n"
                u"          each.__loader__.get_source(each.__name__)[:40],\n"
                u"          sorted(name for name in vars(each) if name.startswith('__')))\n")
        environ = dict(os.environ, PYTHONPATH=self.package)
        environ.pop("PYTHONPYCACHEPREFIX", None)
        outputs = [subprocess.check_output([sys.executable, "-c", code] + option, env=environ,
                                           stderr=subprocess.STDOUT).decode()
                   for option in ([], ["now"])]
        self.assertEqual(*outputs)

    def test_all_that_is_loaded_late_is_read_beforehand(self):
        ours = self.same(u"""
            import atexit
            class Tests(unittest.TestCase):
                def test_a(self):
                    pass
            @atexit.register
            def rest():
                if "unittest_leakfix" not in sys.modules:
                    return
                early = sys.modules["unittest_leakfix._core.early"]
                read = set(early.held.codes).union(sys.modules)
                early.load_late()
                sys.modules["unittest_leakfix.resources.late_kinds"].load_all()
                print("not read: %s" % sorted(name for name in set(sys.modules) - read
                                              if name.startswith("unittest_leakfix")))
            """)
        self.assertIn("not read: []", ours)

    @unittest.skipIf(os.name == "nt", "Windows has no limit to lower")
    def test_no_descriptor_and_a_fault(self):
        ours = self.same(u"""
            from tests.support.descriptors import exhaust
            from client import Client
            HELD = []
            class Tests(unittest.TestCase):
                def test_a(self):
                    exhaust(HELD, 60, lambda: open(os.devnull))
                    self.client = Client()
                    self.client.closed = False
                    self.client.password = "password=s3cr3t-x1"
                    self.fail("on purpose")
                def test_b(self):
                    self.skipTest("on purpose")
            """)
        self.assertIn("closing self.client (Client) raised RuntimeError: does not close", ours)

    def test_what_loading_calls_is_replaced(self):
        held = []
        for name in ("sys.getrefcount", "sys._getframe", "marshal.loads", "gc.get_referents",
                     "os.stat", "io.open", "builtins.setattr", "builtins.hasattr", "builtins.len",
                     "builtins.__import__", "builtins.exec", "builtins.isinstance"):
            (_, status), (ours, mine) = self.ran(u"""
                import builtins, gc, io, marshal
                FILE = open(os.devnull)
                class Tests(unittest.TestCase):
                    def test_a(self):
                        def left(*args, **kwds):
                            raise RuntimeError("left by a test")
                        global FILE
                        self.file, FILE = FILE, None
                        %s = left
            """ % name)
            if status == 0:     # plain unittest itself calls some of them
                held.append(name)
                self.assertEqual(mine, 0, ours)
                self.assertIn("closed 1 resource left open (1 file)", ours, name)
        for name in ("sys.getrefcount", "marshal.loads", "os.stat", "io.open", "builtins.exec",
                     "builtins.__import__"):
            self.assertIn(name, held)

    def test_source_that_was_edited(self):
        self.assertNotIn("held_release", self.loaded())
        path = os.path.join(self.package, "unittest_leakfix", "held_release.py")
        with io.open(path, "a", encoding="utf-8") as file:
            file.write(u"# edited\n")
        self.assertIn("held_release", self.loaded())        # and its byte code is written
        self.assertNotIn("held_release", self.loaded())


class FaultTests(unittest.TestCase):
    """What goes wrong in our own code is one line, and the verdict stands."""

    def ran(self, watcher=None):
        class Tests(unittest.TestCase):
            def test_a(self):
                self.thing = [object()]

            def test_b(self):
                self.thing = [object()]

        class Runner(LeakFixTestRunner):
            def watching(self, _):
                return watcher

        runner = Runner(stream=StringIO())
        result = runner.run(unittest.TestLoader().loadTestsFromTestCase(Tests))
        self.assertEqual((result.testsRun, result.wasSuccessful()), (2, True))
        return runner.stream.getvalue()

    def test_letting_go(self):
        def breaks(slot, tally):
            raise KeyError("ours")
        self.addCleanup(setattr, suite, "release", suite.release)
        suite.release = breaks
        printed = self.ran()
        self.assertEqual(printed.count("switched off: closing and letting go, by KeyError"), 1,
                         printed)
        self.assertIn("the verdicts stand", printed)

    def test_watching(self):
        for broken in ("test_started", "test_finished", "test_released", "class_started",
                       "class_finished", "module_started", "module_finished", "before_fixture"):
            class Broken(RunObserver):
                def start(self):
                    pass

                def stop(self):
                    pass

            def breaks(*args):
                raise KeyError("ours")
            setattr(Broken, broken, breaks)
            printed = self.ran(Broken())
            self.assertEqual(printed.count("switched off: watching, by KeyError"), 1, (broken,
                                                                                       printed))

    def test_mixin(self):
        from unittest_leakfix import mixins

        class Tests(LeakFixMixin, unittest.TestCase):
            def test_a(self):
                self.thing = object()

        def breaks(*args):
            raise KeyError("ours")
        for broken in ("end", "add_closings"):
            old = getattr(mixins.TestSnapshot, broken)
            setattr(mixins.TestSnapshot, broken, breaks)
            try:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    result = unittest.TestResult()
                    Tests("test_a").run(result)
            finally:
                setattr(mixins.TestSnapshot, broken, old)
            self.assertEqual((result.testsRun, result.wasSuccessful()), (1, True), broken)
            self.assertIn("KeyError", str([str(each.message) for each in caught]), broken)

    def test_stream_that_is_closed(self):
        old, sys.stderr = sys.stderr, None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                errors.warn_text("nobody hears it")
        finally:
            sys.stderr = old

    def test_clock_that_stands_still(self):
        slept = []
        with self.assertRaises(waiting.CloseTimeout):
            waiting.wait_until(lambda: False, "it", 0.5, clock=lambda: 0.0, sleep=slept.append)
        self.assertLess(sum(slept), 1)


class SwapTests(unittest.TestCase):
    """Put something in the place of something else, and take it away again."""

    class Base(object):
        inherited = 1

    def setUp(self):
        self.place = type("Place", (self.Base,), {"direct": 1})
        self.swap = Swap()

    def test_back(self):
        for name in ("direct", "inherited", "missing"):
            self.swap.put(self.place, name, 2)
            self.assertEqual(getattr(self.place, name), 2)
        self.assertTrue(self.swap)
        self.swap.back()
        self.assertEqual([self.place.direct, self.place.inherited], [1, 1])
        self.assertEqual(
            [name for name in ("direct", "inherited", "missing") if name in vars(self.place)],
            ["direct"])
        self.assertFalse(self.swap)

    def test_twice_in_one_place(self):
        self.swap.put(self.place, "direct", 2)
        self.swap.put(self.place, "direct", 3)
        self.swap.back()
        self.assertEqual(self.place.direct, 1)

    def test_somebody_came_between(self):
        self.swap.put(self.place, "direct", 2)
        self.swap.put(self.place, "missing", 2)
        self.place.direct = 3
        del self.place.missing
        self.swap.back()
        self.assertEqual(self.place.direct, 3)
        self.assertNotIn("missing", vars(self.place))

    def test_place_that_refuses(self):
        with self.assertRaises(Exception):
            self.swap.put(dict, "keys", None)
        self.assertFalse(self.swap)

    def test_place_that_refuses_to_give_back(self):
        class Place(object):
            closed = False

            def __setattr__(self, name, value):
                if self.closed:
                    raise RuntimeError("closed")
                object.__setattr__(self, name, value)
        place = Place()
        self.swap.put(place, "direct", 2)
        Place.closed = True
        self.swap.back()
        self.assertFalse(self.swap)


class OriginalsTests(unittest.TestCase):
    """The functions of the standard library as they were."""

    def setUp(self):
        self.originals = Originals()
        self.originals.note()
        self.addCleanup(self.originals.forget)

    def replaced(self, place, name, value):
        old = getattr(place, name)
        self.addCleanup(setattr, place, name, old)
        setattr(place, name, value)
        return old

    def test_functions_are_there_for_the_block(self):
        for place, name in ((os, "getpid"), (os, "path"), (os.path, "join"), (io, "open"),
                            (re, "compile")):
            def left(*args):
                raise RuntimeError("left by a test")
            old = self.replaced(place, name, left)
            with self.originals, self.originals:
                seen = getattr(place, name)
            self.assertIs(seen, left if name == "path" else old, name)
            self.assertIs(getattr(place, name), left, name)

    def test_what_is_meant_to_be_replaced_stays(self):
        shown = self.replaced(warnings, "showwarning", lambda *args, **kwds: None)
        environ = self.replaced(os, "environ", {})
        with self.originals:
            self.assertIsNot(warnings.showwarning, shown)
            self.assertIsNot(os.environ, environ)

    def test_function_that_a_test_took_away(self):
        old = os.getcwd
        self.addCleanup(setattr, os, "getcwd", old)
        del os.getcwd
        with self.originals:
            self.assertIs(os.getcwd, old)
        self.assertFalse(hasattr(os, "getcwd"))

    def test_around(self):
        def reads():
            """Read it."""
            return os.getpid
        self.replaced(os, "getpid", None)
        self.assertIsNot(self.originals.around(reads)(), None)
        self.assertEqual(self.originals.around(reads).__doc__, "Read it.")


class ModulesTests(unittest.TestCase):
    """Every module of ours takes the builtins as they were."""

    def test_bind(self):
        namespace = {"__builtins__": None, "len": 1}
        early.bind(namespace)
        self.assertEqual(namespace["len"], 1)
        made = eval("lambda: sorted", namespace)
        self.assertIs(made(), sorted)

    def test_every_module_binds(self):
        lacking = []
        for folder, _, names in os.walk(os.path.join(ROOT, "unittest_leakfix")):
            for name in names:
                path = os.path.join(folder, name)
                if not name.endswith(".py") or path.endswith(os.path.join("_core", "early.py")):
                    continue
                with io.open(path, encoding="utf-8") as source:
                    text = source.read()
                first = re.search(r"(?m)^(?:async )?(?:def|class) |^@", text)
                bound = text.find("\nbind(globals())\n")
                if first is not None and not 0 <= bound < first.start():
                    lacking.append(os.path.relpath(path, ROOT))
        self.assertEqual(lacking, [],
                         "bind(globals()) stands above the first function of each module: "
                         "_core/early.py")


if __name__ == "__main__":
    unittest.main()
