"""A private PostgreSQL for the tests, in the manner of `servers`: real, on loopback, gone with
them.

    server = servers_postgresql.postgresql()
    db = psycopg2.connect(**server.settings())
"""

from __future__ import absolute_import

import glob
import io
import os
import shutil
import signal
import socket

from tests.support import private_server

try:
    import pwd
except ImportError:  # Windows, where find() says None
    pwd = None

NO_POSTGRESQL = "no PostgreSQL server: install postgresql"

FAST = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=8MB",
        "autovacuum=off", "jit=off", "wal_level=minimal", "max_wal_senders=0",
        "log_checkpoints=off"]


class PostgreSQL(private_server.PrivateServer):
    """A running PostgreSQL of our own. It never runs as root.

    Of ``max_connections`` 3 are for superusers only, and the admin's account is one. ``socket`` is
    the folder of its socket.
    """

    name = "PostgreSQL"
    gently = getattr(signal, "SIGQUIT", None)   # "immediate": its children and shared memory go too
    database_argument = "dbname"

    def _prepare(self):
        self.socket = self._folder
        shutil.copytree(private_server.prepared_data(self.name, find(), _account().pw_uid,
                                                     _install),
                        self._data)
        with io.open(os.path.join(self._data, "pg_hba.conf"), "w") as rules:
            rules.write(u"local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n")
        _give(self._folder)
        statements = ["ALTER ROLE %s PASSWORD '%s'" % (self.admin, self.password),
                      "CREATE ROLE %s LOGIN PASSWORD '%s'" % (self.user, self.password),
                      "CREATE DATABASE %s OWNER %s" % (self.database, self.user)]
        printed = private_server.printed_by(
            [_program("postgres"), "--single", "-F", "-D", self._data, "postgres"],
            typed="".join(each + ";\n" for each in statements).encode(), preexec_fn=_step_down)
        if b"ERROR" in printed:
            raise RuntimeError("PostgreSQL's accounts failed:\n" + printed.decode("utf-8",
                                                                                  "replace"))

    def _command(self, max_connections):
        command = [_program("postgres"), "-D", self._data, "-p", str(self.port)]
        for setting in FAST + ["listen_addresses=" + self.host,
                               "unix_socket_directories=" + self._folder,
                               "max_connections=%d" % max_connections]:
            command += ["-c", setting]
        return command

    def _step_down(self):
        _step_down()

    def _listens(self):
        # The socket's lock file tells when it listens, the database when it lets somebody in.
        with io.open(os.path.join(self._data, "postmaster.pid")) as lock:
            lines = lock.read().splitlines()
        if len(lines) < 8 or lines[7].strip() != "ready":
            return False
        socket.create_connection((self.host, self.port), 1).close()
        return True


def postgresql():
    """The PostgreSQL of this test process, started when first asked for (20 connections).

    Raises unittest.SkipTest, naming what to install, where there is no server program.
    """
    return private_server.shared(PostgreSQL, find(), NO_POSTGRESQL)


def fresh():
    """Return a PostgreSQL for the caller alone, which skips as `postgresql` does."""
    return private_server.fresh(PostgreSQL, find(), NO_POSTGRESQL)


def administrator(server, driver):
    """Return a connection of the server's administrator by the *driver* of that name; the user may
    make databases from now on."""
    connection = private_server.driver(driver).connect(**server.settings(admin=True))
    connection.autocommit = True
    connection.cursor().execute("ALTER ROLE %s CREATEDB" % server.user)
    return connection


def find():
    """The path of the PostgreSQL server program, or None where there is none (or no initdb)."""
    if os.name != "posix" or _program("initdb") is None:
        return None
    return _program("postgres")


def _program(name):
    # Debian keeps the programs of each version apart, and off the PATH.
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=_number, reverse=True)
    return private_server.program([name], folders + glob.glob("/usr/pgsql-*/bin"))


def _number(folder):
    version = folder.split("/")[-2]
    return float(version) if version.replace(".", "", 1).isdigit() else 0.0


def _account():
    """The account that the server runs as: ours, or for root (which it refuses) another."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _step_down():
    if os.getuid() == 0:
        account = _account()
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)


def _give(folder):
    """Make the server's account the owner of ``folder`` and all in it."""
    account = _account()
    if account.pw_uid != os.getuid():
        for place, _, names in os.walk(folder):
            for path in [place] + [os.path.join(place, name) for name in names]:
                os.lchown(path, account.pw_uid, account.pw_gid)


def _install(folder):
    _give(folder)
    private_server.printed_by(
        [_program("initdb"), "-D", folder, "--username=" + PostgreSQL.admin, "--auth=trust",
         "--encoding=UTF8", "--locale=C", "--wal-segsize=1", "--no-sync", "--no-instructions"],
        preexec_fn=_step_down)
