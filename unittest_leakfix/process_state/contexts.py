"""The current context: context variables, and that of `decimal`. Kinds: "context variable",
"decimal context"."""
from __future__ import annotations

import sys
from contextvars import Context, ContextVar, copy_context
from operator import attrgetter, is_
from typing import Any, Dict, List, Optional, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.process_state.base import SURELY, Change, FoundChange, Monitor, Undo
from unittest_leakfix.tracing import os_facts, value_text
from unittest_leakfix.tracing.stacks import is_users_module

__unittest = True
bind(globals())

_modules = sys.modules
_OTHERS = ("decimal_context", "numpy.", "asgiref.local")
"""The beginnings of the names of variables that libraries fill when they are first needed, or that
are looked at in another way."""


class ContextVariables(Monitor):
    """Watches the variables that are set in the context in which the tests run."""

    def __init__(self) -> None:
        self._vars: Tuple[Any, ...] = ()
        self._values: Tuple[Any, ...] = ()

    def take(self) -> None:
        self._vars, self._values = _now()

    def same(self) -> bool:
        context = copy_context()
        # The same variables are in the same order.
        return (len(context) == len(self._vars) and all(map(is_, context, self._vars))
                and all(map(is_, context.values(), self._values)))

    def absorb(self, since: "ContextVariables") -> None:
        mine = _by_id(self._vars, self._values)
        before, now = _by_id(since._vars, since._values), _by_id(*_now())
        for key in {**before, **now}:
            old, new = before.get(key), now.get(key)
            if new is None:
                mine.pop(key, None)
            elif old is None or old[1] is not new[1]:
                mine[key] = new
        self._vars = tuple(var for var, _ in mine.values())
        self._values = tuple(value for _, value in mine.values())

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        base, now = _by_id(self._vars, self._values), _by_id(*_now())
        for key, (var, value) in now.items():
            old = base.get(key)
            if old is not None and old[1] is value or var.name.startswith(_OTHERS):
                continue
            home, users = _home(var)
            if old is None and not users and home:
                continue    # a library's, which is set when it is first needed
            undo, before = _undo(var, old)
            found.append((Change("context variable", redaction.shown(var.name), "",
                                 before, _text(var, value), undo is not None, owner=home), undo))
        for key, (var, value) in base.items():
            if key not in now and not var.name.startswith(_OTHERS):
                undo, before = _undo(var, (var, value))
                found.append((Change("context variable", redaction.shown(var.name), "removed",
                                     before, "", True, owner=_home(var)[0]), undo))
        return found


def _now() -> Tuple[Tuple[Any, ...], Tuple[Any, ...]]:
    context = copy_context()
    return tuple(context), tuple(context.values())


def _by_id(variables: Tuple[Any, ...], values: Tuple[Any, ...]) -> Dict[int, Tuple[Any, Any]]:
    return {id(var): (var, value) for var, value in zip(variables, values)}


def _undo(var: "ContextVar[Any]", old: Optional[Tuple[Any, Any]]) -> Tuple[Undo, str]:
    """Return what gives a variable its old value back, and what that was.

    One that was not set can be given its default; one without a default is only unset by the token
    that the test has thrown away.
    """
    if old is not None:
        value = old[1]
    else:
        try:
            value = Context().run(var.get)
        except LookupError:
            return None, ""
    return lambda: _set(var, value), _text(var, value)


def _text(var: "ContextVar[Any]", value: Any) -> str:
    if type(value) is str:
        return redaction.cut(redaction.redact(repr(value), var.name))
    return value_text.name_text(value)


def _set(var: "ContextVar[Any]", value: Any) -> None:
    var.set(value)


def _home(var: "ContextVar[Any]") -> Tuple[str, bool]:
    """Return the expression by which a module has a variable, "" for none, and whether that module
    is the user's."""
    found = ""
    for name, module in list(_modules.items()):
        if type(module) is not type(sys):
            continue
        for key, value in list(vars(module).items()):
            if value is var:
                expression = key
            elif type(value) is type and any(each is var for each in vars(value).values()):
                expression = "%s.%s" % (key, next(
                    inner for inner, each in vars(value).items() if each is var))
            else:
                continue
            if is_users_module(module):
                return "%s.%s" % (name, expression), True
            found = found or "%s.%s" % (name, expression)
    return found, False


# decimal

_PARTS = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
_parts = attrgetter(*_PARTS)


class DecimalContext(Monitor):
    """Watches the current context of `decimal`: which it is, its settings, and in full its traps;
    never its flags, which every calculation sets."""

    sharp = False

    def __init__(self) -> None:
        self._context: Any = None
        self._base: Tuple[Any, ...] = ()
        self._traps: Tuple[bool, ...] = ()

    def take(self) -> None:
        module = _decimal()
        if module is None:
            self._context, self._base = None, ()
        else:
            self._context = module.getcontext()
            self._base = _parts(self._context)
            self._traps = tuple(self._context.traps.values())

    def same(self) -> bool:
        if not self._base:      # imported since: its own beginning is the base
            return True
        module = _decimal()
        return module is None or _parts(module.getcontext()) == self._base

    def exactly(self) -> bool:
        if not self._base:
            if "decimal" in _modules:
                self.take()
            return True
        module = _decimal()
        return self.same() and (
            module is None or tuple(module.getcontext().traps.values()) == self._traps)

    def absorb(self, since: "DecimalContext") -> None:
        if not self._base or not since.exactly():
            self.take()

    def changes(self) -> List[FoundChange]:
        module = _decimal()
        if module is None or not self._base:
            return []
        now, base, traps, context = module.getcontext(), self._base, self._traps, self._context

        def undo() -> None:
            if module.getcontext() is not context:
                module.setcontext(context)
            for name, value in zip(_PARTS, base):
                setattr(context, name, value)
            for signal, on in zip(list(context.traps), traps):
                context.traps[signal] = on

        found: List[FoundChange] = []
        for name, old, new in zip(_PARTS, base, _parts(now)):
            if old != new:
                found.append((Change("decimal context", "decimal.getcontext().%s" % name, "",
                                     str(old), str(new), True, windows=SURELY), undo))
        if tuple(now.traps.values()) != traps:
            found.append((Change("decimal context", "decimal.getcontext().traps", "",
                                 _names(now, traps), _names(now, tuple(now.traps.values())), True),
                          undo))
        # A context of its own in place of the old one is one cause.
        return found[:1] if now is not context else found


def _decimal() -> Any:
    return os_facts.loaded("decimal") if "decimal" in _modules else None


def _names(context: Any, traps: Tuple[bool, ...]) -> str:
    return ",".join(sorted(signal.__name__ for signal, on in zip(context.traps, traps)
                           if on)) or "none"
