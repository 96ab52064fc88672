"""The story this project began with: a connection in setUp, no tearDown, and a server that is full.

It needs PyMySQL and a server that you may connect to. From the clone::

    pip install PyMySQL
    export MYSQL_HOST=127.0.0.1 MYSQL_PORT=3306 MYSQL_USER=shop MYSQL_PASSWORD=...
    MYSQL_DATABASE=shop python -m unittest discover -s examples/mysql
    python -m unittest_leakfix discover -s examples/mysql

With fewer than 60 connections to be had (``SET GLOBAL max_connections = 20``) the first of the two
commands ends in ``Too many connections``: on Python 2.7 because its suite keeps every test, on
Python 3 because the result keeps those that were skipped. The second needs one connection.
"""

from __future__ import absolute_import

import os
import unittest

try:
    import pymysql
except ImportError:
    raise unittest.SkipTest("PyMySQL is missing: pip install PyMySQL")

if "MYSQL_HOST" not in os.environ:
    raise unittest.SkipTest("no server is named: set MYSQL_HOST (and MYSQL_PORT, MYSQL_USER, "
                            "MYSQL_PASSWORD, MYSQL_DATABASE)")


class OrderTests(unittest.TestCase):
    """Sixty tests, as different as those of a real suite, and none closes its connection."""

    def setUp(self):
        self.db = pymysql.connect(
            host=os.environ["MYSQL_HOST"],
            port=int(os.environ.get("MYSQL_PORT", "3306")),
            user=os.environ.get("MYSQL_USER", "root"),
            password=os.environ.get("MYSQL_PASSWORD", ""),
            database=os.environ.get("MYSQL_DATABASE"))
        self.cursor = self.db.cursor()

    def check(self, number):
        self.cursor.execute("SELECT %s", (number,))
        self.assertEqual(self.cursor.fetchone(), (number,))
        if number % 2:
            self.skipTest("order %d is for another shop" % number)


for number in range(60):
    setattr(OrderTests, "test_order_%02d" % number,
            lambda self, number=number: self.check(number))


if __name__ == "__main__":
    unittest.main()
