"""Words and figures: kinds, counts, sizes, and the short names of tests."""
from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.leak import Leak

__unittest = True
bind(globals())


class Kind(NamedTuple):
    """How a kind of leak is spoken of. ``traced``: there is an acquisition unless something hid it."""

    one: str
    many: str
    verb: str = "left"
    traced: bool = False


# The order is that of the report: first what keeps memory, then what costs connections, then the rest.
KINDS: Dict[str, Kind] = {
    "kept test": Kind("kept test", "kept tests"),
    "object": Kind("object", "objects", "made"),
    "growth": Kind("kind that grows", "kinds that grow"),
    "class attribute": Kind("class attribute", "class attributes"),
    "connection": Kind("connection", "connections", "opened", True),
    "socket": Kind("socket", "sockets", "opened", True),
    "file": Kind("file", "files", "opened", True),
    "descriptor": Kind("descriptor", "descriptors", "opened"),
    "foreign close": Kind("foreign close", "foreign closes", "opened"),
    "thread": Kind("thread", "threads", "started", True),
    "timer": Kind("timer", "timers", "started", True),
    "executor": Kind("executor", "executors", "started"),
    "child process": Kind("child process", "child processes", "started", True),
    "pool": Kind("pool", "pools", "started"),
    "event loop": Kind("event loop", "event loops", "opened", True),
    "task": Kind("task", "tasks", "started", True),
    "coroutine": Kind("coroutine", "coroutines", "made"),
    "generator": Kind("generator", "generators", "made"),
    "exception": Kind("unretrieved exception", "unretrieved exceptions", "started"),
    "warning": Kind("warning", "warnings"),
    "temporary folder": Kind("temporary folder", "temporary folders", "made", True),
    "temporary file": Kind("temporary file", "temporary files", "made", True),
    "patch": Kind("patch", "patches", "started"),
    "environment": Kind("environment change", "environment changes"),
    "cwd": Kind("directory change", "directory changes"),
    "sys.path": Kind("sys.path change", "sys.path changes"),
    "logging handler": Kind("logging handler", "logging handlers", "added"),
    "warnings filter": Kind("warnings filter", "warnings filters", "added"),
    "signal handler": Kind("signal handler", "signal handlers", "set"),
    "locale": Kind("locale change", "locale changes"),
    "umask": Kind("umask change", "umask changes"),
    "socket timeout": Kind("socket timeout change", "socket timeout changes"),
}
_RANKS = {kind: rank for rank, kind in enumerate(KINDS)}

FIXTURES = frozenset(["setUp", "asyncSetUp", "tearDown", "asyncTearDown", "setUpClass", "tearDownClass",
                      "setUpModule", "tearDownModule", "setUpTestData", "class", "module",
                      # pytest's
                      "setup_method", "teardown_method", "setup_function", "teardown_function",
                      "setup_class", "teardown_class", "setup_module", "teardown_module", "package", "session"])


def kind_of(leak: Leak) -> Kind:
    """Return how the kind of ``leak`` is spoken of; a kind unknown here goes by its own name."""
    return KINDS.get(leak.kind) or Kind(leak.kind, leak.kind + "s")


def rank(leak: Leak) -> Tuple[int, int, int, str, str]:
    """Return the sort key of the report: by kind, then most tests, then heaviest, then name."""
    return (_RANKS.get(leak.kind, len(_RANKS)), -len(leak.tests), -leak.size, leak.cause, leak.subject)


def count(number: int, one: str, many: str = "") -> str:
    """Return "1 test", "2,041 tests"."""
    return "%s %s" % (format(number, ","), one if number == 1 else many or one + "s")


def amount(size: int) -> str:
    """Return a number of bytes with its unit: "512 B", "310 kB", "41.2 MB" (1 kB is 1000 B)."""
    if size < 1000:
        return "%d B" % size
    figure = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        figure /= 1000
        # 999.5 and more would be printed as 1000.
        if figure < 999.5 or unit == "TB":
            break
    return "%.*f %s" % (0 if figure >= 99.95 else 1, figure, unit)


def listed(names: List[str], limit: int) -> List[str]:
    """Return at most ``limit`` names, the last one telling how many more there are. Never "and 1 more"."""
    if len(names) <= limit + 1:
        return names
    shown = names[:limit]
    return shown[:-1] + ["%s and %s more" % (shown[-1], format(len(names) - limit, ","))]


def is_fixture(test: str) -> bool:
    """True for what unittest calls "setUpClass (tests.test_orders.OrderTests)": the scope of a class or module.

    So it is for pytest's: "fixture db (tests/test_orders.py)", "fixture db (session)".
    """
    head, parenthesis, _ = test.partition(" (")
    return bool(parenthesis) and (head in FIXTURES or head.startswith("fixture "))


def scopes(tests: Iterable[str]) -> str:
    """Return "3 tests", "1 fixture", "3 tests, 1 fixture" for test ids; "" for none."""
    ids = list(tests)
    fixtures = sum(map(is_fixture, ids))
    parts = [count(len(ids) - fixtures, "test")] if len(ids) > fixtures else []
    return ", ".join(parts + ([count(fixtures, "fixture")] if fixtures else []))


def is_node_id(test: str) -> bool:
    """True for what pytest calls a test: "tests/test_orders.py::OrderTests::test_checkout[1]"."""
    return "::" in _bare(test)


def _is_node_fixture(test: str) -> bool:
    """True for pytest's "fixture db (tests/test_orders.py)", whose scope is a node id or the session."""
    return is_fixture(test) and ("::" in test or "/" in test or test.endswith((".py)", " (session)"))
                                 or test.startswith("fixture "))


def _bare(test: str) -> str:
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
    """Short names of tests: class and method, with as much in front as it takes to tell two apart."""

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
            return _bare(test.partition(" (")[2][:-1]) if is_fixture(test) else _bare(test).rpartition("::")[0]
        return self.short(test).split(" ", 1)[0].split("[", 1)[0].rpartition(".")[0]

    @staticmethod
    def method(test: str) -> str:
        """Return the bare name of the test's method or fixture."""
        if is_node_id(test):
            return _bare(test).rpartition("::")[2]
        if test.startswith("fixture "):
            return test[len("fixture "):test.index(" (")]
        return _parts(test)[-1].split(" ", 1)[0].split("[", 1)[0]
