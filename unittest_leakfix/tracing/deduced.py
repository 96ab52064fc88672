"""Lines that left no record, found in the code: where only one line can have done it.

What C code opens or sets without an audit event, and no place can be watched for without changing
what the tests see (``select.epoll`` is a class), leaves no record. If just one line of all the
user's code that is loaded mentions it, it was that line; where two do, none is named.
"""

from __future__ import annotations

import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import dict_slot
from unittest_leakfix.tracing.stacks import Frame, is_users_file, short

__unittest = True
bind(globals())

_LOADS = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "IMPORT_FROM")
_NESTED = 5


def caller_of(name: str) -> Optional[Frame]:
    """Return the one line of the user's code that names the function or class *name*."""
    return _only(name, _LOADS, ())


def setter_of(name: str) -> Optional[Frame]:
    """Return the one line of the user's code that sets an attribute *name*."""
    return _only(name, ("STORE_ATTR", "DELETE_ATTR"), ("setattr", "delattr"))


def _only(name: str, operations: Tuple[str, ...], functions: Tuple[str, ...]) -> Optional[Frame]:
    """Return where an operation is done with *name*, or where one of *functions* is given it; None
    if that is nowhere, or in several places."""
    import dis  # loaded by unittest.mock, or seldom needed

    found: Dict[Tuple[str, int], Frame] = {}
    for code in _codes():
        calls = any(each in code.co_names for each in functions) and name in code.co_consts
        if name not in code.co_names and name not in code.co_freevars and not calls:
            continue
        line = code.co_firstlineno
        starts = dict(dis.findlinestarts(code))
        for step in dis.get_instructions(code):
            line = starts.get(step.offset) or line
            if step.argval == name and (step.opname in operations
                                        or calls and step.opname == "LOAD_CONST"):
                found[code.co_filename, line] = Frame(short(code.co_filename), line, code.co_name)
        if len(found) > 1:
            return None
    return next(iter(found.values())) if found else None


def _codes() -> Iterator[CodeType]:
    """Yield the code of the functions and classes of the user's modules."""
    seen: Set[int] = set()
    queue: List[Any] = []
    for module in list(sys.modules.values()):
        if type(module) is ModuleType:
            file = vars(module).get("__file__")
            if type(file) is str and is_users_file(file):
                queue += list(vars(module).values())
    while queue:
        value = queue.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        kind = type(value)
        if kind is CodeType:
            if is_users_file(value.co_filename):
                yield value
                queue += [each for each in value.co_consts if type(each) is CodeType]
        elif kind is FunctionType:
            queue.append(value.__code__)
            queue.append(vars(value).get("__wrapped__"))
        elif kind is staticmethod or kind is classmethod:
            queue.append(value.__func__)
        elif kind is property:
            queue += [value.fget, value.fset, value.fdel]
        elif issubclass(kind, type):
            home = sys.modules.get(str(dict_slot(value).get("__module__")))
            file = vars(home).get("__file__") if type(home) is ModuleType else None
            if type(file) is str and is_users_file(file):
                queue += list(dict_slot(value).values())
