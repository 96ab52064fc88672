"""Would this object be garbage if I let go of it?

An object is *owned* when nobody but its asker, and its own cycle, refers to it.
The answer is exact on CPython, where references are counted: the question is the
cycle collector's own ("trial deletion"), asked of one small graph. What cannot be
explained, because it lies past the limit, in C or in a running frame, counts as
shared.
"""

from __future__ import absolute_import

import gc
import sys
import types
import weakref

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())
_getframe = sys._getframe

#: How many objects one question may look at: 4 to 25 microseconds for a
#: connection, 1 ms at the limit.
LIMIT = 2000

#: False on PyPy and others that do not count references: there nothing is owned.
COUNTED = hasattr(sys, "getrefcount")

_getrefcount = getattr(sys, "getrefcount", lambda value: sys.maxsize)
_get_referents = gc.get_referents

# Never walked through: they lead to half the process, and whatever hangs in a
# cycle through one of them is somebody else's to judge.
_STOPS = (type, getattr(types, "ClassType", type), types.ModuleType)
# Nothing lies behind these; leaving them out keeps the walk short.
_ATOMS = frozenset([type(None), bool, int, float, complex, bytes, type(u""), str,
                    types.BuiltinFunctionType, types.CodeType, types.ModuleType])
_flags_of = type.__dict__["__flags__"].__get__
_names_in = types.ModuleType.__dict__["__dict__"].__get__
_HEAP_TYPE = 1 << 9
_IMMUTABLE = 1 << 8 if sys.version_info >= (3, 10) else 0     # made by a C module
_lasting = {}    # id: weak reference to a class that its module names
_CONTAINERS = frozenset([dict, list, tuple, set, frozenset])
# Looked into last: rows that a test keeps would use up the limit, and the connection
# beside them count as shared (its statement cache refers to it, 3.11).
_LONG = 100


def owned(held, references=None, past=(), limit=LIMIT):
    """Return which objects would be garbage if the caller let go of *held*.

    *held* is a list of different objects made for this call (its references are
    not counted); *references* says, item by item, how many references to it the
    caller could drop besides (default: none). No local variable of the caller may
    name one of the objects meanwhile, unless it is counted there. *past* are ids
    of objects that are not looked behind: the holder that would let go.

    Returns the set of the ids of the owned objects: those of *held*, and what
    can be reached from them alone. At most *limit* objects are looked at.
    """
    return owned_cycle(held, references, past, limit)[0]


def owned_cycle(held, references=None, past=(), limit=LIMIT):
    """As `owned`, and the set of the ids that lead back to the first of *held*."""
    if not COUNTED or not held:
        return frozenset(), frozenset()
    nodes, known, below = _walk(held, references, past, limit)
    outside = [position for position in range(len(nodes))
               if _getrefcount(nodes[position]) - _BASE != known[position]]
    shared = _spread(outside, below)
    above = [[] for _ in nodes]
    for position, inside in enumerate(below):
        for each in inside:
            above[each].append(position)
    leading = _spread(above[0], above)
    return (frozenset(id(nodes[position]) for position in range(len(nodes))
                      if position not in shared),
            frozenset(id(nodes[position]) for position in leading))


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


def _walk(held, references, past, limit):
    """Breadth first, long containers last: the objects, the references seen to each,
    and its referents."""
    nodes = []
    found = {}
    known = []
    for position in range(len(held)):
        found[id(held[position])] = position
        nodes.append(held[position])
        known.append(1 + (references[position] if references else 0))
    below = [[] for _ in nodes]
    past = set(past)
    soon, late = [], []
    for position in range(len(nodes)):
        (late if _is_long(nodes[position]) else soon).append(position)
    for turns in (soon, late):
        for turn in turns:
            for position in _referents(nodes[turn], nodes, found, past, limit):
                if position == len(known):
                    known.append(0)
                    below.append([])
                    (late if _is_long(nodes[position]) else turns).append(position)
                known[position] += 1
                below[turn].append(position)
    return nodes, known, below


def _is_long(node):
    kind = type(node)
    return type(kind) is type and kind in _CONTAINERS and len(node) > _LONG


def _referents(node, nodes, found, past, limit):
    """List the positions in *nodes* of what *node* refers to, adding the new ones."""
    kind = type(node)
    # Only a builtin type is looked for in a set: a metaclass may have a hash of its own.
    if type(kind) is type and kind in _CONTAINERS and len(node) > limit:
        return []
    if kind is types.FunctionType:
        past.update((id(node.__globals__), id(getattr(node, "__builtins__", None))))
    elif kind is types.FrameType:
        # An exception that is kept holds the frames it went through.
        past.update((id(node.f_globals), id(node.f_builtins)))
        past.update(_running())
    listed = []
    for referent in _get_referents(node):
        key = id(referent)
        position = found.get(key)
        if position is None:
            kind = type(referent)
            if (type(kind) is type and kind in _ATOMS) or key in past or len(nodes) >= limit:
                continue
            if issubclass(kind, _STOPS) and _lasts(referent):
                past.add(key)
                continue
            position = found[key] = len(nodes)
            nodes.append(referent)
        listed.append(position)
    return listed


def _lasts(stop):
    """Tell whether a class or module is there for good: a C type, or one that its
    module names.

    A class made in passing (each MagicMock has its own, which refers to it) may
    well belong to the test.
    """
    if not issubclass(type(stop), type):
        return True
    flags = _flags_of(stop)
    if not flags & _HEAP_TYPE or flags & _IMMUTABLE or id(stop) in _lasting:
        return True
    name = type.__dict__["__module__"].__get__(stop)
    module = sys.modules.get(name) if type(name) is str else None      # it may be anything
    if not issubclass(type(module), types.ModuleType):
        return False
    known = _names_in(module)
    named = known.get(type.__dict__["__name__"].__get__(stop))
    if named is not stop and (named is not None or not any(
            each is stop for each in list(known.values()))):
        return False
    # Perhaps under another name: functools has its CacheInfo as _CacheInfo.
    _lasting[id(stop)] = weakref.ref(
        stop, lambda _, key=id(stop), forget=_lasting.pop: forget(key, None))
    return True


def _running():
    """List the ids of the frames that run in this thread."""
    frame = _getframe()
    listed = []
    while frame is not None:
        listed.append(id(frame))
        frame = frame.f_back
    return listed


def _calibrate():
    """Measure, on fresh objects and the same paths, what our own hands add."""
    sample = [[]]
    alone = _getrefcount(sample[0])
    nodes, known, _ = _walk([[]], None, (), 1)
    return alone, _getrefcount(nodes[0]) - known[0] + 1


#: What sys.getrefcount says of an item of a list that nothing else refers to.
SOLE, _BASE = _calibrate()
