"""The kinds of resource: is it one, is it open, how is it closed and described.

``kind_of(value)`` answers with a ``Kind`` or None. It looks at the type alone:
first at the classes given to ``register_resource``, then at the shipped
table, nearest class in the MRO first; then at the shape of the type (DB-API
connections and cursors, context managers with a ``close``). None of the
modules whose types are known is imported: they are known by name, and a name
counts only where ``sys.modules`` has that very class under it.

Most of the table is loaded when there can be such a value: see `late_kinds`.
"""

from __future__ import absolute_import

import sys
import types
import weakref
from types import FunctionType, MethodType, ModuleType

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import (
    CONTAINERS,
    MISSING,
    PLAIN,
    class_of,
    flags_slot,
    is_coroutine_function,
    mro,
    name_of,
    on_type,
)
from unittest_leakfix.resources import context_managers, entry_points
from unittest_leakfix.resources.kind import Kind, method, open_by_flags, short_text
from unittest_leakfix.resources.late_kinds import LAST, TABLE, NotNow, load, pending

__unittest = True
bind(globals())
_ref = weakref.ref

_CONNECTION_SHAPE = ("cursor", "commit", "rollback", "close")
_CURSOR_SHAPE = ("execute", "fetchone", "fetchall", "close")
__all__ = ["Kind", "kind_of", "register_resource"]
_Classic = getattr(types, "ClassType", None)  # Python 2.7
_Instance = getattr(types, "InstanceType", None)
_names_in = ModuleType.__dict__["__dict__"].__get__
_HEAP_TYPE = 1 << 9
# What most attributes are; it spares a run without resources the shipped table.
_NEVER = PLAIN | CONTAINERS | frozenset([type, object, FunctionType, MethodType,
                                         ModuleType])
_kinds = {}  # id(class) -> Kind or None; forgotten with the class
_refs = {}  # id(class) -> weak reference, whose callback forgets
_registered = {}  # id(class) -> (class, Kind)


def by_shape(cls):
    """Return the Kind that the methods of *cls* make it, or None."""
    for shape, name in ((_CONNECTION_SHAPE, "CONNECTION"), (_CURSOR_SHAPE, "CURSOR")):
        if context_managers.has_all(cls, shape):
            return getattr(load("db_connections"), name)
    return context_managers.context_kind(cls)


def kind_of(value, _kinds=_kinds, id=id, type=type):
    """The ``Kind`` of a value, or None when it is not a resource.

    Decided by ``type(value)`` alone; no attribute of the value is looked at.
    Classes, modules, functions, generators and mocks are never resources.
    """
    try:
        return _kinds[id(type(value))]
    except KeyError:
        return _kind_of_class(class_of(value))


def _kind_of_class(cls):
    key = id(cls)
    if key in _kinds:  # an old-style class: its instances share one type
        return _kinds[key]
    try:
        kind = _find(cls)
    except NotNow:     # it is let go as it is
        return None
    # By id and weakly: no metaclass's hash is called, and a class made
    # inside a test dies with its test.
    _refs[key] = _ref(cls, _forgetter(key))
    _kinds[key] = kind
    return kind


def _forgetter(key, kinds=_kinds, refs=_refs):
    def forget(_):
        kinds.pop(key, None)
        refs.pop(key, None)
    return forget


def _find(cls):
    bases = mro(cls)
    # By identity: a metaclass may have an __eq__ of its own.
    if any(base is type or base is ModuleType for base in bases):
        return None
    for base in bases if pending else ():
        name = name_of(base)
        if type(name[0]) is str:
            for key in (name[0], name, name[0].partition(".")[0]):
                if key in pending:
                    load(pending[key])
    found = _by_name(bases, TABLE)
    if found is MISSING and any([entry_points.of_class(name_of(base)[0]) for base in bases]):
        found = _by_name(bases, TABLE)      # a library has shipped its own row
    if found is MISSING:
        found = by_shape(cls) or _by_name(bases, LAST)
    return None if found is MISSING else found


def _by_name(bases, table):
    for base in bases:
        if id(base) in _registered:
            return _registered[id(base)][1]
        name = name_of(base)
        # A class may say that it is from anything, even a list.
        if type(name[0]) is str and name in table and _is_really(base, name[0]):
            return table[name]
    return MISSING


def _is_really(cls, module):
    """True when ``cls`` lives in that module, and does not only say so."""
    if type(cls) is not _Classic and not flags_slot(cls) & _HEAP_TYPE:
        return True  # a C type; no Python code can make one
    module = sys.modules.get(module)
    if not issubclass(type(module), ModuleType):
        return False
    # Not under its name alone: that may be patched, or differ
    # (asyncio.tasks._PyTask calls itself Task).
    return any(each is cls for each in list(_names_in(module).values()))


def register_resource(type, close="close", is_open=None, describe=None, name=None, noun=None,
                      parts=None, remedy=None):
    """Make a class, and what inherits from it, a kind of resource.

    type: the class. close: a callable taking the value, or the name of a
    method; a coroutine function is awaited where there is a loop. is_open: a
    callable taking the value, with True, False or None for "cannot tell";
    without it flags such as ``closed`` are read. describe: a callable taking
    the value, with one short line, without secrets. name, or noun: a short noun, the
    class's name unless given. parts: a callable taking the value, with a list of
    what belongs to it and it does not refer to (threads, connections, paths): that
    is never reported for itself. remedy: what the user calls to end it, if that is
    not what *close* names: the name of a method, of a function that takes it (with
    its module: "acme.close"), or a tuple of these, the last one first.

    Registering a class again replaces what was said before; the nearest class in the MRO
    wins. Returns None. Raises TypeError on misuse.
    """
    _check_class(type)
    if isinstance(close, str):
        if on_type(type, close) is MISSING:
            raise TypeError("close: %s has no method %r" % (name_of(type)[1], close))
        named = (close,)
        waits, close = is_coroutine_function(on_type(type, close)), method(close)
    else:
        named = ()
        _check_callable("close", close, "a callable or the name of a method")
        waits = is_coroutine_function(close)
    ends = (() if remedy is None else (remedy,) if isinstance(remedy, str) else remedy)
    if not (isinstance(ends, tuple) and all(isinstance(each, str) for each in ends)):
        raise TypeError("remedy: expected the name of what ends it, not %s" % _noun(remedy))
    if name is not None and noun is not None:
        raise TypeError("name and noun are the same: give one of them")
    name = noun if name is None else name
    for label, given in (("is_open", is_open), ("describe", describe), ("parts", parts)):
        if given is not None:
            _check_callable(label, given, "a callable taking the value")
    if name is not None and not isinstance(name, str):
        raise TypeError("name: expected a str, not %s" % _noun(name))
    kind = Kind(name or short_text(name_of(type)[1]), close, is_open or open_by_flags, describe,
                waits, parts=parts, ends=ends or named, client=bool(parts or ends))
    add_kind(type, kind)


def known():
    """Return how many rows there are: more after one was loaded, or registered. Then any class
    may be a resource that was not one before."""
    return len(TABLE) + len(LAST) + len(_registered)


def add_kind(cls, kind):
    """Make *cls*, and what inherits from it, a resource of the `Kind` *kind*."""
    _registered[id(cls)] = (cls, kind)
    _forget_all()


def _check_class(cls):
    if not (isinstance(cls, type) or _Classic is not None and type(cls) is _Classic):
        raise TypeError("type: expected a class, not %s" % _noun(cls))
    if any(cls is each for each in (object, type, ModuleType, _Instance)):
        raise TypeError("type: %s is not a kind of resource" % name_of(cls)[1])


def _check_callable(label, given, expected):
    if not callable(given):
        raise TypeError("%s: expected %s, not %s" % (label, expected, _noun(given)))


def _noun(value):
    return name_of(type(value))[1]


def _forget_all():
    _kinds.clear()
    _refs.clear()
    _kinds.update((id(cls), None) for cls in _NEVER)


_forget_all()
