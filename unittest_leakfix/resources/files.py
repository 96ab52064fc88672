"""Kinds: files, temporary files and folders, archives, maps and small databases."""
from __future__ import absolute_import

import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import mro, name_of, on_type, own_attribute
from unittest_leakfix.resources.kind import Kind, method, open_by_flags, short_text

__unittest = True
bind(globals())

_closed = ("closed",)


# Of io, which plain unittest does not import on 2.7, by name: what each has below it.
_WRAPPED = {"TextIOWrapper": "buffer", "BufferedReader": "raw", "BufferedWriter": "raw",
            "BufferedRandom": "raw"}
_MEMORY = (("_io", "BytesIO"), ("_io", "StringIO"))


def _file_open(value):
    return False if _in_memory(value) else open_by_flags(value, _closed)


def _in_memory(value):
    """Tell whether a stream has nothing below it that has a descriptor."""
    for _ in _WRAPPED:
        # That of io which it inherits from: a subclass may have a "buffer" of its own.
        base = next((each for each in mro(type(value)) if name_of(each)[0] == "_io"
                     and name_of(each)[1] in _WRAPPED), None)
        if base is None:
            break
        try:
            value = on_type(base, _WRAPPED[name_of(base)[1]]).__get__(value, type(value))
        except ValueError:      # detached
            return False
    kind = type(value)
    named = [(name_of(base), base) for base in mro(kind) if type(name_of(base)[0]) is str]
    if any(name in _MEMORY for name, _ in named):
        return True
    # One of somebody's own that has neither a descriptor nor anything to close.
    return name_of(kind)[0] not in ("_io", "io", "_pyio") and any(
        all(on_type(kind, each) is on_type(base, each) for each in ("fileno", "close"))
        for name, base in named if name == ("_io", "_IOBase"))


def _file_text(value):
    name = getattr(value, "name", None)
    name = "descriptor %d" % name if type(name) is int else short_text(name)
    mode = short_text(getattr(value, "mode", None), 10)
    return ("file %s" % name if name else "file") + (" (%s)" % mode if mode else "")


def _named(noun, attribute):
    def describe(value):
        return ("%s %s" % (noun, short_text(own_attribute(value, attribute)))).strip()
    return describe


def _inner_open(attribute):
    """Openness of a wrapper: that of the file it keeps under ``attribute``."""
    def is_open(value):
        inner = own_attribute(value, attribute)
        return False if inner is None else _file_open(inner)
    return is_open


def _temporary_file_open(value):
    if _inner_open("file")(value) is not False:
        return _inner_open("file")(value)
    # Python 3.12: with delete_on_close=False the file outlives its close().
    closer = own_attribute(value, "_closer")
    return bool(own_attribute(closer, "delete", False)
                and own_attribute(closer, "cleanup_called", None) is None
                and own_attribute(closer, "delete_on_close", True) is False)


def _temporary_file_close(value):
    try:
        value.close()
    finally:
        cleanup = getattr(own_attribute(value, "_closer"), "cleanup", None)  # Python 3.12
        if cleanup is not None:
            cleanup()


def _spooled_open(value):
    # Not rolled over yet: only memory, nothing to give back.
    return bool(own_attribute(value, "_rolled")) and _inner_open("_file")(value)


def _folder_open(value):
    # Python 3.12: delete=False says that the folder is meant to stay.
    if own_attribute(value, "_delete", True) is False:
        return False
    return bool(own_attribute(value, "_finalizer").alive)


def _zip_open(value):
    return own_attribute(value, "fp") is not None


def _map_open(value):
    try:
        len(value)  # mmap.closed came with Python 3.2
    except ValueError:
        return False
    return True


def _shelf_open(value):
    inner = own_attribute(value, "dict")
    return inner is not None and type(inner).__name__ != "_ClosedDict" and \
        getattr(inner, "__class__", None) is not _closed_dict()


def _closed_dict():
    # Python 2.7: an old-style class, whose instances all have one type.
    return getattr(sys.modules.get("shelve"), "_ClosedDict", None)


def _dumb_open(value):
    return own_attribute(value, "_index") is not None


def _dbm_sqlite_open(value):
    return own_attribute(value, "_cx") is not None


FILE = Kind("file", method("close"), _file_open, _file_text)
_TEMPORARY = Kind("temporary file", _temporary_file_close, _temporary_file_open,
                  _named("temporary file", "name"))
_RESPONSE = Kind("response", method("close"), _inner_open("file"))
_CODEC = Kind("file", lambda value: own_attribute(value, "stream").close(), _inner_open("stream"),
              lambda value: _file_text(own_attribute(value, "stream")))
_SHELF = Kind("shelf", method("close"), _shelf_open)
_DUMB = Kind("dbm database", method("close"), _dumb_open)

#: (module, class) -> Kind, or None for what is not a resource.
KINDS = {
    ("_io", "_IOBase"): FILE,
    ("_pyio", "IOBase"): FILE,
    ("__builtin__", "file"): FILE,  # Python 2.7
    # They hold nothing outside Python's memory.
    ("_io", "BytesIO"): None,
    ("_io", "StringIO"): None,
    ("_pyio", "BytesIO"): None,
    ("_pyio", "StringIO"): None,
    ("codecs", "StreamReaderWriter"): _CODEC,
    ("codecs", "StreamRecoder"): _CODEC,
    ("tempfile", "_TemporaryFileWrapper"): _TEMPORARY,
    ("tempfile", "SpooledTemporaryFile"): Kind(
        "temporary file", method("close"), _spooled_open),
    ("tempfile", "TemporaryDirectory"): Kind(
        "temporary folder", method("cleanup"), _folder_open,
        _named("temporary folder", "name")),
    ("urllib.response", "addbase"): _RESPONSE,
    ("zipfile", "ZipFile"): Kind("zip archive", method("close"), _zip_open,
                                 _named("zip archive", "filename")),
    ("tarfile", "TarFile"): Kind("tar archive", method("close"), _file_open,
                                 _named("tar archive", "name")),
    ("mmap", "mmap"): Kind("memory map", method("close"), _map_open),
    ("multiprocessing.shared_memory", "SharedMemory"): Kind(
        "shared memory", method("close"), lambda value: own_attribute(value, "_mmap") is not None,
        _named("shared memory", "_name")),
    ("shelve", "Shelf"): _SHELF,
    ("dbm.dumb", "_Database"): _DUMB,
    ("dumbdbm", "_Database"): _DUMB,  # Python 2.7
    ("dbm.sqlite3", "_Database"): Kind("dbm database", method("close"), _dbm_sqlite_open),
}
# zipfile became a package in Python 3.12; its classes still say "zipfile".
