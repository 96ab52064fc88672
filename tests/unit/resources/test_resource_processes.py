"""Kinds of resource on the real thing: children, pools, queues, executors, threads."""
from __future__ import absolute_import

import multiprocessing
import multiprocessing.connection
import multiprocessing.pool
import os
import signal
import subprocess
import sys
import threading
import unittest

from tests.unit.resources.test_resources import KindCase
from unittest_leakfix._core import waiting

try:
    from concurrent import futures
except ImportError:  # Python 2.7
    futures = None

PY2 = sys.version_info[0] == 2
STUBBORN = ("import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
            "sys.stdout.write('ready\\n'); sys.stdout.flush(); signal.pause()")


class ShortLimit(KindCase):
    """Waiting is limited to a moment."""

    def limit(self, seconds):
        before, waiting.CLOSE_TIMEOUT = waiting.CLOSE_TIMEOUT, seconds
        self.addCleanup(setattr, waiting, "CLOSE_TIMEOUT", before)


class ChildTests(ShortLimit):
    def text(self, value, arguments):
        if PY2:  # keeps no arguments
            return "child process %d" % value.pid
        return "child process %d: %s" % (value.pid, arguments)

    def test_running(self):
        value = subprocess.Popen(["sleep", "60"])
        self.check(value, "child process", self.text(value, "sleep 60"))
        self.assertEqual(value.returncode, -signal.SIGTERM)

    def test_with_pipes(self):
        value = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        self.check(value, "child process")
        self.assertTrue(value.stdin.closed and value.stdout.closed and value.stderr.closed)

    def test_over_but_with_an_open_pipe(self):
        value = subprocess.Popen(["true"], stdout=subprocess.PIPE)
        value.wait()
        self.check(value, "child process")

    def test_not_reaped(self):
        value = subprocess.Popen(["true"])
        self.check(value, "child process")
        with self.assertRaises(OSError):
            os.waitpid(value.pid, os.WNOHANG)

    def test_reaped(self):
        value = subprocess.Popen(["true"])
        value.wait()
        self.assertIs(self.kind(value).is_open(value), False)

    def test_unwritten_input_has_no_reader(self):
        value = subprocess.Popen(["true"], stdin=subprocess.PIPE, bufsize=4096)
        os.waitpid(value.pid, 0)
        value.stdin.write(b"x")
        self.check(value, "child process")

    def test_a_stubborn_one_is_killed(self):
        self.limit(0.1)
        value = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
        value.stdout.readline()
        self.check(value, "child process")
        self.assertEqual(value.returncode, -signal.SIGKILL)

    def test_one_that_was_never_started(self):
        class Kept(subprocess.Popen):
            last = None

            def __init__(self, *args, **options):
                Kept.last = self
                subprocess.Popen.__init__(self, *args, **options)

        self.assertRaises(OSError, Kept, ["/nowhere/at/all"])
        value, Kept.last = Kept.last, None
        if PY2:  # cannot tell before it has asked for the child
            self.kind(value).close(value)
        self.assertIs(self.kind(value).is_open(value), False)

    @unittest.skipIf(PY2, "keeps no arguments")
    def test_arguments_without_passwords(self):
        value = subprocess.Popen(["true"])
        value.wait()
        for arguments, expected in (
                (["psql", "--password", "hush", "-h", "db"], "psql --password *** -h db"),
                (["tool", "--token=hush"], "tool --token=***"),
                (["mysql", "-uroot", "-phush"], "mysql -uroot -p***"),
                ("curl http://me:hush@host/", "curl http://me:***@host/"),
                (["cat", b"/tmp/x", object()], "cat /tmp/x ?"),
                (["echo", "x" * 500], "echo " + "x" * 52 + "...")):
            value.args = arguments
            self.assertEqual(self.kind(value).describe(value), self.text(value, expected))


def wait_for_ever():
    signal.pause()


def ignore_and_wait(pipe):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe.send("ready")
    signal.pause()


class MultiprocessingTests(ShortLimit):
    def setUp(self):
        self.make = multiprocessing
        if not PY2:  # the default of 3.14 is forkserver
            self.make = multiprocessing.get_context("fork")

    def test_process(self):
        value = self.make.Process(target=wait_for_ever, name="mailer")
        self.assertIs(self.kind(value).is_open(value), False)
        value.start()
        self.check(value, "child process", "child process %d (mailer)" % value.pid)
        self.assertEqual(multiprocessing.active_children(), [])

    def test_a_joined_process(self):
        value = self.make.Process(target=int)
        value.start()
        value.join()
        self.assertIs(self.kind(value).is_open(value), False)

    def test_a_stubborn_process(self):
        self.limit(0.1)
        here, there = self.make.Pipe()
        value = self.make.Process(target=ignore_and_wait, args=(there,))
        value.start()
        here.recv()
        self.check(value, "child process")
        here.close()
        there.close()

    def test_pool(self):
        value = self.make.Pool(1)
        self.assertEqual(value.apply(abs, (-1,)), 1)
        self.check(value, "process pool")

    def test_a_joined_pool(self):
        value = self.make.Pool(1)
        value.close()
        value.join()
        self.assertIs(self.kind(value).is_open(value), False)

    def test_thread_pool(self):
        value = multiprocessing.pool.ThreadPool(1)
        self.assertEqual(value.apply(abs, (-1,)), 1)
        self.check(value, "thread pool")

    def test_manager(self):
        value = self.make.Manager()
        self.assertEqual(value.dict(a=1)["a"], 1)
        self.check(value, "process manager")

    def test_queue(self):
        self.check(self.make.Queue(), "process queue")

    def test_a_queue_that_nobody_reads(self):
        value = self.make.Queue()
        for _ in range(3):
            value.put(b"x" * 200000)
        self.check(value, "process queue")
        self.assertFalse(value._thread.is_alive())

    def test_simple_queue(self):
        value = multiprocessing.queues.SimpleQueue(
            **({} if PY2 else {"ctx": self.make}))
        self.check(value, "process queue")

    def test_pipe(self):
        here, there = self.make.Pipe()
        self.check(here, "process pipe")
        self.check(there, "process pipe")

    def test_listener(self):
        self.check(multiprocessing.connection.Listener(("127.0.0.1", 0)), "process listener")


@unittest.skipIf(futures is None, "Python 2.7 has none")
class ExecutorTests(ShortLimit):
    def test_threads(self):
        value = futures.ThreadPoolExecutor(1, **(
            {} if sys.version_info < (3, 6) else {"thread_name_prefix": "mailer"}))
        self.assertIs(self.kind(value).is_open(value), False)
        value.submit(int).result()
        self.check(value, "executor", "executor mailer")

    def test_processes(self):
        value = futures.ProcessPoolExecutor(1)
        self.assertIs(self.kind(value).is_open(value), False)
        value.submit(int).result()
        self.check(value, "executor", "executor")

    def test_one_that_does_not_end(self):
        self.limit(0.05)
        release = threading.Event()
        value = futures.ThreadPoolExecutor(1)
        value.submit(release.wait)
        kind = self.kind(value)
        with self.assertRaises(waiting.CloseTimeout) as caught:
            kind.close(value)
        self.assertRegex(str(caught.exception),
                         r"^executor \S+ did not end within 0.05 s$")
        self.assertIs(kind.is_open(value), True)
        release.set()
        kind.close(value)
        self.assertIs(kind.is_open(value), False)

    def test_somebody_elses_executor(self):
        class Theirs(futures.Executor):
            ended = False

            def shutdown(self, wait=True):
                self.ended = True

        value = Theirs()
        self.kind(value, "executor").close(value)
        self.assertIs(value.ended, True)


class ThreadTests(ShortLimit):
    def test_timer(self):
        value = threading.Timer(600, int)
        self.assertIs(self.kind(value).is_open(value), False)
        value.name = "reminder"
        value.start()
        self.check(value, "thread timer", 'thread timer "reminder"')
        self.assertFalse(value.is_alive())

    def test_a_timer_whose_work_does_not_end(self):
        self.limit(0.05)
        release, begun = threading.Event(), threading.Event()
        value = threading.Timer(0, lambda: (begun.set(), release.wait()))
        value.start()
        begun.wait()
        with self.assertRaises(waiting.CloseTimeout):
            self.kind(value).close(value)
        release.set()
        value.join()

    def test_a_timer_that_is_closed_by_its_own_work(self):
        errors = []

        def work():
            try:
                self.kind(value).close(value)
            except Exception as error:
                errors.append(error)

        value = threading.Timer(0, work)
        value.start()
        value.join()
        self.assertEqual(errors, [])

    def test_thread(self):
        self.limit(0.05)
        release = threading.Event()
        value = threading.Thread(target=release.wait, name="mailer")
        self.assertIs(self.kind(value, "thread").is_open(value), False)
        value.start()
        with self.assertRaises(waiting.CloseTimeout) as caught:
            self.kind(value).close(value)
        self.assertEqual(str(caught.exception),
                         'thread "mailer" did not end within 0.05 s')
        release.set()
        value.join()

    def test_a_thread_that_is_also_a_connection(self):
        class Connection(threading.Thread):
            closed = False

            def close(self):
                self.closed = True

            cursor = commit = rollback = close

        value = Connection()
        kind = self.kind(value, "database connection")
        kind.close(value)
        self.assertIs(kind.is_open(value), False)


if __name__ == "__main__":
    unittest.main()
