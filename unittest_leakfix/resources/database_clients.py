"""Clients of databases: SQLAlchemy's engines and sessions, pools, peewee, redis and MongoDB."""
from __future__ import absolute_import

import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import MISSING, class_of, on_type, own_attribute
from unittest_leakfix.resources import client_table
from unittest_leakfix.resources.client_table import address_text, by_flag, client, path_of
from unittest_leakfix.resources.db_connections import place_text
from unittest_leakfix.resources.kind import short_text

__unittest = True
bind(globals())
KINDS = client_table.KINDS


# -- SQLAlchemy

def _engine_of(value):
    """Return the engine of an engine, connection or session, of the awaited ones as well."""
    value = _sync(value)
    if own_attribute(value, "url") is not None:
        return value
    found = own_attribute(value, "engine")
    if found is not None:
        return found
    connections = _session_connections(value)
    found = connections[0] if connections else own_attribute(value, "bind")
    return None if found is None else _engine_of(found)


def _sync(value):
    """Return what is below an awaited engine, connection or session; the others as they are."""
    for name in ("sync_connection", "sync_session", "sync_engine"):
        slot = on_type(class_of(value), name)   # most of them have __slots__
        if slot is not MISSING or own_attribute(value, name) is not None:
            return getattr(value, name)
    return value


def _sqlalchemy_place(value):
    url = _engine_of(value).url
    if not url.host and not url.query and _is_sqlite(url):
        return short_text(url.database) or ":memory:"
    return place_text(short_text(url.username), short_text(url.host),
                  str(url.port) if url.port else "", short_text(url.database))


def _is_sqlite(url):
    return url.drivername.startswith("sqlite")


def _sqlalchemy_driver(what):
    def whole(value):
        engine = _engine_of(value)
        if engine is None:
            return "SQLAlchemy " + what % "database"
        driver = engine.dialect.driver
        return what % {"pysqlite": "sqlite3", "mysqldb": "MySQLdb", "pymysql": "pymysql",
                       "mysqlconnector": "mysql.connector"}.get(driver, driver)
    return whole


def _pool_connections(pool):
    if on_type(class_of(pool), "checkedin") is not MISSING:
        return pool.checkedin() + pool.checkedout()
    return len(own_attribute(pool, "_all_conns", ())) + (
        "connection" in vars(pool))    # SingletonThreadPool; StaticPool, once it is used


def _raw(value):
    """Return the driver's connection of a connection of SQLAlchemy's."""
    inner = _sync(value)
    fairy = own_attribute(inner, "_dbapi_connection") or inner
    return [fairy, getattr(fairy, "dbapi_connection", None)]


def _raw_of_session(value):
    return [part for each in _session_connections(value) for part in [each] + _raw(each)]


def _raw_of_engine(value):
    pool = _sync(value).pool
    idle = own_attribute(pool, "_pool")
    records = own_attribute(idle, "queue") or path_of(idle, "_queue._queue") or ()
    others = list(own_attribute(pool, "_all_conns", ())) + [own_attribute(pool, "connection")]
    return [pool] + others + [getattr(each, "dbapi_connection", None) for each in list(records)]


def _engine_open(value):
    return _pool_connections(_sync(value).pool) > 0


def _session_connections(value):
    session = _sync(value)
    transaction = own_attribute(session, "_transaction") or own_attribute(session, "transaction")
    found = own_attribute(transaction, "_connections") if transaction is not None else None
    return [each[0] for each in list((found or {}).values())]


def _session_open(value):
    return bool(_session_connections(value))


def _registry_open(value):
    registry = own_attribute(value, "registry")
    return bool(registry.has()) and _session_open(registry())


def _checked_out(value):
    return bool(value.is_valid) and value.dbapi_connection is not None


client("SQLAlchemy engine", "sqlalchemy.engine.base.Engine", _engine_open, _sqlalchemy_place,
       close="dispose", leak="connection pool", made_by="create_engine engine_from_config",
       whole=_sqlalchemy_driver("SQLAlchemy engine (%s)"),
       parts=_raw_of_engine)
client("SQLAlchemy async engine", "sqlalchemy.ext.asyncio.engine.AsyncEngine", _engine_open,
       _sqlalchemy_place, close="dispose", leak="connection pool",
       made_by="create_async_engine", whole=_sqlalchemy_driver("SQLAlchemy engine (%s)"),
       parts=_raw_of_engine)
client("SQLAlchemy connection", "sqlalchemy.engine.base.Connection", by_flag("closed", False),
       _sqlalchemy_place, leak="connection", made_by="connect begin",
       whole=_sqlalchemy_driver("%s connection"), parts=_raw)
client("SQLAlchemy async connection", "sqlalchemy.ext.asyncio.engine.AsyncConnection",
       lambda value: not value.closed, _sqlalchemy_place, leak="connection",
       made_by="connect", whole=_sqlalchemy_driver("%s connection"), parts=_raw)
client("SQLAlchemy session", "sqlalchemy.orm.session.Session", _session_open, _sqlalchemy_place,
       leak="connection", made_by="Session", whole=_sqlalchemy_driver("%s connection"),
       parts=_raw_of_session)
client("SQLAlchemy async session", "sqlalchemy.ext.asyncio.session.AsyncSession",
       _session_open, _sqlalchemy_place, leak="connection", made_by="AsyncSession",
       whole=_sqlalchemy_driver("%s connection"), parts=_raw_of_session)
client("SQLAlchemy scoped session", "sqlalchemy.orm.scoping.scoped_session", _registry_open,
       lambda value: _sqlalchemy_place(value.registry()), close="remove", leak="connection",
       whole=lambda value: _sqlalchemy_driver("%s connection")(value.registry()))
client("SQLAlchemy raw connection", "sqlalchemy.pool.base._ConnectionFairy", _checked_out,
       leak="connection", made_by="raw_connection", parts=_raw)


# -- pools of drivers, and peewee

def _peewee_place(value):
    given = own_attribute(value, "connect_params", {})
    port = given.get("port")
    return place_text(short_text(given.get("user")), short_text(given.get("host")),
                  str(port) if type(port) is int else "", short_text(own_attribute(value,
                                                                                   "database")))


def _psycopg_pool_place(value):
    convert = sys.modules["psycopg.conninfo"].conninfo_to_dict
    given = own_attribute(value, "conninfo") or own_attribute(value, "_conninfo") or ""
    found = dict(convert("" if callable(given) else given))
    more = own_attribute(value, "kwargs") or own_attribute(value, "_kwargs")
    found.update(more if type(more) is dict else {})
    return place_text(short_text(found.get("user")), short_text(found.get("host")),
                  str(found.get("port") or ""), short_text(found.get("dbname")))


def _named_place(given):
    port = given.get("port")
    return place_text(short_text(given.get("user")), short_text(given.get("host")),
                  str(port or ""), short_text(given.get("database") or given.get("dbname")
                                              or given.get("db")))


def _asyncpg_place(value):
    # All of its classes have __slots__.
    for holder in value._holders:
        if holder._con is not None:
            address, settings = holder._con._addr, holder._con._params
            host, port = address if type(address) is tuple else (address, "")
            return place_text(short_text(settings.user), short_text(host), str(port),
                          short_text(settings.database))
    return _named_place(value._connect_kwargs)


def _asyncpg_pool_open(value):
    return bool(value._initialized) and not value._closed


def _asyncpg_pool_close(value):
    # close() waits for ever for a connection that is still taken.
    if any(holder._in_use for holder in value._holders):
        value.terminate()
    return value.close()


def _aiomysql_pool_close(value):
    if value._used:
        value.terminate()
    else:
        value.close()
    return value.wait_closed()


client("peewee database", "peewee.Database", lambda value: not value.is_closed(), _peewee_place,
       leak="connection", made_by="SqliteDatabase PostgresqlDatabase MySQLDatabase connect")
client("psycopg pool", "psycopg_pool.pool.ConnectionPool"
       " psycopg_pool.pool_async.AsyncConnectionPool"
       " psycopg_pool.null_pool.NullConnectionPool"
       " psycopg_pool.null_pool_async.AsyncNullConnectionPool",
       lambda value: not value.closed and bool(own_attribute(value, "_opened", True)),
       _psycopg_pool_place, leak="connection pool")
client("psycopg2 pool", "psycopg2.pool.AbstractConnectionPool psycopg2.pool.SimpleConnectionPool"
       " psycopg2.pool.ThreadedConnectionPool",
       lambda value: not value.closed and bool(value._pool or value._used),
       lambda value: _named_place(own_attribute(value, "_kwargs", {})), close="closeall",
       leak="connection pool", made_by="SimpleConnectionPool ThreadedConnectionPool")
client("asyncpg pool", "asyncpg.pool.Pool", _asyncpg_pool_open, _asyncpg_place,
       close=_asyncpg_pool_close, ends=("close",), leak="connection pool", awaits=True,
       made_by="create_pool")
client("aiomysql pool", "aiomysql.pool.Pool", by_flag("_closed", False),
       lambda value: _named_place(own_attribute(value, "_conn_kwargs", {})),
       close=_aiomysql_pool_close, ends=("wait_closed", "close"), leak="connection pool",
       awaits=True, made_by="create_pool")


# -- redis, MongoDB, search engines, queues

def _redis_settings(value):
    pool = own_attribute(value, "connection_pool") or value
    return own_attribute(pool, "_connection_kwargs") or own_attribute(pool, "connection_kwargs", {})


def _redis_place(value):
    given = _redis_settings(value)
    path = short_text(given.get("path"))
    where = path or address_text(given.get("host", "localhost"), given.get("port", 6379))
    return "%s/%s" % (where, given.get("db") or 0)


def redis_connected(connection):
    """Tell whether a *connection* of redis is open."""
    # Those that are awaited have __slots__ since redis 8.
    return any(getattr(connection, each, None) is not None for each in ("_sock", "_writer"))


def _redis_connections(pool):
    found = []
    for name in ("_available_connections", "_in_use_connections",
                 "_connections"):   # BlockingConnectionPool's
        found += list(own_attribute(pool, name, ()))
    return found


def _redis_pool_open(pool):
    return any(redis_connected(each) for each in _redis_connections(pool))


def _redis_parts(value):
    pool = own_attribute(value, "connection_pool") or value
    return [pool] + _redis_connections(pool)


def _redis_open(value):
    single = own_attribute(value, "connection")
    if single is not None and redis_connected(single):
        return True
    # A pool that the user has made is the user's to close.
    if own_attribute(value, "auto_close_connection_pool", True) is False:
        return False
    return _redis_pool_open(own_attribute(value, "connection_pool"))


def _redis_of(value):
    return own_attribute(value, "connection_pool")


def _pubsub_open(value):
    connection = own_attribute(value, "connection")
    return connection is not None and redis_connected(connection)


def _pubsub_parts(value):
    return [own_attribute(value, "connection")]


def _pubsub_ends(value):
    # Until redis 5 close() is not a coroutine function: since Python 3.11 unittest does not await
    # what a clean-up of that sort returns.
    return ("aclose" if on_type(class_of(value), "aclose") is not MISSING else "reset",)


def _aclose(value):
    """Close an awaited one: ``aclose`` since redis 5.0.1, ``close`` before."""
    return value.aclose() if on_type(class_of(value), "aclose") is not MISSING else value.close()


def _keeps_its_pool(value):
    """Tell whether ``close`` leaves the pool that it made open: until redis 5, nothing says there
    whose pool it is."""
    return own_attribute(value, "connection_pool") is not None and own_attribute(
        value, "auto_close_connection_pool") is None


def _redis_close(value):
    value.close()
    if _keeps_its_pool(value):
        # Those that are idle: another client of the same pool opens them again.
        for each in list(own_attribute(value.connection_pool, "_available_connections", ())):
            each.disconnect()


def _redis_ends(value):
    return (".connection_pool.disconnect",) if _keeps_its_pool(value) else ("close",)


client("redis client", "redis.client.Redis redis.cluster.RedisCluster", _redis_open, _redis_place,
       close=_redis_close, ends=_redis_ends, made_by="Redis StrictRedis from_url", awaits=False,
       parts=_redis_parts)
client("redis client", "redis.asyncio.client.Redis redis.asyncio.cluster.RedisCluster",
       _redis_open, _redis_place, close=_aclose, ends=("aclose",), made_by="Redis from_url",
       awaits=True, parts=_redis_parts)
client("redis pub/sub", "redis.client.PubSub", _pubsub_open, _redis_place, made_by="pubsub",
       closed_with=_redis_of, awaits=False)
client("redis pub/sub", "redis.asyncio.client.PubSub", _pubsub_open, _redis_place, close=_aclose,
       ends=_pubsub_ends, made_by="pubsub", awaits=True, closed_with=_redis_of,
       parts=_pubsub_parts)
client("redis pool", "redis.connection.ConnectionPool redis.asyncio.connection.ConnectionPool",
       _redis_pool_open, _redis_place, close="disconnect", parts=_redis_parts,
       leak="connection pool", made_by="ConnectionPool BlockingConnectionPool from_url")


def _mongo_place(value):
    seeds = own_attribute(value, "_seeds") or value._topology_settings.seeds
    return ",".join(sorted(address_text(host, port) for host, port in seeds))


def _mongo_open(value):
    closed = own_attribute(value, "_closed", MISSING)
    return not (value._topology._closed if closed is MISSING else closed) and bool(
        own_attribute(value, "_topology") is not None)


def _mongo_threads(value):
    # They refer to the client weakly, and it to them.
    executors = [own_attribute(value, "_kill_cursors_executor")]
    for server in list((path_of(value, "_topology._servers") or {}).values()):
        executors += [path_of(server, path) for path in ("_monitor._executor",
                                                      "_monitor._rtt_monitor._executor")]
    return [thread for thread in list(sys.modules["threading"]._active.values())
            if any(getattr(own_attribute(thread, "_target"), "__self__", thread) is each
                   for each in executors)]


client("MongoDB client", "pymongo.synchronous.mongo_client.MongoClient"
       " pymongo.mongo_client.MongoClient pymongo.asynchronous.mongo_client.AsyncMongoClient",
       _mongo_open, _mongo_place, parts=_mongo_threads, threads=True)
