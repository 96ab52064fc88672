"""A signal at any line of ours, a failed allocation at any: the run ends as plain unittest's, or
goes on."""

from __future__ import absolute_import

import gc
import json
import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import time
import unittest

from tests import tiers
from tests.support.paths import ROOT
from tests.support.trust import OURS, RUNS, TrustCase, of_ours  # noqa: F401
from tests.tiers import NEWEST, OLDEST, full_on

try:
    import _testcapi
except ImportError:
    _testcapi = None

SEEDS = range(200) if tiers.current() == tiers.NIGHTLY else range(10)

#: Ends the run by a signal at the k-th line event inside our own frames; prints how many there
#: were.
TRACED = u"""
import os, signal, sys
kind, left = getattr(signal, os.environ["TRUST_SIGNAL"]), [int(os.environ["TRUST_LINE"])]
count = [0]
def trace(frame, event, argument):
    if "unittest_leakfix" not in frame.f_code.co_filename:
        return None
    if event == "line":
        count[0] += 1
        if count[0] == left[0]:
            sys.settrace(None)
            os.write(1, ("at %s:%d\\n" % (frame.f_code.co_filename, frame.f_lineno)).encode())
            os.kill(os.getpid(), kind)
    return trace
sys.path.insert(0, os.environ["PYTHONPATH"].split(os.pathsep)[0])
sys.argv[0] = "traced"
if os.environ["LEAKFIX_RUN"] == "plain":
    from unittest import main
else:
    from unittest_leakfix.cli import LeakFixProgram as main
    sys.settrace(trace)
try:
    main(module=None)
finally:
    sys.settrace(None)
    os.write(1, ("lines %d\\n" % count[0]).encode())
"""
SUITE = u"""
import subprocess
sys.path.insert(0, os.environ["PYTHONPATH"].split(os.pathsep)[0])
from unittest_leakfix import LeakFixMixin
class Child(object):
    pass
class A(unittest.TestCase):
    def test_child(self):
        # It ends when its standard input does: at the latest with this process.
        self.child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    def test_keeps(self):
        KEPT.append(open(os.devnull))
        KEPT.append(self)
        os.environ["TRUST"] = "left"
class Mixed(LeakFixMixin, unittest.TestCase):
    def test_file(self):
        self.file = open(os.devnull)
        self.thing = Thing()
"""
PLAIN_INTERRUPT = SUITE.replace(u"KEPT.append(self)\n",
                                u"KEPT.append(self)\n        os.kill(os.getpid(), signal.%s)\n")


@unittest.skipUnless(os.name == "posix", "signals of POSIX")
@full_on(OLDEST, NEWEST)
class SignalTests(TrustCase):
    def traced(self, run, line, kind, source=SUITE, *options):
        return self.ran(run, source, program=[sys.executable, "-c", TRACED] + list(options)
                        + ["sample"], variables={
            "TRUST_SIGNAL": kind, "TRUST_LINE": str(line)}, start_new_session=True)

    def ends(self, kind):
        """What the run is ended by: as plain unittest's where the signal meets it in a test."""
        plain = self.traced("plain", 0, kind, PLAIN_INTERRUPT % kind)
        self.assertEqual(plain.status, -getattr(signal, kind), plain.shown)
        found = ["--leaks=report", "--leaks-json=found.json"]
        for run, options in (("off", []), ("report", found),
                             ("restored", found + ["--restore"])):
            whole = self.traced(run, 0, kind, SUITE, *options)
            self.assertEqual(whole.status, 0, whole.shown)
            lines = int(re.search(r"(?m)^lines (\d+)$", whole.out).group(1))
            for seed in SEEDS:
                if seed % 3 != ["off", "report", "restored"].index(run):
                    continue
                line = random.Random(seed).randrange(1, int(lines * 0.98))
                with self.subTest(run=run, seed=seed, line=line):
                    yield plain, self.traced(run, line, kind, SUITE, *options)
                    self.assertWhole("found.json")
                    self.assertNoChild()

    def assertWhole(self, name):
        path = os.path.join(self.folder, "run", "work", name)
        if os.path.exists(path):
            with open(path) as file:
                self.assertIn("leaks", json.load(file))

    def assertNoChild(self):
        """Nothing that the run started is left of its session."""
        deadline = time.time() + 20
        while self.session() and time.time() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.session(), [])

    def session(self):
        listed = subprocess.run(["ps", "-e", "-o", "sid=,pid=,stat=,args="],
                                stdout=subprocess.PIPE).stdout.decode(
            "utf-8", "replace")
        return [line for line in listed.splitlines() if line.split()[0] == str(self.child.pid)]

    def start(self, *args, **kwds):
        self.child = super(SignalTests, self).start(*args, **kwds)
        return self.child

    def test_sigint(self):
        for plain, ours in self.ends("SIGINT"):
            self.assertIn("at /", ours.out, ours.shown)
            if "in _on_collection\n" in ours.err:    # before its first line can be guarded
                self.assertIn("Exception ignored in", ours.err, ours.shown)
                continue
            self.assertEqual(ours.status, plain.status, ours.shown)
            self.assertEqual(ours.err.rstrip().splitlines()[-1], "KeyboardInterrupt", ours.shown)

    def test_sigterm(self):
        for plain, ours in self.ends("SIGTERM"):
            self.assertIn("at /", ours.out, ours.shown)
            self.assertEqual(ours.status, plain.status, ours.shown)


class CallbackTests(TrustCase):
    """Ctrl-C where the interpreter ignores what is raised: in a callback of the collector, in a
    hook."""

    def pressed(self, run, place, name, then):
        """Press Ctrl-C when *name* is called for the first time; the run ends after that test."""
        return self.ran(run, u"""
            from unittest_leakfix._core import gc_control as heap
            try:
                from unittest_leakfix.leaks import captured_warnings as complaints
            except (ImportError, SyntaxError):
                pass
            from gc import collect
            def press_at(place, name):
                original = getattr(place, name)
                def pressed(*args):
                    setattr(place, name, original)
                    raise KeyboardInterrupt
                setattr(place, name, pressed)
            class Dies(object):
                def __del__(self):
                    raise ValueError("in __del__")
            class A(unittest.TestCase):
                def test_a(self):
                    press_at(%s, %r)
                    %s
                    print("goes on")
                def test_b(self):
                    print("not reached")
            """ % (place, name, then))

    def assertPressed(self, ran):
        self.assertIn("goes on", ran.out, ran.shown)
        self.assertNotIn("not reached", ran.out, ran.shown)
        self.assertEqual(ran.err.rstrip().splitlines()[-1], "KeyboardInterrupt", ran.shown)
        self.assertNotIn("Ran 2 tests", ran.err)

    @unittest.skipUnless(hasattr(gc, "freeze"), "there is no callback where nothing is frozen")
    def test_callback_of_the_collector(self):
        for run in OURS:
            self.assertPressed(self.pressed(run, "heap", "is_automatic", "collect()"))

    @unittest.skipUnless("report" in OURS, "finding needs Python 3.8")
    def test_hook_for_what_is_ignored(self):
        for run in set(OURS) - set(["off"]):
            self.assertPressed(self.pressed(run, "complaints", "unraisable_text",
                                            "dies = Dies(); dies.me = dies"))


@unittest.skipUnless("report" in OURS, "finding needs Python 3.8")
class ExitTests(TrustCase):
    """What the interpreter complains about as it ends, when the module `warnings` is gone: it goes
    by the filters that it has looked through last."""

    SAMPLE = u"""
        import warnings
        class Client(object):
            def __init__(self, name):
                self.name = name
            def __del__(self, warn=warnings.warn, category=ResourceWarning):
                warn("unclosed " + self.name, category)
        class Tests(unittest.TestCase):
            def test_kept_until_the_exit(self):
                KEPT.append(Client("at the exit"))
            def test_the_last_one(self):
                """
    DIES = u"self.client = Client('after the test')"
    CATCHES = u"with warnings.catch_warnings(): warnings.simplefilter('ignore', BytesWarning); " \
        u"warnings.warn('of the test', BytesWarning)"

    def printed(self, run, action, last):
        """Return the last lines that say what is unclosed at the exit."""
        ran = self.ran(run, textwrap.dedent(self.SAMPLE).rstrip(" ") + u"        " + last + u"\n",
                       program=[sys.executable, "-W", action, "-m"] + RUNS[run] + ["-v", "sample"])
        self.assertEqual(ran.status, 0, ran.shown)
        return [line.strip() for line in ran.err.splitlines() if "unclosed at the exit" in line]

    def test_filters_are_the_users_at_the_exit(self):
        for action, last in (("ignore", self.DIES), ("error", self.DIES),
                             ("ignore", self.CATCHES)):
            plain = self.printed("plain", action, last)
            self.assertEqual((action, last, plain),
                             (action, last, self.printed("report", action, last)))


@unittest.skipUnless(hasattr(_testcapi, "set_nomemory"), "needs _testcapi.set_nomemory")
class MemoryTests(unittest.TestCase):
    def compared(self, *numbers):
        """No run may differ from plain unittest's; return how many there were."""
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nomemory"]
            + [str(number) for number in numbers],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines = child.communicate()[0].decode("utf-8", "replace").splitlines()
        self.assertEqual(child.returncode, 0, lines)
        self.assertEqual(lines[:-1], [])
        compared, crashed = map(
            int, re.search(r"compared: (\d+), of which the interpreter crashed in (\d+)",
                                               lines[-1]).groups())
        self.assertLess(crashed, compared / 10.)
        return compared

    def test_a_few_allocations(self):
        self.assertGreater(self.compared(0, 100, 25), 20)

    @tiers.nightly
    def test_each_allocation(self):
        self.assertGreater(self.compared(0, 501, 1), 3000)


if __name__ == "__main__":
    unittest.main()
