"""What watches constructors and functions is not seen by what is watched."""
# needs Python 3.8
import asyncio
import copy
import functools
import gzip
import http.client
import inspect
import logging
import os
import pickle
import selectors
import shelve
import sys
import tempfile
import threading
import traceback
import types
import unittest
import warnings
import zipfile
from asyncio import constants
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from unittest_leakfix import register_resource
from unittest_leakfix.resources import registry
from unittest_leakfix.tracing import constructors
from unittest_leakfix.tracing.acquisitions import Acquisitions
from unittest_leakfix.tracing.coroutine_origins import DEPTH

OURS = os.path.dirname(os.path.abspath(constructors.__file__))
PLACES = [(module, name) for module, kinds in constructors.CONSTRUCTORS.items()
          for classes in kinds.values() for name in classes.split()]
FUNCTIONS = [(module, name) for module, functions in constructors.FUNCTIONS.items()
             for name in functions]


def line():
    return inspect.currentframe().f_back.f_lineno


class WatchedCase(unittest.TestCase):

    def setUp(self):
        self.records = Acquisitions()
        self.records.install()
        self.addCleanup(self.records.remove)
        self.records.current = "OrderTests.test_checkout"


class ClassTest(WatchedCase):
    """http.client.HTTPConnection stands for all of them: its constructor is Python code."""

    def assertMadeAt(self, value, line):
        record = self.records.of(value)
        self.assertIsNotNone(record)
        self.assertEqual((line, "OrderTests.test_checkout"), (record.frames[0].line, record.test))

    def test_signature(self):
        self.assertEqual(["host", "port"],
                         list(inspect.signature(http.client.HTTPConnection).parameters)[:2])
        self.assertEqual("self", list(inspect.signature(
            http.client.HTTPConnection.__init__).parameters)[0])

    def test_the_constructor_is_the_original(self):
        init = http.client.HTTPConnection.__init__
        self.assertIs(types.FunctionType, type(init))
        self.assertEqual(http.client.__file__, init.__code__.co_filename)
        self.assertIs(init, pickle.loads(pickle.dumps(init)))
        self.assertIn("def __init__", inspect.getsource(init))
        self.assertIs(types.MethodType, type(http.client.HTTPConnection("h").__init__))

    def test_subclass(self):
        class Mine(http.client.HTTPConnection):
            def __init__(self):
                super().__init__("mine")

        class ByClass(http.client.HTTPConnection):
            def __init__(self):
                http.client.HTTPConnection.__init__(self, "by-class")

        class Borrowed(http.client.HTTPConnection):
            __init__ = http.client.HTTPConnection.__init__

        mine = Mine()
        self.assertEqual("mine", mine.host)
        self.assertEqual("by-class", ByClass().host)
        self.assertEqual("borrowed", Borrowed("borrowed").host)
        self.assertIsInstance(mine, http.client.HTTPConnection)
        self.assertEqual("__init__", self.records.of(mine).frames[0].function)
        self.assertIsNone(self.records.of(Borrowed("borrowed")))

    def test_constructor_called_twice(self):
        value = http.client.HTTPConnection("one"); here = line()  # noqa: E702
        value.__init__("two")
        self.assertEqual("two", value.host)
        self.assertMadeAt(value, here)

    def test_an_exception_has_no_frame_of_ours(self):
        for call in (lambda: zipfile.ZipFile("/missing/a.zip"), lambda: gzip.GzipFile(mode="wU"),
                     lambda: shelve.open("/missing/shelf"), lambda: os.dup(-1),
                     lambda: ThreadPoolExecutor(-1), lambda: warnings.simplefilter("wrong")):
            with self.assertRaises(Exception) as raised:
                call()
            files = [frame.filename
                     for frame in traceback.extract_tb(raised.exception.__traceback__)]
            self.assertFalse([each for each in files if each.startswith(OURS)], files)

    def test_stack_level_of_a_warning(self):
        class Old(logging.Handler):
            def __init__(self):
                warnings.warn("old", DeprecationWarning, stacklevel=2)
                super().__init__()
        register_resource(Old)
        self.addCleanup(registry._registered.pop, id(Old))
        self.addCleanup(registry._forget_all)
        self.records._wrappers.look()
        with self.assertWarns(DeprecationWarning) as caught:
            value = Old(); here = line()  # noqa: E702
        self.assertEqual((__file__, here), (caught.filename, caught.lineno))
        self.assertMadeAt(value, here)

    def test_what_pytest_does_around_each_phase_is_not_noted(self):
        handler, noted = logging.NullHandler(), []
        self.addCleanup(logging.getLogger().removeHandler, handler)
        for file, function in (("/x/_pytest/logging.py", "__enter__"),
                               ("/x/_pytest/logging.py", "set_level"),
                               ("/x/tests/shop.py", "__enter__")):
            space = {"logging": logging, "handler": handler}
            exec(compile("def %s():\n    logging.getLogger().addHandler(handler)" % function, file,
                         "exec"), space)
            before = self.records.latest
            space[function]()
            noted.append(self.records.latest > before)
        self.assertEqual([False, True, True], noted)

    def test_mock_of_the_constructor(self):
        with mock.patch.object(http.client.HTTPConnection, "__init__", return_value=None) as made:
            http.client.HTTPConnection("mocked")
        made.assert_called_once_with("mocked")
        self.assertMadeAt(http.client.HTTPConnection("h"), line())

    def test_mock_of_the_class(self):
        real = http.client.HTTPConnection
        with mock.patch("http.client.HTTPConnection", autospec=True) as made:
            made("h", 80)
            with self.assertRaises(TypeError):
                made("h", 80, missing=1)
        self.assertIs(real, http.client.HTTPConnection)
        self.assertMadeAt(http.client.HTTPConnection("h"), line())

    def test_instance_that_is_copied_and_pickled(self):
        value = logging.Handler(3)
        value.lock = None
        self.assertEqual(3, copy.copy(value).level)
        self.assertEqual(3, pickle.loads(pickle.dumps(value)).level)

    def test_selector(self):
        with selectors.DefaultSelector() as value:
            self.assertMadeAt(value, line() - 1)

    def test_registered_class(self):
        class Mine:
            def __init__(self):
                self.closed = False

            def close(self):
                self.closed = True
        register_resource(Mine)
        self.addCleanup(registry._registered.pop, id(Mine))
        self.addCleanup(registry._forget_all)
        self.records._wrappers.look()
        original = Mine.__init__
        self.assertMadeAt(Mine(), line())
        self.records.remove()
        self.assertIs(original, vars(Mine)["__init__"])

    def test_registered_class_of_the_user_s_that_is_called_as_django_s(self):
        class Mine:
            def __init__(self):
                self.closed = False

            def close(self):
                self.closed = True
        register_resource(Mine, name="database connection")
        self.addCleanup(registry._registered.pop, id(Mine))
        self.addCleanup(registry._forget_all)
        self.records._wrappers.look()
        self.assertMadeAt(Mine(), line())

    def test_what_opens_later_is_not_made_where_it_opens(self):
        class Wrapper:
            def __init__(self):
                self.closed = True

            def close(self):
                self.closed = True
        registry.add_kind(Wrapper, registry.Kind("wrapper", Wrapper.close, opens_later=True))
        self.addCleanup(registry._registered.pop, id(Wrapper))
        self.addCleanup(registry._forget_all)
        original = vars(Wrapper)["__init__"]
        self.records._wrappers.look()
        self.assertIs(original, vars(Wrapper)["__init__"])
        self.assertIsNone(self.records.of(Wrapper()))


class FunctionTest(WatchedCase):
    """os.pipe and os.dup stand for builtin functions, warnings.simplefilter for Python's."""

    def test_it_seems_to_be_the_function(self):
        for function in (os.dup, warnings.simplefilter):
            with self.subTest(function.__name__):
                real = vars(function)["__wrapped__"] if type(function) is constructors.Function \
                    else None
                self.assertIsNotNone(real, "it is watched")
                self.assertIs(type(real), function.__class__)
                self.assertIsInstance(function, type(real))
                self.assertEqual(inspect.signature(real), inspect.signature(function))
                self.assertEqual(repr(real), repr(function))
                self.assertEqual(real, function)
                self.assertEqual(hash(real), hash(function))
                self.assertEqual(dir(real), dir(function))
                for name in ("__name__", "__qualname__", "__module__", "__doc__"):
                    self.assertEqual(getattr(real, name), getattr(function, name))
                self.assertIs(function, copy.deepcopy(function))
                self.assertEqual(function, pickle.loads(pickle.dumps(function)))
                self.assertIs(inspect.unwrap(function), inspect.unwrap(real))
        self.assertTrue(inspect.isbuiltin(os.dup))
        self.assertTrue(inspect.isfunction(warnings.simplefilter))

    def test_as_the_attribute_of_a_class(self):
        class Mine:
            copy = os.dup
            filter = warnings.filterwarnings

        fd = os.open(__file__, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.addCleanup(os.close, Mine().copy(fd))
        self.assertIs(types.MethodType, type(Mine().filter))

    def test_partial_and_mock(self):
        fd = os.open(__file__, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.addCleanup(os.close, functools.partial(os.dup, fd)())
        before = os.dup
        with mock.patch("os.dup", autospec=True, return_value=7):
            self.assertEqual(7, os.dup(3))
        self.assertIs(before, os.dup)

    def test_both_ends_of_a_pipe(self):
        ends = os.pipe(); here = line()  # noqa: E702
        for end in ends:
            self.addCleanup(os.close, end)
            record = self.records.of_descriptor(end)
            self.assertEqual(("pipe", here), (record.what, record.frames[0].line))

    def test_descriptor_that_another_has_by_now(self):
        ends = os.pipe()
        for end in ends:
            os.close(end)
        with tempfile.TemporaryFile() as file:
            self.assertIn(file.fileno(), ends)
            self.assertNotEqual("pipe", self.records.of(file).what)

    def test_call_that_failed(self):
        with self.assertRaises(OSError):
            os.dup(-1)
        file = open(__file__); here = line()  # noqa: E702
        self.addCleanup(file.close)
        self.assertEqual(here, self.records.of(file).frames[0].line)


def origin_of_new():
    async def fetch():
        pass

    coroutine = fetch()
    coroutine.close()
    return coroutine.cr_origin and len(coroutine.cr_origin)


class RemovedTest(unittest.TestCase):

    def seen(self):
        found = {}
        for module, owner in PLACES:
            place = getattr(sys.modules.get(module), owner, None)
            if place is not None:
                found[module, owner] = vars(place).get("__init__")
        for module, name in FUNCTIONS:
            found[module, name] = getattr(sys.modules.get(module), name, None)
        found["depth"] = (sys.get_coroutine_origin_tracking_depth,
                          sys.set_coroutine_origin_tracking_depth)
        found["origin"] = origin_of_new()
        found["words"] = warnings._warn_unawaited_coroutine
        found["finders"] = list(sys.meta_path)
        return found

    def test_all_is_as_it_was(self):
        before = self.seen()
        records = Acquisitions()
        records.install()
        self.assertNotEqual(before, self.seen())
        kept = os.dup
        records.remove()
        after = self.seen()
        self.assertEqual(before, after)
        for place, value in before.items():
            if callable(value):
                self.assertIs(value, after[place], place)
        fd = os.open(__file__, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.addCleanup(os.close, kept(fd))     # one that somebody has saved goes on

    def test_what_somebody_has_put_in_the_place_stays(self):
        real = http.client.HTTPConnection.__init__
        records = Acquisitions()
        records.install()
        mine = lambda self: None    # noqa: E731
        http.client.HTTPConnection.__init__ = mine
        self.addCleanup(setattr, http.client.HTTPConnection, "__init__", real)
        records.remove()
        self.assertIs(mine, http.client.HTTPConnection.__init__)


class CoroutineTest(unittest.TestCase):

    def test_the_warning_reads_as_without_us(self):
        async def fetch():
            pass

        def warn():
            with self.assertWarns(RuntimeWarning) as caught:
                fetch()
            return str(caught.warning), caught.filename, caught.lineno

        plain = warn()
        records = Acquisitions()
        records.install()
        self.addCleanup(records.remove)
        self.assertEqual(plain, warn())

    def test_depth_of_somebody_else(self):
        self.addCleanup(sys.set_coroutine_origin_tracking_depth, 0)
        sys.set_coroutine_origin_tracking_depth(7)
        records = Acquisitions()
        records.install()
        self.assertEqual(7, sys.get_coroutine_origin_tracking_depth())
        records.remove()
        self.assertEqual(7, sys.get_coroutine_origin_tracking_depth())

    def installed(self):
        records = Acquisitions()
        records.install()
        self.addCleanup(records.remove)
        return records

    def test_who_asks_for_the_depth_gets_the_one_without_us(self):
        real = sys.get_coroutine_origin_tracking_depth, sys.set_coroutine_origin_tracking_depth
        records = self.installed()
        self.assertEqual(DEPTH, origin_of_new())
        self.assertEqual(0, sys.get_coroutine_origin_tracking_depth())
        for ours, its in zip((sys.get_coroutine_origin_tracking_depth,
                              sys.set_coroutine_origin_tracking_depth), real):
            self.assertEqual((its.__name__, its.__doc__), (ours.__name__, ours.__doc__))
        records.remove()
        self.assertEqual((0, None), (real[0](), origin_of_new()))
        self.assertEqual(real, (sys.get_coroutine_origin_tracking_depth,
                                sys.set_coroutine_origin_tracking_depth))

    def test_who_sets_the_depth_gets_it_until_the_next_test(self):
        records = self.installed()
        self.addCleanup(sys.set_coroutine_origin_tracking_depth, 0)
        for depth in 1, DEPTH, 2, 0:
            sys.set_coroutine_origin_tracking_depth(depth)
            self.assertEqual((depth, depth or None),
                             (sys.get_coroutine_origin_tracking_depth(), origin_of_new()))
        records.begin("shop.Tests.test_next")
        self.assertEqual((0, DEPTH),
                         (sys.get_coroutine_origin_tracking_depth(), origin_of_new()))
        with self.assertRaises(ValueError):
            sys.set_coroutine_origin_tracking_depth(-1)
        with self.assertRaises(TypeError):
            sys.set_coroutine_origin_tracking_depth("2")
        self.assertEqual(0, sys.get_coroutine_origin_tracking_depth())

    def test_depth_that_was_left_stays(self):
        for depth in DEPTH, 7:
            with self.subTest(depth):
                records = Acquisitions()
                records.install()
                self.addCleanup(sys.set_coroutine_origin_tracking_depth, 0)
                sys.set_coroutine_origin_tracking_depth(depth=depth)
                records.begin("shop.Tests.test_next")
                self.assertEqual(depth, sys.get_coroutine_origin_tracking_depth())
                records.remove()
                self.assertEqual(depth, sys.get_coroutine_origin_tracking_depth())
                sys.set_coroutine_origin_tracking_depth(0)

    def test_other_threads_have_their_own(self):
        self.installed()
        seen = []

        def work():
            seen.append(sys.get_coroutine_origin_tracking_depth())
            for depth in 0, DEPTH:
                sys.set_coroutine_origin_tracking_depth(depth)
                seen.extend([sys.get_coroutine_origin_tracking_depth(), origin_of_new()])
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual([0, 0, None, DEPTH], seen[:4])
        self.assertEqual((0, DEPTH),
                         (sys.get_coroutine_origin_tracking_depth(), origin_of_new()))

    def test_loop_in_debug_mode(self):
        self.installed()

        async def depth():
            return sys.get_coroutine_origin_tracking_depth()

        for _ in range(2):
            self.assertEqual(constants.DEBUG_STACK_DEPTH, asyncio.run(depth(), debug=True))
            self.assertEqual((0, DEPTH),
                             (sys.get_coroutine_origin_tracking_depth(), origin_of_new()))
        self.assertEqual(0, asyncio.run(depth(), debug=False))

    def test_line_of_a_mock(self):
        records = Acquisitions()
        records.install()
        self.addCleanup(records.remove)
        coroutine = mock.AsyncMock()("order"); here = line()  # noqa: E702
        self.addCleanup(coroutine.close)
        self.assertEqual(here, records.of_coroutine(coroutine).frames[0].line)


if __name__ == "__main__":
    unittest.main()
