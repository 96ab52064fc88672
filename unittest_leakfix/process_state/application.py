"""The state of the application: all modules' together, before and after.

A look compares identities and lengths, in a few calls of C code for all modules; `module_state` has
the state of each.
"""
from __future__ import annotations

import sys
from itertools import chain
from operator import is_
from typing import Any, Callable, Dict, Iterable, List, Set, Tuple

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import identity
from unittest_leakfix.process_state import places
from unittest_leakfix.process_state.module_state import Difference, Items, Module, Names, same_items

__unittest = True
bind(globals())

_THIRD_PARTY = 40000
"""How many names of installed packages are watched."""
_MODULES = sys.modules


class Modules:
    """The modules of the user, or those of installed packages."""

    def __init__(self, users: bool, restores: bool = False) -> None:
        self._users, self._restores = users, restores
        self._known: Dict[str, Module] = {}
        self._owners: Dict[int, str] = {}
        self._loaded = 0
        self.imported = False
        """Modules have come since the last look."""
        # All modules' together, so that one call of C code compares them.
        self._views: List[Any] = []
        self._ids: List[int] = []
        self._spans: List[Tuple[Module, int, int]] = []
        self._held: List[Tuple[Module, places.Held, Names]] = []
        self._containers: List[Tuple[Module, Callable[[str], Any], str, Items]] = []
        self._types: List[type] = []
        self._lengths: List[int] = []
        self._short: List[int] = []
        self._items: List[int] = []

    @property
    def names(self) -> int:
        """How many names there are to compare."""
        return len(self._ids)

    def _find(self) -> None:
        """Take in the modules that have come since."""
        self._loaded = len(_MODULES)
        seen: Set[int] = set()
        known: Dict[str, Module] = {}
        size = 0
        # What a test module imports is counted to where it comes from.
        found = sorted(places.modules(), key=self._has_tests)
        for name, module, users in found:
            if users is not self._users or identity(module) in seen:
                continue
            seen.add(identity(module))
            had = self._known.get(name)
            if had is None or had._module is not module:
                self.imported = True
                if size > _THIRD_PARTY and not users:
                    continue
                try:
                    had = Module(name, module, users, self._restores and users, self._owners)
                except errors.PASSING:
                    raise
                except BaseException:   # what is in it is half made
                    continue
            known[name] = had
            size += had.size
        self._known = known
        self._flatten()

    def _has_tests(self, one: Tuple[str, Any, bool]) -> bool:
        name, module, users = one
        had = self._known.get(name)
        return (had.has_tests if had is not None and had._module is module
                else users and places.is_test_code(name))

    def _flatten(self) -> None:
        modules = list(self._known.values())
        self._views = [view for module in modules for view in module.views]
        self._ids = [oid for module in modules for base in module.bases for oid in base.ids]
        self._spans, end = [], 0
        for module in modules:
            self._spans.append((module, end, end + module.size))
            end += module.size
        self._held = [(module, held, base) for module in modules for held, _, base in module.held]
        self._containers = [(module, fetch, name, base) for module in modules
                            for _, fetch, name, base in module.containers]
        self._types = [base.type for _, _, _, base in self._containers]
        self._lengths = [base.length for _, _, _, base in self._containers]
        # Of the user's, the items of short ones are compared as well.
        self._short = [place for place, (module, _, _, base) in enumerate(self._containers)
                       if module.users and base.ids is not None]
        self._items = [oid for place in self._short for base in [self._containers[place][3]]
                       for oid in (base.ids or [])[base.half:]]

    def _differing(self) -> List[Module]:
        """Return the modules that differ from their bases, in the order of their imports."""
        found: Dict[int, Module] = {}
        ids = list(map(identity, chain.from_iterable(self._views)))
        if ids != self._ids:
            alike = len(ids) == len(self._ids)
            for module, first, end in self._spans:
                if ids[first:end] != self._ids[first:end] if alike else not module.same():
                    found[identity(module)] = module
        for module, held, base in self._held:
            now = held.dict_of()
            if now is None or list(map(identity, now.values())) != base.ids:
                found[identity(module)] = module
        for place in self._moved():
            module = self._containers[place][0]
            found[identity(module)] = module
        return [found[oid] for oid in found]

    def _moved(self) -> List[int]:
        """Return the numbers of the containers that differ."""
        values = [fetch(name) for _, fetch, name, _ in self._containers]
        if not all(map(is_, map(type, values), self._types)):
            return [place for place, (_, _, _, base) in enumerate(self._containers)
                    if type(values[place]) is not base.type
                    or places.length(values[place]) != base.length
                    or not same_items(values[place], base)]
        lengths = list(map(places.length, values))
        if lengths != self._lengths:
            return [place for place, length in enumerate(self._lengths)
                    if lengths[place] != length]
        try:
            items = list(map(identity, chain.from_iterable([
                value.values() if places.is_dict(value) else value
                for value in map(values.__getitem__, self._short)])))
        except RuntimeError:    # another thread changes one
            return []
        if items == self._items:
            return []
        return [place for place in self._short
                if not same_items(values[place], self._containers[place][3])]

    def look(self) -> List[Difference]:
        """Return what differs, and take the base anew. Nothing while another thread changes it."""
        try:
            return self._look()
        except RuntimeError:
            return []

    def _look(self) -> List[Difference]:
        self.imported = False
        changed = self._differing()
        found: List[Difference] = []
        for module in changed:
            try:
                found += module.differences()
            except errors.PASSING:
                raise
            except BaseException:   # a half made class, a value whose type is broken
                pass
            module.take()
        if self._loaded != len(_MODULES):
            self._find()
        elif changed:
            self._flatten()
        return found

    def take(self) -> None:
        """Take the base: what is now counts as "before"."""
        try:
            self._take()
        except RuntimeError:    # another thread changes it: the base is older
            pass

    def _take(self) -> None:
        if self._known:
            for module in self._differing():
                module.take()
        self._find() if self._loaded != len(_MODULES) else self._flatten()
        self.imported = False

    def forget(self) -> None:
        """Refer to nothing any more."""
        self._known.clear()
        self._owners.clear()
        self._flatten()
        self._loaded = 0


def put_back(found: Iterable[Difference]) -> List[Difference]:
    """Put back those that can be; return them. Names first: a container is found by its own."""
    done: List[Difference] = []
    for difference in sorted(found, key=lambda each: each.items != 0):
        if difference.undo is None:
            continue
        try:
            difference.undo()
        except errors.PASSING:
            raise
        except BaseException:   # a class whose attributes cannot be set, a cache that is gone
            continue
        done.append(difference)
    return done
