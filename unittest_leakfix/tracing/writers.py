"""Lines of the tests' own modules that change the application, and what a test reads of it.

Found in the code: no hook could record an assignment. So it is not known that a line ran, but only
that it is the tests' own line which does such a thing.
"""
from __future__ import annotations

import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any, Dict, Iterator, List, Set, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import dict_slot
from unittest_leakfix.tracing import deduced
from unittest_leakfix.tracing.stacks import Frame, is_users_file, short

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


def writers(module: str, owner: str, name: str) -> List[Tuple[Frame, str]]:
    """Return the lines of a module that set the attribute *name* of *owner* ("set"), or that change
    the container that is called so: with the name of the method.

    *owner*: the expression of a module, class or object. What it is called in the module is known
    by its own name, and by that which an import gave it.
    """
    import dis  # loaded by unittest.mock, or seldom needed

    value = sys.modules.get(module)
    if type(value) is not ModuleType:
        return []
    called = _names_of(vars(value), owner)
    found: Dict[Tuple[str, int], Tuple[Frame, str]] = {}
    for code in _codes_in(value):
        named = (name in code.co_names or name in code.co_freevars or name in code.co_cellvars
                 or name in code.co_consts)
        if not named:
            continue
        line, starts = code.co_firstlineno, dict(dis.findlinestarts(code))
        steps = []
        for step in dis.get_instructions(code):
            line = starts.get(step.offset) or line
            if step.opname not in ("CACHE", "EXTENDED_ARG", "PUSH_NULL"):
                steps.append((step.opname, step.argval, line))
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


def _codes_in(module: Any) -> Iterator[CodeType]:
    """Yield the code of the functions and classes of one module."""
    if type(module) is not ModuleType:
        return
    file = vars(module).get("__file__")
    seen: Set[int] = set()
    queue: List[Any] = list(vars(module).values())
    while queue:
        value = queue.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        kind = type(value)
        if kind is CodeType:
            if value.co_filename == file:
                yield value
                queue += [each for each in value.co_consts if type(each) is CodeType]
        elif kind is FunctionType:
            queue.append(value.__code__)
            queue.append(vars(value).get("__wrapped__"))
        elif kind is staticmethod or kind is classmethod:
            queue.append(value.__func__)
        elif kind is property:
            queue += [value.fget, value.fset, value.fdel]
        elif issubclass(kind, type) and dict_slot(value).get("__module__") == module.__name__:
            queue += list(dict_slot(value).values())


def names_read(module: str, method: str) -> Set[Tuple[str, str]]:
    """Return the names that the code of a test mentions, as ("", name), and those that the user's
    functions mention which it calls, as (file, name)."""
    wanted = {method, "setUp"}
    names: Set[str] = set()
    for code in _codes_in(sys.modules.get(module)):
        if code.co_name in wanted:
            names.update(code.co_names, code.co_freevars)
    found = {("", name) for name in names}
    called: Dict[str, List[CodeType]] = {}
    values = [value for each in list(sys.modules.values()) if type(each) is ModuleType
              and is_users_file(str(vars(each).get("__file__", "")))
              for value in list(vars(each).values())]
    for code in deduced._codes(values, set()):
        if code.co_name in names:
            called.setdefault(code.co_name, []).append(code)
    for codes in called.values():
        if len(codes) == 1:     # of several by one name it is not known which is called
            found.update((codes[0].co_filename, name) for name in codes[0].co_names)
    return found
