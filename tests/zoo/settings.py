"""Settings of the process and of libraries that a test changes and leaves so."""
from __future__ import annotations

import asyncio
import builtins
import calendar
import codecs
import copyreg
import csv
import decimal
import email.charset
import faulthandler
import gc
import importlib
import json
import locale
import logging
import mimetypes
import multiprocessing
import os
import random
import resource
import shutil
import signal
import socket
import sqlite3
import sys
import threading
import time
import tracemalloc
import unittest
import urllib.request
import warnings
import xml.etree.ElementTree
from multiprocessing import shared_memory
from unittest import mock

from tests.zoo import shop

mimetypes.init()


class Modules(unittest.TestCase):

    def test_added(self):
        sys.modules["till"] = mock.Mock()

    def test_blocked(self):
        sys.modules["till"] = None

    def test_replaced(self):
        sys.modules["tests.zoo.shop"] = mock.Mock()

    def test_removed(self):
        del sys.modules["tests.zoo.shop"]

    def test_imported_anew(self):
        sys.modules.pop("tests.zoo.shop")
        importlib.import_module("tests.zoo.shop")


class Loops(unittest.TestCase):

    def test_closed_and_current(self):
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.close()

    def test_policy(self):
        asyncio.set_event_loop_policy(Policy())

    def test_left_running(self):
        asyncio._set_running_loop(asyncio.AbstractEventLoop())


class Policy(asyncio.DefaultEventLoopPolicy):
    """One of the application's own."""


class Contexts(unittest.TestCase):

    def test_variable(self):
        shop.current_order.set("order 17")

    def test_number(self):
        shop.current_order.set(17)

    def test_decimal_precision(self):
        decimal.getcontext().prec = 5

    def test_decimal_trap(self):
        decimal.getcontext().traps[decimal.Inexact] = True

    def test_decimal_context(self):
        decimal.setcontext(decimal.Context(prec=3))


class Process(unittest.TestCase):

    def test_time_zone(self):
        os.environ["TZ"] = "Asia/Tokyo"
        time.tzset()

    def test_half_of_a_time_zone(self):
        with mock.patch.dict(os.environ, TZ="Asia/Tokyo"):
            time.tzset()

    def test_argv(self):
        sys.argv = ["shop", "--verbose"]

    def test_path_hooks(self):
        sys.path_hooks.insert(0, importer)

    def test_meta_path(self):
        sys.meta_path.insert(0, Importer())

    def test_builtins(self):
        builtins.order = 17

    def test_locale(self):
        locale.setlocale(locale.LC_NUMERIC, "C.UTF-8")

    def test_mask(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

    def test_alarm(self):
        signal.alarm(1000)

    def test_limit(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (1, hard))

    def test_niceness(self):
        os.nice(1)

    def test_recursion_limit(self):
        sys.setrecursionlimit(sys.getrecursionlimit() + 100)

    def test_switch_interval(self):
        sys.setswitchinterval(0.5)

    def test_digits(self):
        sys.set_int_max_str_digits(1000)

    def test_bytecode(self):
        sys.dont_write_bytecode = not sys.dont_write_bytecode

    def test_traceback_limit(self):
        sys.tracebacklimit = 1000

    def test_faulthandler(self):
        faulthandler.enable(sys.__stderr__)

    def test_tracemalloc(self):
        tracemalloc.start()

    def test_threshold(self):
        gc.set_threshold(5)

    def test_collector(self):
        gc.disable()

    def test_callback_of_the_collector(self):
        gc.callbacks.append(on_collection)

    def test_hook(self):
        sys.excepthook = on_error

    def test_hook_of_threads(self):
        threading.excepthook = on_error

    def test_hook_of_finalizers(self):
        sys.unraisablehook = on_error

    def test_hook_of_the_prompt(self):
        sys.displayhook = on_error

    def test_form_of_warnings(self):
        warnings.formatwarning = on_error

    def test_shared_memory(self):
        block = shared_memory.SharedMemory(create=True, size=10)
        block.close()


class Importer:
    """Finds nothing."""

    def find_spec(self, name, path=None, target=None):
        """Return None."""


def importer(path):
    """Import nothing."""
    raise ImportError(path)


def on_collection(phase, info):
    """Do nothing."""


def on_error(*args, **kwargs):
    """Do nothing."""


class Libraries(unittest.TestCase):

    def test_seed(self):
        random.seed(42)

    def test_state(self):
        random.setstate(random.Random(42).getstate())

    def test_csv(self):
        csv.field_size_limit(10)

    def test_dialect(self):
        csv.register_dialect("shop", delimiter=";")

    def test_error_handler(self):
        codecs.register_error("strict", codecs.ignore_errors)

    def test_copyreg(self):
        copyreg.pickle(shop.Order, lambda order: (shop.Order, (order.number,)))

    def test_adapter(self):
        sqlite3.register_adapter(shop.Order, lambda order: order.number)

    def test_converter(self):
        sqlite3.register_converter("shop_order", shop.Order)

    def test_namespace(self):
        xml.etree.ElementTree.register_namespace("shop", "urn:shop")

    def test_archive(self):
        shutil.register_archive_format("shop", print)

    def test_unpacking(self):
        shutil.register_unpack_format("shop", [".shop"], print)

    def test_mime_type(self):
        mimetypes.add_type("shop/order", ".order")

    def test_charset(self):
        email.charset.add_charset("shop-8")

    def test_start_method(self):
        multiprocessing.set_start_method("spawn", force=True)

    def test_opener(self):
        urllib.request.install_opener(urllib.request.OpenerDirector())

    def test_json(self):
        json.JSONEncoder.default = lambda encoder, value: str(value)

    def test_method_of_sockets(self):
        socket.socket.connect = lambda sock, address: None

    def test_week(self):
        calendar.setfirstweekday(6)

    def test_default_precision(self):
        decimal.DefaultContext.prec = 5


class Locks(unittest.TestCase):

    def test_lock(self):
        shop.lock.acquire()

    def test_lock_of_the_owner(self):
        shop.till.acquire()

    def test_lock_of_a_class(self):
        shop.Client.lock.acquire()

    def test_semaphore(self):
        shop.clerks.acquire()


class SetUp(unittest.TestCase):

    def setUp(self):
        copyreg.pickle(shop.Order, lambda order: (shop.Order, (order.number,)))

    def test_copyreg(self):
        self.assertIn(shop.Order, copyreg.dispatch_table)


class Logging(unittest.TestCase):

    def test_disabled(self):
        logging.disable(logging.CRITICAL)

    def test_logger_disabled(self):
        logging.getLogger("shop").disabled = True

    def test_propagate(self):
        logging.getLogger("shop").propagate = False

    def test_filter(self):
        logging.getLogger("shop").addFilter(on_error)

    def test_logger_class(self):
        logging.setLoggerClass(Logger)

    def test_record_factory(self):
        logging.setLogRecordFactory(Record)

    def test_level_name(self):
        logging.addLevelName(10, "SHOUT")

    def test_raise_exceptions(self):
        logging.raiseExceptions = False

    def test_level_of_a_handler(self):
        logging.lastResort.setLevel(logging.ERROR)


class Logger(logging.Logger):
    """The application's own."""


class Record(logging.LogRecord):
    """The application's own."""


class Raised(unittest.TestCase):

    def test_in_a_thread(self):
        thread = threading.Thread(target=divide, name="till")
        thread.start()
        thread.join()


def divide():
    """Raise an error."""
    return 1 / 0


class Later(unittest.TestCase):
    """What a later test takes for granted: it fails where nothing is put back."""

    def test_modules(self):
        self.assertNotIn("till", sys.modules)
        self.assertIs(shop, importlib.import_module("tests.zoo.shop"))

    def test_current_loop(self):
        policy = asyncio.get_event_loop_policy()
        self.assertNotIsInstance(policy, Policy)
        self.assertIsNone(asyncio._get_running_loop())
        if sys.version_info < (3, 14):
            loop = policy.get_event_loop()
            self.addCleanup(asyncio.set_event_loop_policy, None)
            self.addCleanup(loop.close)
            loop.run_until_complete(asyncio.sleep(0))

    def test_contexts(self):
        self.assertIsNone(shop.current_order.get())
        self.assertEqual("0.3333333333333333333333333333",
                         str(decimal.Decimal(1) / decimal.Decimal(3)))
        self.assertEqual(28, decimal.Context().prec)

    def test_time(self):
        self.assertNotEqual("JST", time.tzname[0])

    def test_process(self):
        self.assertNotIn("shop", sys.argv[:1])
        self.assertNotIn(importer, sys.path_hooks)
        self.assertFalse(hasattr(builtins, "order"))
        self.assertEqual("C", locale.setlocale(locale.LC_NUMERIC))
        self.assertNotIn(signal.SIGUSR1, signal.pthread_sigmask(signal.SIG_BLOCK, []))
        self.assertEqual(0, signal.alarm(0))
        self.assertNotEqual(1, resource.getrlimit(resource.RLIMIT_CORE)[0])
        self.assertFalse(hasattr(sys, "tracebacklimit"))
        self.assertFalse(tracemalloc.is_tracing())
        self.assertTrue(gc.isenabled())
        self.assertNotIn(on_collection, gc.callbacks)
        for hook in (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.displayhook,
                     warnings.formatwarning):
            self.assertIsNot(on_error, hook)

    def test_libraries(self):
        self.assertNotEqual(0.6394267984578837, random.random())
        self.assertEqual([["x" * 20]], list(csv.reader(["x" * 20])))
        self.assertNotIn("shop", csv.list_dialects())
        self.assertRaises(UnicodeEncodeError, "\N{EURO SIGN}".encode, "ascii")
        self.assertNotIn(shop.Order, copyreg.dispatch_table)
        self.assertNotIn("shop", dict(shutil.get_archive_formats()))
        self.assertIsNone(mimetypes.guess_type("a.order")[0])
        self.assertNotEqual("spawn", multiprocessing.get_start_method())
        self.assertRaises(TypeError, json.dumps, shop.Order(17))
        self.assertEqual(0, calendar.firstweekday())

    def test_locks(self):
        self.assertFalse(shop.lock.locked() or shop.till._is_owned() or shop.Client.lock.locked())
        self.assertEqual(2, shop.clerks._value)

    def test_logging(self):
        logger = logging.getLogger("shop")
        self.assertTrue(logger.isEnabledFor(logging.ERROR))
        self.assertEqual((True, []), (logger.propagate, logger.filters))
        self.assertNotIsInstance(logging.getLogger("shop.new"), Logger)
        self.assertEqual("DEBUG", logging.getLevelName(10))
        self.assertEqual(logging.WARNING, logging.lastResort.level)
