"""Names below the top level that the docs gave: they stay where they were, wherever the code
moves."""
from __future__ import annotations

import importlib
import unittest

DEEP = [
    ("unittest_leakfix.leaks", "ignore"), ("unittest_leakfix.leaks", "watch"),
    ("unittest_leakfix.leaks", "Watch"), ("unittest_leakfix.leaks", "Leak"),
    ("unittest_leakfix.leaks", "Findings"),
    ("unittest_leakfix.leaks.json", "load"), ("unittest_leakfix.leaks.json", "dump"),
    ("unittest_leakfix.leaks.leak", "merge"), ("unittest_leakfix.leaks.leak", "Leak"),
    ("unittest_leakfix.databases.budget", "ConnectionBudgetError"),
    ("unittest_leakfix.databases.session_mixins", "MySQLLeakFixMixin"),
    ("unittest_leakfix.databases.session_mixins", "PostgreSQLLeakFixMixin"),
    ("unittest_leakfix.databases.mysql", "sessions"),
    ("unittest_leakfix.databases.postgresql", "sessions"),
]


class DeepImports(unittest.TestCase):

    def test_all(self):
        for module, name in DEEP:
            with self.subTest(module=module, name=name):
                self.assertTrue(callable(getattr(importlib.import_module(module), name)))

    def test_a_name_of_the_package_is_no_module_of_it(self):
        # A submodule called "watch" would take the place of the function once it is loaded.
        from unittest_leakfix import leaks
        importlib.import_module("unittest_leakfix.leaks.watch_block")
        self.assertFalse(hasattr(leaks.watch, "__file__"))
        self.assertFalse(hasattr(leaks.ignore, "__file__"))

    def test_aliases_are_the_same_objects(self):
        from unittest_leakfix.databases import budget, connection_limit
        from unittest_leakfix.leaks import leak, model
        self.assertIs(budget.ConnectionBudgetError, connection_limit.ConnectionBudgetError)
        self.assertIs(leak.Leak, importlib.import_module(model.__name__ + ".leak").Leak)


if __name__ == "__main__":
    unittest.main()
