"""A number is not an identity: descriptors, processes, threads and ids that are others' by now."""
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import types
import unittest
from unittest import mock

from tests.support.paths import ROOT
from unittest_leakfix.leaks.class_scope import SharedResources
from unittest_leakfix.leaks.resource_parts import held_resources
from unittest_leakfix.process_state.descriptors import Descriptors
from unittest_leakfix.process_state.monitors import ProcessState
from unittest_leakfix.resources import processes
from unittest_leakfix.tracing.acquisitions import Acquisitions


def run(source, *options):
    """Run a module of tests with finding on; return its status and output."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "sample.py"), "w") as file:
            file.write(textwrap.dedent(source))
        ran = subprocess.run(
            [sys.executable, "-m", "unittest_leakfix", "--leaks=report", *options, "sample"],
            cwd=folder,
            env=dict(os.environ, PYTHONPATH=ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return ran.returncode, ran.stdout.decode()


class Descriptor(unittest.TestCase):

    def setUp(self):
        self.records = Acquisitions()
        self.records.install()
        self.addCleanup(self.records.remove)

    def over(self, fd):
        """Put another file of the process's under the number *fd*."""
        other = os.open(os.devnull, os.O_RDONLY)
        os.dup2(other, fd)
        os.close(other)
        self.addCleanup(self.close, fd)

    def close(self, fd):
        try:
            os.close(fd)
        except OSError:
            pass

    def test_probe_that_is_another_file_is_not_closed(self):
        fd = self.records.own_descriptor
        self.over(fd)
        self.records.remove()
        self.assertTrue(os.path.samestat(os.fstat(fd), os.stat(os.devnull)))

    def test_probe_that_is_another_file_is_not_copied(self):
        fd = self.records.own_descriptor
        self.over(fd)
        copied = []
        with mock.patch.object(self.records, "_dup", copied.append):
            self.assertEqual(self.records.next_descriptor(), -1)
        self.assertEqual(copied, [])

    def test_probe_that_is_another_folder_does_not_count(self):
        watch = Descriptors(self.records)
        fd = self.records.own_descriptor
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o500)
            other = os.open(folder, os.O_RDONLY)
            os.dup2(other, fd)
            os.close(other)
            self.addCleanup(self.close, fd)
            self.assertEqual(watch.count(), Descriptors().count())
            self.assertIn(fd, watch.listing())

    def test_probe_is_renewed_where_it_was_lost(self):
        for lose in (os.close, self.over):
            lose(self.records.own_descriptor)
            self.assertEqual(self.records.own_descriptor, -1)
            self.records.renew_probe()
            self.assertGreaterEqual(self.records.own_descriptor, 0)

    def test_probe_takes_no_low_number(self):
        free = os.open(os.devnull, os.O_RDONLY)
        os.close(free)
        self.records.renew_probe()
        again = os.open(os.devnull, os.O_RDONLY)
        os.close(again)
        self.assertEqual(again, free)
        self.assertGreater(self.records.own_descriptor, free)

    def test_file_of_an_earlier_test_under_the_same_number(self):
        with tempfile.NamedTemporaryFile() as file:
            state = ProcessState(self.records)
            other = os.open(file.name, os.O_RDONLY)
            self.addCleanup(os.close, other)
            self.records.current = "earlier"
            fd = os.open(file.name, os.O_RDONLY)
            os.close(fd)
            self.records.current = "later"
            state.before()
            state.after()
            state._descriptors.retake()
            copy = os.dup(other)
            self.addCleanup(os.close, copy)
            self.assertEqual(copy, fd)
            changes = [change for change in state.after(0) if change.kind == "descriptor"]
            self.assertEqual([change.fd for change in changes], [fd])
            record = self.records.of_descriptor(fd)     # None where nothing tells of a dup
            self.assertIn(record.test if record is not None else "later", "later")

    def test_file_that_the_same_test_opened_is_its_own(self):
        with tempfile.NamedTemporaryFile() as file:
            state = ProcessState(self.records)
            self.records.current = "this"
            state.before()
            fd = os.open(file.name, os.O_RDONLY)
            self.addCleanup(os.close, fd)
            state.after(0)
            self.assertEqual(self.records.of_descriptor(fd).test, "this")

    def test_socket_whose_number_is_a_file_by_now(self):
        import socket
        one = socket.socket()
        self.addCleanup(one.detach)
        self.over(one.fileno())
        self.assertIsNone(self.records.of_descriptor(one.fileno()))

    def test_run_that_closes_them_all(self):
        for first, last in ((3, 200), (3, 1000)):
            status, text = run("""
                import atexit, os, sys, unittest
                LOG = []

                class A(unittest.TestCase):
                    def test_daemonise(self):
                        os.closerange(%d, %d)
                        for _ in range(8):
                            LOG.append(os.open("/dev/null", os.O_RDONLY))

                    def test_later(self):
                        pass

                @atexit.register
                def check():
                    for fd in LOG:
                        try:
                            os.fstat(fd)
                        except OSError:
                            sys.__stderr__.write("closed by somebody")
                """ % (first, last))
            self.assertEqual(status, 0, text)
            self.assertNotIn("closed by somebody", text)
            self.assertNotIn("Traceback", text)

    def test_run_that_puts_its_own_over_all_of_them(self):
        status, text = run("""
            import atexit, os, sys, unittest

            class A(unittest.TestCase):
                def test_puts(self):
                    null = os.open("/dev/null", os.O_RDONLY)
                    for fd in os.listdir("/proc/self/fd"):
                        if int(fd) > 2 and int(fd) != null:
                            os.dup2(null, int(fd))
                    type(self).all = [int(fd) for fd in os.listdir("/proc/self/fd")]

                def test_puts_then_leaks(self):
                    type(self).leaked = open(__file__)

            @atexit.register
            def check():
                gone = []
                for fd in A.all:
                    try:
                        os.fstat(fd)
                    except OSError:
                        gone.append(fd)
                if len(gone) > 1:       # the listing's own
                    sys.__stderr__.write("closed by somebody: %s" % gone)
            """)
        self.assertEqual(status, 0, text)
        self.assertNotIn("closed by somebody", text)
        self.assertIn("sample.py", text)
        self.assertNotIn("Not measured", text)


class Process(unittest.TestCase):

    def sleeping(self):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def test_child_that_was_waited_for_has_no_number(self):
        records = Acquisitions()
        records.install()
        self.addCleanup(records.remove)
        first = self.sleeping()
        first.kill()
        first.wait()
        second = self.sleeping()
        first.pid = second.pid      # as the system may give it again
        records.current = "later"
        found = records.of_pid(second.pid)
        self.assertEqual(found.test, "")
        self.assertNotIn(("pid", second.pid), held_resources(first, None)[0])
        self.assertIn(("pid", second.pid), held_resources(second, None)[0])

    @unittest.skipUnless("fork" in multiprocessing.get_all_start_methods(),
                         "this system does not fork")
    def test_child_that_somebody_else_waited_for_is_not_ended(self):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        child.start()
        os.kill(child.pid, 9)
        os.waitpid(child.pid, 0)    # which multiprocessing does not notice
        self.addCleanup(setattr, child._popen, "returncode", 0)
        kind = processes.KINDS["multiprocessing.process", "BaseProcess"]
        self.assertFalse(kind.is_open(child))
        with mock.patch("os.kill") as kill:
            kind.close(child)
        kill.assert_not_called()

    @unittest.skipUnless("fork" in multiprocessing.get_all_start_methods(),
                         "this system does not fork")
    def test_child_that_runs_is_ended(self):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        child.start()
        pid = child.pid
        kind = processes.KINDS["multiprocessing.process", "BaseProcess"]
        self.assertTrue(kind.is_open(child))
        kind.close(child)
        with self.assertRaises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)

    @unittest.skipUnless("forkserver" in multiprocessing.get_all_start_methods(),
                         "this system has no fork server")
    def test_child_of_the_fork_server_is_open(self):
        child = multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(60,))
        child.start()
        self.addCleanup(child.join)
        self.addCleanup(child.terminate)
        self.assertTrue(processes.KINDS["multiprocessing.process", "BaseProcess"].is_open(child))

    def test_parent_where_there_is_no_waitid(self):
        if not os.path.exists("/proc/self/stat"):
            self.skipTest("there is no /proc")
        child = self.sleeping()
        self.assertEqual(processes._parent_of(child.pid), os.getpid())
        self.assertNotEqual(processes._parent_of(1), os.getpid())


class Thread(unittest.TestCase):

    def test_number_of_a_thread_that_has_ended(self):
        ended = threading.Thread(target=int)
        ended.start()
        ended.join()
        go = threading.Event()
        running = threading.Thread(target=go.wait)
        running.start()
        self.addCleanup(running.join)
        self.addCleanup(go.set)
        ended._ident = running.ident    # as the system may give it again
        self.assertNotIn(("thread", running.ident), held_resources(ended, None)[0])
        self.assertIn(("thread", running.ident), held_resources(running, None)[0])


class Id(unittest.TestCase):

    def test_shared_resource_that_another_replaced_under_its_id(self):
        module = types.ModuleType("numbers_shared")
        sys.modules[module.__name__] = module
        self.addCleanup(sys.modules.pop, module.__name__)
        Case = type("Case", (unittest.TestCase,), {"__module__": module.__name__})
        shared = SharedResources(Acquisitions())
        Case.file = open(os.devnull)
        self.addCleanup(Case.file.close)
        shared.take(Case)
        other = open(os.devnull)
        other.close()
        Case.file, kept = other, Case.file
        shared._found = [each._replace(oid=id(other)) for each in shared._found]
        self.assertEqual(shared.closed(), [])
        del kept


class Names(unittest.TestCase):
    """Names are not identities either: another folder, module or logger of the same name."""

    def setUp(self):
        self.state = ProcessState()
        self.state.before(costly=True)

    def test_another_folder_of_the_same_name(self):
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        with tempfile.TemporaryDirectory() as outer:
            folder = os.path.join(outer, "here")
            os.mkdir(folder)
            os.chdir(folder)
            self.state.before()
            os.chdir(outer)
            os.rename(folder, folder + ".old")
            os.mkdir(folder)
            changes = self.state.after(0)
            self.assertIn("working directory", [change.kind for change in changes])
            self.assertEqual(self.state.restore(changes), [])
            self.assertEqual(os.path.realpath(os.getcwd()), os.path.realpath(outer))
            os.chdir(before)

    def test_the_same_folder_is_gone_back_to(self):
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        with tempfile.TemporaryDirectory() as outer:
            os.chdir(outer)
            changes = self.state.after(0)
            self.assertEqual([change.kind for change in self.state.restore(changes)],
                             ["working directory"])
            self.assertEqual(os.getcwd(), before)

    def test_another_module_of_the_same_name(self):
        import json  # noqa: F401 (so that there is one)
        self.state.before(costly=True)
        other = types.ModuleType("json")
        other.dumps = dumps = lambda value: ""
        with mock.patch.dict(sys.modules, json=other):
            changes = [change for change in self.state.full(0) if change.kind == "patch"]
            self.assertEqual(changes, [])
            self.state.restore(changes)
            self.assertIs(other.dumps, dumps)

    def test_another_logger_of_the_same_name(self):
        first = logging.getLogger("leakfix.numbers")
        handler = logging.NullHandler()
        first.addHandler(handler)
        self.addCleanup(first.removeHandler, handler)
        self.state.full(0)
        loggers = logging.root.manager.loggerDict
        with mock.patch.dict(loggers):
            del loggers["leakfix.numbers"]
            second = logging.getLogger("leakfix.numbers")
            second.setLevel(10)
            self.state.restore(self.state.full(0))
            self.assertEqual((second.handlers, second.level), ([], 10))


if __name__ == "__main__":
    unittest.main()
