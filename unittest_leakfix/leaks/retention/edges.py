"""Edges: what an object refers to, and by which attribute, index or key."""

from __future__ import annotations

import collections
import contextvars
import functools
import gc
import keyword
import sys
import weakref
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CellType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import Any, Callable, Collection, Dict, Iterator, List, NamedTuple, Optional, Tuple

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import name_slot
from unittest_leakfix.leaks.model.chain import Link
from unittest_leakfix.leaks.retention import objects

__unittest = True
bind(globals())

_get_referents = gc.get_referents
_getframe = sys._getframe
_getrefcount: Callable[[Any], int] = getattr(sys, "getrefcount", lambda value: 0)    # not on PyPy
_gettrace = sys.gettrace
# C types whose attributes are read by getset descriptors known to run no user's code.
_KNOWN: Tuple[Tuple[type, Tuple[str, ...]], ...] = (
    (MethodType, ("__self__", "__func__")),
    (FunctionType,
     ("__closure__", "__defaults__", "__kwdefaults__", "__globals__", "__code__")),
    (BuiltinFunctionType, ("__self__",)),
    (functools.partial, ("func", "args", "keywords")),
    (property, ("fget", "fset", "fdel")),
    (CellType, ("cell_contents",)),
    (TracebackType, ("tb_frame", "tb_next")),
    (GeneratorType, ("gi_frame", "gi_yieldfrom")),
    (CoroutineType, ("cr_frame", "cr_await")),
    (AsyncGeneratorType, ("ag_frame", "ag_await")),
    (BaseException, ("__traceback__", "__context__", "__cause__", "args")),
    (weakref.ref, ("__callback__",)),
    (type, ("__mro__", "__bases__")),
)
_FRAMES = (
    (GeneratorType, "gi_frame"), (CoroutineType, "cr_frame"),
    (AsyncGeneratorType, "ag_frame"))
_deque, _Counter = collections.deque, collections.Counter
_SEQUENCES = (list, tuple, _deque)
_CONTAINERS: Tuple[Any, ...] = _SEQUENCES + (dict, set, frozenset)
_PLAIN_LOOKUP = (object.__getattribute__, type.__getattribute__, ModuleType.__getattribute__)
_HAMT = ("hamt", "hamt_bitmap_node", "hamt_array_node", "hamt_collision_node")
# Before 3.13 a frame keeps the dict that f_locals made, with every local in it.
_SNAPSHOTS = sys.version_info < (3, 13)
MANY = 1000
"""Containers with more items than this are gone through once for all their items of interest."""


# What an object refers to, as the collector sees it, but for what must not be touched.


def referents(obj: Any) -> List[Any]:
    """Return the objects that `obj` refers to; of a module its names, not the state of its C code.

    3.12's ``_asyncio`` shows the collector its free list: objects that are dead. To take hold of
    one and let it go frees it a second time, and the next collection never ends.
    """
    return [vars(obj)] if issubclass(type(obj), ModuleType) else _get_referents(obj)


class Edge(NamedTuple):
    """How one object refers to another: text to show, and the expression around the holder's
    own."""

    access: str
    before: str
    after: str
    evaluates: bool = True
    link: Link = Link.OTHER
    key: str = ""


_Edges = Callable[[object, Collection[int]], Iterator[Tuple[int, Edge]]]


def frame_locals(frame: FrameType) -> List[Tuple[str, Any]]:
    """The local variables of a frame, leaving no copy of them behind in the frame."""
    optimized = frame.f_code.co_flags & 1  # CO_OPTIMIZED: elsewhere f_locals is the true namespace
    found = frame.f_locals
    if not optimized and type(found) is not dict:  # a class body whose metaclass gave it a mapping
        return []
    try:
        pairs = [(name if type(name) is str else "?", value) for name, value in list(found.items())]
    except RuntimeError:
        return []
    # Taking names out while a tracer looks at the frame would delete the variables themselves.
    if _SNAPSHOTS and optimized and frame.f_trace is None and _gettrace() is None:
        if _getrefcount(found) == _SNAPSHOT_COUNT:  # else locals() was called and kept
            code = frame.f_code
            for name in code.co_varnames + code.co_cellvars + code.co_freevars:
                found.pop(name, None)
    return pairs


def _snapshot_count() -> int:
    found = _getframe().f_locals
    return _getrefcount(found)


_SNAPSHOT_COUNT = _snapshot_count()


def is_part(obj: object) -> bool:
    """Tells whether an object may be but a part of its holder: a ``__dict__``, a generator's
    frame."""
    return type(obj) is dict or type(obj) is FrameType or name_slot(type(obj)) in _HAMT


def owns(owner: object, part: object) -> bool:
    """Tells whether `part` is the ``__dict__`` (or generator frame, or context table) of
    `owner`."""
    if type(part) is FrameType:
        return any(type(owner) is kind and getattr(owner, name) is part for kind, name in _FRAMES)
    if type(part) is not dict:
        return type(owner) is contextvars.Context or name_slot(type(owner)) in _HAMT
    if objects.inherits(owner, type):
        return any(found is part for found in _get_referents(objects.class_dict(owner)))  # type: ignore[arg-type]
    return objects.own_dict(owner) is part


def edge(holder: object, child: object, large: Optional[Large] = None) -> Edge:
    """Names the reference from `holder` to `child`, the plainest name first; always finds one.

    large: what is known of containers with many items. Runs no code of either object.
    """
    for namer in (_by_attribute, _by_member, _by_local, _by_item, _by_context):
        try:
            if namer is _by_item and large is not None and _length(holder) > MANY:
                found = large.edge(holder, child, _items)
            else:
                found = namer(holder, child)
        except errors.PASSING:
            raise
        except BaseException:  # some C type that is half made; the collector can still tell
            continue
        if found is not None:
            return found
    if type(holder) is child:
        return Edge("type()", "type(", ")")
    if large is None:
        found = _first(_in_c(holder, {id(child)}))
    else:
        found = large.edge(holder, child, _in_c)
    return found or Edge(" (C code)", "", "", False)


class Large:
    """The edges from containers with many items to the objects that are searched.

    Two hundred of a list with a million items would take ten seconds to find one by one. Text and
    ids only: it keeps nothing alive, and is forgotten before the objects.
    """

    def __init__(self, wanted: Collection[int]) -> None:
        """wanted: the ids, which may become more."""
        self._wanted = wanted
        self._known: Dict[int, Tuple[int, Dict[int, Edge]]] = {}

    def edge(self, holder: object, child: object, edges: _Edges) -> Optional[Edge]:
        """Return the edge from *holder* to *child*; *edges* finds those of a holder."""
        count, known = self._known.get(id(holder), (-1, {}))
        if id(child) not in known and count != len(self._wanted):
            known = {}
            for oid, found in edges(holder, self._wanted):
                known.setdefault(oid, found)
            self._known[id(holder)] = len(self._wanted), known
        return known.get(id(child))

    def forget(self) -> None:
        """Forget everything."""
        self._known.clear()


def _length(holder: object) -> int:
    for base in _CONTAINERS:
        if objects.inherits(holder, base):
            return int(base.__len__(holder))
    return 0


def _first(edges: Iterator[Tuple[int, Edge]]) -> Optional[Edge]:
    return next(edges, (0, None))[1]


def _in_c(holder: object, wanted: Collection[int]) -> Iterator[Tuple[int, Edge]]:
    cached = type(holder) is objects.LRU_CACHE
    for index, value in enumerate(referents(holder)):
        if id(value) in wanted:
            shown = (" cached call" if type(value) is tuple
                     else " cached value") if cached else " reference in C"
            yield id(value), Edge(shown, "gc.get_referents(", ")[%d]" % index)


def attribute(name: str) -> bool:
    """Tells whether a name can stand after a dot."""
    return name.isidentifier() and not keyword.iskeyword(name)


def _by_attribute(holder: object, child: object) -> Optional[Edge]:
    is_class = objects.inherits(holder, type)
    namespace = dict(objects.class_dict(holder)) if is_class else objects.own_dict(holder)  # type: ignore[arg-type]
    for name, value in objects.items(namespace) if namespace else ():
        if value is child and type(name) is str:
            return _class_edge(name, value) if is_class else _instance_edge(holder, name)
    return None


def _class_edge(name: str, value: object) -> Edge:
    bound = objects.type_attribute(type(value),
                                   "__get__") is not None and type(value) is not FunctionType
    if bound or not attribute(name):
        return Edge(".__dict__[%r]" % name, "", ".__dict__[%r]" % name, True,
                    Link.ATTRIBUTE if attribute(name) else Link.OTHER, name)
    return Edge("." + name, "", "." + name, True, Link.ATTRIBUTE, name)


def _instance_edge(holder: object, name: str) -> Edge:
    if not attribute(name):
        return Edge(".__dict__[%r]" % name, "", ".__dict__[%r]" % name)
    kind = type(holder)
    if not any(objects.type_attribute(kind, "__getattribute__") is plain
               for plain in _PLAIN_LOOKUP):
        if type(objects.type_attribute(kind, "__getattribute__")) is FunctionType:
            return Edge("." + name, "object.__getattribute__(", ", %r)" % name)
    shadow = objects.type_attribute(kind, name)
    if shadow is not None and objects.type_attribute(type(shadow), "__set__") is not None:
        return Edge("." + name, "", ".__dict__[%r]" % name)
    return Edge("." + name, "", "." + name, True, Link.ATTRIBUTE, name)


def _by_member(holder: object, child: object) -> Optional[Edge]:
    known: Tuple[str, ...] = ()
    for kind, names in _KNOWN:
        if objects.inherits(holder, kind):
            known = names
    for cls in objects.mro(type(holder)):
        namespace = objects.class_dict(cls)
        slots = [name for name in namespace if type(namespace[name]) is MemberDescriptorType]
        for name in [known_name for known_name in known if known_name in namespace] + slots:
            try:
                value = namespace[name].__get__(holder, type(holder))
            except (AttributeError, TypeError, ValueError):
                continue
            if value is child and type(name) is str:
                settable = name in slots and name not in known and not name.startswith("__")
                return Edge("." + name, "", "." + name, True,
                            Link.ATTRIBUTE if settable else Link.OTHER, name)
    return None


def _by_local(holder: object, child: object) -> Optional[Edge]:
    prefix, frame = "", holder
    for kind, name in _FRAMES:
        if type(holder) is kind:
            prefix, frame = "." + name, getattr(holder, name)
    if type(frame) is not FrameType:
        return None
    for name, value in frame_locals(frame):
        if value is child:
            access = "%s.f_locals[%r]" % (prefix, name)
            return Edge(access, "", access)
    return None


def _by_item(holder: object, child: object) -> Optional[Edge]:
    return _first(_items(holder, {id(child)}))


def _items(holder: object, wanted: Collection[int]) -> Iterator[Tuple[int, Edge]]:
    """The ids and edges of the *wanted* items of a container."""
    for base in _SEQUENCES:
        if objects.inherits(holder, base):
            return _by_index(holder, wanted, base)
    if objects.inherits(holder, dict):
        return _by_key(holder, wanted)
    if objects.inherits(holder, set) or objects.inherits(holder, frozenset):
        return _by_membership(holder, wanted)
    return iter(())


def _subscript(holder: object, base: type, shown: str, key: str) -> Edge:
    link = Link.VALUE if base is dict else Link.OTHER if base is tuple else Link.INDEX
    if objects.type_attribute(type(holder), "__getitem__") is base.__dict__["__getitem__"]:
        return Edge("[%s]" % shown, "", "[%s]" % key, True, link, key)
    # the exact base where a subclass has code of its own
    name = "collections.deque" if base is _deque else base.__name__
    return Edge("[%s]" % shown, name + ".__getitem__(", ", %s)" % key, True, link, key)


def _by_index(holder: object, wanted: Collection[int], base: Any) -> Iterator[Tuple[int, Edge]]:
    try:
        for index, oid in enumerate(map(id, base.__iter__(holder))):
            if oid in wanted:
                yield oid, _subscript(holder, base, str(index), str(index))
    except RuntimeError:  # a deque that another thread changed
        pass


def _by_key(holder: object, wanted: Collection[int]) -> Iterator[Tuple[int, Edge]]:
    for index, (key, value) in enumerate(objects.items(holder)):
        if id(value) in wanted:
            if objects.plain_key(key):
                shown = repr(key) if type(key) is tuple else objects.short_key(key)
                yield id(value), _subscript(holder, dict, shown, repr(key))
            else:
                yield id(value), Edge("[%s]" % objects.short_key(key), "list(dict.values(",
                                      "))[%d]" % index, True, Link.VALUE)
        if id(key) in wanted:
            yield id(key), Edge(" key", "list(dict.keys(", "))[%d]" % index, True, Link.KEY)


def _by_membership(holder: object, wanted: Collection[int]) -> Iterator[Tuple[int, Edge]]:
    kind: Any = set if objects.inherits(holder, set) else frozenset
    members, base = list(kind.__iter__(holder)), kind.__name__
    alike = _Counter(map(id, map(type, members)))
    link = Link.MEMBER if kind is set else Link.OTHER
    for index, member in enumerate(members):
        if id(member) not in wanted:
            continue
        if alike[id(type(member))] == 1 and len(members) > 1:  # an index would depend on the ids
            name = name_slot(type(member))
            if sum(name_slot(type(other)) == name for other in members) == 1:
                yield id(member), Edge(" member", "[m for m in %s.__iter__(" % base,
                                       ") if type(m).__name__ == %r][0]" % name, True, link)
        yield id(member), Edge(" member", "list(%s.__iter__(" % base, "))[%d]" % index, True, link)


def _by_context(holder: object, child: object) -> Optional[Edge]:
    if type(holder) is contextvars.ContextVar:
        current = contextvars.copy_context()
        if holder in current and current[holder] is child:
            return Edge(".get()", "", ".get()")
    if type(holder) is contextvars.Context:
        for index, (var, value) in enumerate(holder.items()):
            if value is child:
                return Edge("[<ContextVar %s>]" % objects.short_key(var.name), "list(",
                            ".values())[%d]" % index)
    return None
