"""What is read from the ids of tests and fixtures, whatever made them."""
from __future__ import annotations

import ast
import os
import unittest

from tests.support.paths import ROOT
from unittest_leakfix.leaks.model.ids import (
    Names,
    defines,
    fixture_of,
    is_fixture,
    is_node_id,
    owner_of,
    readable_id,
)

# id, the fixture's name, its class or module, method, is it pytest's
IDS = (
    ("tests.test_orders.OrderTests.test_checkout", "", "tests.test_orders.OrderTests",
     "test_checkout", False),
    ("tests.test_orders.OrderTests.test_checkout (currency='a.b (c)')", "",
     "tests.test_orders.OrderTests", "test_checkout", False),
    ("tests.test_orders.OrderTests.test_checkout[a.b]", "", "tests.test_orders.OrderTests",
     "test_checkout", False),
    ("setUpClass (tests.test_orders.OrderTests)", "setUpClass", "tests.test_orders.OrderTests",
     "setUpClass", False),
    ("setUpModule (tests.test_orders)", "setUpModule", "tests.test_orders", "setUpModule", False),
    ("tests/test_orders.py::OrderTests::test_checkout[a::b]", "",
     "tests/test_orders.py::OrderTests", "test_checkout", True),
    ("tests/test_orders.py::test_checkout", "", "tests/test_orders.py", "test_checkout", True),
    ("fixture db (tests/test_orders.py)", "db", "tests/test_orders.py", "db", False),
    ("fixture db (session)", "db", "session", "db", False),
    ("setup_class (tests/test_orders.py::OrderTests)", "setup_class",
     "tests/test_orders.py::OrderTests", "", True),
)


class IdTests(unittest.TestCase):
    def test_what_an_id_says(self):
        for test, fixture, owner, method, node in IDS:
            with self.subTest(test):
                self.assertEqual(is_fixture(test), bool(fixture))
                self.assertEqual(fixture_of(test), (fixture, owner) if fixture else ("", ""))
                self.assertEqual(owner_of(test), owner)
                self.assertEqual(is_node_id(test), node)
                if method:
                    self.assertEqual(Names.method(test), method)

    def test_what_is_shown(self):
        self.assertEqual(readable_id(IDS[0][0]), "OrderTests.test_checkout")
        self.assertEqual(readable_id(IDS[5][0]), IDS[5][0])
        names = Names(["a.b.T.test_x", "a.c.T.test_x", "a.c.T.test_y", "setUpClass (a.c.T)"])
        self.assertEqual([names.short(each) for each in ("a.b.T.test_x", "a.c.T.test_y",
                                                         "setUpClass (a.c.T)")],
                         ["b.T.test_x", "T.test_y", "T.setUpClass"])

    def test_the_module_of_a_test(self):
        self.assertTrue(defines("tests.test_orders.T.test_a", "tests.test_orders"))
        self.assertFalse(defines("tests.test_orders2.T.test_a", "tests.test_orders"))
        self.assertTrue(defines("tests/test_orders.py::test_a", "test_orders"))
        self.assertFalse(defines("tests/test_orders.py::test_a", "orders"))

    @unittest.skipUnless(hasattr(ast, "unparse"), "needs Python 3.9")
    def test_no_other_file_reads_them(self):
        # Pytest's plugin makes its own ids, and may take them apart; what hides secrets looks at
        # the parameters.
        package = os.path.join(ROOT, "unittest_leakfix")
        strangers = []
        for folder, _, names in os.walk(package):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), package).replace(os.sep, "/")
                if not name.endswith(".py") or path.startswith("pytest_plugin/") or (
                        path in ("leaks/model/ids.py", "_core/redaction.py")):
                    continue
                with open(os.path.join(folder, name), encoding="utf-8") as source:
                    tree = ast.parse(source.read())
                strangers += [
                    (path, node.lineno) for node in ast.walk(tree)
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                    and node.func.attr in ("partition", "rpartition", "split", "index", "find")
                    and isinstance(node.args[0] if node.args else None, ast.Constant)
                    and node.args[0].value in (" (", "::", "[")
                    and "test" in ast.unparse(node.func)]
        self.assertEqual(strangers, [])


if __name__ == "__main__":
    unittest.main()
