"""What setUpClass takes, the class gives back.

    python -m unittest_leakfix discover -s examples -p test_class_mixin.py

and, from Python 3.8 on, under every other runner too.
"""

from __future__ import absolute_import

import sqlite3
import unittest

from unittest_leakfix import ClassLeakFixMixin


class CatalogueTests(ClassLeakFixMixin, unittest.TestCase):
    """One database for all tests of the class. It has no tearDownClass."""

    @classmethod
    def setUpClass(cls):
        cls.db = sqlite3.connect(":memory:")
        cls.db.execute("CREATE TABLE books (title TEXT)")
        cls.db.execute("INSERT INTO books VALUES ('Middlemarch')")
        cls.titles = [row[0] for row in cls.db.execute("SELECT title FROM books")]

    def test_titles(self):
        self.assertEqual(self.titles, ["Middlemarch"])

    def test_database_is_shared(self):
        # On self it is still the class's: no single test may close it.
        self.mine = self.db
        self.assertEqual(self.mine.execute("SELECT count(*) FROM books").fetchone(), (1,))


class NextTests(unittest.TestCase):
    """Runs after it: there is nothing left."""

    def test_class_gave_all_back(self):
        self.assertFalse([name for name in ("db", "titles") if hasattr(CatalogueTests, name)])


if __name__ == "__main__":
    import unittest_leakfix
    unittest_leakfix.main()
