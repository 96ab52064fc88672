"""A run that hangs: what keeps the process is named, a test that stands still too, and the end by
force has the run's own status.

Each run is a process, with a terminal where Ctrl-C is typed.
"""

from __future__ import absolute_import

import io
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

from tests.support.paths import ROOT
from unittest_leakfix import cli, patience

try:
    import pty
except ImportError:     # Windows
    pty = None

NEW = sys.version_info >= (3, 8)
OVER = "unittest_leakfix: the run is over, and the process has not ended for "
ENDED = "unittest_leakfix: the process is ended 0.6 s after its run, with the status of that, "
LISTENER = """\
    import threading, unittest
    class Listener(threading.Thread):
        def run(self):
            gate.wait()
    gate = threading.Event()
    class Tests(unittest.TestCase):
        def test_listens(self):
            Listener(name="phone-listener").start()
"""


class HangCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, text):
        with io.open(os.path.join(self.folder, "test_it.py"), "w", encoding="utf-8") as file:
            file.write(u"" + textwrap.dedent(text))

    def start(self, *arguments, **more):
        return subprocess.Popen(
            (sys.executable, "-m", "unittest_leakfix") + arguments, cwd=self.folder,
            env=dict(os.environ, PYTHONPATH=ROOT, PYTHONDONTWRITEBYTECODE="1"), **more)

    def run_it(self, *arguments):
        """Run the tests, which end by force if at all. Return the status and both outputs."""
        child = self.start("--patience", "0.2", "--exit-after", "0.6", *(arguments or ("test_it",)),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = (printed.decode() for printed in child.communicate())
        return child.returncode, out, err


class EndTests(HangCase):
    """A process that does not end."""

    def test_a_thread(self):
        self.write(LISTENER)
        status, out, err = self.run_it()
        self.assertEqual((0, ""), (status, out), err)
        self.assertEqual(1, err.count(OVER), err)
        self.assertIn('  waits for thread "phone-listener" (test_it.Listener)\n'
                      '    now at test_it.py:4 in run, in wait of threading\n', err)
        self.assertTrue(err.endswith(ENDED + "0.\n"), err)

    @unittest.skipUnless(NEW, "finding needs Python 3.8")
    def test_who_started_it(self):
        self.write(LISTENER)
        status, _, err = self.run_it("--leaks=report", "test_it")
        self.assertIn("    started by Tests.test_listens  test_it.py:8 in test_listens\n",
                      err[err.index(OVER):])
        self.assertEqual(0, status)

    def test_the_status_is_the_run_s(self):
        self.write(LISTENER + "            self.fail('too')\n")
        status, _, err = self.run_it()
        self.assertEqual(1, status)
        self.assertIn(ENDED + "1.\n", err)

    @unittest.skipUnless(NEW, "executors wait otherwise before")
    def test_an_executor(self):
        self.write("""\
            import threading, unittest
            from concurrent.futures import ThreadPoolExecutor
            class Tests(unittest.TestCase):
                def test_submits(self):
                    pools.append(ThreadPoolExecutor(1))
                    pools[0].submit(threading.Event().wait)
            pools = []
            """)
        status, _, err = self.run_it()
        self.assertEqual(0, status)
        self.assertIn('  waits for thread "ThreadPoolExecutor-0_0" (threading.Thread) of an '
                      'executor that was not shut down\n', err)

    def test_a_thread_that_waits_for_a_queue(self):
        self.write("""\
            import threading, unittest
            try:
                import queue
            except ImportError:
                import Queue as queue
            jobs = queue.Queue()
            def work():
                while jobs.get():
                    pass
            class Tests(unittest.TestCase):
                def test_works(self): threading.Thread(target=work, name="worker").start()
            """)
        self.assertIn("    now at test_it.py:8 in work, in wait of threading\n", self.run_it()[2])

    def test_a_child_of_multiprocessing(self):
        self.write("""\
            import multiprocessing, time, unittest
            class Tests(unittest.TestCase):
                def test_starts(self):
                    if hasattr(multiprocessing, "get_context"):
                        kind = multiprocessing.get_context("fork").Process
                    else:
                        kind = multiprocessing.Process
                    kind(target=time.sleep, args=(3,), name="mailer").start()
            """)
        status, _, err = self.run_it()
        self.assertEqual(0, status)
        self.assertTrue(re.search(r'  waits for child process "mailer" \(\w*Process\), process \d+',
                                  err), err)
        self.assertIn("; what is registered with atexit had not ended", err)
        self.assertNotIn("DeprecationWarning", err)     # our thread is not there when it forks

    def test_a_function_of_atexit(self):
        self.write("""\
            import atexit, time, unittest
            def flush():
                time.sleep(60)
            class Tests(unittest.TestCase):
                def test_registers(self): atexit.register(flush)
            """)
        status, _, err = self.run_it()
        self.assertEqual(0, status)
        if sys.version_info >= (3,):
            self.assertIn("  runs test_it.flush (test_it.py:2), which was registered with atexit\n"
                          "    now at test_it.py:3 in flush\n", err)

    def test_atexit_runs_and_output_is_written_before_the_end_by_force(self):
        self.write(LISTENER + """\
    import atexit, sys
    atexit.register(sys.stdout.write, "at exit\\n")
    sys.stdout.write("before\\n")
    """)
        _, out, err = self.run_it()
        self.assertEqual("before\nat exit\n", out, err)

    def test_one_that_ends_by_itself_says_nothing(self):
        self.write(LISTENER.replace("gate.wait()", "gate.wait(0.1)"))
        child = self.start("test_it", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = child.communicate()
        self.assertEqual((0, b""), (child.returncode, out))
        self.assertTrue(err.decode().rstrip().endswith("\nOK"), err)

    def test_one_that_was_given_no_option(self):
        self.write(LISTENER.replace("gate.wait()", "gate.wait(1.5)"))
        child = subprocess.Popen(
            (sys.executable, "-c", "from unittest_leakfix import cli, patience; "
             "cli._LOADED_AFTER, patience.AT_END = 0.1, 0.3; "
             "cli.main(module=None, argv=['it', 'test_it'])"), cwd=self.folder,
            env=dict(os.environ, PYTHONPATH=ROOT), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = (printed.decode() for printed in child.communicate())
        self.assertEqual((0, "", 1), (child.returncode, out, err.count(OVER)), err)
        self.assertIn('  waits for thread "phone-listener" (test_it.Listener)\n', err)
        if sys.version_info >= (3,):
            self.assertNotIn("the main thread", err)
        self.assertIn("Ctrl-C ends the wait; --exit-after SECONDS ends", err)

    def test_nothing_is_loaded_when_the_process_ends_at_once(self):
        self.write("""\
            import atexit, sys, unittest
            def say():
                sys.stderr.write("loaded" * ("unittest_leakfix.patience" in sys.modules))
            class Tests(unittest.TestCase):
                def test_registers(self): atexit.register(say)
            """)
        child = self.start("test_it", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _, err = child.communicate()
        self.assertTrue(err.decode().rstrip().endswith("\nOK"), err)

    def test_a_thread_of_ours_whose_names_are_taken_away_is_quiet(self):
        """As by 2.7, which does so at its end while the thread still runs."""
        watch = patience.Watch()
        for module in (cli, patience):
            for name in ("_clock", "_sleep", "_getpid"):
                if hasattr(module, name):
                    self.addCleanup(setattr, module, name, getattr(module, name))
                    setattr(module, name, None)
        watch._watch()
        cli._say_what_keeps_it(0, 0.0, 0, {})

    def test_nothing_is_loaded_without_need(self):
        self.write("""\
            import atexit, sys, unittest
            class Tests(unittest.TestCase):
                @classmethod
                def tearDownClass(cls):
                    sys.exitfunc = None
                def test_passes(self): pass
            class Stream(object):
                def write(self, text): pass
                def flush(self):
                    if "unittest_leakfix.patience" in sys.modules:
                        sys.__stderr__.write("loaded")
            sys.stdout = Stream()
            """)
        child = self.start("test_it", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _, err = child.communicate()
        self.assertNotIn(b"loaded", err)
        self.assertEqual(0, child.returncode)

    def test_what_makes_no_sense(self):
        for option in ("--patience=0", "--exit-after=-1", "--patience=soon"):
            self.write("")
            child = self.start(option, "test_it", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            _, err = child.communicate()
            self.assertEqual(2, child.returncode, err)
            self.assertIn(option.partition("=")[0], err.decode())


class StandingTests(HangCase):
    """A test that stands still."""

    def running(self, text, *arguments):
        self.write(text)
        child = self.start("--patience", "0.3", *(arguments + ("test_it",)), stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        out, err = (printed.decode() for printed in child.communicate())
        self.assertEqual(("", 0), (out, child.returncode), err)
        return err

    def test_it_is_named_once_with_all_stacks(self):
        err = self.running("""\
            import threading, time, unittest
            class Tests(unittest.TestCase):
                def helper(self):
                    time.sleep(1.5)
                def test_a(self): pass
                def test_b(self):
                    thread = threading.Thread(target=self.helper, name="beside")
                    thread.start()
                    self.helper()
                    thread.join()
                def test_c(self): pass
            """)
        self.assertEqual(1, err.count("test_it.Tests.test_b has not ended for "), err)
        self.assertIn("  the main thread\n    test_it.py:9 in test_b\n    test_it.py:4 in helper\n",
                      err)
        self.assertIn('  thread "beside" (threading.Thread)\n', err)
        self.assertNotIn("unittest/case.py", err)
        self.assertNotIn(OVER, err)
        self.assertTrue(err.endswith("\nOK\n"), err)

    def test_fixtures(self):
        for fixture, name in (("setUpClass", "setUpClass (test_it.Tests)"),
                              ("tearDownClass", "tearDownClass (test_it.Tests)")):
            err = self.running("""\
                import time, unittest
                class Tests(unittest.TestCase):
                    @classmethod
                    def %s(cls): time.sleep(1)
                    def test_a(self): pass
                """ % fixture)
            self.assertIn("unittest_leakfix: %s has not ended for " % name, err)

    def test_output_that_is_buffered_is_as_ever(self):
        err = self.running("""\
            import sys, time, unittest
            class Tests(unittest.TestCase):
                def test_a(self):
                    sys.stdout.write("not shown")
                    time.sleep(1)
            """, "-b")
        self.assertIn("test_it.Tests.test_a has not ended for ", err)
        self.assertNotIn("not shown", err)

    def test_our_thread_is_on_nobody_s_list(self):
        err = self.running("""\
            import threading, unittest
            class Tests(unittest.TestCase):
                def test_a(self):
                    self.assertEqual(1, threading.active_count())
                    self.assertEqual([threading.current_thread()], threading.enumerate())
            """, *(["--leaks=fail"] if NEW else []))
        self.assertNotIn("LEAKS", err)


@unittest.skipIf(pty is None, "needs a pseudo terminal")
class TerminalTests(HangCase):
    """Driven in a terminal."""

    def drive(self, until, *arguments):
        """Type Ctrl-C once the output has *until*; return the status and all output."""
        ours, theirs = pty.openpty()
        child = self.start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs,
                           preexec_fn=_with_terminal)
        os.close(theirs)
        printed, typed, end = b"", False, time.time() + 60
        try:
            while time.time() < end:
                if not select.select([ours], [], [], 1)[0]:
                    if child.poll() is not None:
                        break
                    continue
                try:
                    part = os.read(ours, 1 << 16)
                except OSError:     # the other side is closed
                    break
                if not part:
                    break
                printed += part
                if not typed and until.encode() in printed:
                    typed = True
                    os.write(ours, b"\x03")
            if time.time() >= end:
                self.fail("it does not end: %r" % printed)
            return child.wait(), printed.decode().replace("\r\n", "\n")
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            os.close(ours)

    @unittest.skipIf(sys.version_info < (3,), "2.7 cannot be interrupted while it waits for a lock")
    def test_ctrl_c_ends_the_wait(self):
        self.write(LISTENER)
        # The last line of it.
        status, printed = self.drive("by itself.", "--patience", "0.3", "test_it")
        self.assertEqual(1, printed.count(OVER), printed)
        self.assertEqual(1, printed.count("Ran 1 test in"), printed)
        self.assertEqual(1, printed.count("phone-listener"), printed)
        self.assertIn("KeyboardInterrupt", printed)    # the interpreter's own, as ever
        if sys.version_info < (3, 13):
            self.assertEqual(0, status)

    def test_ctrl_c_in_a_test_that_stands_still(self):
        self.write("""\
            import time, unittest
            class Tests(unittest.TestCase):
                def test_a(self): time.sleep(60)
            """)
        status, printed = self.drive("test_it.py:3 in test_a", "--patience", "0.3", "test_it")
        self.assertEqual(1, printed.count("has not ended for"), printed)
        self.assertEqual(-signal.SIGINT if NEW else 1, status, printed)


def _with_terminal():
    os.setsid()
    import fcntl
    import termios
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


if __name__ == "__main__":
    unittest.main()
