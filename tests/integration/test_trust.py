"""Faults of the run: verdict, output and exit status are plain unittest's. docs/trust.md lists
them."""

from __future__ import absolute_import

import ast
import io
import os
import re
import signal
import subprocess
import sys
import unittest

from tests.support.paths import ROOT
from tests.support.trust import AFTER, OURS, RUNS, Ran, TrustCase, of_ours
from tests.tiers import NEWEST, OLDEST, full_on

try:
    import resource
except ImportError:
    resource = None


@full_on((2, 7), (3, 6), OLDEST, (3, 12), NEWEST)
class DescriptorTests(TrustCase):
    """EMFILE: a test uses up the descriptors and does not give them back."""

    USES_UP = u"""
        import resource
        class A(unittest.TestCase):
            def test_uses_up(self):
                resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
                with self.assertRaises(EnvironmentError):
                    while True:
                        KEPT.append(%s)
                with self.assertRaises(EnvironmentError):    # of two at a time one may be left
                    while True:
                        KEPT.append(open(os.devnull))
            def test_wants_another(self):
                with self.assertRaises(EnvironmentError):
                    open(os.devnull)
        """  # noqa: E501

    @unittest.skipUnless(resource, "needs the module resource")
    def test_files(self):
        found = self.same(self.USES_UP % u"open(os.devnull)", tests=8)
        self.assertFound(found)

    @unittest.skipUnless(resource, "needs the module resource")
    def test_sockets(self):
        self.assertFound(self.same(self.USES_UP % u"socket.socket()", tests=8))

    @unittest.skipUnless(resource, "needs the module resource")
    def test_pipes(self):
        self.assertFound(self.same(self.USES_UP % u"os.pipe()", tests=8))

    @unittest.skipUnless(resource, "needs the module resource")
    def test_of_a_module_that_the_test_itself_imports(self):
        """What we know of it cannot be loaded then: what is left of it is let go."""
        self.assertFound(self.same(u"""
            import resource
            class A(unittest.TestCase):
                def test_a(self):
                    import sqlite3
                    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
                    self.files = []
                    with self.assertRaises(EnvironmentError):
                        while True:
                            self.files.append(open(os.devnull))
                    self.db = sqlite3.connect(":memory:")
                    KEPT.append(self.files)
                def test_b(self):
                    self.assertRaises(EnvironmentError, open, os.devnull)
            """, tests=8))  # noqa: E501

    @unittest.skipUnless(resource, "needs the module resource")
    def test_none_from_the_start(self):
        self.assertFound(self.same(u"""
            import resource
            def setUpModule():
                resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            """, tests=6))  # noqa: E501


@full_on((2, 7), (3, 6), OLDEST, (3, 12), NEWEST)
class DiskTests(TrustCase):
    """ENOSPC: no room on the disk, for what the tests write and for what is written of them."""

    @unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_both_streams_on_a_full_disk(self):
        statuses = {}
        for run in RUNS:
            with open("/dev/full", "w") as full:
                statuses[run] = self.ran(run,
                                         u"class A(unittest.TestCase):\n    def test_a(self): "
                                         u"pass\n",
                                         stderr=full).status
        self.assertEqual(set(statuses.values()), set([statuses["plain"]]), statuses)

    @unittest.skipUnless(resource, "needs the module resource")
    def test_limit_of_the_size_of_files(self):
        self.assertFound(self.same(u"""
            import resource
            class A(unittest.TestCase):
                def test_no_room(self):
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
                    with self.assertRaises(EnvironmentError):
                        with open("file", "w") as file:
                            file.write("text")
            """, tests=7))  # noqa: E501


@full_on((2, 7), (3, 6), OLDEST, (3, 12), NEWEST)
class StreamTests(TrustCase):
    """Streams that are broken, closed, replaced or gone."""

    def left(self, does, **expected):
        return self.same(u"""
            class A(unittest.TestCase):
                def test_a(self):
                    %s
            """ % does, **expected)

    def test_broken_pipe(self):
        for runs in (("plain", "off"), ("plain", "report"))[:1 + ("report" in RUNS)]:
            statuses = []
            for run in runs:
                read, write = os.pipe()
                os.close(read)
                try:
                    statuses.append(self.ran(run,
                                             u"class A(unittest.TestCase):\n    def test_a(self): "
                                             u"KEPT.append(self)\n",
                                             stderr=write).status)
                finally:
                    os.close(write)
            self.assertEqual(statuses[0], statuses[1])

    def test_reader_that_goes_away_while_the_tests_run(self):
        ends = {}
        for run in RUNS:
            child = self.start(run, u"""
                class A(unittest.TestCase):
                    def test_a(self):
                        sys.stdin.readline()
                    def test_b(self):
                        KEPT.append(self)
                """, stdin=subprocess.PIPE)
            child.stderr.close()
            child.stdin.write(b"go\n")
            child.stdin.close()
            child.stdout.read()
            child.stdout.close()
            ends[run] = child.wait()
        self.assertEqual(set(ends.values()), set([ends["plain"]]), ends)

    def test_standard_output_closed_or_gone(self):
        for does in (u"sys.stdout.close()", u"sys.stdout = None", u"os.close(1)", u"del sys.stdout",
                     u"os.close(0)"):
            self.assertFound(self.left(does))

    def test_standard_error_closed_or_gone(self):
        # unittest holds its stream; what is written by name of sys.stderr goes astray.
        for does in (u"sys.stderr = None", u"del sys.stderr",
                     u"sys.stderr = sys.stdout = open(os.devnull, 'w')"):
            self.assertFound(self.left(does, tests=7))

    def test_unittest_s_own_stream_closed(self):
        for does in (u"sys.stderr.close()", u"os.close(2)"):
            statuses = dict((run, self.ran(run, u"""
                class A(unittest.TestCase):
                    def test_a(self):
                        %s
                    def test_b(self):
                        KEPT.append(self)
                """ % does)) for run in RUNS)
            for run in OURS:
                self.assertEqual(statuses[run].status, statuses["plain"].status,
                                 statuses[run].shown)
                self.assertEqual(of_ours(statuses[run].err), of_ours(statuses["plain"].err))

    def test_closed_from_the_start(self):
        closed = [sys.executable, "-c",
                  "import os, sys\nfor fd in map(int, sys.argv[1]): os.close(fd)\n"
                  "os.execv(sys.executable, [sys.executable, '-m'] + sys.argv[2:])"]
        for numbers in ("0", "1", "2", "12", "012"):
            ends = dict((run,
                         self.ran(run,
                                  u"class A(unittest.TestCase):\n    def test_a(self): "
                                  u"KEPT.append(self)\n",
                                       program=closed + [numbers] + RUNS[run] + ["sample"]))
                                       for run in RUNS)
            for run in OURS:
                self.assertEqual(ends[run].status, ends["plain"].status, (numbers, ends[run].shown))
                self.assertEqual(of_ours(ends[run].err), of_ours(ends["plain"].err))

    def test_encoding_that_cannot(self):
        self.assertFound(self.same(u"""
            class A(unittest.TestCase):
                def test_a(self):
                    class Bahnh\\u00f6fe(object): pass
                    KEPT.append(Bahnh\\u00f6fe())
            """.replace("\\u00f6", u"\u00f6" if sys.version_info >= (3,) else u"oe"),
            variables={"PYTHONIOENCODING": "ascii"}, tests=7))


@full_on((2, 7), (3, 6), OLDEST, (3, 12), NEWEST)
class ProcessTests(TrustCase):
    """fork, os._exit, a working directory that is gone, signals."""

    def test_fork_and_exit(self):
        self.assertFound(self.same(u"""
            class A(unittest.TestCase):
                def test_fork(self):
                    pid = os.fork()
                    if not pid:
                        os._exit(0)
                    os.waitpid(pid, 0)
            """, tests=7))

    def test_child_that_ends_as_a_program_does(self):
        for end in (u"sys.exit(0)", u"raise SystemExit(3)"):
            self.same(u"""
                class A(unittest.TestCase):
                    def test_fork(self):
                        pid = os.fork()
                        if not pid:
                            sys.stderr.close(); sys.stdout.close(); os.close(2); os.close(1)
                            %s
                        os.waitpid(pid, 0)
                """ % end, tests=7)

    def test_child_that_runs_the_rest_too(self):
        # Both write the rest: as many lines as plain unittest's, and one report.
        source = u"""
            class A(unittest.TestCase):
                def test_fork(self):
                    pid = os.fork()
                    if pid:
                        os.waitpid(pid, 0)
                def test_later(self):
                    KEPT.append(self)
            """
        plain = self.ran("plain", source)
        for run in OURS:
            ours = self.ran(run, source)
            self.assertEqual(ours.err.count("Ran 2 tests"), plain.err.count("Ran 2 tests"),
                             ours.shown)
            self.assertEqual(ours.status, plain.status)
            self.assertLess(ours.err.count("LEAKS  "), 2, ours.shown)

    def test_os_exit(self):
        for status in (0, 1, 7):
            found = self.same(u"""
                class A(unittest.TestCase):
                    def test_a(self):
                        self.thing = Thing()
                    def test_exit(self):
                        sys.stderr.flush()
                        os._exit(%d)
                """ % status)
            self.assertEqual(found["plain"].status, status)

    def test_ended_from_outside(self):
        for number in ("SIGKILL", "SIGTERM", "SIGABRT"):
            found = self.same(u"""
                class A(unittest.TestCase):
                    def test_a(self):
                        os.kill(os.getpid(), signal.%s)
                """ % number)
            self.assertEqual(found["plain"].status, -getattr(signal, number))

    def test_signal_ignored_or_blocked(self):
        self.assertFound(self.same(u"""
            class A(unittest.TestCase):
                def test_a(self):
                    for name in ("SIGINT", "SIGTERM", "SIGCHLD", "SIGPIPE", "SIGALRM"):
                        signal.signal(getattr(signal, name), signal.SIG_IGN)
                def test_b(self):
                    if hasattr(signal, "pthread_sigmask"):
                        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
            """, runs=tuple(run for run in OURS if run != "restore"), tests=8))

    def test_alarms_all_the_time(self):
        self.same(u"""
            class A(unittest.TestCase):
                def test_a(self):
                    signal.signal(signal.SIGALRM, lambda *args: None)
                    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            for number in range(200):
                def test(self):
                    self.thing = Thing()
                setattr(A, "test_n%d" % number, test)
            """, tests=207)

    def test_working_directory_removed(self):
        for does in (u"os.rmdir(os.getcwd())", u"os.rename(os.getcwd(), os.getcwd() + '2')"):
            self.assertFound(self.same(u"""
                class A(unittest.TestCase):
                    def test_a(self):
                        %s
                """ % does, tests=7))

    def test_user_without_rights(self):
        self.assertFound(self.same(u"""
            class A(unittest.TestCase):
                def test_a(self):
                    if not os.getuid():
                        os.setegid(65534); os.seteuid(65534)
                def test_b(self):
                    os.umask(0o777)
            """, tests=8))


@full_on((2, 7), (3, 6), OLDEST, (3, 12), NEWEST)
class LimitTests(TrustCase):
    """The limits of the interpreter: recursion, memory, threads."""

    def test_recursion(self):
        self.assertFound(self.same(u"""
            class A(unittest.TestCase):
                def test_deep(self):
                    def deep(): deep()
                    with self.assertRaises(RuntimeError): deep()
                def test_chain(self):
                    chain = None
                    for _ in range(100000): chain = [chain]
                    self.chain = chain
            """, tests=8))

    def test_low_limit_left_behind(self):
        # As low as plain unittest itself bears: our frames on top must fit, too.
        for room in (60, 45, 30)[:2 + (sys.version_info >= (3, 8))]:    # 3.6 refuses 30
            self.same(u"""
                class A(unittest.TestCase):
                    def test_low(self):
                        depth, frame = 0, sys._getframe()
                        while frame: depth, frame = depth + 1, frame.f_back
                        sys.setrecursionlimit(depth + %d)
                    def tearDown(self):
                        self.thing = Thing()
                """ % room, after=u"""
                class Then(unittest.TestCase):
                    def test_a(self):
                        self.thing = Thing()
                    def test_b(self):
                        KEPT.append(self)
                    @classmethod
                    def tearDownClass(cls):
                        sys.setrecursionlimit(1000)
                """.replace("\n                ", "\n"))

    @unittest.skipUnless(resource, "needs the module resource")
    def test_no_more_threads(self):
        self.assertFound(self.same(u"""
            import resource
            class A(unittest.TestCase):
                def test_a(self):
                    # Nobody starts a thread from here on: neither we.
                    def none(*args, **kwds):
                        raise RuntimeError("can't start new thread")
                    threading.Thread.start = none
            """, tests=7))


@full_on((2, 7), (3, 6), OLDEST, (3, 12), NEWEST)
class TracerTests(TrustCase):
    """Coverage tools, debuggers and profilers beside us: they see what they see under plain
    unittest."""

    def test_trace_function_of_a_coverage_tool(self):
        found = self.same(u"""
            LINES = set()
            def trace(frame, event, argument):
                if frame.f_code.co_filename != __file__.replace(".pyc", ".py"):
                    return None
                if event == "line":
                    LINES.add(frame.f_lineno)
                return trace
            def setUpModule():
                threading.settrace(trace)
                sys.settrace(trace)
            def tearDownModule():
                sys.settrace(None)
                print(sorted(LINES))
            """, tests=6)
        self.assertGreater(len(found["plain"].out.split(",")), 8)      # the same lines, by `same`
        self.assertFound(found)

    def test_profile_function(self):
        self.assertFound(self.same(u"""
            CALLS, NAMES = [], ["test_%s_" % letter for letter in "abcdef"]
            def profile(frame, event, argument):
                if event == "call" and frame.f_code.co_name[:7] in NAMES:
                    CALLS.append(frame.f_code.co_name)
            def setUpModule():
                sys.setprofile(profile)
            def tearDownModule():
                sys.setprofile(None)
                print(CALLS)
            """, tests=6))

    @unittest.skipUnless(hasattr(sys, "monitoring"), "sys.monitoring is of 3.12")
    def test_monitoring(self):
        found = self.same(u"""
            SEEN = set()
            TOOL = sys.monitoring.COVERAGE_ID
            def line(code, number):
                if code.co_filename != __file__:
                    return sys.monitoring.DISABLE
                SEEN.add(number)
            def setUpModule():
                sys.monitoring.use_tool_id(TOOL, "coverage")
                sys.monitoring.register_callback(TOOL, sys.monitoring.events.LINE, line)
                sys.monitoring.set_events(TOOL, sys.monitoring.events.LINE)
            def tearDownModule():
                sys.monitoring.set_events(TOOL, 0)
                sys.monitoring.free_tool_id(TOOL)
                print(sorted(SEEN))
            """, tests=6)
        self.assertGreater(len(found["plain"].out.split(",")), 8)
        self.assertFound(found)

    def test_coverage(self):
        try:
            import coverage  # noqa: F401
        except ImportError:
            self.skipTest("needs coverage")
        source = (u"class A(unittest.TestCase):\n    def test_a(self): self.thing = Thing()\n"
                  + AFTER)
        ran = {}
        for run in RUNS:
            ran[run] = self.ran(run, source, program=[
                sys.executable, "-m", "coverage", "run", "--include=*/sample.py", "-m"] + RUNS[run]
                + ["-v", "sample"])
            ran[run].out += subprocess.check_output(
                [sys.executable, "-m", "coverage", "report", "-m"],
                cwd=os.path.join(self.folder, "run", "work")).decode()
        for run in OURS:
            self.assertSame(ran["plain"], ran[run], run)
        self.assertTrue(re.search(r"sample\.py +\d+ +0 +100%", ran["plain"].out), ran["plain"].out)
        self.assertFound(ran)

    def test_debugger(self):
        found = self.same(u"""
            import bdb
            class Debugger(bdb.Bdb):
                hits = []
                def user_line(self, frame):
                    if frame.f_code.co_filename == self.canonic(__file__.replace(".pyc", ".py")):
                        self.hits.append((frame.f_code.co_name, sorted(set(frame.f_locals) & set(["self", "more"]))))
                    self.set_step()
                def user_return(self, frame, value):
                    self.set_step()
            DEBUGGER = Debugger()
            class A(unittest.TestCase):
                def test_a(self):
                    more = Thing()
                    self.thing = more
                    DEBUGGER.reset()
                    DEBUGGER.set_step()
                    DEBUGGER.botframe = sys._getframe()
                    while DEBUGGER.botframe.f_back: DEBUGGER.botframe = DEBUGGER.botframe.f_back
                    sys.settrace(DEBUGGER.trace_dispatch)
                def test_b(self):
                    more = Thing()
                    self.thing = more
            def tearDownModule():
                sys.settrace(None)
                print(DEBUGGER.hits)
            """, tests=8)  # noqa: E501
        self.assertIn("test_b", found["plain"].out)
        self.assertFound(found)

    def test_pdb_in_a_test(self):
        for commands in (b"c\n", b"n\nn\np self.thing.__class__.__name__\nc\n",
                         b"s\ns\ns\ns\ns\nc\n", b"q\n"):
            ran = {}
            for run in RUNS:
                child = self.start(run, u"""
                    import pdb
                    class A(unittest.TestCase):
                        def test_a(self):
                            self.thing = Thing()
                            pdb.set_trace()
                            self.other = Thing()
                    """, stdin=subprocess.PIPE)
                out, err = child.communicate(commands)
                ran[run] = Ran(child.returncode, out.decode("utf-8", "replace"),
                               err.decode("utf-8", "replace"))
            for run in OURS:
                self.assertSame(ran["plain"], ran[run], run)


@unittest.skipIf(sys.version_info < (3, 8), "the tests are written for Python 3.8")
class TableTests(unittest.TestCase):
    """The table in docs/trust.md names tests that there are."""

    def test_each_test_that_is_named(self):
        with io.open(os.path.join(ROOT, "docs", "trust.md"), encoding="utf-8") as file:
            text = file.read()
        named = re.findall(r"`(tests\.[\w.]+)`", text)
        self.assertGreater(len(named), 50)
        rows = [line for line in text.split("## Large runs")[0].splitlines()
                if re.match(r"\| (?!fault|tool)", line)]
        self.assertEqual([row for row in rows if "`tests." not in row], [])
        missing = []
        for name in named:
            parts = name.split(".")
            while parts and not os.path.exists(os.path.join(ROOT, *parts) + ".py"):
                del parts[-1]
            known, module = [], ".".join(parts)
            if parts:
                with io.open(os.path.join(ROOT, *parts) + ".py", encoding="utf-8") as file:
                    source = file.read()
                known = [module]
                for node in ast.parse(source).body:
                    if isinstance(node, ast.ClassDef):
                        known.append("%s.%s" % (module, node.name))
                        known += ["%s.%s.%s" % (module, node.name, each.name)
                                  for each in node.body if isinstance(each, ast.FunctionDef)]
            if name not in known:
                missing.append(name)
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
