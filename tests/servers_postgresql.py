"""A private PostgreSQL for the tests, in the manner of `servers`: real, on loopback, gone with them.

    server = servers_postgresql.postgresql()
    db = psycopg2.connect(**server.settings())
"""

from __future__ import absolute_import

import atexit
import glob
import io
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from tests import servers

try:
    import pwd
except ImportError:  # Windows, where find() says None
    pwd = None

NO_POSTGRESQL = "no PostgreSQL server: install postgresql"

# As servers.GUARDED, but PostgreSQL is asked to end its sessions and shared memory (immediately).
GUARDED = """
exec 3<&0
folder=$1
shift
( read word <&3 || {
    kill -QUIT $$
    for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $$ 2>/dev/null && sleep 0.2; done
    kill -9 $$ 2>/dev/null
}; rm -rf "$folder" ) &
exec "$@" </dev/null 3<&-
"""

FAST = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=8MB",
        "autovacuum=off", "jit=off", "wal_level=minimal", "max_wal_senders=0",
        "log_checkpoints=off"]


class PostgreSQL(object):
    """A running PostgreSQL of our own. It never runs as root.

    ``max_connections`` (int) is how many sessions it admits, 3 of them for superusers only; the
    account that ``settings(admin=True)`` names is one, so a full server can still be watched.

    Attributes: ``host``, ``port`` (int), ``socket`` (the folder of its socket), ``user``,
    ``admin`` (names of the two accounts), ``password`` (str, generated, the same for both) and
    ``database``, which ``user`` owns.

    Raises RuntimeError, with the server's log, when it does not start.
    """

    host = "127.0.0.1"
    user = "leakfix"
    admin = "leakfix_admin"
    database = "leakfix"

    def __init__(self, max_connections=20, patience=60):
        self._owner = os.getpid()
        self.password = servers._secret()
        self._folder = tempfile.mkdtemp(prefix="leakfix-postgresql-")
        self.socket = self._folder
        self.port = servers._free_port()
        self._log = os.path.join(self._folder, "log")
        self._data = os.path.join(self._folder, "data")
        self._process = None
        try:
            self._prepare()
            self._start(max_connections)
            self._await(time.time() + patience)
        except BaseException:
            self.stop()
            raise
        atexit.register(self.stop)

    def settings(self, admin=False):
        """The keyword arguments for ``connect`` of psycopg2 and psycopg (a new dict)."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.admin if admin else self.user,
            "password": self.password,
            "dbname": self.database,
        }

    def stop(self):
        """End the server at once and remove its folder. Stopping twice is no error."""
        process, self._process = self._process, None
        if os.getpid() != self._owner:
            return  # a forked child that leaves through atexit
        if process is not None:
            if process.poll() is None:
                process.send_signal(signal.SIGQUIT)  # "immediate": its children end too
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        if process is not None:
            process.stdin.write(b"ended\n")
            process.stdin.close()

    def _prepare(self):
        shutil.copytree(_prepared_data(), self._data)
        with io.open(os.path.join(self._data, "pg_hba.conf"), "w") as rules:
            rules.write(u"local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n")
        _give(self._folder)
        statements = ["ALTER ROLE %s PASSWORD '%s'" % (self.admin, self.password),
                      "CREATE ROLE %s LOGIN PASSWORD '%s'" % (self.user, self.password),
                      "CREATE DATABASE %s OWNER %s" % (self.database, self.user)]
        child = subprocess.Popen(
            [_program("postgres"), "--single", "-F", "-D", self._data, "postgres"], cwd="/",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=_step_down)
        said = child.communicate("".join(each + ";\n" for each in statements).encode())[0]
        if child.returncode or b"ERROR" in said:
            raise RuntimeError("PostgreSQL's accounts failed:\n" + said.decode("utf-8", "replace"))

    def _start(self, max_connections):
        command = [_program("postgres"), "-D", self._data, "-p", str(self.port)]
        for setting in FAST + ["listen_addresses=" + self.host,
                               "unix_socket_directories=" + self._folder,
                               "max_connections=%d" % max_connections]:
            command += ["-c", setting]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", GUARDED, "sh", self._folder] + command,
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", close_fds=True,
                preexec_fn=_apart)
        servers._close_on_exec(self._process.stdin)

    def _await(self, deadline):
        # The socket's lock file tells when it listens, the database when it lets somebody in.
        ready = os.path.join(self._data, "postmaster.pid")
        while True:
            if self._process.poll() is not None or time.time() > deadline:
                with open(self._log, "rb") as log:
                    raise RuntimeError("PostgreSQL did not start:\n"
                                       + log.read().decode("utf-8", "replace"))
            try:
                with io.open(ready) as lock:
                    lines = lock.read().splitlines()
                if len(lines) > 7 and lines[7].strip() == "ready":
                    socket.create_connection((self.host, self.port), 1).close()
                    return
            except (IOError, OSError, socket.error):
                pass
            time.sleep(0.02)


_running = []


def postgresql():
    """The PostgreSQL of this test process, started when first asked for (20 connections).

    Raises unittest.SkipTest, naming what to install, where there is no server program.
    """
    if find() is None:
        raise unittest.SkipTest(NO_POSTGRESQL)
    if not _running:
        _running.append(PostgreSQL())
    return _running[0]


def find():
    """The path of the PostgreSQL server program, or None where there is none (or no initdb)."""
    if os.name != "posix" or _program("initdb") is None:
        return None
    return _program("postgres")


def _program(name):
    # Debian keeps the programs of each version apart, and off the PATH.
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=_number, reverse=True)
    folders += glob.glob("/usr/pgsql-*/bin")
    for folder in folders + os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


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


def _apart():
    os.setsid()  # Ctrl-C is for the tests; the guard ends the server
    _step_down()


def _give(folder):
    """Make the server's account the owner of ``folder`` and all in it."""
    account = _account()
    if account.pw_uid != os.getuid():
        for place, _, names in os.walk(folder):
            for path in [place] + [os.path.join(place, name) for name in names]:
                os.lchown(path, account.pw_uid, account.pw_gid)


def _prepared_data():
    """A data folder as initdb leaves it; made once per machine and user, then copied."""
    version, account = os.stat(find()), _account()
    prepared = os.path.join(tempfile.gettempdir(), "leakfix-postgresql-data-%d-%d-%d" % (
        account.pw_uid, version.st_size, version.st_mtime))
    if os.path.isdir(prepared) and os.stat(prepared).st_uid == account.pw_uid:
        return prepared
    fresh = tempfile.mkdtemp(prefix="leakfix-postgresql-new-")
    _give(fresh)
    child = subprocess.Popen(
        [_program("initdb"), "-D", fresh, "--username=" + PostgreSQL.admin, "--auth=trust",
         "--encoding=UTF8", "--locale=C", "--wal-segsize=1", "--no-sync", "--no-instructions"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", preexec_fn=_step_down)
    said = child.communicate()[0]
    if child.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        raise RuntimeError("PostgreSQL's initdb failed:\n" + said.decode("utf-8", "replace"))
    try:
        os.rename(fresh, prepared)
    except OSError:  # another test process was quicker
        shutil.rmtree(fresh, ignore_errors=True)
    return prepared
