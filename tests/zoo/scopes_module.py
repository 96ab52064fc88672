"""What setUpModule leaves is the module's."""
from __future__ import annotations

import os
import unittest


def setUpModule():
    os.environ["SHOP_DEBUG"] = "1"


class OfModule(unittest.TestCase):

    def test_it(self):
        self.assertEqual("1", os.environ["SHOP_DEBUG"])
