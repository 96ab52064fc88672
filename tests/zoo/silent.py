"""Look-alikes: nothing must be said of these tests."""
from __future__ import annotations

import abc
import asyncio
import codecs
import collections
import concurrent.futures
import contextlib
import contextvars
import decimal
import enum
import functools
import gc
import importlib
import importlib.util
import linecache
import logging
import mimetypes
import multiprocessing
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import typing
import unittest
import urllib.request
import warnings
import weakref
from multiprocessing import shared_memory
from unittest import mock

from tests.zoo import market, shop

pool = concurrent.futures.ThreadPoolExecutor(1)     # made at import, its thread when first used
pool.submit(int).result()
database = sqlite3.connect(":memory:")


class Caches(unittest.TestCase):
    """What fills once."""

    def test_lru_cache_of_the_application(self):
        self.assertEqual(3, len(shop.rates("EUR")))

    def test_singleton_made_lazily(self):
        shop.Settings._instance = None
        self.assertIs(shop.Settings.instance(), shop.Settings.instance())

    def test_module_imported_lazily(self):
        lazy = importlib.import_module("tests.zoo.lazy")
        self.assertEqual(0, lazy.first().number)

    def test_re(self):
        self.assertTrue(re.match("order-(%d)" % 17, "order-17"))

    def test_linecache(self):
        self.assertTrue(linecache.getline(shop.__file__, 1))

    def test_abc(self):
        class Seller(abc.ABC):
            pass
        self.assertFalse(issubclass(shop.Order, Seller))
        self.assertTrue(issubclass(shop.Order, collections.abc.Hashable))

    def test_codecs(self):
        self.assertEqual("order", codecs.decode(b"order", "cp1252"))

    def test_typing(self):
        self.assertTrue(typing.Dict[str, typing.Optional[shop.Order]])

    def test_enum(self):
        class State(enum.Enum):
            OPEN = 1
        self.assertIs(State.OPEN, State(1))

    def test_logging(self):
        logging.getLogger("shop.orders").info("order")

    def test_functools(self):
        @functools.singledispatch
        def total(value):
            return 0
        total.register(list)(len)
        self.assertEqual(1, total([1]))

    def test_warning_shown_once(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.warn("old order", DeprecationWarning)

    def test_weak_valued_cache(self):
        order = shop.recent[17] = shop.Order(17)
        self.assertIs(order, shop.recent[17])

    def test_weak_reference_with_callback(self):
        order = shop.Order(17)
        shop.recent_ref = weakref.ref(order, lambda gone: None)

    def test_plain_data_in_dict(self):
        shop.remember("seen", ["order", {"number": 17}])

    def test_object_of_the_application_once(self):
        shop.remember("newest", shop.Order(17))


class Helpers(unittest.TestCase):

    def test_resource_tracker(self):
        """multiprocessing's own child, started once for the process, and the pipe to it."""
        import multiprocessing
        multiprocessing.get_context("spawn").Lock()

    def test_multiprocessing_shared_memory(self):
        """Its heap's memory map, descriptors and file: used again for the next value."""
        import multiprocessing
        multiprocessing.Value("i", 17).value += 1


class Shared(unittest.TestCase):
    """What was there before, or is somebody else's."""

    def test_shared_connection_on_self(self):
        self.db = database
        self.db.execute("select 1")

    def test_stdout_on_self(self):
        self.out = sys.stdout

    def test_attribute_refers_to_what_was_there(self):
        self.send = shop.send
        self.settings = shop.Settings

    def test_pool_made_at_import(self):
        self.assertEqual(0, pool.submit(int).result())

    def test_cycle_of_its_own(self):
        self.itself = self
        self.callback = self.test_cycle_of_its_own
        self.mock = mock.MagicMock()

    def test_large_attribute(self):
        self.rows = [shop.Order(number) for number in range(1000)]

    def test_parent_and_child(self):
        self.order = shop.Order(17)
        self.order.lines = [shop.Order(18)]
        self.order.lines[0].order = self.order


class Restored(unittest.TestCase):
    """What was put back."""

    def test_mock_stopped_by_cleanup(self):
        patcher = mock.patch("tests.zoo.shop.price")
        patcher.start()
        self.addCleanup(patcher.stop)

    def test_environment(self):
        with mock.patch.dict(os.environ, SHOP_URL="http://localhost"):
            self.assertEqual("http://localhost", os.environ["SHOP_URL"])

    def test_cwd(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir("/")

    def test_sys_path(self):
        with mock.patch.object(sys, "path", sys.path + ["/srv/shop"]):
            self.assertIn("/srv/shop", sys.path)

    def test_warnings(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            open(__file__).readline()
        self.assertEqual(1, len(caught))

    def test_expected_warning(self):
        with self.assertWarns(ResourceWarning):
            open(__file__).readline()

    def test_logging_handler(self):
        handler = logging.StreamHandler()
        logging.getLogger("shop").addHandler(handler)
        logging.getLogger("shop").removeHandler(handler)

    def test_expected_log(self):
        with self.assertLogs("shop", "INFO"):
            logging.getLogger("shop").info("order")

    def test_signal_handler(self):
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def test_context_variable(self):
        shop.current_order.reset(shop.current_order.set(self))

    def test_socket_timeout(self):
        self.addCleanup(socket.setdefaulttimeout, socket.getdefaulttimeout())
        socket.setdefaulttimeout(5)

    def test_stdout(self):
        with contextlib.redirect_stdout(sys.stderr):
            self.assertIs(sys.stderr, sys.stdout)


class Settings(unittest.TestCase):
    """What is used, filled when it is first needed, or put back."""

    def test_random_numbers(self):
        self.assertTrue([random.random() for _ in range(2000)])

    def test_seed(self):
        self.addCleanup(random.setstate, random.getstate())
        random.seed(42)

    def test_generator_of_its_own(self):
        random.Random(42).random()

    def test_decimal(self):
        with decimal.localcontext() as context:
            context.prec = 5
        self.assertTrue(decimal.Decimal(1) / 3)     # which sets flags

    def test_decimal_in_a_thread(self):
        thread = threading.Thread(target=setattr, args=(decimal.getcontext().copy(), "prec", 5))
        thread.start()
        thread.join()

    def test_module_patched(self):
        with mock.patch.dict(sys.modules, till=mock.Mock()):
            self.assertIn("till", sys.modules)

    def test_module_reloaded(self):
        importlib.reload(importlib.import_module("colorsys"))

    def test_module_imported_anew_that_nobody_has(self):
        importlib.import_module("colorsys")
        del sys.modules["colorsys"]
        importlib.import_module("colorsys")

    def test_module_of_a_path(self):
        spec = importlib.util.spec_from_file_location("plugin_of_a_path", __file__)
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        self.addCleanup(sys.modules.pop, module.__name__)

    def test_opener_made_by_its_first_use(self):
        self.addCleanup(setattr, urllib.request, "_opener", urllib.request._opener)
        with contextlib.suppress(OSError), urllib.request.urlopen("file:///nowhere"):
            pass

    def test_types_of_files(self):
        self.assertEqual("text/html", mimetypes.guess_type("a.html")[0])

    def test_start_method(self):
        self.assertTrue(multiprocessing.get_start_method())

    def test_time_zone(self):
        self.addCleanup(time.tzset)
        with mock.patch.dict(os.environ, TZ="Asia/Tokyo"):
            time.tzset()

    def test_hook_of_its_own(self):
        with mock.patch.object(threading, "excepthook") as hook:
            thread = threading.Thread(target=int, args=("order",))
            thread.start()
            thread.join()
        hook.assert_called_once()

    def test_thread_that_exits(self):
        thread = threading.Thread(target=sys.exit)
        thread.start()
        thread.join()

    def test_locks(self):
        with shop.lock, shop.till, shop.clerks, shop.Client.lock:
            pass

    def test_lock_that_a_thread_holds(self):
        thread = threading.Thread(target=hold, args=(shop.lock, 0.02))
        thread.start()
        self.addCleanup(thread.join)

    def test_alarm_cancelled(self):
        signal.alarm(1000)
        signal.alarm(0)

    def test_loop_run_twice(self):
        asyncio.run(asyncio.sleep(0))
        asyncio.run(asyncio.sleep(0))

    def test_shared_memory(self):
        block = shared_memory.SharedMemory(create=True, size=10)
        block.close()
        block.unlink()


def hold(lock, seconds):
    """Take a lock, and release it."""
    with lock:
        time.sleep(seconds)


class Closed(unittest.TestCase):
    """What was closed, waited for, joined, removed."""

    def test_file(self):
        with open(__file__) as self.file:
            self.file.readline()

    def test_file_by_cleanup(self):
        self.file = open(__file__)
        self.addCleanup(self.file.close)

    def test_connection(self):
        with contextlib.closing(sqlite3.connect(":memory:")) as self.db:
            self.db.execute("select 1")

    def test_sockets(self):
        here, there = socket.socketpair()
        here.close()
        there.close()

    def test_pipe(self):
        for descriptor in os.pipe():
            os.close(descriptor)

    def test_temporary_directory(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertTrue(os.path.isdir(folder))

    def test_temporary_file(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"order")

    def test_child_waited_for(self):
        self.assertEqual(0, subprocess.run(["true"]).returncode)

    def test_executor_shut_down(self):
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            executor.submit(int).result()

    def test_thread_joined(self):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()

    def test_thread_that_ends_in_time(self):
        self.event = threading.Event()
        threading.Thread(target=self.event.wait, args=(0.05,)).start()

    def test_timer_cancelled(self):
        timer = threading.Timer(60, int)
        timer.start()
        timer.cancel()

    def test_loop_closed(self):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    def test_asyncio_run(self):
        asyncio.run(asyncio.sleep(0))

    def test_coroutine_closed(self):
        asyncio.sleep(0).close()

    def test_thread_local_of_a_thread(self):
        thread = threading.Thread(target=setattr, args=(shop.request, "user", self))
        thread.start()
        thread.join()
        del thread

    def test_context_of_a_task(self):
        context = contextvars.copy_context()
        context.run(shop.current_order.set, self)


class Async(unittest.IsolatedAsyncioTestCase):

    async def asyncSetUp(self):
        self.queue = asyncio.Queue()

    async def test_task_awaited(self):
        self.task = asyncio.ensure_future(self.queue.put(17))
        await self.task
        self.assertEqual(17, await self.queue.get())


class Collector(unittest.TestCase):

    def test_collector_disabled(self):
        self.addCleanup(gc.enable)
        gc.disable()
        order = shop.Order(17)
        order.itself = order


class State(unittest.TestCase):
    """The application's own doing, and what is put back."""

    calls = []

    def test_made_when_first_wanted(self):
        self.assertIs(market.Session.get(), market.Session.get())

    def test_read_once(self):
        self.assertEqual(20, len(market.table()))

    def test_counter(self):
        self.assertNotEqual(market.counted(), market.counted())

    def test_cache_filled(self):
        self.assertEqual("prod", market.mode())

    def test_patched_and_put_back(self):
        with mock.patch.object(market, "MODE", "test"), \
                mock.patch.object(market.Config, "load"), \
                mock.patch.dict(market.ROUTES, {"/x": "y"}):
            self.assertEqual("test", market.MODE)

    def test_appended_and_removed(self):
        market.PLUGINS.append("extra")
        self.addCleanup(market.PLUGINS.remove, "extra")

    def test_same_value_again(self):
        market.MODE = "".join(["pr", "od"])

    def test_registered_by_the_application(self):
        market.remember("one", "order")

    def test_bounded(self):
        for _ in range(5):
            market.handle("/")

    def test_own_class(self):
        type(self).calls.append(1)
        type(self).seen = True

    def test_cache_cleared_first(self):
        market.BY_KEY.clear()
        market.remember("two", "order")

    def test_default_argument_in_itself(self):
        self.assertEqual(["a"], market.collect("a", []))
