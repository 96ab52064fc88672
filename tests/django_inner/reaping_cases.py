"""`Connections.reap`, and who opened what, on SQLite."""
from __future__ import annotations

import _thread
import asyncio
import gc
import os
import sys
import threading
import time
import warnings
import weakref
from unittest import mock

from django.db import connections as of_thread
from django.test import TransactionTestCase

from tests.django_inner.worker import Worker
from unittest_leakfix import LeakFixWarning
from unittest_leakfix.django.connections import REMEDY, connections


class Reaping(TransactionTestCase):
    databases = {"default", "memory"}

    def worker(self, **how):
        worker = Worker(**how)
        self.addCleanup(worker.end)
        return worker

    def test_a_thread_that_is_over(self):
        worker = self.worker()
        worker.end()
        record, = connections.reap()
        self.assertIsNone(worker.wrapper.connection)
        self.assertRegex(record.place, r"^connection 'default' to /.*inner\.sqlite3$")
        self.assertEqual((record.thread, record.running), ("worker", False))
        self.assertEqual(record.test, self.id())
        self.assertEqual((record.frames[0].function, record.frames[0].file),
                         ("_work", "tests/django_inner/worker.py"))
        self.assertEqual(connections.reap(), [])

    def test_the_next_connect_reaps(self):
        worker = self.worker()
        worker.end()
        self.worker()
        self.assertIsNone(worker.wrapper.connection)

    def test_a_running_thread_keeps_its_own(self):
        worker = self.worker()
        self.assertEqual(connections.reap(), [])
        self.assertIsNotNone(worker.wrapper.connection)
        self.assertEqual(connections.name_of(worker.wrapper.connection), "connection 'default'")
        self.assertEqual(connections.remedy_of(worker.wrapper.connection), REMEDY)
        self.assertFalse(connections.keeps(worker.wrapper.connection))

    def test_wrappers_that_are_gone(self):
        for _ in range(100):
            wrapper = of_thread["default"].copy()
            wrapper.ensure_connection()
            wrapper.close()
            del wrapper
        gc.collect()
        connections.reap()
        self.assertLess(len(connections._held), 10)

    def test_who_opened_it(self):
        worker = self.worker()
        record = connections.opening_of(worker.wrapper.connection)
        self.assertEqual((record.test, record.thread, record.running), (self.id(), "worker", True))
        self.assertEqual(record.place.partition(" to ")[0], "connection 'default'")
        self.assertIsNone(connections.opening_of(object()))

    def test_the_tests_own_is_kept(self):
        of_thread["default"].ensure_connection()
        connections.reap()
        ours = of_thread["default"].connection
        self.assertIsNotNone(ours)
        self.assertTrue(connections.keeps(ours))
        self.assertEqual(connections.remedy_of(ours), "")

    def test_descriptors_of_the_tests_own(self):
        name = of_thread["default"].settings_dict["NAME"]
        for closed in True, False:
            self.assertTrue(connections.owns_descriptor(99, ("file", name), closed))
            self.assertFalse(connections.owns_descriptor(99, ("file", "/somewhere/else"), closed))

    def test_a_shared_one_is_left_alone(self):
        worker = self.worker(shared=True)
        worker.end()
        self.assertEqual(connections.reap(), [])
        self.assertIsNotNone(worker.wrapper.connection)
        worker.wrapper.close()

    def test_memory_lives_on(self):
        with of_thread["memory"].cursor() as cursor:
            cursor.execute("CREATE TABLE kept (number INTEGER)")
        worker = self.worker(alias="memory")
        worker.end()
        self.assertEqual(connections.reap(), [])
        with of_thread["memory"].cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM kept")
            cursor.execute("DROP TABLE kept")

    def test_the_last_connection_to_memory_stays(self):
        worker = self.worker(alias="memory")
        worker.end()
        ours = of_thread["memory"]
        with mock.patch.object(ours, "connection", None):    # as when only the thread has opened it
            self.assertEqual(connections.reap(), [])
        self.assertIsNotNone(worker.wrapper.connection)
        worker.wrapper.connection.close()

    def test_a_thread_that_threading_does_not_know(self):
        opened, gone, wrappers = threading.Event(), threading.Event(), []

        def work():
            wrappers.append(of_thread["default"])
            wrappers[0].ensure_connection()
            opened.set()
            gone.wait(10)
        ident = _thread.start_new_thread(work, ())
        opened.wait(10)
        self.assertEqual(connections.reap(), [])
        gone.set()
        while ident in sys._current_frames():
            pass
        connections.reap()
        self.assertIsNone(wrappers[0].connection)

    def test_threads_of_a_loop(self):
        wrappers = []

        def work():
            wrappers.append(of_thread["default"])
            wrappers[0].ensure_connection()

        async def ask():
            await asyncio.get_running_loop().run_in_executor(None, work)
        asyncio.run(ask())
        for _ in range(1000):    # before 3.9 the loop does not wait for them
            if connections.reap() or wrappers[0].connection is None:
                break
            time.sleep(0.01)
        self.assertIsNone(wrappers[0].connection)

    def test_what_the_parent_opened(self):
        worker = self.worker()
        worker.end()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)     # a fork with threads, 3.12
            child = os.fork()
        if not child:
            os._exit(connections.reap() != [] or worker.wrapper.connection is None)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(len(connections.reap()), 1)

    def test_a_close_that_raises(self):
        worker, other = self.worker(), self.worker()
        worker.end()
        other.end()
        worker.wrapper.close = mock.Mock(side_effect=RuntimeError("no"))
        with self.assertWarnsRegex(LeakFixWarning,
                                   "^the connection 'default' of thread worker, which is over, "
                                                   "could not be closed: RuntimeError: no$"):
            self.assertEqual(len(connections.reap()), 1)
        self.assertIsNone(other.wrapper.connection)
        connections._note(worker.wrapper, None)
        connections._held[id(worker.wrapper)] = connections._held[id(worker.wrapper)]._replace(
            thread=weakref.ref(worker.thread))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(connections.reap(), [])
        self.assertEqual(worker.wrapper.close.call_count, 2)
        del worker.wrapper.close
        worker.wrapper.inc_thread_sharing()
        worker.wrapper.close()
