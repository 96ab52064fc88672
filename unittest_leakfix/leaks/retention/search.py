"""The search upwards, from objects to what refers to them, until a root is met."""

from __future__ import annotations

import gc
from types import ModuleType
from typing import (
    Any,
    Callable,
    Collection,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import is_tracked
from unittest_leakfix.leaks.model.chain import Chain, Step
from unittest_leakfix.leaks.retention import edges, objects, roots
from unittest_leakfix.leaks.retention.edges import referents
from unittest_leakfix.leaks.retention.paths import best, last_resort, suspects_of

__unittest = True
bind(globals())

NODES = 20000
"""How many objects are looked at for the sake of one."""
WIDTH = 1000
"""From how many objects of one level the search goes on; roots are looked for among all of them."""
# One get_referrers call compares every reference of the heap with each object searched: 0.45 ms an
# object on a heap of a million (3.8 to 3.13). From here on one pass with a set (300 ms) is cheaper.
_BATCH = 512
_SCAN = 90      # what it takes to go over the heap, in objects searched
_TOGETHER, _FEW = 200, 10
_get_referents = gc.get_referents
_disable = gc.disable
_enable = gc.enable
_isenabled = gc.isenabled
_SOON = 3
"""The number of levels that are always looked at."""
LEVELS = 100
"""How many references a chain may be long."""


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
    """Breadth first upwards from all targets at once; every object's holders are looked up
    once."""

    get_referrers = staticmethod(gc.get_referrers)
    get_objects = staticmethod(gc.get_objects)
    get_referents = staticmethod(referents)

    def __init__(self, targets: Sequence[object], others: Set[int], ignored: Set[int],
                 limit: int) -> None:
        self.targets = {id(target) for target in targets}
        self.nodes: Dict[int, Any] = {id(target): target for target in targets}
        self.large = edges.Large(self.nodes)
        self.holders: Dict[int, List[int]] = {}
        self.unseen: Dict[int, int] = {}
        self.scans = 0
        self.compared = 0       # how often each object of the heap was
        self.late: Optional[Callable[[int], bool]] = None
        self.limit = limit
        self.others = others
        self.ignored = ignored
        self.roots = roots.Roots(ignored)
        self.searches = [Search(id(target)) for target in targets]
        self._roots: Dict[int, List[roots.Root]] = {}   # by the ids of the objects
        self._of_ours: Dict[int, bool] = {}     # by the id of a class
        self.hidden = self.roots.hidden() | {id(self), id(self.__dict__), id(self.nodes)}

    def forget(self) -> None:
        """Lets go of everything that was looked at."""
        self.nodes.clear()
        self.large.forget()
        self.roots.variables.clear()

    def run(self) -> None:
        """Goes up level by level until each search has a root that lasts, or nothing more to look
        at."""
        for search in self.searches:
            self._meet(search, search.target, 0)
            search.done = search.target in self.roots.modules
        for level in range(1, self.limit + 1):
            going = [search for search in self.searches if not search.done and search.frontier]
            if not going:
                return
            if level > _SOON and self.late is not None and self.late(self.compared):
                for search in going:
                    search.gave_up, search.frontier = level, []
                return
            self._scan({oid for search in going for oid in search.frontier})
            new = [(search, self._climb(search, level)) for search in going]
            for _ in range(4):  # a __dict__ is not a level of its own; context tables nest
                parts = {oid for _, found in new for oid in found if edges.is_part(self.nodes[oid])}
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
        found = best(search, self)
        return found is not None and found.warm_up is not None

    def _climb(self, search: Search, level: int) -> List[int]:
        new: List[int] = []
        for oid in search.frontier:
            for holder in self.holders.get(oid, ()):
                if holder not in search.levels and self._meet(search, holder,
                                                              level) and len(new) < WIDTH:
                    new.append(holder)
        return new

    def _fold(self, search: Search, found: List[int], level: int) -> None:
        for part in [oid for oid in found if edges.is_part(self.nodes[oid])]:
            for holder in self.holders.get(part, ()):
                if holder not in search.levels and edges.owns(self.nodes[holder], self.nodes[part]):
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
        known = self._roots.get(oid)
        if known is None:       # several searches meet the same objects
            module = self.roots.namespaces.get(oid)
            known = self._roots[oid] = ([self.roots.module(module)] if module is not None
                                        else self.roots.find(obj))
        if not level:  # the target is not its own root
            known = [root for root in known if root.entry is not None] + self.roots.imported(obj)
        if known:
            search.roots[oid] = known
        return all(root.rank == roots.FRAME for root in known)

    def _scan(self, wanted: Set[int]) -> bool:
        """Find what refers to the objects with these ids, where that is not known yet."""
        wanted = {oid for oid in wanted if oid not in self.holders}
        if not wanted:
            return False
        batch = tuple(self.nodes[oid] for oid in self.nodes if oid in wanted)
        for oid in wanted:
            self.holders[oid] = []
        found = self._referrers(batch, wanted)
        self.compared += _SCAN + min(len(batch), _BATCH)
        # the __dict__ of an instance is untracked while it holds but untracked objects
        if not self.scans:
            found += self._untracked({id(obj) for obj in batch if not is_tracked(obj)})
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
        if id(holder) in self.ignored or self._is_ours(type(holder)):
            for oid in map(id, referents):
                if oid in wanted:
                    self.unseen[oid] = self.unseen.get(oid, 0) + 1
        else:
            for oid in wanted.intersection(map(id, referents)):
                self.holders[oid].append(id(holder))
                self.nodes.setdefault(id(holder), holder)

    def _is_ours(self, cls: type) -> bool:
        """Tell whether a holder of this class is a part of the detector, which is not a holder."""
        found = self._of_ours.get(id(cls))
        if found is None:
            found = self._of_ours[id(cls)] = roots.is_ours(objects.module_of(cls))
        return found

    def _referrers(self, batch: Tuple[Any, ...], wanted: Set[int]) -> List[Any]:
        if len(batch) <= _BATCH:
            return self.get_referrers(*batch)
        apart, referents = wanted.isdisjoint, self.get_referents
        found: List[Any] = []
        everything = self.get_objects()
        kinds = list(map(id, map(type, everything)))
        modules = {key for key, kind in dict(zip(kinds, map(type, everything))).items()
                   if issubclass(kind, ModuleType)}
        # What several refer to is asked for at once, then what a few of them do where that is
        # searched, and only then each for itself: half of the time. (Modules are not asked so: see
        # `edges.referents`.)
        for start in range(0, len(everything), _TOGETHER):
            some = everything[start:start + _TOGETHER]
            if not modules.isdisjoint(kinds[start:start + _TOGETHER]):
                found += [obj for obj in some if not apart(map(id, referents(obj)))]
            elif not apart(map(id, _get_referents(*some))):
                for few in [some[place:place + _FEW] for place in range(0, len(some), _FEW)]:
                    if not apart(map(id, _get_referents(*few))):
                        found += [obj for obj in few if not apart(map(id, _get_referents(obj)))]
        return found

    def _untracked(self, wanted: Set[int]) -> List[Any]:
        found: Dict[int, Any] = {}
        for obj in self.get_objects() if wanted else ():
            for part in self.get_referents(obj):
                if (type(part) is dict or type(part) is tuple) and not is_tracked(part):
                    if not wanted.isdisjoint(map(id, self.get_referents(part))):
                        found[id(part)] = part
        return list(found.values())


# The one chain of references that keeps an object alive, as text.


class Trace(NamedTuple):
    """A chain, and the ids of the objects on it from the root to the one before the last."""

    chain: Optional[Chain]
    through: Tuple[int, ...] = ()


def chains(targets: Sequence[object], *, others: Iterable[int] = (), ignore: Iterable[object] = (),
           born: Optional[Collection[int]] = None, limit: int = LEVELS) -> List[Optional[Chain]]:
    """Finds, for each object, the nearest chain from a root; the heap must be thawed.

    others: ids of leaks that no chain passes through; ignore: containers and frames that are no
    holders; born: ids of what is known to be young, for the suspects; limit: the longest chain.
    None where nothing holds an object but the caller. Runs no code of any object, keeps none.
    """
    return [trace.chain for trace in traces(targets, others, [*ignore, ignore], born, limit)]


def traces(targets: Sequence[object], others: Iterable[int] = (), ignore: Iterable[object] = (),
           born: Optional[Collection[int]] = None, limit: int = LEVELS,
           late: Optional[Callable[[int], bool]] = None,
           scanned: Optional[Callable[[int], None]] = None, apart: bool = False) -> List[Trace]:
    """Do what `chains` does, and say what each chain passes through.

    late: tells when to give up, given how often each object of the heap was compared;
    scanned: called with the number of times that the heap was gone over; apart: the tests go on
    meanwhile, in another thread, and the collector is left alone.
    """
    walk = Walk(targets, set(others), {id(obj) for obj in ignore} | {id(ignore), id(targets)},
                limit)
    walk.late = late
    enabled = not apart and _isenabled()
    if enabled:
        _disable()  # a collection in the middle would cost more than the walk
    try:
        walk.run()
        if scanned is not None:
            scanned(walk.scans)
        return [_text(search, walk, born) for search in walk.searches]
    finally:
        walk.forget()
        if enabled:
            _enable()


def _text(search: Search, walk: Walk, born: Optional[Collection[int]]) -> Trace:
    found = best(search, walk) or last_resort(search, walk)
    if found is None:
        return Trace(None)
    suspects = suspects_of(found.hops, born)
    steps = tuple(Step(hop.access, hop.what, hop.place, index in suspects, hop.link, hop.key)
                  for index, hop in enumerate(found.hops))
    return Trace(Chain(found.expression, found.evaluates, steps, found.kind, found.warm_up,
                       found.bounded),
                 tuple(hop.oid for hop in found.hops[:-1]))
