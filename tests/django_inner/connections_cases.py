"""`unittest_leakfix.django.connections`, on SQLite."""
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

from django.db import OperationalError, connections as of_thread
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import SimpleTestCase, TransactionTestCase

from unittest_leakfix import LeakFixWarning
from unittest_leakfix.databases.frameworks import frameworks
from unittest_leakfix.django.connections import REMEDY, Connections, connections

FULL = "FATAL:  sorry, too many clients already"


class Worker:
    """A thread that opens a connection and goes on until it is told to end."""

    def __init__(self, alias="default", shared=False):
        self._alias, self._shared = alias, shared
        self._opened, self._end = threading.Event(), threading.Event()
        self.wrapper = None
        self.thread = threading.Thread(target=self._work, name="worker")
        self.thread.start()
        self._opened.wait(10)

    def _work(self):
        self.wrapper = of_thread[self._alias]
        if self._shared:
            self.wrapper.inc_thread_sharing()
        self.wrapper.ensure_connection()
        self._opened.set()
        self._end.wait(10)

    def end(self):
        """End the thread, and wait for it."""
        self._end.set()
        self.thread.join()


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
                         ("_work", "tests/django_inner/connections_cases.py"))
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
        own = of_thread["default"].connection
        self.assertIsNotNone(own)
        self.assertTrue(connections.keeps(own))
        self.assertEqual(connections.remedy_of(own), "")

    def test_descriptors_of_the_tests_own(self):
        name = of_thread["default"].settings_dict["NAME"]
        for closed in True, False:
            self.assertTrue(connections.owns(99, "file '%s'" % name, closed))
            self.assertFalse(connections.owns(99, "file '/somewhere/else'", closed))

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
        own = of_thread["memory"]
        with mock.patch.object(own, "connection", None):    # as when only the thread has opened it
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
        with self.assertWarnsRegex(LeakFixWarning, "^the connection 'default' of thread worker, which is over, "
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


class Full(TransactionTestCase):
    """The server is full."""

    def setUp(self):
        gc.collect()
        connections.reap()

    def refusing(self, *errors):
        wrapper = of_thread["default"].copy()
        self.addCleanup(wrapper.close)
        wrapper.asked, connect = 0, wrapper.get_new_connection
        errors = list(errors)

        def get_new_connection(parameters):
            wrapper.asked += 1
            if errors:
                raise OperationalError(errors.pop(0))
            return connect(parameters)
        wrapper.get_new_connection = get_new_connection
        return wrapper

    def test_asked_again(self):
        wrapper = self.refusing(FULL)
        wrapper.ensure_connection()
        self.assertEqual(wrapper.asked, 2)

    def test_asked_once_more_only(self):
        wrapper = self.refusing(*[FULL] * 9)
        with self.assertRaisesMessage(OperationalError, FULL) as caught:
            wrapper.ensure_connection()
        self.assertEqual(wrapper.asked, 2)
        self.assertIsNone(caught.exception.__context__)

    def test_asked_longer_when_something_was_given_back(self):
        worker = Worker()
        wrapper = self.refusing(*[FULL] * 4)
        real = connections._collect

        def collect():
            worker.end()
            return real()
        with mock.patch.object(connections, "_collect", collect):
            wrapper.ensure_connection()
        self.assertEqual(wrapper.asked, 5)
        self.assertIsNone(worker.wrapper.connection)

    def test_another_error(self):
        wrapper = self.refusing("FATAL:  the database system is starting up")
        with self.assertRaisesMessage(OperationalError, "starting up"):
            wrapper.ensure_connection()
        self.assertEqual(wrapper.asked, 1)


class Pools(SimpleTestCase):
    """A pool as `OPTIONS: {"pool": ...}` makes it, without its server."""

    databases = {"default"}

    def setUp(self):
        self.thread = threading.Thread(target=time.sleep, args=(0.01,))
        self.thread.start()
        self.addCleanup(self.thread.join)
        self.idle, self.lent = mock.Mock(_pool=None), mock.Mock()
        pool = mock.Mock(_pool=[self.idle], _workers=[self.thread], _sched_runner=None)
        self.lent._pool = pool
        of_thread["default"].ensure_connection()
        self.pools = mock.patch.object(
            type(of_thread["default"]), "_connection_pools", {"default": pool}, create=True)
        self.pools.start()
        self.addCleanup(self.pools.stop)

    def test_what_rests_in_it_is_kept(self):
        self.assertTrue(connections.keeps(self.idle))
        self.assertTrue(connections.keeps(self.lent))
        self.assertFalse(connections.keeps(mock.Mock()))

    def test_its_threads_run_on_purpose(self):
        self.assertTrue(connections.runs(self.thread.ident))
        self.assertFalse(connections.runs(threading.get_ident()))

    def test_what_its_threads_wait_with(self):
        self.assertTrue(connections.owns(99, "eventpoll", True))
        self.assertFalse(connections.owns(99, "pipe", True))
        self.pools.stop()
        self.assertFalse(connections.owns(99, "eventpoll", True))
        self.pools.start()


class Installing(SimpleTestCase):
    def test_put_back(self):
        before = BaseDatabaseWrapper.connect, len(connection_created.receivers), list(frameworks)
        other = Connections()
        other.install()
        other.install()
        self.assertIsNot(BaseDatabaseWrapper.connect, before[0])
        other.remove()
        self.assertIsNot(BaseDatabaseWrapper.connect, before[0])
        other.remove()
        self.assertEqual((BaseDatabaseWrapper.connect, len(connection_created.receivers), list(frameworks)), before)

    def test_somebody_has_patched_since(self):
        other = Connections()
        other.install()
        with mock.patch.object(BaseDatabaseWrapper, "connect", lambda wrapper: None) as theirs:
            other.remove()
            self.assertIs(BaseDatabaseWrapper.connect, theirs)
        BaseDatabaseWrapper.connect = connections._patch
