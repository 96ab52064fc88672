"""Kind: what is known about one kind of resource; whether one is open.

Values are foreign: how they are looked at is `_core.introspection`'s.
"""
from __future__ import absolute_import

import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import (
    MISSING,
    class_of,
    mro,
    name_of,
    names_in,
    on_type,
    own,
)
from unittest_leakfix._core.redaction import redact, visible

__unittest = True
bind(globals())

_NUMBERS = (bool, int, type(2 ** 64))
_TEXT = type(u"")
_PASSING = (KeyboardInterrupt, SystemExit)
_COROUTINE = 0x80 | 0x100  # inspect.CO_COROUTINE | CO_ITERABLE_COROUTINE


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
    kind = type(found)
    return bool(found) if type(kind) is type and kind in _NUMBERS else None


def open_by_flags(value, names=("open", "closed", "is_closed", "_closed")):
    """True or False as the first of the flags says, None when there is none."""
    for name in names:
        try:
            said = flag(value, name)
        except _PASSING:
            raise
        except BaseException:  # a property that raises says nothing
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
    except _PASSING:
        raise
    except BaseException:  # a descriptor of the user's
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
        if type(value) is not _TEXT:  # Python 2.7's text type
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
        except _PASSING:
            raise
        except BaseException:
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
        except _PASSING:
            raise
        except BaseException:
            return False

    def describe(self, value):
        """One short line without secrets (str). Never raises."""
        try:
            said = self._describe(value) if self._describe is not None else None
        except _PASSING:
            raise
        except BaseException:
            said = None
        return text(said, 120) or self.name


def method(name):
    """A closer that calls the method ``name`` of the value."""
    def call(value):
        return getattr(value, name)()
    return call
