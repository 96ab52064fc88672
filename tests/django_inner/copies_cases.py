"""Wrappers that tests made for themselves, beside Django's own. On SQLite, in a file."""
from __future__ import annotations

from django.db import connections
from django.test import TestCase

KEPT = []
OURS = []


class CopyTests(TestCase):
    def opened(self):
        copy = connections["default"].copy()
        copy.ensure_connection()
        return copy

    def test_1_on_self(self):
        self.reports = self.opened()

    def test_2_in_a_global(self):
        KEPT.append(self.opened())

    def test_3_djangos_own_on_self(self):
        self.ours = connections["default"]
        self.ours.ensure_connection()
        OURS.append(self.ours.connection)

    def test_4_djangos_own_is_open_yet(self):
        self.assertIs(connections["default"].connection, OURS.pop())
