"""What a test changes in the process and leaves so."""
from __future__ import annotations

import logging
import os
import signal
import socket
import sqlite3
import sys
import unittest
import warnings
from unittest import mock

from tests.zoo import shop


class Environment(unittest.TestCase):

    def test_added(self):
        os.environ["SHOP_DEBUG"] = "1"

    def test_changed(self):
        os.environ["SHOP_URL"] = "http://localhost"

    def test_removed(self):
        del os.environ["SHOP_URL"]

    def test_secret(self):
        os.environ["SHOP_PASSWORD"] = "hunter2"


class Process(unittest.TestCase):

    def test_cwd(self):
        os.chdir("/")

    def test_sys_path(self):
        sys.path.insert(0, "/srv/shop/plugins")

    def test_patch(self):
        mock.patch("tests.zoo.shop.price").start()

    def test_patch_by_hand(self):
        os.getlogin = lambda: "shopkeeper"

    def test_logging_handler(self):
        logging.getLogger("shop").addHandler(logging.StreamHandler(sys.stderr))

    def test_logging_level(self):
        logging.getLogger().setLevel(logging.DEBUG)

    def test_warnings_filter(self):
        warnings.filterwarnings("ignore", "old order", DeprecationWarning)

    def test_signal_handler(self):
        signal.signal(signal.SIGTERM, on_signal)

    def test_umask(self):
        os.umask(0o077)

    def test_socket_timeout(self):
        socket.setdefaulttimeout(5)

    def test_stdout(self):
        sys.stdout = open(os.devnull, "w")


def on_signal(number, frame):
    shop.last = number


class ForeignClose(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.file = open(__file__)
        cls.db = sqlite3.connect(":memory:")

    @classmethod
    def tearDownClass(cls):
        cls.db.close()
        cls.file.close()

    def test_file(self):
        self.file.close()

    def test_connection(self):
        self.db.close()
