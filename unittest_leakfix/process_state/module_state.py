"""The state of one module: its globals, class attributes and containers, before and after.

Identities and lengths are compared. Values are referred to only where that does no harm
(`places.lasts`), the others are known by their ids; where they are to be put back, all are kept,
and the user's containers are copied.
"""
from __future__ import annotations

from itertools import chain
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import dict_slot, identity, is_plain
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

ITEMS = 50
"""Up to how many items of a container each one is compared, rather than their number."""
_COPIED = 10000
"""Up to how many items a container is copied, to be put back."""


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


class Names:
    """The base of one namespace."""

    def __init__(self, values: Dict[Any, Any], strong: bool, users: bool = True) -> None:
        self.names = tuple(values)
        found = list(values.values())
        self.ids = list(map(identity, found))
        # What has a name of Python's own, __spec__ or __builtins__, is not ours to end.
        self.values = found if strong else [
            value if places.lasts(value) or type(name) is str and name.startswith("__")
            or not users and kind_of(value) is None else Gone(value)
            for name, value in zip(self.names, found)]

    def by_name(self) -> Dict[Any, Tuple[int, Any]]:
        return dict(zip(self.names, zip(self.ids, self.values)))


class Items:
    """The base of one container."""

    def __init__(self, value: Any, strong: bool) -> None:
        self.type = type(value)
        self.oid = identity(value)
        self.length = places.length(value)
        found = places.items_of(value, _COPIED if strong else ITEMS)
        self.ids = None if found is None or self.length > ITEMS else list(map(identity, found))
        self.half = self.length if places.is_dict(value) else 0
        self.known: Optional[List[Any]] = None if self.ids is None or found is None else [
            each if is_plain(each) else MISSING for each in found]
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
        self.bases = [Names(space.names, strong, self.users) for space in walk.spaces]
        self.size = sum(len(base.ids) for base in self.bases)
        for oid in self._mine:
            self._owners.pop(oid, None)
        self._mine = []
        self.held = [(each, found, Names(found, strong)) for each, found in (
            (each, each.dict_of()) for each in walk.held)
            if found is not None and self._is_mine(each.oid)]
        strong = strong and self.users
        self.containers: List[Tuple[str, Any, Any, Items]] = []
        self._cells = {cell.expression: cell for cell in walk.cells}
        for space in walk.spaces:
            self._add(space.expression, space.names, strong)
        for each, found, _ in self.held:
            self._add(each.expression, found, strong, each)
        for cell in walk.cells:
            value = cell.fetch("")
            if value is not None and self._is_mine(identity(value)):
                self.containers.append((cell.expression, cell.fetch, "", Items(value, strong)))

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
                        identity(value)):
                    continue
                self.containers.append(("%s.%s" % (owner, name), _getter(names, held), name,
                                        Items(value, strong)))

    def same(self) -> bool:
        """Tell whether no name is bound to another value."""
        return list(map(identity, chain.from_iterable(self.views))) == [
            oid for base in self.bases for oid in base.ids]

    def differences(self) -> List[Difference]:
        """Return how it differs from its base."""
        found: List[Difference] = []
        for space, view, base in zip(self.walk.spaces, self.views, self.bases):
            if list(map(identity, view)) != base.ids:
                found += self._of_names(space.expression, space.names, base, space.of_test,
                                        _setter(self._module, self.name, space))
        for each, _, base in self.held:
            now = each.dict_of()
            if now is not None and list(map(identity, now.values())) != base.ids:
                found += [one for one in self._of_names(each.expression, now, base, each.of_test,
                                                        _in_dict(now))
                          if one.how != "added" or not each.is_default(
                              one.place.name, now.get(one.place.name))]
        for worded, fetch, name, items in self.containers:
            value = fetch(name)
            if type(value) is items.type and identity(value) == items.oid:
                difference = self._of_items(worded, value, items)
                if difference is not None:
                    found.append(difference)
        return found

    def _place(self, owner: str, name: str, of_test: bool = False) -> Place:
        return Place("%s.%s" % (owner, name) if name else owner, owner if name else "", name,
                     self.users, self.name, of_test)

    def _of_names(self, owner: str, now: Any, base: Names, of_test: bool,
                  setter: Callable[[str, Any], None]) -> List[Difference]:
        found: List[Difference] = []
        before = base.by_name()
        for name in list(dict.fromkeys((*before, *now))):
            if not places.is_state(name, of_test):
                continue
            oid, old = before.get(name, (0, MISSING))
            new = now.get(name, MISSING)
            if new is not MISSING and (identity(new) == oid or equal(old, new)):
                continue
            undo = None
            if self._restores:
                undo = _undoing(setter, name, old)
            found.append(Difference(
                self._place(owner, name, of_test),
                "added" if old is MISSING else "removed" if new is MISSING else "changed",
                text_of(old), text_of(MISSING if new is MISSING else noted(new)), sort_or_none(old),
                sort_or_none(new), "" if new is MISSING else home_of(new), undo=undo,
                literal=repr(new) if is_plain(new) else ""))
        return found

    def _of_items(self, worded: str, value: Any, base: Items) -> Optional[Difference]:
        now = places.length(value)
        if now == base.length and same_items(value, base):
            return None
        cell = self._cells.get(worded)
        if cell is not None:
            place = self._place(worded, "")._replace(within=cell.within, function=cell.function)
        else:
            owner, _, name = worded.rpartition(".")
            place = self._place(*(owner, name) if name.isidentifier() else (worded, ""))
        place, before, after = place._replace(container=worded), "", ""
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


def same_items(value: Any, base: Items) -> bool:
    """Tell whether a container has the items of its *base*, where these are compared."""
    if base.ids is None:
        return True
    if type(value) is not base.type:
        return False
    found = places.items_of(value, ITEMS)
    return found is not None and list(map(identity, found)) == base.ids


def _changed_key(value: Any, base: Items) -> Optional[Tuple[str, str, str]]:
    """Return the one key of a dict whose value has changed, with the values; None of more."""
    if not places.is_dict(value) or base.ids is None or base.known is None:
        return None
    now = places.items_of(value, ITEMS)
    half = base.length
    if now is None or len(now) != len(base.ids):
        return None
    ids = list(map(identity, now))
    changed = [place for place in range(half) if ids[half + place] != base.ids[half + place]]
    if ids[:half] != base.ids[:half] or len(changed) != 1 or not is_plain(now[changed[0]]):
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
