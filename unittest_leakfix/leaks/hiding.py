"""Objects in a few words, without running their code. (What is secret in a text: `_core.redaction`.)"""
from __future__ import annotations

from types import BuiltinFunctionType, CoroutineType, FunctionType, GeneratorType, MethodType

from unittest_leakfix._core.early import bind
from unittest_leakfix._core import redaction

__unittest = True
bind(globals())


def plain(value: object) -> str:
    """Return a path or word as an exact `str`; "" for what is neither text, bytes nor a path."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return bytes.decode(value, "utf-8", "surrogateescape")
    fspath = getattr(type(value), "__fspath__", None)
    if fspath is None:
        return ""
    return plain(fspath(value))


def naming(value: object) -> str:
    """Name an object by what it is, without running any of its code (no `repr` of foreign objects)."""
    kind = type(value)
    if value is None or kind in (bool, int, float):
        return repr(value)
    if kind is str:
        return redaction.shown(value)
    if kind in (FunctionType, BuiltinFunctionType) or isinstance(value, type):
        return qualified(value)
    if kind in (CoroutineType, GeneratorType):
        return str(value.__qualname__)  # type: ignore[attr-defined]
    if kind is MethodType:
        return qualified(value.__func__)  # type: ignore[attr-defined]
    return qualified(kind) + " object"


def qualified(value: object) -> str:
    """Return "module.qualified_name" of a class or function."""
    try:
        if isinstance(value, type):
            # Through the metatype's own descriptors: a class's code is not run for its name.
            name, module = (type.__dict__[each].__get__(value) for each in ("__qualname__", "__module__"))
        else:
            name, module = value.__qualname__, value.__module__  # type: ignore[attr-defined]
    except Exception:  # a callable without a name: a partial, a metaclass that lies
        return type(value).__name__
    if not isinstance(module, str) or module == "builtins":
        return str(name)
    return "%s.%s" % (module, name)


def address(value: object) -> str:
    """Return a socket address as it is usually written: host:port, [host]:port or a path."""
    if isinstance(value, tuple) and len(value) >= 2 and isinstance(value[1], int):
        host = plain(value[0])
        return ("[%s]:%d" if ":" in host else "%s:%d") % (host, value[1])
    if isinstance(value, (str, bytes)):
        return redaction.shown(plain(value).replace("\0", "@"))
    return ""
