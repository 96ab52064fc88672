"""`sys.modules`: what was put into it by hand, taken out, or put in the place of a module. Kind:
"module".

Imports are not a test's change. What is taken out and imported anew is a change only where somebody
still has the old module: from then on there are two of it.
"""
from __future__ import annotations

import sys
import weakref
from types import FunctionType, ModuleType
from typing import Any, Dict, List, Optional, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import identity, module_slot
from unittest_leakfix.process_state.base import SURELY, Change, FoundChange, Monitor
from unittest_leakfix.tracing import value_text
from unittest_leakfix.tracing.acquisitions import Acquisitions

__unittest = True
bind(globals())

_MISSING = object()
_ref = weakref.ref
_SHARED = ("cython_runtime", "_cython_")
"""What Cython puts in for all that it has compiled, once."""
_vars: Any = vars(ModuleType)["__dict__"].__get__


class LoadedModules(Monitor):
    """Watches `sys.modules`: how many there are, whether one was imported, and in full each."""

    sharp = False

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        self._acquisitions = acquisitions
        self._mapping: Any = sys.modules
        # What is there is held weakly: a module that the code under test takes out and lets go of
        # is gone, and what watches that from a test (Jinja's ModuleLoader) sees it go.
        self._base: Dict[str, Any] = {}
        self._keys: List[str] = []
        self._ids: List[int] = []
        self._imported: Dict[str, Any] = {}     # by an import, since the base was taken
        self._new: Optional[Dict[str, Any]] = None      # by the import that is under way
        self._imports = -1

    def take(self) -> None:
        self._mapping = mapping = sys.modules
        if self._imported or not self.exactly():
            self._imported = {}
            self._base = {name: _weakly(module) for name, module in list(mapping.items())}
            self._keys, self._ids = list(mapping), list(map(identity, mapping.values()))
        self._note()

    def _note(self) -> None:
        if self._acquisitions is not None and self._acquisitions.listening:
            self._imports = self._acquisitions.imports

    def same(self) -> bool:
        modules = sys.modules
        if modules is not self._mapping or len(modules) != len(self._ids):
            return False
        if self._acquisitions is None or self._imports == self._acquisitions.imports:
            return self._acquisitions is not None or self.exactly()
        if not self.exactly():
            return False
        self._note()
        return True

    def exactly(self) -> bool:
        modules = sys.modules
        return (modules is self._mapping and len(modules) == len(self._ids)
                and list(map(identity, modules.values())) == self._ids
                and list(modules) == self._keys)

    def absorb(self, since: "LoadedModules") -> None:
        """Note what an import has put in; what was there before, and was taken out by the test,
        stays a change of the test's."""
        if since._new is None:      # several absorb the same import
            since._new = {name: _weakly(module) for name, module in list(sys.modules.items())
                          if module is not _strongly(since._base.get(name, _MISSING))}
        self._imported.update(since._new)

    def window(self) -> None:
        super().window()
        self._new = None

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        mapping, now = self._mapping, dict(sys.modules)
        base = {name: _strongly(value) for name, value in self._base.items()}
        if sys.modules is not mapping:
            found.append((Change("module", "sys.modules", "replaced", restorable=True),
                          lambda: setattr(sys, "modules", mapping)))
        held: Optional[Dict[int, str]] = None
        for name in [*base, *(each for each in now if each not in base)]:
            old, new = base.get(name, _MISSING), now.get(name, _MISSING)
            if old is new or old is None and self._base[name] is not None or (
                    type(name) is not str):
                continue    # None: nobody has the old one
            if old is _MISSING:
                if _was_imported(name, new, _strongly(self._imported.get(name, _MISSING))):
                    continue
            elif new is _MISSING or _is_another(name, old, new):
                if type(old) is not ModuleType:
                    continue
                if held is None:
                    held = _held([each for each in base.values() if type(each) is ModuleType
                                  and now.get(str(vars(each).get("__name__"))) is not each])
                if id(old) not in held:
                    continue    # nobody has the old one: the next import makes a whole one
            found.append(_change(mapping, name, old, new))
        return _of_packages(found)


def _weakly(value: Any) -> Any:
    """Return a weak reference to a module, None for None; what has none of these as it is."""
    try:
        return _ref(value) if issubclass(type(value), ModuleType) else value
    except TypeError:
        return value


def _strongly(value: Any) -> Any:
    """Return what `_weakly` was given; None for what is gone."""
    return value() if type(value) is _ref else value


def _was_imported(name: str, module: Any, imported: Any) -> bool:
    """Tell whether an import has put *module* in, rather than a line of the test's."""
    if module is imported or name.startswith(_SHARED):
        return True
    if not issubclass(type(module), ModuleType):
        return False
    spec = _vars(module).get("__spec__")
    return spec is not None and getattr(spec, "loader", None) is not None and (
        getattr(spec, "name", None) == name)


def _is_another(name: str, old: Any, new: Any) -> bool:
    """Tell whether a module was imported anew in the place of *old*."""
    return type(old) is ModuleType and _was_imported(name, new, _MISSING)


def _held(old: List[Any]) -> Dict[int, str]:
    """Return which of the *old* modules another module still has: itself, or a class or function
    of it. With them those that they have themselves."""
    wanted = {id(module): module for module in old}
    spaces = {id(_vars(module)): id(module) for module in old}
    names: Dict[Any, List[int]] = {}
    for module in old:
        names.setdefault(_vars(module).get("__name__"), []).append(id(module))
    found: Dict[int, str] = {}
    waiting = [module for module in list(sys.modules.values())
               if issubclass(type(module), ModuleType) and id(module) not in wanted]
    while waiting:
        module = waiting.pop()
        name, before = str(_vars(module).get("__name__")), set(found)
        for value in list(_vars(module).values()):
            kind = type(value)
            if id(value) in wanted:
                found[id(value)] = name
            elif kind is FunctionType:
                key = spaces.get(id(value.__globals__))
                if key is not None:
                    found[key] = name
            elif kind is type and type(module_slot(value)) is str:
                for key in names.get(module_slot(value), ()):
                    if any(each is value for each in _vars(wanted[key]).values()):
                        found[key] = name
        waiting += [wanted[key] for key in set(found) - before]
    return found


def _change(mapping: Any, name: str, old: Any, new: Any) -> FoundChange:
    how = "added" if old is _MISSING else "removed" if new is _MISSING else "replaced"
    anew = how == "replaced" and issubclass(type(new), ModuleType) and _was_imported(
        name, new, _MISSING)
    before, after = ("" if each is _MISSING else "None" if each is None
                     else _text(each) for each in (old, new))

    def undo() -> None:
        if old is _MISSING:
            mapping.pop(name, None)
            _on_package(mapping, name, new, _MISSING)
        else:
            mapping[name] = old
            _on_package(mapping, name, new, old)

    # How many there are, and that one was imported, is seen after each test.
    sure = SURELY if how != "replaced" or anew else 1
    return Change("module", redaction.shown(name), how, before,
                  "imported anew" if anew else after, True, windows=sure), undo


def _text(module: Any) -> str:
    if type(module) is ModuleType:
        return "module"
    return value_text.name_text(module)


def _on_package(mapping: Any, name: str, new: Any, old: Any) -> None:
    """Give a package back what it had under the name of a module of its own."""
    package, _, last = name.rpartition(".")
    parent = mapping.get(package) if package else None
    if type(parent) is not ModuleType:
        return
    space = _vars(parent)
    if old is _MISSING:
        if space.get(last, _MISSING) is new:
            delattr(parent, last)
    elif space.get(last, _MISSING) is not old:
        setattr(parent, last, old)


def _of_packages(found: List[FoundChange]) -> List[FoundChange]:
    """Put the changes of a package's modules below the package's own: they are one cause."""
    names = {change.name for change, _ in found}
    tops: List[FoundChange] = []
    parts: Dict[str, List[Tuple[Change, Any]]] = {}
    for change, undo in found:
        above = [change.name[:at] for at, letter in enumerate(change.name) if letter == "."]
        top = next((each for each in above if each in names), "")
        if top:
            parts.setdefault(top, []).append((change, undo))
        else:
            tops.append((change, undo))
    return [_with(change, undo, parts.get(change.name, [])) for change, undo in tops]


def _with(change: Change, undo: Any, parts: List[Tuple[Change, Any]]) -> FoundChange:
    if not parts:
        return change, undo
    undos = [undo, *(each for _, each in parts)]

    def undo_all() -> None:
        for each in undos:
            each()

    return change._replace(added=tuple(part.name for part, _ in parts)[:8]), undo_all
