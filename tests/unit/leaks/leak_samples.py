"""Leaks to report on, and a test case that compares reports with whole golden texts.

``python tests/write_golden.py`` writes the texts anew: read the diff.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import textwrap
import unittest
from collections import namedtuple

from tests.support.paths import GOLDEN
from unittest_leakfix.leaks.model.chain import Chain, Step, Thing
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak
from unittest_leakfix.leaks.report.terminal import Style
from unittest_leakfix.leaks.report.text_report import render

WRITE = bool(os.environ.get("LEAKFIX_WRITE_GOLDEN"))

# The same fields as the values of acquisitions, which this floor does not import.
Frame = namedtuple("Frame", "file line function")
Acquisition = namedtuple("Acquisition", "what detail test thread frames")

ORDERS = "tests.test_orders.OrderTests."
SOURCES = {
    "tests/test_orders.py": '''\
        import unittest

        import pymysql

        from shop.client import Client
        from shop.signals import post_save

        settings = {"host": "127.0.0.1", "port": 3306, "user": "db"}


        class OrderTests(unittest.TestCase):




            def setUp(self):
                self.db = pymysql.connect(**settings)

            def on_save(self, order):
                self.saved = order

            def test_checkout(self):
                post_save.connect(self.on_save)
                self.client = Client(
                    "shop",
                    password="hunter2",
                )
                self.report = open("/tmp/report.txt", "w")
        ''',
    "shop/mail.py": "\n" * 46 + "    def start(self):\n        self.thread.start()\n",
    "tests/secret.py": "key = load()\nconnect(password=key, url='my://a:hunter2@h')\n",
    "shop/umlaut.py": "# -*- coding: latin-1 -*-\ndef öffne(pfad):\n    return open(pfad)  # "
                      "größer\n",
}


def step_of(access, text, place, suspect):
    """Return a step as one of a report read back."""
    category = "thread" if text.startswith("thread ") else "object"
    return Step(access, Thing(category, text=text), place, suspect)


def chain(expression, *steps, evaluates=True):
    return Chain(expression, evaluates, tuple(step_of(*each) for each in steps),
                 "module" if evaluates else "unknown", None)


class TextCase(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.root = os.path.realpath(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.root)
        for name, source in SOURCES.items():
            path = os.path.join(cls.root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(
                    textwrap.dedent(source).encode("latin-1" if "umlaut" in name else "utf-8"))
        cls.style = Style(root=cls.root)

    def file(self, name):
        return os.path.join(self.root, name)

    def opened(self, test=ORDERS + "test_checkout", *frames, **more):
        frames = tuple(Frame(self.file(file), line, function) for file, line, function in frames)
        return Acquisition("open", "", test, more.get("thread", "MainThread"), frames)

    def kept(self):
        return Leak(
            "kept test",
            "OrderTests.test_checkout was kept after it finished",
            tests=(ORDERS + "test_checkout", ORDERS + "test_cancel", ORDERS + "test_refund"),
            size=41200000,
            chain=chain(
                "shop.signals.post_save.receivers[0].__self__",
                ("", "module shop.signals", "", False),
                (".post_save", "Signal", "", False),
                (".receivers", "list (3 items)", "", True),
                ("[0]", "bound method OrderTests.on_save", "tests/test_orders.py:20", False),
                (".__self__", "OrderTests.test_checkout", "tests/test_orders.py:24", False),
            ),
            holding=((".client", "Client", 12900000), (".rows", "list", 310000)),
            cause="kept test shop.signals.post_save.receivers",
        )

    def connection(self, tests=37):
        return Leak(
            "connection",
            "pymysql connection to db@127.0.0.1:3306/shop was left open",
            tests=tuple("%stest_%02d" % (ORDERS, number) for number in range(tests)),
            acquisition=self.opened(ORDERS + "test_00",
                                    ("tests/test_orders.py", 17, "OrderTests.setUp")),
            closed="closed for you: nothing else referred to it",
            remedy="self.addCleanup(self.db.close)",
            cause="connection pymysql OrderTests.setUp",
        )

    def thread(self):
        return Leak(
            "thread",
            'thread "mailer-1" was still running after its test',
            tests=("tests.test_mail.MailTests.test_send",),
            acquisition=self.opened(
                "tests.test_mail.MailTests.test_send",
                ("shop/mail.py", 48, "Mailer.start"),
                ("tests/test_mail.py", 30, "MailTests.test_send"),
            ),
            notes=(("now at", "shop/mail.py:61 in _loop"), ("waited", "0.5 s for it to finish")),
            silence='thread="mailer-1"',
            cause="thread mailer-*",
        )

    def example(self):
        known = Known(
            Leak("thread", "thread \"pool-1\" was still running", cause="thread pool-*"),
            "the pool lives as long as the process",
            "tests/__init__.py:9",
        )
        return Findings(leaks=(self.thread(), self.connection(), self.kept()), known=(known,),
                        tests=2041)

    def assertGolden(self, name, text):
        path = os.path.join(GOLDEN, name + ".txt")
        if WRITE:
            with io.open(path, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
        with io.open(path, encoding="utf-8", newline="") as file:
            self.assertEqual(text, file.read())

    def assertRenders(self, name, *leaks, style=None, **options):
        options.setdefault("tests", 2041)
        findings = Findings(
            leaks=leaks,
            **{key: value for key, value in options.items() if key in Findings.__dataclass_fields__}
        )
        flags = {key: value for key, value in options.items()
                 if key in ("stacks", "verbose", "failing")}
        self.assertGolden(name, render(findings, style or self.style, **flags))
