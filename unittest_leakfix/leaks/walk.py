"""Upwards from objects to whoever refers to them, until a root is met."""

from __future__ import annotations

import gc
from typing import Any, Dict, List, Sequence, Set, Tuple

from unittest_leakfix._core.early import bind

from . import naming, paths, roots
from .referents import referents

__unittest = True
bind(globals())
_is_tracked: Any = getattr(gc, "is_tracked", None)     # not on PyPy

NODES = 20000
"""How many objects are looked at for the sake of one."""
WIDTH = 1000
"""From how many objects of one level the search goes on; roots are looked for among all of them."""
# One get_referrers call compares every reference of the heap with each object asked for: 0.45 ms an
# object on a heap of a million (3.8 to 3.13). From here on one pass with a set (300 ms) is cheaper.
_BATCH = 512


class Search:
    """What is known of one target's holders: the level at which each was met, and the roots."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.levels: Dict[int, int] = {target: 0}
        self.frontier: List[int] = [target]
        self.roots: Dict[int, List[roots.Root]] = {}
        self.leaves: List[int] = []
        self.done = False
        self.looked_at = 0
        self.gave_up = 0


class Walk:
    """Breadth first upwards from all targets at once; every object is asked for its holders once."""

    get_referrers = staticmethod(gc.get_referrers)
    get_objects = staticmethod(gc.get_objects)
    get_referents = staticmethod(referents)

    def __init__(self, targets: Sequence[object], others: Set[int], ignored: Set[int], limit: int, extra: int) -> None:
        self.extra = extra
        self.targets = {id(target) for target in targets}
        self.nodes: Dict[int, Any] = {id(target): target for target in targets}
        self.large = naming.Large(self.nodes)
        self.holders: Dict[int, List[int]] = {}
        self.unseen: Dict[int, int] = {}
        self.scans = 0
        self.limit = limit
        self.others = others
        self.ignored = ignored
        self.roots = roots.Roots(ignored)
        self.searches = [Search(id(target)) for target in targets]
        self.hidden = self.roots.hidden() | {id(self), id(self.__dict__), id(self.nodes)}

    def forget(self) -> None:
        """Lets go of everything that was looked at."""
        self.nodes.clear()
        self.large.forget()
        self.roots.variables.clear()

    def out_of_sight(self, oid: int) -> int:
        """How many references to an object are our own but for those of `nodes`."""
        return self.extra if oid in self.targets else 0

    def run(self) -> None:
        """Goes up level by level until each search has a root that lasts, or nothing more to look at."""
        for search in self.searches:
            self._meet(search, search.target, 0)
            search.done = search.target in self.roots.modules
        for level in range(1, self.limit + 1):
            going = [search for search in self.searches if not search.done and search.frontier]
            if not going:
                return
            self._scan({oid for search in going for oid in search.frontier})
            new = [(search, self._climb(search, level)) for search in going]
            for _ in range(4):  # a __dict__ is no level of its own; context tables nest
                parts = {oid for _, found in new for oid in found if naming.is_part(self.nodes[oid])}
                if not self._scan(parts):
                    break
                for search, found in new:
                    self._fold(search, found, level)
            for search, found in new:
                search.frontier = found
                if any(root.rank < roots.WARM for known in search.roots.values() for root in known):
                    search.done = not self._only_warm(search)
                search.looked_at += len(found)
                if search.looked_at > NODES:
                    search.gave_up, search.frontier = level, []
        for search in self.searches:
            if search.frontier and not search.done:
                search.gave_up = self.limit

    def _only_warm(self, search: Search) -> bool:
        found = paths.best(search, self)
        return found is not None and found.warm_up is not None

    def _climb(self, search: Search, level: int) -> List[int]:
        new: List[int] = []
        for oid in search.frontier:
            for holder in self.holders.get(oid, ()):
                if holder not in search.levels and self._meet(search, holder, level) and len(new) < WIDTH:
                    new.append(holder)
        return new

    def _fold(self, search: Search, found: List[int], level: int) -> None:
        for part in [oid for oid in found if naming.is_part(self.nodes[oid])]:
            for holder in self.holders.get(part, ()):
                if holder not in search.levels and naming.owns(self.nodes[holder], self.nodes[part]):
                    if self._meet(search, holder, level):
                        found.append(holder)

    def _meet(self, search: Search, oid: int, level: int) -> bool:
        """Notes an object for a search; tells whether to look further up from it."""
        if level and oid in self.others and oid != search.target:
            if oid not in search.leaves:
                search.leaves.append(oid)
            return False
        obj = self.nodes[oid]
        search.levels[oid] = level
        module = self.roots.namespaces.get(oid)
        known = [self.roots.module(module)] if module is not None else self.roots.find(obj)
        if not level:  # what is asked about is not its own root
            known = [root for root in known if root.entry is not None] + self.roots.imported(obj)
        if known:
            search.roots[oid] = known
        return all(root.rank == roots.FRAME for root in known)

    def _scan(self, wanted: Set[int]) -> bool:
        """Finds who refers to the objects with these ids, where that is not known yet."""
        wanted = {oid for oid in wanted if oid not in self.holders}
        if not wanted:
            return False
        batch = tuple(self.nodes[oid] for oid in self.nodes if oid in wanted)
        for oid in wanted:
            self.holders[oid] = []
        found = self._referrers(batch, wanted)
        if not self.scans:  # the __dict__ of an instance is untracked while it holds but untracked objects
            found += self._untracked({id(obj) for obj in batch if not _is_tracked(obj)})
        self.scans += 1
        hidden = self.hidden | {id(batch), id(found)}
        for holder in found:
            if id(holder) not in hidden:
                self._note(holder, wanted)
        for oid in wanted:
            variable = self.roots.variables.get(oid)
            if variable is not None:
                self.nodes.setdefault(id(variable), variable)
                self.holders[oid].append(id(variable))
        return True

    def _note(self, holder: Any, wanted: Set[int]) -> None:
        referents = self.get_referents(holder)
        for oid in wanted.intersection(map(id, referents)):
            if id(holder) in self.ignored:
                self.unseen[oid] = self.unseen.get(oid, 0) + sum(id(obj) == oid for obj in referents)
            else:
                self.holders[oid].append(id(holder))
                self.nodes.setdefault(id(holder), holder)

    def _referrers(self, batch: Tuple[Any, ...], wanted: Set[int]) -> List[Any]:
        if len(batch) <= _BATCH:
            return self.get_referrers(*batch)
        apart, referents = wanted.isdisjoint, self.get_referents
        return [obj for obj in self.get_objects() if not apart(map(id, referents(obj)))]

    def _untracked(self, wanted: Set[int]) -> List[Any]:
        found: Dict[int, Any] = {}
        for obj in self.get_objects() if wanted else ():
            for part in self.get_referents(obj):
                if (type(part) is dict or type(part) is tuple) and not _is_tracked(part):
                    if not wanted.isdisjoint(map(id, self.get_referents(part))):
                        found[id(part)] = part
        return list(found.values())
