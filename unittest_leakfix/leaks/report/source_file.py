"""What a source file says: its statements, what each calls, and the names that it declares.

Read as values from the tree of the compiler; nothing of the file is run.
"""
from __future__ import annotations

import functools
import warnings
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.report.reference_chain import whole_source

__unittest = True
bind(globals())

_catch_warnings = warnings.catch_warnings
_simplefilter = warnings.simplefilter
_ONLY_AST = 0x400       # ast.PyCF_ONLY_AST; the tree is read without ast's own module
_LARGEST = 1000000      # characters of a source file that is read for its names
_PARTS = ("body", "orelse", "finalbody", "handlers", "cases")


class Statement(NamedTuple):
    """One simple statement of a source file. All Python source."""

    first: int
    last: int
    targets: Tuple[str, ...]
    """What it assigns to, item by item where it unpacks: ("fd", "path")."""
    call: str
    """The function that its outermost call calls, "" where it calls none."""
    arguments: Tuple[str, ...]
    """The arguments of that call; "..." for one that is more than a name or a short literal."""
    calls: Tuple[Tuple[str, str], ...] = ()
    """All calls in it that have a name, the innermost last: the function, and the call with its
    arguments."""
    entered: bool = False
    """It is the head of a ``with`` statement."""
    repeats: bool = False
    """It has a comprehension, which may call what it calls more than once."""


class Source(NamedTuple):
    """What one source file says of its names."""

    statements: Tuple[Statement, ...]
    declared: Dict[str, str]
    """What its top level and its classes name ("last", "Client.connection"), and as what: "def",
    "None", "empty" (a container, or made without arguments), "value"."""
    everything: bool
    """Tells whether it may have other names besides: from another module's ``*``."""


@functools.lru_cache(maxsize=16)
def source_of(path: str) -> Optional[Source]:
    """Return what the source file *path* says; None if it cannot be read."""
    text = whole_source(path, _LARGEST)
    if not text:
        return None
    try:
        with _catch_warnings():     # of the user's own literals: they were shown at the import
            _simplefilter("ignore")
            tree = compile(text, path, "exec", _ONLY_AST, True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    lines = text.splitlines()
    statements: List[Statement] = []
    for node in _statements(tree):
        found = _statement(node, lines)
        if found is not None:
            statements.append(found)
    declared: Dict[str, str] = {}
    everything = _declare(tree.body, "", declared)
    return Source(tuple(statements), declared, everything)


def _statements(node: Any) -> Iterator[Any]:
    for name in _PARTS:
        for each in getattr(node, name, None) or ():
            yield each
            yield from _statements(each)


def _kind(node: Any) -> str:
    return type(node).__name__


def _statement(node: Any, lines: List[str]) -> Optional[Statement]:
    value: Any = getattr(node, "value", None)
    targets: List[Any] = []
    last = getattr(node, "end_lineno", 0)
    entered = _kind(node) in ("With", "AsyncWith")
    if entered:
        value, last = node.items[0].context_expr, node.items[-1].context_expr.end_lineno
        if node.items[0].optional_vars is not None:
            targets = [node.items[0].optional_vars]
    elif _kind(node) == "Assign":
        targets = node.targets[:1]
    elif _kind(node) == "AnnAssign":
        targets = [node.target]
    elif _kind(node) not in ("Expr", "Return", "AugAssign"):
        return None
    if targets and _kind(targets[0]) in ("Tuple", "List"):
        targets = targets[0].elts
    while _kind(value) == "Await":
        value = value.value
    called: Any = value.func if _kind(value) == "Call" else None
    given = [*value.args, *(each.value for each in value.keywords)] if called is not None else []
    return Statement(node.lineno, last, tuple(_name(each) for each in targets), _name(called),
                     tuple(_argument(each, lines) for each in given),
                     _all_calls(value, lines), entered, _has_comprehension(value))


def _all_calls(node: Any, lines: List[str]) -> Tuple[Tuple[str, str], ...]:
    found: List[Tuple[str, str]] = []
    waiting = [node]
    while waiting:
        node = waiting.pop(0)
        if _kind(node) == "Call" and _name(node.func):
            found.append((_name(node.func), _call(node, lines)))
        waiting += _parts_of(node)
    return tuple(found)


def _has_comprehension(node: Any) -> bool:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if hasattr(node, "generators"):
            return True
        waiting += _parts_of(node)
    return False


def _parts_of(node: Any) -> List[Any]:
    return [each for field in getattr(node, "_fields", ())
            for value in (getattr(node, field, None),)
            for each in (value if type(value) is list else [value]) if hasattr(each, "_fields")]


def _call(node: Any, lines: List[str]) -> str:
    given = [_argument(each, lines) for each in node.args]
    given += ["%s=%s" % (each.arg, _argument(each.value, lines)) for each in node.keywords
              if each.arg]
    return "%s(%s)" % (_name(node.func) or "...", ", ".join(given))


def _name(node: Any) -> str:
    """Return "self.db" for a name or the attribute of one; "" for anything else."""
    if _kind(node) == "Name":
        return str(node.id)
    if _kind(node) == "Attribute":
        owner = _name(node.value)
        return "%s.%s" % (owner, node.attr) if owner else ""
    return ""


def _argument(node: Any, lines: List[str]) -> str:
    if _kind(node) in ("Constant", "Num", "Str", "NameConstant") and node.lineno == node.end_lineno:
        line = lines[node.lineno - 1].encode("utf-8")
        text = line[node.col_offset:node.end_col_offset].decode("utf-8", "replace")
        return text if len(text) <= 40 else "..."
    return _name(node) or "..."


def _declare(body: Iterable[Any], prefix: str, declared: Dict[str, str]) -> bool:
    everything = False
    for node in body:
        kind = _kind(node)
        if kind in ("FunctionDef", "AsyncFunctionDef", "ClassDef"):
            declared[prefix + node.name] = "def"
            if kind == "ClassDef":
                _declare(node.body, prefix + node.name + ".", declared)
                continue
        elif kind in ("Import", "ImportFrom"):
            for alias in node.names:
                everything = everything or alias.name == "*"
                declared[prefix + (alias.asname or alias.name.partition(".")[0])] = "value"
        elif kind in ("Assign", "AnnAssign", "For", "With"):
            targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
            value: Any = getattr(node, "value", None)
            nothing = _kind(value) in ("Constant", "NameConstant") and value.value is None
            empty = _kind(value) in ("Dict", "List", "Set") and not (
                getattr(value, "keys", None) or getattr(value, "elts", None)) or _kind(
                    value) == "Call" and not value.args and not value.keywords
            for target in targets:
                for each in getattr(target, "elts", None) or [target]:
                    if _kind(each) == "Name" and not (kind == "AnnAssign" and value is None):
                        declared[prefix + each.id] = ("None" if nothing else
                                                      "empty" if empty else "value")
        if kind in ("If", "For", "While", "Try", "TryStar", "With"):
            for name in _PARTS:
                parts = getattr(node, name, None) or ()
                for part in parts:
                    inner = part.body if _kind(part) == "ExceptHandler" else [part]
                    everything = _declare(inner, prefix, declared) or everything
    return everything


def names_of(part: str) -> Iterator[str]:
    """Return the dotted names that an expression begins with: "app.shop.orders"."""
    try:
        tree = compile(part, "<remedy>", "eval", _ONLY_AST, True)
    except (SyntaxError, ValueError):
        return
    waiting: List[Any] = [tree.body]
    while waiting:
        node = waiting.pop()
        dotted = _name(node)
        if dotted:
            yield dotted
            continue
        waiting += _parts_of(node)
