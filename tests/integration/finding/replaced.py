"""Runs a small suite, in which one test replaces a function of the standard library and leaves it
so, for each function of a module in turn: under plain unittest, with our runner, and with finding
on.

``python -m tests.integration.finding.replaced MODULE HOW [NAME ...]`` prints a line for each run of
ours that differs from plain unittest's, where that ends properly. HOW: raises, nothing (returns
None), mock. Each run is a fork of this process, in which all is loaded that a command line has
loaded before its first test.
"""
from __future__ import annotations

import importlib
import os
import re
import socket
import sys
import tempfile
import types
import unittest
from unittest import mock

from tests.support import forked, paths
from unittest_leakfix.cli import LeakFixProgram
from unittest_leakfix.leaks.run import LeakSession
from unittest_leakfix.suite import Run

SECONDS = 30    # after which a run counts as hung
_devnull, _setattr, _open, _socketpair = os.devnull, setattr, open, socket.socketpair
KEPT = []


class Thing:
    pass


class Replaces(unittest.TestCase):
    """The first test replaces `what`, a (place, name, value); the others find it replaced."""

    what = None

    def test_a_replaces(self):
        _setattr(*self.what)

    def test_b_owns(self):
        self.file = _open(_devnull)
        self.pair = _socketpair()
        self.things = [Thing(), {1: self}]

    def test_c_fails(self):
        self.file = _open(_devnull)
        self.fail("on purpose")

    def test_d_skips(self):
        self.skipTest("on purpose")

    def test_e_keeps(self):
        self.thing = Thing()
        KEPT.append(self.thing)
        KEPT.append(_open(_devnull))

    def test_f_errs(self):
        self.thing = self
        raise ValueError("on purpose")


class Afterwards(unittest.TestCase):
    def test_passes(self):
        self.client = Thing()


def replacement(how):
    """Return what is put in the place of a function."""
    if how == "raises":
        def replaced(*args, **kwds):
            raise RuntimeError("replaced by a test")
        return replaced
    if how == "nothing":
        return lambda *args, **kwds: None
    return mock.MagicMock(name="replaced")


def functions(module):
    """Return the names of the functions and classes of *module*, those that cannot be called
    apart."""
    kinds = (types.FunctionType, types.BuiltinFunctionType, type)
    return sorted(name for name, value in vars(module).items()
                  if isinstance(value, kinds)
                  and name not in ("__loader__", "__spec__", "MagicMock"))


def program(runs):
    """Run the suite: plain unittest's ("plain"), ours ("off"), or ours with finding ("report")."""
    argv = ["replaced", "-v"] + (["--leaks=report"] if runs == "report" else [])
    (unittest.TestProgram if runs == "plain" else LeakFixProgram)(
        # 3.13 shows some in the middle of a verdict's line
        module="__main__", argv=argv, warnings="ignore")


def run(runs, what):
    """Return (exit status, output) of one run in a process of its own, as ``forked.run`` does."""
    def ran():
        Replaces.what = what
        program(runs)
    return forked.run(ran, SECONDS)


_VERDICT = re.compile(r"(?m)^test_\w+ \(.*$|^Ran \d+ tests? |^OK.*$|^FAILED.*$")


def verdicts(output):
    """Return the verdicts of the tests, their count, and the last line."""
    return _VERDICT.findall(output)


def differences(module, how, names=()):
    """Yield a line for each run of ours that differs from plain unittest's."""
    compared = 0
    for name in names or functions(module):
        what = (module, name, replacement(how))
        status, printed = run("plain", what)
        if status not in (0, 1) or len(verdicts(printed)) != 9:
            continue        # plain unittest does not end properly
        compared += 1
        for runs in ("off", "report"):
            mine, output = run(runs, what)
            wrong = []
            if mine != status:
                wrong.append("status %s, not %s" % (mine, status))
            if verdicts(output) != verdicts(printed):
                wrong.append("verdicts %s, not %s" % (verdicts(output), verdicts(printed)))
            if re.search(r'File ".*/unittest_leakfix/', output):
                wrong.append("a traceback of ours")
            off = re.findall(
                r"(?m)^unittest_leakfix: (?:switched off|no report): .*|finding failed: .*", output)
            if off:
                yield "off: %s.%s %s, %s: %s" % (module.__name__, name, how, runs, off)
            if wrong:
                yield "%s.%s %s, %s: %s" % (module.__name__, name, how, runs, "; ".join(wrong))
                if names:
                    yield output
    yield "compared: %d" % compared


def main():
    LeakSession()
    Run(unittest.TestResult())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        module = importlib.import_module(sys.argv[1])
        lines = list(differences(module, sys.argv[2], sys.argv[3:]))
        os.chdir(paths.ROOT)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
