"""The same with the mixin: each test gives back what it took, under any runner.

    python -m unittest discover -s examples -p test_mixin.py
    python -m pytest examples/test_mixin.py
"""

from __future__ import absolute_import

import sqlite3
import unittest

from unittest_leakfix import LeakFixMixin


class OrderTests(LeakFixMixin, unittest.TestCase):
    """Closed and dropped after each test: ``db``, ``rows``, and what a test adds."""

    def setUp(self):
        self.db = sqlite3.connect(":memory:")
        self.db.execute("CREATE TABLE orders (number INTEGER, total INTEGER)")
        self.db.executemany("INSERT INTO orders VALUES (?, ?)",
                            [(number, number % 50) for number in range(2000)])

    def test_sum(self):
        self.rows = self.db.execute("SELECT total FROM orders").fetchall()
        self.assertEqual(sum(row[0] for row in self.rows), 49000)


class Archive(object):
    """Something of our own. It has a close(), but so has a door: nobody closes it unasked."""

    closed = 0

    def close(self):
        Archive.closed += 1


class ArchiveTests(LeakFixMixin, unittest.TestCase):
    """The two words there are: what to close besides, and what to leave alone."""

    leakfix_close = ("archive",)
    leakfix_keep = ("timings",)

    def setUp(self):
        self.archive = Archive()
        self.timings = []

    def test_is_closed_when_the_test_is_over(self):
        self.assertEqual(Archive.closed, 0)

    @classmethod
    def tearDownClass(cls):
        if Archive.closed != 1:
            raise AssertionError("the archive was closed %d times" % Archive.closed)


if __name__ == "__main__":
    unittest.main()    # unittest's own: the mixin needs nothing else
