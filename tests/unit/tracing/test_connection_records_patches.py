"""The drivers are patched while somebody wants the records, whenever they are imported. No
server."""

from __future__ import annotations

import gc
import subprocess
import sys
import types
import unittest

from tests.integration.databases import connection_suites
from unittest_leakfix.tracing import drivers as late
from unittest_leakfix.tracing.drivers import POINTS, Drivers, drivers
from unittest_leakfix.tracing.opened_connections import ConnectionRegistry, connection_registry

try:
    import pymysql
    import pymysql.connections
except ImportError:
    raise unittest.SkipTest("pymysql is missing")


class User:
    current = "shop.OrderTests.test_checkout"


def child(code: str) -> str:
    """Run *code* in a fresh interpreter; return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=connection_suites.ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=60).stdout.decode()


PREPARED = """
import sys
from unittest_leakfix.tracing.drivers import drivers
class User:
    current = ""
user = User()
"""


class Installing(unittest.TestCase):
    def test_put_back(self):
        original = vars(pymysql.connections.Connection)["connect"]
        finders, user = list(sys.meta_path), User()
        drivers.install(user)
        self.assertIsNot(vars(pymysql.connections.Connection)["connect"], original)
        drivers.remove(user)
        self.assertIs(vars(pymysql.connections.Connection)["connect"], original)
        self.assertEqual(sys.meta_path, finders)

    def test_until_the_last_user(self):
        original, one, two = vars(pymysql.connections.Connection)["connect"], User(), User()
        drivers.install(one)
        drivers.install(two)
        drivers.install(two)
        patch = vars(pymysql.connections.Connection)["connect"]
        drivers.remove(one)
        drivers.remove(one)
        self.assertIs(vars(pymysql.connections.Connection)["connect"], patch)
        drivers.remove(two)
        self.assertIs(vars(pymysql.connections.Connection)["connect"], original)

    def test_somebody_else_patched_it_since(self):
        original, user = vars(pymysql.connections.Connection)["connect"], User()
        drivers.install(user)
        theirs = lambda self: None  # noqa: E731
        pymysql.connections.Connection.connect = theirs
        try:
            drivers.remove(user)
            self.assertIs(vars(pymysql.connections.Connection)["connect"], theirs)
        finally:
            pymysql.connections.Connection.connect = original

    def test_a_patch_that_was_saved_goes_on_plainly(self):
        user = User()
        drivers.install(user)
        saved = pymysql.connections.Connection.connect
        drivers.remove(user)
        connection = pymysql.connect(defer_connect=True, host="127.0.0.1", port=1, unix_socket=None)
        with self.assertRaises(pymysql.err.OperationalError):
            saved(connection)
        self.assertIsNone(connection_registry.of(connection))

    def test_signature_stays(self):
        import inspect
        before, user = inspect.signature(pymysql.connections.Connection.connect), User()
        drivers.install(user)
        self.addCleanup(drivers.remove, user)
        self.assertEqual(inspect.signature(pymysql.connections.Connection.connect), before)


class Late(unittest.TestCase):
    def test_driver_that_comes_during_the_run(self):
        self.assertEqual(child(PREPARED + """
drivers.install(user)
import pymysql
print(hasattr(pymysql.connections.Connection.connect, "__wrapped__"))
spec = pymysql.connections.__spec__
print(type(spec.loader).__name__, pymysql.connections.__loader__ is spec.loader)
drivers.remove(user)
print(hasattr(pymysql.connections.Connection.connect, "__wrapped__"), sys.meta_path[0].__class__.__name__ == "Late")
"""), "True\nSourceFileLoader True\nFalse False\n")  # noqa: E501

    def test_driver_that_is_not_there(self):
        self.assertEqual(child(PREPARED + """
sys.path[:] = [each for each in sys.path if "site-packages" not in each]
drivers.install(user)
try:
    import MySQLdb.connections
except ImportError as error:
    print(error)
"""), "No module named 'MySQLdb'\n")

    def test_imports_no_driver(self):
        self.assertEqual(child(PREPARED + """
drivers.install(user)
print([name for name in sys.modules if name.partition(".")[0] in (
    "pymysql", "MySQLdb", "mysql", "psycopg2", "psycopg", "asyncpg", "aiomysql", "sqlite3")])
"""), "[]\n")

    def test_half_imported(self):
        """Another thread is still executing the module when records begin."""
        book, user = ConnectionRegistry(), User()
        mine = Drivers(book)
        half = types.ModuleType("pymysql.connections")
        real = sys.modules["pymysql.connections"]
        sys.modules["pymysql.connections"] = half
        try:
            mine.install(user)
            half.Connection = type("Connection", (), {})
            mine.look()
            half.Connection.connect = lambda self: None
            mine.look()
            connection = half.Connection()
            connection.connect()
        finally:
            sys.modules["pymysql.connections"] = real
            mine.remove(user)
        self.assertEqual(book.of(connection).test, User.current)
        self.assertFalse(hasattr(half.Connection.connect, "__wrapped__"))

    def test_import_that_fails_half_way(self):
        reported = []
        finder = late.LateImports(frozenset(["leakfix_broken"]), lambda: reported.append(1))
        source = types.SimpleNamespace(create_module=lambda spec: None, exec_module=self._fail)
        other = types.SimpleNamespace(find_spec=lambda name, path=None, target=None:
                                      __import__("importlib").machinery.ModuleSpec(name, source)
                                      if name == "leakfix_broken" else None)
        sys.meta_path.insert(0, other)
        finder.install()
        try:
            with self.assertRaisesRegex(ImportError, "as it should"):
                __import__("leakfix_broken")
        finally:
            finder.remove()
            sys.meta_path.remove(other)
        self.assertEqual(reported, [])
        self.assertNotIn("leakfix_broken", sys.modules)

    def _fail(self, module):
        raise ImportError("as it should")


class Records(unittest.TestCase):
    def setUp(self):
        self.user = User()
        drivers.install(self.user)
        self.addCleanup(drivers.remove, self.user)

    def test_connection_that_fails(self):
        before = connection_registry.count()
        with self.assertRaises(pymysql.err.OperationalError):
            pymysql.connect(host="127.0.0.1", port=1, user="app", password="hunter2-secret")
        self.assertEqual(connection_registry.count(), before)

    def test_every_point_stands_there_once(self):
        self.assertEqual(len({(point.module, point.owner) for point in POINTS}), len(POINTS))

    def test_object_that_allows_no_weak_reference(self):
        connection_registry.opened("psycopg2", (), sys._getframe())
        self.assertIsNone(connection_registry.of(()))

    def test_the_dead_are_swept_out(self):
        class Connection:
            pass
        alive = []
        for number in range(1000):
            each = Connection()
            connection_registry.opened("pymysql", each, sys._getframe())
            if number % 100 == 0:
                alive.append(each)
        self.assertLess(len(connection_registry._ties), 200)
        self.assertTrue(all(connection_registry.of(each) for each in alive))

    def test_same_id_again(self):
        class Connection:
            pass
        one = Connection()
        connection_registry.opened("pymysql", one, sys._getframe())
        gone = connection_registry._ties[id(one)]
        del one
        gc.collect()
        other = Connection()
        connection_registry._ties[id(other)] = gone    # as if it had the same id
        self.assertIsNone(connection_registry.of(other))


if __name__ == "__main__":
    unittest.main()
