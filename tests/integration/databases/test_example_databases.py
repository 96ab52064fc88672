"""examples/databases on real servers: each as its own text says to run it, without our help and
with it."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.support import servers, servers_postgresql
from tests.support.paths import ROOT

FOLDER = os.path.join("examples", "databases")
DATABASE = "leakfix_example"

POSTGRESQL_LEFT = """\
OrderTests left 3 sessions on "leakfix_example", PostgreSQL N

  id user client state for
  ID leakfix 127.0.0.1:PORT idle N s
      COMMIT
      held by pid N: python CUT
      opened by test_drop.OrderTests.test_a_second_alias, examples/databases/orders.py:ALIAS in alias
  ID leakfix 127.0.0.1:PORT idle N s
      COMMIT
      held by pid N: python CUT
      opened by test_drop.OrderTests.test_a_thread, thread 'orders' (still running),
          examples/databases/orders.py:WORKER in worker
  ID leakfix 127.0.0.1:PORT idle N s
      held by pid N: python CUT export.py leakfix_example

ended 3 sessions on "leakfix_example": ID, ID, ID
"""  # noqa: E501
MYSQL_LEFT = """\
OrderTests left 1 session on "leakfix_example", MariaDB N

  id user client state for
  ID leakfix 127.0.0.1:PORT idle N s
      held by pid N: python CUT
      opened by test_drop_mysql.OrderTests.test_a_thread, thread 'orders' (still running),
          examples/databases/test_drop_mysql.py:OPENED in connect

Note: 'leakfix'@'%' sees its own sessions only, and no open transactions; to see all: \
GRANT PROCESS ON *.* TO 'leakfix'@'%'

ended 1 session on "leakfix_example": ID
"""
OPEN = """\
  1 x pymysql connection to leakfix@127.0.0.1:PORT/leakfix
      examples/databases/test_web.py:OPENED in connection
      for test_web.PageTests.test_page_{0:02}, in thread Thread-{1}
"""


def line_of(name, text):
    """The number of the one line of an example that has the text in it."""
    with io.open(os.path.join(ROOT, FOLDER, name), encoding="utf-8") as source:
        number, = [number for number, line in enumerate(source, 1) if text in line]
    return str(number)


def left(printed):
    """The table of sessions in an output, without what differs from run to run."""
    text = re.search(r"(?ms)^.*LeakFixWarning: (.*?^ended .*?\n)", printed)
    if text is None:
        raise AssertionError("no table of sessions in:\n" + printed)
    text = text.group(1)
    for found, shown in (
            (r"(MariaDB|PostgreSQL) [0-9.]+", r"\1 N"), (r"(127.0.0.1:)\d+", r"\1PORT"),
            (r"\b\d+ s$", "N s"),
            (r"pid \d+", "pid N"), (r"(: python)[0-9.]* .*(?=export\.py)", r"\1 CUT "),
            (r"(: python)[0-9.]* (?!CUT).*", r"\1 CUT"), (r"^  \d+ ", "  ID "),
            (r"(?<= |:)\d+(?=, |$)(?! s)", "ID"),
            (r"^ +(?=held|opened|COMMIT)", "      "), (r"^ +(?=examples)", "          "),
            (r"(?<=\S) +", " ")):
        text = re.sub("(?m)" + found, shown, text)
    return text


class Example(unittest.TestCase):
    """One example, run as a child."""

    maxDiff = None
    name = None

    def commands(self):
        """The commands in the example's own text, as lists of words."""
        with io.open(os.path.join(ROOT, FOLDER, self.name), encoding="utf-8") as source:
            lines = source.read().split('"""')[1].splitlines()
        return [shlex.split(line)[2:] for line in lines if line.startswith("    python -m ")]

    def run_it(self, arguments, cwd=ROOT):
        """Run Python's -m with the arguments; return its status and what it said, without a
        password in it."""
        environment = dict(os.environ, PYTHONPATH=ROOT, **self.environment)
        for name in ("PYTHONWARNINGS", "PYTHONDEVMODE", "PYTHONIOENCODING"):
            environment.pop(name, None)
        environment["PYTHONUTF8"] = "1"
        child = subprocess.run([sys.executable, "-m"] + arguments, cwd=cwd, env=environment,
                               timeout=120,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        printed = child.stdout.decode("utf-8", "replace")
        self.assertNotIn(self.server.password, printed)
        return child.returncode, printed


class PostgreSQL(Example):
    """Sessions that keep a database from being dropped."""

    @classmethod
    def setUpClass(cls):
        cls.server = servers_postgresql.fresh()
        cls.addClassCleanup(cls.server.stop)
        cls.watcher = servers_postgresql.administrator(cls.server, "psycopg")
        cls.addClassCleanup(cls.watcher.close)
        cls.environment = {"PGHOST": cls.server.host, "PGPORT": str(cls.server.port),
                           "PGUSER": cls.server.user,
                           "PGPASSWORD": cls.server.password}

    def there(self):
        return self.watcher.execute("SELECT datname FROM pg_database WHERE datname = %s",
                                    (DATABASE,)).fetchall()

    def setUp(self):
        self.watcher.execute("DROP DATABASE IF EXISTS %s WITH (FORCE)" % DATABASE)

    def test_plain(self):
        self.name = "test_drop_fails.py"
        command, = self.commands()
        status, printed = self.run_it(command)
        self.assertEqual(status, 1, printed)
        self.assertIn("ERROR: tearDownModule (test_drop_fails)", printed)
        self.assertIn('database "%s" is being accessed by other users' % DATABASE, printed)
        self.assertIn("There are 3 other sessions using the database.", printed)
        self.assertRegex(printed, r"Ran 3 tests in .*\n\nFAILED \(errors=1\)\s*\Z")
        self.assertEqual(self.there(), [(DATABASE,)])

    def test_ours(self):
        self.name = "test_drop.py"
        command, = self.commands()
        status, printed = self.run_it(command)
        self.assertEqual(status, 0, printed)
        self.assertEqual(self.there(), [])
        alias = line_of("orders.py", "ALIASES[name] = driver.connect")
        worker = line_of("orders.py", "    db = driver.connect(dbname=DATABASE)")
        self.assertEqual(left(printed),
                         POSTGRESQL_LEFT.replace("ALIAS", alias).replace("WORKER", worker))
        self.assertRegex(printed,
                         r"opened by OrderTests.test_a_second_alias "
                         r"+examples/databases/orders.py:%s in alias"
                         % alias)
        self.assertRegex(printed,
                         r"opened by OrderTests.test_a_thread +examples/databases/orders.py:%s in "
                         r"worker"
                         % worker)
        self.assertIn("    in thread orders (still running)\n", printed)
        self.assertRegex(printed, r"    started by OrderTests.test_another_process +"
                               r"examples/databases/orders.py:%s\n" % line_of(
                                   "orders.py", "EXPORTS.append(subprocess.Popen("))

    def test_ours_under_plain_unittest(self):
        status, printed = self.run_it(["unittest", "discover", "-s", FOLDER, "-p", "test_drop.py"])
        self.assertEqual(status, 0, printed)
        self.assertEqual(self.there(), [])
        self.assertEqual(left(printed),
                         re.sub("(?m)^ +(opened by|examples/).*\n", "", POSTGRESQL_LEFT))


class OnMariaDB(Example):
    """What the examples on MySQL share."""

    @classmethod
    def setUpClass(cls):
        cls.server = servers.fresh()
        cls.addClassCleanup(cls.server.stop)
        cls.root = servers.administrator(cls.server)
        cls.addClassCleanup(cls.root.close)
        cls.environment = {"MYSQL_HOST": cls.server.host, "MYSQL_PORT": str(cls.server.port),
                           "MYSQL_USER": cls.server.user, "MYSQL_PASSWORD": cls.server.password,
                           "MYSQL_DATABASE": cls.server.database}

    def wanted(self, statement):
        with self.root.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()


class MySQL(OnMariaDB):
    """A transaction that keeps a database from being dropped."""

    name = "test_drop_mysql.py"

    def setUp(self):
        self.wanted("GRANT ALL ON %s.* TO '%s'@'%%'" % (DATABASE, self.server.user))
        self.wanted("DROP DATABASE IF EXISTS " + DATABASE)

    def there(self):
        return self.wanted("SHOW DATABASES LIKE '%s'" % DATABASE)

    def test_plain(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        with io.open(os.path.join(ROOT, FOLDER, self.name), encoding="utf-8") as source:
            text = source.read()
        self.assertEqual(text.count("(MySQLLeakFixMixin, "), 1)
        with io.open(os.path.join(folder, self.name), "w", encoding="utf-8") as copy:
            copy.write(text.replace("(MySQLLeakFixMixin, ", "("))
        status, printed = self.run_it(["unittest", "discover", "-s", folder, "-p", self.name])
        self.assertEqual(status, 1, printed)
        self.assertIn("ERROR: tearDownModule (test_drop_mysql)", printed)
        self.assertIn("Lock wait timeout exceeded", printed)
        self.assertEqual(self.there(), ((DATABASE,),))

    def test_ours(self):
        command, = self.commands()
        status, printed = self.run_it(command)
        self.assertEqual(status, 0, printed)
        self.assertEqual(self.there(), ())
        line = line_of(self.name, "return pymysql.connect(")
        self.assertEqual(left(printed), MYSQL_LEFT.replace("OPENED", line))
        self.assertRegex(printed,
                         r"opened by OrderTests.test_a_thread "
                         r"+examples/databases/test_drop_mysql.py:%s in connect" % line)
        self.assertIn("    in thread orders (still running)\n", printed)


class Web(OnMariaDB):
    """A threaded server whose threads keep their connections."""

    name = "test_web.py"

    def opened(self):
        return line_of(self.name, "OF_THREAD.db = pymysql.connect(")

    def test_plain(self):
        command = self.commands()[0]
        self.assertEqual(command[0], "unittest")
        status, printed = self.run_it(command)
        self.assertEqual(status, 1, printed)
        self.assertIn("(1040, 'Too many connections')", printed)
        # Server and account differ by a session or two in how they count to 20.
        self.assertRegex(printed, r"Ran 40 tests in .*\n\nFAILED \(failures=(19|2\d)\)\s*\Z")

    def test_budget(self):
        status, printed = self.run_it(self.commands()[1])
        self.assertEqual(status, 1, printed)
        self.assertRegex(printed, r"(?m)^FAIL: test_page_05 ")
        self.assertRegex(printed, r"Ran 6 tests in .*\n\nFAILED \(failures=1\)\s*\Z")
        reported = printed.partition("ConnectionBudgetError: ")[2].partition("\n\n")[0]
        reported = re.sub(r"(127.0.0.1:)\d+", r"\1PORT",
                          reported.replace(" (process_request_thread)", ""))
        self.assertEqual(reported + "\n", (
            "one connection more than the 5 that may be open at the same time "
            "(max_connections=5)\nopen now:\n"
            + "".join(OPEN.format(number, number + 2)
                      for number in range(5))).replace("OPENED", self.opened()))

    def test_report(self):
        status, printed = self.run_it(self.commands()[2])
        self.assertEqual(status, 0, printed)
        first = printed.partition("\n[1] ")[2].partition("\n\n[2]")[0]
        self.assertRegex(first,
                         r"\Apymysql connection to leakfix@127.0.0.1:\d+/leakfix was left open +10 "
                         r"tests\n")
        self.assertRegex(first,
                         r"\n    opened by PageTests.test_page_00 "
                         r"+examples/databases/test_web.py:%s in connection\n"
                         % self.opened())
        self.assertRegex(
            first, r"\n    in thread Thread-2( \(process_request_thread\))? \(still running\)\n")
        self.assertIn("\n    also: PageTests.test_page_01, PageTests.test_page_02", first)


class WithoutServers(unittest.TestCase):
    """Where no server is named, each is a skip that says what to set."""

    def test_skips(self):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("PG", "MYSQL_"))}
        child = subprocess.run(
            [sys.executable, "-m", "unittest", "discover", "-v", "-s", FOLDER], cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=120, env=dict(environment, PYTHONPATH=ROOT))
        printed = child.stdout.decode("utf-8", "replace")
        self.assertIn(child.returncode, (0, 5), printed)
        self.assertRegex(printed, r"OK \(skipped=4\)|NO TESTS RAN \(skipped=4\)")

    def test_readme_names_each(self):
        with io.open(os.path.join(ROOT, FOLDER, "README.md"), encoding="utf-8") as source:
            text = source.read()
        for target in re.findall(r"\]\(([^)]+)\)", text):
            self.assertTrue(os.path.exists(os.path.join(ROOT, FOLDER, target)), target)
        tests = [name for name in os.listdir(os.path.join(ROOT, FOLDER))
                 if name.startswith("test_")]
        self.assertEqual([name for name in sorted(tests) if "](%s)" % name not in text], [])


if __name__ == "__main__":
    unittest.main()
