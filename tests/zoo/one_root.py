"""What a test put somewhere keeps the test as well: that is one root, and reported once."""
from __future__ import annotations

import builtins
import concurrent.futures
import copyreg
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import types
import unittest
import warnings
from unittest import mock

from tests.zoo import office


class Interpreter(unittest.TestCase):

    def test_hook(self):
        sys.displayhook = self.on_event

    def test_hook_in_a_closure(self):
        sys.unraisablehook = lambda event: self.on_event(event)

    def test_hook_of_threads(self):
        threading.excepthook = self.on_event

    def test_warnings(self):
        warnings.showwarning = self.on_event

    def test_profile(self):
        sys.setprofile(self.on_event)

    def test_signal(self):
        signal.signal(signal.SIGUSR1, self.on_event)

    def test_finder(self):
        sys.meta_path.append(self)

    def test_path_hook(self):
        sys.path_hooks.append(self.on_path)

    def test_stream(self):
        sys.stdout = Stream(self)

    def test_module(self):
        module = types.ModuleType("plugin_of_a_test")
        module.owner = self
        sys.modules["plugin_of_a_test"] = module

    def test_warnings_filter(self):
        warnings.filterwarnings("ignore", category=type("Old", (Warning,), {"owner": self}))

    def find_spec(self, *args):
        return None

    def on_path(self, path):
        raise ImportError(path)

    def on_event(self, *event):
        pass


class Libraries(unittest.TestCase):

    def test_log_handler(self):
        handler = Handler(self)
        office.log.addHandler(handler)

    def test_log_filter(self):
        office.log.addFilter(self.on_event)

    def test_logger_class(self):
        logging.setLoggerClass(type("Mine", (logging.Logger,), {"owner": self}))

    def test_adapter(self):
        sqlite3.register_adapter(Libraries, self.on_event)

    def test_pickle(self):
        copyreg.pickle(Libraries, self.on_event)

    def test_patch_by_hand(self):
        os.getlogin = self.on_event

    def test_patch_of_a_builtin(self):
        builtins.compile = self.on_event

    def test_started_patch(self):
        patcher = mock.patch("os.getlogin", self.on_event)
        patcher.start()

    def test_started_patch_whose_mock_has_a_name(self):
        patcher = mock.patch.object(office, "connect")
        connect = patcher.start()
        connect.side_effect = self.on_event

    def on_event(self, *event):
        return True


class Runs(unittest.TestCase):

    def test_thread(self):
        threading.Thread(target=self.wait, daemon=True).start()

    def test_timer(self):
        timer = threading.Timer(60, self.wait)
        timer.daemon = True
        timer.start()

    def test_executor(self):
        office.watched = concurrent.futures.ThreadPoolExecutor(1, initializer=self.ready)
        office.watched.submit(int).result()

    def test_function_of_a_connection(self):
        office.watched = sqlite3.connect(":memory:")
        office.watched.create_function("price", 1, self.ready)

    def test_child_dropped(self):
        subprocess.Popen(["sleep", "60"])

    def test_child_dropped_with_its_pipe(self):
        subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE)

    def test_both_ends_of_a_pipe(self):
        self.reads, self.writes = os.pipe()

    def test_one_end_of_a_pipe(self):
        reads, writes = os.pipe()
        os.close(reads)

    def wait(self):
        threading.Event().wait(60)

    def ready(self, *args):
        pass


class Stream:
    """Prints for a test."""

    def __init__(self, owner):
        self.owner = owner

    def write(self, text):
        return sys.__stdout__.write(text)

    def flush(self):
        pass


class Handler(logging.Handler):
    """Tells a test."""

    def __init__(self, owner):
        super().__init__()
        self.owner = owner

    def emit(self, record):
        pass
