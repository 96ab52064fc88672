"""What an instance or a class gained: close what is owned, drop the rest.

No user code runs to look or to drop: attributes are read from and taken out of the
``__dict__`` and the slots themselves, past ``__getattr__``, properties and
``__delattr__``.
"""

from __future__ import absolute_import

import gc
import sys
import types
import weakref

from unittest_leakfix import ownership
from unittest_leakfix.kind import Kind, method
from unittest_leakfix.resources import kind_of

__unittest = True

# How many things in how deep a list or dict are looked at for resources.
_WIDE = 1000
_DEEP = 3
_CONTAINERS = frozenset([list, tuple, dict, set, frozenset])
ATOMS = frozenset([type(None), bool, int, float, bytes, str, type(u""), type])
_ORDERED = sys.version_info >= (3, 6)    # a __dict__ remembers who came first
_MISSING = object()
_slotless = {}    # id: weak reference to a class without slots
_TEXTS = (str, type(u""))
_CALLED = Kind("object", method("close"))    # named by the user, of no known kind


def namespace(instance):
    """Return the ``__dict__`` of *instance*, whatever its class says of it."""
    return object.__getattribute__(instance, "__dict__")


def slots(holder):
    """Return {name: descriptor} of the ``__slots__`` along the classes of *holder*."""
    if id(type(holder)) in _slotless:
        return {}
    found = {}
    for base in reversed(type(holder).__mro__):
        members = type.__dict__["__dict__"].__get__(base)
        if "__slots__" in members:
            for name, member in members.items():
                if type(member) is types.MemberDescriptorType:
                    found[name] = member
    if not found:
        # Forgotten with the class; nothing of a metaclass is asked.
        _slotless[id(type(holder))] = weakref.ref(
            type(holder), lambda _, key=id(type(holder)), forget=_slotless.pop:
            forget(key, None))
    return found


class Attributes(object):
    """The named values of one instance. ``read()``, ``put()`` and ``drop()``."""

    def __init__(self, instance):
        self.values = namespace(instance)
        self.slots = slots(instance)
        self.instance = instance

    def read(self):
        """Return a new dict of name and value, in order of assignment."""
        found = self.values.copy()
        for name, slot in self.slots.items() if self.slots else ():
            try:
                found[name] = slot.__get__(self.instance)
            except AttributeError:
                pass
        return found

    def put(self, name, value):
        """Give attribute *name* the *value*."""
        if name in self.slots:
            self.slots[name].__set__(self.instance, value)
        else:
            self.values[name] = value

    def drop(self, name):
        """Take attribute *name* out. A missing one is no error."""
        if name in self.slots:
            try:
                self.slots[name].__delete__(self.instance)
            except AttributeError:
                pass
        else:
            self.values.pop(name, None)


class ClassAttributes(object):
    """The same for a class, past its metaclass."""

    def __init__(self, holder):
        self.holder = holder

    def read(self):
        """Return a new dict of name and value, in order of assignment."""
        return dict(type.__dict__["__dict__"].__get__(self.holder))

    def put(self, name, value):
        """Give attribute *name* the *value*."""
        type.__setattr__(self.holder, name, value)

    def drop(self, name):
        """Take attribute *name* out. A missing one is no error."""
        try:
            type.__delattr__(self.holder, name)
        except AttributeError:
            pass


#: Called with the owner and what was `Found`, before it is closed. Finding listens.
listeners = []
#: Called with {name: value} of what a mixin is about to drop.
drop_listeners = []
#: Called with a resource that is about to be closed: True says that it is another
#: process's, from which this one was forked. It is not ours to close then.
foreign = []


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


def gained(before, now):
    """Return the names in *now* that *before* lacks or has another value for."""
    return [name for name, value in now.items()
            if before.get(name, _MISSING) is not value]


def restore(attributes, before, keep=()):
    """Put *attributes* back to *before*, last assigned first; *keep* stays.

    Returns {name: value} of those that were taken out.
    """
    now = attributes.read()
    dropped = {}
    for name in reversed(gained(before, now)):
        if name in keep:
            continue
        if name in before:
            attributes.put(name, before[name])
        else:
            attributes.drop(name)
            dropped[name] = now[name]
        del now[name]
    for name in before:
        if name not in now and name not in keep:
            attributes.put(name, before[name])
    return dropped


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
        kind = type(value)
        if kind in ATOMS:
            continue
        if kind in _CONTAINERS:
            if value and _lists_more(value):
                return True
        elif kind_of(value) is not None:
            return True
    return False


def _lists_more(container):
    """Tell whether there is more than texts and numbers in *container*."""
    if len(container) > _WIDE:
        return False
    items = container.values() if type(container) is dict else container
    return not ATOMS.issuperset(map(type, items))


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


def declared(cls, name):
    """Return the names in the tuples *name* of *cls* and its bases, as a set.

    Raises ``TypeError`` for anything else, as a plain string, whose letters would
    count as names.
    """
    found = set()
    for base in cls.__mro__:
        listed = base.__dict__.get(name, ())
        if type(listed) is not tuple or listed:
            found.update(_checked(base, name, listed))
    return found


def _checked(cls, name, listed):
    if isinstance(listed, _TEXTS):
        raise TypeError("%s.%s = %r is a string; write a tuple of names: "
                        "%s = (%r,)" % (cls.__name__, name, listed, name, listed))
    if not (isinstance(listed, (tuple, list, set, frozenset))
            and all(isinstance(each, _TEXTS) for each in listed)):
        raise TypeError("%s.%s = %r is no tuple of names; write %s = (\"client\",)" % (
            cls.__name__, name, listed, name))
    return listed


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
    if type(value) in _CONTAINERS:
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
        listed = [("[%r]" % key if type(key) in (int, str) else "[...]", item)
                  for key, item in container.items()]
    elif type(container) in (set, frozenset):
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
            layer = [one for one in gc.get_referents(*layer)
                     if id(one) not in known and not isinstance(one, type)][:200]
            known.update(map(id, layer))
        below.append(known)
    users = [sum(id(each.value) in known for known in below) for each in found]
    return [found[place] for place in
            sorted(range(len(found)), key=lambda place: users[place])]
