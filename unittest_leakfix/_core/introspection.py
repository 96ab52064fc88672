"""Looking at foreign classes and objects without running a line of their code.

Their properties raise, their ``__class__`` lies, their ``__getattr__`` answers to any name; a
metaclass may have a hash and an equality of its own, or none. So classes are compared by ``is``,
never looked up by hash or compared; they are read through the slots of ``type`` itself, attributes
through the instance's own ``__dict__``. A set or tuple of builtin types may be asked for a class
only once ``type(cls) is type``: then it has no hash of its own.
"""

from __future__ import absolute_import

import gc
import sys
import types

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

MISSING = object()

#: Types whose instances hold nothing, and look the same everywhere. To be asked for a class only
#: once ``type(cls) is type``.
PLAIN = frozenset([type(None), bool, int, type(2 ** 64), float, complex, bytes, str, type(u"")])
#: The built-in containers.
CONTAINERS = frozenset([dict, list, tuple, set, frozenset])

#: ``gc.is_tracked``; PyPy has none, and may have any object in a cycle.
is_tracked = getattr(gc, "is_tracked", lambda value: True)

#: Types whose instances hold nothing.
ATOMS = PLAIN | frozenset([type])
# How many things in a list or dict are looked at.
WIDE = 1000
#: What tells objects apart as ``id`` does, with another number: ``id`` raises an audit event each
#: time (3.8), which takes fifteen times as long where there is a hook.
identity = object.__hash__

_NUMBERS = (bool, int, type(2 ** 64))
#: What passes everywhere. Everything else that user code raises is a fault to be reported, even
#: what is not an ``Exception`` (``CancelledError``, pytest's ``Failed``).
PASSING = (KeyboardInterrupt, SystemExit)
_COROUTINE = 0x80 | 0x100  # inspect.CO_COROUTINE | CO_ITERABLE_COROUTINE

_Classic = getattr(types, "ClassType", None)  # Python 2.7: old-style classes
_Instance = getattr(types, "InstanceType", None)
# The slots of ``type`` itself, each to be called with a class: no metaclass is called.
mro_slot = type.__dict__["__mro__"].__get__
dict_slot = type.__dict__["__dict__"].__get__
flags_slot = type.__dict__["__flags__"].__get__
module_slot = type.__dict__["__module__"].__get__
name_slot = type.__dict__["__name__"].__get__
if sys.version_info >= (3,):
    qualname_slot = type.__dict__["__qualname__"].__get__


def is_plain(value):
    """Tell whether ``value`` holds nothing, and is compared and shown without the user's code."""
    kind = type(value)
    return type(kind) is type and kind in PLAIN


def class_of(value):
    """The class of ``value``: ``type(value)``, or its old-style class."""
    cls = type(value)
    # For an old-style instance the interpreter answers __class__ itself.
    return value.__class__ if cls is _Instance else cls


def mro(cls):
    """The classes to search for ``cls``, nearest first (tuple)."""
    if type(cls) is not _Classic:
        # None before Python 3.10 for C types that were never made ready, such as
        # what an async generator's aclose() gives.
        return mro_slot(cls) or (cls,)
    found = [cls]
    for base in cls.__bases__:
        found.extend(c for c in mro(base) if c not in found)
    return tuple(found)


def name_of(cls):
    """``(module, name)`` of a class, without running a metaclass."""
    if type(cls) is _Classic:
        return cls.__module__, cls.__name__
    return module_slot(cls), name_slot(cls)


def qualified(cls):
    """``module.Class`` as unittest writes it, without running a metaclass (str)."""
    if type(cls) is _Classic or sys.version_info < (3,):
        return "%s.%s" % name_of(cls)
    return "%s.%s" % (module_slot(cls), qualname_slot(cls))


def names_in(cls):
    """What a class itself defines, by name; without running a metaclass."""
    if type(cls) is _Classic:
        return cls.__dict__
    return dict_slot(cls) or {}  # None for the C types that were never made ready


def on_type(cls, name):
    """What the class or a base defines as ``name``, as it stands there, or MISSING."""
    for base in mro(cls):
        space = names_in(base)
        if name in space:
            return space[name]
    return MISSING


def function_of(cls, name):
    """What a class has as ``name``, None for nothing; the function of 2.7's unbound methods.

    Read as the interpreter does it, with the metaclass: for the classes of tests and suites.
    """
    found = getattr(cls, name, None)
    return getattr(found, "__func__", found)


def own_attribute(value, name, default=None):
    """The instance's own attribute, from its ``__dict__`` alone."""
    if type(value) is _Instance:
        space = value.__dict__
    else:
        try:
            space = object.__getattribute__(value, "__dict__")
        except AttributeError:
            return default
    return space.get(name, default)


def flag(value, name):
    """A plain truth the instance or its type has under ``name``: True, False, or None.

    Methods, events, strings and whatever else is not a number give None. May
    raise what a property raises.
    """
    cls = class_of(value)
    found = on_type(cls, name)
    if on_type(type(found), "__set__") is not MISSING:
        found = type(found).__get__(found, value, cls)
    else:
        found = own_attribute(value, name, found)
    kind = type(found)
    return bool(found) if type(kind) is type and kind in _NUMBERS else None


def lists_more(container):
    """Tell whether there is more than texts and numbers in *container*, a built-in one."""
    if len(container) > WIDE:
        return False
    for item in container.values() if type(container) is dict else container:
        kind = type(item)
        if kind is str or kind is int or item is None:
            continue
        # Only a builtin type is hashed: a metaclass may have a hash of its own, or none.
        if type(kind) is not type or kind not in ATOMS:
            return True
    return False


def is_coroutine_function(function):
    """True when calling ``function`` is known to give an awaitable."""
    try:
        function = getattr(function, "__func__", function)
        flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
        mark = getattr(function, "_is_coroutine_mark", None)  # Python 3.12
    except PASSING:
        raise
    except BaseException:  # a descriptor of the user's
        return False
    if type(flags) is int and flags & _COROUTINE:
        return True
    inspect = sys.modules.get("inspect")
    return mark is not None and mark is getattr(inspect, "_is_coroutine_mark", None)
