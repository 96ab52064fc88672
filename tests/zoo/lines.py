"""One test for each opener of `lines_app`: what it opens is kept in a list, on self, or dropped."""
from __future__ import annotations

import os
import re
import unittest

from tests.zoo import lines_app

KEPT = []
with open(os.path.splitext(lines_app.__file__)[0] + ".py") as _source:
    NAMES = list(dict.fromkeys(re.findall(r"# opens: (\w+)", _source.read())))


class Held(unittest.TestCase):
    """In a list of this module."""


class OnSelf(unittest.TestCase):
    """In an attribute of the test."""


class Dropped(unittest.TestCase):
    """In nothing."""


def _add(name):
    opener = getattr(lines_app, name)

    def held(self):
        KEPT.append(opener())

    def on_self(self):
        self.it = opener()

    def dropped(self):
        opener()
    for cls, method in ((Held, held), (OnSelf, on_self), (Dropped, dropped)):
        method.__name__ = "test_" + name
        setattr(cls, method.__name__, method)


for _name in NAMES:
    _add(_name)
