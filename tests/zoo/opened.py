"""Connections, files, sockets and temporary paths that are left open or lying about."""
from __future__ import annotations

import os
import socket
import sqlite3
import tempfile
import unittest

from tests.zoo import shop


class Connection(unittest.TestCase):

    def test_on_self(self):
        self.db = sqlite3.connect(":memory:")

    def test_in_module_global(self):
        shop.last = sqlite3.connect(":memory:")

    def test_in_class_attribute(self):
        shop.Client.connection = sqlite3.connect(":memory:")

    def test_to_file_in_list(self):
        shop.pool.append(sqlite3.connect(os.path.join(os.environ["ZOO"], "shop.db")))


class Connector(unittest.TestCase):

    def setUp(self):
        self.db = sqlite3.connect(":memory:")

    def test_one(self):
        self.db.execute("select 1")

    def test_two(self):
        self.db.execute("select 2")


class File(unittest.TestCase):

    def test_on_self(self):
        self.file = open(__file__)

    def test_in_module_global(self):
        shop.last = open(__file__)

    def test_in_cycle(self):
        order = shop.Order(17)
        order.file = open(__file__)
        order.itself = order

    def test_dropped_unclosed(self):
        open(__file__).readline()

    def test_raw_descriptor(self):
        os.open(__file__, os.O_RDONLY)

    def test_pipe(self):
        reader, writer = os.pipe()
        os.close(writer)


class Socket(unittest.TestCase):

    def test_listening(self):
        server = socket.create_server(("127.0.0.1", 0))
        shop.last = server

    def test_connected(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.client = socket.create_connection(server.getsockname())

    def test_in_pool(self):
        here, there = socket.socketpair()
        there.close()
        shop.pool.append(here)

    def test_dropped_unclosed(self):
        socket.socket().settimeout(1)


class Temporary(unittest.TestCase):

    def test_folder(self):
        tempfile.mkdtemp(prefix="shop-")

    def test_file(self):
        descriptor, path = tempfile.mkstemp(prefix="shop-")
        os.close(descriptor)

    def test_named_file(self):
        with tempfile.NamedTemporaryFile(prefix="shop-", delete=False) as file:
            file.write(b"order")

    def test_folder_object_in_global(self):
        shop.last = tempfile.TemporaryDirectory(prefix="shop-")

    def test_folder_object_dropped(self):
        folder = tempfile.TemporaryDirectory(prefix="shop-")
        shop.send(folder.name)
        shop.send.reset_mock()
