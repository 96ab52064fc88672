"""Lines that left no record, found in the code: where only one line can have done it.

What C code opens or sets without an audit event, and no place can be watched for without changing
what the tests see (``select.epoll`` is a class), leaves no record. If just one line of all the
user's code that is loaded mentions it, it was that line; where two do, none is named.

The code is gone over once: an index has the functions that mention a name, and only those are
disassembled.
"""

from __future__ import annotations

import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Optional, Set, Tuple

from unittest_leakfix._core.code_origin import is_users_file, short
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import dict_slot, name_of, own_attribute
from unittest_leakfix.tracing.stacks import Frame, is_users_module

__unittest = True
bind(globals())

_LOADS = frozenset(["LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF",
                    "IMPORT_FROM"])
_STORES = frozenset(["STORE_ATTR", "DELETE_ATTR"])
_SETTERS = frozenset(["setattr", "delattr"])
_CONSTANTS = frozenset(["LOAD_CONST"])


class CodeIndex:
    """Which functions of the user's loaded modules mention which name."""

    def __init__(self) -> None:
        self._mentions: Dict[str, List[CodeType]] = {}
        self._named: Dict[str, List[CodeType]] = {}     # as a text, beside a setattr
        self._modules: Set[Tuple[str, int]] = set()     # those that were gone over
        self._loaded = 0
        self._known: Dict[int, CodeType] = {}     # by id: held, so that it is not reused
        self._answers: Dict[Tuple[str, bool], Optional[Frame]] = {}

    def caller_of(self, name: str) -> Optional[Frame]:
        """Return the one line of the user's code that names the function or class *name*."""
        return self._only(name, False)

    def setter_of(self, name: str) -> Optional[Frame]:
        """Return the one line of the user's code that sets an attribute *name*."""
        return self._only(name, True)

    def _only(self, name: str, sets: bool) -> Optional[Frame]:
        self._grow()
        if (name, sets) not in self._answers:
            self._answers[name, sets] = self._find(name, sets)
        return self._answers[name, sets]

    def _find(self, name: str, sets: bool) -> Optional[Frame]:
        """Return where *name* is loaded, or set; None if that is nowhere, or in several places."""
        found: Dict[Tuple[str, int], Frame] = {}
        for code in self._mentions.get(name, ()):
            _add_lines(found, code, name, _STORES if sets else _LOADS)
            if len(found) > 1:
                return None
        for code in self._named.get(name, ()) if sets else ():
            _add_lines(found, code, name, _CONSTANTS)
        return next(iter(found.values())) if len(found) == 1 else None

    def _grow(self) -> None:
        """Go over the modules that were loaded since the last time."""
        if len(sys.modules) == self._loaded:
            return
        self._loaded = len(sys.modules)
        queue: List[Any] = []
        for name, module in list(sys.modules.items()):
            if type(module) is ModuleType and (name, id(module)) not in self._modules:
                self._modules.add((name, id(module)))
                if is_users_module(module):
                    queue += list(vars(module).values())
        if queue:
            self._answers.clear()
        mentions, named = self._mentions, self._named
        for code in codes_in(queue, set(self._known)):
            self._known[id(code)] = code
            for name in {*code.co_names, *code.co_freevars}:
                mentions.setdefault(name, []).append(code)
            if not _SETTERS.isdisjoint(code.co_names):
                for each in code.co_consts:
                    if type(each) is str:
                        named.setdefault(each, []).append(code)


def _add_lines(found: Dict[Tuple[str, int], Frame], code: CodeType, name: str,
               operations: FrozenSet[str]) -> None:
    import dis  # loaded by unittest.mock, or seldom needed

    line = code.co_firstlineno
    starts = dict(dis.findlinestarts(code))
    for step in dis.get_instructions(code):
        line = starts.get(step.offset) or line
        if step.argval == name and step.opname in operations:
            found[code.co_filename, line] = Frame(short(code.co_filename), line, code.co_name)


def codes_in(queue: List[Any], seen: Set[int],
             wanted: Callable[[str], bool] = is_users_file) -> Iterator[CodeType]:
    """Yield the code of the functions and classes in *queue*, but for those *seen* (ids): of the
    files that are *wanted*, the user's unless another function says which."""
    while queue:
        value = queue.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        kind = type(value)
        if kind is CodeType:
            if wanted(value.co_filename):
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
            if type(file) is str and wanted(file):
                queue += list(dict_slot(value).values())
        elif name_of(kind) == ("_pytest.fixtures", "FixtureFunctionDefinition"):    # pytest 8.4
            queue.append(own_attribute(value, "_fixture_function"))
