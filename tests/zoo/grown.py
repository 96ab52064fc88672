"""Containers of an application that grow test after test, and those that only look so."""
from __future__ import annotations

import unittest

from tests.zoo import market


class Three(unittest.TestCase):
    """Each of three tests leaves 400 kB somewhere."""

    def test_1(self):
        self.leave(1)

    def test_2(self):
        self.leave(2)

    def test_3(self):
        self.leave(3)

    def leave(self, number):
        """Nothing."""


class InList(Three):

    def leave(self, number):
        market.ROWS.append(bytearray(400000))


class InDict(Three):

    def leave(self, number):
        market.remember(number, {"text": "x" * 400000})


class InSet(Three):

    def leave(self, number):
        market.NAMES.add("%d" % number * 400000)


class InBytes(Three):

    def leave(self, number):
        market.BUFFER.extend(bytes(400000))


class InClass(Three):

    def leave(self, number):
        market.Config.rows.append(bytes(400000))


class InCache(Three):

    def leave(self, number):
        market.load(number)


class InDefaultArgument(Three):

    def leave(self, number):
        market.collect(bytes(400000))


class InOneOfThree(Three):

    def leave(self, number):
        if number == 2:
            market.ROWS.append(bytes(1200000))


class Ten(unittest.TestCase):
    """Small items: ten tests."""

    def leave(self, number):
        """Nothing."""


for each in range(10):
    setattr(Ten, "test_%d" % each, lambda self, each=each: self.leave(each))


class SmallItems(Ten):

    def leave(self, number):
        market.collect(number)


class FilledEarly(Ten):

    def leave(self, number):
        market.remember(min(number, 3), number)


class Cleared(Three):

    def leave(self, number):
        market.ROWS[:] = [bytes(1200000)] * (number % 2)
        self.addCleanup(market.ROWS.clear)


class Bounded(Three):

    def leave(self, number):
        market.handle("/")


class BoundedCache(Three):

    def leave(self, number):
        market.load_few(number)


class LoadedOnce(Three):

    def leave(self, number):
        market.table()


class OfFixture(Three):

    @classmethod
    def setUpClass(cls):
        market.ROWS.append(bytes(1200000))

    @classmethod
    def tearDownClass(cls):
        market.ROWS.clear()
