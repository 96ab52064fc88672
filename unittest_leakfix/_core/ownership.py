"""Would this object be garbage if I let go of it?

An object is *owned* when nothing but the caller, and its own cycle, refers to it.
The answer is exact on CPython, where references are counted: the question is the
cycle collector's own ("trial deletion"), applied to one small graph. What cannot be
explained, because it lies past the limit, in C or in a running frame, counts as
shared.

While other threads run, a reference may move from one object of the graph to another
between two looks, and then each seems to be explained. So the whole graph is looked at
once more, by C code during which the interpreter lock lets nobody else run, and any
difference counts as shared. A free-threaded build has no such lock, and the two halves
of a count (the owning thread's and the others') are not read at one moment either:
there nothing is owned while another thread is alive.
"""

from __future__ import absolute_import

import gc
import sys
import types
import weakref
from functools import partial
from itertools import islice, repeat
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType

try:
    from _thread import _count as _thread_count
except ImportError:     # Python 2.7
    from thread import _count as _thread_count
try:
    from itertools import imap as _lazily
except ImportError:
    _lazily = map

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import (
    CONTAINERS,
    PLAIN,
    flags_slot,
    is_tracked,
    module_slot,
    name_slot,
)

__unittest = True
bind(globals())
_ref = weakref.ref
_getframe = sys._getframe

#: How many objects one question may look at: 4 to 25 microseconds for a
#: connection, 1 ms at the limit.
LIMIT = 2000

#: False on PyPy and others that do not count references: there nothing is owned.
COUNTED = hasattr(sys, "getrefcount")

_getrefcount = getattr(sys, "getrefcount", lambda value: sys.maxsize)
# A free-threaded build (3.13) may run with the lock: PYTHON_GIL=1, an extension that needs it.
_has_lock = getattr(sys, "_is_gil_enabled", lambda: True)
_FREE_THREADED = "t" in getattr(sys, "abiflags", "")
_NESTED = 0x10      # CO_NESTED: a closure's references are counted
_current_frames = getattr(sys, "_current_frames", dict)
_call = partial.__call__    # in C
_get_referents = gc.get_referents
_Function, _Frame = FunctionType, FrameType

# Never walked through: they lead to half the process, and whatever hangs in a
# cycle through one of them is not ours to judge.
_STOPS = (type, getattr(types, "ClassType", type), ModuleType)
# Nothing lies behind these; leaving them out keeps the walk short.
_ATOMS = PLAIN | frozenset([object, BuiltinFunctionType, CodeType, ModuleType])
_names_in = ModuleType.__dict__["__dict__"].__get__
_HEAP_TYPE = 1 << 9
_IMMUTABLE = 1 << 8 if sys.version_info >= (3, 10) else 0     # made by a C module
#: The numbers of our own threads (`patience`), and of those that wait now and hold nothing.
ours, resting = set(), set()
_lasting = {}    # id: weak reference to a class that its module names
# Looked into last: rows that a test keeps would use up the limit, and the connection
# beside them count as shared (its statement cache refers to it, 3.11).
_LONG = 100
# What leads back to an object is near it.
_FEW = 50


def certain():
    """Tell whether reference counts are reliable now.

    Never on PyPy, which has none; not on a free-threaded build while another thread is alive.
    """
    return COUNTED and (not _FREE_THREADED or _has_lock() or not _threaded())


def _threaded():
    """Tell whether other threads may run Python code."""
    # The second is for those that C code has started, and for one that is ending.
    return _thread_count() > len(resting) or (
        _FREE_THREADED and not _has_lock() and len(_current_frames()) > 1)


def owned(held, references=None, past=(), limit=LIMIT, brief=False, ending=0):
    """Return which objects would be garbage if the caller let go of *held*.

    *held* is a list of different objects made for this call (its references are
    not counted); *references* says, item by item, how many references to it the
    caller could drop besides (default: none). No local variable of the caller may
    name one of the objects meanwhile, unless it is counted there. *past* are ids
    of objects that are not looked behind: the holder that would let go. The last *ending* of
    *held* end as well, whatever refers to them.

    Returns the set of the ids of the owned objects: those of *held*, and what
    can be reached from them alone. At most *limit* objects are looked at. *brief*: what lies
    behind the one *held* is only looked at, and in the set, as far as that cannot be judged
    without it.
    """
    if not held or not certain():
        return frozenset()
    if _IN_ORDER and not ending and not _threaded():
        ids = (_owned_by_itself(held, references, frozenset(past)) if brief and len(held) == 1
               else _owned_as_a_whole(held, references, past, min(limit, _LONG)))
        if ids is not None and not _threaded():     # one may have begun meanwhile
            return ids
    return _judged(held, references, past, limit, ending)[0]


def owned_cycle(held, references=None, past=(), limit=LIMIT):
    """As `owned`, and the set of the ids that lead back to the first of *held*."""
    if not held or not certain():
        return frozenset(), frozenset()
    ids, nodes, below = _judged(held, references, past, limit)
    if not nodes:
        return ids, frozenset()
    above = [[] for _ in nodes]
    for position, inside in enumerate(below):
        for each in inside:
            above[each].append(position)
    return ids, frozenset([id(nodes[position]) for position in _spread(above[0], above)])


def _owned_by_itself(held, references, past):
    """Return the ids of the one *held* object and of what leads back to it, if all that refers to
    these is explained; else None.

    What else lies behind it does not matter to them. So a connection is proven to be garbage by
    two objects of its statement cache (3.11), and what only one holder refers to by none. What
    is passed over here (classes, long containers) could only explain more.
    """
    nodes = held[:]
    first = id(nodes[0])
    counts = {first: _BASE_MAPPED + 1 + (references[0] if references else 0)}
    all_of_first = list(map(_getrefcount, nodes))[0]
    looked = 0      # into how many
    for node in nodes:
        if counts[first] == all_of_first:
            one = None      # its reference would count
            if (list(map(_getrefcount, islice(nodes, looked or 1)))
                    == list(islice(counts.values(), looked or 1))):
                return frozenset(islice(counts, looked or 1))
        looked += 1
        if len(nodes) > _FEW:
            return None
        if type(node) is _Function:
            past = past.union((id(node.__globals__), id(getattr(node, "__builtins__", None))))
        # What the collector does not track refers to nothing.
        for one in filter(is_tracked, _get_referents(node)):
            kind = type(one)
            if kind is type:
                continue
            key = id(one)
            if key in counts:
                counts[key] += 1
                continue
            if key in past or type(kind) is type and (
                    (not one or len(one) > _LONG) if kind in CONTAINERS else kind is _Frame):
                continue
            if not issubclass(kind, _STOPS):
                counts[key] = _BASE_MAPPED + 1
                nodes.append(one)
    node = one = None
    return frozenset(counts) if list(map(_getrefcount, nodes)) == list(counts.values()) else None


def _owned_as_a_whole(held, references, past, limit):
    """Return the ids of *held* and of all that can be reached, if all of it is owned; else None.

    The most frequent answer, for a third of what `_judged` costs: who refers to whom is only
    counted. None, too, when there is much to look at, or what needs a closer look.
    """
    nodes = list(held)
    past = set(past)
    counts = dict(zip(map(id, nodes), [_BASE_MAPPED + 1 + each for each in references]
                      if references else repeat(_BASE_MAPPED + 1)))
    for node in nodes:
        if _is_long(node) or type(node) is _Frame:
            return None
        if type(node) is _Function:
            past.update((id(node.__globals__), id(getattr(node, "__builtins__", None))))
    for node in nodes:
        for one in _get_referents(node):
            key = id(one)
            if key in counts:
                counts[key] += 1
                continue
            kind = type(one)
            if kind is str or one is None or key in _lasting or key in past:
                continue
            if type(kind) is type:
                if kind in _ATOMS:
                    continue
                if kind in CONTAINERS:
                    if len(one) > _LONG:
                        return None
                elif kind is _Function:
                    past.update((id(one.__globals__), id(getattr(one, "__builtins__", None))))
                elif kind is _Frame:
                    return None
            if issubclass(kind, _STOPS) and _lasts(one):
                past.add(key)
                continue
            counts[key] = _BASE_MAPPED + 1
            nodes.append(one)
            if len(nodes) > limit:
                return None
    node = one = None       # their references would count
    return frozenset(counts) if list(map(_getrefcount, nodes)) == list(counts.values()) else None


def _judged(held, references, past, limit, ending=0):
    """Return the ids of what is owned, all objects that were looked at, and their referents."""
    ends = range(len(held) - ending, len(held))
    seen = [] if _threaded() else None
    nodes, known, below = _walk(held, references, past, limit, seen)
    if seen is None:
        outside = [position for position, count in enumerate(_lazily(_getrefcount, nodes))
                   if count - _BASE_MAPPED != known[position]]
        if _threaded():     # one has begun meanwhile: a finalizer or a signal handler may do that
            return frozenset(), (), ()
    else:
        outside = _outside_at_once(nodes, known, seen)
    if _FREE_THREADED:
        outside += [position for position in range(len(nodes)) if _is_deferred(nodes[position])]
    if ending:
        outside = [position for position in outside if position not in ends]
    if not outside:
        return frozenset(map(id, nodes)), nodes, below
    shared = _spread(outside, below)
    return (frozenset([id(nodes[position]) for position in range(len(nodes))
                       if position not in shared]), nodes, below)


def _is_deferred(node):
    """Tell whether a free-threaded build counts no references from running frames to *node*."""
    return (type(node) is FunctionType and not node.__code__.co_flags & _NESTED
            or issubclass(type(node), type))


def _spread(begin, edges):
    """Return all positions that can be reached from *begin* along *edges*."""
    reached = set(begin)
    todo = list(begin)
    while todo:
        for position in edges[todo.pop()]:
            if position not in reached:
                reached.add(position)
                todo.append(position)
    return reached


def _outside_at_once(nodes, known, seen):
    """List the positions of the *nodes* that more refers to than is *known*, looked at in one
    moment; all of them if their referents are no longer those that were *seen*."""
    counts, referents = _at_once(nodes, [nodes[position] for position, _ in seen])
    looked = [0] * len(nodes)
    for position, _ in seen:
        looked[position] = _LOOKED
    walked = [key for _, keys in seen for key in keys]
    if walked != [id(referent) for referent in referents]:
        return list(range(len(nodes)))
    return [position for position in range(len(nodes))
            if counts[position] - looked[position] - _BASE_AT_ONCE != known[position]]


def _at_once(nodes, looked):
    """Return the counts of *nodes* and the referents of those *looked* into.

    All is one call of C code: no bytecode runs in it, so no other thread does. The items of
    *looked* count some references more (`_LOOKED`).
    """
    both = partial(list, _lazily(_getrefcount, nodes)), partial(_get_referents, *looked)
    return list(map(_call, both))


def _walk(held, references, past, limit, seen=None):
    """Breadth first, long containers last: the objects, the references seen to each,
    and its referents.

    With *seen*, a list, (position, ids of all its referents) is added for each object that
    was looked into.
    """
    nodes = list(held)
    known = [1 + each for each in references] if references else [1] * len(nodes)
    below = [[] for _ in nodes]
    found = dict(zip(map(id, nodes), range(len(nodes))))
    past = set(past)
    soon, late = [], []
    for position in range(len(nodes)):
        (late if _is_long(nodes[position]) else soon).append(position)
    # All in one loop: a call for each object, and for each referent, would cost more than the rest.
    for turns in (soon, late):
        for turn in turns:
            node = nodes[turn]
            kind = type(node)
            if kind is _Function:
                past.update((id(node.__globals__), id(getattr(node, "__builtins__", None))))
            elif kind is _Frame:
                # An exception that is kept holds the frames it went through.
                past.update((id(node.f_globals), id(node.f_builtins)))
                past.update(_running())
            elif turns is late and _is_long(node) and len(node) > limit:
                continue
            inside = below[turn]
            referents = _get_referents(node)
            if seen is not None:
                seen.append((turn, [id(referent) for referent in referents]))
            for referent in referents:
                key = id(referent)
                if key in found:
                    position = found[key]
                    known[position] += 1
                    inside.append(position)
                    continue
                kind = type(referent)
                # Only a builtin type is looked for in a set: a metaclass may have a hash of its
                # own.
                builtin = type(kind) is type
                if (builtin and kind in _ATOMS or key in past or key in _lasting
                        or len(nodes) >= limit):
                    continue
                if issubclass(kind, _STOPS) and _lasts(referent):
                    past.add(key)
                    continue
                position = found[key] = len(nodes)
                nodes.append(referent)
                known.append(1)
                below.append([])
                inside.append(position)
                if builtin and kind in CONTAINERS and len(referent) > _LONG:
                    late.append(position)
                else:
                    turns.append(position)
    return nodes, known, below


def _is_long(node):
    kind = type(node)
    return type(kind) is type and kind in CONTAINERS and len(node) > _LONG


def _lasts(stop):
    """Tell whether a class or module is there for good: a C type, or one that its
    module names.

    A class made in passing (each MagicMock has its own, which refers to it) may
    well belong to the test.
    """
    if not issubclass(type(stop), type):
        return True
    if id(stop) in _lasting:
        return True
    flags = flags_slot(stop)
    if not flags & _HEAP_TYPE or flags & _IMMUTABLE:
        _note_lasting(stop)
        return True
    name = module_slot(stop)
    module = sys.modules.get(name) if type(name) is str else None      # it may be anything
    if not issubclass(type(module), ModuleType):
        return False
    known = _names_in(module)
    named = known.get(name_slot(stop))
    if named is not stop and (named is not None or not any(
            each is stop for each in list(known.values()))):
        return False
    # Perhaps under another name: functools has its CacheInfo as _CacheInfo.
    _note_lasting(stop)
    return True


def _note_lasting(stop):
    _lasting[id(stop)] = _ref(
        stop, lambda _, key=id(stop), forget=_lasting.pop: forget(key, None))


def _running():
    """List the ids of the frames that run in this thread."""
    frame = _getframe()
    listed = []
    while frame is not None:
        listed.append(id(frame))
        frame = frame.f_back
    return listed


def _calibrate():
    """Measure, on fresh objects and the same paths, what our own references add."""
    nodes, known, _ = _walk([[]], None, (), 1)
    base = _getrefcount(nodes[0]) - known[0] + 1
    mapped = list(_lazily(_getrefcount, nodes))[0] - known[0] + 1
    at_once = _at_once(nodes, [])[0][0] - known[0] + 1
    return base, mapped, at_once, _at_once(nodes, nodes[:])[0][0] - known[0] + 1 - at_once


_BASE, _BASE_MAPPED, _BASE_AT_ONCE, _LOOKED = _calibrate()
# A free-threaded build has more to look at (`_is_deferred`), and before 3.6 a dict has no order.
_IN_ORDER = COUNTED and not _FREE_THREADED and sys.version_info >= (3, 6)
