"""What one or several tests leave with the application, for the rules of what is a leak."""
from __future__ import annotations

import asyncio
import atexit
import codecs
import collections
import concurrent.futures
import io
import logging
import unittest


class Order:
    """Of the application: its module stands in for one below."""


class Slotted(collections.namedtuple("Slotted", "number lines")):
    __slots__ = ()


class Shop:
    current = None
    recent: list = []
    registry: dict = {}
    pool: list = []
    sold: list = []


# As if they were the application's, and not this module's: their own class and holder.
for each in (Order, Slotted, Shop):
    each.__module__ = "tests.zoo.shop"


def application():
    """Return the shop, held by the application's module."""
    from tests.zoo import shop
    shop.Shop = Shop
    return shop.Shop


class Slot(unittest.TestCase):
    """One place, which each test fills anew: only the last is alive."""

    def setUp(self):
        self.order = application().current = Order()


class Window(unittest.TestCase):
    """A list of the last four."""

    def setUp(self):
        shop = application()
        shop.recent.append(Order())
        del shop.recent[:-4]


class Refilled(unittest.TestCase):
    """A list that each class begins anew."""

    @classmethod
    def setUpClass(cls):
        application().recent.clear()

    def setUp(self):
        application().recent.append(Order())


class RefilledAgain(Refilled):
    pass


class FilledOnce(unittest.TestCase):
    """A registry that is full after the first few tests."""

    def setUp(self):
        application().registry.setdefault(len(application().registry) % 4, Order())


class Pool(unittest.TestCase):
    """Taken from a pool, and given back to it."""

    def setUp(self):
        pool = application().pool
        self.order = pool.pop() if pool else Order()
        self.addCleanup(pool.append, self.order)


class DeepPool(unittest.TestCase):
    """A pool that a few tests need more of than those before; what they put in is replaced."""

    def setUp(self):
        pool = application().pool
        depth = 3 if self._testMethodName in ("test_01", "test_05", "test_10") else 1
        taken = [pool.pop() if pool else [None] for _ in range(depth)]
        for each in taken:
            each[0] = Order()
        if depth == 3:
            self.addCleanup(pool.append, [Order()])
        pool.extend(taken)


class Bounded:
    def __init__(self, name, limit):
        self.__dict__.update({name: limit, "_items": {}})

    def add(self, key, value):
        self._items[key] = value


Bounded.__module__ = "tests.zoo.shop"


class BoundedCache(unittest.TestCase):
    """A cache that is not full yet, and says how many it keeps."""

    limit = "capacity"

    def setUp(self):
        shop = application()
        if shop.current is None:
            shop.current = Bounded(self.limit, 50)
        shop.current.add(self.id(), Order())


class BoundedByMaxsize(BoundedCache):
    limit = "_Cache__maxsize"


class BoundedDeque(unittest.TestCase):
    def setUp(self):
        shop = application()
        if shop.current is None:
            shop.current = collections.deque(maxlen=50)
        shop.current.append(Order())


class BoundedByItsClass(unittest.TestCase):
    """A cache that a class has, and its limit beside it."""

    def setUp(self):
        shop = application()
        if shop.current is None:
            shop.current = type("Shelf", (), {
                "_Shelf__cache_size": 50, "_items": {}, "__module__": "tests.zoo.shop"})
        shop.current._items[self.id()] = Order()


class NotBounded(BoundedCache):
    """It has a number, and more than that."""

    limit = "max_retries"


class Outgrown(BoundedCache):
    """Its limit does not hold."""

    def setUp(self):
        super().setUp()
        application().current.capacity = 2


class Screen(io.TextIOWrapper):
    """A stream of the application's that has nothing but memory below it."""


Screen.__module__ = "tests.zoo.shop"


class MemoryStreams(unittest.TestCase):
    def setUp(self):
        application().sold.append(Screen(io.BytesIO()))


class OneMemoryStream(unittest.TestCase):
    def test_1(self):
        self.screen = application().current = Screen(io.BytesIO())


class Grows(unittest.TestCase):
    """A list that nobody empties."""

    def setUp(self):
        application().sold.append(Order())


class GrowsBesideACache(unittest.TestCase):
    """Objects of one class, in a list that nobody empties and in a slot."""

    def setUp(self):
        shop = application()
        shop.sold.append(Order())
        shop.current = Order()


class Twice(unittest.TestCase):
    """Two tests each leave the object that they had."""

    def setUp(self):
        self.order = Order()
        application().sold.append(self.order)


class Numbered(unittest.TestCase):
    """Objects that cannot be weakly referenced, and whose ids are used again."""

    def setUp(self):
        self.order = Slotted(1, [])
        application().recent[:] = [self.order]


class Loggers(unittest.TestCase):
    """A logger for each test: the logging module keeps them for good."""

    def setUp(self):
        self.log = logging.getLogger("shop.%s" % self._testMethodName)


class Crowd(unittest.TestCase):
    """Each test leaves many."""

    def setUp(self):
        application().sold.extend(Order() for _ in range(500))


class TestOnOrder(unittest.TestCase):
    """A test that hangs on what may well stay."""

    def test_01(self):
        self.order = application().current = Order()
        self.order.owner = self


class InRegistries(unittest.TestCase):
    """Kept by tables in C, which have names all the same."""

    def test_codec(self):
        codecs.register(self.search)

    def test_codec_errors(self):
        codecs.register_error("shop", self.search)

    def test_atexit(self):
        atexit.register(self.search, "")

    def search(self, name):
        return None


class LoopOfClass(unittest.TestCase):
    """A thread of the loop that the class has, which ends with it."""

    @classmethod
    def setUpClass(cls):
        cls.loop = asyncio.new_event_loop()
        cls.addClassCleanup(cls.loop.close)

    def test_1(self):
        self.loop.run_until_complete(self.loop.run_in_executor(None, sum, [1, 2]))

    def test_2(self):
        pass


class PoolOfClass(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.pool = concurrent.futures.ThreadPoolExecutor(2)
        cls.addClassCleanup(cls.pool.shutdown)

    def test_1(self):
        self.pool.submit(int).result()


for case in (Slot, Window, Refilled, RefilledAgain, FilledOnce, Pool, Grows, GrowsBesideACache,
             Numbered, Loggers, DeepPool, BoundedCache, BoundedDeque,
             BoundedByItsClass, MemoryStreams):
    for nth in range(12):
        setattr(case, "test_%02d" % nth, lambda self: None)
for case in (Twice, Crowd):
    for nth in range(3):
        setattr(case, "test_%02d" % nth, lambda self: None)
del case, nth, each
