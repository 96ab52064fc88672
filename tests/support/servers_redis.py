"""A private redis for the tests, in the manner of `servers`: real, on loopback, gone with them.

    server = servers_redis.redis_server()
    client = redis.Redis(host=server.host, port=server.port)
"""

from __future__ import absolute_import

import os
import socket
import unittest

from tests.support import private_server

NO_REDIS = "no redis server: install redis-server"


class Redis(private_server.PrivateServer):
    """A running redis of our own, without a password."""

    name = "redis"

    def _prepare(self):
        os.mkdir(self._data)

    def _command(self, max_connections):
        return [find(), "--port", str(self.port), "--bind", self.host, "--dir", self._data,
                "--maxclients", str(max_connections), "--save", "", "--appendonly", "no"]

    def _listens(self):
        knock = socket.create_connection((self.host, self.port), 1)
        try:
            knock.settimeout(1)
            knock.sendall(b"PING\r\n")
            return knock.recv(7) == b"+PONG\r\n"
        finally:
            knock.close()


_running = []


def redis_server():
    """The redis of this test process, started when first asked for (20 connections).

    Raises unittest.SkipTest, naming what to install, where there is no server program.
    """
    if find() is None:
        raise unittest.SkipTest(NO_REDIS)
    if not _running:
        _running.append(Redis())
    return _running[0]


def find():
    """The path of the redis server program, or None where there is none."""
    return private_server.program(["redis-server"]) if os.name == "posix" else None
