"""The code of the user: what it calls things, where they come from, and what it has imported.

Read as values (`source_file` reads the files), so that a remedy is made of names that exist where
it is to stand. Nothing of the user's is run.
"""
from __future__ import annotations

import os.path
import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any, Dict, Iterable, List, Optional, Tuple

from unittest_leakfix._core import errors
from unittest_leakfix._core.code_origin import LIBRARY, RUNNER, START, origin_of, short
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.ids import (
    FIXTURES,
    Names,
    fixture_of,
    is_fixture,
    without_parameters,
)
from unittest_leakfix.leaks.model.remedy import CodeScope
from unittest_leakfix.leaks.report.source_file import Source, Statement, names_of, source_of
from unittest_leakfix.leaks.retention import objects
from unittest_leakfix.tracing.acquisitions import Acquisition
from unittest_leakfix.tracing.stacks import Frame, is_installed

__unittest = True
bind(globals())
_join = os.path.join

_COROUTINE = 0x80       # inspect.CO_COROUTINE
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


class Site:
    """Where the code of a remedy is to stand: the test or fixture that a leak comes from."""

    def __init__(self, test: str, acquisition: Optional[Acquisition] = None) -> None:
        opened = acquisition.test if acquisition is not None else ""
        self.test = opened if opened and is_fixture(opened) else test
        self._frames = acquisition.frames if acquisition is not None else ()
        self._frame = _frame_of_test(self.test, acquisition)
        self._module, self._function = _written(
            self.test, self._frame.function if self._frame is not None else "")
        self.names: Optional[Dict[str, Any]] = None
        if self._function is not None:
            self.names = self._function.__globals__
        elif self._module is not None:
            self.names = objects.own_dict(self._module)
        self._statements = self._opened_by(acquisition)

    @property
    def scope(self) -> CodeScope:
        """Where it is: in a test, or in which kind of fixture. (Of test functions only pytest can
        tell.)"""
        name, blank, _ = self.test.partition(" ")
        phantom = self._module is not None and self._function is None and name == "setUpClass"
        if not blank or phantom:    # the class has none of its own: it was one of its tests
            return CodeScope.TEST
        return _SCOPES.get(name, CodeScope.XUNIT if name.startswith("setup_") else CodeScope.TEST)

    @property
    def in_set_up(self) -> bool:
        """Tell whether what opened it stands in the set-up of a test, or perhaps does."""
        frame = self._frame
        return self.scope is CodeScope.TEST and (
            frame is None or frame.function.rpartition(".")[2] in FIXTURES)

    @property
    def place(self) -> str:
        """Where it is written, "tests/test_orders.py:24"; "" where that is not known."""
        return objects.place(self._function) if self._function is not None else ""

    @property
    def line(self) -> Optional[Frame]:
        """The line that opened it there, or else its first one; None where that is not known."""
        if self._frame is not None or self._function is None:
            return self._frame
        code = self._function.__code__
        return Frame(short(code.co_filename), code.co_firstlineno, code.co_name)

    @property
    def awaits(self) -> bool:
        """Tell whether it may await something: it is a coroutine function."""
        return self._function is not None and bool(self._function.__code__.co_flags & _COROUTINE)

    def test_case_called(self, name: str) -> bool:
        """Tell whether a coroutine function of this name is the test itself."""
        return self.awaits and name == ".".join(self.test.rsplit(".", 2)[-2:])

    def _opened_by(self, acquisition: Optional[Acquisition]) -> Tuple[Statement, ...]:
        """Return the statements of the test or fixture in the line that opened it, if that itself
        did."""
        frame = self._frame
        if acquisition is None or frame is None or self.opened_elsewhere:
            return ()
        source = source_of(_join(START, frame.file))
        found = [each for each in source.statements
                 if each.first <= frame.line <= each.last] if source is not None else []
        # The innermost ones.
        return tuple(each for each in found if each.last - each.first == min(
            other.last - other.first for other in found))

    @property
    def opened_elsewhere(self) -> bool:
        """Tell whether it is known to have been opened by another line than the test's own."""
        # Before 3.12 a comprehension has a frame of its own.
        first = next((each for each in self._frames
                      if each.function.rpartition(".")[2] not in _COMPREHENSIONS), None)
        return bool(self._frames) and self._frame is not first

    def owner_of_what_opened(self, methods: Iterable[str]) -> Tuple[str, str]:
        """Return what the test's own line calls the object in which the application opened it, and
        by which of the *methods* that object ends; "" where that is not known."""
        frame = self._frame
        if not self.opened_elsewhere or frame is None or self.names is None:
            return "", ""
        source = source_of(_join(START, frame.file))
        found = [each for each in source.statements if each.first <= frame.line <= each.last
                 ] if source is not None else []
        if len(found) != 1 or len(found[0].targets) != 1 or not found[0].targets[0]:
            return "", ""
        first, _, path = found[0].call.partition(".")
        made = self.names.get(first)
        made = _static(made, path) if path and made is not None else made
        ends = [each for each in methods if isinstance(made, type)
                and callable(objects.type_attribute(made, each))]
        return (found[0].targets[0], ends[0]) if ends else ("", "")

    @property
    def statement(self) -> Optional[Statement]:
        """The statement that opened it; None where there are several in that line."""
        return self._statements[0] if len(self._statements) == 1 else None

    def opening(self, openers: Iterable[str], made: str = "") -> Optional[Statement]:
        """Return the one statement that calls one of the *openers*, or a class that is called
        *made*."""
        # "a, b = one(), other()" is a call of neither.
        found = [each for each in self._statements
                 if each.call and each.call.rpartition(".")[2] in (*openers, made)]
        return found[0] if len(found) == 1 else None

    def call_of(self, openers: Iterable[str]) -> str:
        """Return the one call of one of the *openers* in the line that opened it, with its
        arguments; "" for none, or several."""
        found = {text for each in self._statements for called, text in each.calls
                 if called.rpartition(".")[2] in openers}
        return found.pop() if len(found) == 1 else ""

    def several(self, openers: Iterable[str]) -> List[str]:
        """Return what the line calls what it opens, if that is more than one thing: "" for each
        that has no name there. Nothing for a single one."""
        names: List[str] = []
        repeats = False
        for each in self._statements:
            called = [name for name, _ in each.calls if name.rpartition(".")[2] in openers]
            count = (len(called) if len(called) == len(each.targets)    # "a, b = one(), other()"
                     else max(map(called.count, called), default=0))
            if count:
                named = count == len(each.targets) and (
                    count > 1 or each.call.rpartition(".")[2] in openers)
                names += each.targets if named else [""] * count
                repeats |= each.repeats
        return names if len(names) > 1 or repeats else []

    def made_in(self, called: str) -> str:
        """Return the one call of the function *called* in the test or fixture, with its arguments;
        "" for none, or several."""
        code = getattr(self._function, "__code__", None)
        source = source_of(code.co_filename) if code is not None else None
        if source is None or code is None:
            return ""
        lines = [line for line in _lines(code) if line]
        name = called.rpartition(".")[2]
        found = {text for each in source.statements
                 if code.co_firstlineno <= each.first and each.last <= max(lines)
                 for function, text in each.calls if function.rpartition(".")[2] == name}
        return found.pop() if len(found) == 1 else ""

    @staticmethod
    def bound(statement: Optional[Statement], item: int = -1) -> str:
        """Return what a statement calls what it opens: "self.db", "connection"; "" for nothing. Of
        several results, that of *item*: of those without one it is not known which it is."""
        if statement is None or not statement.call:
            return ""
        receiver, _, method = statement.call.rpartition(".")
        if method == "start":       # a patcher's returns the mock
            return receiver if "(" not in receiver else ""
        if statement.targets:
            if item < 0:
                return statement.targets[0] if len(statement.targets) == 1 else ""
            return statement.targets[item] if item < len(statement.targets) else ""
        return ""

    def local(self, dotted: str) -> str:
        """Return what the user's module calls the module or class *dotted*: "shop" for
        "app.shop"."""
        module, path = _split(dotted)
        names = self.names
        if names is None or not module:
            return dotted
        if names.get("__name__") == module:
            return path or "sys.modules[__name__]"
        value = sys.modules.get(module)
        alias = _alias(names, value, module.rpartition(".")[2])
        if alias:
            return ".".join(filter(None, (alias, path)))
        found = _static(value, path) if path else None
        return (found is not None and _alias(names, found, path.rpartition(".")[2])) or dotted

    def alias(self, dotted: str, key: str) -> str:
        """Return what the user's module itself calls the attribute *key* of the module *dotted*."""
        module, path = _split(dotted)
        if self.names is None or not module or path:
            return ""
        if self.names.get("__name__") == module:
            return key
        value = (objects.own_dict(sys.modules[module]) or {}).get(key)
        same = value is not None and self.names.get(key) is value
        return key if same and not _alias(self.names, sys.modules[module], "") else ""

    def imports(self, code: Iterable[str], known: Iterable[str] = ()) -> Tuple[str, ...]:
        """Return the import statements that these expressions need and the user's module lacks;
        *known* are names of the code around them."""
        if self.names is None:
            return ()
        found: Dict[str, None] = {}
        has = {"self", "cls", "saved", *known, *self.names, *vars(_BUILTINS)}
        for part in code:
            for dotted in names_of(part):
                name = dotted.partition(".")[0]
                if name in has:
                    continue
                if name in _FROM:
                    found["from %s import %s" % (_FROM[name], name)] = None
                elif name in sys.modules or name in _STANDARD:
                    found["import " + (_split(dotted)[0] or name)] = None
        return tuple(found)


_SCOPES = {"setUpClass": CodeScope.CLASS, "setUpTestData": CodeScope.CLASS,
           "tearDownClass": CodeScope.CLASS, "setUpModule": CodeScope.MODULE,
           "tearDownModule": CodeScope.MODULE, "fixture": CodeScope.FIXTURE}
_FROM = {"mock": "unittest"}
_STANDARD = ("contextlib", "shutil", "os", "asyncio")
_BUILTINS = sys.modules["builtins"]


def name_in(frame: Frame) -> str:
    """Return the name that the one statement in the line of *frame* gives to what it makes; "" for
    none, or several."""
    source = source_of(_join(START, frame.file))
    found = [each for each in source.statements
             if each.first <= frame.line <= each.last] if source is not None else []
    return Site.bound(found[0]) if len(found) == 1 else ""


def declared_in(module: str) -> Optional[Source]:
    """Return what the source of a module that is loaded says; None where there is none."""
    value = sys.modules.get(module)
    path = (objects.own_dict(value) or {}).get("__file__") if type(
        value) is ModuleType else None
    return source_of(path) if type(path) is str and path.endswith(".py") else None


def is_library(module: str) -> bool:
    """Tell whether a module is of an installed package or the standard library."""
    value = sys.modules.get(module)
    file = (objects.own_dict(value) or {}).get("__file__") if type(
        value) is ModuleType else None
    return type(file) is not str or is_installed(file)


def existed(module: str, name: str) -> str:
    """Return as what the name is declared in the source of *module*: "def", "None", "empty",
    "value"; "" if it is not, "?" where that is not known."""
    source = declared_in(module)
    if source is None:
        return "?"
    return source.declared.get(name) or ("?" if source.everything else "")


def static(dotted: str) -> Any:
    """Return the object that a dotted name leads to, by namespaces only; None where it leads
    nowhere."""
    module, path = _split(dotted)
    return _static(sys.modules.get(module), path) if module else None


def split(dotted: str) -> Tuple[str, str]:
    """Return the name of the module and what is below it: ("app.shop", "Client.connection")."""
    return _split(dotted)


def _split(dotted: str) -> Tuple[str, str]:
    parts = dotted.split(".")
    for index in range(len(parts), 0, -1):
        if ".".join(parts[:index]) in sys.modules:
            return ".".join(parts[:index]), ".".join(parts[index:])
    return "", dotted


def _static(value: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        if value is None:
            return None
        space: Any = (objects.class_dict(value) if objects.inherits(value, type)
                      else objects.own_dict(value))
        value = (space or {}).get(name)
    return value


def _alias(names: Dict[str, Any], value: Any, liked: str) -> str:
    if value is None:
        return ""
    if names.get(liked) is value:
        return liked
    return next((name for name, each in list(names.items())
                 if each is value and type(name) is str and not name.startswith("__")), "")


def _lines(code: CodeType) -> List[int]:
    """Return the numbers of the lines of a function, and of those inside of it."""
    found = [code.co_firstlineno]
    if hasattr(code, "co_lines"):       # 3.10
        found += [line for _, _, line in code.co_lines() if line]
    else:
        line = code.co_firstlineno
        for step in code.co_lnotab[1::2]:
            line += step - 256 if step > 127 else step
            found.append(line)
    for each in code.co_consts:
        if type(each) is CodeType:
            found += _lines(each)
    return found


def _frame_of_test(test: str, acquisition: Optional[Acquisition]) -> Any:
    """Return the innermost frame that is the test's own or its fixture's."""
    for frame in acquisition.frames if acquisition is not None else ():
        name = frame.function.rpartition(".")[2]
        if name in FIXTURES or name == Names.method(test):
            return frame
    return None


def _written(test: str, function: str) -> Tuple[Any, Optional[FunctionType]]:
    """Return the module of a test or fixture, and its function as it was written."""
    try:
        return _looked_up(test, function)
    except errors.PASSING:
        raise
    except BaseException:       # an id() of the user's own
        return None, None


_by_path: Dict[str, Tuple[str, int]] = {}
"""The name of the module of each path, "" for none, and how many modules there were then: a kept
test class asks for the same one a thousand times."""


def _module_of(path: str) -> Optional[ModuleType]:
    """Return the module whose file has a *path* that ends with this one; None where none has."""
    known, many = _by_path.get(path, ("", 0))
    if known:
        module = sys.modules.get(known)
        if type(module) is ModuleType and _has_path(module, path):
            return module
    elif many == len(sys.modules):
        return None
    for name, module in list(sys.modules.items()):
        if type(module) is ModuleType and _has_path(module, path):
            _by_path[path] = name, 0
            return module
    _by_path[path] = "", len(sys.modules)
    return None


def _has_path(module: ModuleType, path: str) -> bool:
    # A module itself, of no class of somebody's own: its namespace may be asked for.
    file = module.__dict__.get("__file__")
    return file is not None and str(file).replace(os.sep, "/").endswith("/" + path)


def _looked_up(test: str, function: str) -> Tuple[Any, Optional[FunctionType]]:
    name, scope = fixture_of(test) if is_fixture(test) else ("", without_parameters(test))
    if "::" in scope or scope.endswith(".py"):
        path, *rest = scope.split("::")
        module = _module_of(path)
    else:
        dotted, below = _split(scope.partition(" ")[0])
        module, rest = sys.modules.get(dotted), below.split(".") if below else []
    rest = rest + [name] if name else rest
    if function and rest:
        rest = rest[:-1] + [function]
    value: Any = module
    for part in rest:
        if objects.inherits(value, type):
            value = next((objects.class_dict(cls)[part] for cls in objects.mro(value)
                          if part in objects.class_dict(cls)), None)
        else:
            value = (objects.own_dict(value) or {}).get(part)
    for _ in range(10):
        below = value.__func__ if type(value) in (classmethod, staticmethod) else value
        below = objects.unwrapped(below, rest[-1] if rest else "")
        if below is value:
            break
        value = below
    if type(value) is not FunctionType or origin_of(value.__code__.co_filename) in (RUNNER,
                                                                                        LIBRARY):
        value = None        # TestCase's own setUpClass
    return module, value
