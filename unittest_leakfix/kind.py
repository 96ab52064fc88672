"""Kind: what is known about one kind of resource, and safe ways to look.

Values are foreign: their properties raise, their ``__class__`` lies, their
``__getattr__`` answers to any name. So classes are read through the slots of
``type`` itself, attributes through the instance's own ``__dict__`` or a
descriptor found on the type.
"""
from __future__ import absolute_import

import sys
import types

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.redaction import redact, visible

__unittest = True
bind(globals())

MISSING = object()

_Classic = getattr(types, "ClassType", None)  # Python 2.7: old-style classes
_Instance = getattr(types, "InstanceType", None)
_mro_of = type.__dict__["__mro__"].__get__
_dict_of = type.__dict__["__dict__"].__get__
_module_of = type.__dict__["__module__"].__get__
_name_of = type.__dict__["__name__"].__get__
_NUMBERS = (bool, int, type(2 ** 64))
_COROUTINE = 0x80 | 0x100  # inspect.CO_COROUTINE | CO_ITERABLE_COROUTINE



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


def on_type(cls, name):
    """What the class or a base defines as ``name``, as it stands there, or MISSING."""
    for base in mro(cls):
        space = base.__dict__ if type(base) is _Classic else _dict_of(base)
        if space is not None and name in space:
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


def flag(value, name):
    """A plain truth the instance or its type has under ``name``: True, False, or None.

    Methods, events, strings and whatever else is no number give None. May
    raise what a property raises.
    """
    cls = class_of(value)
    found = on_type(cls, name)
    if on_type(type(found), "__set__") is not MISSING:
        found = type(found).__get__(found, value, cls)
    else:
        found = own(value, name, found)
    return bool(found) if type(found) in _NUMBERS else None


def open_by_flags(value, names=("open", "closed", "is_closed", "_closed")):
    """True or False as the first of the flags says, None when there is none."""
    for name in names:
        try:
            said = flag(value, name)
        except Exception:  # a property that raises says nothing
            continue
        if said is not None:
            return said if name == "open" else not said
    return None


def is_coroutine_function(function):
    """True when calling ``function`` is known to give an awaitable."""
    try:
        function = getattr(function, "__func__", function)
        flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
        mark = getattr(function, "_is_coroutine_mark", None)  # Python 3.12
    except Exception:  # a descriptor of the user's
        return False
    if type(flags) is int and flags & _COROUTINE:
        return True
    inspect = sys.modules.get("inspect")
    return mark is not None and mark is getattr(inspect, "_is_coroutine_mark", None)


def text(value, limit=60):
    """A str or bytes as one short line without secrets; "" for anything else."""
    if type(value) is bytes and bytes is not str:
        value = value.decode("utf-8", "replace")
    elif type(value) is not str:
        if type(value).__name__ != "unicode":  # Python 2.7's text type
            return ""
        value = value.encode("utf-8")
    value = visible(redact(value[:4096]).strip()[:2 * limit])
    return value if len(value) <= limit else value[:limit - 3] + "..."


class Kind(object):
    """One kind of resource.

    name: short noun. close, is_open, describe: callables taking the value;
    awaits: a truth, or a callable taking the value. ``open_by_flags`` and the
    bare name stand in for what is left out.
    """

    __slots__ = ("name", "_close", "_is_open", "_describe", "_awaits")

    def __init__(self, name, close, is_open=open_by_flags, describe=None, awaits=False):
        self.name = name
        self._close = close
        self._is_open = is_open
        self._describe = describe
        self._awaits = awaits

    def __repr__(self):
        return "<Kind %s>" % self.name

    def is_open(self, value):
        """True, False, or None when nobody can tell. Never raises."""
        try:
            said = self._is_open(value)
        except Exception:
            return None
        return said if said is True or said is False else None

    def close(self, value):
        """End it as its type prescribes.

        Returns None, or an awaitable where ``awaits(value)``. Raises what the
        type's own close raises, CloseTimeout when it did not end in time.
        """
        result = self._close(value)
        if on_type(type(result), "__await__") is MISSING and not self.awaits(value):
            return None
        return result

    def awaits(self, value):
        """True when closing must be awaited on an event loop. Never raises."""
        try:
            return bool(self._awaits(value) if callable(self._awaits) else self._awaits)
        except Exception:
            return False

    def describe(self, value):
        """One short line without secrets (str). Never raises."""
        try:
            said = self._describe(value) if self._describe is not None else None
        except Exception:
            said = None
        return text(said, 120) or self.name


def method(name):
    """A closer that calls the method ``name`` of the value."""
    def call(value):
        return getattr(value, name)()
    return call
