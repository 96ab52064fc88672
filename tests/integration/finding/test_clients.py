# needs Python 3.8
"""The clients that people use, against the real libraries: each is recognised, is one cause, has
the user's line, is closed or awaited where the test owns it, and its remedy ends the leak.

All `client_samples.SAMPLES` in two child processes: those that are left, kept by a module, and left
by a test that inherits the mixin; then the same with the remedy that was reported.
"""
from __future__ import annotations

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
            cwd=folder, env=dict(os.environ, PYTHONPATH=ROOT), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        self.said = ran.stdout.decode("utf-8", "replace")
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
        self.assertEqual(self.seen.status, 0, self.seen.said)
        self.assertEqual(self.mended.status, 0, self.mended.said)

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


if __name__ == "__main__":
    unittest.main()
