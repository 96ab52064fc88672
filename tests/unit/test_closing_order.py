"""What holds something in a temporary folder goes before the folder; users go before the used."""

from __future__ import absolute_import

import logging
import mmap
import os
import shelve
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
import warnings

from tests.support.suites import Resource, run, run_plainly
from unittest_leakfix import ClassLeakFixMixin, LeakFixMixin, LeakFixTestRunner

seen = []       # what was still open in a folder when it was removed


def held(path):
    """Return what this process and its children hold in the folder *path*."""
    path = os.path.realpath(path)
    pids = [os.getpid()] + [pid for pid in os.listdir("/proc") if pid.isdigit()
                            and _parent(pid) == os.getpid()]
    found = []
    for pid in pids:
        for place in ["cwd"] + _listed("/proc/%s/fd" % pid):
            link = "/proc/%s/%s" % (pid, place if place == "cwd" else "fd/" + place)
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target.startswith(path):
                found.append(target[len(path) + 1:] or place)
    if os.path.exists("/proc/self/maps"):
        with open("/proc/self/maps") as maps:
            found.extend("map" for line in maps if path in line)
    return found


def _parent(pid):
    try:
        with open("/proc/%s/stat" % pid) as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IOError):
        return None


def _listed(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


if sys.version_info >= (3,):
    class Folder(tempfile.TemporaryDirectory):
        """A temporary folder that notes what is open in it when it is removed."""

        def cleanup(self):
            if self._finalizer.alive:
                seen.append((os.path.basename(self.name), held(self.name)))
            super(Folder, self).cleanup()


class Store(object):
    """An object of one's own: nothing that the package knows how to close."""

    def __init__(self, value):
        self.value = value


class Descriptor(object):
    """Holds an open descriptor of a folder, and closes it when it dies."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDONLY)

    def __del__(self):
        os.close(self.fd)


def in_cycle(value):
    store = Store(value)
    store.itself = store
    return store


def mapped(path):
    with open(path, "w+b") as file:
        file.write(b"x" * 100)
        file.flush()
        return mmap.mmap(file.fileno(), 0)


def database(path):
    db = sqlite3.connect(path)
    db.execute("create table t (x)")
    return db


def sleeper(folder):
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, cwd=folder)


HOLDERS = {
    "file": lambda folder: open(os.path.join(folder, "a"), "w"),
    "sqlite3": lambda folder: database(os.path.join(folder, "a.db")),
    "shelf": lambda folder: shelve.open(os.path.join(folder, "shelf")),
    "map": lambda folder: mapped(os.path.join(folder, "map")),
    "temporary file": lambda folder: tempfile.NamedTemporaryFile(dir=folder),
    "handler": lambda folder: logging.FileHandler(os.path.join(folder, "log")),
    "child": sleeper,
    "descriptor": Descriptor,
}
SHAPES = {
    "itself": lambda value: value,
    "object": Store,
    "two objects": lambda value: Store(Store(value)),
    "list of an object": lambda value: [Store(value)],
    "object in a cycle": in_cycle,
    "object with a list": lambda value: Store([value, 1]),
}


@unittest.skipUnless(sys.version_info >= (3,) and os.path.isdir("/proc/self/fd"),
                     "needs TemporaryDirectory (3.2) and the /proc of Linux")
class FolderTests(unittest.TestCase):
    def setUp(self):
        del seen[:]

    def check(self, run_it, make):
        for shape in sorted(SHAPES):
            for holder in sorted(HOLDERS):
                with self.subTest(holder=holder, shape=shape):
                    del seen[:]
                    with warnings.catch_warnings(record=True) as caught:
                        warnings.simplefilter("always")
                        result = run_it(make(HOLDERS[holder], SHAPES[shape]))
                    self.assertEqual((result.errors, result.failures), ([], []))
                    self.assertEqual([held for _, held in seen], [[]])
                    self.assertEqual([str(each.message) for each in caught
                                      if "Implicitly" in str(each.message)
                                      or "is finished, but" in str(each.message)], [])

    def test_mixin(self):
        def make(holder, shape):
            class Tests(LeakFixMixin, unittest.TestCase):
                def setUp(self):
                    self.tmp = Folder()
                    self.store = shape(holder(self.tmp.name))

                def test(self):
                    pass
            return Tests
        self.check(run_plainly, make)

    def test_mixin_folder_assigned_last(self):
        def make(holder, shape):
            class Tests(LeakFixMixin, unittest.TestCase):
                def test(self):
                    tmp = Folder()
                    self.store = shape(holder(tmp.name))
                    self.tmp = tmp
            return Tests
        self.check(run_plainly, make)

    def test_runner(self):
        def make(holder, shape):
            class Tests(unittest.TestCase):
                def setUp(self):
                    tmp = Folder()
                    self.store = shape(holder(tmp.name))
                    self.tmp = tmp

                def test(self):
                    pass
            return Tests
        self.check(lambda tests: run(LeakFixTestRunner, tests), make)

    def test_runner_test_in_a_cycle(self):
        def make(holder, shape):
            class Tests(unittest.TestCase):
                def test(self):
                    self.tmp = Folder()
                    self.method = self.test
                    self.store = shape(holder(self.tmp.name))
            return Tests
        self.check(lambda tests: run(LeakFixTestRunner, tests), make)

    def test_class_mixin(self):
        def make(holder, shape):
            class Tests(ClassLeakFixMixin, unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    tmp = Folder()
                    cls.store = shape(holder(tmp.name))
                    cls.tmp = tmp

                def test(self):
                    pass
            return Tests
        runs = run_plainly
        if sys.version_info < (3, 8):
            def runs(tests):
                return run(LeakFixTestRunner, tests)
        self.check(runs, make)

    def test_failing_test(self):
        class Tests(LeakFixMixin, unittest.TestCase):
            def test(self):
                self.tmp = Folder()
                self.store = Store(database(os.path.join(self.tmp.name, "a.db")))
                self.fail("as it should")
        result = run_plainly(Tests)
        self.assertEqual(len(result.failures), 1)
        self.assertEqual([held for _, held in seen], [[]])

    def test_folder_that_cannot_be_removed_is_an_error_of_the_test(self):
        class Stuck(Folder):
            def cleanup(self):
                if self._finalizer.alive:
                    super(Stuck, self).cleanup()
                    raise PermissionError(13, "used by another process")

        class Tests(LeakFixMixin, unittest.TestCase):
            def test(self):
                self.tmp = Stuck()
                self.file = open(os.path.join(self.tmp.name, "a"), "w")
        result = run_plainly(Tests)
        self.assertIn("used by another process", result.errors[0][1])
        self.assertEqual([held for _, held in seen], [[]])

    def test_shared_store_is_left_alone(self):
        shared = []

        class Tests(LeakFixMixin, unittest.TestCase):
            def test(self):
                self.tmp = Folder()
                self.store = Store(open(os.devnull))
                shared.append(self.store)
        run_plainly(Tests)
        self.assertFalse(shared[0].value.closed)
        self.assertEqual([held for _, held in seen], [[]])
        shared.pop().value.close()

    def test_a_finalizer_finds_what_it_needs(self):
        printed = []

        class Journal(Store):
            def __del__(self):
                printed.append(self.value.closed)
                self.value.close()

        class Tests(LeakFixMixin, unittest.TestCase):
            def test(self):
                self.tmp = Folder()
                self.journal = Journal(open(os.path.join(self.tmp.name, "a"), "w"))
        run_plainly(Tests)
        self.assertEqual(printed, [False])
        self.assertEqual([held for _, held in seen], [[]])

    def test_folder_in_a_folder(self):
        class Tests(LeakFixMixin, unittest.TestCase):
            def test(self):
                outer = Folder(prefix="outer")
                self.inner = Folder(prefix="inner", dir=outer.name)
                self.outer = outer
        run_plainly(Tests)
        self.assertEqual([name[:5] for name, _ in seen], ["inner", "outer"])

    def test_object_that_has_a_folder_goes_after_what_is_open_in_it(self):
        import contextlib

        class Tests(LeakFixMixin, unittest.TestCase):
            def test(self):
                stack = contextlib.ExitStack()
                folder = stack.enter_context(Folder())
                self.file = open(os.path.join(folder, "a"), "w")
                self.stack = stack
        run_plainly(Tests)
        self.assertEqual([held for _, held in seen], [[]])

    def test_folders_are_gone(self):
        class Tests(LeakFixMixin, unittest.TestCase):
            paths = []

            def test(self):
                self.tmp = tempfile.TemporaryDirectory()
                self.paths.append(self.tmp.name)
                self.store = Store(database(os.path.join(self.tmp.name, "a.db")))
        run_plainly(Tests)
        self.addCleanup(shutil.rmtree, Tests.paths[0], True)
        self.assertFalse(os.path.exists(Tests.paths[0]))


class UserTests(unittest.TestCase):
    """What refers to another goes first, whichever was assigned last."""

    def order(self, runner, base):
        log = []

        class Tests(base):
            def test(self):
                connection = Resource("connection", log)
                session = Resource("session", log, uses=(connection,))
                self.cursor = Resource("cursor", log, uses=([session],))
                self.connection = connection
                self.session = session
                self.other = Resource("other", log)
        run(runner, Tests)
        return [name for name in log if name != "other"]

    def test_mixin(self):
        class Base(LeakFixMixin, unittest.TestCase):
            pass
        self.assertEqual(self.order(unittest.TextTestRunner, Base),
                         ["cursor", "session", "connection"])

    def test_runner(self):
        self.assertEqual(self.order(LeakFixTestRunner, unittest.TestCase),
                         ["cursor", "session", "connection"])


if __name__ == "__main__":
    unittest.main()
