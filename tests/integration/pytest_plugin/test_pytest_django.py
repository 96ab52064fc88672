"""pytest-django on real servers: with us, nobody is in the way when the test databases are
destroyed."""

from __future__ import annotations

import json
import os
import re
import sys
import unittest

from tests import tiers
from tests.integration.pytest_plugin.pytest_case import PytestCase
from tests.support import servers, servers_postgresql
from tests.tiers import NEWEST, OLDEST, full_on, nightly

SETTINGS = """
import json, os
DATABASES = json.loads(os.environ["SHOP_DATABASES"])
if DATABASES["default"]["ENGINE"].endswith("mysql"):
    import pymysql
    pymysql.version_info = (2, 2, 1, "final", 0)
    pymysql.install_as_MySQLdb()
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes"]
LEAKFIX_PATIENCE = 1.5
if "SHOP_LISTS_ONLY" in os.environ:
    LEAKFIX_TERMINATE_SESSIONS = False
"""
TESTS = """
import gc, os, subprocess, sys, threading
import pytest
from django.db import connection, connections
from django.test import TestCase

kept = []

def ask(alias="default"):
    cursor = connections[alias].cursor()
    cursor.execute("select 1")
    return cursor.fetchone()[0]

@pytest.mark.django_db
def test_nothing():
    assert ask() == 1

@pytest.mark.django_db
def test_thread():
    ready = threading.Event()
    def work():
        ask()
        ready.set()
        threading.Event().wait()
    threading.Thread(target=work, name="mailer", daemon=True).start()
    ready.wait()

@pytest.mark.django_db(transaction=True)
def test_transaction():
    connection.cursor().execute("create table orders (number int)")
    ready = threading.Event()
    def work():
        connection.set_autocommit(False)
        connection.cursor().execute("insert into orders values (1)")
        ready.set()
        threading.Event().wait()
    threading.Thread(target=work, name="mailer", daemon=True).start()
    ready.wait()

@pytest.mark.django_db(transaction=True)
def test_flush():
    ready = threading.Event()
    def work():
        connection.set_autocommit(False)
        connection.cursor().execute("lock table django_content_type")
        ready.set()
        threading.Event().wait()
    threading.Thread(target=work, name="mailer", daemon=True).start()
    ready.wait()

@pytest.mark.django_db
def test_finished_thread():
    def work():
        ask()
        kept.append(connections["default"])
    thread = threading.Thread(target=work, name="mailer")
    thread.start()
    thread.join()

@pytest.mark.django_db
def test_process():
    settings = connection.settings_dict
    child = subprocess.Popen([sys.executable, "-c", '''
import sys, psycopg2
db = psycopg2.connect(host="127.0.0.1", port=sys.argv[1], user=sys.argv[2], dbname=sys.argv[3], application_name="export")
db.cursor().execute("select 1")
print("ready", flush=True)
sys.stdin.read()
''', str(settings["PORT"]), settings["USER"], settings["NAME"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=dict(os.environ, PGPASSWORD=settings["PASSWORD"]))
    kept.append(child)
    assert child.stdout.readline() == b"ready\\n"

@pytest.mark.django_db(databases=["default", "replica"])
def test_replica():
    assert ask() == ask("replica") == 1

class CaseTests(TestCase):
    def test_case(self):
        test_thread()
"""  # noqa: E501
CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker):
    from django.db import connection
    with django_db_blocker.unblock():
        old = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
    yield
    with django_db_blocker.unblock():
        connection.creation.destroy_test_db(old, verbosity=0)
"""
THREAD = """\
unittest_leakfix: before it is destroyed, 1 session on "NAME", PostgreSQL N: N of N connections in use

  id user client state for
  ID leakfix 127.0.0.1:PORT idle N s
      select 1
      held by pid N: CUT
      opened by TEST, thread 'mailer' (still running), test_shop.py:LINE in ask

ENDED
in your code: end the thread with the test, self.addCleanup(thread.join); connections.close_all() at the end of \
the thread's work"""  # noqa: E501
ENDED = 'ended 1 session on "NAME": ID'
ON_MARIADB = """\
unittest_leakfix: before it is destroyed, 1 session on "test_shop", MariaDB N: N of N connections in use

  id user client state for
  ID leakfix 127.0.0.1:PORT idle N s
      held by pid N: CUT
      opened by test_shop.py::test_thread, thread 'mailer' (still running), test_shop.py:LINE in ask

Note: 'leakfix'@'%' sees its own sessions only, and no open transactions; to see all: \
GRANT PROCESS ON *.* TO 'leakfix'@'%'

ended 1 session on "test_shop": ID
in your code: end the thread with the test, self.addCleanup(thread.join); connections.close_all() at the end of \
the thread's work"""  # noqa: E501
FLUSH = """\
unittest_leakfix: test_shop.py::test_flush is over, and its flush has waited 1.5 s for 1 session on "test_shop", \
PostgreSQL N: N of N connections in use

  id user client state for
  ID leakfix 127.0.0.1:PORT idle in transaction N s
      lock table django_content_type
      held by pid N: CUT
      opened by test_shop.py::test_flush, thread 'mailer' (still running), test_shop.py:LINE in work

ended 1 session on "test_shop": ID
in your code: end the transaction with the test, self.addCleanup(thread.join)"""  # noqa: E501
PROCESS = """\
unittest_leakfix: before it is destroyed, 1 session on "test_shop", PostgreSQL N: N of N connections in use

  id user client application state for
  ID leakfix 127.0.0.1:PORT export idle in transaction N s
      select 1
      held by pid N: CUT

ended 1 session on "test_shop": ID"""  # noqa: E501
FINISHED = """\
unittest_leakfix: closed 1 connection of threads that were over
  1 x connection 'default' to leakfix@127.0.0.1:PORT/test_shop
      opened at test_shop.py:LINE in ask, in thread mailer
      in test_shop.py::test_finished_thread
in your code: connections.close_all() at the end of the thread's work"""
UNMIRRORED = """\
unittest_leakfix: the aliases 'default' and 'replica' are the same test database, test_shop: \
DATABASES['replica']["TEST"] = {"MIRROR": 'default'}"""
REPLICA = """\
unittest_leakfix: closed the connection 'replica' to "test_shop", which was opened in test_shop.py::test_replica \
at django/test/testcases.py:LINE in _pre_setup"""  # noqa: E501
WARNED = "Error when trying to teardown test databases"
_VARIES = ((r"(MariaDB|PostgreSQL) [0-9.]+: \d+ of \d+", r"\1 N: N of N"),
           (r"(127\.0\.0\.1:|localhost:)\d+", r"\1PORT"),
           (r"\b\d+ s$", "N s"), (r"pid \d+: .*", "pid N: CUT"), (r"^  \d+ (?!x )", "  ID "),
           (r"(?<=: |, )\d+(?=, |$)", "ID"), (r"(?<=\S) +", " "), (r"(?<=\.py:)\d+", "LINE"),
           (r"^ +(?=held|opened|in test|select|insert|lock|SELECT|BEGIN)", "      "))


class Story(PytestCase):
    """A small project, its tests run with pytest-django, without us and with us."""

    engine = ""

    @classmethod
    def setUpClass(cls):
        try:
            import django  # noqa: F401
            import pytest_django  # noqa: F401
            import xdist  # noqa: F401
            cls.server = cls.start()
        except ImportError as error:
            raise unittest.SkipTest("%s is missing" % error.name)
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.name = "%s_%d" % (self._testMethodName, os.getpid())
        self.replica = {}
        self.write(settings=SETTINGS, test_shop=TESTS,
                   ini="[pytest]\nDJANGO_SETTINGS_MODULE = settings\n")
        self.addCleanup(self.drop)

    def run_tests(self, *arguments, plugin=True, mode="report", **environment):
        """Run them; return the output and the status."""
        default = dict(ENGINE="django.db.backends." + self.engine, NAME=self.name, HOST="127.0.0.1",
                       PORT=self.server.port, USER=self.server.user, PASSWORD=self.server.password)
        databases = {"default": default}
        if self.replica:
            databases["replica"] = dict(default, **self.replica)
        printed, status = self.pytest(
            "-p", "xdist", "-p", "django", *arguments, *(("--leaks=" + mode,) if plugin else ()),
            plugin=plugin, SHOP_DATABASES=json.dumps(databases), **environment)
        self.assertNotIn(self.server.password, printed)
        return printed, status

    def plain(self, test, *arguments):
        """Without us: the tests pass, there is a warning, and the database is left behind."""
        if tiers.current() != tiers.NIGHTLY and (test, sys.version_info[:2]) != ("test_thread",
                                                                                 NEWEST):
            return      # Django waits five seconds before it gives up
        printed, status = self.run_tests("-n", "1", "-k", test, *arguments, plugin=False)
        self.assertEqual(status, 0, printed)
        self.assertIn(WARNED, printed)
        self.assertEqual(self.left(), ["test_%s_gw0" % self.name])
        self.drop()

    def ours(self, test, *arguments, **environment):
        """With us: no warning, nothing left; returns what was said of the databases."""
        printed, status = self.run_tests("-k", test, *arguments, **environment)
        self.assertEqual(status, 0, printed)
        self.assertNotIn(WARNED, printed)
        self.assertEqual(self.left(), [])
        return self.databases(printed)

    def databases(self, printed):
        """Our section about them, without what varies."""
        found = re.search(r"(?ms)^=+ leaks: test databases =+\n(.*?)(?=^=+ .* =+$)", printed)
        text = found.group(1) if found else ""
        text = text.replace(self.name, "shop")
        for pattern, shown in _VARIES:
            text = re.sub("(?m)" + pattern, shown, text)
        return text.rstrip("\n")

    def left(self):
        """The names of this test's databases that are on the server."""
        with self.admin() as cursor:
            cursor.execute(self.listing)
            return sorted(name for name, in cursor.fetchall() if self.name in name)

    def drop(self):
        for name in self.left():
            with self.admin() as cursor:
                cursor.execute(self.dropping % name)


class Admin:
    """A cursor of the server's administrator."""

    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        return self.connection.cursor()

    def __exit__(self, *_):
        self.connection.close()


@full_on(OLDEST, NEWEST)
class OnPostgreSQL(Story):
    engine = "postgresql"
    listing = "select datname from pg_database"
    dropping = 'drop database "%s" with (force)'

    @staticmethod
    def start():
        server = servers_postgresql.fresh()
        servers_postgresql.administrator(server, "psycopg2").close()
        return server

    def admin(self):
        return Admin(servers_postgresql.administrator(self.server, "psycopg2"))

    @nightly
    def test_nothing(self):
        self.assertEqual(self.ours("test_nothing"), "")

    def thread(self, name="test_shop", test="test_shop.py::test_thread", ended=ENDED):
        return THREAD.replace("ENDED", ended).replace("NAME", name).replace("TEST", test)

    def test_thread(self):
        self.plain("test_thread")
        self.assertEqual(self.ours("test_thread", "-n", "1"),
                         "[gw0] " + self.thread("test_shop_gw0"))

    @nightly
    def test_thread_of_a_test_case(self):
        self.assertEqual(self.ours("CaseTests"),
                         self.thread(test="test_shop.py::CaseTests::test_case"))

    @full_on(NEWEST)
    def test_flush_that_waits(self):
        """Plainly, the flush after the test waits for the thread for ever."""
        self.assertEqual(self.ours("test_flush"), FLUSH)

    def test_process(self):
        self.plain("test_process")
        self.assertEqual(self.ours("test_process"), PROCESS)

    def test_finished_thread(self):
        self.plain("test_finished_thread")
        self.assertEqual(self.ours("test_finished_thread", mode="release"), FINISHED)
        printed, _ = self.run_tests("-k", "test_finished_thread")      # then it is among the leaks
        self.assertIn("closed for you: its thread was over", self.section(printed))
        self.assertEqual(self.databases(printed), "")

    def test_replica(self):
        self.replica = {"TEST": {"MIRROR": "default"}}
        self.plain("test_replica")
        self.assertEqual(self.ours("test_replica"), REPLICA)

    @nightly
    def test_same_settings(self):
        self.replica = {"HOST": "127.0.0.1"}
        self.assertEqual(self.ours("test_replica"), UNMIRRORED + "\n" + REPLICA)

    @nightly
    def test_another_spelling_of_the_host(self):
        """Django makes it a second time and cannot: the setting that mends it is said."""
        self.replica = {"HOST": "localhost"}
        printed, _ = self.run_tests("-k", "test_replica")
        self.assertEqual(self.databases(printed), UNMIRRORED)

    def test_reuse(self):
        """Then nobody is in the way: not the one who is there, and not the next run's."""
        for tests in ("test_process or test_thread", "test_nothing"):
            printed, status = self.run_tests("-k", tests, "--reuse-db")
            self.assertEqual((status, self.databases(printed), self.left()),
                             (0, "", ["test_" + self.name]), printed)

    @full_on(OLDEST)
    def test_fixture_of_their_own(self):
        self.write(conftest=CONFTEST)
        self.assertEqual(self.ours("test_thread"), self.thread())

    @nightly
    def test_listed_only(self):
        printed, status = self.run_tests("-k", "test_thread", SHOP_LISTS_ONLY="1")
        self.assertIn(WARNED, printed)
        self.assertEqual(self.databases(printed),
                         self.thread(ended="not ended: LEAKFIX_TERMINATE_SESSIONS is False"))

    def test_no_settings(self):
        self.write(ini="[pytest]\n", test_shop="def test_nothing(): pass\n")
        printed, status = self.run_tests()
        self.assertEqual((status, self.databases(printed)), (0, ""), printed)


@full_on(NEWEST)
class OnMariaDB(Story):
    engine = "mysql"
    listing = "show databases"
    dropping = "drop database `%s`"

    @staticmethod
    def start():
        server = servers.fresh()
        servers.administrator(server).close()
        return server

    def admin(self):
        return Admin(servers.administrator(self.server))

    def test_transaction(self):
        """Plainly, DROP DATABASE waits for the lock of the thread's transaction, for up to a
        day."""
        self.assertEqual(self.ours("test_transaction"),
                         ON_MARIADB.replace("test_thread", "test_transaction").replace(
            "in ask", "in work"))

    @nightly
    def test_thread(self):
        self.assertEqual(self.ours("test_thread"), ON_MARIADB)


if __name__ == "__main__":
    unittest.main()
