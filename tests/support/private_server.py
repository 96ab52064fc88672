"""What the private database servers of the tests share: a folder, a port, a guard, a patient start.

See `servers` (MariaDB) and `servers_postgresql`.
"""

from __future__ import absolute_import

import atexit
import binascii
import importlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from tests.support import passwords

# The server replaces the shell, so the process Popen knows is the server itself. The shell's child
# waits on a pipe that only the test process can write to: end of file without a word means that
# the test process died, however it did, and then the child ends the server and removes its folder.
GUARDED = """
exec 3<&0
folder=$1 gently=$2
shift 2
( read word <&3 || {
    kill -$gently $$
    for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $$ 2>/dev/null && sleep 0.2; done
    kill -9 $$ 2>/dev/null
}; rm -rf "$folder" ) &
exec "$@" </dev/null 3<&-
"""


class PrivateServer(object):
    """A running server of our own, on loopback; gone when the test process is, however that ends.

    ``max_connections`` (int) is how many sessions it admits; the account that
    ``settings(admin=True)`` names gets in beside them, so a full server can still be watched.

    Attributes: ``host``, ``port`` (int), ``socket`` (path), ``user``, ``admin`` (names of the two
    accounts), ``password`` (str, generated, the same for both) and ``database``, which ``user``
    owns.

    Raises RuntimeError, with the server's log, when it does not start.
    """

    name = ""                   # as a person says it
    gently = signal.SIGKILL     # the signal that ends it at once, and leaves nothing behind
    database_argument = "database"
    host = "127.0.0.1"
    user = "leakfix"
    admin = "leakfix_admin"
    database = "leakfix"

    def __init__(self, max_connections=20, patience=60):
        self._owner = os.getpid()
        self.password = binascii.hexlify(os.urandom(12)).decode("ascii")
        passwords.note(self.password)
        self._folder = tempfile.mkdtemp(prefix="leakfix-%s-" % self.name.lower())
        self.socket = os.path.join(self._folder, "socket")
        self.port = _free_port()
        self._log = os.path.join(self._folder, "log")
        self._data = os.path.join(self._folder, "data")
        self._process = None
        try:
            self._prepare()
            self._start(self._command(max_connections))
            self._await(time.time() + patience)
        except BaseException:
            self.stop()
            raise
        atexit.register(self.stop)

    def settings(self, admin=False):
        """The keyword arguments for its drivers' ``connect`` (a new dict)."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.admin if admin else self.user,
            "password": self.password,
            self.database_argument: self.database,
        }

    def stop(self):
        """End the server at once and remove its folder. Stopping twice is not an error."""
        process, self._process = self._process, None
        if os.getpid() != self._owner:
            return  # a forked child that leaves through atexit
        if process is not None:
            if process.poll() is None:
                process.send_signal(self.gently)
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        if process is not None:
            process.stdin.write(b"ended\n")
            process.stdin.close()

    def _prepare(self):
        """Make the data folder and the accounts."""
        raise NotImplementedError

    def _command(self, max_connections):
        """The command line of the server."""
        raise NotImplementedError

    def _listens(self):
        """Whether it lets somebody in. May raise IOError or OSError for no."""
        raise NotImplementedError

    def _step_down(self):
        """Called in the child before the server starts: to be somebody else than root."""

    def _start(self, command):
        def apart():
            os.setsid()  # Ctrl-C is for the tests; the guard ends the server
            self._step_down()
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", GUARDED, "sh", self._folder, "%d" % self.gently] + command,
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", close_fds=True,
                preexec_fn=apart)
        _close_on_exec(self._process.stdin)

    def _await(self, deadline):
        while True:
            if self._process.poll() is not None or time.time() > deadline:
                with open(self._log, "rb") as log:
                    raise RuntimeError("%s did not start:\n%s" % (
                        self.name, log.read().decode("utf-8", "replace")))
            try:
                if self._listens():
                    return
            except (IOError, OSError, socket.error):
                pass
            time.sleep(0.02)


def prepared_data(name, program, uid, fill):
    """The path of a data folder as ``fill(path)`` makes it: once per machine, program and user."""
    version = os.stat(program)
    prepared = os.path.join(tempfile.gettempdir(), "leakfix-%s-data-%d-%d-%d" % (
        name.lower(), uid, version.st_size, version.st_mtime))
    if os.path.isdir(prepared) and os.stat(prepared).st_uid == uid:
        return prepared
    fresh = tempfile.mkdtemp(prefix="leakfix-%s-new-" % name.lower())
    try:
        fill(fresh)
        os.rename(fresh, prepared)
    except OSError:  # another test process was quicker
        shutil.rmtree(fresh, ignore_errors=True)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return prepared


def printed_by(command, **options):
    """What a preparing ``command`` printed, as bytes. Raises RuntimeError with it when it
    failed."""
    typed = options.pop("typed", None)
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, cwd="/", **options)
    printed = child.communicate(typed)[0]
    if child.returncode:
        raise RuntimeError("%s failed:\n%s" % (
            os.path.basename(command[0]), printed.decode("utf-8", "replace")))
    return printed


def program(names, folders=()):
    """The path of the first of ``names`` that is on the PATH or in one of ``folders``, or None."""
    for name in names:
        for folder in list(folders) + os.environ.get("PATH", os.defpath).split(os.pathsep):
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK) and os.path.isfile(path):
                return path
    return None


def shared(kind, found, missing):
    """Return the server of the class *kind* that this test process shares, started when it is first
    wanted (20 connections).

    Raises unittest.SkipTest with *missing* where *found*, the path of the server program, is None.
    """
    if kind not in _shared:
        _shared[kind] = fresh(kind, found, missing)
    return _shared[kind]


_shared = {}


def fresh(kind, found, missing):
    """Return a server of the class *kind* for the caller alone (20 connections), as `shared` does
    otherwise."""
    if found is None:
        raise unittest.SkipTest(missing)
    return kind(20)


def driver(name):
    """Return the module of the driver *name*. Raises unittest.SkipTest where it is not
    installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise unittest.SkipTest("no driver %s" % name)


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
