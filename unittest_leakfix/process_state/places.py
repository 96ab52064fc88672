"""Places: where the application keeps its state. One walker over modules, their classes, the
objects these name, closures and default arguments; growth and changed state both go by it.

Nothing of the user's runs: namespaces are read through the slots of ``type``, containers are of
exactly a builtin type, and values are compared by identity.
"""
from __future__ import annotations

import array
import collections
import functools
import re
import sys
import unittest
from types import (
    BuiltinFunctionType,
    CellType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from unittest_leakfix._core.code_origin import (
    HARNESS,
    LIBRARY,
    OURS,
    RUNNER,
    is_users_file,
    origin_of,
)
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import (
    PLAIN,
    dict_slot,
    flags_slot,
    identity,
    module_slot,
    mro,
    qualname_slot,
)

__unittest = True
bind(globals())
FIXTURES = ("setUpClass", "tearDownClass", "setUpTestData", "setup_class", "teardown_class",
            "setUpModule", "tearDownModule", "setup_module", "teardown_module")

LRU_CACHE: Any = type(functools.lru_cache(maxsize=1)(lambda: None))
_HEAP_TYPE, _TYPE_SUBCLASS = 1 << 9, 1 << 31
_deque, _partial = collections.deque, functools.partial
_LISTS = (list, _deque, bytearray, array.array)
_DICTS = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
KINDS: Tuple[Any, ...] = (*_LISTS, *_DICTS, set)
"""The containers whose items are looked at: exactly these, so that no code of theirs runs."""
_KINDS = frozenset(map(identity, (*KINDS, LRU_CACHE)))
# What lives as long as its module as a rule, so that to refer to it delays no end that matters.
_LASTING = frozenset(map(identity, (
    *PLAIN, LRU_CACHE, FunctionType, BuiltinFunctionType, ModuleType, WrapperDescriptorType,
    MethodDescriptorType, GetSetDescriptorType, MemberDescriptorType, property, staticmethod,
    classmethod, re.Pattern, type(Ellipsis), type(NotImplemented))))
# unittest's own, which it sets on the classes of tests as they run.
_OF_UNITTEST = frozenset(("tearDown_exceptions", "_classSetupFailed", "_class_cleanups",
                          "_testMethodName", "_leakfix"))
_NESTED = 2
DEFAULT, CLOSURE = "default argument", "closure"
_MODULES = sys.modules


class Place(NamedTuple):
    """One name of an application's: of a module, a class, an object, a function's own."""

    expression: str
    """By which it is found: "shop.cache.ROWS"."""
    owner: str
    """What has it: "shop.cache"; "" where that is not an expression."""
    name: str
    users: bool
    """The module is the user's own, rather than an installed package's."""
    module: str
    of_test: bool = False
    """It is an attribute of a class of tests."""
    container: str = ""
    """The expression of the dict of which it is one value, or of the container that it is."""
    key: str = ""
    """The key of that value."""
    within: str = ""
    """DEFAULT or CLOSURE for what a function has for itself; "" for a name."""
    function: str = ""
    """That function: "shop.cache.collect"."""


def lasts(value: Any) -> bool:
    """Tell whether it does no harm to refer to *value* for a while."""
    kind = type(value)
    return (identity(kind) in _LASTING or kind is type or issubclass(kind, type)
            or kind is tuple and all(identity(type(each)) in _LASTING for each in value))


def is_container(value: object) -> bool:
    """Tell whether *value* is one of `KINDS`, or what ``lru_cache`` makes."""
    return identity(type(value)) in _KINDS


def length(value: Any) -> int:
    """Return the number of items of a container; of an ``lru_cache`` its results."""
    if type(value) is LRU_CACHE:
        return int(value.cache_info().currsize)
    return len(value)


def is_bounded(value: Any) -> bool:
    """Tell whether a container drops its oldest for its newest, once it is full."""
    if type(value) is LRU_CACHE:
        return value.cache_info().maxsize is not None
    return type(value) is _deque and value.maxlen is not None


def items_of(value: Any, most: int) -> Optional[Tuple[Any, ...]]:
    """Return the items of a container of at most *most*, a dict's keys before its values; None of
    a longer one, of bytes and numbers, and of what another thread changes."""
    kind = type(value)
    if kind is LRU_CACHE or kind is bytearray or kind is array.array or len(value) > most:
        return None
    try:
        if any(kind is each for each in _DICTS):
            return (*dict.keys(value), *dict.values(value))
        return tuple(value)
    except RuntimeError:
        return None


def is_dict(value: object) -> bool:
    """Tell whether a container is a dict, of one of the types that are looked at."""
    return any(type(value) is each for each in _DICTS)


def watched(name: str, module: Any) -> Optional[bool]:
    """Tell whether a module is the user's own (True) or an installed package's (False); None of
    the standard library's, a test runner's and ours."""
    if type(module) is not ModuleType or type(name) is not str:
        return None
    file = vars(module).get("__file__")
    if type(file) is not str or name.startswith("_pytest"):
        return None
    if is_users_file(file):
        return True
    return False if origin_of(file) not in (LIBRARY, OURS, RUNNER, HARNESS) else None


_TEST_FILE = re.compile(r"(?:^|[\\/])(?:test\w*|\w+_tests?|conftest)\.py$")


def file_of(module: str) -> str:
    """Return the file of a module that is loaded; "" if that is not known."""
    value = _MODULES.get(module)
    file = vars(value).get("__file__") if type(value) is ModuleType else None
    return file if type(file) is str else ""


def is_test_code(module: str) -> bool:
    """Tell whether a module has tests, or what only tests use, by the name of its file."""
    return _TEST_FILE.search(file_of(module)) is not None or _has_tests(module)


def _has_tests(module: str) -> bool:
    """Tell whether a class of tests is written in a module, whatever its file is called."""
    loaded = _MODULES.get(module)
    if type(loaded) is not ModuleType:
        return False
    return any(module_slot(each) == module and any(base is unittest.TestCase for base in mro(each))
               for each in list(vars(loaded).values()) if flags_slot(type(each)) & _TYPE_SUBCLASS)


def own_dict(cls: type) -> Optional[Callable[[Any], Any]]:
    """Return what gives the ``__dict__`` of an object of *cls*; None where it has none, or its own
    way to it."""
    for base in mro(cls):
        descriptor = (dict_slot(base) or {}).get("__dict__")
        if type(descriptor) is GetSetDescriptorType:
            return descriptor.__get__
        if descriptor is not None:
            return None
    return None


class Space(NamedTuple):
    """A namespace that lasts: of a module or class."""

    expression: str
    names: Any      # the dict, or a class's read-only view of it
    of_test: bool


class Held(NamedTuple):
    """An object of the user's that a module or class names: its attributes are state as well."""

    expression: str
    names: Any
    name: str
    cls: type
    attributes: Callable[[Any], Any]
    of_test: bool
    oid: int

    def dict_of(self) -> Optional[Dict[Any, Any]]:
        """Return its attributes; None where another object is in its place."""
        value = self.names.get(self.name)
        if identity(value) != self.oid or type(value) is not self.cls:
            return None
        found = self.attributes(value)
        return found if type(found) is dict else None

    def is_default(self, name: str, value: object) -> bool:
        """Tell whether *value*, an attribute of that *name*, is what the class has for it anyway:
        what was read before a change, and put back after it, is an attribute that is new."""
        found = next((space[name] for base in mro(self.cls)
                      for space in [dict_slot(base) or {}] if name in space), self)
        return value is found or type(value) is MethodType and value.__func__ is found


class Cell(NamedTuple):
    """A container that a function has for itself: as a default argument, or in its closure."""

    expression: str
    fetch: Callable[[str], Any]
    within: str
    """DEFAULT or CLOSURE."""
    function: str


class Walk:
    """What one module has: namespaces, objects, and what its functions keep."""

    def __init__(self, name: str, module: ModuleType, users: bool) -> None:
        self.name, self.users = name, users
        self.spaces: List[Space] = []
        self.held: List[Held] = []
        self.cells: List[Cell] = []
        self._functions: Dict[int, None] = {}
        self._space(name, vars(module), _NESTED, False)

    def _space(self, expression: str, names: Any, nested: int, of_test: bool) -> None:
        self.spaces.append(Space(expression, names, of_test))
        for name, value in list(names.items()):
            if type(name) is not str:
                continue
            kind = type(value)
            if issubclass(kind, type):
                home = module_slot(value)
                worded = "%s.%s" % (expression, name)
                # A class is known by the name that it was given where it was written.
                if (nested and type(home) is str and home == self.name
                        and dict_slot(value) is not None
                        and worded == "%s.%s" % (home, qualname_slot(value))):
                    self._space(worded, dict_slot(value), nested - 1, of_test or _is_case(value))
            elif self.users:
                self._users(expression, names, name, value, kind, of_test)

    def _users(self, expression: str, names: Any, name: str, value: Any, kind: type,
               of_test: bool) -> None:
        worded = "%s.%s" % (expression, name)
        if kind is staticmethod or kind is classmethod:
            value, kind = value.__func__, type(value.__func__)
        if kind is FunctionType:
            if (value.__module__ == self.name and identity(value) not in self._functions
                    and not of_test):
                self._functions[identity(value)] = None
                self._function(worded, value)
        elif flags_slot(kind) & _HEAP_TYPE and not name.startswith("__") and _is_users(kind):
            attributes = own_dict(kind)
            if attributes is not None:
                self.held.append(Held(worded, names, name, kind, attributes, of_test,
                                      identity(value)))

    def _function(self, worded: str, function: Any) -> None:
        for place, value in enumerate(function.__defaults__ or ()):
            if is_container(value):
                self.cells.append(Cell("%s.__defaults__[%d]" % (worded, place),
                                       _constant(value), DEFAULT, worded))
        for name, value in (function.__kwdefaults__ or {}).items():
            if is_container(value):
                self.cells.append(Cell("%s.__kwdefaults__[%r]" % (worded, name),
                                       _constant(value), DEFAULT, worded))
        for place, cell in enumerate(function.__closure__ or ()):
            content = _content(cell)
            if is_container(content):
                self.cells.append(Cell("%s.__closure__[%d].cell_contents" % (worded, place),
                                       _partial(_content, cell), CLOSURE, worded))


def _constant(value: Any) -> Callable[[str], Any]:
    return lambda name: value


def _content(cell: CellType, name: str = "") -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty so far
        return None


def _is_case(cls: type) -> bool:
    case = _MODULES.get("unittest.case")
    base = vars(case).get("TestCase") if type(case) is ModuleType else None
    return base is not None and any(each is base for each in mro(cls))


def _is_users(cls: type) -> bool:
    name = module_slot(cls)
    module = _MODULES.get(name) if type(name) is str else None
    return type(module) is ModuleType and watched(str(name), module) is True


def is_state(name: object, of_test: bool) -> bool:
    """Tell whether a name may be an application's state: what runs the tests sets some of its
    own."""
    return type(name) is str and name not in _OF_UNITTEST and not (
        of_test and name.startswith("_"))


def modules() -> Iterator[Tuple[str, ModuleType, bool]]:
    """Yield each module that is watched, by the name that it was imported as, with whether it is
    the user's own."""
    for name, module in list(_MODULES.items()):
        users = watched(name, module)
        if users is not None:
            yield name, module, users
