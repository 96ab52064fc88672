"""The open resources among the values of an instance or a class: which they are, and their closing.

No user code runs to look.
"""

from __future__ import absolute_import

import gc
import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix import ownership
from unittest_leakfix.kind import Kind, method
from unittest_leakfix.resources import kind_of

__unittest = True
bind(globals())
_get_referents = gc.get_referents

# How many things in how deep a list or dict are looked at for resources.
_WIDE = 1000
_DEEP = 3
_CONTAINERS = frozenset([list, tuple, dict, set, frozenset])
#: Types whose instances hold nothing.
ATOMS = frozenset([type(None), bool, int, float, bytes, str, type(u""), type])
# By id: the class of a value is not asked for its hash.
_ATOM_IDS = frozenset(map(id, ATOMS))
_CONTAINER_IDS = frozenset(map(id, _CONTAINERS))
_ORDERED = sys.version_info >= (3, 6)    # a __dict__ remembers who came first
_CALLED = Kind("object", method("close"))    # named by the user, of no known kind

#: Called with the owner and what was `Found`, before it is closed or let go of. Finding listens.
listeners = []
#: Called with a resource that is about to be closed: True says that it is another
#: process's, from which this one was forked. It is not ours to close then.
foreign = []


class Found(object):
    """An open resource: the *label* one knows it by, its kind and its value."""

    __slots__ = ("label", "kind", "value")

    def __init__(self, label, kind, value):
        self.label = label
        self.kind = kind
        self.value = value


def may_hold(values):
    """Tell quickly whether there may be a resource among *values*."""
    for value in values:
        kind = id(type(value))
        if kind in _ATOM_IDS:
            continue
        if kind in _CONTAINER_IDS:
            if value and _lists_more(value):
                return True
        elif kind_of(value) is not None:
            return True
    return False


def is_atom(value):
    """Tell whether *value* is of a type whose instances hold nothing."""
    kind = type(value)
    return type(kind) is type and kind in ATOMS


def is_container(value):
    """Tell whether *value* is a built-in container, of exactly that type."""
    kind = type(value)
    return type(kind) is type and kind in _CONTAINERS


def _lists_more(container):
    """Tell whether there is more than texts and numbers in *container*."""
    if len(container) > _WIDE:
        return False
    for item in container.values() if type(container) is dict else container:
        if id(type(item)) not in _ATOM_IDS:
            return True
    return False


def open_resources(values, names, owned, unsure=False):
    """Return the open resources among *values*, last assigned first.

    *values* maps *names* to objects; lists, tuples, sets and dicts are looked
    into. *owned* are the ids of what may be closed. With *unsure*, what cannot
    tell whether it is open counts as open.
    """
    found = []
    seen = set()
    for name in reversed(list(names)):
        _gather(name, values[name], owned, unsure, found, seen, 0)
    return found if _ORDERED else _users_first(found)


def let_go(owner, found):
    """Say that what was *found* on *owner* is let go of as it is: closing it has to be awaited,
    and the loop for that is gone. A connection ends with its last reference."""
    if found.kind.name == "database connection":
        for listener in listeners:
            listener(owner, found)


def close(owner, found):
    """Close what was *found* on *owner*, a test or a class; raises what that raises.

    Returns what the kind's ``close`` returns: an awaitable where it awaits.
    """
    for is_foreign in foreign:
        if is_foreign(found.value):
            return None
    for listener in listeners:
        listener(owner, found)
    return found.kind.close(found.value)


def declared_resources(values, names):
    """Return the open resources among *values* that the user named for closing."""
    found = []
    for name in names:
        if name in values:
            kind = kind_of(values[name]) or _CALLED
            if kind.is_open(values[name]) is not False:
                found.append(Found(name, kind, values[name]))
    return found


def owned_by(values, names, past):
    """Return the ids of what would be garbage without *names* in *values*.

    Each of *names* stands for one reference in *values*, a dict that the caller
    made, and one in the holder it came from; *past* are the ids of that holder.
    """
    held = []
    references = []
    places = {}
    for name in names:
        place = places.setdefault(id(values[name]), len(held))
        if place == len(held):
            held.append(values[name])
            references.append(0)
        references[place] += 2
    return ownership.owned(held, references, past)


def _gather(label, value, owned, unsure, found, seen, depth):
    """Add to *found* the open resources that *value* is or contains."""
    if id(value) in seen or id(value) not in owned:
        return
    seen.add(id(value))
    if is_container(value):
        if depth < _DEEP and len(value) <= _WIDE:
            for key, item in _items(value):
                _gather("%s%s" % (label, key), item, owned, unsure, found, seen,
                        depth + 1)
        return
    kind = kind_of(value)
    if kind is None:
        return
    is_open = kind.is_open(value)
    if is_open or (unsure and is_open is None):
        found.append(Found(label, kind, value))


def _items(container):
    """List (how to write it, item) of a built-in container, the last one first."""
    if type(container) is dict:
        listed = [("[%r]" % key if type(key) is int or type(key) is str else "[...]", item)
                  for key, item in container.items()]
    elif type(container) is set or type(container) is frozenset:
        listed = [("{...}", item) for item in container]
    else:
        listed = [("[%d]" % place, item) for place, item in enumerate(container)]
    listed.reverse()
    return listed


def _users_first(found):
    """Sort *found* so that what refers to another comes before it (2.7)."""
    below = []
    for each in found:
        layer, known = [each.value], set()
        for _ in range(4):
            layer = [one for one in _get_referents(*layer)
                     if id(one) not in known and not issubclass(type(one), type)][:200]
            known.update(map(id, layer))
        below.append(known)
    users = [sum(id(each.value) in known for known in below) for each in found]
    return [found[place] for place in
            sorted(range(len(found)), key=lambda place: users[place])]
