"""Objects in a few words, without running their code. (What is secret in a text:
`_core.redaction`.)"""
from __future__ import annotations

from types import BuiltinFunctionType, CoroutineType, FunctionType, GeneratorType, MethodType
from typing import Any

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import module_slot, name_slot, qualname_slot

__unittest = True
bind(globals())

_PASSING = (KeyboardInterrupt, SystemExit)


def plain(value: object) -> str:
    """Return a path or word as an exact `str`; "" for what is neither text, bytes nor a path."""
    if issubclass(type(value), str):
        return str.__str__(value)
    if issubclass(type(value), bytes):
        return bytes.decode(value, "utf-8", "surrogateescape")  # type: ignore[arg-type]
    fspath = getattr(type(value), "__fspath__", None)
    if fspath is None:
        return ""
    return plain(fspath(value))


def name_text(value: object) -> str:
    """Name an object by what it is, without running any of its code (no `repr` of foreign
    objects)."""
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is float:
        return repr(value)
    if kind is str:
        return redaction.shown(value)
    if kind is FunctionType or kind is BuiltinFunctionType or issubclass(kind, type):
        return qualified(value)
    if kind is CoroutineType or kind is GeneratorType:
        return str(value.__qualname__)  # type: ignore[attr-defined]
    if kind is MethodType:
        return qualified(value.__func__)  # type: ignore[attr-defined]
    if kind in _CONTAINERS:
        return _contents(value)
    return qualified(kind) + " object"


_CONTAINERS = (tuple, list, dict, set, frozenset)
_PLAIN = (type(None), bool, int, float, str)


def _contents(value: Any) -> str:
    """Return the items of a short tuple or list of plain values, of others how many there are."""
    kind = type(value)
    if kind in (tuple, list) and len(value) <= 8 and all(type(each) in _PLAIN for each in value):
        text = redaction.redact(repr(value))
        if len(text) <= 60:
            return text
    return "a %s of %d item%s" % (kind.__name__, len(value), "" if len(value) == 1 else "s")


def qualified(value: object) -> str:
    """Return "module.qualified_name" of a class or function."""
    try:
        if issubclass(type(value), type):
            # Through the metatype's own descriptors: a class's code is not run for its name.
            name, module = qualname_slot(value), module_slot(value)
        else:
            name, module = value.__qualname__, value.__module__  # type: ignore[attr-defined]
    except _PASSING:
        raise
    except BaseException:  # a callable without a name: a partial, a metaclass that lies
        return str(name_slot(type(value)))
    if type(module) is not str or module == "builtins":
        return str(name)
    return "%s.%s" % (module, name)


def address(value: object) -> str:
    """Return a socket address as it is usually written: host:port, [host]:port or a path."""
    if type(value) is tuple and len(value) >= 2 and type(value[1]) is int:
        host = plain(value[0])
        return ("[%s]:%d" if ":" in host else "%s:%d") % (host, value[1])
    if issubclass(type(value), (str, bytes)):
        return redaction.shown(plain(value).replace("\0", "@"))
    return ""
