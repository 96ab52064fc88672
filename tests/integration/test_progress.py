"""``--progress`` in a real terminal: what is on its screen while tests run, and at the end."""

from __future__ import absolute_import

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support.paths import ROOT

try:
    import fcntl
    import pty
    import termios

    import pyte
except ImportError as _problem:
    pyte, MISSING = None, str(_problem)
else:
    MISSING = None

TESTS = '''\
import os, sys, time, unittest

class OrderTests(unittest.TestCase):
    %s
'''
PASSES = '''
def test_one(self):
    time.sleep(0.25)

def test_two(self):
    time.sleep(0.25)
'''
SECONDS = re.compile(r"\d+\.\d+s")
RULE = "-" * 70


@unittest.skipIf(MISSING, "needs a system with terminals, and pyte: %s" % MISSING)
@unittest.skipIf(sys.version_info < (3, 6), "progress is for Python 3.6 and later")
class ProgressTest(unittest.TestCase):
    maxDiff = None

    def suite(self, body):
        """Write a suite whose class has *body*, and return its folder."""
        folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "test_orders.py"), "w") as file:
            file.write(TESTS % textwrap.indent(body, "    ").strip())
        return folder

    def perform(self, body, *options, **more):
        """Run it on a terminal of *columns*; returns the lines of the last screen."""
        columns = more.pop("columns", 100)
        environment = dict(os.environ, TERM="xterm", PYTHONPATH=ROOT, PYTHONIOENCODING="utf-8",
                           NO_COLOR="1", PYTHON_COLORS="0")
        environment.update(more.pop("variables", {}))
        terminal, other = pty.openpty()
        size = struct.pack("HHHH", 60, columns, 0, 0)
        fcntl.ioctl(other, termios.TIOCSWINSZ, size)
        screen = pyte.Screen(columns, 60)
        stream = pyte.ByteStream(screen)
        child = subprocess.Popen(
            [sys.executable, "-m", "unittest_leakfix", "--progress"] + list(options)
            + ["test_orders"], cwd=self.suite(body), env=environment, stdin=other, stdout=other,
            stderr=other, start_new_session=True)
        seen = more.pop("seen", lambda child, screen, terminal: None)
        self.screens = []
        with os.fdopen(other, "wb", 0):
            pass
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:     # the other end is closed
                break
            if not part:
                break
            stream.feed(part)
            self.screens.append("\n".join(line.rstrip() for line in screen.display).rstrip())
            seen(child, screen, terminal)
        os.close(terminal)
        self.status = child.wait()
        return [SECONDS.sub("Ns", line) for line in self.screens[-1].splitlines()]

    def bars(self):
        """Return the bars that were on a screen."""
        found = re.findall(u"(?m)^[\u2501\u2500=-]{8,20} \\d+/.*$", "\n".join(self.screens))
        return sorted(set(found), key=found.index)

    def test_is_gone_at_the_end(self):
        lines = self.perform(PASSES)
        self.assertEqual(lines, [RULE, "Ran 2 tests in Ns", "", "OK"])
        self.assertEqual(self.status, 0)
        self.assertRegex(self.bars()[-1], u"^\u2501{10,20}\u2500{0,10} [12]/2  .*/s.* MB$")

    def test_what_a_test_prints_stands_above_it(self):
        lines = self.perform('''
def test_prints(self):
    time.sleep(0.3); print("first"); time.sleep(0.3)
    sys.stdout.write("half "); sys.stdout.flush(); time.sleep(0.3)
    print("whole"); sys.stderr.write("of stderr\\n")
''')
        self.assertEqual(lines, ["first", "half whole", "of stderr", RULE, "Ran 1 test in Ns", "",
                                 "OK"])
        self.assertTrue(self.bars())
        self.assertTrue(any(re.search("(?m)^half$\n^.{8,20} 0/1 ", each)
                            for each in self.screens), "no bar below a line that is not finished")

    def test_verbose(self):
        lines = self.perform(PASSES, "-v")
        dotted = "test_orders.OrderTests." if sys.version_info >= (3, 11) else ""
        names = ["test_%s (%s) ... ok" % (name, dotted + "test_" + name if dotted
                                           else "test_orders.OrderTests") for name in
                 ("one", "two")]
        self.assertEqual(lines[:2], names)
        self.assertEqual(lines[3:7], [RULE, "Ran 2 tests in Ns", "", "OK"])
        self.assertTrue(self.bars())

    def test_failure_with_buffer(self):
        lines = self.perform('''
def test_fails(self):
    print("of the test"); self.fail("on purpose")

def test_passes(self):
    time.sleep(0.4)
''', "-b")
        self.assertEqual(self.status, 1)
        self.assertEqual(lines[:4], ["", "Stdout:", "of the test", "=" * 70])
        self.assertIn("AssertionError: on purpose", lines)
        self.assertEqual(lines[-7:], ["Stdout:", "of the test", "", RULE, "Ran 2 tests in Ns", "",
                                      "FAILED (failures=1)"])
        self.assertIn("1 failed", self.bars()[-1])

    def test_a_test_that_takes_long_is_named(self):
        self.perform("def test_long(self):\n    time.sleep(1.6)\n")
        self.assertTrue(any("1 s in test_orders.OrderTests.test_long" in each
                            for each in self.bars()), self.bars())

    def test_its_thread_is_not_among_those_of_the_tests(self):
        self.perform("def test_long(self):\n    time.sleep(2)\n", "--patience=1", columns=160)
        shown = "\n".join(self.screens)
        self.assertIn("test_long has not ended for 1 s; the threads are now at:", shown)
        self.assertNotIn("a thread without a Thread object", shown)

    def test_leaks_so_far(self):
        lines = self.perform('''
def test_changes(self):
    os.environ["SHOP"] = "1"

def test_long(self):
    time.sleep(0.6)
''', "--leaks=report")
        self.assertIn("  1 leak", self.bars()[-1])
        self.assertIn("LEAKS  1 cause in 1 of 2 tests: 1 environment change", lines)

    def test_narrow(self):
        for columns in (30, 12):
            lines = self.perform(PASSES, columns=columns)
            self.assertTrue(all(len(each) < columns for each in self.bars()), self.bars())
            self.assertEqual(lines[-1], "OK")
        self.assertFalse(any("\u2501" in line for line in lines), lines)

    def test_resized_while_it_runs(self):
        sizes = []

        def seen(child, screen, terminal):
            if not sizes and "/9" in self.screens[-1]:
                sizes.append(len(self.screens))
                screen.resize(60, 40)
                fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 40, 0, 0))
        self.perform("".join("def test_%d(self):\n    time.sleep(0.15)\n" % each
                             for each in range(9)), seen=seen)
        self.assertTrue(sizes)
        after = re.findall(u"(?m)^[\u2501\u2500]{8,20} .*$", self.screens[-5])
        self.assertTrue(all(len(each) < 40 for each in after), after)

    def test_ctrl_c(self):
        def seen(child, screen, terminal):
            if "0/1" in self.screens[-1] and not sent:
                sent.append(True)
                os.kill(child.pid, signal.SIGINT)
        sent = []
        lines = self.perform("def test_long(self):\n    time.sleep(60)\n", seen=seen)
        self.assertTrue(sent)
        self.assertEqual(self.status, -signal.SIGINT if sys.version_info >= (3, 8) else 1)
        self.assertEqual(lines[-1], "KeyboardInterrupt")
        self.assertNotIn("0/1", "\n".join(lines))

    def test_a_child_process_draws_nothing(self):
        lines = self.perform('''
def test_forks(self):
    time.sleep(0.3)
    child = os.fork()
    if not child:
        os.write(1, b"by number\\n")
        os._exit(0)
    os.waitpid(child, 0)
    time.sleep(0.3)
''')
        self.assertEqual(lines[-4:], [RULE, "Ran 1 test in Ns", "", "OK"])
        self.assertEqual(len(re.findall("by number", "\n".join(lines))), 1)
        self.assertNotIn("DeprecationWarning", "\n".join(lines))

    def test_dumb_terminal(self):
        for variables in ({"TERM": "dumb"}, {"TERM": ""}):
            lines = self.perform(PASSES, variables=variables)
            self.assertEqual(lines, ["..", RULE, "Ran 2 tests in Ns", "", "OK"])
            self.assertEqual(self.bars(), [])

    def test_no_terminal(self):
        child = subprocess.Popen(
            [sys.executable, "-m", "unittest_leakfix", "--progress", "test_orders"],
            cwd=self.suite(PASSES), env=dict(os.environ, PYTHONPATH=ROOT, TERM="xterm"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        printed = SECONDS.sub("Ns", child.communicate()[0].decode())
        self.assertEqual(printed.splitlines(), ["..", RULE, "Ran 2 tests in Ns", "", "OK"])


if __name__ == "__main__":
    unittest.main()
