"""Threads share, hand over and drop what tests hold while the tests finish: nothing shared is
closed.

Each thread always holds an object of a connection's graph, and moves about in it. So the graph is
never owned, although from one look to the next it is another object that has a reference from
outside.
"""

from __future__ import absolute_import

import io
import sys
import threading
import time
import unittest

from unittest_leakfix import LeakFixMixin, register_resource
from unittest_leakfix._core import ownership
from unittest_leakfix.runner import LeakFixTestRunner

ROUNDS = 60
FREE_THREADED = "t" in getattr(sys, "abiflags", "")     # it may run with the lock all the same


class Part(object):
    """A cursor or the like: refers to the next part of the ring that a connection is in."""

    next = None

    def __init__(self):
        self.rows = [[] for _ in range(20)]


class Connection(Part):
    """The first of three parts."""

    def __init__(self):
        Part.__init__(self)
        self.fate = []      # "closed", once it is
        self.next, self.last = Part(), Part()
        self.next.next, self.last.next = self.last, self

    def close(self):
        self.fate.append("closed")


register_resource(Connection, close=Connection.close, is_open=lambda each: not each.fate)


class Wanderers(object):
    """Threads that take a part from a list, wander along the ring, and hand it over to the next."""

    def __init__(self, number=3):
        self.offered, self.at_work, self.fates = [], [], []
        self.dropping = self.over = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run) for _ in range(number)]
        for thread in self.threads:
            thread.daemon = True
            thread.start()

    def share(self, part):
        """Give *part*, not a connection itself, to the threads."""
        self.dropping = False
        self.fates.append((part.next if hasattr(part.next, "fate") else part.next.next).fate)
        self.offered.append(part)
        del part
        self._wait(lambda: self.at_work)

    def drop(self):
        """Return when no thread has anything."""
        self.dropping = True
        while self.offered or self.at_work:
            with self.lock:
                del self.offered[:]
            self._wait(lambda: not self.at_work)

    def end(self):
        """End the threads."""
        self.over = self.dropping = True
        for thread in self.threads:
            thread.join(60)

    def _wait(self, is_so):
        end = time.time() + 60
        while not is_so():
            if time.time() > end:
                raise RuntimeError("the threads do not answer")
            time.sleep(0.0001)

    def _run(self):
        while not self.over:
            taken = []      # no variable here may go on referring to what is in it
            with self.lock:
                if self.offered:
                    taken.append(self.offered.pop())
                    self.at_work.append(None)
            if taken:
                self._wander(taken)
                self.at_work.pop()
            else:
                time.sleep(0.001)

    def _wander(self, taken):
        part = taken.pop()
        for _ in range(50):
            for _ in range(20):
                part = part.next
            if self.dropping:
                return
        self.offered.append(part)
        while self.offered and not self.dropping:
            time.sleep(0.0001)


class ThreadsCase(unittest.TestCase):
    """The interpreter changes threads as often as it can."""

    def setUp(self):
        if hasattr(sys, "setswitchinterval"):
            self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
            sys.setswitchinterval(1e-6)
        else:
            self.addCleanup(sys.setcheckinterval, sys.getcheckinterval())
            sys.setcheckinterval(1)

    def run_tests(self, case):
        suite = unittest.TestSuite(
            case(name) for name in unittest.TestLoader().getTestCaseNames(case))
        return LeakFixTestRunner(stream=io.StringIO() if str is not bytes
                                 else io.BytesIO()).run(suite)


class SharedTests(ThreadsCase):
    def setUp(self):
        super(SharedTests, self).setUp()
        self.wanderers = Wanderers()
        self.addCleanup(self.wanderers.end)

    def test_what_a_thread_moves_about_in_is_not_owned(self):
        wrong = 0
        for _ in range(ROUNDS):
            slot = [Connection()]
            self.wanderers.share(slot[0].last)
            for _ in range(5):
                wrong += id(slot[0]) in ownership.owned(slot[:], [1])
            self.wanderers.drop()
        self.assertEqual(0, wrong)

    def finish_while_shared(self, *bases):
        """Run tests that finish while threads have a part of what is on self: nothing of it is
        closed."""
        wanderers = self.wanderers

        def below(test):
            wanderers.drop()
            test.db = Connection()
            wanderers.share(test.db.next)

        def in_a_list(test):
            wanderers.drop()
            test.every = [{"db": Connection()}, Connection()]
            wanderers.share(test.every[0]["db"].last)

        def in_a_cycle(test):
            below(test)
            test.again = test.below

        def failing(test):
            below(test)
            test.fail("as it should")

        methods = dict(("test_%d_%s" % (number, each.__name__), each)
                       for number in range(ROUNDS // 4)
                       for each in (below, in_a_list, in_a_cycle, failing))
        result = self.run_tests(type("Tests", bases, dict(methods, below=below)))
        wanderers.drop()
        self.assertEqual((ROUNDS // 4 * 4, ROUNDS // 4), (result.testsRun, len(result.failures)))
        self.assertEqual([], result.errors)
        self.assertEqual([[]] * result.testsRun, wanderers.fates)

    def test_runner_closes_nothing_shared(self):
        self.finish_while_shared(unittest.TestCase)

    def test_mixin_closes_nothing_shared(self):
        self.finish_while_shared(LeakFixMixin, unittest.TestCase)


class PrivateTests(ThreadsCase):
    """What nobody else has, with and without another thread in the process."""

    def setUp(self):
        super(PrivateTests, self).setUp()
        self.made = made = {}

        class Private(unittest.TestCase):
            def test_one(self):
                self.db = Connection()
                made["db"] = self.db.fate

        class Declared(LeakFixMixin, Private):
            leakfix_close = ("db",)

        self.private, self.mixed, self.declared = Private, type("Mixed", (LeakFixMixin, Private),
                                                                {}), Declared

    def with_a_thread(self, case):
        over = threading.Event()
        thread = threading.Thread(target=over.wait)
        thread.start()
        try:
            self.assertEqual(ownership.COUNTED and not FREE_THREADED or self.lock_is_on(),
                             ownership.certain())
            self.run_tests(case)
        finally:
            over.set()
            thread.join()
        return self.made["db"]

    @staticmethod
    def lock_is_on():
        return FREE_THREADED and sys._is_gil_enabled()

    @unittest.skipUnless(ownership.COUNTED, "this interpreter does not count references")
    def test_alone(self):
        for case in (self.private, self.mixed, self.declared):
            self.run_tests(case)
            self.assertEqual(["closed"], self.made["db"], case)

    @unittest.skipUnless(ownership.COUNTED, "this interpreter does not count references")
    @unittest.skipIf(FREE_THREADED, "not owned beside a thread on a free-threaded build")
    def test_beside_a_thread(self):
        for case in (self.private, self.mixed, self.declared):
            self.assertEqual(["closed"], self.with_a_thread(case), case)

    @unittest.skipUnless(FREE_THREADED, "only a free-threaded build runs threads at the same time")
    def test_beside_a_thread_of_a_free_threaded_build(self):
        expected = ["closed"] if self.lock_is_on() else []
        for case in (self.private, self.mixed):
            self.assertEqual(expected, self.with_a_thread(case), case)

    def test_declared_is_closed_in_any_case(self):
        self.assertEqual(["closed"], self.with_a_thread(self.declared))
