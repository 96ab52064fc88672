"""What an instance or a class gained, and how it is put back.

No user code runs to look or to drop: attributes are read from and taken out of the
``__dict__`` and the slots themselves, past ``__getattr__``, properties and
``__delattr__``.
"""

from __future__ import absolute_import

import types
import weakref

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import mro, name_of, names_in

__unittest = True
bind(globals())

_MISSING = object()
_slotless = {}    # id: weak reference to a class without slots
_TEXTS = (str, type(u""))
_attribute = object.__getattribute__


def namespace(instance):
    """Return the ``__dict__`` of *instance*, whatever its class says of it."""
    return _attribute(instance, "__dict__")


def slots(holder):
    """Return {name: descriptor} of the ``__slots__`` along the classes of *holder*."""
    if id(type(holder)) in _slotless:
        return {}
    found = {}
    for base in reversed(mro(type(holder))):
        members = names_in(base)
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


def read(instance):
    """Return a new dict of the name and value of all attributes, in order of assignment.

    As ``Attributes(instance).read()``, which a class without slots does not need.
    """
    if id(type(instance)) in _slotless:
        return _attribute(instance, "__dict__").copy()
    return Attributes(instance).read()


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
        return dict(names_in(self.holder))

    def put(self, name, value):
        """Give attribute *name* the *value*."""
        type.__setattr__(self.holder, name, value)

    def drop(self, name):
        """Take attribute *name* out. A missing one is no error."""
        try:
            type.__delattr__(self.holder, name)
        except AttributeError:
            pass


#: Called with {name: value} of what a mixin is about to drop.
drop_listeners = []


def gained(before, now):
    """Return the names in *now* that *before* lacks or has another value for."""
    return [name for name, value in now.items()
            if before.get(name, _MISSING) is not value]


def restore(attributes, before, keep=(), now=None):
    """Put *attributes* back to *before*, last assigned first; *keep* stays.

    *now* is what they are, if the caller has just read them; it is changed. Returns
    {name: value} of those that were taken out.
    """
    if now is None:
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


def declared(cls, name):
    """Return the names in the tuples *name* of *cls* and its bases, as a set.

    Raises ``TypeError`` for anything else, as a plain string, whose letters would
    count as names.
    """
    found = set()
    for base in mro(cls):
        listed = names_in(base).get(name, ())
        if type(listed) is not tuple or listed:
            found.update(_checked(base, name, listed))
    return found


def _checked(cls, name, listed):
    if isinstance(listed, _TEXTS):
        raise TypeError("%s.%s = %r is a string; write a tuple of names: "
                        "%s = (%r,)" % (name_of(cls)[1], name, listed, name, listed))
    if not (isinstance(listed, (tuple, list, set, frozenset))
            and all(isinstance(each, _TEXTS) for each in listed)):
        raise TypeError("%s.%s = %r is no tuple of names; write %s = (\"client\",)" % (
            name_of(cls)[1], name, listed, name))
    return listed
