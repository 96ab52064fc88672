# needs Python 3.8
"""The clients that people use, against the real libraries: each is recognised, is one cause, has
the user's line, is closed or awaited where the test owns it, and its remedy ends the leak.

All `client_samples.SAMPLES` in two child processes: those that are left, kept by a module, and left
by a test that inherits the mixin; then the same with the remedy that was reported.
"""
from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

from tests.integration.finding import client_samples
from tests.support import servers, servers_postgresql, servers_protocols, servers_redis
from tests.support.paths import ROOT

_MISSING = {}


def settings():
    """Return {server: settings} of those that can be had; the reasons of others go to
    `_MISSING`."""
    def place(start):
        host, port = start()
        return {"host": host, "port": port}

    def redis():
        server = servers_redis.redis_server()
        return {"host": server.host, "port": server.port}

    def postgresql():
        server = servers_postgresql.postgresql()
        return dict(server.settings(), database=server.database)
    found = {}
    for name, start in (("postgresql", postgresql), ("redis", redis),
                        ("mariadb", lambda: servers.mariadb().settings()),
                        ("http", lambda: place(servers_protocols.http_server)),
                        ("websocket", lambda: place(servers_protocols.websocket_server)),
                        ("ssh", lambda: place(servers_protocols.ssh_server))):
        try:
            found[name] = start()
        except unittest.SkipTest as reason:
            _MISSING[name] = str(reason)
    return found


def environment(given):
    """Return the environment of a child process that finds the package and the passwords."""
    found = dict(os.environ, PYTHONPATH=ROOT)
    for server, name in (("postgresql", client_samples.PASSWORD),
                         ("mariadb", client_samples.MARIADB_PASSWORD)):
        if server in given:
            found[name] = given[server]["password"]
    return found


class Seen(object):
    """What one run of suites reported, by shape and sample."""

    def __init__(self, folder, shapes, samples, given, remedies=None):
        self.lines = {}
        for shape in shapes:
            text, self.lines[shape] = client_samples.suite(shape, samples, given, remedies)
            with open(os.path.join(folder, "test_%s.py" % shape), "w") as suite:
                suite.write(text)
        report = os.path.join(folder, "leaks.json")
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "unittest_leakfix", "--leaks=report",
             "--leaks-json=" + report, *("test_" + shape for shape in shapes)],
            cwd=folder, env=environment(given), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        self.printed = ran.stdout.decode("utf-8", "replace")
        self.status = ran.returncode
        with open(report, encoding="utf-8") as file:
            self.leaks = json.load(file)["leaks"]

    def of(self, shape, one):
        """Return the leaks of one sample, without the sockets that its own thread drops."""
        name = "test_%s.%sTests" % (shape, one.name)
        return [leak for leak in self.leaks
                if not (one.sockets and leak["kind"] == "socket")
                and any(name in test for test in leak["tests"] + leak.get("candidates", []))]


class ClientsTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.given = settings()
        cls.samples = [each for each in client_samples.SAMPLES
                       if not client_samples.missing(each)
                       and (not each.server or each.server in cls.given)]
        with tempfile.TemporaryDirectory() as folder:
            cls.seen = Seen(folder, ("left", "mixin", "kept"), cls.samples, cls.given)
            remedies = {each.name: cls.remedy_of(each) for each in cls.samples}
            cls.mended = Seen(folder, ("mended",), cls.samples, cls.given, remedies)

    @classmethod
    def remedy_of(cls, one):
        leaks = cls.seen.of("left", one)
        return leaks[0]["remedy"] if leaks else ""

    def called(self, one):
        given = self.given.get(one.server)
        text = one.called % given if given else one.called
        return re.escape(text).replace(r"\*", ".*") + r" was left open\Z"

    def test_the_suites_pass(self):
        self.assertEqual(self.seen.status, 0, self.seen.printed)
        self.assertEqual(self.mended.status, 0, self.mended.printed)

    def check(self, one):
        missing = client_samples.missing(one)
        if missing:
            self.skipTest("%s is missing" % missing)
        if one.server and one.server not in self.given:
            self.skipTest(_MISSING[one.server])
        self.check_one_cause("left", one)
        closed = "closed for you: nothing else referred to it" if one.closed else ""
        let_go = (closed.replace("closed", "let go", 1) + ", and there was no loop left to await "
                  "its close()")
        self.assertEqual(self.seen.of("left", one)[0]["closed"],
                         let_go if one.awaited else closed)
        self.check_one_cause("mixin", one)
        self.assertEqual(self.seen.of("mixin", one)[0]["closed"], let_go if one.task else closed)
        self.check_kept(one)
        self.assertEqual(self.remedy_of(one), client_samples.named(one.remedy, "self.it"))
        self.assertEqual([leak["subject"] for leak in self.mended.of("mended", one)], [])

    def check_one_cause(self, shape, one):
        leaks = self.seen.of(shape, one)
        self.assertEqual([leak["subject"] for leak in leaks][1:], [])
        self.assertRegex(leaks[0]["subject"], self.called(one))
        self.assertNotIn("0x", leaks[0]["subject"])
        self.assertEqual(leaks[0]["acquisition"]["frames"][0]["line"],
                         self.seen.lines[shape][one.name])

    def check_kept(self, one):
        line = self.seen.lines["kept"][one.name]
        leaks = [leak for leak in self.seen.of("kept", one) if leak["acquisition"]
                 and leak["acquisition"]["frames"][0]["line"] == line]
        self.assertTrue([leak for leak in leaks if re.match(self.called(one), leak["subject"])],
                        [leak["subject"] for leak in leaks])
        self.assertEqual(len(leaks), 1 if not one.heavy else len(leaks))
        self.assertEqual([leak["closed"] for leak in leaks if leak["closed"]], [])


def _test(one):
    def test(self):
        self.check(one)
    return test


for _one in client_samples.SAMPLES:
    setattr(ClientsTest, "test_%s" % _one.name, _test(_one))


APPLICATION = """
import os, unittest
import psycopg2.pool, peewee, pymongo
import sqlalchemy as sa, sqlalchemy.orm as orm
URL = ("postgresql+psycopg2://%(user)s:" + os.environ["SAMPLES_POSTGRESQL_PASSWORD"]
       + "@%(host)s:%(port)d/%(database)s")
ENGINE, KEPT, DB = sa.create_engine(URL), [], peewee.SqliteDatabase("shop.db")
POOL = psycopg2.pool.SimpleConnectionPool(0, 3, URL.replace("+psycopg2", ""))
SESSIONS = orm.scoped_session(orm.sessionmaker(ENGINE))


class Back(unittest.TestCase):
    def test_engine(self):
        with sa.create_engine(URL).connect() as connection:
            connection.execute(sa.text("select 1"))
        with ENGINE.connect() as connection:
            connection.execute(sa.text("select 1"))

    def test_pool(self):
        POOL.putconn(POOL.getconn())


class Left(unittest.TestCase):
    def test_connection(self):
        KEPT.append(ENGINE.connect())

    def test_session(self):
        SESSIONS().execute(sa.text("select 1"))

    def test_taken(self):
        POOL.getconn()

    def test_database(self):
        DB.connect()


class Both(unittest.TestCase):
    def test_engine_and_connection(self):
        self.engine = sa.create_engine(URL)
        self.connection = self.engine.connect()


class Mongo(unittest.TestCase):
    def setUp(self):
        self.client = pymongo.MongoClient("mongodb://127.0.0.1:9/", serverSelectionTimeoutMS=100)


for number in range(20):
    setattr(Mongo, "test_%%02d" %% number, lambda self: None)
"""
_PLACE = "psycopg2 connection to leakfix@127.0.0.1:*/leakfix was left open"
REPORTED = {
    ("Both.test_engine_and_connection", _PLACE, "self.addCleanup(self.connection.close)"),
    ("Left.test_connection", _PLACE, "keep the SQLAlchemy connection in self.connection, then "
                                     "self.addCleanup(self.connection.close)"),
    ("Left.test_session", _PLACE, "self.addCleanup(SESSIONS.remove)"),
    ("Left.test_taken", _PLACE, "give it back to the SimpleConnectionPool that keeps it, or close "
                                "that"),
    ("Left.test_database", "sqlite3 connection to * was left open", "self.addCleanup(DB.close)"),
    ("Mongo.test_00", "MongoDB client to 127.0.0.1:9 was left open",
     "self.addCleanup(self.client.close)"),
}


class ApplicationTest(unittest.TestCase):
    """What an application keeps for all: a connection back in its pool is the pool's, one that was
    taken is reported with what gives it back; threads of a closed client are its own affair."""

    maxDiff = None

    def test_all(self):
        for each in ("psycopg2", "peewee", "pymongo", "sqlalchemy"):
            if importlib.util.find_spec(each) is None:
                self.skipTest("%s is missing" % each)
        server = servers_postgresql.postgresql()
        given = dict(server.settings(), database=server.database)
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "test_shop.py"), "w") as suite:
                suite.write(APPLICATION % given)
            report = os.path.join(folder, "leaks.json")
            ran = subprocess.run(
                [sys.executable, "-m", "unittest_leakfix", "--leaks=report",
                 "--leaks-json=" + report, "test_shop"], cwd=folder, stdin=subprocess.DEVNULL,
                env=environment({"postgresql": given}), stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=300)
            printed = ran.stdout.decode("utf-8", "replace")
            self.assertEqual(ran.returncode, 0, printed)
            with open(report, encoding="utf-8") as file:
                leaks = json.load(file)["leaks"]
        found = set()
        for leak in leaks:
            self.assertEqual(len(leak["tests"]), 20 if "MongoDB" in leak["subject"] else 1)
            subject = re.sub(r":\d+/l", ":*/l", leak["subject"])
            found.add((leak["tests"][0].partition(".")[2], re.sub(r"to \S+\.db", "to *", subject),
                       leak["remedy"]))
        self.assertEqual(found, REPORTED, printed)


PAIR = """
import unittest, aiohttp
KEPT = []
class Pair(unittest.IsolatedAsyncioTestCase):
    async def test_it(self):
        a, b = aiohttp.TCPConnector(), aiohttp.TCPConnector()
        KEPT.append([a, b])
"""


class PairTest(unittest.TestCase):
    """Two on one line, each of which is awaited."""

    def test_each_has_its_clean_up(self):
        if importlib.util.find_spec("aiohttp") is None:
            self.skipTest("aiohttp is missing")
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "test_pair.py"), "w") as suite:
                suite.write(PAIR)
            ran = subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "unittest_leakfix", "--leaks=report",
                 "test_pair"], cwd=folder, stdin=subprocess.DEVNULL, env=environment({}),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        printed = ran.stdout.decode("utf-8", "replace")
        self.assertEqual(ran.returncode, 0, printed)
        self.assertIn("self.addAsyncCleanup(a.close)", printed)
        self.assertIn("self.addAsyncCleanup(b.close)", printed)


if __name__ == "__main__":
    unittest.main()
