"""Stories: a small suite that takes something in every test and gives nothing back, run in a
process of its own under plain unittest, with the mixin, and with only the runner swapped.

The suite samples what it holds in each test (`Meter`); `tell` returns the samples.
"""

from __future__ import absolute_import

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from tests.support.paths import ROOT

#: How a suite is run: the module and the bases of its tests.
WAYS = {
    "plain": ("unittest", "unittest.TestCase"),
    "mixin": ("unittest", "unittest_leakfix.LeakFixMixin, unittest.TestCase"),
    "runner": ("unittest_leakfix", "unittest.TestCase"),
}

#: Where a test keeps what ``take()`` returns: lines for its setUp, lines for its body.
SHAPES = {
    "attribute": ("self.it = take()", ""),
    "list": ("self.them = [[take()]]", ""),
    "object": ("self.shop = Shop(); self.shop.it = take()", ""),
    "cycle": ("self.it = take(); self.again = self.check", ""),
    "other cycle": ("self.shop = Shop(); self.shop.me = self.shop; self.shop.it = take()", ""),
    "local": ("", "it = take()"),
}

OUTCOMES = {
    "passing": "pass",
    "failing": "self.fail('as it should')",
    "skipped": "self.skipTest('as it should')",
}

SUITE = u"""\
import gc
import os
import unittest

import unittest_leakfix
from tests.support import stories

{collector}
{taking}

class Shop(object):
    pass


def setUpModule():
    meter.begin()    # not at import: 2.7 has this file open then


class Tests({bases}):
    def setUp(self):
        {setting_up}
        meter.sample()

    def check(self):
        {body}
        meter.sample()
        {ending}


for number in range({number}):
    setattr(Tests, "test_%03d" % number, lambda self: self.check())


class TheLast(unittest.TestCase):
    def test_what_is_left(self):
        meter.end()
"""


class Meter(object):
    """Counts what this process holds beyond what it held at the beginning.

    ``count()`` returns the number there is. One that falls in its own time (a server's sessions)
    is waited for, while it is above ``limit``, for at most ``patience`` seconds: what this process
    still holds does not go away by waiting.
    """

    def __init__(self, count, limit=0, patience=0):
        self._count, self._limit, self._patience = count, limit, patience
        self._base = None
        self._samples = []

    def begin(self):
        """Count what there is before the tests."""
        self._base = self._count()

    def sample(self):
        """Count once."""
        self._samples.append(self._held(self._limit))

    def end(self):
        """Count for the last time, and write down all."""
        left = self._held(0)
        with open(os.environ["STORY"], "w") as reported:
            json.dump({"first": max(self._samples[:2]), "peak": max(self._samples),
                       "left": left}, reported)

    def _held(self, limit):
        held, until = self._count() - self._base, time.time() + self._patience
        while held > limit and time.time() < until:
            time.sleep(0.001)
            held = self._count() - self._base
        return held


class Reported(object):
    """What a suite said: ``status`` (int), ``output`` (text) and, unless it broke off, how much it
    held: ``first`` in its first test, ``peak``, and ``left`` after the last (None, if it did)."""

    def __init__(self, status, output, held):
        self.status, self.output = status, output
        self.first, self.peak, self.left = [held.get(key) for key in ("first", "peak", "left")]

    def __str__(self):
        lines = self.output.rstrip().splitlines()
        if len(lines) > 12:
            lines[8:-4] = ["..."]
        return "first %s, peak %s, left %s, exit status %s\n%s" % (
            self.first, self.peak, self.left, self.status, "\n".join(lines))

    def last_line(self):
        """The last line that unittest or our runner wrote."""
        return self.output.rstrip().splitlines()[-1]


def tell(way, taking, shape="attribute", outcome="passing", number=40, collects=True,
         environment=None, options=(), limits=None):
    """Run ``number`` tests that ``take()``, as ``taking`` (source) defines it beside a ``meter``.

    ``collects=False`` switches the interpreter's own garbage collection off; ``limits`` is called
    in the child. Returns a `Reported`.
    """
    module, bases = WAYS[way]
    setting_up, body = SHAPES[shape]
    source = SUITE.format(
        bases=bases, taking=taking, setting_up=setting_up or "pass", body=body or "pass",
        ending=OUTCOMES[outcome], number=number, collector="" if collects else "gc.disable()")
    folder = os.path.realpath(tempfile.mkdtemp(prefix="leakfix-story-"))
    try:
        os.mkdir(os.path.join(folder, "tmp"))
        with open(os.path.join(folder, "test_story.py"), "w") as written:
            written.write(str(source))
        return _run([sys.executable, "-m", module] + list(options) + ["test_story"], folder,
                    environment or {}, limits)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command, folder, more, limits):
    environment = dict(os.environ, PYTHONPATH=ROOT, TMPDIR=os.path.join(folder, "tmp"),
                       STORY=os.path.join(folder, "story.json"), **more)
    for name in ("PYTHONWARNINGS", "PYTHONDEVMODE"):
        environment.pop(name, None)
    child = subprocess.Popen(command, cwd=folder, env=environment, preexec_fn=limits,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, close_fds=True)
    alarm = threading.Timer(120, child.kill)
    alarm.start()
    try:
        printed = child.communicate()[0].decode("utf-8", "replace")
    finally:
        alarm.cancel()
    held = {}
    if os.path.exists(environment["STORY"]):
        with open(environment["STORY"]) as reported:
            held = json.load(reported)
    return Reported(child.returncode, printed, held)


def ways(case, *names):
    """Class decorator: make a test method of ``case`` for each of the ``names``, tuples of its
    arguments."""
    def decorate(cls):
        for arguments in names:
            title = "_".join(["test", case] + [str(each).replace(" ", "_") for each in arguments])
            setattr(cls, title, _calling(case, arguments, title))
        return cls
    return decorate


def _calling(case, arguments, title):
    def test(self):
        getattr(self, case)(*arguments)
    test.__name__ = title
    return test


# -- what can be counted

def descriptors():
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def children():
    """How many child processes there are, those that are over but not waited for included."""
    count, me = 0, str(os.getpid())
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as stat:
                    count += stat.read().rpartition(")")[2].split()[1] == me
            except EnvironmentError:
                pass  # it ended meanwhile
    return count


def threads():
    """How many threads run."""
    return threading.active_count()


def temporary():
    """How many temporary files and folders there are: each story has a place of its own."""
    return len(os.listdir(os.environ["TMPDIR"]))
