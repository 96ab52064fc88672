"""Kinds of resource on the real thing: files, archives, databases, patches, stacks."""
from __future__ import absolute_import

import codecs
import contextlib
import gzip
import io
import mmap
import os
import shelve
import shutil
import sqlite3
import sys
import tarfile
import tempfile
import threading
import unittest
import zipfile

from tests.unit.resources.test_resources import KindCase, mock
from unittest_leakfix.resources import registry

try:
    import dbm.dumb as dumb
except ImportError:  # Python 2.7
    import dumbdbm as dumb

PY2 = sys.version_info[0] == 2


class FolderCase(KindCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name="x.txt"):
        return os.path.join(self.folder, name)


class FileTests(FolderCase):
    def test_io_objects(self):
        path = self.path()
        self.check(io.open(path, "w"), "file", "file %s (w)" % path)
        self.check(io.open(path, "rb"), "file", "file %s (rb)" % path)
        self.check(io.open(path, "r+b"), "file", "file %s (rb+)" % path)
        self.check(io.open(path, "rb", 0), "file", "file %s (rb)" % path)
        self.check(io.FileIO(path), "file", "file %s (rb)" % path)

    def test_a_descriptor_of_a_pipe(self):
        here, there = os.pipe()
        os.close(there)
        self.check(io.open(here, "rb"), "file", "file descriptor %d (rb)" % here)

    def test_the_built_in_open(self):
        self.check(open(self.path(), "w"), "file", "file %s (w)" % self.path())

    def test_compressed(self):
        self.check(gzip.open(self.path(), "wb"), "file")
        import bz2
        self.check(bz2.BZ2File(self.path(), "w"), "BZ2File" if PY2 else "file")

    def test_codecs(self):
        path = self.path()
        self.check(codecs.open(path, "w", "utf-8"), "file",
                   "file %s (wb)" % path)

    def test_a_file_that_cannot_be_flushed(self):
        value = io.open("/dev/full", "w")
        value.write(u"x")
        self.assertRaises(EnvironmentError, self.kind(value, "file").close, value)
        self.assertIs(self.kind(value).is_open(value), False)

    def test_a_detached_file_never_raises(self):
        value = io.open(self.path(), "w")
        raw = value.detach()
        self.assertIsNone(self.kind(value, "file").is_open(value))
        self.assertEqual(self.kind(value).describe(value), "file")
        raw.close()

    def test_temporary_files(self):
        value = tempfile.NamedTemporaryFile()
        self.check(value, "temporary file", "temporary file %s" % value.name)
        self.assertFalse(os.path.exists(value.name))
        self.check(tempfile.TemporaryFile(), "file")

    @unittest.skipIf(sys.version_info < (3, 12), "delete_on_close is new in 3.12")
    def test_a_temporary_file_that_outlives_its_close(self):
        value = tempfile.NamedTemporaryFile(delete_on_close=False)
        value.close()
        self.assertTrue(os.path.exists(value.name))
        self.check(value, "temporary file")
        self.assertFalse(os.path.exists(value.name))

    def test_a_temporary_file_that_is_to_stay(self):
        value = tempfile.NamedTemporaryFile(dir=self.folder, delete=False)
        self.check(value, "temporary file")
        self.assertTrue(os.path.exists(value.name))

    def test_spooled(self):
        value = tempfile.SpooledTemporaryFile(max_size=3)
        self.assertIs(self.kind(value).is_open(value), False)
        value.write(b"four")
        self.check(value, "temporary file")

    @unittest.skipIf(PY2, "Python 2.7 has none")
    def test_temporary_folder(self):
        value = tempfile.TemporaryDirectory()
        self.check(value, "temporary folder", "temporary folder %s" % value.name)
        self.assertFalse(os.path.exists(value.name))

    @unittest.skipIf(sys.version_info < (3, 12), "delete is new in 3.12")
    def test_a_temporary_folder_that_is_to_stay(self):
        value = tempfile.TemporaryDirectory(dir=self.folder, delete=False)
        self.assertIs(self.kind(value).is_open(value), False)

    def test_archives(self):
        path = self.path("x.zip")
        value = zipfile.ZipFile(path, "w")
        self.check(value, "zip archive", "zip archive %s" % path)
        path = self.path("x.tar")
        self.check(tarfile.open(path, "w"), "tar archive", "tar archive %s" % path)

    def test_streams_over_memory(self):
        class Body(io.IOBase):
            def __init__(self, raw):
                self.raw = raw

        class Closing(Body):
            def close(self):
                self.raw.close()

        class Named(io.TextIOWrapper):
            buffer = None

        def is_open(value):
            return self.kind(value).is_open(value)
        for value in (Named(io.BytesIO()), Body(io.BytesIO()), io.TextIOWrapper(io.BytesIO()),
                      io.BufferedReader(io.BytesIO()),
                      io.TextIOWrapper(io.BufferedReader(io.BytesIO()))):
            self.assertIs(is_open(value), False)
        self.assertIs(is_open(Closing(io.BytesIO())), True)
        with io.open(self.path("x"), "w") as value:
            self.assertIs(is_open(value), True)
        with Named(io.open(self.path("x"), "wb")) as value:
            self.assertIs(is_open(value), True)
        self.assertIs(is_open(value), False)

    def test_a_member_of_an_archive(self):
        with zipfile.ZipFile(self.path("x.zip"), "w") as archive:
            archive.writestr("a", b"a")
        with zipfile.ZipFile(self.path("x.zip")) as archive:
            self.check(archive.open("a"), "file")

    def test_memory_map(self):
        self.check(mmap.mmap(-1, 10), "memory map")

    def test_shelf(self):
        self.check(shelve.Shelf({}), "shelf")
        self.check(shelve.Shelf(dumb.open(self.path("d"))), "shelf")

    def test_dbm(self):
        self.check(dumb.open(self.path("d")), "dbm database")

    @unittest.skipIf(sys.version_info < (3, 13), "dbm.sqlite3 is new in 3.13")
    def test_dbm_sqlite(self):
        import dbm.sqlite3
        self.check(dbm.sqlite3.open(self.path("d"), "c"), "dbm database")

    @unittest.skipIf(sys.version_info < (3, 8), "new in 3.8")
    def test_shared_memory(self):
        from multiprocessing import shared_memory
        value = shared_memory.SharedMemory(create=True, size=10)
        self.addCleanup(value.unlink)
        self.check(value, "shared memory")

    @unittest.skipIf(PY2, "Python 2.7 has none")
    def test_scandir(self):
        value = os.scandir(self.folder)
        kind = self.kind(value, "ScandirIterator")
        self.assertIsNone(kind.is_open(value))
        kind.close(value)
        self.assertEqual(list(value), [])


class SqliteTests(FolderCase):
    def test_connection(self):
        path = self.path("x.db")
        self.check(sqlite3.connect(path), "sqlite3 connection", "sqlite3 connection"
                   if PY2 else "sqlite3 connection to %s" % path)
        self.check(sqlite3.connect(":memory:"), "sqlite3 connection", "sqlite3 connection"
                   if PY2 else "sqlite3 connection to :memory:")

    def test_describing_leaves_a_transaction_alone(self):
        path = self.path("x.db")
        value, other = sqlite3.connect(path), sqlite3.connect(path)
        value.execute("create table t (a)")
        value.commit()
        value.execute("insert into t values (1)")
        value.row_factory = lambda *args: 1 // 0
        self.assertEqual(self.kind(value).describe(value), "sqlite3 connection"
                         if PY2 else "sqlite3 connection to %s" % path)
        value.text_factory = lambda *args: 1 // 0
        self.assertEqual(self.kind(value).describe(value), "sqlite3 connection")
        self.assertEqual(other.execute("select * from t").fetchall(), [])
        other.close()
        value.close()

    def test_a_connection_of_another_thread_is_left_to_its_deallocation(self):
        made = []
        thread = threading.Thread(target=lambda: made.append(sqlite3.connect(":memory:")))
        thread.start()
        thread.join()
        value = made.pop()
        kind = self.kind(value)
        self.assertIs(kind.is_open(value), True)
        self.assertIsNone(kind.close(value))
        self.assertIs(kind.is_open(value), True)
        self.assertEqual(kind.describe(value), "sqlite3 connection")

    def test_a_connection_that_was_never_opened(self):
        value = sqlite3.Connection.__new__(sqlite3.Connection)
        self.assertIs(self.kind(value).is_open(value), False)

    def test_cursor(self):
        connection = sqlite3.connect(":memory:")
        value = connection.cursor()
        kind = self.kind(value, "sqlite3 cursor")
        self.assertIsNone(kind.is_open(value))
        self.assertIsNone(kind.close(value))
        self.assertRaises(sqlite3.ProgrammingError, value.execute, "select 1")
        connection.close()
        self.assertIs(kind.is_open(value), False)
        self.assertIsNone(kind.close(value))

    @unittest.skipIf(sys.version_info < (3, 11), "new in 3.11")
    def test_blob(self):
        connection = sqlite3.connect(":memory:")
        self.addCleanup(connection.close)
        connection.execute("create table t (a)")
        connection.execute("insert into t values (zeroblob(9))")
        self.check(connection.blobopen("t", "a", 1), "sqlite3 blob")


class FakeConnection(object):
    """The shape of DB-API 2.0."""

    def __init__(self, **names):
        vars(self).update(names)

    def cursor(self):
        return FakeCursor()

    def commit(self):
        raise AssertionError

    rollback = commit

    def close(self):
        if vars(self).get("closed"):
            raise RuntimeError("Already closed")
        self.closed = True


class FakeCursor(object):
    connection = None

    def execute(self, *args):
        raise AssertionError

    fetchone = fetchall = execute

    def close(self):
        self.connection = None


class DatabaseTests(KindCase):
    def text(self, **names):
        value = FakeConnection(**names)
        return self.kind(value, "database connection").describe(value)

    def test_connection(self):
        self.check(FakeConnection(closed=0), "database connection", "tests connection")
        value = FakeConnection()
        kind = self.kind(value)
        self.assertIsNone(kind.is_open(value))
        self.assertIs(kind.is_open(FakeConnection(open=1)), True)
        self.assertIs(kind.is_open(FakeConnection(open=False)), False)
        self.assertIs(kind.is_open(FakeConnection(closed=2)), False)
        self.assertRaises(RuntimeError, kind.close, FakeConnection(closed=1))

    def test_description(self):
        self.assertEqual(
            self.text(host="127.0.0.1", port=3306, user=b"db", db=b"shop", password="hush"),
            "tests connection to db@127.0.0.1:3306/shop")
        self.assertEqual(
            self.text(_host="h", _user="u", _database="d", _password="hush", dsn="hush"),
            "tests connection to u@h/d")
        self.assertEqual(self.text(unix_socket="/run/my.sock", port=3306, db="shop"),
                         "tests connection to /run/my.sock/shop")
        self.assertEqual(self.text(host="mysql://me:hush@db.example/x"),
                         "tests connection to mysql://me:***@db.example/x")
        self.assertEqual(self.text(host=object(), db=7.5), "tests connection")

    def test_libpq_info_without_its_password(self):
        class Info(object):
            host, port, user, dbname = "db.example", 5432, "me", "shop"

            @property
            def password(self):
                raise AssertionError("the password was read")

        class Libpq(FakeConnection):
            info = property(lambda self: Info())
            dsn = property(lambda self: 1 // 0)

        value = Libpq(closed=0)
        self.assertEqual(self.kind(value).describe(value),
                         "tests connection to me@db.example:5432/shop")

        class Broken(FakeConnection):
            info = property(lambda self: 1 // 0)

        self.assertEqual(self.kind(Broken()).describe(Broken()), "tests connection")

    def test_properties_that_ask_the_server_are_not_read(self):
        class Asking(FakeConnection):
            database = property(lambda self: self.fail())
            is_connected = fail = lambda self: sys.exit("asked the server")

        self.assertIsNone(self.kind(Asking()).is_open(Asking()))
        self.assertEqual(self.kind(Asking()).describe(Asking()), "tests connection")

    def test_cursor(self):
        value = FakeCursor()
        kind = self.kind(value, "cursor")
        self.assertIsNone(kind.is_open(value))
        value.connection = FakeConnection(open=True)
        self.assertIsNone(kind.is_open(value))
        value.connection.open = False
        self.assertIs(kind.is_open(value), False)
        kind.close(value)
        self.assertIs(kind.is_open(value), False)


@unittest.skipIf(mock is None, "no mock package")
class PatchTests(KindCase):
    goal = other = "before"

    def test_patch(self):
        value = mock.patch.object(PatchTests, "goal", "after")
        self.assertIs(self.kind(value).is_open(value), False)
        value.start()
        self.check(value, "mock patch", "mock patch of goal")
        self.assertEqual(self.goal, "before")
        self.kind(value).close(value)

    def test_patch_dict(self):
        names = {"a": 1}
        value = mock.patch.dict(names, {"a": 2})
        self.assertIs(self.kind(value).is_open(value), False)
        value.start()
        self.check(value, "mock patch", "mock patch of a dict")
        self.assertEqual(names, {"a": 1})
        names["b"] = 3
        self.assertIs(self.kind(value).is_open(value), False)
        self.kind(value).close(value)
        self.assertEqual(names, {"a": 1, "b": 3})

    def test_patch_multiple(self):
        value = mock.patch.multiple(PatchTests, goal="after", other=1)
        value.start()
        self.check(value, "mock patch")
        self.assertEqual(self.goal, "before")


@unittest.skipIf(PY2, "Python 2.7 has none")
class ExitStackTests(KindCase):
    def test_exit_stack(self):
        value, called = contextlib.ExitStack(), []
        self.assertIs(self.kind(value).is_open(value), False)
        value.callback(called.append, 1)
        self.check(value, "exit stack")
        self.assertEqual(called, [1])


class HostileTests(KindCase):
    def test_a_subclass_that_breaks_everything(self):
        class Hostile(io.BufferedReader):
            name = mode = closed = property(lambda self: 1 // 0)

            def __repr__(self):
                raise AssertionError

        raw = io.FileIO(os.devnull)
        self.addCleanup(raw.close)
        value = Hostile(raw)
        kind = self.kind(value, "file")
        self.assertIsNone(kind.is_open(value))
        self.assertEqual(kind.describe(value), "file")

    def test_interrupts_pass(self):
        class Interrupted(FakeConnection):
            @property
            def closed(self):
                raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, registry.kind_of(Interrupted()).is_open,
                          Interrupted())


if __name__ == "__main__":
    unittest.main()
