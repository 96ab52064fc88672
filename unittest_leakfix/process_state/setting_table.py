"""Settings of the whole process that are one value each, and what watches them.

How to add one: a row in `interpreter_settings` (the interpreter's own), or in `library_settings`
(those of one library). A row says

1. ``kind``: of which kind of `leaks.model.kinds` it is, and ``name``: an expression that the user
   knows, for it stands in the report;
2. ``module``: the module that must be loaded, since none is ever imported for this;
3. ``get``: what reads it, without changing it and without the user's code (a value that is not
   plain is compared by its identity);
4. ``put``: what puts an earlier value back exactly, or else ``why_not``;
5. ``remedy``: what the user's code is to do. The zoo proves it (`tests/zoo/settings.py`);
6. where a function sets it, a line in ``FUNCTIONS`` of `tracing.constructors`, under the same name:
   so the test and the line are known, and a window in which it is called is looked at.

Then an animal for it in the zoo, and a row in `tests/unit/process_state/test_settings.py`: how it
is changed, and what a later test would have failed with.
"""
from __future__ import annotations

import sys
from operator import is_
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from unittest_leakfix._core import errors, redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import is_plain
from unittest_leakfix.leaks.model.remedy import Remedy
from unittest_leakfix.process_state.base import SURELY, Change, FoundChange, Monitor, Undo
from unittest_leakfix.tracing import value_text
from unittest_leakfix.tracing.acquisitions import Acquisitions

__unittest = True
bind(globals())

_modules = sys.modules
MISSING = object()
"""What is read where there is nothing to read: an older Python, an attribute that is not set."""


def alike(one: Any, other: Any) -> bool:
    """Tell whether two values are the same, without running code of theirs: plain ones, and the
    tuples and dicts of plain ones, are compared, all others by their identity."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is tuple:
        return len(one) == len(other) and all(map(alike, one, other))
    if kind is dict:
        if len(one) != len(other):
            return False
        if all(map(is_, one, other)):   # the same keys: none is asked for its hash
            return (all(map(is_, one.values(), other.values()))
                    or all(map(alike, one.values(), other.values())))
        return all(key in other and alike(value, other[key]) for key, value in one.items())
    return (is_plain(one) or kind is frozenset) and bool(one == other)


def shown(value: Any) -> str:
    """Return a value in a few words: "(700, 10, 10)" for three plain ones."""
    if value is MISSING:
        return ""
    if type(value) is tuple and all(map(is_plain, value)):
        return redaction.shown(repr(value))
    return value_text.name_text(value)


def unshown(value: Any) -> str:
    """Return no words for a value that would tell nobody anything."""
    return ""


class Setting(NamedTuple):
    """One value: how it is read, and how it is put back or why it is not."""

    kind: str
    name: str
    module: str
    get: Callable[[Any], Any]
    """Reads it, given the module. ``MISSING`` where there is nothing to read. A dict is copied."""
    put: Optional[Callable[[Any, Any], object]] = None
    """Puts it back, given the module and the value that it had."""
    why_not: str = ""
    """Why it is not put back, where it cannot be exactly."""
    remedy: Optional[Remedy] = None
    off: Optional[Remedy] = None
    """What the user's code is to do, if another, where it was on and was switched off."""
    called: Tuple[str, ...] = ()
    """Functions of the module: it is a change only where one of them was called, which is noted
    under the name of the row, or may have been, by a name of its own in another module."""
    same: Callable[[Any, Any], bool] = alike
    """Tells whether what was read last is not a change of what was read before."""
    show: Callable[[Any], str] = shown
    quiet: bool = False
    """What tests leave there is put back by ``--restore``, and is not a leak by itself: a cache."""


def attribute(name: str) -> Callable[[Any], Any]:
    """Return what reads the attribute *name* ("first.second") of a module, or class in it."""
    *path, last = name.split(".")

    def get(module: Any) -> Any:
        for each in path:
            module = vars(module).get(each)
            if module is None:
                return MISSING
        return vars(module).get(last, MISSING)

    return get


def setting(name: str) -> Callable[[Any, Any], object]:
    """Return what gives that attribute a value back, or takes it away where it was not there."""
    *path, last = name.split(".")

    def put(module: Any, value: Any) -> None:
        for each in path:
            module = vars(module)[each]
        if value is not MISSING:
            setattr(module, last, value)
        elif last in vars(module):
            delattr(module, last)

    return put


def calling(name: str, *arguments: Any) -> Callable[[Any], Any]:
    """Return what reads a setting by the function *name* of its module."""
    def get(module: Any) -> Any:
        function = vars(module).get(name)
        return MISSING if function is None else function(*arguments)

    return get


def setting_by(name: str, *arguments: Any) -> Callable[[Any, Any], object]:
    """Return what sets a setting by the function *name* of its module."""
    return lambda module, value: vars(module)[name](*arguments, value)


class Settings(Monitor):
    """Watches a group of values that are quick to read, after each test.

    `read_all` reads them all in one go, in the order of `settings`. Where `plain` is true they are
    numbers and text and compared; else they are objects, and compared by identity alone, since
    comparing would run their code.
    """

    def __init__(self, settings: Sequence[Setting], read_all: Callable[[], Tuple[Any, ...]],
                 plain: bool) -> None:
        self._settings = settings
        self._read_all = read_all
        self._plain = plain
        self._base: Tuple[Any, ...] = ()

    def take(self) -> None:
        self._base = self._read_all()

    def absorb(self, since: "Settings") -> None:
        self._base = tuple(
            now if (old != now if self._plain else old is not now) else mine
            for mine, old, now in zip(self._base, since._base, self._read_all()))

    def same(self) -> bool:
        # Identical objects are not compared; of others `exactly` does not run the code either.
        return self._read_all() == self._base

    def exactly(self) -> bool:
        if self._plain:
            return self._read_all() == self._base
        return all(map(is_, self._read_all(), self._base))

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        for each, old, new in zip(self._settings, self._base, self._read_all()):
            if (old == new or old == "" or new == "") if self._plain else (old is new):
                continue    # "": its module was or is not loaded
            if not each.same(old, new):
                found.append(_change(each, _modules.get(each.module), old, new))
        return found


def _change(row: Setting, module: Any, old: Any, new: Any) -> FoundChange:
    undo = _putting(row.put, module, old)
    if type(old) is dict and type(new) is dict:
        return Change(row.kind, row.name, "changed", restorable=undo is not None,
                      added=_keys(new, old), removed=_keys(old, new),
                      after=_of_same_keys(old, new), quiet=row.quiet), undo
    how = "replaced" if row.kind == "patch" else ""
    return Change(row.kind, row.name, how, row.show(old), row.show(new), undo is not None,
                  quiet=row.quiet), undo


def _putting(put: Optional[Callable[[Any, Any], object]], module: Any, value: Any) -> Undo:
    if put is None:
        return None

    def undo() -> None:
        put(module, value)

    return undo


def _keys(one: Dict[Any, Any], other: Dict[Any, Any]) -> Tuple[str, ...]:
    return tuple(value_text.name_text(key) for key in one if key not in other)[:8]


def _of_same_keys(old: Dict[Any, Any], new: Dict[Any, Any]) -> str:
    """Return what has changed in a dict whose keys are the same: "font.size: 12.0"."""
    return ", ".join(["%s: %s" % (value_text.name_text(key), shown(value))
                      for key, value in new.items()
                      if key in old and not alike(old[key], value)][:3])


class Table(Monitor):
    """Watches what costs more to read: after each class, after a test that has called what sets
    one, and what was found changed once after each test from then on."""

    sharp = False

    def __init__(self, rows: Iterable[Setting],
                 acquisitions: Optional[Acquisitions] = None) -> None:
        self._rows = tuple(rows)
        self._acquisitions = acquisitions
        self._set = -1      # how many calls of what sets one were noted
        self._mark = 0      # the last thing that was noted before
        self._base: Dict[str, Any] = {}     # by the name of the row
        self._unchanged: Optional[bool] = None      # by the import that is under way
        self._often: Set[str] = set()

    def _module(self, row: Setting) -> Optional[ModuleType]:
        module = _modules.get(row.module)
        return module if issubclass(type(module), ModuleType) else None

    def _read(self) -> Dict[str, Any]:
        found = {}
        loaded = _modules
        for row in self._rows:
            if row.module in loaded:
                value = self._value(row)
                if value is not None:
                    found[row.name] = dict(value[0]) if type(value[0]) is dict else value[0]
        return found

    def _value(self, row: Setting) -> Optional[Tuple[Any]]:
        module = self._module(row)
        if module is None:
            return None
        try:
            return (row.get(module),)
        except errors.PASSING:
            raise
        except BaseException:   # a test has left a part of it broken, or it is half imported
            return None

    def take(self) -> None:
        self._base = self._read()
        self._note()

    def _note(self) -> None:
        """Take note that all is as in the base, whatever was called until now."""
        if self._acquisitions is not None:
            self._mark = self._acquisitions.latest
            if self._acquisitions.listening:
                self._set = self._acquisitions.settings

    def same(self) -> bool:
        known = self._acquisitions
        if known is not None and self._set != known.settings:
            if not self.exactly():
                return False
            self._note()
        return not self._often or not any(
            row.name in self._often and self._differs(row) for row in self._rows)

    def exactly(self) -> bool:
        loaded = _modules
        return not any(row.module in loaded and self._differs(row) for row in self._rows)

    def _differs(self, row: Setting) -> bool:
        now = self._value(row)
        if now is None:
            return False
        old = self._base.get(row.name, self)
        # Its module was loaded meanwhile, by another thread perhaps; or is there now: not a change.
        new = old is self or old is MISSING and row.same(old, now[0])
        if new:
            self._base[row.name] = dict(now[0]) if type(now[0]) is dict else now[0]
        return not new and not row.same(old, now[0])

    def absorb(self, since: "Table") -> None:
        if since._unchanged is None:        # several absorb the same import
            read = since._read()
            since._unchanged = (read.keys() <= since._base.keys() and all(
                alike(since._base[name], value) for name, value in read.items()))
        if since._unchanged and since._base.keys() <= self._base.keys():
            return
        now = self._read()
        for row in self._rows:
            name = row.name
            if name not in now:
                continue
            if name not in since._base or name not in self._base:
                self._base[name] = now[name]    # its module was imported meanwhile
            elif not alike(since._base[name], now[name]):
                self._base[name] = _merged(self._base[name], since._base[name], now[name])

    def window(self) -> None:
        super().window()
        self._unchanged = None

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        now = self._read()
        for row in self._rows:
            name = row.name
            if (name in now and name in self._base and not row.same(self._base[name], now[name])
                    and self._was_called(row)):
                change, undo = _change(row, self._module(row), self._base[name], now[name])
                if name in self._often:
                    change = change._replace(windows=SURELY)
                self._often.add(name)
                found.append((change, undo))
        return found


    def _was_called(self, row: Setting) -> bool:
        known = self._acquisitions
        if not row.called or known is None or not known.listening:
            return True
        if known.noted_since(row.name, self._mark):
            return True
        module = _modules[row.module]
        functions = [vars(module).get(name) for name in row.called]
        return any(each == value for other in list(_modules.values())
                   if issubclass(type(other), ModuleType) and other is not module
                   for value in list(vars(other).values()) if type(value) in _CALLABLES
                   for each in functions)


_CALLABLES = (MethodType, BuiltinFunctionType, FunctionType)


def _merged(mine: Any, before: Any, now: Any) -> Any:
    """Return *mine* with what has changed between *before* and *now*: of a dict, by its keys."""
    if not all(type(each) is dict for each in (mine, before, now)):
        return now
    found = dict(mine)
    for key in [*before, *now]:
        if not alike(before.get(key, MISSING), now.get(key, MISSING)):
            if key in now:
                found[key] = now[key]
            else:
                found.pop(key, None)
    return found
