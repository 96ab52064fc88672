"""What a file of the package is: one noun of a size that can be read, and nothing that another has.

An exception stands here by name and with its reason; one that is no longer needed fails the test.
"""
from __future__ import annotations

import ast
import copy
import os
import unittest
from typing import Dict, Iterator, List, Set, Tuple

from tests.architecture.test_architecture import PACKAGE, SOURCES
from tests.support.paths import ROOT

MOST, LEAST = 500, 20

# File: why it may be larger, or smaller.
LARGER: Dict[str, str] = {
    "options": "one table, with a row for each option",
}
SMALLER: Dict[str, str] = {
    "version": "setup.py reads it without loading the package",
}
# From how many nodes of its syntax tree on a function is compared with all others.
COMPARED = 20
# Functions of different files that do the same: why.
TWINS: Dict[Tuple[str, ...], str] = {
    ("_core.introspection.is_plain", "leaks.retention.objects._is_simple",
     "resources.scan.is_atom", "resources.scan.is_container"):
        "each asks for another set of types; a common function would be called for each attribute",
}


def path_of(name: str) -> str:
    """Return the path of a module of the package."""
    path = os.path.join(ROOT, PACKAGE, *name.split("."))
    return os.path.join(path, "__init__.py") if os.path.isdir(path) else path + ".py"


def lines_of(name: str) -> int:
    """Return how many lines a module has."""
    with open(path_of(name), encoding="utf-8") as file:
        return len(file.readlines())


def is_alias(name: str) -> bool:
    """Tell whether a module only gives what another one has a second place, or is a folder's."""
    return os.path.basename(path_of(name)) == "__init__.py" or all(
        isinstance(node, (ast.Import, ast.ImportFrom, ast.Expr))
        or isinstance(node, ast.Assign) and ast.dump(node.targets[0]).find("'__all__'") > 0
        for node in SOURCES[name].body)


class Leveller(ast.NodeTransformer):
    """Gives the variables and arguments of a function the names v0, v1, ..."""

    def __init__(self) -> None:
        self._names: Dict[str, str] = {}

    def _name(self, name: str) -> str:
        return self._names.setdefault(name, "v%d" % len(self._names))

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(id=self._name(node.id), ctx=node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(arg=self._name(node.arg), annotation=None)


def functions() -> Iterator[Tuple[str, List[ast.AST]]]:
    """Yield the name of each function that is compared, and what it consists of."""
    for module, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) \
                    and not node.name.startswith("__"):
                documented = ast.get_docstring(node, False) is not None
                parts: List[ast.AST] = [node.args]
                parts += node.body[documented:]
                yield "%s.%s" % (module, node.name), parts


def twins() -> Set[Tuple[str, ...]]:
    """Return the groups of functions, not all of one file, that do the same."""
    shapes: Dict[Tuple[type, ...], List[Tuple[str, List[ast.AST]]]] = {}
    for name, parts in functions():
        shape = tuple(type(node) for part in parts[1:] for node in ast.walk(part))
        if len(shape) >= COMPARED:
            shapes.setdefault(shape, []).append((name, parts))
    found: Dict[str, Set[str]] = {}
    for group in shapes.values():
        for name, parts in group if len(group) > 1 else ():
            level = Leveller()
            text = "".join(ast.dump(level.visit(copy.deepcopy(part))) for part in parts)
            found.setdefault(text, set()).add(name)
    return {tuple(sorted(names)) for names in found.values()
            if len({name.rpartition(".")[0] for name in names}) > 1}


class SizeTests(unittest.TestCase):

    def test_no_file_is_too_long_to_read(self) -> None:
        longer = {name for name in SOURCES if lines_of(name) > MOST}
        self.assertEqual([], sorted(longer - set(LARGER)), "more than %d lines" % MOST)
        self.assertEqual([], sorted(set(LARGER) - longer), "these exceptions are not needed")

    def test_no_file_is_a_crumb(self) -> None:
        short = {name for name in SOURCES if lines_of(name) < LEAST and not is_alias(name)}
        self.assertEqual([], sorted(short - set(SMALLER)), "less than %d lines" % LEAST)
        self.assertEqual([], sorted(set(SMALLER) - short), "these exceptions are not needed")


class TwinTests(unittest.TestCase):

    def test_no_two_files_have_the_same_function(self) -> None:
        found = twins()
        self.assertEqual([], sorted(found - set(TWINS)))
        self.assertEqual([], sorted(set(TWINS) - found), "these exceptions are not needed")


if __name__ == "__main__":
    unittest.main()
