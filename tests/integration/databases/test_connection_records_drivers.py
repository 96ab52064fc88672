"""Who opened the connections to real servers, driver by driver."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import unittest
import warnings
from typing import Any

from tests.integration.databases import connection_suites
from tests.integration.databases.connection_suites import DRIVERS
from unittest_leakfix.tracing import opened_connections
from unittest_leakfix.tracing.drivers import drivers
from unittest_leakfix.tracing.opened_connections import connection_registry


class Recording(unittest.TestCase):
    """Records are on, for a test that says its name itself."""

    current = "shop.OrderTests.test_checkout"

    def setUp(self) -> None:
        drivers.install(self)
        self.addCleanup(drivers.remove, self)
        gc.collect()
        self.before = connection_registry.count()

    def opened(self) -> int:
        return connection_registry.count() - self.before


class Each:
    """What holds for every driver. The classes below name one."""

    name = ""

    def setUp(self) -> None:
        self.driver = DRIVERS[self.name]
        self.settings = self.driver.settings()
        super().setUp()

    def test_says_who_and_where(self) -> None:
        connection = self.driver.open()
        record = connection_registry.of(connection)
        self.assertEqual((record.driver, record.test, record.thread, record.running),
                         (self.name, self.current, "MainThread", True))
        self.assertEqual((record.frames[0].file, record.frames[0].function),
                         ("user_code.py", "<module>"))
        self.assertIn("leakfix@127.0.0.1", record.place)
        self.assertIn("/leakfix", record.place)
        self.assertNotIn(self.settings["password"], repr(record))
        cursor = connection.cursor()
        cursor.execute(self.driver.ask)
        self.assertEqual(record.session, cursor.fetchone()[0])
        connection.close()

    def test_says_so_while_another_thread_runs_a_query(self) -> None:
        """mysqlclient 2.3 refuses to say which session it is, and its descriptor, meanwhile."""
        connection = self.driver.open()
        before = connection_registry.of(connection), connection_registry.descriptors()
        cursor = connection.cursor()
        sleep = "pg_sleep" if self.name.startswith("psycopg") else "SLEEP"
        thread = threading.Thread(target=lambda: (cursor.execute("SELECT %s(1)" % sleep),
                                                  cursor.fetchall()))
        thread.start()
        time.sleep(0.3)
        meanwhile = connection_registry.of(connection), connection_registry.descriptors()
        busy = thread.is_alive()
        thread.join()
        cursor.close()
        self.assertTrue(busy)
        self.assertEqual(meanwhile, before)
        self.assertTrue(meanwhile[0].session)
        connection.close()
        if self.name == "MySQLdb":      # what was noted is not said of a connection that is closed
            self.assertEqual(connection_registry.of(connection).session, 0)

    def test_counts_while_it_is_open(self) -> None:
        connection = self.driver.open()
        self.assertEqual(self.opened(), 1)
        connection.close()
        self.assertEqual(self.opened(), 0)

    def test_dies_with_its_connection(self) -> None:
        connection = self.driver.open()
        self.assertEqual(self.opened(), 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)    # psycopg's own
            del connection
            gc.collect()
        self.assertEqual(self.opened(), 0)

    def test_connect_that_was_imported_before(self) -> None:
        drivers.remove(self)
        module = sys.modules[self.driver.module]
        connect = module.connect
        drivers.install(self)
        values = self.driver.settings()
        connection = connect(**values)
        self.assertEqual(connection_registry.of(connection).frames[0].function,
                         "test_connect_that_was_imported_before")
        connection.close()

    def test_not_after_the_end(self) -> None:
        drivers.remove(self)
        connection = self.driver.open()
        self.assertIsNone(connection_registry.of(connection))
        connection.close()

    def test_in_a_thread(self) -> None:
        kept = []
        worker = threading.Thread(target=lambda: kept.append(self.driver.open()), name="worker")
        worker.start()
        worker.join()
        record = connection_registry.of(kept[0])
        self.assertEqual((record.test, record.thread, record.running),
                         (self.current, "worker", False))
        kept.pop().close()

    def test_refused(self) -> None:
        with self.assertRaises(Exception):
            self.driver.open(password="wrong-one")
        self.assertEqual((self.opened(), connection_registry._opening), (0, {}))

    def test_server_knows_it(self) -> None:
        connection = self.driver.open()
        record = connection_registry.of(connection)

        class Session:
            id = record.session
            client_port = opened_connections.port_of(connection) or None
        self.assertEqual(connection_registry.record_of_session(Session).frames, record.frames)
        Session.client_port = 1
        if opened_connections.port_of(connection):
            self.assertIsNone(connection_registry.record_of_session(Session))
        connection.close()

    def test_record_is_light(self) -> None:
        connection = self.driver.open()
        raw = connection_registry.raw_of(connection)
        gc.collect()
        self.assertFalse(gc.is_tracked(raw))
        connection.close()


class PyMySQL(Each, Recording):
    name = "pymysql"

    def test_reconnect_is_the_same_connection(self) -> None:
        connection = self.driver.open()
        connection._force_close()
        connection.ping(reconnect=True)
        self.assertEqual(self.opened(), 1)
        connection.close()


class MySQLclient(Each, Recording):
    name = "MySQLdb"


class Connector(Each, Recording):
    name = "mysql.connector"

    def test_pure_and_c(self) -> None:
        for pure in (True, False):
            with self.subTest(pure=pure):
                try:
                    connection = self.driver.open(use_pure=pure)
                except ImportError:
                    self.skipTest("mysql.connector has no C extension here")
                self.assertEqual(self.opened(), 1)
                connection.close()
                self.assertEqual(self.opened(), 0)


class Psycopg2(Each, Recording):
    name = "psycopg2"


class Psycopg(Each, Recording):
    name = "psycopg"

    def test_async(self) -> None:
        async def use() -> None:
            import psycopg
            connection = await psycopg.AsyncConnection.connect(**self.settings)
            record = connection_registry.of(connection)
            self.assertEqual((record.driver, record.frames[0].function), ("psycopg", "use"))
            await connection.close()
        asyncio.run(use())
        self.assertEqual(self.opened(), 0)


class Asynchronous(Recording):
    """The drivers that are for asyncio only."""

    def _needs(self, module: str, server: str) -> Any:
        try:
            __import__(module)
        except ImportError:
            self.skipTest("%s is missing" % module)
        drivers.look()
        settings = dict(connection_suites.server(server).settings())
        settings["db" if module == "aiomysql" else "database"] = settings.pop(
            "dbname", None) or settings.pop("database")
        if module == "mysql.connector.aio":     # 9.1 fails where the server offers no TLS
            settings["ssl_disabled"] = True
        return sys.modules[module], settings

    def check(self, module: str, server: str, ask: str) -> None:
        driver, settings = self._needs(module, server)

        async def use() -> None:
            connection = await driver.connect(**settings)
            record = connection_registry.of(connection)
            self.assertEqual((record.driver, record.test, record.frames[0].function),
                             (module.replace(".aio", ""), self.current, "use"))
            self.assertIn("leakfix@127.0.0.1:%d/leakfix" % settings["port"], record.place)
            self.assertNotIn(settings["password"], repr(record))
            self.assertEqual(record.session, await self.ask(connection, ask))
            self.assertEqual(self.opened(), 1)
            closing = connection.close()
            if closing is not None:
                await closing
            self.assertEqual(self.opened(), 0)
        asyncio.run(use())

    async def ask(self, connection: Any, statement: str) -> Any:
        if hasattr(connection, "fetchval"):
            return await connection.fetchval(statement)
        cursor = await connection.cursor()
        await cursor.execute(statement)
        return (await cursor.fetchone())[0]

    def test_asyncpg(self) -> None:
        self.check("asyncpg", "postgresql", "select pg_backend_pid()")

    def test_aiomysql(self) -> None:
        self.check("aiomysql", "mysql", "select connection_id()")

    def test_mysql_connector(self) -> None:
        self.check("mysql.connector.aio", "mysql", "select connection_id()")


class Pools(Recording):
    """A pool's connections are those of its driver; who opened them is the line outside of the
    pool."""

    def open_pool(self, module: str, driver: str) -> Any:
        try:
            __import__(module)
        except ImportError:
            self.skipTest("%s is missing" % module)
        return DRIVERS[driver].settings()

    def functions(self) -> Any:
        records = connection_registry.open_records()
        return [record.frames[0].function for record in records][self.before:]

    def test_sqlalchemy(self) -> None:
        for name, driver in (("mysql+pymysql", "pymysql"), ("mysql+mysqldb", "MySQLdb"),
                             ("postgresql+psycopg2", "psycopg2"),
                             ("postgresql+psycopg", "psycopg")):
            with self.subTest(driver):
                settings = self.open_pool("sqlalchemy", driver)
                import sqlalchemy
                engine = sqlalchemy.create_engine(sqlalchemy.engine.URL.create(
                    name, settings["user"], settings["password"], settings["host"],
                    settings["port"], settings.get("database") or settings.get("dbname")))
                with engine.connect():
                    pass
                self.assertEqual(self.functions(), ["test_sqlalchemy"])
                engine.dispose()
                self.assertEqual(self.opened(), 0)

    def test_dbutils(self) -> None:
        settings = self.open_pool("dbutils.pooled_db", "pymysql")
        import pymysql
        from dbutils.pooled_db import PooledDB
        pool = PooledDB(pymysql, 2, **settings)
        self.assertEqual(self.functions(), ["test_dbutils"] * 2)
        pool.close()
        self.assertEqual(self.opened(), 0)

    def test_psycopg_pool(self) -> None:
        settings = self.open_pool("psycopg_pool", "psycopg")
        from psycopg_pool import ConnectionPool

        from unittest_leakfix.tracing.acquisitions import Acquisitions
        acquisitions = Acquisitions()
        acquisitions.install()
        self.addCleanup(acquisitions.remove)
        pool = ConnectionPool(kwargs=settings, min_size=2, open=True)
        pool.wait()
        record = connection_registry.open_records()[-1]
        self.assertRegex(record.thread, r"^pool-\d+-worker-\d+$")
        # Its threads have no line of the user's: the one that started them has.
        self.assertEqual(self.functions(), ["test_psycopg_pool"] * 2)
        pool.close()
        self.assertEqual(self.opened(), 0)


if __name__ == "__main__":
    unittest.main()
