"""The story this project began with: connections opened in setUp, and a server that is full.

A real MariaDB that admits 20 sessions, and suites of 60 tests that each open one and close none.
A second session, of another account, asks the server in each test how many there are.
"""

from __future__ import absolute_import

import os
import subprocess
import sys
import time
import unittest

from tests.support import servers, stories

SERVER = servers.mariadb()
NUMBER = 60
FULL = "Too many connections"
# Python 2.7's suites keep every test, so there passing is enough.
KEPT = ("passing", "failing", "skipped") if sys.version_info < (3,) else ("failing", "skipped")

TAKING = u"""
import {driver} as driver

def settings(user):
    return dict(host=os.environ["MYSQL_HOST"], port=int(os.environ["MYSQL_PORT"]),
                user=user, password=os.environ["MYSQL_PASSWORD"])

watcher = driver.connect(**settings(os.environ["MYSQL_ADMIN"]))

def sessions():
    cursor = watcher.cursor()
    cursor.execute("SHOW STATUS LIKE 'Threads_connected'")
    return int(cursor.fetchone()[1]) - 1    # without the watcher

# A session that was closed is gone from the server a moment later.
meter = stories.Meter(sessions, 2, {patience})
meter.begin = lambda: setattr(meter, "_base", 0)

def take():
    return driver.connect(**settings(os.environ["MYSQL_USER"]))
"""

CURSOR = u"""
connect = take
def take():
    return connect().cursor()
"""

# Their own subclass, whose close() fails, as on a connection that broke meanwhile.
STUBBORN = u"""
class Stubborn(driver.connections.Connection):
    def close(self):
        super(Stubborn, self).close()
        raise RuntimeError("gone away")

def take():
    return Stubborn(**settings(os.environ["MYSQL_USER"]))
"""


def _tell(driver, way, shape, outcome, more=u""):
    environment = {"MYSQL_HOST": SERVER.host, "MYSQL_PORT": str(SERVER.port),
                   "MYSQL_USER": SERVER.user, "MYSQL_ADMIN": SERVER.admin,
                   "MYSQL_PASSWORD": SERVER.password}
    taking = TAKING.replace("{driver}", driver)
    taking = taking.replace("{patience}", "0" if way == "plain" else "5")
    return stories.tell(way, taking + more, shape, outcome, NUMBER,
                        environment=environment)


class Story(object):
    """The story with one driver. The tests are made by `stories.ways`."""

    driver = None

    def setUp(self):
        try:
            driver = __import__(self.driver)
        except ImportError:
            self.skipTest("%s is missing" % self.driver)
        watcher = driver.connect(**SERVER.settings(admin=True))
        try:
            # The sessions of the story before are gone a moment after its process.
            until = time.time() + 30
            while self.sessions(watcher) > 1 and time.time() < until:
                time.sleep(0.002)
            self.assertEqual(self.sessions(watcher), 1)
        finally:
            watcher.close()

    def sessions(self, watcher):
        cursor = watcher.cursor()
        cursor.execute("SHOW STATUS LIKE 'Threads_connected'")
        return int(cursor.fetchone()[1])

    def tell(self, way, shape, outcome, more=u""):
        reported = _tell(self.driver, way, shape, outcome, more)
        self.assertNotIn(SERVER.password, reported.output)
        self.assertIn("Ran %d tests" % (NUMBER + 1), reported.output)
        return reported

    def plain(self, outcome):
        """The server is full before the suite is half way through."""
        reported = self.tell("plain", "attribute", outcome)
        self.assertEqual(reported.status, 1, str(reported))
        # Server and account differ by a session or two in how they count to 20.
        self.assertGreater(reported.output.count("ERROR: "), NUMBER - 25, str(reported))
        self.assertIn(FULL, reported.output)

    def ours(self, way, shape, outcome):
        """One session at a time."""
        more = CURSOR if shape == "cursor" else u""
        reported = self.tell(way, "attribute" if more else shape, outcome, more)
        self.assertEqual(reported.status, int(outcome == "failing"), str(reported))
        self.assertEqual((reported.first, reported.left), (1, 0), str(reported))
        self.assertLessEqual(reported.peak, 2, str(reported))
        self.assertNotIn(FULL, reported.output)
        self.assertNotIn("ERROR: ", reported.output)


_OURS = [(way, "attribute", outcome) for way in ("mixin", "runner")
         for outcome in ("passing", "failing", "skipped")]
_SHAPES = [(way, shape, outcome) for shape in ("cycle", "cursor", "list", "object")
           for way in ("mixin", "runner") for outcome in ("passing", "failing")]
_SHAPES += [("runner", "local", "failing"), ("runner", "local", "skipped")]


@stories.ways("plain", *[(outcome,) for outcome in KEPT])
@stories.ways("ours", *_OURS + _SHAPES)
class PyMySQL(Story, unittest.TestCase):
    driver = "pymysql"

    def test_close_that_fails_shows_no_password(self):
        reported = self.tell("runner", "attribute", "passing", STUBBORN)
        self.assertEqual(reported.status, 0, str(reported))
        self.assertIn("closing self.it (pymysql connection to leakfix@127.0.0.1:%d) raised "
                      "RuntimeError: gone away" % SERVER.port, reported.output)
        reported = self.tell("mixin", "attribute", "passing", STUBBORN)
        self.assertEqual(reported.status, 1, str(reported))
        self.assertIn("gone away", reported.output)


@stories.ways("plain", *[(outcome,) for outcome in KEPT])
@stories.ways("ours", *_OURS + _SHAPES)
class MySQLclient(Story, unittest.TestCase):
    driver = "MySQLdb"


class Example(unittest.TestCase):
    """examples/mysql, as its own text says to run it."""

    def test_runs(self):
        try:
            __import__("pymysql")
        except ImportError:
            self.skipTest("pymysql is missing")
        environment = dict(os.environ, MYSQL_HOST=SERVER.host, MYSQL_PORT=str(SERVER.port),
                           MYSQL_USER=SERVER.user, MYSQL_PASSWORD=SERVER.password,
                           MYSQL_DATABASE=SERVER.database)
        for module, full in (("unittest", True), ("unittest_leakfix", False)):
            child = subprocess.Popen(
                [sys.executable, "-m", module, "discover", "-s", "examples/mysql"],
                cwd=stories.ROOT, env=environment, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
            printed = child.communicate()[0].decode("utf-8", "replace")
            self.assertNotIn(SERVER.password, printed)
            self.assertEqual(FULL in printed, full, printed)
            self.assertEqual(child.returncode, int(full), printed)
        self.assertIn("closed 60 resources left open (60 database connections)",
                      printed.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
