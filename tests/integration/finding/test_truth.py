# needs Python 3.8
"""What was reported wrongly of real suites, each in small, with others of its kind beside."""
from __future__ import annotations

import json
import unittest

from tests.zoo.case import ZooCase, keeper

APP = '''
import concurrent.futures, sqlite3
files = []
log = None
TABLE = {"a": 1}
SET = {1}
cache = {"start": 1}
PLUGINS = ["a", "b"]
class Deep: pass
deep = Deep()
deep.inner = Deep()
deep.inner.orders, deep.inner.by_number = [], {}
class Order: pass
class Other: pass
class Fake:
    sep, linesep, devnull = ".", "a", "dev"
def reset():
    Fake.sep, Fake.linesep, Fake.devnull = "!", "b", "nul"
def get(key):
    if key not in cache:
        cache[key] = key.upper()
class Resolver:
    pool = None
    @classmethod
    def workers(cls):
        if cls.pool is None:
            cls.pool = concurrent.futures.ThreadPoolExecutor(1)
        return cls.pool
'''
SAMPLE = '''
import contextlib, io, socket, threading, unittest
import unittest_leakfix as leakfix
import truth_app as app
A, B = __file__, app.__file__

class OneLine(unittest.TestCase):
    def test_names(self):
        a, b = open(A), open(B)
        app.files.append([a, b])
    def test_attributes(self):
        self.a = open(A); self.b = open(B)
        app.files.append([self.a, self.b])
    def test_list_on_self(self):
        self.both = [open(A), open(B)]
    def test_no_names(self):
        app.files += [open(A), open(B)]
    def test_comprehension(self):
        app.files.append([open(each) for each in (A, B)])

    def test_pair(self):
        self.a, self.b = socket.socketpair()
    def test_files(self):
        self.a, self.b = open(A), open(B)
    def test_loop(self):
        for name in "ab":
            setattr(self, name, open(A))
    def test_kinds(self):
        self.a, self.b = open(A), socket.socket()

class OfClass(leakfix.ClassLeakFixMixin, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.a, cls.b = socket.socketpair()
    def test_it(self):
        pass

class Copies(unittest.TestCase):
    def test_put_back(self):
        saved = app.TABLE.copy()
        try:
            app.TABLE = {"a": 2}
        finally:
            app.TABLE = saved
    def test_set_put_back(self):
        saved = set(app.SET)
        app.SET = {2}
        app.SET = saved

class Replaces(unittest.TestCase):
    def test_it(self):
        app.TABLE = {"a": 2}

class Cache(unittest.TestCase):
    def test_a(self):
        app.get("x")
    def test_b(self):
        app.cache.clear()
    def test_c(self):
        app.get("x")

class Loses(unittest.TestCase):
    def test_it(self):
        app.PLUGINS.clear()

class Several(unittest.TestCase):
    def test_it(self):
        app.reset()

class Read(unittest.TestCase):
    def test_what_is_printed(self):
        with contextlib.redirect_stderr(io.StringIO()) as printed:
            thread = threading.Thread(target=int, args=("x",))
            thread.start()
            thread.join()
        self.assertIn("ValueError", printed.getvalue())

class NotRead(unittest.TestCase):
    def test_it(self):
        thread = threading.Thread(target=int, args=("x",), name="not read")
        thread.start()
        thread.join()

class Lazily(unittest.TestCase):
    def test_it(self):
        app.Resolver.workers().submit(int).result()

class Early(unittest.TestCase):
    pass

class EarlyByNumber(unittest.TestCase):
    pass

def add(number):
    def in_list(self):
        if number < 3:
            self.order = app.Order()
            app.deep.inner.orders.append(self.order)
    def by_number(self):
        if number < 3:
            self.order = app.Other()
            app.deep.inner.by_number[number] = self.order
    setattr(Early, "test_%02d" % number, in_list)
    setattr(EarlyByNumber, "test_%02d" % number, by_number)

for each in range(30):
    add(each)
'''
FIXTURES = '''
import socket, unittest
import truth_app as app

def setUpModule():
    app.log = open(__file__)
    app.files.append(socket.socket())

class OfClass(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        app.files.append(open(app.__file__))
    def test_it(self):
        pass
'''


def tearDownModule():
    keeper.close()


class TruthTests(ZooCase):

    def leaks(self, *classes, **files):
        modules = ["truth_sample." + each for each in classes] or list(files)
        answer = keeper.ask(files=dict(
            {each + ".py": text for each, text in files.items()},
            **{"truth_app.py": APP, "truth_sample.py": SAMPLE}), modules=modules,
            options={"leaks_json": "ZOO/leaks.json"})
        self.assertTrue(answer["successful"], answer["output"])
        self.assertNotIn("Not measured", answer["output"])
        return json.loads(answer["files"]["leaks.json"])["leaks"]

    def test_several_on_one_line(self):
        words = "that line opens more than one: give each of them a name, and register the close()"
        for name, wanted in (
                ("names", "self.addCleanup(a.close); self.addCleanup(b.close)"),
                ("attributes", "self.addCleanup(self.a.close); self.addCleanup(self.b.close)"),
                ("list_on_self",
                 "self.addCleanup(self.both[1].close); self.addCleanup(self.both[0].close)"),
                ("no_names", words), ("comprehension", words)):
            with self.subTest(name):
                leak, = self.leaks("OneLine.test_" + name)
                self.assertTrue(leak["remedy"].startswith(wanted), leak["remedy"])

    def test_several_attributes_of_one_line(self):
        both = "self.addCleanup(self.b.close); self.addCleanup(self.a.close)"
        for name, wanted in (
                ("OneLine.test_pair", [both]), ("OneLine.test_files", [both]),
                ("OfClass", [both.replace("self.addCleanup", "cls.addClassCleanup").replace(
                    "self", "cls")]),
                # After the line there is not yet the other; and what is not of one kind is two.
                ("OneLine.test_loop",
                 ["self.addCleanup(self.a.close)", "self.addCleanup(self.b.close)"]),
                ("OneLine.test_kinds",
                 ["self.addCleanup(self.a.close)", "self.addCleanup(self.b.close)"])):
            with self.subTest(name):
                self.assertEqual(wanted, sorted(leak["remedy"] for leak in self.leaks(name)))

    def test_copies_that_are_put_back(self):
        self.assertEqual([], self.leaks("Copies"))
        self.assertEqual(["truth_app.TABLE was changed"],
                         [leak["subject"] for leak in self.leaks("Replaces")])

    def test_a_cache_that_tests_empty(self):
        self.assertEqual([], self.leaks("Cache"))
        self.assertEqual(["truth_app.PLUGINS has lost 2 items"],
                         [leak["subject"] for leak in self.leaks("Loses")])

    def test_names_that_one_function_sets(self):
        leak, = self.leaks("Several")
        self.assertTrue(leak["subject"].startswith("truth_app.Fake: 3 names were set"))
        for name in ("sep", "linesep", "devnull"):
            self.assertIn('"%s"' % name, leak["remedy"])

    def test_what_a_thread_prints_where_the_test_reads_it(self):
        self.assertEqual([], self.leaks("Read"))
        self.assertEqual(["exception"], [leak["kind"] for leak in self.leaks("NotRead")])

    def test_what_an_application_makes_lazily_is_taken_away(self):
        leak, = self.leaks("Lazily")
        self.assertIn("setattr, app.Resolver, \"pool\", app.Resolver.pool", leak["remedy"])
        self.assertIn("app.Resolver.pool.shutdown()", leak["remedy"])

    def test_the_first_three_of_a_long_class(self):
        leak, = self.leaks("Early")
        self.assertEqual(["truth_sample.Early.test_0%d" % each for each in range(3)],
                         leak["tests"])
        # By a name each: as a registry that is filled once.
        self.assertEqual([], self.leaks("EarlyByNumber"))

    def test_what_fixtures_put_elsewhere(self):
        found = {(leak["kind"], leak["chain"]["expression"], leak["remedy"].partition("(")[0])
                 for leak in self.leaks(truth_fixtures=FIXTURES)}
        self.assertEqual({
            ("file", "truth_app.log", "unittest.addModuleCleanup"),
            ("socket", "truth_app.files[0]",
             "keep the socket in sock, then unittest.addModuleCleanup"),
            ("file", "truth_app.files[1]",
             "keep the file in cls.file, then cls.addClassCleanup")}, found)


if __name__ == "__main__":
    unittest.main()
