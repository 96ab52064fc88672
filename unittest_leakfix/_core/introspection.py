"""Looking at foreign classes and objects without running a line of their code.

Their properties raise, their ``__class__`` lies, their ``__getattr__`` answers to any name; a
metaclass may have a hash and an equality of its own, or none. So classes are told apart by ``is``,
never looked up by hash or compared; they are read through the slots of ``type`` itself, attributes
through the instance's own ``__dict__``. A set or tuple of builtin types may be asked for a class
only once ``type(cls) is type``: then it has no hash of its own.
"""

from __future__ import absolute_import

import sys
import types

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

MISSING = object()

_Classic = getattr(types, "ClassType", None)  # Python 2.7: old-style classes
_Instance = getattr(types, "InstanceType", None)
_mro_of = type.__dict__["__mro__"].__get__
_dict_of = type.__dict__["__dict__"].__get__
_module_of = type.__dict__["__module__"].__get__
_name_of = type.__dict__["__name__"].__get__
_qualname_of = type.__dict__["__qualname__"].__get__ if sys.version_info > (3,) else None


def class_of(value):
    """The class of ``value``: ``type(value)``, or its old-style class."""
    cls = type(value)
    # For an old-style instance the interpreter answers __class__ itself.
    return value.__class__ if cls is _Instance else cls


def mro(cls):
    """The classes to search for ``cls``, nearest first (tuple)."""
    if type(cls) is not _Classic:
        # None before Python 3.10 for C types that nobody made ready, such as
        # what an async generator's aclose() gives.
        return _mro_of(cls) or (cls,)
    found = [cls]
    for base in cls.__bases__:
        found.extend(c for c in mro(base) if c not in found)
    return tuple(found)


def name_of(cls):
    """``(module, name)`` of a class, without running a metaclass."""
    if type(cls) is _Classic:
        return cls.__module__, cls.__name__
    return _module_of(cls), _name_of(cls)


def qualified(cls):
    """``module.Class`` as unittest writes it, without running a metaclass (str)."""
    if type(cls) is _Classic or sys.version_info < (3,):
        return "%s.%s" % name_of(cls)
    return "%s.%s" % (_module_of(cls), _qualname_of(cls))


def names_in(cls):
    """What a class itself defines, by name; without running a metaclass."""
    if type(cls) is _Classic:
        return cls.__dict__
    return _dict_of(cls) or {}  # None for the C types that nobody made ready


def on_type(cls, name):
    """What the class or a base defines as ``name``, as it stands there, or MISSING."""
    for base in mro(cls):
        space = names_in(base)
        if name in space:
            return space[name]
    return MISSING


def own(value, name, default=None):
    """The instance's own attribute, from its ``__dict__`` alone."""
    if type(value) is _Instance:
        space = value.__dict__
    else:
        try:
            space = object.__getattribute__(value, "__dict__")
        except AttributeError:
            return default
    return space.get(name, default)
