"""Private database servers for the tests: real ones, on loopback, gone when the test process is.

A test asks for the process's server and is skipped by name where there is none::

    server = servers.mariadb()
    db = pymysql.connect(**server.settings())
"""

from __future__ import absolute_import

import os
import shutil
import socket

from tests.support import private_server

NO_MARIADB = "no MariaDB server: install mariadb-server"

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


class MariaDB(private_server.PrivateServer):
    """A running MariaDB of our own. The admin's account gets in beside ``max_connections``."""

    name = "MariaDB"

    def _prepare(self):
        shutil.copytree(private_server.prepared_data(self.name, find(), os.getuid(), _install),
                        self._data)
        with open(self._script(), "w") as script:
            script.write(self._accounts())

    def _script(self):
        return os.path.join(self._folder, "accounts.sql")

    def _command(self, max_connections):
        command = [find(), "--no-defaults", "--datadir=" + self._data, "--socket=" + self.socket]
        command += ["--port=%d" % self.port, "--bind-address=" + self.host]
        command += ["--max-connections=%d" % max_connections, "--init-file=" + self._script()]
        return command + ["--pid-file=" + os.path.join(self._folder, "pid")] + FAST + _as_root()

    def _accounts(self):
        statements = ["CREATE DATABASE %s CHARACTER SET utf8mb4" % self.database]
        for name, rights, where in ((self.user, "ALL", self.database), (self.admin, "ALL", "*")):
            statements.append("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'" % (name, self.password))
            statements.append("GRANT %s ON %s.* TO '%s'@'%%'" % (rights, where, name))
        statements.append("SET PASSWORD FOR root@localhost = PASSWORD('%s')" % self.password)
        return "".join(statement + ";\n" for statement in statements)

    def _listens(self):
        # The socket's file is there before the server listens: only its greeting counts.
        knock = socket.create_connection((self.host, self.port), 1)
        try:
            knock.settimeout(1)
            return bool(knock.recv(4))
        finally:
            knock.close()


def mariadb():
    """The MariaDB of this test process, started when first asked for (20 connections).

    Raises unittest.SkipTest, naming what to install, where there is no server program.
    """
    return private_server.shared(MariaDB, find(), NO_MARIADB)


def fresh():
    """Return a MariaDB for the caller alone, which skips as `mariadb` does."""
    return private_server.fresh(MariaDB, find(), NO_MARIADB)


def administrator(server):
    """Return a connection of the server's root (PyMySQL); the user may make test databases from now
    on."""
    connection = private_server.driver("pymysql").connect(
        user="root", password=server.password, unix_socket=server.socket)
    connection.cursor().execute("GRANT ALL ON `test%%`.* TO '%s'@'%%'" % server.user)
    return connection


def find():
    """The path of the MariaDB server program, or None where there is none (or no install
    script)."""
    if os.name != "posix" or _program("mariadb-install-db", "mysql_install_db") is None:
        return None
    return _program("mariadbd", "mysqld")


def _program(*names):
    return private_server.program(names, ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"])


def _install(folder):
    private_server.printed_by(
        [_program("mariadb-install-db", "mysql_install_db"), "--no-defaults", "--datadir=" + folder,
         "--auth-root-authentication-method=normal", "--skip-test-db"] + FAST + _as_root())


def _as_root():
    return ["--user=root"] if os.getuid() == 0 else []
