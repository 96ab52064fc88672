"""One leak for each way out of what keeps it: what is to be said of each is not the same."""
from __future__ import annotations

import concurrent.futures
import functools
import http.server
import logging
import mmap
import multiprocessing
import os
import selectors
import shelve
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import warnings
import zipfile
from unittest import mock

from tests.zoo import office
from tests.zoo.office import listeners


class Containers(unittest.TestCase):

    def test_in_set(self):
        office.listen(self)

    def test_method_in_set(self):
        listeners.add(self.on_event)

    def test_object_in_set_by_another(self):
        self.desk = office.Desk()
        office.listen(office.Observer(self.desk))

    def test_in_deque(self):
        office.recent.append(self)

    def test_method_in_list_of_a_dict(self):
        office.handlers["order"].append(self.on_event)

    def test_in_dict_of_a_singleton(self):
        office.registry.by_name["desk"] = self

    def test_value_of_a_key_that_was_there(self):
        office.formats["csv"] = self.on_event

    def test_key_of_a_dict(self):
        self.item = office.Item()
        self.item.price = 3

    def test_tuple_in_list(self):
        office.queue.append(("order", self))

    def test_in_list_of_a_class(self):
        office.Registry.names.append(self)

    def on_event(self, event):
        return event


class Attributes(unittest.TestCase):

    def test_of_a_module(self):
        office.on_error = self.on_event

    def test_of_a_class(self):
        office.Service.timeout = self

    def test_of_a_singleton(self):
        office.registry.current = self

    def test_of_a_part_of_a_singleton(self):
        office.registry.current.owner = self

    def test_over_a_default_of_the_class(self):
        office.registry.factory = self.on_event

    def test_that_is_new(self):
        office.Service.extra = functools.partialmethod(lambda service: self.id())

    def test_method_of_a_class(self):
        office.Service.run = lambda service: self.id()

    def test_static_method_of_a_class(self):
        office.Service.name = staticmethod(lambda: self.id())

    def test_cached_property(self):
        with mock.patch.object(office.Registry, "factory", lambda registry: self):
            self.assertIs(office.registry.handler, self)

    def test_callback_of_a_weak_reference(self):
        office.watched = office.watch(office.Service, self.on_event)

    def test_hook(self):
        sys.excepthook = self.on_event

    def test_show_warning(self):
        warnings.showwarning = self.on_event

    def on_event(self, *event, **more):
        return None


class Mocks(unittest.TestCase):

    def test_side_effect(self):
        office.mailer.send.side_effect = self.on_event

    def test_return_value(self):
        office.clock.return_value = self

    def test_call_arguments(self):
        office.mailer.deliver(self)

    def test_started_patcher(self):
        patcher = mock.patch("tests.zoo.office.connect")
        patcher.start()

    def test_started_without_a_name(self):
        mock.patch("tests.zoo.office.serve").start()

    def on_event(self, *event):
        return None


class Resources(unittest.TestCase):

    def test_server_on_self(self):
        self.server = office.serve()

    def test_http_server(self):
        self.server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)

    def test_server_of_the_module(self):
        office.watched = office.serve()

    def test_pool_of_processes(self):
        self.pool = multiprocessing.get_context("fork").Pool(1)

    def test_pool_of_threads(self):
        self.pool = office.workers()

    def test_manager(self):
        self.manager = multiprocessing.get_context("fork").Manager()

    def test_executor(self):
        self.executor = concurrent.futures.ThreadPoolExecutor(1)
        self.executor.submit(int).result()

    def test_timer_with_a_name(self):
        timer = office.later(60, print)
        timer.start()

    def test_timer_without_a_name(self):
        threading.Timer(60, print).start()

    def test_child_with_a_name(self):
        child = subprocess.Popen(["sleep", "60"])
        self.assertIsNone(child.poll())
        office.watched = child

    def test_process(self):
        self.process = multiprocessing.get_context("fork").Process(
            target=threading.Event().wait, args=(60,))
        self.process.start()

    def test_descriptor_with_a_name(self):
        descriptor = os.open(__file__, os.O_RDONLY)
        os.read(descriptor, 1)

    def test_descriptor_without_a_name(self):
        os.read(os.open(__file__, os.O_RDONLY), 1)

    def test_both_of_mkstemp(self):
        descriptor, path = tempfile.mkstemp()
        os.write(descriptor, path.encode())

    def test_mkstemp_whose_file_is_gone(self):
        descriptor, path = tempfile.mkstemp()
        os.remove(path)

    def test_mkstemp_whose_descriptor_is_closed(self):
        descriptor, path = tempfile.mkstemp()
        os.close(descriptor)

    def test_folder_with_a_name(self):
        self.folder = tempfile.mkdtemp()

    def test_selector(self):
        self.selector = selectors.DefaultSelector()

    def test_map(self):
        self.map = mmap.mmap(-1, 4096)

    def test_archive(self):
        self.archive = zipfile.ZipFile(os.path.join(os.environ["ZOO"], "a.zip"), "w")

    def test_shelf(self):
        self.shelf = shelve.open(os.path.join(os.environ["ZOO"], "shelf"))

    def test_second_of_a_pair(self):
        self.pair = office.connect()
        self.pair[0].close()

    def test_in_list_without_a_name(self):
        office.queue.append(socket.socket())

    def test_dropped_without_a_name(self):
        self.assertTrue(open(__file__).read())


class State(unittest.TestCase):

    def setUp(self):
        os.environ["OFFICE"] = "here"

    def test_variable_of_set_up(self):
        self.assertEqual(os.environ["OFFICE"], "here")


class Path(unittest.TestCase):

    def test_search_path_replaced(self):
        sys.path = [*sys.path, "/srv/office"]

    def test_handler_with_a_name(self):
        handler = logging.NullHandler()
        office.log.addHandler(handler)

    def test_level(self):
        office.log.setLevel(logging.DEBUG)
