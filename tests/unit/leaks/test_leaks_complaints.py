"""What the interpreter complains about inside the window, and that nobody else notices the
window."""
import asyncio
import functools
import gc
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest
import warnings
import weakref

from unittest_leakfix._core.code_origin import short
from unittest_leakfix.leaks.captured_warnings import ComplaintCapture, is_reported
from unittest_leakfix.leaks.passing_warnings import PassThroughCapture
from unittest_leakfix.tracing.acquisitions import Acquisitions

HERE = short(os.path.abspath(__file__))


def in_a_cycle(obj):
    """Leave `obj` to the collector."""
    cycle = [obj]
    cycle.append(cycle)


async def never():
    pass


class ComplaintsCase(unittest.TestCase):

    def setUp(self):
        self.records = Acquisitions()
        self.records.install()
        self.addCleanup(self.records.remove)
        self.complaints = ComplaintCapture(self.records)
        self.addCleanup(self.complaints.remove)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def noticed(self):
        self.complaints.install()
        gc.collect()
        self.complaints.remove()
        return self.complaints.take()

    def one(self, kind, text):
        complaint, = self.noticed()
        self.assertEqual(complaint.kind, kind)
        self.assertIn(text, complaint.text)
        return complaint

    def assertOpenedHere(self, complaint, what):
        self.assertEqual((complaint.acquisition.what, complaint.acquisition.frames[0].function),
                         (what, self._testMethodName))


class ExpectedTest(ComplaintsCase):
    """What the test itself looks for in asyncio's log, it expects."""

    def setUp(self):
        super().setUp()
        self.complaints = PassThroughCapture(self.records)
        self.addCleanup(self.complaints.remove)
        self.logger = logging.getLogger("asyncio")
        quiet = logging.NullHandler()       # as a project may have one
        self.logger.addHandler(quiet)
        self.addCleanup(self.logger.removeHandler, quiet)

    def drop_task(self):
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)

        async def wait():
            await loop.create_future()

        task = loop.create_task(wait())
        loop.run_until_complete(asyncio.sleep(0))
        in_a_cycle(task)
        del task

    def kinds(self):
        gc.collect()
        return [each.kind for each in self.complaints.take()]

    def test_with_a_filter_on_the_logger(self):
        self.drop_task()
        self.complaints.install()
        seen = []
        expects = logging.Filter()
        expects.filter = lambda record: seen.append(record.msg)
        self.logger.addFilter(expects)
        self.addCleanup(self.logger.removeFilter, expects)
        self.assertEqual(self.kinds(), [])
        self.assertEqual([text[:22] for text in seen], ["Task was destroyed but"])

    def test_with_assert_logs(self):
        self.drop_task()
        self.complaints.install()
        with self.assertLogs("asyncio"):
            self.assertEqual(self.kinds(), [])

    def test_a_filter_of_before_expects_nothing(self):
        self.drop_task()
        passing = logging.Filter()
        self.logger.addFilter(passing)
        self.addCleanup(self.logger.removeFilter, passing)
        self.complaints.install()
        self.complaints.install()
        self.assertEqual(self.kinds(), ["task was destroyed pending"])


class KindsTest(ComplaintsCase):

    def test_file(self):
        in_a_cycle(open(__file__))
        self.assertOpenedHere(self.one("ResourceWarning", "unclosed file"), "file")

    def test_socket(self):
        in_a_cycle(socket.socket())
        self.assertOpenedHere(self.one("ResourceWarning", "unclosed <socket.socket"), "socket")

    def test_child(self):
        child = subprocess.Popen([sys.executable, "-c", ""])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        in_a_cycle(child)
        del child
        self.assertOpenedHere(self.one("ResourceWarning", "is still running"), "child process")
        subprocess._cleanup()

    def test_temporary_folder(self):
        in_a_cycle(tempfile.TemporaryDirectory())
        self.assertOpenedHere(self.one("ResourceWarning", "Implicitly cleaning up"),
                              "temporary folder")

    @unittest.skipIf(sys.version_info < (3, 13), "sqlite3 does not complain before 3.13")
    def test_sqlite_connection(self):
        sqlite3.connect(":memory:")
        self.assertOpenedHere(self.one("ResourceWarning", "unclosed database"),
                              "sqlite3 connection")

    def test_event_loop(self):
        loop = asyncio.new_event_loop()
        in_a_cycle(loop)
        del loop
        found = self.noticed()
        self.assertIn("unclosed event loop", [c.text for c in found][0])
        self.assertOpenedHere(found[0], "event loop")

    def test_finalizer(self):
        class Order:
            def __del__(self):
                raise ValueError("no db, password=hunter2")

        in_a_cycle(Order())
        complaint = self.one("unraisable exception", "Exception ignored in")
        # 3.15 says it in other words, with an address in them.
        self.assertEqual(complaint.text,
                         "Exception ignored in: %s.%s.__del__" % (__name__, Order.__qualname__))
        self.assertEqual(complaint.error, "ValueError: no db, password=***")

    def test_callback_of_a_weak_reference(self):
        class Order:
            pass

        def forget(_):
            raise ValueError("gone")

        order = Order()
        reference = weakref.ref(order, forget)
        in_a_cycle(order)
        del order
        complaint = self.one("unraisable exception", "Exception ignored in")
        self.assertEqual(complaint.text,
                         "Exception ignored in: %s.%s" % (__name__, forget.__qualname__))
        self.assertIsNone(reference())

    def test_finalizer_without_a_function(self):
        class Order:
            __del__ = functools.partial(int, "x")

        in_a_cycle(Order())
        self.assertNotIn(" at 0x", self.one("unraisable exception", "Exception ignored").text)

    def test_generator_that_does_not_end(self):
        def numbers():
            try:
                yield 1
            finally:
                raise ValueError("no end")

        left = numbers()
        next(left)
        in_a_cycle(left)
        del left
        self.assertNotIn(" at 0x", self.one("unraisable exception", "Exception ignored").text)

    def test_coroutine(self):
        in_a_cycle(never())
        complaint = self.one("coroutine was never awaited", "coroutine 'never' was never awaited")
        self.assertEqual(complaint.called, "never")
        self.assertEqual(complaint.spots, (("written", (HERE, never.__code__.co_firstlineno, "")),))

    def test_task_destroyed_pending(self):
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)

        async def wait():
            await loop.create_future()

        task = loop.create_task(wait())
        loop.run_until_complete(asyncio.sleep(0))
        in_a_cycle(task)
        del task
        self.assertOpenedHere(self.one("task was destroyed pending",
                                       "Task was destroyed but it is pending!"), "task")

    def test_exception_never_retrieved(self):
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)

        async def fail():
            raise KeyError("order")

        task = loop.create_task(fail())
        loop.run_until_complete(asyncio.wait([task]))
        in_a_cycle(task)
        del task
        complaint = self.one("exception was never retrieved", "Task exception was never retrieved")
        self.assertOpenedHere(complaint, "task")
        self.assertEqual(complaint.error, "KeyError: 'order'")
        self.assertEqual(
            [(how, frame.function) for how, frame in complaint.spots], [("raised", "fail")]
        )

    def test_exception_in_thread(self):
        def fail():
            raise KeyError("order")

        self.complaints.install()
        thread = threading.Thread(target=fail, name="mailer-1")
        thread.start()
        thread.join()
        self.complaints.remove()
        complaint, = self.complaints.take()
        self.assertEqual((complaint.kind, complaint.text), ("exception in thread", "mailer-1"))
        self.assertEqual(complaint.error, "KeyError: 'order'")
        self.assertEqual(
            [(how, frame.function) for how, frame in complaint.spots], [("raised", "fail")]
        )

    def test_warning_turned_into_an_error(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            in_a_cycle(open(__file__))
            self.one("ResourceWarning", "unclosed file")

    def test_taken_once(self):
        in_a_cycle(never())
        self.assertEqual(len(self.noticed()), 1)
        self.assertEqual(self.complaints.take(), [])


class WhileATestRunsTest(unittest.TestCase):
    """What threads and finalizers raise while a test runs, which goes on to where it went."""

    def setUp(self):
        self.records = Acquisitions()
        self.records.install()
        self.addCleanup(self.records.remove)
        self.records.current = "m.Tests.test_it"
        # The runner of these tests may have a hook of its own, as pytest has.
        for module, name in ((threading, "excepthook"), (sys, "unraisablehook")):
            self.addCleanup(setattr, module, name, getattr(module, name))
            setattr(module, name, self.hooked)
        self.shown = []
        self.capture = PassThroughCapture(self.records)
        self.capture.install()
        self.addCleanup(self.capture.remove)

    def hooked(self, args):
        self.shown.append(args.exc_type.__name__)

    def run_thread(self, kind=threading.Thread, function=None):
        def fail():
            raise KeyError("order")

        thread = kind(target=function or fail, name="mailer-1")
        thread.start()
        thread.join()

    def taken(self):
        return [(each.kind, each.text.rpartition(".")[2], each.error,
                 each.acquisition.test if each.acquisition else "")
                for each in self.capture.take()]

    def test_thread(self):
        self.run_thread()
        self.assertEqual([("exception in thread", "mailer-1", "KeyError: 'order'",
                           "m.Tests.test_it")], self.taken())
        self.assertEqual(["KeyError"], self.shown)

    def test_subclass_of_thread(self):
        class Mailer(threading.Thread):
            def run(self):
                raise KeyError("order")

        self.run_thread(Mailer)
        self.assertEqual("KeyError: 'order'", self.taken()[0][2])

    def test_timer(self):
        timer = threading.Timer(0, lambda: 1 / 0)
        timer.start()
        timer.join()
        self.assertEqual("ZeroDivisionError: division by zero", self.taken()[0][2])

    def test_of_the_test_that_has_started_it(self):
        go = threading.Event()
        thread = threading.Thread(target=lambda: go.wait() and 1 / 0)
        thread.start()
        self.records.current = "m.Tests.test_next"
        self.capture.install()
        go.set()
        thread.join()
        self.assertEqual("m.Tests.test_it", self.taken()[0][3])

    def test_expected_by_a_hook_of_the_tests_own(self):
        seen = []
        threading.excepthook = seen.append
        self.run_thread()
        sys.unraisablehook = seen.append
        Broken()
        self.assertEqual(([], 2), (self.taken(), len(seen)))

    def test_system_exit_is_no_error(self):
        self.run_thread(function=sys.exit)
        self.assertEqual([], self.taken())

    def test_finalizer(self):
        Broken()
        self.assertEqual([("unraisable exception", "__del__", "KeyError: 'order'", "")],
                         self.taken())
        self.assertEqual(["KeyError"], self.shown)

    def test_callback_of_a_weak_reference(self):
        value = Broken.__new__(type("Whole", (), {}))
        watch = weakref.ref(value, lambda gone: 1 / 0)
        del value
        self.assertIsNone(watch())
        self.assertEqual("ZeroDivisionError: division by zero", self.taken()[0][2])

    def test_nothing_is_left_in_place(self):
        make = threading._make_invoke_excepthook
        self.capture.remove()
        self.assertIsNot(make, threading._make_invoke_excepthook)
        self.run_thread()
        Broken()
        self.assertEqual([], self.taken())


class Broken:
    """Raises as it dies."""

    def __del__(self):
        raise KeyError("order")


class BystanderTest(ComplaintsCase):
    """The window changes nothing for anybody else."""

    def test_everything_is_put_back(self):
        def state():
            return (warnings.filters, list(warnings.filters), warnings._showwarnmsg,
                    warnings.showwarning,
                    sys.unraisablehook, threading.excepthook, asyncio.base_events.logger)

        before = state()
        self.noticed()
        after = state()
        self.assertIs(after[0], before[0])
        self.assertEqual(after, before)

    def test_a_warning_shown_once_stays_shown_once(self):
        scope = {}
        code = compile("import warnings\ndef warn():\n    warnings.warn('again')\n", "shop.py",
                       "exec")
        exec(code, scope)
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("default")
            for _ in range(3):
                scope["warn"]()
                self.noticed()
        self.assertEqual([str(each.message) for each in shown], ["again"])

    def test_other_warnings_go_where_they_went(self):
        class Old:
            def __del__(self):
                warnings.warn("old", DeprecationWarning)
                warnings.warn("odd", RuntimeWarning)

        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", DeprecationWarning)
            in_a_cycle(Old())
            self.assertEqual(self.noticed(), [])
        self.assertEqual([str(each.message) for each in shown], ["old"])

    def test_warnings_outside_the_window_are_the_tests(self):
        self.noticed()
        with self.assertWarns(ResourceWarning):
            open(__file__)

    def test_users_hooks_hear_too(self):
        class Order:
            def __del__(self):
                raise ValueError

        noticed = []
        self.addCleanup(setattr, sys, "unraisablehook", sys.unraisablehook)
        sys.unraisablehook = lambda unraisable: noticed.append(unraisable.exc_type)
        in_a_cycle(Order())
        self.assertEqual(len(self.noticed()), 1)
        self.assertEqual(noticed, [ValueError])

    def test_hook_replaced_inside_the_window_stays(self):
        self.addCleanup(setattr, sys, "unraisablehook", sys.unraisablehook)

        def mine(unraisable):
            pass

        self.complaints.install()
        sys.unraisablehook = mine
        self.complaints.remove()
        self.assertIs(sys.unraisablehook, mine)

    def test_other_messages_of_asyncio_reach_its_logger(self):
        self.complaints.install()
        with self.assertLogs("asyncio", logging.WARNING) as logs:
            asyncio.base_events.logger.warning("slow")
            asyncio.base_events.logger.error("other")
        self.assertEqual(logs.output, ["WARNING:asyncio:slow", "ERROR:asyncio:other"])

    def test_a_loops_own_handler_hears_alone(self):
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        noticed = []
        loop.set_exception_handler(lambda loop, context: noticed.append(context["message"]))

        async def fail():
            raise KeyError

        task = loop.create_task(fail())
        loop.run_until_complete(asyncio.wait([task]))
        in_a_cycle(task)
        del task
        self.assertEqual(self.noticed(), [])
        self.assertEqual(noticed, ["Task exception was never retrieved"])

    def test_dead_records_are_forgotten(self):
        in_a_cycle(socket.socket())
        self.noticed()
        self.assertIsNone(self.records._dead)


class OfWhatDiedTest(ComplaintsCase):
    """A coroutine that a library's finalizer made, and could not await."""

    def complaint(self, source):
        complaint, = self.caught_in(source)
        self.assertEqual("coroutine was never awaited", complaint.kind)
        return complaint

    def caught_in(self, file):
        code = compile("async def close(): pass\n", file, "exec")
        names = {}
        exec(code, names)
        capture = ComplaintCapture(self.records)
        capture.install()
        try:
            # Made where no line is the user's: in a thread that runs the library's own alone.
            thread = threading.Thread(target=names["close"])
            thread.start()
            thread.join()
            gc.collect()
        finally:
            capture.remove()
        return capture.take()

    def test_of_a_library(self):
        complaint = self.complaint(os.path.join(os.sep, "x", "site-packages", "driver.py"))
        self.assertTrue(is_reported(complaint, {1}))
        self.assertFalse(is_reported(complaint, ()))

    def test_of_the_user(self):
        self.assertFalse(is_reported(self.complaint(os.path.join(os.sep, "x", "shop.py")), {1}))


if __name__ == "__main__":
    unittest.main()
