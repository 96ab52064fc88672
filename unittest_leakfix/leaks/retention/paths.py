"""Paths: from the objects that a search has met, the one way from a root that is printed."""

from __future__ import annotations

import sys
from types import CellType, ModuleType, TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Collection,
    Dict,
    List,
    NamedTuple,
    Optional,
    Set,
    Tuple,
)

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.chain import Link, Thing
from unittest_leakfix.leaks.retention import edges, known_caches, objects, roots

if TYPE_CHECKING:
    from unittest_leakfix.leaks.retention.search import Search, Walk

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
    return type(obj) is CellType or type(obj) is TracebackType


def _outlives_call(obj: Any) -> bool:
    return objects.inherits(obj, type) or objects.inherits(obj, ModuleType)


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
