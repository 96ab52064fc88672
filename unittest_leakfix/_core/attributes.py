"""What an instance or a class gained, and how it is put back.

No user code runs to look or to drop: attributes are read from and taken out of the
``__dict__`` and the slots themselves, past ``__getattr__``, properties and
``__delattr__``.
"""

from __future__ import absolute_import

import functools
import weakref
from types import MemberDescriptorType

from unittest_leakfix._core.declarations import Limited
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import mro, name_of, names_in

__unittest = True
bind(globals())
_ref = weakref.ref
_wraps = functools.wraps

#: {id: weak reference to a class without slots}, of those that were looked at.
slotless = {}
_TEXTS = (str, type(u""))
_attribute = object.__getattribute__
_setting_up = []    # classes whose setUpClass is under way


def namespace(instance):
    """Return the ``__dict__`` of *instance*, whatever its class says of it."""
    return _attribute(instance, "__dict__")


def slots(holder):
    """Return {name: descriptor} of the ``__slots__`` along the classes of *holder*."""
    if id(type(holder)) in slotless:
        return {}
    found = {}
    for base in reversed(mro(type(holder))):
        members = names_in(base)
        if "__slots__" in members:
            for name, member in members.items():
                if type(member) is MemberDescriptorType:
                    found[name] = member
    if not found:
        # Forgotten with the class; nothing of a metaclass is called.
        slotless[id(type(holder))] = _ref(
            type(holder), lambda _, key=id(type(holder)), forget=slotless.pop:
            forget(key, None))
    return found


def read(instance):
    """Return a new dict of the name and value of all attributes, in order of assignment.

    As ``Attributes(instance).read()``, which a class without slots does not need.
    """
    if id(type(instance)) in slotless:
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
        """Take attribute *name* out. A missing one is not an error."""
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
        """Take attribute *name* out. A missing one is not an error."""
        try:
            type.__delattr__(self.holder, name)
        except AttributeError:
            pass


#: Called with {name: value} of what a mixin is about to drop.
drop_listeners = []


def gained(before, now):
    """Return the names in *now* that *before* lacks or has another value for."""
    return [name for name, value in now.items()
            if name not in before or before[name] is not value]


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


class Declarations(object):
    """What the bases of one class declare for the mixins: read without a walk along them.

    It stands in the ``__dict__`` of the class itself, so that it keeps no class alive, and
    looks into those of the bases each time, so that no change of theirs is missed.
    """

    __slots__ = ("_mro", "_spaces")

    def __init__(self, cls=object):
        self._mro = cls.__mro__
        ours = [id(object), id(Limited)] + [id(base) for base in DEFAULTS]
        self._spaces = [base.__dict__ for base in self._mro if id(base) not in ours]

    def none(self, cls):
        """Tell whether nothing is to be kept or closed for *cls*; False if in doubt."""
        if self._mro is not cls.__mro__:
            return False    # it is that of a base, or the bases were changed
        for space in self._spaces:
            if "leakfix_keep" in space or "leakfix_close" in space:
                return False
        for default in DEFAULTS:
            if default.leakfix_keep or default.leakfix_close:
                return False
        return True

    def is_of(self, cls):
        """Tell whether it was made for *cls* and the bases it has now."""
        return self._mro is cls.__mro__

    def passes(self, cls, name, also=None):
        """Tell whether no base of *cls* but ours defines *name*, nor *also*; False if in doubt."""
        if self._mro is not cls.__mro__:
            return False
        for space in self._spaces:
            if name in space or also in space:
                return False
        return True

    def __reduce__(self):
        return Declarations, ()     # cloudpickle copies whole classes


#: The mixins that say that nothing is declared.
DEFAULTS = []


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
        raise TypeError("%s.%s = %r is not a tuple of names; write %s = (\"client\",)" % (
            name_of(cls)[1], name, listed, name))
    return listed


def before_set_up(cls, original, name):
    """Have *original*, the ``setUpClass`` of *cls* itself or None, call the class method *name*
    first."""
    if type(original) is not classmethod:
        return      # none, or something that only its author can call

    @_wraps(original.__func__)
    def setUpClass(cls):
        getattr(cls, name)()
        _setting_up.append(cls)
        try:
            return original.__get__(None, cls)()
        finally:
            _setting_up[:] = [each for each in _setting_up if each is not cls]
    cls.setUpClass = classmethod(setUpClass)


def is_setting_up(cls):
    """Tell whether the ``setUpClass`` of *cls* is under way."""
    return any(each is cls for each in _setting_up)
