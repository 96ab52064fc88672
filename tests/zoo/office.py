"""Another application: the containers, singletons, mocks and descriptors that advice is about."""
from __future__ import annotations

import collections
import functools
import logging
import multiprocessing.pool
import socket
import socketserver
import threading
import weakref
from unittest import mock

listeners = set()
recent = collections.deque(maxlen=100)
handlers = {"order": [], "refund": []}
formats = {"csv": str, "json": repr}
mailer = mock.MagicMock(name="mailer")
clock = mock.MagicMock(name="clock")
log = logging.getLogger("office")
watched = None
on_error = None
queue = []


class Desk:
    """Sits in the office."""

    def __init__(self, owner=None):
        self.owner = owner


class Registry:
    """A singleton that is there from the start, with a default of its class."""

    factory = None
    names = []

    def __init__(self):
        self.current = Desk()
        self.by_name = {}

    @functools.cached_property
    def handler(self):
        """Made when it is first asked for."""
        return self.factory()


registry = Registry()


class Field:
    """A descriptor that keeps the values of all its objects."""

    def __init__(self):
        self.values = {}

    def __get__(self, obj, owner):
        return self if obj is None else self.values.get(obj)

    def __set__(self, obj, value):
        self.values[obj] = value


class Item:
    """Has a price."""

    price = Field()


class Service:
    """Is patched by hand."""

    timeout = 30

    def run(self):
        """Return what it does."""
        return "run"

    @staticmethod
    def name():
        """Return what it is called."""
        return "service"


class Observer:
    """Is put into a set together with what it observes."""

    def __init__(self, desk):
        self.desk = desk


def listen(who):
    """Take another listener."""
    listeners.add(who)


def emit(event):
    """Call the handlers of an event."""
    return [handler(event) for handler in list(handlers[event])]


def export(kind, value):
    """Return a value in a format."""
    return formats[kind](value)


def connect():
    """Return both ends of a connection."""
    return socket.socketpair()


def serve():
    """Return a server that listens."""
    return socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler)


def workers():
    """Return a pool of threads."""
    return multiprocessing.pool.ThreadPool(1)


def watch(obj, callback):
    """Call back when an object is gone."""
    return weakref.ref(obj, callback)


def later(seconds, function):
    """Return a timer that is not started."""
    return threading.Timer(seconds, function)
