"""The process before and after a test: each kind of change on the real thing, and clean
look-alikes."""
import asyncio
import ctypes
import decimal
import gc
import importlib
import io
import locale
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest
import warnings
from unittest import mock

from unittest_leakfix._core.code_origin import short
from unittest_leakfix.process_state import descriptors, monitors
from unittest_leakfix.process_state.base import Change
from unittest_leakfix.process_state.monitors import ProcessState
from unittest_leakfix.tracing import value_text
from unittest_leakfix.tracing.acquisitions import Acquisitions
from unittest_leakfix.tracing.stacks import Frame

HERE = short(os.path.abspath(__file__))


def line_of(marker):
    """The line of this file that ends in the comment `marker`."""
    with open(__file__) as source:
        return [at for at, text in enumerate(source, 1) if text.endswith("# %s\n" % marker)][0]


class ProcessCase(unittest.TestCase):

    def setUp(self):
        self.records = Acquisitions()
        self.records.install()
        self.addCleanup(self.records.remove)
        self.folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(os.rmdir, self.folder)
        self.state = ProcessState(self.records)
        line_of("now")  # warm-up: linecache and codecs
        self.state.full()
        self.state.before()

    def one(self, changes):
        self.assertEqual(len(changes), 1, changes)
        return changes[0]

    def assertQuiet(self):
        for look in (self.state.after, self.state.full):
            self.assertEqual([each for each in look(0.01) if not each.quiet], [])


class ThreadTest(ProcessCase):

    def start(self, **options):
        stop = threading.Event()
        started = threading.Event()

        def loop():
            started.set()
            stop.wait()  # now

        thread = threading.Thread(target=loop, name="mailer-1", **options)
        thread.start()
        started.wait()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)
        return thread, stop, loop

    def test_thread(self):
        thread, _, loop = self.start()
        change = self.one(self.state.after(0.01))
        self.assertEqual(change, Change(
            "thread", "mailer-1", thread=thread.ident, at=Frame(HERE, line_of("now"), "loop"),
            runs="%s.%s" % (__name__, loop.__qualname__)))
        self.assertQuiet()

    def test_daemon_thread(self):
        self.start(daemon=True)
        self.assertTrue(self.one(self.state.after(0.01)).daemon)

    def test_timers(self):
        class Later(threading.Timer):
            pass

        for kind in (threading.Timer, Later):
            timer = kind(60, print)
            timer.name = "tick"
            timer.start()
            self.addCleanup(timer.join)
            self.addCleanup(timer.cancel)
            self.assertTrue(self.one(self.state.after(0.01)).timer)

    def test_thread_without_an_object(self):
        stop, started = threading.Event(), threading.Event()

        def raw():
            started.set()
            stop.wait()

        import _thread
        ident = _thread.start_new_thread(raw, ())
        started.wait()
        change = self.one(self.state.after(0.01))
        stop.set()
        self.assertEqual((change.kind, change.name, change.thread),
                         ("thread", "without a Thread object", ident))

    def test_thread_that_finishes_within_the_grace(self):
        _, stop, _ = self.start()
        timer = threading.Timer(0.02, stop.set)
        timer.start()
        self.addCleanup(timer.join)
        self.assertEqual(self.state.after(60), [])

    def test_the_same_thread_again_waits_less(self):
        for _ in range(7):
            self.start()
            self.state.after(0.01)
        self.assertEqual(max(self.state._outlasted.values()), 6)

    def test_thread_in_place_of_another(self):
        _, stop, _ = self.start()
        self.state.after(0.01)
        stop.set()
        while threading.active_count() > 1:
            time.sleep(0.001)
        self.assertEqual(self.state.after(0.01), [])
        self.start()
        self.assertEqual(self.one(self.state.after(0.01)).name, "mailer-1")


class DescriptorTest(ProcessCase):

    def test_file(self):
        path = os.path.join(self.folder, "orders.txt")
        fd = os.open(path, os.O_CREAT | os.O_RDWR)
        self.addCleanup(os.remove, path)
        self.addCleanup(os.close, fd)
        change = self.one(self.state.after())
        self.assertEqual(change, Change("descriptor", "file " + path, fd=fd, on=("file", path)))
        self.assertEqual(self.records.of_descriptor(change.fd).frames[0].function, "test_file")
        self.assertQuiet()

    def test_pipe(self):
        ends = os.pipe()
        for end in ends:
            self.addCleanup(os.close, end)
        self.assertEqual([(change.name, change.fd) for change in self.state.after()],
                         [("pipe", end) for end in ends])

    def test_connected_socket(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        port = server.getsockname()[1]
        self.assertEqual(self.one(self.state.after()).name, "socket 127.0.0.1:%d" % port)
        client = socket.create_connection(("127.0.0.1", port))
        self.addCleanup(client.close)
        self.assertEqual(self.one(self.state.after()).name,
                         "socket 127.0.0.1:%d -> 127.0.0.1:%d" % (client.getsockname()[1], port))

    def test_file_in_a_cycle_is_collected_first(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            self.state.before()
            cycle = [open(__file__)]
            cycle.append(cycle)
            del cycle
            self.assertEqual(self.state.after(), [])

    def test_foreign_close(self):
        ends = os.pipe()
        self.state.before()
        os.close(ends[0])
        self.addCleanup(os.close, ends[1])
        self.assertEqual(self.one(self.state.after()),
                         Change("closed descriptor", "pipe", fd=ends[0], on=("pipe", "")))

    def test_foreign_close_of_a_socket(self):
        server = socket.create_server(("127.0.0.1", 0))
        port, fd = server.getsockname()[1], server.fileno()
        self.state.before()
        server.close()
        self.assertEqual(self.one(self.state.after()), Change(
            "closed descriptor", "socket 127.0.0.1:%d" % port, fd=fd,
            on=("socket", "127.0.0.1:%d" % port)))

    def test_foreign_close_hidden_by_another_file(self):
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        self.state.before()
        os.close(read)
        self.assertEqual(os.open(__file__, os.O_RDONLY), read)
        self.addCleanup(os.close, read)
        self.assertEqual(self.state.after(), [], "one closed and one opened hide each other")
        closed, opened = self.state.full()
        name = "file " + os.path.abspath(__file__)
        self.assertEqual((closed.kind, closed.fd, closed.reused_by),
                         ("closed descriptor", read, name))
        self.assertEqual((opened.kind, opened.fd, opened.name), ("descriptor", read, name))

    def test_end_of_a_reported_descriptor_is_no_foreign_close(self):
        fd = os.open(__file__, os.O_RDONLY)
        self.one(self.state.after())
        os.close(fd)
        self.assertQuiet()

    def test_opened_and_closed(self):
        open(__file__).close()
        self.assertQuiet()

    def open_in_c(self, path):
        """Open as a library does for itself: no Python code sees it."""
        fd = ctypes.CDLL(None).open(os.fsencode(path), os.O_RDONLY)
        self.assertGreater(fd, 0)
        self.addCleanup(os.close, fd)
        return fd

    def a_library(self):
        found = sorted(path for path in descriptors.loaded_files() if ".so" in path)
        if not found:
            self.skipTest("the system does not list the libraries it has loaded")
        return found[0]

    def test_loaded_library_opens_itself(self):
        # As libffi 3.5 does, for its trampolines.
        self.open_in_c(self.a_library())
        self.assertQuiet()

    def test_loaded_library_opened_by_a_test(self):
        path = self.a_library()
        fd = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.assertEqual(self.one(self.state.after()).name, "file " + path)

    def test_other_file_opened_in_c(self):
        fd = self.open_in_c(__file__)
        change = self.one(self.state.after())
        self.assertEqual((change.name, change.fd), ("file " + os.path.abspath(__file__), fd))


class ChildTest(ProcessCase):

    def test_running_child_then_zombie(self):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        changes = [change for change in self.state.after(0.01) if change.kind == "child process"]
        change = self.one(changes)
        self.assertEqual((change.pid, change.how), (child.pid, "running"))
        self.assertTrue(change.name.endswith("-c input()"), change.name)
        self.assertEqual(self.records.of_pid(change.pid).frames[0].function,
                         "test_running_child_then_zombie")
        child.communicate(b"\n")
        self.assertQuiet()

    def test_zombie(self):
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        change = self.one(self.state.after())
        self.assertEqual((change.kind, change.pid, change.how),
                         ("child process", pid, "ended"))
        os.waitpid(pid, 0)
        self.assertQuiet()

    def test_child_that_was_waited_for(self):
        subprocess.run([sys.executable, "-c", ""], check=True)
        self.assertQuiet()

    def test_child_that_ends_within_the_grace(self):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        waiter = threading.Timer(0.01, child.communicate, (b"\n",))
        waiter.start()
        self.assertEqual(self.state.after(60), [])
        waiter.join()


class SettingTest(ProcessCase):
    """Each change by its golden value, and put back by `restore`."""

    def check(self, *expected, **options):
        changes = (self.state.full if options.get("full") else self.state.after)(0.01)
        # The id of a handler or patch finds its record.
        self.assertEqual([each._replace(oid=0, windows=1) for each in changes], list(expected))
        kinds = {change.kind for change in changes}
        with mock.patch.object(monitors, "RESTORED", kinds):    # what is not put back in a run, too
            self.assertEqual(self.state.restore(changes),
                             [each for each in changes if each.restorable])
        self.assertQuiet()

    def test_environment(self):
        os.environ["LEAKFIX_KEPT"] = "old"
        os.environ["LEAKFIX_GONE"] = "x" * 100
        self.state.before()
        mapping = os.environ
        os.environ["LEAKFIX_KEPT"] = "new"
        os.environ["LEAKFIX_PASSWORD"] = "hunter2"
        os.environ["LEAKFIX_URL"] = "mysql://me:hunter2@db/shop"
        del os.environ["LEAKFIX_GONE"]
        self.check(
            Change("environment", "LEAKFIX_GONE", "removed", "x" * 28 + "..." + "x" * 29, "", True),
            Change("environment", "LEAKFIX_KEPT", "changed", "old", "new", True),
            Change("environment", "LEAKFIX_PASSWORD", "added", "", "***", True),
            Change("environment", "LEAKFIX_URL", "added", "", "mysql://me:***@db/shop", True),
        )
        self.assertIs(os.environ, mapping)
        self.assertEqual((os.environ.pop("LEAKFIX_KEPT"), os.environ.pop("LEAKFIX_GONE")),
                         ("old", "x" * 100))
        self.assertNotIn("LEAKFIX_PASSWORD", os.environ)

    def test_environment_replaced(self):
        mapping = os.environ
        self.addCleanup(setattr, os, "environ", mapping)
        os.environ = dict(mapping)
        change = self.one(self.state.after())
        self.assertEqual(("environment", "os.environ", "replaced", True),
                         (change.kind, change.name, change.how, change.restorable))
        self.state.restore([change])
        self.assertIs(os.environ, mapping)

    def test_environment_replaced_for_long(self):
        self.addCleanup(setattr, os, "environ", os.environ)
        os.environ = {"LEAKFIX": "1"}
        self.state.before()
        self.assertEqual(self.state.after(), [])
        os.environ["LEAKFIX"] = "2"
        self.assertEqual(self.one(self.state.after()),
                         Change("environment", "LEAKFIX", "changed", "1", "2", True))

    def test_environment_restored_by_the_test(self):
        with mock.patch.dict(os.environ, {"LEAKFIX": "1"}):
            pass
        self.assertQuiet()

    def test_working_directory(self):
        start = os.getcwd()
        os.chdir(self.folder)
        self.check(Change("working directory", "os.getcwd()", "changed", start, self.folder, True,
                          path=self.folder))
        self.assertEqual(os.getcwd(), start)

    def test_working_directory_removed(self):
        start, gone = os.getcwd(), tempfile.mkdtemp()
        os.chdir(gone)
        os.rmdir(gone)
        self.check(Change("working directory", "os.getcwd()", "removed", start, "(removed)", True,
                          path="(removed)"))

    def test_sys_path(self):
        count, path = len(sys.path), sys.path
        sys.path.insert(0, "/shop")
        self.check(Change("sys.path", "sys.path", "", "%d entries" % count,
                          "%d entries" % (count + 1), True, added=("/shop",)))
        self.assertIs(sys.path, path)
        sys.path = list(path)
        self.check(Change("sys.path", "sys.path", "",
                          "%d entries" % count, "%d entries" % count, True, replaced=True))
        self.assertIs(sys.path, path)

    def test_patches(self):
        mock.patch("time.sleep").start()
        mock.patch.object(socket.socket, "close").start()
        self.check(
            Change("patch", "socket.socket.close", "started", restorable=True),
            Change("patch", "time.sleep", "started", restorable=True),
        )
        self.assertEqual(type(time.sleep), type(len))

    def test_patch_stopped(self):
        patch = mock.patch("time.sleep")
        patch.start()
        patch.stop()
        self.assertQuiet()

    def test_attribute_replaced_by_hand(self):
        real = time.sleep
        self.addCleanup(setattr, time, "sleep", real)
        time.sleep = mock.Mock()
        self.check(Change("patch", "time.sleep", "replaced",
                          "time.sleep", "unittest.mock.Mock object", True))
        self.assertIs(time.sleep, real)

    def test_seldom_replaced_attribute(self):
        real = tempfile.mkstemp
        self.addCleanup(setattr, tempfile, "mkstemp", real)
        tempfile.mkstemp = mock.Mock()
        self.assertEqual(self.state.after(), [], "seen once per class")
        self.check(Change("patch", "tempfile.mkstemp", "replaced",
                          "tempfile.mkstemp", "unittest.mock.Mock object", True), full=True)
        self.assertIs(tempfile.mkstemp, real)

    def test_what_was_found_is_looked_at_in_each_window_until_a_class_was_clean(self):
        self.addCleanup(setattr, tempfile, "mkstemp", tempfile.mkstemp)
        for _ in range(2):
            tempfile.mkstemp = mock.Mock()
            self.one(self.state.full())
            tempfile.mkstemp = mock.Mock()
            self.assertEqual(1, self.one(self.state.after()).windows)
            self.assertEqual([], self.state.full(), "it was found since the class before")
            tempfile.mkstemp = mock.Mock()
            self.one(self.state.after())
            self.state.full()
            self.assertEqual([], self.state.full(), "a clean class")
            tempfile.mkstemp = mock.Mock()
            self.assertEqual([], self.state.after())

    def test_a_module_that_was_loaded_anew_is_as_it_was(self):
        for module in (random, tempfile):
            with self.subTest(module=module.__name__):
                self.state.full()
                names = dict(vars(module))
                self.addCleanup(vars(module).update, names)
                importlib.reload(module)
                self.assertQuiet()
                # What is replaced from then on is seen.
                mend = module.gettempdir if module is tempfile else module.randint
                self.addCleanup(setattr, module, mend.__name__, mend)
                setattr(module, mend.__name__, mock.Mock())
                self.assertEqual("%s.%s" % (module.__name__, mend.__name__),
                                 self.one(self.state.full()).name)

    def test_logging_handler(self):
        handler = logging.NullHandler()
        logging.getLogger("shop").addHandler(handler)
        self.check(Change("logging handler", "logging.NullHandler", "added", restorable=True,
                          owner="shop"))
        self.assertEqual(logging.getLogger("shop").handlers, [])

    def test_logging_levels(self):
        level = logging.getLevelName(logging.root.level)
        logging.root.setLevel(1)
        logging.disable(20)
        self.addCleanup(logging.disable, 0)
        self.check(Change("logging level", "logging.disable()", "", "0", "20", True),
                   Change("logging level", "logger root", "", level, "Level 1", True))
        logging.getLogger("shop").propagate = False
        self.check(Change("logging level", "logger shop", "", "True", "False", True,
                          owner="propagate"), full=True)

    def test_a_library_sets_up_its_own_logger_as_it_is_imported(self):
        name = "library_of_%s" % self._testMethodName
        sys.modules[name] = types.ModuleType(name)
        self.addCleanup(sys.modules.pop, name)
        logging.getLogger(name).setLevel(logging.WARNING)
        self.assertEqual(["module"], [each.kind for each in self.state.full()])
        logging.getLogger(name).setLevel(logging.ERROR)
        self.check(Change("logging level", "logger " + name, "", "WARNING", "ERROR", True),
                   full=True)

    def test_warning_filter(self):
        count, filters, contents = len(warnings.filters), warnings.filters, list(warnings.filters)
        warnings.filterwarnings("ignore", message="shop")
        self.check(Change("warning filter", "warnings.filters", "", "%d filters" % count,
                          "%d filters" % (count + 1),
                          True, added=("ignore Warning message='shop'",)))
        self.assertIs(warnings.filters, filters)
        self.assertEqual(filters, contents)

    def test_warnings_caught(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
        self.assertQuiet()

    def test_signal_handlers(self):
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))
        self.addCleanup(signal.signal, signal.SIGUSR2, signal.getsignal(signal.SIGUSR2))
        signal.signal(signal.SIGUSR1, len_of)
        self.check(Change("signal handler", "SIGUSR1", "", "0", __name__ + ".len_of", True))
        signal.signal(signal.SIGUSR2, len_of)
        self.check(Change("signal handler", "SIGUSR2", "", "0", __name__ + ".len_of", True),
                   full=True)

    def test_hooks_and_streams(self):
        self.addCleanup(setattr, sys, "excepthook", sys.excepthook)
        self.addCleanup(setattr, sys, "stdout", sys.stdout)
        before = type(sys.stdout)
        name = "%s.%s object" % (before.__module__, before.__qualname__)
        hook = value_text.name_text(sys.excepthook)    # a library may have its own there by now
        sys.excepthook = len_of
        sys.stdout = io.StringIO()
        self.check(Change("hook", "sys.excepthook", "", hook, __name__ + ".len_of", True),
                   Change("stream", "sys.stdout", "", name, "_io.StringIO object", True))

    def test_values(self):
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + 1)
        gc.disable()
        socket.setdefaulttimeout(3.5)
        self.check(
            Change("interpreter setting", "sys.getrecursionlimit()", "", str(limit), str(limit + 1),
                   True),
            Change("interpreter setting", "gc.isenabled()", "", "True", "False", True),
            Change("socket timeout", "socket.getdefaulttimeout()", "", "None", "3.5", True),
        )
        self.assertEqual((gc.isenabled(), socket.getdefaulttimeout()), (True, None))

    def test_timer(self):
        signal.setitimer(signal.ITIMER_REAL, 1000)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        self.assertEqual(self.one(self.state.after()),
                         Change("alarm", "signal.setitimer(ITIMER_REAL)", "", "False", "True",
                                True))

    def test_umask(self):
        old = os.umask(0o012)
        self.addCleanup(os.umask, old)
        self.check(Change("umask", "os.umask()", "", "0o%03o" % old, "0o012", True), full=True)

    def test_locale(self):
        old = locale.setlocale(locale.LC_ALL)
        self.addCleanup(locale.setlocale, locale.LC_ALL, old)
        locale.setlocale(locale.LC_NUMERIC, "C.UTF-8")
        new = locale.setlocale(locale.LC_ALL)
        change = self.one(self.state.full())
        self.assertEqual((change.kind, change.name), ("locale", "locale.setlocale(LC_ALL)"))
        with mock.patch.object(monitors, "RESTORED", {"locale"}):
            self.state.restore([change])
        self.assertEqual(locale.setlocale(locale.LC_ALL), old, new)

    def test_decimal_context(self):
        precision = decimal.getcontext().prec
        self.addCleanup(setattr, decimal.getcontext(), "prec", precision)
        decimal.getcontext().prec = 7
        self.assertEqual(Change("decimal context", "decimal.getcontext().prec", "",
                                str(precision), "7", True), self.one(self.state.after()))
        traps = decimal.getcontext().traps
        self.addCleanup(traps.__setitem__, decimal.Inexact, traps[decimal.Inexact])
        traps[decimal.Inexact] = True
        self.assertIn("Inexact", self.one(self.state.full()).after)

    def test_decimal_is_imported_meanwhile(self):
        module = sys.modules.pop("decimal")
        try:
            self.state.before(costly=True)
        finally:
            sys.modules["decimal"] = module
        self.assertEqual([], self.state.full())

    def test_restore_leaves_the_rest(self):
        os.environ["LEAKFIX"] = "1"
        socket.setdefaulttimeout(3)
        self.addCleanup(socket.setdefaulttimeout, None)
        changes = self.state.after()
        with mock.patch.object(monitors, "RESTORED", ["environment"]):
            self.assertEqual([change.name for change in self.state.restore(changes)], ["LEAKFIX"])
        self.assertEqual((os.environ.get("LEAKFIX"), socket.getdefaulttimeout()), (None, 3))


def len_of(*args):
    return len(args)


class TemporaryTest(ProcessCase):

    def test_folder_and_file(self):
        folder = tempfile.mkdtemp()
        handle, path = tempfile.mkstemp()
        os.close(handle)
        self.assertEqual(self.state.after(), [
            Change("temporary folder", folder, "", path=folder),
            Change("temporary file", path, "", path=path),
        ])
        os.rmdir(folder)
        os.remove(path)
        self.assertQuiet()

    def test_removed(self):
        with tempfile.TemporaryDirectory(), tempfile.NamedTemporaryFile():
            pass
        self.assertQuiet()


class LoopTest(ProcessCase):

    def others(self, changes):
        return [change._replace(oid=0) for change in changes
                if change.kind in ("event loop", "task")]

    def test_loop_and_task(self):
        async def work():
            await asyncio.sleep(1000)  # awaits

        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        asyncio.set_event_loop(loop)
        self.addCleanup(asyncio.set_event_loop, None)
        task = loop.create_task(work(),
                                **({"name": "worker"} if sys.version_info >= (3, 8) else {}))
        loop.run_until_complete(asyncio.sleep(0))
        self.assertEqual(self.others(self.state.after()), [
            Change("event loop", type(loop).__name__, "open"),
            Change("task", "worker", "pending", at=Frame(HERE, line_of("awaits"), ""),
                   runs=work.__qualname__),
        ])
        self.assertQuiet()
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))

    def test_loop_that_is_not_current(self):
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        self.assertEqual(self.others(self.state.after()),
                         [Change("event loop", type(loop).__name__, "open")])

    def test_closed_loop(self):
        async def work():
            await asyncio.sleep(0)

        asyncio.run(work())
        self.assertQuiet()


class FaultTest(ProcessCase):

    def test_odd_objects_in_lists(self):
        class Odd:
            def __eq__(self, other):
                raise ZeroDivisionError

            __hash__ = None

            def __repr__(self):
                raise ZeroDivisionError

        odd = Odd()
        sys.path.append(odd)
        self.addCleanup(
            lambda: sys.path.pop(next(at for at, each in enumerate(sys.path) if each is odd)))
        os.environ["LEAKFIX"] = "1"
        self.addCleanup(os.environ.pop, "LEAKFIX", None)
        self.assertIn("LEAKFIX", [change.name for change in self.state.after(0.01)])

    def test_patched_functions(self):
        real = time.sleep
        with mock.patch("os.stat"), mock.patch("os.listdir"), mock.patch("time.sleep"), \
                mock.patch("os.getcwd"), mock.patch(
                    "gc.collect"), mock.patch("os.open"), mock.patch("os.getpid"):
            fd = os.dup(1)
            changes = self.state.after(0.01)
            os.close(fd)
        self.assertEqual([change.fd for change in changes if change.kind != "patch"], [fd])
        self.assertIs(time.sleep, real)

    def test_nothing_is_kept_alive(self):
        import weakref

        class Held(io.StringIO):
            pass

        stream, sys.stdin = sys.stdin, Held()
        seen = weakref.ref(sys.stdin)
        self.one(self.state.after())
        sys.stdin = stream
        self.one(self.state.after())
        self.state.before()
        self.state._undo = []
        gc.collect()
        self.assertIsNone(seen())


class PaceTest(ProcessCase):
    """Windows without a look, and expensive monitors that are looked at in some classes only."""

    def setUp(self):
        super().setUp()
        self.due = True
        self.pace = mock.Mock(due=lambda number: self.due, begin=lambda: None)
        self.state = ProcessState(self.records, pace=self.pace)
        self.state.before()
        self.addCleanup(os.environ.pop, "LEAKFIX_PACE", None)
        self.addCleanup(setattr, tempfile, "mkstemp", tempfile.mkstemp)

    def test_what_came_in_a_window_without_a_look_may_be_of_any_of_them(self):
        self.state.skip()
        os.environ["LEAKFIX_PACE"] = "1"
        self.state.skip()
        self.assertTrue(self.state.behind)
        self.assertEqual(3, self.one(self.state.after()).windows)
        self.assertFalse(self.state.behind)
        os.environ["LEAKFIX_PACE"] = "2"
        self.assertEqual(1, self.one(self.state.after()).windows)

    def test_catching_up(self):
        self.state.skip()
        os.environ["LEAKFIX_PACE"] = "1"
        self.state.skip()
        self.assertEqual(2, self.one(self.state.catch_up()).windows)

    def test_a_class_is_over_and_some_windows_were_without_a_look(self):
        os.environ["LEAKFIX_PACE"] = "1"
        self.state.skip()
        self.assertEqual(1, self.one(self.state.full()).windows)

    def test_an_expensive_monitor_is_not_due(self):
        self.due = False
        tempfile.mkstemp = mock.Mock()
        self.state.after()
        self.assertEqual([], self.state.full())
        self.assertFalse(self.state.whole)
        self.state.after()
        self.due = True
        self.assertEqual(2, self.one(self.state.full()).windows)
        self.assertTrue(self.state.whole)

    def test_at_the_end_all_are_looked_at(self):
        self.due = False
        tempfile.mkstemp = mock.Mock()
        self.assertEqual("tempfile.mkstemp", self.one(self.state.full(whole=True)).name)

    def test_what_is_not_due_is_not_taken_for_put_back(self):
        self.due = False
        tempfile.mkstemp = mock.Mock()
        os.environ["LEAKFIX_PACE"] = "1"
        self.state.restore(self.state.after())
        self.due = True
        self.assertEqual("tempfile.mkstemp", self.one(self.state.full()).name)

    def test_each_look_is_measured(self):
        self.state.full()
        numbers = [call[0][0] for call in self.pace.looked.call_args_list]
        self.assertEqual([number for number, make in enumerate(monitors.MONITORS)
                          if not make(None).per_test], numbers)


if __name__ == "__main__":
    unittest.main()
