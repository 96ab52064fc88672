"""The tests of test_drop_fails.py and test_drop.py: three ways to keep a session on a database.

It needs psycopg (or psycopg2), and a PostgreSQL on which you may create databases. libpq finds it
by PGHOST, PGPORT, PGUSER and PGPASSWORD.
"""

import os
import queue
import subprocess
import sys
import threading
import unittest

try:
    import psycopg as driver
except ImportError:
    try:
        import psycopg2 as driver
    except ImportError:
        raise unittest.SkipTest("psycopg is missing: pip install 'psycopg[binary]'")

if "PGHOST" not in os.environ:
    raise unittest.SkipTest("no server is named: set PGHOST (and PGPORT, PGUSER, PGPASSWORD)")

DATABASE = "leakfix_example"
ALIASES = {}      # Django's connections, SQLAlchemy's binds: one connection for each alias
EXPORTS = []      # processes that were started, and that nothing waits for


def on_the_server(*statements):
    """CREATE and DROP DATABASE: outside of a transaction, and from another database."""
    db = driver.connect(dbname="postgres")
    db.autocommit = True
    try:
        for statement in statements:
            db.cursor().execute(statement)
    finally:
        db.close()


def alias(name):
    if name not in ALIASES:
        ALIASES[name] = driver.connect(dbname=DATABASE)
    return ALIASES[name]


def count(db):
    cursor = db.cursor()
    cursor.execute("SELECT COUNT(*) FROM pg_class WHERE relname = 'orders'")
    db.commit()
    return cursor.fetchone()[0]


def worker(jobs, answers):
    """A thread of the application: answers as long as it is asked, on a connection of its own."""
    db = driver.connect(dbname=DATABASE)
    while jobs.get():
        answers.put(count(db))


class OrderTests(unittest.TestCase):
    """All three pass, and each leaves a session behind."""

    def test_a_second_alias(self):
        self.assertEqual(count(alias("reporting")), 0)

    def test_a_thread(self):
        jobs, answers = queue.Queue(), queue.Queue()
        threading.Thread(target=worker, args=(jobs, answers), name="orders", daemon=True).start()
        jobs.put("how many?")
        self.assertEqual(answers.get(timeout=10), 0)
        # jobs.put(None) would end the thread; closing its connection is the thread's own part.

    def test_another_process(self):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "export.py")
        EXPORTS.append(subprocess.Popen([sys.executable, path, DATABASE], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE))
        self.assertEqual(EXPORTS[-1].stdout.readline().strip(), b"connected")
