"""What the report says of connections that suites leave on real servers, driver by driver."""

from __future__ import annotations

import re
import unittest

from tests.integration.databases import connection_suites
from tests.integration.databases.connection_suites import DRIVERS

URLS = {"pymysql": "mysql+pymysql://", "MySQLdb": "mysql+mysqldb://",
        "mysql.connector": "mysql+mysqlconnector://", "psycopg2": "postgresql+psycopg2://",
        "psycopg": "postgresql+psycopg://"}

SUITE = """
STOP = threading.Event()

def work():
    KEPT.append(connect(**settings))

def serve(ready):
    db = connect(**settings)
    ready.set()
    STOP.wait()

class A(unittest.TestCase):
    def setUp(self):
        self.db = connect(**settings)
    def test_one(self):
        pass
    def test_two(self):
        pass
class B(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = connect(**settings)
    def test_class_attribute(self):
        pass
class C(unittest.TestCase):
    def test_global(self):
        KEPT.append(connect(**settings))
class D(unittest.TestCase):
    def test_dead_thread(self):
        worker = threading.Thread(target=work, name="worker")
        worker.start()
        worker.join()
class E(unittest.TestCase):
    def test_running_thread(self):
        ready = threading.Event()
        threading.Thread(target=serve, args=(ready,), name="server", daemon=True).start()
        ready.wait()
class F(unittest.TestCase):
    def test_not_measured(self):
        __import__("gc").get_objects()
        KEPT.append(connect(**settings))
class G(unittest.TestCase):
    def setUp(self):
        db = connect(**settings)
        self.addCleanup(db.close)
    def test_closed(self):
        pass
class H(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = [connect(**settings)]
    def test_nested_in_a_class(self):
        pass
"""

# Subject, the chain as an expression, who opened it and where, in which thread, what became of it.
# The lines are numbered from the end of the head, so that they are easy to find above.
BLOCKS = [
    """\
    opened by A.setUp
    > 15         self.db = connect(**settings)
    closed for you: nothing else referred to it""",
    """\
    opened by B.setUpClass
    > 23         cls.db = connect(**settings)""",
    """\
    sys._current_frames()[{t.name: t.ident for t in threading.enumerate()}['server']].f_back.f_back.f_locals['db']
    opened by E.test_running_thread in serve
    >  9     db = connect(**settings)
    in thread server (still running)""",  # noqa: E501
    """\
    test_shop.H.pool[0]
    opened by H.setUpClass
    > 52         cls.pool = [connect(**settings)]""",
    """\
    test_shop.KEPT[0]
    opened by C.test_global
    > 28         KEPT.append(connect(**settings))""",
    """\
    test_shop.KEPT[1]
    opened by D.test_dead_thread in work
    >  6     KEPT.append(connect(**settings))
    in thread worker (no longer running)""",
    """\
    test_shop.KEPT[2]
    opened by F.test_not_measured
    > 42         KEPT.append(connect(**settings))""",
]
HEAD_LINES = connection_suites.HEAD.count("\n") - 1


def blocks(printed):
    """Return {headline: lines} of the report's blocks, as BLOCKS has them, in order of their
    text."""
    found = []
    for each in re.split(r"\n(?=\[\d+\] )", printed.partition("LEAKS ")[2])[1:]:
        head, *lines = each.partition("\n\n")[0].splitlines()
        kept = [re.sub(r" +\S+\.py:\d+", "", line) for line in lines
                if re.match(r"    (opened by|in thread|closed for|test_shop\.|sys\.|> )", line)]
        kept = [re.sub(r"> +(\d+)", lambda match: "> %2d" % (int(match.group(1)) - HEAD_LINES),
                       line)
                for line in kept]
        found.append((re.sub(r"^\[\d+\] | {2,}.*", "", head), "\n".join(kept)))
    return found


class Report(unittest.TestCase):
    maxDiff = None

    def check(self, name):
        printed = connection_suites.run(name, SUITE, "--leaks=report")
        self.assertIn("\nOK\n", printed)
        port = "" if name == "MySQLdb" else ":PORT"     # its client library keeps it to itself
        where = "%s connection to leakfix@127.0.0.1%s/leakfix was left open" % (name.split(".")[0],
                                                                                port)
        found = blocks(printed)
        self.assertEqual(sorted(text for head, text in found if head == where), sorted(BLOCKS),
                         printed)
        # The first import of a driver may leave something of its own behind.
        self.assertEqual([head for head, _ in found if head != where and "decimal" not in head],
                         ['thread "server" was still running after its test'], printed)

    def test_failing(self):
        printed = connection_suites.run("pymysql", SUITE.split("class B")[0], "--leaks=fail")
        self.assertIn("opened by A.setUp", printed)
        self.assertIn("FAILED (failures=2)", printed)

    def test_json(self):
        printed = connection_suites.run("pymysql", SUITE.split("class B")[0], "--leaks=report",
                                     "--leaks-json=/dev/stdout")
        self.assertIn('"function": "setUp"', printed)

    def test_pools(self):
        for name, url in URLS.items():
            with self.subTest(name):
                try:
                    __import__("sqlalchemy")
                except ImportError:
                    self.skipTest("sqlalchemy is missing")
                printed = connection_suites.run(name, """
import sqlalchemy
class Pools(unittest.TestCase):
    def test_engine(self):
        global ENGINE
        ENGINE = sqlalchemy.create_engine(%r, creator=lambda: connect(**settings))
        with ENGINE.connect():
            pass
""" % url, "--leaks=report")
                self.assertIn("1 cause in 1 of 1 test: 1 connection pool", printed)
                self.assertRegex(printed, r"\[1\] SQLAlchemy engine \([\w.]+\).* was left open")
                self.assertIn("opened by Pools.test_engine   test_shop.py:18\n", printed)

    def test_cursor_kept(self):
        for name in DRIVERS:
            with self.subTest(name):
                printed = connection_suites.run(name, """
class Cursors(unittest.TestCase):
    def test_cursor(self):
        db = connect(**settings)
        KEPT.append((db.cursor(), db) if "connector" in driver.__name__ else db.cursor())
""", "--leaks=report")
                self.assertIn("> 16         db = connect(**settings)", printed)
                self.assertIn("opened by Cursors.test_cursor", printed)



def _test(name):
    def test(self):
        self.check(name)
    return test


for _name in DRIVERS:
    setattr(Report, "test_%s" % _name.replace(".", "_"), _test(_name))

if __name__ == "__main__":
    unittest.main()
