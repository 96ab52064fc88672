"""The application that the animals live in: the places where applications keep things."""
from __future__ import annotations

import contextvars
import functools
import threading
import weakref
from unittest import mock

last = None
last_error = None
orders = []
by_number = {}
by_ticket = weakref.WeakValueDictionary()
recent = weakref.WeakValueDictionary()
feeds = []
pool = []
tasks = []
hooks = {}
lock = threading.Lock()
till = threading.RLock()
clerks = threading.BoundedSemaphore(2)
current_order = contextvars.ContextVar("current_order", default=None)
request = threading.local()
send = mock.Mock()


class Signal:
    """What calls its receivers."""

    def __init__(self):
        self.receivers = []

    def connect(self, receiver):
        self.receivers.append(receiver)


post_save = Signal()


class Settings:
    """A singleton that is made when it is first asked for."""

    _instance = None
    owner = None

    @classmethod
    def instance(cls):
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance


class Client:
    """Has a class attribute that all share."""

    connection = None
    lock = threading.Lock()


class Order:
    """What the shop sells by."""

    def __init__(self, number):
        self.number = number


def remember(key, value):
    """The application's own cache."""
    by_number[key] = value


@functools.lru_cache(maxsize=None)
def price(order):
    """What the order costs: kept for the next time, with the order."""
    return 42


@functools.lru_cache(maxsize=None)
def rates(currency):
    """The table of a currency: loaded once."""
    return [Order(number) for number in range(3)]
