"""On MySQL it is an open transaction that keeps a database from being dropped, and the run hangs.

It needs PyMySQL and a server on which you may create databases. From the clone::

    export MYSQL_HOST=127.0.0.1 MYSQL_PORT=3306 MYSQL_USER=shop MYSQL_PASSWORD=...
    python -m unittest_leakfix --leaks=report discover -s examples/databases -p test_drop_mysql.py

The thread's session is listed and ended, and the database is dropped. Without the mixin (take it
out of the line below) ``DROP DATABASE`` waits for the thread's transaction: for a whole day, were
it not for the ``lock_wait_timeout``.
"""

import os
import threading
import unittest

from unittest_leakfix.databases.session_mixins import MySQLLeakFixMixin

try:
    import pymysql
except ImportError:
    raise unittest.SkipTest("PyMySQL is missing: pip install PyMySQL")

if "MYSQL_HOST" not in os.environ:
    raise unittest.SkipTest("no server is named: set MYSQL_HOST (and MYSQL_PORT, MYSQL_USER, "
                            "MYSQL_PASSWORD)")

DATABASE = "leakfix_example"


def connect(database=DATABASE):
    return pymysql.connect(
        host=os.environ["MYSQL_HOST"],
        port=int(os.environ.get("MYSQL_PORT", "3306")),
        user=os.environ.get("MYSQL_USER", "root"),
        password=os.environ.get("MYSQL_PASSWORD", ""),
        database=database)


def on_the_server(*statements):
    db = connect(database=None)
    try:
        for statement in ("SET lock_wait_timeout = 1",) + statements:
            db.cursor().execute(statement)
    finally:
        db.close()


def setUpModule():
    on_the_server("DROP DATABASE IF EXISTS " + DATABASE, "CREATE DATABASE " + DATABASE,
                  "CREATE TABLE %s.orders (number INTEGER) ENGINE=InnoDB" % DATABASE)


def tearDownModule():
    on_the_server("DROP DATABASE " + DATABASE)


def worker(ready):
    """A thread of the application: looks at the orders, and then waits inside its transaction."""
    db = connect()
    db.cursor().execute("SELECT * FROM orders")
    ready.set()
    threading.Event().wait()


class OrderTests(MySQLLeakFixMixin, unittest.TestCase):
    leakfix_database = staticmethod(connect)

    def test_a_thread(self):
        ready = threading.Event()
        threading.Thread(target=worker, args=(ready,), name="orders", daemon=True).start()
        self.assertTrue(ready.wait(10))


if __name__ == "__main__":
    unittest.main()
