"""Who blocks whom while it waits: a DROP, a TRUNCATE and an ALTER behind a session that a test
left are reported with both sides, and go on where the session may be ended.

One child process for each server runs all the suites; what it writes is looked at by the tests.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from tests.support import private_server, servers, servers_postgresql
from tests.support.paths import ROOT

SUITE = """\
import json, os, subprocess, sys, threading, time, unittest
import {driver} as driver
from sqlalchemy import Column, Integer, String, create_engine, text
from sqlalchemy.orm import Session, declarative_base, scoped_session, sessionmaker
SETTINGS = json.loads(os.environ["SETTINGS"])
engine = create_engine(os.environ["ADDRESS"])
Base = declarative_base()
class Cell(Base):
    __tablename__ = "cell"
    id = Column(Integer, primary_key=True)
    name = Column(String(9))
class Event(Base):
    __tablename__ = "event"
    id = Column(Integer, primary_key=True)
Notify = scoped_session(sessionmaker(engine))
KEPT = []
def connect():
    return driver.connect(**SETTINGS)
def run(connection, statement):
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()
def apart(statement, until_reported=""):
    connection = connect()
    run(connection, "{timeout}")
    ends = threading.Thread(target=cancel, args=(connection, until_reported))
    if until_reported:
        ends.start()
    try:
        run(connection, statement)
        connection.commit()
    finally:
        if until_reported:
            ends.join()
        connection.close()
def cancel(connection, test):
    from unittest_leakfix.patience import Watch
    until = time.monotonic() + 60
    while time.monotonic() < until and not any(
            type(key) is tuple and key[0] == test for key in list(Watch._running_one._seen)):
        time.sleep(0.05)
    {cancel}
def setUpModule():
    Base.metadata.create_all(engine)
def tearDownModule():
    engine.dispose()
    Base.metadata.drop_all(engine, [Event.__table__])
class A_InTearDown(unittest.TestCase):
    def setUp(self):
        self.session = Session(engine)
    def tearDown(self):
        apart("ALTER TABLE cell ADD COLUMN a INT")
    def test_search(self):
        self.session.execute(text("SELECT * FROM cell WHERE name = 'kirschkern' OR id = 4711"))
class B_OnAClass(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.connection = connect()
        run(cls.connection, "{begin}")
        run(cls.connection, "SELECT id FROM cell")
    def test_nothing(self):
        pass
class C_AfterTheClass(unittest.TestCase):
    def test_truncate(self):
        apart("TRUNCATE TABLE cell")
class D_KeptByModule(unittest.TestCase):
    def test_1_keeps(self):
        KEPT.append(connect())
        run(KEPT[0], "{begin}")
        run(KEPT[0], "SELECT id FROM cell")
    def test_2_waits(self):
        with self.assertRaises(driver.Error):
            apart("ALTER TABLE cell ADD COLUMN d INT", self.id())
        run(KEPT[0], "SELECT name FROM cell")
        KEPT.pop().close()
class E_StillRuns(unittest.TestCase):
    def test_own(self):
        own = connect()
        run(own, "{begin}")
        run(own, "SELECT id FROM cell")
        with self.assertRaises(driver.Error):
            apart("ALTER TABLE cell ADD COLUMN e INT", self.id())
        own.close()
class F_AnotherProcess(unittest.TestCase):
    def test_waits(self):
        other = subprocess.Popen([sys.executable, "-c",
            "import json, os, sys, {driver} as driver\\n"
            "c = driver.connect(**json.loads(os.environ['SETTINGS']))\\n"
            "k = c.cursor(); k.execute('{begin}'); k.execute('SELECT id FROM cell')\\n"
            "print('holds', flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        other.stdout.readline()
        with self.assertRaises(driver.Error):
            apart("ALTER TABLE cell ADD COLUMN f INT", self.id())
        self.assertIsNone(other.poll())
        other.communicate()
class G_Notify(unittest.TestCase):
    def test_notify(self):
        self.assertEqual(Notify().query(Event).count(), 0)
    def test_other(self):
        pass
"""


class LockWaits:
    """What a child process with `SUITE` writes, on one server."""

    start = None
    given = {}
    scheme = ""

    @classmethod
    def setUpClass(cls):
        server = cls.start()
        for name in (cls.given["driver"], "sqlalchemy"):
            private_server.driver(name)
        settings = server.settings()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "test_it.py"), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(SUITE).replace("{driver}", cls.given["driver"]).replace(
                "{begin}", cls.given["begin"]).replace("{timeout}", cls.given["timeout"]).replace(
                    "{cancel}", cls.given["cancel"]))
        env = dict(os.environ, PYTHONPATH=ROOT, SETTINGS=json.dumps(settings),
                   ADDRESS="%s://%s:%s@%s:%d/%s" % (
                       cls.scheme, server.user, server.password, server.host, server.port,
                       server.database))
        child = subprocess.run(
            [sys.executable, "-m", "unittest_leakfix", "--leaks=report", "--patience=0.6",
             "test_it"], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=300, universal_newlines=True, encoding="utf-8")
        cls.status, cls.output = child.returncode, child.stdout
        cls.secret = server.password
        blocks = [block for block in re.split(r"\n\n|\n(?=unittest_leakfix: )", cls.output)
                  if " waits for a lock of " in block]
        cls.written = {block.partition(" waits ")[0].rpartition("unittest_leakfix: ")[2]:
                    without_numbers(block) for block in blocks}

    def test_verdict(self):
        self.assertEqual(0, self.status, self.output)

    def test_no_secret_and_no_value(self):
        self.assertNotIn(self.secret, self.output)
        for secret in ("kirschkern", "4711"):
            self.assertNotIn(secret, "".join(self.written.values()))

    def proven(self, what, *lines):
        written = self.written.get(what, "")
        self.assertTrue(written, "nothing written of %s:\n%s" % (what, self.output))
        for line in lines:
            self.assertIn(line, written)

    def test_a_session_of_the_test_in_its_tear_down(self):
        self.proven(
            "A_InTearDown.test_search",
            'A_InTearDown.test_search waits for a lock of "leakfix", ', ", for N s\n",
            "    ALTER TABLE cell ADD COLUMN a INT\n"
            "    opened by test_it.A_InTearDown.test_search, test_it.py:N in connect\n",
            "taken by test_it.A_InTearDown.test_search, test_it.py:N in setUp\n",
            "it is ended: A_InTearDown.test_search is over but for its clean-ups, and nothing else "
            "refers to its client\n"
            "in your code: self.addCleanup(self.session.close)")

    def test_a_connection_on_a_class_that_is_over(self):
        self.proven("C_AfterTheClass.test_truncate", "TRUNCATE TABLE cell",
                    "it is ended: setUpClass (test_it.B_OnAClass) is over, and nothing else refers")

    def test_what_a_module_keeps_is_only_named(self):
        self.proven("D_KeptByModule.test_2_waits", "not ended: test_it.KEPT[N] keeps its client",
                    "in your code: ")

    def test_what_the_test_itself_uses_is_only_named(self):
        self.proven("E_StillRuns.test_own", "not ended: E_StillRuns.test_own still runs")

    def test_another_process(self):
        self.proven("F_AnotherProcess.test_waits", "not ended: this run did not open it; it is "
                    "held by pid N: ")

    def test_a_scoped_session_in_tear_down_of_its_module(self):
        self.proven("tearDownModule (test_it)", "    DROP TABLE event\n",
                    "    opened by test_it.G_Notify.test_notify, test_it.py:N in test_notify\n",
                    "it is ended: G_Notify.test_notify is over, and nothing else refers",
                    "in your code: self.addCleanup(Notify.remove)")


def without_numbers(text):
    return re.sub(r"(?<![\w.])\d+\b", "N", text)


class PostgreSQLTest(LockWaits, unittest.TestCase):
    start = staticmethod(servers_postgresql.postgresql)
    scheme = "postgresql+psycopg2"
    given = dict(driver="psycopg2", begin="SELECT 1", timeout="SET lock_timeout = 90000",
                 cancel="connection.cancel()")

    def test_statement_up_to_its_first_string(self):
        self.assertIn("    SELECT * FROM cell WHERE name = ***\n",
                      self.written["A_InTearDown.test_search"])


class MariaDBTest(LockWaits, unittest.TestCase):
    """With an account that sees neither locks nor transactions: by what the driver knows."""

    start = staticmethod(servers.mariadb)
    scheme = "mysql+pymysql"
    given = dict(driver="pymysql", begin="BEGIN", timeout="SET lock_wait_timeout = 90",
                 cancel="other = connect(); run(other, 'KILL QUERY %d' % connection.thread_id()); "
                        "other.close()")
    test_another_process = None     # such an account sees nothing of its transaction
