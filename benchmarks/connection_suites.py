"""The suites of ``connections.py``: 60 tests that open a connection each, for a driver and a shape.

A `Shape` says what a test does with its connection, and whether the connection belongs to the test.
Drivers are `Driver` values; the awaited ones are asked in an ``IsolatedAsyncioTestCase``.
"""

from __future__ import annotations

import re
from typing import Dict, NamedTuple

NUMBER = 60


class Shape(NamedTuple):
    """Lines of setUp, lines of the test, whether the connection belongs to the test."""

    setting_up: str
    body: str
    of_the_test: bool


SHAPES: Dict[str, Shape] = {
    "passing": Shape("self.db = take()", "pass", True),
    "failing": Shape("self.db = take()", "self.fail('as it should')", True),
    "skipped": Shape("self.db = take()", "self.skipTest('as it should')", True),
    "cycle": Shape("self.box = Box(); self.box.me = self.box; self.box.db = take()", "pass", True),
    "cursor kept": Shape("self.cursor = cursor(take())", "pass", True),
    "unfinished result": Shape("self.db = take(); self.cursor = unfinished(self.db)", "pass", True),
    "in a traceback": Shape("pass", "db = take(); fail_with(db)", True),
    "pool of the test": Shape("self.pool = pool(); use(self.pool)", "pass", True),
    "session of the test": Shape("self.session = session()", "pass", True),
    "module global": Shape("KEPT.append(take())", "pass", False),
    "running thread": Shape("hold()", "pass", False),
}
# The same words with an await before each call that needs one; and what only asyncio has.
AWAITED: Dict[str, Shape] = {
    name: Shape(*(part.replace(" take()", " await take()").replace("(take()", "(await take()")
                  .replace("= cursor(", "= await cursor(").replace("= unfinished(",
                                                                   "= await unfinished(")
                  .replace("= pool(", "= await pool(").replace("use(", "await use(")
                  for part in shape[:2]), shape.of_the_test)
    for name, shape in SHAPES.items()}
AWAITED["running task"] = Shape("self.task = await begin()", "pass", True)


class Driver(NamedTuple):
    """name: as users say it; module: to import; server: "mysql" or "postgresql";
    database: what its ``connect`` calls the database; ways: how it does what the shapes say."""

    name: str
    module: str
    server: str
    database: str
    ways: str
    awaited: bool = False

    @property
    def shapes(self) -> Dict[str, Shape]:
        """The shapes of its suites, by name."""
        pooled = not self.awaited or "pool()" in self.ways
        shapes = {name: shape for name, shape in (AWAITED if self.awaited else SHAPES).items()
                  if pooled or "pool" not in name}
        if self.awaited or self.server == "redis":      # the session is SQLAlchemy's
            shapes.pop("session of the test")
        return {name: shape for name, shape in shapes.items()
                if self.server != "redis" or not re.search("cursor|result|pool", name)}


def suite(driver: Driver, shape: Shape) -> str:
    """Return the text of the module with the tests of *driver* and *shape*."""
    case = ASYNC_CASE if driver.awaited else CASE
    return (HEAD + driver.ways + case.replace("{setting_up}", shape.setting_up)
            .replace("{body}", shape.body) + FOOT.replace("{number}", str(NUMBER))
            # unittest asks each method whether it is a coroutine function.
            .replace("{test}", "Tests.check" if driver.awaited else "lambda self: self.check()"))


HEAD = u"""\
import importlib, json, os, threading, time, unittest
settings = json.loads(os.environ["SETTINGS"])
settings = dict((str(key), value) for key, value in settings.items())
driver = importlib.import_module(os.environ["DRIVER"])
watching = importlib.import_module(os.environ["WATCHER"])
watcher = getattr(watching, "connect", getattr(watching, "Redis", None))(
    **json.loads(os.environ["WATCHED"]))
if "psycopg" in os.environ["WATCHER"]:
    watcher.autocommit = True
KEPT, PEAK = [], [0]
STOP = threading.Event()

class Box(object):
    pass

def count():
    cursor = watcher.cursor()
    cursor.execute(os.environ["COUNT"])
    return int(cursor.fetchone()[-1]) - int(os.environ["LESS"])

def sample():
    # A session that was closed is gone from the server a moment later.
    found, until = count(), time.time() + 0.03
    while found > 1 and time.time() < until:
        found = min(found, count())
    PEAK[0] = max(PEAK[0], found)

def fail_with(db):
    raise ValueError("as it should")

"""

CASE = u"""
def take():
    db = driver.connect(**settings)
    sample()
    return db

def cursor(db):
    return db.cursor()

def pool():
    import sqlalchemy
    return sqlalchemy.create_engine(DIALECT + "://", creator=take)

def use(pool):
    pool.connect().close()

def session():
    from sqlalchemy.orm import Session
    made = Session(pool())
    made.connection()
    return made

def hold():
    ready = threading.Event()
    def work():
        db = None
        try:
            db = take()
        finally:
            ready.set()
        STOP.wait()
    worker = threading.Thread(target=work)
    worker.daemon = True
    worker.start()
    ready.wait()

class Tests(unittest.TestCase):
    def setUp(self):
        {setting_up}
    def check(self):
        {body}
"""

ASYNC_CASE = u"""
import asyncio

async def take():
    db = await connect()
    sample()
    return db

async def use(pool):
    sample()

async def begin():
    ready = asyncio.Event()
    async def work():
        db = await take()
        ready.set()
        await asyncio.sleep(3600)
    task = asyncio.get_running_loop().create_task(work())
    await asyncio.wait([asyncio.ensure_future(ready.wait()), task], return_when="FIRST_COMPLETED")
    return task

def hold():
    ready = threading.Event()
    async def work():
        try:
            db = await take()
        finally:
            ready.set()
        while not STOP.is_set():
            await asyncio.sleep(0.05)
    worker = threading.Thread(target=lambda: asyncio.run(work()))
    worker.daemon = True
    worker.start()
    ready.wait()

class Tests(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        {setting_up}
    async def check(self):
        {body}
"""

FOOT = u"""
for number in range({number}):
    setattr(Tests, "test_%03d" % number, {test})

def tearDownModule():
    STOP.set()
    with open(os.environ["MEASURED"], "w") as measured:
        json.dump(PEAK[0], measured)
"""

_BUFFERED = u"""
def unfinished(db):
    cursor = db.cursor()
    cursor.execute("select 1 union all select 2")
    return cursor
"""
_STREAMED = u"""
def unfinished(db):
    cursor = db.cursor(importlib.import_module(driver.__name__ + ".cursors").SSCursor)
    cursor.execute("select 1 union all select 2")
    return cursor
"""
_ASYNCPG = u"""
async def connect():
    return await driver.connect(**settings)

async def cursor(db):
    return await db.prepare("select 1")

async def unfinished(db):
    await db.transaction().start()
    cursor = await db.cursor("select 1 union all select 2")
    await cursor.fetchrow()
    return cursor

async def pool():
    return await driver.create_pool(min_size=1, max_size=2, **settings)
"""
_AIOMYSQL = u"""
async def connect():
    return await driver.connect(**settings)

async def cursor(db):
    return await db.cursor()

async def unfinished(db):
    cursor = await db.cursor(driver.SSCursor)
    await cursor.execute("select 1 union all select 2")
    return cursor

async def pool():
    return await driver.create_pool(minsize=1, maxsize=2, **settings)
"""
# 9.1 fails where the server offers no TLS and nobody says so.
_CONNECTOR = u"""
async def connect():
    return await driver.connect(ssl_disabled=True, **settings)

async def cursor(db):
    return await db.cursor()

async def unfinished(db):
    cursor = await db.cursor()
    await cursor.execute("select 1 union all select 2")
    return cursor
"""
_PSYCOPG = u"""
async def connect():
    return await driver.AsyncConnection.connect(**settings)

async def cursor(db):
    return db.cursor()

async def unfinished(db):
    cursor = db.cursor()
    await cursor.execute("select 1 union all select 2")
    return cursor

async def pool():
    import psycopg_pool
    pool = psycopg_pool.AsyncConnectionPool(kwargs=settings, min_size=1, max_size=2, open=False)
    await pool.open(wait=True, timeout=0.5)
    return pool
"""

_REDIS = u"""
class driver(object):
    @staticmethod
    def connect(**settings):
        # Not tried again for many seconds where the server is full.
        from redis.backoff import NoBackoff
        from redis.retry import Retry
        db = watching.Redis(retry=Retry(NoBackoff(), 0), **settings)
        db.ping()
        return db

def count():
    return watcher.info("clients")["connected_clients"] - 1
"""

DRIVERS: Dict[str, Driver] = {each.name: each for each in (
    Driver("pymysql", "pymysql", "mysql", "database", u"DIALECT = 'mysql+pymysql'" + _STREAMED),
    Driver("MySQLdb", "MySQLdb", "mysql", "database", u"DIALECT = 'mysql+mysqldb'" + _STREAMED),
    Driver("mysql.connector", "mysql.connector", "mysql", "database",
           u"DIALECT = 'mysql+mysqlconnector'" + _BUFFERED),
    Driver("psycopg2", "psycopg2", "postgresql", "dbname",
           u"DIALECT = 'postgresql+psycopg2'" + _BUFFERED),
    Driver("psycopg", "psycopg", "postgresql", "dbname",
           u"DIALECT = 'postgresql+psycopg'" + _BUFFERED),
    Driver("asyncpg", "asyncpg", "postgresql", "database", _ASYNCPG, True),
    Driver("psycopg async", "psycopg", "postgresql", "dbname", _PSYCOPG, True),
    Driver("aiomysql", "aiomysql", "mysql", "db", _AIOMYSQL, True),
    Driver("redis", "redis", "redis", "", _REDIS),
    Driver("connector aio", "mysql.connector.aio", "mysql", "database", _CONNECTOR, True),
)}
