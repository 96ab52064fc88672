"""Tests that are slow, hang and die, for the tests of the test command, and a stand-in for an
interpreter.

They meet in the folder LEAKFIX_SAMPLES. ``python -m tests.support.everywhere_samples NAME`` is the
test command with those of that name.
"""

from __future__ import absolute_import

import os
import signal
import subprocess
import sys
import threading
import time
import unittest

from tests import everywhere, tiers
from tests.support import children, interpreters

FOLDER = os.environ.get("LEAKFIX_SAMPLES", "")
# Has a lock for as long as it lives.
HOLDER = '''
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
sys.stdout.write("locked\\n")
sys.stdout.flush()
time.sleep(1000)
'''


def path(name, folder=None):
    return os.path.join(folder or FOLDER, name)


def pass_time(seconds):
    """Put the clock of the test command forward."""
    with open(path("clock"), "a") as file:
        file.write("%d\n" % seconds)


def hang():
    """Do nothing for as long as the test command is there, while the clock goes on."""
    parent = os.getppid()
    while os.getppid() == parent:
        pass_time(1000)
        time.sleep(0.2)


def clock(folder=None):
    """The time, with what has passed so."""
    if not os.path.exists(path("clock", folder)):
        return time.time()
    with open(path("clock", folder)) as file:
        return time.time() + sum(map(int, file.read().splitlines()))


def wait_for(name):
    """Wait until somebody has made the file of that name."""
    deadline = time.time() + 60
    while not os.path.exists(path(name)):
        if time.time() > deadline:
            raise AssertionError("nobody made " + name)
        time.sleep(0.05)


def start_holder():
    """Start a child process that has a lock on the file "lock"."""
    child = subprocess.Popen([sys.executable, "-c", HOLDER, path("lock")], stdout=subprocess.PIPE)
    child.stdout.readline()
    return child


class Here(interpreters.Interpreter):
    """This interpreter, under another version's name, with no environment to make."""

    python = sys.executable

    def __init__(self, version="3.12"):
        super(Here, self).__init__(sys.executable, sys.version_info[:3], "venv")
        self.version = version

    def prepare(self, log, runner, step):
        return [], []


class Outcomes(unittest.TestCase):
    def test_error(self):
        raise ValueError("of the test")

    @unittest.expectedFailure
    def test_expected_failure(self):
        self.fail("of the test")

    def test_passes(self):
        pass

    def test_skipped(self):
        self.skipTest("of the test")

    def test_subtests(self):
        if not hasattr(self, "subTest"):
            self.fail("of the test")
        for number in range(3):
            with self.subTest(number=number):
                self.assertEqual(number, 1)

    @unittest.expectedFailure
    def test_unexpected_success(self):
        pass


class OutcomesOfClass(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise ValueError("of the class")

    def test_passes(self):
        pass


class Tier(unittest.TestCase):
    def test_tier(self):
        self.skipTest("this is " + tiers.current())


class Speaks(unittest.TestCase):
    """Takes longer than the limit of silence."""

    def test_speaks(self):
        for _ in range(5):
            pass_time(400)
            time.sleep(0.5)  # long enough to be seen
            sys.stderr.write(".")
            sys.stderr.flush()

    def test_then(self):
        pass


class ManyTests(unittest.TestCase):
    """Each takes long, and says nothing."""


for _number in range(5):
    setattr(ManyTests, "test_%d" % _number, lambda self: (pass_time(400), time.sleep(0.5)))


class Hangs(unittest.TestCase):
    def test_a_passes(self):
        pass

    def test_b_hangs(self):
        start_holder()
        thread = threading.Thread(target=waits_for_ever)
        thread.daemon = True
        thread.start()
        hang()


def waits_for_ever():
    time.sleep(1000)


class HangsInClass(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        hang()

    def test_passes(self):
        pass


class HangsAfterwards(HangsInClass):
    setUpClass = unittest.TestCase.setUpClass

    @classmethod
    def tearDownClass(cls):
        hang()


class Dies(unittest.TestCase):
    def test_a_passes(self):
        pass

    def test_b_dies(self):
        start_holder()
        os.kill(os.getpid(), signal.SIGKILL)


class Exits(unittest.TestCase):
    def test_exits(self):
        os._exit(3)


class Waits(unittest.TestCase):
    def test_a_passes(self):
        pass

    def test_b_waits(self):
        wait_for("go")


class FailsAndWaits(Waits):
    def test_a_passes(self):
        self.fail("of the test")


class Interrupted(unittest.TestCase):
    def test_a_passes(self):
        pass

    def test_b_waits(self):
        start_holder()
        open(path("begun"), "w").close()
        try:
            time.sleep(1000)
        finally:
            open(path("torn down"), "w").close()

    def test_c_passes(self):
        pass


if __name__ == "__main__":
    everywhere.listen()
    sys.exit(everywhere.main(["support.everywhere_samples." + sys.argv[1]], found={"3.12": Here()},
                             logs=path("logs"),
                             runner=children.Children(clock=clock)))
