"""`unittest_leakfix.django.connections` beside `reap`: a full server, pools, what is put back. On
SQLite."""
from __future__ import annotations

import gc
import threading
import time
from unittest import mock

from django.db import OperationalError
from django.db import connections as of_thread
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import SimpleTestCase, TransactionTestCase

from tests.django_inner.worker import Worker
from unittest_leakfix.django.connections import Connections, connections
from unittest_leakfix.tracing.frameworks import frameworks

FULL = "FATAL:  sorry, too many clients already"


class Full(TransactionTestCase):
    """The server is full."""

    def setUp(self):
        gc.collect()
        connections.reap()

    def refusing(self, *errors):
        wrapper = of_thread["default"].copy()
        self.addCleanup(wrapper.close)
        wrapper.wanted, connect = 0, wrapper.get_new_connection
        errors = list(errors)

        def get_new_connection(parameters):
            wrapper.wanted += 1
            if errors:
                raise OperationalError(errors.pop(0))
            return connect(parameters)
        wrapper.get_new_connection = get_new_connection
        return wrapper

    def test_asked_again(self):
        wrapper = self.refusing(FULL)
        wrapper.ensure_connection()
        self.assertEqual(wrapper.wanted, 2)

    def test_asked_once_more_only(self):
        wrapper = self.refusing(*[FULL] * 9)
        with self.assertRaisesMessage(OperationalError, FULL) as caught:
            wrapper.ensure_connection()
        self.assertEqual(wrapper.wanted, 2)
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
        self.assertEqual(wrapper.wanted, 5)
        self.assertIsNone(worker.wrapper.connection)

    def test_another_error(self):
        wrapper = self.refusing("FATAL:  the database system is starting up")
        with self.assertRaisesMessage(OperationalError, "starting up"):
            wrapper.ensure_connection()
        self.assertEqual(wrapper.wanted, 1)


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
        self.assertTrue(connections.runs_thread(self.thread.ident))
        self.assertFalse(connections.runs_thread(threading.get_ident()))

    def test_what_its_threads_wait_with(self):
        self.assertTrue(connections.owns_descriptor(99, ("eventpoll", ""), True))
        self.assertFalse(connections.owns_descriptor(99, ("pipe", ""), True))
        self.assertTrue(connections.owns_descriptor(
            99, ("socket", "127.0.0.1:40000 -> 127.0.0.1:5432"), False))
        self.assertFalse(connections.owns_descriptor(
            99, ("socket", "127.0.0.1:40000 -> 127.0.0.1:80"), False))
        self.pools.stop()
        self.assertFalse(connections.owns_descriptor(99, ("eventpoll", ""), True))
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
        self.assertEqual((BaseDatabaseWrapper.connect, len(connection_created.receivers),
                          list(frameworks)), before)

    def test_somebody_has_patched_since(self):
        before = BaseDatabaseWrapper.connect
        other = Connections()
        other.install()
        with mock.patch.object(BaseDatabaseWrapper, "connect", lambda wrapper: None) as theirs:
            other.remove()
            self.assertIs(BaseDatabaseWrapper.connect, theirs)
        BaseDatabaseWrapper.connect = before
