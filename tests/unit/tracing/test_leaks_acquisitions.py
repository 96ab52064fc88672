"""Where resources were opened: each kind on the real thing, and never a stale record."""
import asyncio
import gc
import multiprocessing
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import types
import unittest
from unittest import mock

from unittest_leakfix._core.code_origin import short
from unittest_leakfix.tracing import deduced, os_facts, stacks
from unittest_leakfix.tracing.acquisitions import Acquisitions

_pipe = os.pipe     # the one that nobody watches
HERE = short(os.path.abspath(__file__))


def line_of(marker, number=0):
    """The line of this file that ends in the comment `marker`."""
    with open(__file__) as source:
        return [at for at, text in enumerate(source, 1) if text.endswith("# %s\n" % marker)][number]


class AcquisitionsCase(unittest.TestCase):

    def setUp(self):
        self.records = Acquisitions()
        self.records.install()
        self.addCleanup(self.records.remove)
        self.records.current = "OrderTests.test_checkout"
        self.folder = tempfile.mkdtemp()
        self.addCleanup(os.rmdir, self.folder)

    def path(self, name="orders.txt"):
        path = os.path.join(self.folder, name)
        open(path, "a").close()
        self.addCleanup(os.remove, path)
        return path

    def assertOpened(self, record, what, detail, marker):
        self.assertIsNotNone(record)
        self.assertEqual(
            (record.what, record.detail, record.test, record.thread),
            (what, detail, "OrderTests.test_checkout", threading.current_thread().name))
        frame = record.frames[0]
        self.assertEqual((frame.file, frame.line, frame.function),
                         (HERE, line_of(marker), self._testMethodName))


class KindsTest(AcquisitionsCase):

    def test_file(self):
        path = self.path()
        with open(path) as file:  # file
            self.assertOpened(self.records.of(file), "file", path, "file")
            self.assertOpened(self.records.of(file.buffer), "file", path, "file")
            self.assertOpened(self.records.of_descriptor(file.fileno()), "file", path, "file")
        self.assertIsNone(self.records.of(file))

    def test_descriptor(self):
        path = self.path()
        fd = os.open(path, os.O_RDONLY)  # descriptor
        self.addCleanup(os.close, fd)
        self.assertOpened(self.records.of_descriptor(fd), "file", path, "descriptor")

    def test_file_by_relative_path(self):
        path = self.path()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        with open("orders.txt") as file:  # relative
            os.chdir("/")
            self.assertOpened(self.records.of(file), "file", "orders.txt", "relative")
        self.assertTrue(path)

    def test_bound_socket(self):
        sock = socket.socket()  # socket
        self.addCleanup(sock.close)
        sock.bind(("127.0.0.1", 0))
        self.assertOpened(self.records.of(sock), "socket", "127.0.0.1:0", "socket")
        self.assertEqual(self.records.of_descriptor(sock.fileno()), self.records.of(sock))

    def test_accepted_socket(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        client = socket.create_connection(server.getsockname())  # connect
        self.addCleanup(client.close)
        accepted, _ = server.accept()  # accept
        self.addCleanup(accepted.close)
        self.assertOpened(self.records.of(accepted), "socket", "", "accept")
        self.assertOpened(self.records.of(client), "socket",
                          "127.0.0.1:%d" % server.getsockname()[1], "connect")

    def test_sqlite_connection(self):
        path = self.path("orders.db")
        connection = sqlite3.connect(path)  # sqlite
        self.addCleanup(connection.close)
        self.assertOpened(self.records.of(connection), "sqlite3 connection", path, "sqlite")

    def test_sqlite_descriptor(self):
        path = self.path("orders.db")
        connection = sqlite3.connect(path)  # sqlite fd
        self.addCleanup(connection.close)
        connection.execute("create table orders (id)")
        fds = [fd for fd in range(3, 200) if os_facts.target(fd) == os.path.realpath(path)]
        self.assertOpened(self.records.of_descriptor(fds[0]), "sqlite3 connection", path,
                          "sqlite fd")

    def test_child_process(self):
        child = subprocess.Popen([sys.executable, "-c", "", "--password", "hunter2"])  # popen
        command = "%s -c  --password ***" % sys.executable
        record = self.records.of(child)
        self.assertEqual(self.records.of_pid(child.pid), record)
        child.wait()
        self.assertNotIn("hunter2", repr(record))
        self.assertOpened(record, "child process", record.detail, "popen")
        self.assertTrue(command.endswith("--password ***")
                        and record.detail.endswith("--password ***"))

    def test_dropped_child_process(self):
        with self.assertWarns(ResourceWarning):
            command = [sys.executable, "-c", "input()"]
            pid = subprocess.Popen(command, stdin=subprocess.PIPE).pid  # dropped
        try:
            self.assertOpened(self.records.of_pid(pid), "child process",
                              self.records.of_pid(pid).detail, "dropped")
        finally:
            os.kill(pid, 9)
            child, = [child for child in subprocess._active if child.pid == pid]
            child.communicate()

    def test_forked_process(self):
        pid = os.fork()  # fork
        if not pid:
            os._exit(0)
        record = self.records.of_pid(pid)
        os.waitpid(pid, 0)
        self.assertOpened(record, "child process", "fork", "fork")

    def test_multiprocessing_process(self):
        for method in ("fork", "spawn"):
            child = multiprocessing.get_context(method).Process(target=len, args=("",),
                                                                name="worker")
            child.start()  # start
            record = self.records.of_pid(child.pid)
            child.join()
            self.assertOpened(record, "child process", "worker", "start")

    def test_thread(self):
        thread = threading.Thread(target=len, args=("",), name="mailer-1")
        thread.start()  # thread
        record = self.records.of_thread(thread)
        thread.join()
        self.assertOpened(record, "thread", "mailer-1", "thread")

    def test_thread_names_its_opener(self):
        path, found = self.path(), []

        def work():
            with open(path) as file:
                found.append(self.records.of(file))

        thread = threading.Thread(target=work, name="mailer-2")
        thread.start()
        thread.join()
        self.assertEqual((found[0].thread, found[0].frames[0].function), ("mailer-2", "work"))

    def test_temporary_folder(self):
        with tempfile.TemporaryDirectory() as path:  # folder
            self.assertOpened(self.records.of_path(path), "temporary folder", path, "folder")
            self.assertIn(path, self.records.left(set()))
        self.assertNotIn(path, self.records.left(set()))

    def test_temporary_file(self):
        with tempfile.NamedTemporaryFile() as file:  # named
            self.assertOpened(self.records.of(file), "temporary file", file.name, "named")
            self.assertOpened(self.records.of(file.file), "temporary file", file.name, "named")

    def test_event_loop_and_task(self):
        async def work():
            pass

        loop = asyncio.new_event_loop()  # loop
        self.addCleanup(loop.close)
        self.assertOpened(self.records.of(loop), "event loop", type(loop).__name__, "loop")
        task = loop.create_task(work())  # task
        self.assertEqual(self.records.of(task).detail, work.__qualname__)
        self.assertOpened(self.records.of(task), "task", work.__qualname__, "task")
        loop.run_until_complete(task)

    def test_debug_stack_of_a_task_shows_no_wrapper(self):
        async def work():
            pass

        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        loop.set_debug(True)
        task = loop.create_task(work())
        self.assertEqual(task._source_traceback[-1].filename, __file__)
        loop.run_until_complete(task)


class StaleTest(AcquisitionsCase):
    """A record is never given to what came after its resource."""

    def test_descriptor_reused_by_a_pipe(self):
        fd = os.open(self.path(), os.O_RDONLY)
        os.close(fd)
        ends = _pipe()
        self.addCleanup(os.close, ends[0])
        self.addCleanup(os.close, ends[1])
        self.assertIn(fd, ends)
        self.assertIsNone(self.records.of_descriptor(fd))

    def test_same_path_opened_twice(self):
        path = self.path()
        first = open(path)  # first
        self.addCleanup(first.close)
        open(path).close()
        self.assertOpened(self.records.of(first), "file", path, "first")

    def test_connection_that_nobody_announced(self):
        connections = [sqlite3.connect(":memory:") for _ in range(10)]
        self.records.remove()
        self.records.install()
        for connection in connections:
            self.addCleanup(connection.close)
            self.assertIsNone(self.records.of(connection))

    def test_id_of_a_dead_connection(self):
        sqlite3.connect(":memory:").close()
        other = type("Other", (), {})()
        record, = self.records._connections.values()
        self.records._connections[id(other)] = record  # as if `other` had been put where it was
        self.assertIsNone(self.records.of(other))

    def test_dead_socket(self):
        key = id(socket.socket().close())
        self.assertNotIn(key, self.records._ties)
        self.assertEqual(self.records._ties, {})

    def test_failed_open(self):
        with self.assertRaises(OSError):
            open(os.path.join(self.folder, "missing"))
        ends = _pipe()
        self.addCleanup(os.close, ends[0])
        self.addCleanup(os.close, ends[1])
        self.assertEqual([self.records.of_descriptor(end) for end in ends], [None, None])


class DeducedTest(AcquisitionsCase):

    def load(self, name, text):
        """Make a module of the user's of *text*, which is loaded until the test ends."""
        module = types.ModuleType(name)
        module.__file__ = self.path(name + ".py")
        exec(compile(text, module.__file__, "exec"), vars(module))
        sys.modules[name] = module
        self.addCleanup(sys.modules.pop, name)

    def test_the_one_line_that_sets_it(self):
        self.load("deduced_first", "def change(shop):\n    shop.afford_rate = 1\n")
        found = self.records.deduced_setter("afford_rate")
        self.assertEqual((2, "change"), found.frames[0][1:])
        self.assertIsNone(self.records.deduced_setter("afford_rite"))

    def test_of_two_lines_nothing_is_said(self):
        self.load("deduced_two", "def change(shop):\n    shop.afford_rate = 1\n"
                                 "    setattr(shop, 'afford_rate', 2)\n")
        self.assertIsNone(self.records.deduced_setter("afford_rate"))

    def test_by_setattr_and_in_a_method_of_a_nested_function(self):
        self.load("deduced_three", "class Shop:\n    def change(self):\n        def inner():\n"
                                   "            setattr(self, 'afford_tax', 2)\n"
                                   "        return inner\n")
        self.assertEqual((4, "inner"), self.records.deduced_setter("afford_tax").frames[0][1:])

    def test_what_calls_it(self):
        self.load("deduced_call", "def watch(select):\n    return select.afford_poll()\n")
        self.assertEqual(2, self.records.deduced("afford_poll").frames[0].line)

    def test_a_module_that_is_loaded_later(self):
        self.assertIsNone(self.records.deduced_setter("afford_late"))
        self.load("deduced_late", "def change(shop):\n    shop.afford_late = 1\n")
        self.assertEqual("change", self.records.deduced_setter("afford_late").frames[0].function)
        self.load("deduced_later", "def again(shop):\n    shop.afford_late = 1\n")
        self.assertIsNone(self.records.deduced_setter("afford_late"))

    def test_the_code_is_gone_over_once(self):
        with mock.patch.object(deduced, "codes_in", side_effect=deduced.codes_in) as gone_over:
            for name in ("afford_one", "afford_two", "afford_three"):
                self.records.deduced_setter(name)
        self.assertEqual(1, gone_over.call_count)


class OnAndOffTest(AcquisitionsCase):

    def test_many_opens_do_not_grow(self):
        path = self.path()
        for _ in range(3000):
            open(path).close()
            socket.socket().close()
            sqlite3.connect(":memory:").close()
            handle, name = tempfile.mkstemp()
            os.close(handle)
            os.remove(name)
        gc.collect()
        kept = {name: len(getattr(self.records, name))
                for name in ("_files", "_ties", "_connections", "paths", "_connecting")}
        self.assertLess(kept.pop("_files"), 64)
        self.assertEqual(kept.pop("_ties"), 0)
        self.assertLessEqual(kept.pop("_connections"), 4096)
        self.assertLessEqual(max(kept.values()), 1000, kept)

    def test_records_are_invisible_to_the_collector(self):
        gc.collect()
        path = self.path()
        files = [open(path) for _ in range(20)]
        gc.collect()
        # By type first: what other tests left about may compare as it likes.
        ours = [each for each in gc.get_objects() if type(each) is tuple
                and any(type(part) is str and part == path for part in each)]
        for file in files:
            file.close()
        self.assertEqual(ours, [])

    def test_off_records_nothing_and_leaves_no_wrapper(self):
        self.records.remove()
        with open(self.path()) as file:
            self.assertIsNone(self.records.of(file))
        wrapped = [
            asyncio.base_events.BaseEventLoop.__init__,
            asyncio.base_events.BaseEventLoop.create_task,
            multiprocessing.process.BaseProcess.start, sqlite3.connect,
            getattr(threading, "_start_new_thread", None),
        ]
        self.assertEqual([each for each in wrapped if hasattr(each, "__wrapped__")], [])

    def test_two_at_once(self):
        inner = Acquisitions()
        inner.install()
        inner.current = "inner"
        path = self.path()
        with open(path) as file:
            self.assertEqual((self.records.of(file).test, inner.of(file).test),
                             (self.records.current, "inner"))
            inner.remove()
            self.assertIsNone(inner.of(file))
            self.assertIsNotNone(self.records.of(file))

    def test_forked_child_records_nothing(self):
        path = self.path()
        pid = os.fork()
        if not pid:
            code = 1
            try:
                kept = self.records.serial()
                with open(path) as file:
                    code = 0 if self.records.of(
                        file) is None and self.records.serial() == kept + 1 else 2
            finally:
                os._exit(code)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_patched_os_does_no_harm(self):
        path = self.path()
        with mock.patch("os.dup", side_effect=ValueError), mock.patch("os.getpid",
                                                                      return_value=-1), \
                mock.patch("os.close", side_effect=ValueError), open(path) as file:
            self.assertIsNotNone(self.records.of(file))

    def test_own_descriptor_closed_by_a_test(self):
        os.close(self.records.own_descriptor)
        path = self.path()
        with open(path) as file:
            self.assertIsNotNone(file)
        self.records.renew_probe()
        with open(path) as file:
            self.assertIsNotNone(self.records.of(file))

    def test_odd_paths(self):
        path = self.path()
        with open(path.encode()) as file:
            self.assertEqual(self.records.of(file).detail, path)

        class Lying(str):
            def __eq__(self, other):
                raise ZeroDivisionError

            __hash__ = str.__hash__

        with open(Lying(path)) as file:
            self.assertEqual(self.records.of(file).detail, path)


class GeneratedTest(unittest.TestCase):
    """A library's generated function is called "<string>", as what ``python -c`` runs."""

    def test_stack(self):
        for module, wanted in (("sqlalchemy.orm.session", "test_stack"), ("__main__", "generated")):
            names = {"__name__": module, "stack": stacks.stack, "sys": sys}
            exec("def generated():\n    return stack(sys._getframe())\n", names)
            self.assertEqual(wanted, stacks.frames_of(names["generated"]())[0].function)


if __name__ == "__main__":
    unittest.main()
