"""Runs a small suite in which one allocation of memory fails in our own code, again and again at
another.

``python -m tests.support.nomemory FIRST END STEP [HOOK ...]``: on entering each hook (of those named) the
next allocation but n, for each n of the range, is made to fail, and the hook is disarmed on
leaving. Prints a line for each run that differs from plain unittest's, and "compared: N". Each run
is a fork of this process.

CPython itself loses references or crashes at some of these allocations. On 3.12 and 3.13 this is enough::

    def generates(value):
        return next(each for each in (value,) if each is value)
    for n in range(1000):
        _testcapi.set_nomemory(n % 20, n % 20 + 1)
        try: generates(1)
        except MemoryError: pass

So runs that end in SIGSEGV or SIGABRT, which Python code cannot cause, are counted apart.
"""  # noqa: E501

from __future__ import absolute_import, print_function

import _testcapi
import os
import re
import signal
import sys
import tempfile
import unittest
import warnings

from tests.support import forked, paths
from unittest_leakfix import ClassLeakFixMixin, LeakFixMixin, mixins, runner, suite
from unittest_leakfix._core.errors import LeakFixWarning
from unittest_leakfix.cli import LeakFixProgram

FINDS = sys.version_info >= (3, 8)
if FINDS:
    from unittest_leakfix.leaks import detector
    from unittest_leakfix.leaks import run as finding
SECONDS = 60    # after which a run counts as hung
KEPT = []


class Thing(object):
    pass


class Tests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = Thing()

    def test_a_owns(self):
        self.file = open(os.devnull)
        self.things = [Thing(), {1: self}]

    def test_b_fails(self):
        self.file = open(os.devnull)
        self.fail("on purpose")

    def test_c_skips(self):
        self.skipTest("on purpose")

    def test_d_keeps(self):
        self.thing = Thing()
        KEPT.append(self.thing)
        KEPT.append(open(os.devnull))
        os.environ["NOMEMORY"] = "left"

    def test_e_errs(self):
        self.thing = self
        raise ValueError("on purpose")


class Mixed(ClassLeakFixMixin, LeakFixMixin, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.file = open(os.devnull)

    def test_a_owns(self):
        self.file = open(os.devnull)
        self.thing = Thing()

    def test_b_fails(self):
        self.file = open(os.devnull)
        self.fail("on purpose")


class Last(unittest.TestCase):
    def test_passes(self):
        self.client = Thing()


def hooks():
    """Return {name: (place, name of the attribute)}: what is called of ours while a run is under
    way."""
    found = {"release": (suite, "release"), "notified": (suite.Run, "_notify"),
             "reported": (runner.SuiteProxy, "write_report"),
             "closings": (mixins.TestSnapshot, "add_closings"),
             "life": (mixins.TestSnapshot, "end")}
    if FINDS:
        found["begin"], found["end"] = (finding.LeakSession, "begin"), (finding.LeakSession, "end")
        found["report"] = (finding.LeakSession, "write_report")
        for name in ("test_started", "test_finished", "test_released", "class_started",
                     "class_finished", "module_started", "module_finished", "before_fixture"):
            found["finder." + name] = (detector.LeakDetector, name)
    return found


def arm(place, name, n):
    """Have the allocation after *n* more fail, whenever this function is called."""
    set_nomemory, disarm, hook, info = _testcapi.set_nomemory, _testcapi.remove_mem_hooks, getattr(
        place, name), sys.exc_info
    if sys.version_info < (3,):
        hook = getattr(hook, "__func__", hook)

    def armed(*args, **kwds):
        set_nomemory(n, n + 1)
        try:
            return hook(*args, **kwds)
        except MemoryError:
            disarm()
            if info()[2].tb_next is not None:
                raise
        finally:
            disarm()
        return hook(*args, **kwds)      # it was not even entered
    setattr(place, name, armed)


def program(runs):
    argv = ["nomemory", "-v"] + (["--leaks=report"] if runs == "report" else [])
    (unittest.TestProgram if runs == "plain" else LeakFixProgram)(module="__main__", argv=argv)


def run(runs, names=(), n=0):
    """Return (exit status, output) of one run in a process of its own, as ``forked.run`` does."""
    def armed():
        places = hooks()
        # The mixin's way to say it. Filters that unittest takes for the user's own.
        sys.warnoptions.append("ignore")
        warnings.simplefilter("ignore", LeakFixWarning)
        for name in names:
            arm(*(places[name] + (n,)))
        program(runs)
    return forked.run(armed, SECONDS)


# Written by CPython: what failed in a collection, or while a generator was ended.
_IGNORED = re.compile(r"(?ms)Exception ignored in.*?^MemoryError[^\n]*\n|"
                      r"^Traceback \(most recent call last\):\n  File [^\n]*\n "
                      r"+_collect\([^\n]*\n(?: +[~^]+\n)?MemoryError: ?\n")
_VERDICT = re.compile(
    r"(?m)^test_\w+ \(.*$|^Ran \d+ tests? |^(?:ERROR|FAIL): .*$|^OK.*$|^FAILED.*$")


def main():
    numbers = range(*map(int, sys.argv[1:4]))
    names = sys.argv[4:] or sorted(hooks())
    if FINDS:
        finding.LeakSession()
    with_pid = os.getpid()
    folder = tempfile.mkdtemp()
    try:
        os.chdir(folder)
        plain, printed = run("plain")
        expected = _VERDICT.findall(printed)
        assert plain == 1 and "Ran 8 tests " in expected, printed
        compared = crashed = 0
        for n in numbers:
            for armed in [[name] for name in names] + [names]:
                for runs in ("off", "report")[:1 + FINDS]:
                    status, output = run(runs, armed, n)
                    output = _IGNORED.sub("", output)
                    compared += 1
                    wrong = []
                    if status in (-signal.SIGSEGV, -signal.SIGABRT):
                        crashed += 1
                        continue
                    if status != plain:
                        wrong.append("status %s" % status)
                    if _VERDICT.findall(output) != expected:
                        wrong.append("verdicts %s" % _VERDICT.findall(output))
                    # What unittest shows of the tests' own failures has no frame of ours.
                    if re.search(r'File ".*/unittest_leakfix/', output):
                        wrong.append("a traceback of ours")
                    if wrong:
                        print("%s, allocation %d, %s: %s" % (
                            armed[0] if len(armed) == 1 else "all", n, runs, "; ".join(wrong)))
                        if len(numbers) == 1:
                            print(output)
        print("compared: %d, of which the interpreter crashed in %d" % (compared, crashed))
    finally:
        if os.getpid() == with_pid:
            os.chdir(paths.ROOT)
            os.rmdir(folder)


if __name__ == "__main__":
    main()
