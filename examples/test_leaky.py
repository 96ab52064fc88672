"""A suite as one meets it: everything is opened in setUp and nothing is ever closed.

It knows nothing of unittest_leakfix. Run it both ways, and compare::

    python -m unittest discover -s examples -p test_leaky.py
    python -m unittest_leakfix discover -s examples -p test_leaky.py

The first leaves open, to the end of the run or until the garbage collector comes by, what the
second closes after each test.
"""

from __future__ import absolute_import

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import unittest


class OrderTests(unittest.TestCase):
    """A database for each test, no tearDown, and rows that stay on self."""

    def setUp(self):
        self.db = sqlite3.connect(":memory:")
        self.db.execute("CREATE TABLE orders (number INTEGER, total INTEGER)")
        self.db.executemany("INSERT INTO orders VALUES (?, ?)",
                            [(number, number % 50) for number in range(2000)])

    def test_sum(self):
        self.rows = self.db.execute("SELECT total FROM orders").fetchall()
        self.assertEqual(sum(row[0] for row in self.rows), 49000)

    def test_filter(self):
        self.rows = self.db.execute("SELECT * FROM orders WHERE total > 40").fetchall()
        self.assertEqual(len(self.rows), 360)

    def test_callback_makes_a_cycle(self):
        self.on_save = self.saved    # a bound method: the test now refers to itself
        self.on_save(7)
        self.assertEqual(self.number, 7)

    def saved(self, number):
        self.number = number

    def test_exception_is_kept(self):
        # The exception holds its traceback, the traceback this frame, the frame self.
        with self.assertRaises(sqlite3.OperationalError) as self.caught:
            self.db.execute("SELECT * FROM customers")
        self.assertIn("customers", str(self.caught.exception))

    def test_not_for_this_database(self):
        self.skipTest("a skipped test keeps its connection like any other")

    @unittest.expectedFailure
    def test_known_bug(self):
        self.assertEqual(self.db.execute("SELECT max(total) FROM orders").fetchone(), (50,))


class EchoTests(unittest.TestCase):
    """Both ends of a connection, and the socket that listens."""

    def setUp(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1)
        self.client = socket.create_connection(self.listener.getsockname(), 10)
        self.server = self.listener.accept()[0]

    def test_hello(self):
        self.client.sendall(b"hello")
        self.assertEqual(self.server.recv(5), b"hello")


class WorkerTests(unittest.TestCase):
    """A child process that would wait for ever."""

    def setUp(self):
        self.child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdout.write('ready'); sys.stdout.flush();"
             "sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def test_starts(self):
        self.assertEqual(self.child.stdout.read(5), b"ready")
        self.assertIsNone(self.child.poll())


class ExportTests(unittest.TestCase):
    """Temporary files and folders."""

    def test_file(self):
        self.files = [tempfile.NamedTemporaryFile(), tempfile.NamedTemporaryFile()]
        for each in self.files:
            each.write(b"number;total\n")
            self.assertTrue(os.path.exists(each.name))

    @unittest.skipUnless(hasattr(tempfile, "TemporaryDirectory"), "Python 2.7 has none")
    def test_folder(self):
        self.folder = tempfile.TemporaryDirectory()
        with open(os.path.join(self.folder.name, "orders.csv"), "w") as export:
            export.write("number;total\n")
        self.assertEqual(os.listdir(self.folder.name), ["orders.csv"])


if __name__ == "__main__":
    # In place of unittest.main(): python examples/test_leaky.py
    import unittest_leakfix
    unittest_leakfix.main()
