"""Lines of the tests' own modules that change the application, and what a test reads of it.

Found in the code: no hook could record an assignment. So it is not known that a line ran, but only
that it is the tests' own line which does such a thing.
"""
from __future__ import annotations

import sys
from types import CodeType, ModuleType
from typing import Any, Container, Dict, List, Optional, Set, Tuple

from unittest_leakfix._core.code_origin import is_users_file, short
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import dict_slot
from unittest_leakfix.tracing.deduced import codes_in
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())

_LOADS = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF")
_CHANGE = ("append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "remove",
           "discard", "clear", "appendleft", "extendleft", "popleft", "sort", "reverse",
           "__setitem__", "__delitem__")
_STORES = ("STORE_ATTR", "DELETE_ATTR")
_OF_GLOBALS = ("STORE_GLOBAL", "DELETE_GLOBAL")
_SETS = ("setattr", "delattr", "object", "setitem", "delitem")
_SUBSCRIPTS = ("STORE_SUBSCR", "DELETE_SUBSCR")
_NEAR = 6       # instructions between a container's name and what is done with it

Step = Tuple[str, Any, int]     # the name of an instruction, what it is about, its line


class CodeOfTests:
    """What the code of test modules does to the application: each module is gone over once."""

    def __init__(self) -> None:
        self._codes: Dict[str, List[CodeType]] = {}     # of the modules that were gone over
        self._functions: Optional[Dict[str, List[CodeType]]] = None
        self._steps: Dict[int, List[Step]] = {}     # of those codes that were looked at
        self.work = 0
        """How many instructions were looked through."""

    def writers(self, module: str, owner: str, name: str) -> List[Tuple[Frame, str]]:
        """Return the lines of a module that set the attribute *name* of *owner* ("set"), or that
        change the container that is called so: with the name of the method.

        *owner*: the expression of a module, class or object. What it is called in the module is
        known by its own name, and by that which an import gave it.
        """
        value = sys.modules.get(module)
        if type(value) is not ModuleType:
            return []
        called = _names_of(vars(value), owner)
        found: Dict[Tuple[str, int], Tuple[Frame, str]] = {}
        for code in self._codes_of(module):
            named = (name in code.co_names or name in code.co_freevars or name in code.co_cellvars
                     or name in code.co_consts)
            if not named:
                continue
            steps = self._steps_of(code)
            sets = any(each in code.co_names for each in _SETS)
            for place, (operation, argument, line) in enumerate(steps):
                if type(argument) is not str or argument != name:
                    continue
                how = ""
                if operation in _OF_GLOBALS:
                    how = "set" if owner == module else ""
                elif operation in _STORES or sets and operation == "LOAD_CONST":
                    how = "set" if _is_of(steps[:place], called) else ""
                    if how and any(each[:2] == ("LOAD_CONST", None) for each in steps[
                            max(0, place - 3):place]):
                        how = "set None"
                elif operation in _LOADS and (operation in ("LOAD_GLOBAL", "LOAD_NAME")
                                              or _is_of(steps[:place], called)):
                    how = _changes(steps[place + 1:place + 1 + _NEAR])
                if how:
                    found[code.co_filename, line] = Frame(short(code.co_filename), line,
                                                          code.co_name), how
        return list(found.values())

    def _steps_of(self, code: CodeType) -> List[Step]:
        """Return the instructions of one function or class, taken apart once."""
        import dis  # loaded by unittest.mock, or seldom needed

        steps = self._steps.get(id(code))
        if steps is None:
            steps = self._steps[id(code)] = []
            line, starts = code.co_firstlineno, dict(dis.findlinestarts(code))
            for step in dis.get_instructions(code):
                line = starts.get(step.offset) or line
                if step.opname not in ("CACHE", "EXTENDED_ARG", "PUSH_NULL"):
                    steps.append((step.opname, step.argval, line))
        self.work += len(steps)
        return steps

    def lines_of(self, module: str, function: str, cls: str) -> Container[int]:
        """Return the numbers of the lines that functions of this name have in a class of a module,
        or in the module itself."""
        space = vars(sys.modules[module]) if type(sys.modules.get(module)) is ModuleType else {}
        owner = space.get(cls)
        value = (dict_slot(owner) if issubclass(type(owner), type) else space).get(function)
        code = getattr(value, "__code__", None)
        if code is None:
            return ()
        import dis

        return {line for _, line in dis.findlinestarts(code) if line}

    def stored_in(self, module: str) -> List[Set[str]]:
        """Return the names that each function of a module sets on something, or in the module."""
        import dis

        return [{step.argval for step in dis.get_instructions(code)
                 if step.opname in _STORES or step.opname in _OF_GLOBALS}
                for code in self._codes_of(module)]

    def names_read(self, module: str, method: str) -> Set[Tuple[str, str]]:
        """Return the names that the code of a test mentions, as ("", name), and those that the
        user's functions mention which it calls, as (file, name)."""
        wanted = {method, "setUp"}
        names: Set[str] = set()
        for code in self._codes_of(module):
            if code.co_name in wanted:
                names.update(code.co_names, code.co_freevars)
        found = {("", name) for name in names}
        functions = self._users_functions()
        for name in names:
            called = functions.get(name, ())
            if len(called) == 1:    # of several by one name it is not known which is called
                found.update((called[0].co_filename, each) for each in called[0].co_names)
        return found

    def _codes_of(self, name: str) -> List[CodeType]:
        """Return the code of the functions and classes that are written in one module."""
        found = self._codes.get(name)
        if found is None:
            module = sys.modules.get(name)
            queue = list(vars(module).values()) if type(module) is ModuleType else []
            file = vars(module).get("__file__") if type(module) is ModuleType else None
            found = self._codes[name] = list(codes_in(queue, set(), lambda each: each == file))
        return found

    def _users_functions(self) -> Dict[str, List[CodeType]]:
        """Return the code of all that is the user's own, by its name."""
        if self._functions is None:
            self._functions = {}
            values = [value for each in list(sys.modules.values())
                      if type(each) is ModuleType
                      and is_users_file(str(vars(each).get("__file__", "")))
                      for value in list(vars(each).values())]
            for code in codes_in(values, set()):
                self._functions.setdefault(code.co_name, []).append(code)
        return self._functions


def _names_of(names: Dict[str, Any], owner: str) -> Set[str]:
    """Return what code with these globals calls the module, class or object *owner*."""
    parts = owner.split(".")
    found = {parts[-1]}
    for count in range(len(parts), 0, -1):
        value: Any = sys.modules.get(".".join(parts[:count]))
        if value is None:
            continue
        for part in parts[count:]:
            space = vars(value) if type(value) is ModuleType else dict_slot(
                value) if issubclass(type(value), type) else {}
            value = space.get(part)
        found.update(name for name, each in list(names.items())
                     if value is not None and each is value and type(name) is str)
        break
    return found


def _is_of(steps: List[Tuple[str, Any, int]], called: Set[str]) -> bool:
    """Tell whether the last of the instructions loads what is called one of these; the result of
    a call may be it where it is an object."""
    operation, argument, _ = steps[-1] if steps else ("", None, 0)
    if type(argument) is tuple:     # 3.13: two variables at once
        argument = argument[-1]
    if operation.startswith("CALL"):
        return any(type(each) is str and each in called or "instance" in str(each).lower()
                   or each in ("get", "current") for _, each, _ in steps[-5:-1])
    if type(argument) is not str:
        return False
    if operation.startswith(("LOAD_FAST", "STORE_FAST")):
        return argument not in ("self", "cls") and argument.lower() in {
            each.lower() for each in called}
    return argument in called


def _changes(steps: List[Tuple[str, Any, int]]) -> str:
    """Return how the instructions after a container's name change it; "" if they do not."""
    first = next(iter(steps), ("", None, 0))
    if first[0] in ("LOAD_ATTR", "LOAD_METHOD"):
        return first[1] if first[1] in _CHANGE else ""
    for operation, _, _ in steps:
        if operation in _SUBSCRIPTS:
            return "item"
        if operation.startswith(("STORE_", "CALL", "POP_JUMP", "RETURN", "POP_TOP")):
            return ""
    return ""
