"""The clients that test_clients.py meets: one `Sample` each, of which it writes suites.

docs/clients_table.py makes the table of docs/clients.md of them.
"""

from __future__ import absolute_import

import importlib
import importlib.util
import re
from collections import namedtuple

#: The variables of the environment in which a suite finds the passwords of the servers.
PASSWORD, MARIADB_PASSWORD = "SAMPLES_POSTGRESQL_PASSWORD", "SAMPLES_MARIADB_PASSWORD"

#: name: of the class of its tests. module: the library's; needs: others; it is skipped by name
#: where one is missing. imports: statements. make: the expression on the user's line. called: what
#: the report calls it (``*``: anything). use: statements, where ``it`` is the client. server: whose
#: settings the texts are formatted with. awaited: its test awaits. remedy: as it is reported.
#: before: a statement. heavy: not installed for CI. closed: the test can own it. sockets:
#: its own thread drops sockets. task: one of its own keeps it while the loop runs.
_Sample = namedtuple("Sample", "name module imports make called use server awaited remedy before "
                              "heavy needs closed sockets task")


class Sample(_Sample):
    """A row of the table."""

    @property
    def noun(self):
        """The noun of the package's row."""
        return _NOUNS.get(self.name) or self.called.partition(" to ")[0]



def sample(name, module, make, called, use="", server="", awaited=False, remedy=None, imports="",
           before="", heavy=False, needs=(), closed=True, sockets=False, task=False):
    """Return a row: what most have in common need not be said."""
    ends = "self.addAsyncCleanup(it.close)" if awaited else "self.addCleanup(it.close)"
    return Sample(name, module, imports or "import " + module, make, called, use, server, awaited,
                  remedy or ends, before, heavy, needs, closed, sockets, task)


# Not in the source of a suite: a line of it is printed with a warning's stack.
_PASSWORD = 'os.environ["%s"]' % PASSWORD
_PG = ('"postgresql+psycopg2://%(user)s:" + ' + _PASSWORD
       + ' + "@%(host)s:%(port)d/%(database)s"')
_APG = _PG.replace("psycopg2", "asyncpg")
_DSN = ('"host=%(host)s port=%(port)d user=%(user)s dbname=%(database)s password=" + '
        + _PASSWORD)
_TO = "%(user)s@%(host)s:%(port)d/%(database)s"
_SA = "import sqlalchemy as sa, sqlalchemy.orm as orm"
_SAA = "import sqlalchemy as sa, sqlalchemy.ext.asyncio as saa"
_ENGINE = "global ENGINE; ENGINE = saa.create_async_engine(%s, poolclass=sa.pool.NullPool)"
_GET = "http://%(host)s:%(port)d"


def _end_of(module, name, other="close"):
    """Return *name* where this version's ``Redis`` of a module has it, else *other*."""
    if importlib.util.find_spec("redis") is None:
        return name
    return name if hasattr(importlib.import_module(module).Redis, name) else other


SAMPLES = (
    sample("Engine", "sqlalchemy", "sa.create_engine(%s)" % _PG,
           "SQLAlchemy engine (psycopg2) to " + _TO, "it.connect().close()", "postgresql",
           remedy="self.addCleanup(it.dispose)", imports=_SA, needs=("psycopg2",)),
    sample("EngineSqlite", "sqlalchemy", 'sa.create_engine("sqlite:///:memory:")',
           "SQLAlchemy engine (sqlite3) to :memory:", "it.connect().close()",
           remedy="self.addCleanup(it.dispose)", imports=_SA),
    sample("Connection", "sqlalchemy", "sa.create_engine(%s).connect()" % _PG,
           "psycopg2 connection to " + _TO, 'it.execute(sa.text("select 1"))', "postgresql",
           imports=_SA, needs=("psycopg2",)),
    sample("Session", "sqlalchemy", "orm.Session(sa.create_engine(%s))" % _PG,
           "psycopg2 connection to " + _TO, 'it.execute(sa.text("select 1"))', "postgresql",
           imports=_SA, needs=("psycopg2",)),
    sample("ScopedSession", "sqlalchemy", "orm.scoped_session(orm.sessionmaker("
           "sa.create_engine(%s)))" % _PG, "psycopg2 connection to " + _TO,
           'it().execute(sa.text("select 1"))', "postgresql",
           remedy="self.addCleanup(it.remove)", imports=_SA, needs=("psycopg2",)),
    sample("AsyncEngine", "sqlalchemy", "saa.create_async_engine(%s)" % _APG,
           "SQLAlchemy engine (asyncpg) to " + _TO, "async with it.connect(): pass", "postgresql",
           True, "self.addAsyncCleanup(it.dispose)", imports=_SAA, needs=("asyncpg", "greenlet")),
    sample("AsyncConnection", "sqlalchemy", "await ENGINE.connect()",
           "asyncpg connection to " + _TO, "", "postgresql", True, imports=_SAA,
           before=_ENGINE % _APG, needs=("asyncpg", "greenlet")),
    sample("AsyncSession", "sqlalchemy", "saa.AsyncSession(ENGINE)",
           "asyncpg connection to " + _TO, 'await it.execute(sa.text("select 1"))', "postgresql",
           True, imports=_SAA, before=_ENGINE % _APG, needs=("asyncpg", "greenlet")),
    sample("Peewee", "peewee", 'peewee.SqliteDatabase(":memory:")', "peewee database to :memory:",
           "it.connect()"),
    sample("PsycopgPool", "psycopg_pool", "psycopg_pool.ConnectionPool(%s, min_size=2, open=True)"
           % _DSN, "psycopg pool to " + _TO, "it.wait()", "postgresql", needs=("psycopg",)),
    sample("AsyncPsycopgPool", "psycopg_pool",
           "psycopg_pool.AsyncConnectionPool(%s, min_size=2, open=False)" % _DSN,
           "psycopg pool to " + _TO, "await it.open(wait=True)", "postgresql", True,
           needs=("psycopg",)),
    sample("Psycopg2Pool", "psycopg2", "psycopg2.pool.ThreadedConnectionPool(1, 2, %s)" % _DSN,
           "psycopg2 pool", "it.putconn(it.getconn())", "postgresql",
           remedy="self.addCleanup(it.closeall)", imports="import psycopg2.pool"),
    sample("AsyncpgPool", "asyncpg", "await asyncpg.create_pool(min_size=2, max_size=3, "
           'host="%(host)s", port=%(port)d, user="%(user)s", database="%(database)s", password='
           + _PASSWORD + ")", "asyncpg pool to " + _TO, 'await it.fetchval("select 1")',
           "postgresql", True),
    sample("AiomysqlPool", "aiomysql", 'await aiomysql.create_pool(minsize=2, host="%(host)s", '
           'port=%(port)d, user="%(user)s", db="%(database)s", password='
           + _PASSWORD.replace(PASSWORD, MARIADB_PASSWORD) + ")",
           "aiomysql pool to " + _TO, "async with it.acquire() as one: await one.ping()",
           "mariadb", True, "self.addAsyncCleanup(it.wait_closed); self.addCleanup(it.close)"),
    sample("Redis", "redis", 'redis.Redis(host="%(host)s", port=%(port)d)',
           "redis client to %(host)s:%(port)d/0",
           'self.sub = it.pubsub(); self.sub.subscribe("x"); it.ping()', "redis",
           remedy=None if _end_of("redis", "from_pool") != "close"      # 4 leaves its pool open
           else "self.addCleanup(it.connection_pool.disconnect)"),
    sample("RedisPubSub", "redis", 'redis.Redis(host="%(host)s", port=%(port)d).pubsub()',
           "redis pub/sub to %(host)s:%(port)d/0", 'it.subscribe("x")', "redis"),
    sample("RedisPool", "redis", 'redis.ConnectionPool(host="%(host)s", port=%(port)d)',
           "redis pool to %(host)s:%(port)d/0", "redis.Redis(connection_pool=it).ping()", "redis",
           remedy="self.addCleanup(it.disconnect)"),
    sample("AsyncRedis", "redis", 'aioredis.Redis(host="%(host)s", port=%(port)d)',
           "redis client to %(host)s:%(port)d/0", "await it.ping()", "redis", True,
           "self.addAsyncCleanup(it.%s)" % _end_of("redis.asyncio", "aclose"),
           imports="import redis.asyncio as aioredis"),
    sample("AsyncRedisPubSub", "redis",
           'aioredis.Redis(host="%(host)s", port=%(port)d).pubsub()',
           "redis pub/sub to %(host)s:%(port)d/0", 'await it.subscribe("x")', "redis", True,
           "self.addAsyncCleanup(it.%s)" % _end_of("redis.asyncio", "aclose", "reset"),
           imports="import redis.asyncio as aioredis"),
    sample("Mongo", "pymongo",
           'pymongo.MongoClient("mongodb://127.0.0.1:9/", serverSelectionTimeoutMS=100)',
           "MongoDB client to 127.0.0.1:9"),
    sample("Aiohttp", "aiohttp", "aiohttp.ClientSession()", "aiohttp session",
           'async with it.get("%s/") as answer: await answer.read()' % _GET, "http", True),
    sample("AiohttpConnector", "aiohttp", "aiohttp.TCPConnector()", "aiohttp connector", "", "",
           True),
    sample("AiohttpUnixConnector", "aiohttp", 'aiohttp.UnixConnector("/nowhere/to/be")',
           "aiohttp connector", awaited=True),
    sample("Httpx", "httpx", 'httpx.Client(base_url="%s")' % _GET, "httpx client to " + _GET,
           'it.get("/")', "http"),
    sample("AsyncHttpx", "httpx", 'httpx.AsyncClient(base_url="%s")' % _GET,
           "httpx client to " + _GET, 'await it.get("/")', "http", True,
           "self.addAsyncCleanup(it.aclose)"),
    sample("Requests", "requests", "requests.Session()", "requests session",
           'it.get("%s/")' % _GET, "http"),
    sample("Urllib3", "urllib3", "urllib3.PoolManager()", "urllib3 pool",
           'it.request("GET", "%s/")' % _GET, "http", remedy="self.addCleanup(it.clear)"),
    sample("Urllib3Pool", "urllib3", 'urllib3.HTTPConnectionPool("%(host)s", %(port)d)',
           "urllib3 pool to %(host)s:%(port)d", 'it.request("GET", "/")', "http"),
    sample("Websocket", "websockets", 'client.connect("ws://%(host)s:%(port)d")',
           "websocket to %(host)s:%(port)d", "", "websocket", closed=False,
           imports="import websockets.sync.client as client"),
    sample("AsyncWebsocket", "websockets", 'await aclient.connect("ws://%(host)s:%(port)d")',
           "websocket to %(host)s:%(port)d", "", "websocket", True, task=True,
           imports="import websockets.asyncio.client as aclient"),
    sample("Elasticsearch", "elasticsearch", 'elasticsearch.Elasticsearch("%s")' % _GET,
           "search client", "it.transport.perform_request('GET', '/')", "http", heavy=True),
    sample("OpenSearch", "opensearchpy", 'opensearchpy.OpenSearch("%s")' % _GET,
           "search client", "it.transport.perform_request('GET', '/')", "http", heavy=True),
    sample("Kafka", "kafka", 'kafka.KafkaProducer(bootstrap_servers="127.0.0.1:9", '
           "api_version=(2, 5))", "Kafka client to 127.0.0.1:9", heavy=True, sockets=True),
    sample("Boto", "boto3", 'boto3.client("s3", region_name="x", endpoint_url="%s", '
           'aws_access_key_id="x", aws_secret_access_key="x")' % _GET, "AWS client to " + _GET,
           "it.head_bucket(Bucket='x')", "http", heavy=True),
    sample("Grpc", "grpc", 'grpc.insecure_channel("127.0.0.1:9")', "gRPC channel to 127.0.0.1:9",
           heavy=True),
    sample("AsyncGrpc", "grpc", 'grpc.aio.insecure_channel("127.0.0.1:9")', "gRPC channel",
           awaited=True, heavy=True),
    sample("SshClient", "paramiko", "paramiko.SSHClient()", "SSH client to %(host)s:%(port)d",
           "it.set_missing_host_key_policy(paramiko.AutoAddPolicy()); "
           'it.connect("%(host)s", %(port)d, "x", "x", look_for_keys=False, allow_agent=False)',
           "ssh", heavy=True),
    sample("Figure", "matplotlib", "plt.figure()", "pyplot figure",
           imports="import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt",
           remedy="self.addCleanup(plt.close, it)", heavy=True, closed=False),
    sample("H5py", "h5py", 'h5py.File(os.path.join(FOLDER, self.id()), "w")', "HDF5 file to *",
           imports="import h5py, os, tempfile; FOLDER = tempfile.mkdtemp()", heavy=True),
    sample("ZmqContext", "zmq", "zmq.Context()", "zmq context", heavy=True,
           remedy="self.addCleanup(it.destroy)"),
    sample("ZmqSocket", "zmq", "CONTEXT.socket(zmq.PULL)", "zmq socket to tcp://127.0.0.1:*",
           "it.bind_to_random_port('tcp://127.0.0.1')", heavy=True,
           imports="import zmq; CONTEXT = zmq.Context.instance()"),
)


#: {name of a sample: noun of its row}, where the report calls it something else.
_NOUNS = {
    "Engine": "SQLAlchemy engine", "EngineSqlite": "SQLAlchemy engine",
    "Connection": "SQLAlchemy connection", "Session": "SQLAlchemy session",
    "AsyncEngine": "SQLAlchemy async engine", "AsyncConnection": "SQLAlchemy async connection",
    "AsyncSession": "SQLAlchemy async session", "ScopedSession": "SQLAlchemy scoped session",
}


def missing(one):
    """Return the first module that a sample needs and this interpreter lacks, "" for none."""
    return next((each for each in (one.module, *one.needs)
                 if importlib.util.find_spec(each) is None), "")


_CLASS = """
class {name}Tests({bases}):
    {a}def {setup}(self):
        {before}{make}
        {cleanup}
        {use}
        {after}
    {a}def test_it(self):
        pass
"""
#: A pool that a module keeps to the end waits there for each of its threads, five seconds long.
_AT_EXIT = """import atexit
@atexit.register
def _():
    for it in KEPT:
        if type(it).__module__ == "psycopg_pool.pool":
            it.close()
"""
#: A suite: the bases in front, what comes after it was used, whether it is mended.
SHAPES = {"left": ("", "pass", False), "mixin": ("LeakFixMixin, ", "pass", False),
          "kept": ("", "KEPT.append(it)", False), "mended": ("", "pass", True)}


def suite(shape, samples, settings, remedies=None):
    """Return the source of a module with a class for each of the *samples*, and {name: line of its
    ``make``}. *settings*: {server: what its strings are formatted with}; *remedies*: by name what
    mends them, if another line than their own."""
    front, after, mended = SHAPES[shape]
    text = "import os\nimport unittest\nfrom unittest_leakfix import LeakFixMixin\nKEPT = []\n"
    text += _AT_EXIT if shape == "kept" else ""
    text += "".join(each + "\n" for each in dict.fromkeys(one.imports for one in samples))
    lines = {}
    for one in samples:
        given = settings.get(one.server, {})
        case = "unittest.IsolatedAsyncioTestCase" if one.awaited else "unittest.TestCase"
        it = "it" if shape == "kept" else "self.it"

        use = named(one.use % given if given else one.use, it) or "pass"
        body = _CLASS.format(
            name=one.name, bases=front + case, a="async " if one.awaited else "",
            setup="asyncSetUp" if one.awaited else "setUp",
            before=(one.before % given if given else one.before) + "\n        "
            if one.before else "",
            make="%s = %s" % (it, one.make % given if given else one.make),
            cleanup=((remedies or {}).get(one.name) or named(one.remedy, it)) if mended
            else "pass", use=use, after=after)
        lines[one.name] = (text + body).splitlines().index(
            "        %s = %s" % (it, one.make % given if given else one.make), text.count("\n")) + 1
        text += body
    return text, lines


def named(code, name):
    return re.sub(r"\bit\b", name, code)
