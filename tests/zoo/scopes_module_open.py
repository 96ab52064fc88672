"""A file that setUpModule opens and nobody closes."""
from __future__ import annotations

import unittest

file = None


def setUpModule():
    global file
    file = open(__file__)


class OfModule(unittest.TestCase):

    def test_it(self):
        self.assertFalse(file.closed)
