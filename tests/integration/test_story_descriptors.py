"""Tests that open something in setUp and never close it: what the process holds meanwhile.

Real files, sockets, children, folders and threads, counted by the system (/proc/self/fd and the
like), under plain unittest, with the mixin, and with only the runner swapped.
"""

from __future__ import absolute_import

import os
import sys
import tempfile
import unittest

from tests.support import stories

if not os.path.isdir("/proc/self/fd"):
    raise unittest.SkipTest("no /proc here: descriptors and children cannot be counted")

OURS = ("mixin", "runner")
OUTCOMES = ("passing", "failing", "skipped")

SQLITE = u"""
import sqlite3
meter = stories.Meter(stories.descriptors)

def take():
    db = sqlite3.connect(os.path.join(os.environ["TMPDIR"], "orders.db"))
    db.execute("CREATE TABLE IF NOT EXISTS orders (number INTEGER)")
    db.execute("SELECT count(*) FROM orders").fetchall()
    return db
"""

SOCKETS = u"""
import socket
meter = stories.Meter(stories.descriptors)

def take():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    client = socket.create_connection(listener.getsockname(), 10)
    return listener, client, listener.accept()[0]
"""

CHILDREN = u"""
import subprocess
meter = stories.Meter(stories.children)

def take():
    return subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True)
"""

FOLDERS = u"""
import tempfile
meter = stories.Meter(stories.temporary)

def take():
    folder = tempfile.TemporaryDirectory()
    open(os.path.join(folder.name, "orders.csv"), "w").close()
    return folder
"""

FILES = u"""
import tempfile
meter = stories.Meter(stories.temporary)

def take():
    return tempfile.NamedTemporaryFile()
"""

EXECUTORS = u"""
from concurrent import futures
# A thread that was to end is gone a moment later.
meter = stories.Meter(stories.threads, 1, 0 if {plain} else 2)

def take():
    executor = futures.ThreadPoolExecutor(1)
    executor.submit(int).result()
    return executor
"""


class Story(object):
    """One kind of thing, in every position. The tests are made by `stories.ways`."""

    taking = None
    number = 20

    def tell(self, way, shape, outcome, **more):
        reported = stories.tell(way, self.taking.replace("{plain}", str(way == "plain")), shape,
                            outcome, self.number, **more)
        self.assertEqual(reported.status, int(outcome == "failing"), str(reported))
        self.assertIn("Ran %d tests" % (self.number + 1), str(reported))
        return reported

    def plain(self, outcome):
        """Every test's is held at once, and still when the last is over."""
        reported = self.tell("plain", "attribute", outcome)
        self.assertEqual((reported.peak, reported.left), (reported.first * self.number,) * 2,
                         str(reported))

    def ours(self, way, shape, outcome):
        """One test's at once, and none when the last is over."""
        # With the collector off: what is given back must not depend on when it comes by.
        reported = self.tell(way, shape, outcome, collects="cycle" not in shape)
        self.assertGreater(reported.first, 0)
        self.assertEqual((reported.peak, reported.left), (reported.first, 0), str(reported))
        self.assertNotIn("Warning", reported.output)


# Python 2.7's suites keep every test, so there passing is enough.
_PLAIN = [(outcome,) for outcome in OUTCOMES if outcome != "passing" or sys.version_info < (3,)]
_OURS = [(way, "attribute", outcome) for way in OURS for outcome in OUTCOMES]
_OURS += [(way, shape, outcome) for way in OURS for shape in ("cycle", "list")
          for outcome in ("passing", "failing")]

def reported_of(cls):
    return stories.ways("ours", *_OURS)(stories.ways("plain", *_PLAIN)(cls))


@reported_of
class SqliteFiles(Story, unittest.TestCase):
    taking = SQLITE

    def test_process_with_few_descriptors(self):
        import resource
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        reported = stories.tell("plain", SQLITE, outcome="skipped", number=50, limits=few)
        self.assertEqual(reported.status, 1)
        self.assertIn("unable to open database file", reported.output)
        for way in OURS:
            reported = stories.tell(way, SQLITE, outcome="skipped", number=50, limits=few)
            self.assertEqual(reported.status, 0, str(reported))

    @unittest.skipUnless(sys.version_info >= (3, 7), "no gc.freeze() before Python 3.7")
    def test_object_in_a_cycle_of_its_own(self):
        # It is not a resource, so it is let go, not closed: the runner's collections free it.
        for outcome in ("passing", "failing"):
            reported = stories.tell("runner", SQLITE, "other cycle", outcome, 50, collects=False)
            self.assertLessEqual((reported.peak, reported.left), (2, 1), str(reported))

    def test_rows_beside_the_connection(self):
        # More objects than a question about ownership may look at (3.11 and later: the
        # connection is in a cycle, which has to be seen whole).
        taking = SQLITE + u"""
connect = take
def take():
    return [(number,) for number in range(2000)], connect()
"""
        for way in OURS:
            reported = stories.tell(way, taking, "attribute", "failing", 20, collects=False)
            self.assertEqual((reported.peak, reported.left), (reported.first, 0), str(reported))
            self.assertEqual("closed 20 resources" in reported.last_line(), way == "runner")


@reported_of
class Sockets(Story, unittest.TestCase):
    taking = SOCKETS

    def test_three_for_each_test(self):
        self.assertEqual(self.tell("mixin", "attribute", "passing").first, 3)

    def test_inside_an_object(self):
        # It is not a resource, so it is let go, and Python closes what was in it.
        for way in OURS:
            reported = self.tell(way, "object", "failing")
            self.assertEqual((reported.peak, reported.left), (reported.first, 0), str(reported))


@reported_of
class Children(Story, unittest.TestCase):
    taking = CHILDREN
    number = 6

    def test_no_descriptor_of_their_pipes_is_left(self):
        taking = CHILDREN.replace("children", "descriptors")
        for way in OURS:
            reported = stories.tell(way, taking, outcome="failing", number=self.number)
            self.assertEqual((reported.first, reported.peak, reported.left), (2, 2, 0),
                             str(reported))


@unittest.skipUnless(hasattr(tempfile, "TemporaryDirectory"),
                     "no tempfile.TemporaryDirectory before Python 3.2")
@reported_of
class TemporaryFolders(Story, unittest.TestCase):
    taking = FOLDERS


@reported_of
class TemporaryFiles(Story, unittest.TestCase):
    taking = FILES


@unittest.skipUnless(sys.version_info >= (3,), "no concurrent.futures before Python 3.2")
@reported_of
class Executors(Story, unittest.TestCase):
    taking = EXECUTORS
    number = 6


@stories.ways("ours", ("failing",), ("skipped",))
class Locals(unittest.TestCase):
    """On 3.12 and later the frames of a test that raised stay, in a cycle, with their locals.

    Under the runner they are gone before the next test begins.
    """

    def ours(self, outcome):
        for taking in (SQLITE, SOCKETS):
            reported = stories.tell("runner", taking, "local", outcome, 30,
                                    collects=sys.version_info
                                < (3, 11))
            self.assertEqual((reported.peak, reported.left), (reported.first, 0), str(reported))


if __name__ == "__main__":
    unittest.main()
