"""A web shop: settings, signals, middleware, a session for each visitor, mail that is sent."""
from __future__ import annotations

import contextvars
import decimal
import functools
import logging
import queue
import threading
import weakref

log = logging.getLogger("web")
request = contextvars.ContextVar("request", default=None)
local = threading.local()
ready = threading.Event()
middleware = []
routes = {"/": "index"}
outbox = []
sessions = weakref.WeakValueDictionary()
flags = set()
jobs = queue.Queue()
currency = decimal.Context(prec=8)


class Settings:
    """How the shop is set up."""

    debug = False
    theme = "plain"
    host = "shop.example"
    backends = ["mail"]
    timeouts = {"payment": 5}


class Signal:
    """Tells its receivers."""

    def __init__(self):
        self.receivers = []

    def connect(self, receiver):
        """Take one more."""
        self.receivers.append(receiver)

    def disconnect(self, receiver):
        """Take one less."""
        self.receivers.remove(receiver)

    def send(self, **event):
        """Tell all."""
        return [receiver(**event) for receiver in list(self.receivers)]


order_paid = Signal()


class Session:
    """One visitor."""

    def __init__(self, key):
        self.key = key
        self.basket = []
        sessions[key] = self


class Mailer:
    """Sends mail by its backend."""

    def __init__(self):
        self.backend = None
        self.sent = 0

    def send(self, text):
        """Send one."""
        self.sent += 1
        return self.backend(text) if self.backend else text


mailer = Mailer()


class Payments:
    """Asks somebody else."""

    retries = 3

    @classmethod
    def charge(cls, amount):
        """Take the money."""
        return amount


@functools.lru_cache(maxsize=64)
def price(item):
    """Return what an item costs."""
    return len(str(item))


def handle(path):
    """Answer a request."""
    for each in middleware:
        path = each(path)
    return routes.get(path)


def configure(theme, host):
    """Set the shop up anew."""
    Settings.theme = theme
    Settings.host = host
