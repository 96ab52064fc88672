"""The search upwards, from objects to what refers to them, until a root is met."""

from __future__ import annotations

import gc
import sys
import types
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
from unittest_leakfix.leaks.model.chain import Chain, Link, Step, Thing
from unittest_leakfix.leaks.retention import edges, known_caches, objects, roots
from unittest_leakfix.leaks.retention.edges import referents

__unittest = True
bind(globals())

_getrefcount: Callable[[Any], int] = getattr(sys, "getrefcount", lambda value: 0)    # not on PyPy

EXACT = "t" not in getattr(sys, "abiflags", "")
"""Whether every reference counts: a free-threaded build leaves out some, and adds others of its
own."""
_SILENT = (".__closure__", ".__defaults__", ".__kwdefaults__", ".args", ".keywords")
_ON_PATHS = 400
_SIBLINGS = 4
# nodes' own reference, the loop variable's and getrefcount's argument
_OURS = 3
_is_tracked: Any = getattr(gc, "is_tracked", None)     # not on PyPy
NODES = 20000
"""How many objects are looked at for the sake of one."""
WIDTH = 1000
"""From how many objects of one level the search goes on; roots are looked for among all of them."""
# One get_referrers call compares every reference of the heap with each object searched: 0.45 ms an
# object on a heap of a million (3.8 to 3.13). From here on one pass with a set (300 ms) is cheaper.
_BATCH = 512
_disable = gc.disable
_enable = gc.enable
_isenabled = gc.isenabled
_SOON = 3
"""The number of levels that are always looked at."""
LEVELS = 100
"""How many references a chain may be long."""


# From the objects that a walk has met, the one path to print.


class Path(NamedTuple):
    """One way from a root to an object."""

    rank: int
    kind: str
    expression: str
    evaluates: bool
    hops: Tuple[roots.Hop, ...]
    library: bool = False
    cached: bool = False
    warm_up: Optional[str] = None
    bounded: bool = False

    def key(self) -> Tuple[Any, ...]:
        """What paths are compared by: no id in it, so that the same heap gives the same path."""
        rank = max(self.rank, roots.WARM) if self.warm_up is not None else self.rank
        return rank, len(self.hops), len(self.expression), self.expression


def best(search: Search, walk: Walk) -> Optional[Path]:
    """The best path from any root that a search has met to its target, or None."""
    paths = _PathFinder(search, walk)
    found = paths.best(search.target)
    paths.known.clear()
    return found


class _PathFinder:
    """Paths from roots down to each object on the way to the target."""

    def __init__(self, search: Search, walk: Walk) -> None:
        self.search = search
        self.walk = walk
        self.known: Dict[int, Optional[Path]] = {}
        self.on_path = self._below_roots()

    def _below_roots(self) -> Set[int]:
        """Every object on a way from the target up to a root, going only upwards."""
        levels = self.search.levels
        below: Dict[int, List[int]] = {}
        for child in levels:
            for holder in self.walk.holders.get(child, ()):
                if holder in levels and levels[holder] >= levels[child]:
                    below.setdefault(holder, []).append(child)
        found = set(self.search.roots)
        waiting = list(found)
        while waiting and len(found) < _ON_PATHS:
            holder = waiting.pop(0)
            for child in self._foremost(holder, below.get(holder, [])):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return found | {self.search.target}

    def _foremost(self, holder: int, children: List[int]) -> List[int]:
        """A few of many: naming each of 100,000 items of a list would take minutes."""
        if len(children) <= _SIBLINGS:
            return children
        obj, wanted = self.walk.nodes[holder], set(children)
        found = [id(part) for part in self.walk.get_referents(obj) if id(part) in wanted]
        # these are visited from the end
        if objects.inherits(obj, list) or objects.inherits(obj, tuple):
            found.reverse()
        return found[:_SIBLINGS]

    def best(self, oid: int) -> Optional[Path]:
        """The best path to one object."""
        if oid in self.known:
            return self.known[oid]
        self.known[oid] = None  # a cycle leads nowhere
        obj = self.walk.nodes[oid]
        options = [_from_root(root, obj) for root in self.search.roots.get(oid, ())]
        for holder in self._holders(oid):
            above = self.best(holder)
            if above is not None:
                options.append(extend(above, self.walk.nodes[holder], obj, self.walk.large))
        for module in self._modules(oid):
            options.append(extend(_from_root(self.walk.roots.module(module), module), module, obj,
                                  self.walk.large))
        self.known[oid] = min(options, key=Path.key) if options else None
        return self.known[oid]

    def _modules(self, oid: int) -> List[Any]:
        spaces = self.walk.roots.namespaces
        return [spaces[holder] for holder in self.walk.holders.get(oid, ())
                if holder in spaces and holder in self.search.levels]

    def _holders(self, oid: int) -> List[int]:
        """Return what holds an object, the owners of a ``__dict__`` in its place."""
        found: List[int] = []
        levels, spaces = self.search.levels, self.walk.roots.namespaces
        for holder in self.walk.holders.get(oid, ()):
            if holder in self.on_path and holder not in spaces and levels[holder] >= levels[oid]:
                owners = self._owners(holder)
                found.extend(owners or [holder])
        return list(dict.fromkeys(found))

    def _owners(self, part: int) -> List[int]:
        nodes = self.walk.nodes
        if not edges.is_part(nodes[part]):
            return []
        found: List[int] = []
        for owner in self.walk.holders.get(part, ()):
            if owner in self.on_path and edges.owns(nodes[owner], nodes[part]):
                found.extend(self._owners(owner) or [owner])
        return found


def _from_root(root: roots.Root, obj: Any) -> Path:
    library = root.rank == roots.LIBRARY
    path = Path(root.rank, root.kind, root.expression, root.evaluates, (root.hop,), library)
    return path if root.entry is None else _along(path, root.entry, obj)


def extend(above: Path, holder: Any, child: Any, large: edges.Large) -> Path:
    """The path that goes on from `holder` to `child`."""
    path = _along(above, edges.edge(holder, child, large), child)
    return path._replace(cached=above.cached or type(holder) is objects.LRU_CACHE,
                         bounded=above.bounded or known_caches.is_bounded(holder, child))


def _along(above: Path, edge: edges.Edge, child: Any) -> Path:
    hops, access, last = above.hops, edge.access, above.hops[-1]
    link, key = edge.link, edge.key
    if last.silent:
        hops, access, link, key = hops[:-1], last.access + access, Link.OTHER, ""
    silent = edge.access in _SILENT or _is_cell_or_traceback(child)
    hop = roots.Hop(access, objects.thing(child), objects.place(child), id(child),
                    _outlives_call(child), _container(child), silent, link, key)
    expression = edge.before + above.expression + edge.after
    path = above._replace(expression=expression, hops=hops + (hop,),
                          evaluates=above.evaluates and edge.evaluates)
    names = "".join(step.access for step in path.hops)
    return path._replace(warm_up=known_caches.known_cache(names, path.library, path.cached, child))


def _is_cell_or_traceback(obj: Any) -> bool:
    return type(obj) is types.CellType or type(obj) is types.TracebackType


def _outlives_call(obj: Any) -> bool:
    return objects.inherits(obj, type) or objects.inherits(obj, types.ModuleType)


def _container(obj: Any) -> bool:
    return any(objects.inherits(obj, base) for base in objects.CONTAINERS)


def suspects_of(hops: Tuple[roots.Hop, ...], born: Optional[Collection[int]]) -> Set[int]:
    """The hops at which something short-lived hangs on something that lives long.

    With `born` that is one: from the last that is older to the first that is young. Without, it is
    all between the last that lives long (a module, class or thread, or what a module's name holds)
    and the target. Of these, a name says more than the index behind it.
    """
    last = len(hops) - 1
    if born is not None:
        first = next((index for index, hop in enumerate(hops) if index and hop.oid in born), last)
        found = [first]
        while hops[found[0]].access.startswith(("[", " ")) and found[0] > 1 and hops[found[0]
                                                                                     - 1].container:
            found.insert(0, found[0] - 1)
    else:
        first = last - 1 if last > 1 and hops[last].access in (".__self__",
                                                               ".cell_contents") else last
        start = max((index for index, hop in enumerate(hops[:-1]) if hop.lasting), default=0) + 1
        if start < first and not hops[start].container:
            start += 1
        found = list(range(min(start, first), first + 1))
    named = [index for index in found if not hops[index].access.startswith(("[", " "))]
    return set(named or found[:1]) if born is None else {(named or found)[-1]}


def last_resort(search: Search, walk: Walk) -> Optional[Path]:
    """For an object that no root was met for: another leak, a walk given up, or holders out of
    sight."""
    for leaf in search.leaves:
        above = Path(roots.LEAK, "leak", "<another leak>", False,
                     (_plain("<another leak>", walk.nodes[leaf]),))
        search.levels[leaf] = walk.limit
        search.roots[leaf] = [roots.Root(roots.LEAK, "leak", "<another leak>", False,
                                         above.hops[0])]
    if search.leaves:
        return best(search, walk)
    if search.gave_up:
        hop = roots.Hop("<unknown>", Thing("end", length=search.gave_up), "")
        end = _plain(" ...", walk.nodes[search.target])
        return Path(roots.LEAK, "unknown", "<unknown>", False, (hop, end))
    hidden = [oid for oid in search.levels
              if EXACT and unexplained_references(oid, search, walk) > 0]
    if not hidden:
        return None
    top = min(search.levels[oid] for oid in hidden)
    for oid in hidden:
        if search.levels[oid] == top:
            count = unexplained_references(oid, search, walk)
            hop = roots.Hop("<C code>", Thing("C code", length=count), "", lasting=True)
            entry = edges.Edge("", "", "", False)
            search.roots[oid] = [roots.Root(roots.LEAK, "unknown", "<C code>", False, hop, entry)]
    return best(search, walk)


def _plain(access: str, obj: Any) -> roots.Hop:
    return roots.Hop(access, objects.thing(obj), objects.place(obj), id(obj))


def unexplained_references(oid: int, search: Search, walk: Walk) -> int:
    """How many references to an object neither the collector, nor the frames, nor we ourselves
    explain."""
    obj = walk.nodes[oid]
    explained = walk.unseen.get(oid, 0) + walk.roots.counts.get(oid, 0)
    for holder in walk.holders.get(oid, ()):
        explained += sum(1 for found in walk.get_referents(walk.nodes[holder]) if found is obj)
    return _getrefcount(obj) - _OURS - explained


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
        self.late: Optional[Callable[[], bool]] = None
        self.limit = limit
        self.others = others
        self.ignored = ignored
        self.roots = roots.Roots(ignored)
        self.searches = [Search(id(target)) for target in targets]
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
            if level > _SOON and self.late is not None and self.late():
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
        module = self.roots.namespaces.get(oid)
        known = [self.roots.module(module)] if module is not None else self.roots.find(obj)
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
        # the __dict__ of an instance is untracked while it holds but untracked objects
        if not self.scans:
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
        unseen = id(holder) in self.ignored or self._is_ours(type(holder))
        for oid in wanted.intersection(map(id, referents)):
            if unseen:
                self.unseen[oid] = self.unseen.get(oid,
                                                   0) + sum(id(obj) == oid for obj in referents)
            else:
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
        return [obj for obj in self.get_objects() if not apart(map(id, referents(obj)))]

    def _untracked(self, wanted: Set[int]) -> List[Any]:
        found: Dict[int, Any] = {}
        for obj in self.get_objects() if wanted else ():
            for part in self.get_referents(obj):
                if (type(part) is dict or type(part) is tuple) and not _is_tracked(part):
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
           late: Optional[Callable[[], bool]] = None,
           scanned: Optional[Callable[[int], None]] = None) -> List[Trace]:
    """Do what `chains` does, and say what each chain passes through.

    late: tells when to give up; scanned: called with the number of times that the heap was gone
    over.
    """
    walk = Walk(targets, set(others), {id(obj) for obj in ignore} | {id(ignore), id(targets)},
                limit)
    walk.late = late
    enabled = _isenabled()
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
