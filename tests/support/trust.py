"""Runs one small suite under a fault, with plain unittest and with ours, and compares what is seen
of it.

Read by the `test_trust` modules, and by ``benchmarks/trust.py``, which measures the large ones.
"""

from __future__ import absolute_import

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests import tiers
from tests.support.paths import ROOT

#: name of a run -> what stands behind ``python -m``.
RUNS = {"plain": ["unittest"], "off": ["unittest_leakfix"]}
if sys.version_info >= (3, 8):
    RUNS["report"] = ["unittest_leakfix", "--leaks=report"]
    if tiers.current() == tiers.NIGHTLY:
        RUNS["restore"] = ["unittest_leakfix", "--leaks=report", "--restore"]
OURS = tuple(sorted(set(RUNS) - set(["plain"])))

#: Runs before every sample. Its tests pass, fail, err, skip, own things and keep things.
HEAD = u"""\
from __future__ import print_function
import gc, os, signal, socket, sys, threading, time, unittest
KEPT = []
class Thing(object):
    pass
"""
#: Runs after the test that brings the fault: each kind of outcome, with something to close or to
#: find.
AFTER = u"""
class Then(unittest.TestCase):
    def test_a_passes(self):
        self.thing = Thing()
    def test_b_owns(self):
        self.things = [Thing(), {1: self}]
    def test_c_fails(self):
        self.thing = Thing()
        self.fail("on purpose")
    def test_d_errs(self):
        self.thing = self
        raise ValueError("on purpose")
    def test_e_skips(self):
        self.skipTest("on purpose")
    def test_f_keeps(self):
        self.thing = Thing()
        KEPT.append(self.thing)
"""


class Ran(object):
    """What one run gave: ``status`` (negative: the signal that ended it), ``out``, ``err``."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def shown(self):
        return "status %s\n%s%s" % (self.status, self.out, self.err)


def of_ours(err):
    """Return unittest's own lines of what was written to stderr: without ours, times and
    addresses."""
    lines = []
    # What the interpreter says at its end comes after our report.
    for line in err.partition("Error in atexit._run_exitfuncs:")[0].splitlines():
        # All of the report comes after unittest's last line.
        if line.startswith("LEAKS  "):
            break
        if not line.startswith("unittest_leakfix: "):
            lines.append(line)
    text = "\n".join(lines).rstrip()
    text = re.sub(r"(?m)^(Ran \d+ tests?) in .*$", r"\1", text)
    return re.sub(r"0x[0-9a-f]+", "0x", text)


class TrustCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder, True)

    def start(self, run, source, options=(), program=None, **popen):
        """Return the started process of a *run* of this module's text, in a folder of its own."""
        folder = os.path.join(self.folder, "run")    # one for all: tracebacks name it
        work = os.path.join(folder, "work")
        if os.path.isdir(folder):
            shutil.rmtree(folder)
        os.makedirs(work)
        with io.open(os.path.join(folder, "sample.py"), "w", encoding="utf-8") as file:
            file.write(HEAD + textwrap.dedent(source))
        command = program or [sys.executable, "-m"] + RUNS[run] + list(options) + ["-v", "sample"]
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.PIPE)
        environment = dict(os.environ, PYTHONPATH=ROOT + os.pathsep + folder, PYTHONWARNINGS="",
                           LEAKFIX_RUN=run, **popen.pop("variables", {}))
        return subprocess.Popen(command, cwd=work, env=environment, **popen)

    def ran(self, run, source, options=(), **popen):
        """Return the `Ran` of a *run*."""
        child = self.start(run, source, options, **popen)
        try:
            out, err = child.communicate()
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        return Ran(child.returncode, (out or b"").decode("utf-8", "replace"),
                   (err or b"").decode("utf-8", "replace"))

    def same(self, source, runs=OURS, after=AFTER, tests=None, **popen):
        """Run it plain and with ours; compare. Returns {run: `Ran`}, "plain" among them.

        *tests*: how many must run in each, so that a sample which does nothing fails.
        """
        source = textwrap.dedent(source) + after
        plain = self.ran("plain", source, **popen)
        if tests is not None:
            self.assertIn("Ran %d test" % tests, plain.err + plain.out, plain.shown)
        found = {"plain": plain}
        for run in runs:
            ours = found[run] = self.ran(run, source, **popen)
            self.assertSame(plain, ours, run)
        return found

    def assertSame(self, plain, ours, run=""):
        self.assertEqual(of_ours(plain.err), of_ours(ours.err), "%s\n%s" % (run, ours.shown))
        self.assertEqual(plain.status, ours.status, "%s\n%s" % (run, ours.shown))
        self.assertEqual(plain.out, ours.out, run)
        self.assertNotIn("/unittest_leakfix/", ours.err.split("\nRan ")[0],
                         "a traceback of ours in %s" % run)

    def assertFound(self, found, name="Then.test_f_keeps"):
        """Finding went on after the fault."""
        if "report" in found:
            self.assertIn("Thing was kept after %s" % name, found["report"].err,
                          found["report"].shown)


#: Large runs: name -> (text of the module, how many tests it has). Measured by
#: ``benchmarks/trust.py``.
LARGE = {
    "1,000,000 survivors": (u"""
class Row(object):
    pass
class A(unittest.TestCase):
    def test_million(self):
        KEPT.extend([Row() for _ in range(1000000)])
""", 7),
    "5,000 descriptors": (u"""
import resource
class A(unittest.TestCase):
    def test_descriptors(self):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (8192, limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        KEPT.extend([os.open(os.devnull, os.O_RDONLY) for _ in range(5000)])
""", 7),
    "500 threads": (u"""
END = threading.Event()
class A(unittest.TestCase):
    def test_threads(self):
        for _ in range(500):
            thread = threading.Thread(target=END.wait)
            thread.daemon = True
            thread.start()
def tearDownModule():
    END.set()
""", 7),
}
for _count in (10000, 100000):
    LARGE["{:,} tests".format(_count)] = (u"""
def test(self):
    pass
for number in range(%d):
    name = "Tests%%d" %% number
    globals()[name] = type(name, (unittest.TestCase,), dict(("test_%%d" %% each, test) for each in range(100)))
del test
""" % (_count // 100), _count + 6)  # noqa: E501
