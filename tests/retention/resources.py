"""Real resources, as objects and as descriptors of the process."""

from __future__ import absolute_import

import os
import shutil
import socket
import sqlite3
import tempfile

from tests.retention.harness import ALL, FREE, KEPT, LIGHT, UNTIL_GC, Payload, case, left, since

# Where a test is kept, its descriptors are.
OPEN = KEPT._replace(descriptors=ALL, descriptors_gc=ALL)
PASSED = dict(stock=since(OPEN, py36=FREE), mixin=since(LIGHT, py36=FREE))
FAILED = dict(stock=OPEN, mixin=LIGHT)
OPEN_UNTIL_GC = UNTIL_GC._replace(descriptors=ALL)

NEEDS = (2, 7) if os.path.isdir("/proc/self/fd") else (99, 0)


def _in_folder(kit):
    kit.folder = tempfile.mkdtemp()
    kit.undo(shutil.rmtree, kit.folder)
    return kit.folder


def _database(kit, fails):
    folder = _in_folder(kit)

    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            path = os.path.join(folder, self._testMethodName)
            self.connection = sqlite3.connect(path)
            self.connection.execute("create table t (x)")
            kit.descriptor(self, *_numbers(path))
            if fails:
                self.fail("broken")
    return Tests


def _numbers(path):
    """List the descriptors that are open on *path*."""
    path = os.path.realpath(path)
    return [number for number in os.listdir("/proc/self/fd")
            if os.path.realpath("/proc/self/fd/" + number) == path]


# 3.11: a connection is in a cycle with its cache of statements.
@case(stock=since(OPEN, py36=FREE, py311=left(descriptors=ALL, descriptors_gc=())),
      mixin=since(LIGHT, py36=FREE), needs=NEEDS)
def res_sqlite_pass(kit):
    return _database(kit, fails=False)


@case(needs=NEEDS, **FAILED)
def res_sqlite_fail(kit):
    return _database(kit, fails=True)


def _file(kit, fails):
    folder = _in_folder(kit)

    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.file = open(os.path.join(folder, self._testMethodName), "w")
            kit.descriptor(self, self.file.fileno())
            if fails:
                self.fail("broken")
    return Tests


@case(needs=NEEDS, **PASSED)
def res_file_pass(kit):
    return _file(kit, fails=False)


@case(needs=NEEDS, **FAILED)
def res_file_fail(kit):
    return _file(kit, fails=True)


def _sockets(kit, end):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)
            self.one, self.other = socket.socketpair()
            kit.descriptor(self, self.one.fileno(), self.other.fileno())
            end(self)
    return Tests


@case(needs=NEEDS, **PASSED)
def res_sock_pass(kit):
    return _sockets(kit, id)


@case(needs=NEEDS, **FAILED)
def res_sock_fail(kit):
    return _sockets(kit, lambda test: test.fail("broken"))


@case(needs=NEEDS, **FAILED)
def res_sock_skip(kit):
    return _sockets(kit, lambda test: test.skipTest("not today"))


@case(stock=since(OPEN, py36=OPEN_UNTIL_GC), mixin=since(LIGHT, py36=FREE), needs=NEEDS)
def res_sock_cycle(kit):
    return _sockets(kit, lambda test: setattr(test, "me", test))
