# needs Python 3.8
"""Whatever a test left open is reported with the line of the user's that opened it.

Each opener of `tests.zoo.lines_app` is called by a test that keeps what it opens in a list, by one
that keeps it on self, and by one that drops it; all those of one sort in one run.
"""
from __future__ import annotations

import asyncio
import json
import os
import re
import select
import sqlite3
import sys
import unittest
from unittest import mock

from tests.zoo.case import ROOT, ZooCase, keeper

APP = os.path.join("tests", "zoo", "lines_app.py")
with open(os.path.join(ROOT, APP)) as _source:
    LINES = list(enumerate(_source, 1))
NAMES = list(dict.fromkeys(name for _, line in LINES
                           for name in re.findall(r"# opens: (\w+)", line)))
NEEDS = {"memfd": (os, "memfd_create"), "eventfd": (os, "eventfd"), "pidfd": (os, "pidfd_open"),
         "timerfd": (os, "timerfd_create"), "epoll": (select, "epoll"),
         "patch_dict": (mock._patch_dict if sys.version_info >= (3, 9) else None, "start"),
         "runner": (asyncio, "Runner"), "sqlite_blob": (sqlite3.Connection, "blobopen")}
# Closes itself, or holds nothing that stays open, once nothing refers to it.
DROPPED = frozenset([
    "os_open", "os_dup", "os_pipe", "os_openpty", "pty_openpty", "fcntl_dup", "memfd", "eventfd",
    "pidfd", "timerfd", "socket_dup", "open_of_descriptor", "fdopen_of_pipe", "temporary_file",
    "temporary_folder", "codecs_file", "path_file", "thread", "timer", "child", "http_connection",
    "socket_server", "udp_server", "http_server", "old_server", "file_handler",
    "rotating_handler", "added_handler", "own_handler", "basic_config", "patch_target",
    "patch_object", "patch_dict", "patch_multiple", "loop", "coroutine",
    "coroutine_kept_for_long", "library"])
# In a list: it and its buffer hold each other; the collector does not know maps before 3.10.
UNSEEN = ("gzip_file",) + (("anonymous_map",) if sys.version_info < (3, 10) else ())
# A part of it is reported as well, whose line is not known: a handler that calls the constructor
# of its base by the class; what dbm.sqlite3 (3.13) opens by a URI.
UNKNOWN = {"own_handler": "logging OwnHandler", "dbm_any": "descriptor ", "shelf": "descriptor ",
           "patch_multiple": "exit stack"}


def lines_of(name):
    """Return the numbers of the lines that may be shown for an opener."""
    mark = re.compile(r"# opens: %s\b|# server$" % name)
    return {number for number, line in LINES if mark.search(line)}


class LinesTest(ZooCase):

    @classmethod
    def setUpClass(cls):
        if not hasattr(os, "fork"):
            return
        cls.leaks = {}
        for sort in ("Held", "OnSelf", "Dropped"):
            answer = keeper.ask("lines." + sort, options={"leaks_json": "ZOO/report.json"})
            for leak in json.loads(answer["files"]["report.json"])["leaks"]:
                for test in leak["tests"]:
                    cls.leaks.setdefault(test, []).append(leak)
                # One of several tests may have left it: the line tells whose it is.
                for test in leak["candidates"] if leak["user_line"] else ():
                    if leak["user_line"]["line"] in lines_of(test.partition(".test_")[2]):
                        cls.leaks.setdefault(test, []).append(leak)

    @classmethod
    def tearDownClass(cls):
        keeper.close()

    def see(self, name):
        if name in NEEDS and not hasattr(*NEEDS[name]):
            self.skipTest("needs %s" % NEEDS[name][1])
        sorts = [sort for sort, wanted in (("Held", name not in UNSEEN), ("OnSelf", True),
                                           ("Dropped", name in DROPPED)) if wanted]
        for sort in sorts:
            with self.subTest(sort):
                leaks = self.leaks.get("tests.zoo.lines.%s.test_%s" % (sort, name), ())
                leaks = [each for each in leaks
                         if not each["subject"].startswith(UNKNOWN.get(name, "?"))]
                self.assertTrue(leaks)
                for leak in leaks:
                    line = leak["user_line"] or {"file": "", "line": 0}
                    self.assertEqual(APP, line["file"], leak["subject"])
                    self.assertIn(line["line"], lines_of(name), leak["subject"])


def _method(name):
    def test(self):
        self.see(name)
    return test


for _name in NAMES:
    setattr(LinesTest, "test_" + _name, _method(_name))


if __name__ == "__main__":
    unittest.main()
