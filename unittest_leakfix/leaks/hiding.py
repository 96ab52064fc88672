"""What may be shown: values without the secrets, objects without running their code."""
from __future__ import annotations

import re
from types import BuiltinFunctionType, CoroutineType, FunctionType, GeneratorType, MethodType
from typing import Sequence

__unittest = True

_NAMES = "passw(?:or)?d|passphrase|secret|token|key|credential"
# PWD and OLDPWD are the shell's working directories.
_SECRET = re.compile(_NAMES + "|(?<!^)(?<!^old)pwd", re.I)
_IN_URL = re.compile(r"(://[^/@:\s]*):[^/@\s]+@")
_SETTING = re.compile(r"([\w-]*(?:" + _NAMES + r"|\bpwd)[\w-]*)([=:]\s*)[^\s&;,'\"]+", re.I)
_LONGEST = 60
HIDDEN = "***"


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return `text` on one line, its middle left out where it is longer than `longest`."""
    line = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    if len(line) <= longest:
        return line
    head = (longest - 3) // 2
    return line[:head] + "..." + line[-(longest - 3 - head):]


def without_secrets(text: str) -> str:
    """Return `text` with the passwords of URLs and the values of secret settings replaced by ***."""
    return _SETTING.sub(r"\1\2" + HIDDEN, _IN_URL.sub(r"\1:" + HIDDEN + "@", text))


def value_of(name: str, value: str) -> str:
    """Return the setting's value as it may be shown: *** when `name` sounds secret, else cut."""
    if _SECRET.search(name):
        return HIDDEN
    return cut(without_secrets(value))


def command(arguments: object) -> str:
    """Return a child's command line as it may be shown; the value of a secret option is hidden."""
    if isinstance(arguments, (str, bytes)):
        return cut(without_secrets(plain(arguments)))
    if not isinstance(arguments, Sequence):
        return ""
    words = []
    hide = False
    for argument in list(arguments)[:8]:
        word = plain(argument)
        if hide and not word.startswith("-"):
            words.append(HIDDEN)
            hide = False
            continue
        hide = word.startswith("-") and "=" not in word and bool(_SECRET.search(word))
        # mysql's -pSECRET cannot be told from another program's -print, so all of it goes.
        short_option = word.startswith("-p") and len(word) > 2 and not word[2:].isdigit()
        words.append("-p" + HIDDEN if short_option else without_secrets(word))
    return cut(" ".join(words))


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
        return cut(without_secrets(str(value)))
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
        return cut(plain(value).replace("\0", "@"))
    return ""
