"""The state of the application: globals, class attributes and containers, before and after.

A look compares identities and lengths, in a few calls of C code for all modules together. Values
are referred to only where that does no harm (`places.lasts`), the others are known by their ids;
with ``restore`` all are kept, and the user's containers are copied, to be put back.
"""
from __future__ import annotations

import sys
from itertools import chain
from operator import is_
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import dict_slot
from unittest_leakfix.process_state import places
from unittest_leakfix.process_state.places import Place
from unittest_leakfix.process_state.state_values import (
    MISSING,
    Gone,
    equal,
    home_of,
    noted,
    sort_of_last,
    sort_or_none,
    text_of,
    word,
)
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.tracing import value_text

__unittest = True
bind(globals())

_ITEMS = 50
"""Up to how many items of a container each one is compared, rather than their number."""
_COPIED = 10000
"""Up to how many items a container is copied, to be put back."""
_THIRD_PARTY = 40000
"""How many names of installed packages are watched."""
_MODULES = sys.modules
_END = (MISSING,)


class Difference(NamedTuple):
    """How one place differs from what it was."""

    place: Place
    how: str
    """"added", "removed", "changed"; of a container: "filled", "emptied", "changed items"."""
    before: str
    after: str
    old: str
    """What sort of value it was, and is: see `sort_of`; "" for none."""
    new: str
    home: str = ""
    """The module in which a new function or class was written."""
    items: int = 0
    """By how many a container has grown; less than 0 where it shrank."""
    undo: Optional[Callable[[], None]] = None
    container: str = ""
    """What sort of container it is: see `word`."""
    literal: str = ""
    """A new plain value as code: "'test'"."""


class _Names:
    """The base of one namespace."""

    def __init__(self, values: Dict[Any, Any], strong: bool, users: bool = True) -> None:
        self.names = tuple(values)
        found = list(values.values())
        self.ids = list(map(id, found))
        # What has a name of Python's own, __spec__ or __builtins__, is not ours to end.
        self.values = found if strong else [
            value if places.lasts(value) or type(name) is str and name.startswith("__")
            or not users and kind_of(value) is None else Gone(value)
            for name, value in zip(self.names, found)]

    def by_name(self) -> Dict[Any, Tuple[int, Any]]:
        return dict(zip(self.names, zip(self.ids, self.values)))


class _Items:
    """The base of one container."""

    def __init__(self, value: Any, strong: bool) -> None:
        self.type = type(value)
        self.oid = id(value)
        self.length = places.length(value)
        found = places.items_of(value, _COPIED if strong else _ITEMS)
        self.ids = None if found is None or self.length > _ITEMS else list(map(id, found))
        self.half = self.length if places.is_dict(value) else 0
        self.known: Optional[List[Any]] = None if self.ids is None or found is None else [
            each if places.is_atom(each) else MISSING for each in found]
        self.copy = _copy(value) if strong and self.length <= _COPIED else None


def _copy(value: Any) -> Any:
    return None if type(value) is places.LRU_CACHE else value.copy() if hasattr(
        value, "copy") else value[:]


class Module:
    """The base of one module."""

    def __init__(self, name: str, module: Any, users: bool, restores: bool,
                 owners: Dict[int, str]) -> None:
        """*owners*: of what is state, by its id, the module that it is counted to."""
        self.name, self.users = name, users
        self.has_tests = users and places.is_test_code(name)
        self._module, self._restores = module, restores
        self._owners = owners
        self._mine: List[int] = []
        self.take()

    def take(self) -> None:
        """Take the base."""
        self.walk = walk = places.Walk(self.name, self._module, self.users)
        strong = self._restores
        self.views = [space.names.values() for space in walk.spaces]
        self.bases = [_Names(space.names, strong, self.users) for space in walk.spaces]
        self.size = sum(len(base.ids) for base in self.bases)
        for oid in self._mine:
            self._owners.pop(oid, None)
        self._mine = []
        self.held = [(each, found, _Names(found, strong)) for each, found in (
            (each, each.dict_of()) for each in walk.held)
            if found is not None and self._is_mine(each.oid)]
        strong = strong and self.users
        self.containers: List[Tuple[str, Any, Any, _Items]] = []
        for space in walk.spaces:
            self._add(space.expression, space.names, strong)
        for each, found, _ in self.held:
            self._add(each.expression, found, strong, each)
        for cell in walk.cells:
            value = cell.fetch("")
            if value is not None and self._is_mine(id(value)):
                self.containers.append((cell.expression, cell.fetch, "", _Items(value, strong)))

    def _is_mine(self, oid: int) -> bool:
        """Tell whether what has this id is counted to this module, which it is from now on if to
        no other."""
        if oid in self._owners:
            return False
        self._owners[oid] = self.name
        self._mine.append(oid)
        return True

    def _add(self, owner: str, names: Any, strong: bool, held: Any = None) -> None:
        """Take in the containers of one namespace."""
        for name, value in list(names.items()):
            if (places.is_container(value) and type(name) is str and not name.startswith("__")
                    and name not in places._OF_UNITTEST):
                if not self.users and type(value) is places.LRU_CACHE or not self._is_mine(
                        id(value)):
                    continue
                self.containers.append(("%s.%s" % (owner, name), _getter(names, held), name,
                                        _Items(value, strong)))

    def same(self) -> bool:
        """Tell whether no name is bound to another value."""
        return list(map(id, chain.from_iterable(self.views))) == [
            oid for base in self.bases for oid in base.ids]

    def differences(self) -> List[Difference]:
        """Return how it differs from its base."""
        found: List[Difference] = []
        for space, view, base in zip(self.walk.spaces, self.views, self.bases):
            if list(map(id, view)) != base.ids:
                found += self._of_names(space.expression, space.names, base, space.of_test,
                                        _setter(self._module, self.name, space))
        for each, _, base in self.held:
            now = each.dict_of()
            if now is not None and list(map(id, now.values())) != base.ids:
                found += [one for one in self._of_names(each.expression, now, base, each.of_test,
                                                        _in_dict(now))
                          if one.how != "added" or not each.is_default(
                              one.place.name, now.get(one.place.name))]
        for worded, fetch, name, items in self.containers:
            value = fetch(name)
            if type(value) is items.type and id(value) == items.oid:
                difference = self._of_items(worded, value, items)
                if difference is not None:
                    found.append(difference)
        return found

    def _place(self, owner: str, name: str, of_test: bool = False) -> Place:
        return Place("%s.%s" % (owner, name) if name else owner, owner if name else "", name,
                     self.users, self.name, of_test)

    def _of_names(self, owner: str, now: Any, base: _Names, of_test: bool,
                  setter: Callable[[str, Any], None]) -> List[Difference]:
        found: List[Difference] = []
        before = base.by_name()
        for name in list(dict.fromkeys((*before, *now))):
            if not places.is_state(name, of_test):
                continue
            oid, old = before.get(name, (0, MISSING))
            new = now.get(name, MISSING)
            if new is not MISSING and (id(new) == oid or equal(old, new)):
                continue
            undo = None
            if self._restores:
                undo = _undoing(setter, name, old)
            found.append(Difference(
                self._place(owner, name, of_test),
                "added" if old is MISSING else "removed" if new is MISSING else "changed",
                text_of(old), text_of(MISSING if new is MISSING else noted(new)), sort_or_none(old),
                sort_or_none(new), "" if new is MISSING else home_of(new), undo=undo,
                literal=repr(new) if places.is_atom(new) else ""))
        return found

    def _of_items(self, worded: str, value: Any, base: _Items) -> Optional[Difference]:
        now = places.length(value)
        if now == base.length and _same_items(value, base):
            return None
        owner, _, name = worded.rpartition(".")
        if not name.isidentifier() or "__defaults__" in worded or "__closure__" in worded:
            owner, name = worded, ""
        place, before, after = self._place(owner, name)._replace(container=worded), "", ""
        key = _changed_key(value, base)
        if key is not None:
            text, before, after = key
            place = place._replace(expression="%s[%s]" % (worded, text), key=text)
        else:
            before, after = "%d items" % base.length, "%d items" % now
        undo = None
        if base.copy is not None or (self._restores and base.type is places.LRU_CACHE
                                     and not base.length):
            undo = _refilling(value, base.copy)
        return Difference(
            place, "filled" if now > base.length else "emptied" if now < base.length
            else "changed items", before, after, "container" if base.length else "empty",
            sort_of_last(value, now - base.length), items=now - base.length, undo=undo,
            container=word(value))


def _getter(names: Any, held: Any) -> Callable[[str], Any]:
    if held is None:
        found: Callable[[str], Any] = names.get
        return found

    def fetch(name: str) -> Any:
        return (held.dict_of() or {}).get(name)
    return fetch


def _same_items(value: Any, base: _Items) -> bool:
    if base.ids is None:
        return True
    if type(value) is not base.type:
        return False
    found = places.items_of(value, _ITEMS)
    return found is not None and list(map(id, found)) == base.ids


def _changed_key(value: Any, base: _Items) -> Optional[Tuple[str, str, str]]:
    """Return the one key of a dict whose value has changed, with the values; None of more."""
    if not places.is_dict(value) or base.ids is None or base.known is None:
        return None
    now = places.items_of(value, _ITEMS)
    half = base.length
    if now is None or len(now) != len(base.ids):
        return None
    ids = list(map(id, now))
    changed = [place for place in range(half) if ids[half + place] != base.ids[half + place]]
    if ids[:half] != base.ids[:half] or len(changed) != 1 or not places.is_atom(now[changed[0]]):
        return None
    old = base.known[half + changed[0]]
    return (value_text.name_text(now[changed[0]]) if type(now[changed[0]]) is not str
            else repr(now[changed[0]]), text_of(old), value_text.name_text(now[half + changed[0]]))


# Putting back.

def _setter(module: Any, name: str, space: places.Space) -> Callable[[str, Any], None]:
    if type(space.names) is dict:
        return _in_dict(space.names)
    path = space.expression[len(name) + 1:].split(".")

    def put(attribute: str, value: Any) -> None:
        cls: Any = vars(module).get(path[0])
        for part in path[1:]:
            cls = dict_slot(cls).get(part)
        if dict_slot(cls) != space.names:
            raise LookupError("another class is in its place")
        if value is MISSING:
            type.__delattr__(cls, attribute)
        else:
            type.__setattr__(cls, attribute, value)
    return put


def _in_dict(names: Dict[str, Any]) -> Callable[[str, Any], None]:
    def put(name: str, value: Any) -> None:
        if value is MISSING:
            names.pop(name, None)
        else:
            names[name] = value
    return put


def _undoing(setter: Callable[[str, Any], None], name: str, old: Any) -> Callable[[], None]:
    return lambda: setter(name, old)


def _refilling(value: Any, copy: Any) -> Callable[[], None]:
    def put() -> None:
        if type(value) is places.LRU_CACHE:
            value.cache_clear()
        elif places.is_dict(value) or type(value) is set:
            value.clear()
            value.update(copy)
        elif hasattr(value, "clear"):       # a list, a deque, bytes
            value.clear()
            value.extend(copy)
        else:
            value[:] = copy
    return put


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
        self._held: List[Tuple[Module, places.Held, _Names]] = []
        self._containers: List[Tuple[Module, Callable[[str], Any], str, _Items]] = []
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
            if users is not self._users or id(module) in seen:
                continue
            seen.add(id(module))
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
        ids = list(map(id, chain.from_iterable(self._views)))
        if ids != self._ids:
            alike = len(ids) == len(self._ids)
            for module, first, end in self._spans:
                if ids[first:end] != self._ids[first:end] if alike else not module.same():
                    found[id(module)] = module
        for module, held, base in self._held:
            now = held.dict_of()
            if now is None or list(map(id, now.values())) != base.ids:
                found[id(module)] = module
        for place in self._moved():
            module = self._containers[place][0]
            found[id(module)] = module
        return [found[oid] for oid in found]

    def _moved(self) -> List[int]:
        """Return the numbers of the containers that differ."""
        values = [fetch(name) for _, fetch, name, _ in self._containers]
        if not all(map(is_, map(type, values), self._types)):
            return [place for place, (_, _, _, base) in enumerate(self._containers)
                    if type(values[place]) is not base.type
                    or places.length(values[place]) != base.length
                    or not _same_items(values[place], base)]
        lengths = list(map(places.length, values))
        if lengths != self._lengths:
            return [place for place, length in enumerate(self._lengths)
                    if lengths[place] != length]
        try:
            items = list(map(id, chain.from_iterable([
                value.values() if places.is_dict(value) else value
                for value in map(values.__getitem__, self._short)])))
        except RuntimeError:    # another thread changes one
            return []
        if items == self._items:
            return []
        return [place for place in self._short
                if not _same_items(values[place], self._containers[place][3])]

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
