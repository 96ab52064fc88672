"""Private database servers for the tests: real ones, on loopback, gone when the test process is.

A test asks for the process's server and is skipped by name where there is none::

    server = servers.mariadb()
    db = pymysql.connect(**server.settings())
"""

from __future__ import absolute_import

import atexit
import binascii
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

NO_MARIADB = "no MariaDB server: install mariadb-server"

# The server replaces the shell, so the process Popen knows is the server itself. The shell's child
# waits on a pipe that only the test process can write to: end of file without a word means that
# the test process died, however it did, and then the child ends the server and removes its folder.
GUARDED = """
exec 3<&0
folder=$1
shift
( read word <&3 || kill -9 $$; rm -rf "$folder" ) &
exec "$@" </dev/null 3<&-
"""

FAST = [
    "--innodb-buffer-pool-size=8M",
    "--innodb-log-file-size=4M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-fast-shutdown=2",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--performance-schema=OFF",
    "--aria-pagecache-buffer-size=1M",
    "--key-buffer-size=1M",
]


class MariaDB(object):
    """A running MariaDB of our own.

    ``max_connections`` (int) is how many ordinary sessions it admits; the account that
    ``settings(admin=True)`` names gets in beside them, so a full server can still be watched.

    Attributes: ``host``, ``port`` (int), ``socket`` (path), ``user``, ``admin`` (names of the two
    accounts), ``password`` (str, generated, the same for both) and ``database``.

    Raises RuntimeError, with the server's log, when it does not start.
    """

    host = "127.0.0.1"
    user = "leakfix"
    admin = "leakfix_admin"
    database = "leakfix"

    def __init__(self, max_connections=20, patience=60):
        self._owner = os.getpid()
        self.password = _secret()
        self._folder = tempfile.mkdtemp(prefix="leakfix-mariadb-")
        self.socket = os.path.join(self._folder, "socket")
        self.port = _free_port()
        self._log = os.path.join(self._folder, "log")
        self._process = None
        try:
            self._start(max_connections)
            self._await(time.time() + patience)
        except BaseException:
            self.stop()
            raise
        atexit.register(self.stop)

    def settings(self, admin=False):
        """The keyword arguments for ``pymysql.connect`` and ``MySQLdb.connect`` (a new dict)."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.admin if admin else self.user,
            "password": self.password,
            "database": self.database,
        }

    def stop(self):
        """End the server at once and remove its folder. Stopping twice is no error."""
        process, self._process = self._process, None
        if os.getpid() != self._owner:
            return  # a forked child that leaves through atexit
        if process is not None:
            if process.poll() is None:
                process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        if process is not None:
            process.stdin.write(b"ended\n")
            process.stdin.close()

    def _start(self, max_connections):
        data = os.path.join(self._folder, "data")
        shutil.copytree(_prepared_data(), data)
        accounts = os.path.join(self._folder, "accounts.sql")
        with open(accounts, "w") as script:
            script.write(self._accounts())
        command = [find(), "--no-defaults", "--datadir=" + data, "--socket=" + self.socket]
        command += ["--port=%d" % self.port, "--bind-address=" + self.host]
        command += ["--max-connections=%d" % max_connections, "--init-file=" + accounts]
        command += ["--pid-file=" + os.path.join(self._folder, "pid")] + FAST + _as_root()
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", GUARDED, "sh", self._folder] + command,
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", close_fds=True,
                preexec_fn=os.setsid)  # Ctrl-C is for the tests; the guard ends the server
        _close_on_exec(self._process.stdin)

    def _accounts(self):
        statements = ["CREATE DATABASE %s CHARACTER SET utf8mb4" % self.database]
        for name, rights, where in ((self.user, "ALL", self.database), (self.admin, "ALL", "*")):
            statements.append("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'" % (name, self.password))
            statements.append("GRANT %s ON %s.* TO '%s'@'%%'" % (rights, where, name))
        statements.append("SET PASSWORD FOR root@localhost = PASSWORD('%s')" % self.password)
        return "".join(statement + ";\n" for statement in statements)

    def _await(self, deadline):
        while True:
            if self._process.poll() is not None or time.time() > deadline:
                with open(self._log, "rb") as log:
                    raise RuntimeError("MariaDB did not start:\n"
                                       + log.read().decode("utf-8", "replace"))
            # The socket's file is there before the server listens: only its greeting counts.
            try:
                knock = socket.create_connection((self.host, self.port), 1)
                try:
                    knock.settimeout(1)
                    if knock.recv(4):
                        return
                finally:
                    knock.close()
            except (socket.error, socket.timeout):
                pass
            time.sleep(0.02)


_running = []


def mariadb():
    """The MariaDB of this test process, started when first asked for (20 connections).

    Raises unittest.SkipTest, naming what to install, where there is no server program.
    """
    if find() is None:
        raise unittest.SkipTest(NO_MARIADB)
    if not _running:
        _running.append(MariaDB())
    return _running[0]


def find():
    """The path of the MariaDB server program, or None where there is none (or no install script)."""
    if os.name != "posix" or _program("mariadb-install-db", "mysql_install_db") is None:
        return None
    return _program("mariadbd", "mysqld")


def _program(*names):
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    for name in names:
        for folder in folders + ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"]:
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK) and os.path.isfile(path):
                return path
    return None


def _prepared_data():
    """A data folder as the install script leaves it; made once per machine and user, then copied."""
    version = os.stat(find())
    prepared = os.path.join(tempfile.gettempdir(), "leakfix-mariadb-data-%d-%d-%d" % (
        os.getuid(), version.st_size, version.st_mtime))
    if os.path.isdir(prepared) and os.stat(prepared).st_uid == os.getuid():
        return prepared
    fresh = tempfile.mkdtemp(prefix="leakfix-mariadb-new-")
    command = [_program("mariadb-install-db", "mysql_install_db"), "--no-defaults"]
    command += ["--datadir=" + fresh, "--auth-root-authentication-method=normal"]
    command += ["--skip-test-db"] + FAST + _as_root()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")
    said = child.communicate()[0]
    if child.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        raise RuntimeError("MariaDB's install script failed:\n" + said.decode("utf-8", "replace"))
    try:
        os.rename(fresh, prepared)
    except OSError:  # another test process was quicker
        shutil.rmtree(fresh, ignore_errors=True)
    return prepared


def _as_root():
    return ["--user=root"] if os.getuid() == 0 else []


def _secret():
    return binascii.hexlify(os.urandom(12)).decode("ascii")


def _free_port():
    probe = socket.socket()
    try:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
    finally:
        probe.close()


def _close_on_exec(stream):
    # 2.7 hands every descriptor to every child, and a child that holds this one keeps the server.
    import fcntl
    fcntl.fcntl(stream, fcntl.F_SETFD, fcntl.fcntl(stream, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)
