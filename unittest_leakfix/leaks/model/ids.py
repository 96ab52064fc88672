"""The ids of tests and fixtures, which are text: how they are made, and all that is read from them.

They are text since they go through JSON, baselines and workers as they are.
"""
from __future__ import annotations

import sys
import unittest
from types import ModuleType
from typing import Any, Dict, Iterable, List, Tuple

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import name_of, on_type, qualified

__unittest = True
bind(globals())


FIXTURES = frozenset(["setUp", "asyncSetUp", "tearDown", "asyncTearDown", "setUpClass",
                      "tearDownClass",
                      "setUpModule", "tearDownModule", "setUpTestData", "class", "module",
                      # pytest's
                      "setup_method", "teardown_method", "setup_function", "teardown_function",
                      "setup_class", "teardown_class", "setup_module", "teardown_module", "package",
                      "session"])


def is_fixture(test: str) -> bool:
    """True for what unittest calls "setUpClass (tests.test_orders.OrderTests)": the scope of a
    class or module.

    So it is for pytest's: "fixture db (tests/test_orders.py)", "fixture db (session)".
    """
    if not test.endswith(")"):      # nearly all
        return False
    head, parenthesis, _ = test.partition(" (")
    return bool(parenthesis) and (head in FIXTURES or is_pytest_fixture(test))


def is_pytest_fixture(test: str) -> bool:
    """True for pytest's "fixture db (tests/test_orders.py)"."""
    return test.startswith("fixture ")


def fixture_of(test: str) -> Tuple[str, str]:
    """Return the name of a fixture and what it is the fixture of: "setUpClass" and
    "tests.test_orders.OrderTests"; two empty texts for a test."""
    if not is_fixture(test):
        return "", ""
    name, _, scope = test.partition(" (")
    return name.rpartition(" ")[2], scope[:-1]


def owner_of(test: str) -> str:
    """Return the class or module of a test or fixture by its id: "tests.test_orders.OrderTests"."""
    if test.endswith(")") and " (" in test:     # a fixture, or a subtest
        head, _, scope = test.partition(" (")
        if "." not in head and "::" not in head:
            return scope[:-1]
        test = head
    bare = test.partition("[")[0]
    return bare.rpartition("::" if "::" in bare else ".")[0]


def within_owner(test: str) -> str:
    """Return what a test or fixture is called in its class or module: "test_checkout[1]"."""
    if is_fixture(test):
        return test.partition(" (")[0]
    owner = owner_of(test)
    if not test.startswith(owner):
        return test
    return test[len(owner):].lstrip(":" if is_node_id(test) else ".") or test


def _in_scope(test: str) -> str:
    """Return for a fixture what the id of a test of its scope begins with; a test's own id."""
    scope = fixture_of(test)[1]
    if not scope:
        return test
    return scope + ("::" if "/" in scope or "::" in scope or scope.endswith(".py") else ".")


def module_of(test: str) -> str:
    """Return the name of the loaded module that a test or fixture is written in; "" if that is not
    known."""
    path, colons, _ = _in_scope(test).partition("[")[0].partition("::")
    if colons:      # pytest tells a file
        return next((name for name, module in list(sys.modules.items())
                     if type(module) is ModuleType and str(vars(module).get("__file__", ""))
                     .replace("\\", "/").endswith("/" + path)), "")
    parts = path.split(".")
    return next((name for name in (".".join(parts[:count]) for count in range(
        len(parts) - 1, 0, -1)) if type(sys.modules.get(name)) is ModuleType), "")


def method_of(test: str) -> str:
    """Return the bare name of a test's method or function, or of a fixture."""
    if is_fixture(test):
        return fixture_of(test)[0]
    bare = test.partition("[")[0]
    return bare.rpartition("::" if "::" in bare else ".")[2].partition(" ")[0]


def readable_id(test: str) -> str:
    """Return what a test is called in a sentence: its class and method; of pytest's, the whole node
    id."""
    return test if "::" in test.partition("[")[0] else ".".join(test.rsplit(".", 2)[-2:])


def defines(test: str, module: str) -> bool:
    """Tell whether the test, or fixture, of this id is written in *module*."""
    test = _in_scope(test)
    path, colons, _ = test.partition("::")
    if not colons:
        return test.startswith(module + ".")
    # pytest tells a file; what that is imported as depends on its import mode.
    return ("." + path.rpartition(".")[0].replace("/", ".")).endswith("." + module)


class TestIds:
    """Knows what the tests of the class under way are called: asking each costs a microsecond."""

    def __init__(self) -> None:
        self._named: Any = None         # the class whose tests are called _prefix...
        self._prefix = ""

    def of(self, test: unittest.TestCase) -> str:
        """Return the id of *test*."""
        cls = type(test)
        if cls is not self._named:
            plain = on_type(cls, "id") is unittest.TestCase.id
            self._prefix = qualified(cls) + "." if plain else ""
            self._named = cls
        try:
            return self._prefix + test._testMethodName if self._prefix else str(test.id())
        except errors.PASSING:
            raise
        except BaseException:   # an id of the user's own, or what is not a TestCase
            return "%s.%s" % (name_of(type(test))[0], errors.label(test))

    def forget(self) -> None:
        """The class is over."""
        self._named = None


def is_node_id(test: str) -> bool:
    """True for what pytest calls a test: "tests/test_orders.py::OrderTests::test_checkout[1]"."""
    return "::" in without_parameters(test)


def _is_node_fixture(test: str) -> bool:
    """True for pytest's "fixture db (tests/test_orders.py)", whose scope is a node id or the
    session."""
    return is_fixture(test) and ("::" in test or "/" in test
                                 or test.endswith((".py)", " (session)"))
                                 or is_pytest_fixture(test))


def without_parameters(test: str) -> str:
    """Return the id of a test without those of pytest's: "...::test_checkout" for
    "...::test_checkout[1]"."""
    return test.partition("[")[0]


def _parts(test: str) -> List[str]:
    if is_node_id(test) or _is_node_fixture(test):
        return [test]       # pytest's, which one can give to pytest as it is
    if is_fixture(test):
        name, _, scope = test.partition(" (")
        return scope.rstrip(")").split(".") + [name]
    bare = test.split(" ", 1)[0].split("[", 1)[0]
    tail = test[len(bare):]
    parts = bare.split(".")
    return parts[:-1] + [parts[-1] + tail]


class Names:
    """Short names of tests: class and method, with as much in front as it takes to tell two
    apart."""

    def __init__(self, tests: Iterable[str]) -> None:
        """``tests`` are the ids of all tests of one report."""
        self._short: Dict[str, str] = {}
        left = list(dict.fromkeys(tests))
        for depth in (2, 3, 99):
            taken: Dict[str, List[str]] = {}
            for test in left:
                taken.setdefault(".".join(_parts(test)[-depth:]), []).append(test)
            left = [test for same in taken.values() if len(same) > 1 for test in same]
            self._short.update((same[0], short) for short, same in taken.items() if len(same) == 1)

    def short(self, test: str) -> str:
        """Return "OrderTests.test_checkout" for "tests.test_orders.OrderTests.test_checkout"."""
        return self._short.get(test) or ".".join(_parts(test)[-2:])

    def owner(self, test: str) -> str:
        """Return the short name of the test's class."""
        if is_node_id(test) or _is_node_fixture(test):
            return without_parameters(test.partition(" (")[2][:-1]) if is_fixture(
                test) else without_parameters(test).rpartition("::")[0]
        return self.short(test).split(" ", 1)[0].split("[", 1)[0].rpartition(".")[0]

    @staticmethod
    def method(test: str) -> str:
        """Return the bare name of the test's method or fixture."""
        if is_node_id(test):
            return without_parameters(test).rpartition("::")[2]
        if is_pytest_fixture(test):
            return test[len("fixture "):test.index(" (")]
        return _parts(test)[-1].split(" ", 1)[0].split("[", 1)[0]
