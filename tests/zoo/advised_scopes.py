"""What fixtures leave: the advice is for the fixture."""
from __future__ import annotations

import os
import sqlite3
import tempfile
import unittest

from tests.zoo import office


class OfClass(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.db = sqlite3.connect(os.path.join(os.environ["ZOO"], "office.db"))

    def test_connection(self):
        self.db.execute("select 1")


class FolderOfClass(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()

    def test_folder(self):
        self.assertTrue(os.path.isdir(self.folder))


class StateOfClass(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        os.environ["OFFICE"] = "there"

    def test_variable(self):
        self.assertEqual(os.environ["OFFICE"], "there")


class OfSetUp(unittest.TestCase):

    def setUp(self):
        self.server = office.serve()

    def test_server(self):
        self.assertTrue(self.server.server_address)
