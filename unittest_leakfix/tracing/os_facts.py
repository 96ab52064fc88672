"""Is this descriptor, object or process the one that a record speaks of?"""
from __future__ import annotations

import io
import os
import stat
import sys
import time
from collections import deque
from types import (
    BuiltinFunctionType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, Callable, Dict, Iterator, List, Optional

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import dict_slot, module_slot, mro
from unittest_leakfix.resources.registry import kind_of

__unittest = True
bind(globals())
_basename = os.path.basename
_monotonic = time.monotonic

_modules = sys.modules
_fstat = os.fstat
_stat = os.stat
_lstat = os.lstat
_readlink: Optional[Callable[[str], str]] = getattr(os, "readlink", None)
_open, _read, _close = os.open, os.read, os.close
_BOOT = getattr(time, "CLOCK_BOOTTIME", None)
_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_MOST = 50
_PLAIN = (dict, list, tuple, deque)
_ELSEWHERE = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, str, bytes, int,
              float)
_BELOW = ((io.TextIOWrapper, "buffer"), (io.BufferedReader, "raw"), (io.BufferedWriter, "raw"),
          (io.BufferedRandom, "raw"))
_FILES = (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO)


def loaded(name: str) -> Any:
    """Return the module *name* if it is loaded, else None. A test may put anything in its place."""
    module = _modules.get(name)
    return module if type(module) is ModuleType else None


def is_still(fd: int, what: str, path: str) -> bool:
    """True if the open descriptor `fd` is what was opened as `what`, under the name `path`."""
    if path:
        return is_file(fd, path)
    try:
        mode = _fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) if what == "pipe" else stat.S_ISCHR(mode) if what == "device" \
        else what not in ("file", "temporary file", "sqlite3 connection")


def is_file(fd: int, path: str) -> bool:
    """True if the open descriptor `fd` is the file that was opened as `path`."""
    link = target(fd)
    if link == path:
        return True
    try:
        here = _fstat(fd)
    except OSError:
        return False
    if link.startswith(path + "/#"):  # O_TMPFILE: the name that is opened is the folder's
        return True
    try:
        there = _stat(path)
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
    except (OSError, ValueError):  # renamed, removed, or relative to another folder
        gone = link[:-len(" (deleted)")] if link.endswith(" (deleted)") else link
        return gone == path or bool(link) and _basename(gone) == _basename(path)


def size(fd: int) -> int:
    """Return the size of the file that is open; 0 where it cannot be known."""
    try:
        return _fstat(fd).st_size
    except OSError:
        return 0


def target(fd: int) -> str:
    """Return what the system calls the open descriptor: a path, "socket:[123]"; "" if it cannot."""
    if _readlink is None:
        return ""
    try:
        return _readlink("/proc/self/fd/%d" % fd)
    except OSError:
        return ""


def exists(path: str) -> bool:
    """True if there is something at `path`, a broken link included."""
    try:
        _lstat(path)
    except (OSError, ValueError):
        return False
    return True


def is_connection(obj: object) -> bool:
    """True if `obj` is a sqlite3 connection, each of which is announced when it is made."""
    module = loaded("_sqlite3")
    return module is not None and issubclass(type(obj), module.Connection)


def connection_of(obj: object) -> object:
    """Return the connection of a database cursor that is open; anything else as it is."""
    kind = kind_of(obj)
    if kind is None or kind.name != "cursor":
        return obj
    try:
        held = attributes(obj)
        return held["connection"] if "connection" in held else obj.connection  # type: ignore[attr-defined]
    except errors.PASSING:
        raise
    except BaseException:   # psycopg2's is a C attribute, mysql.connector's is private
        return obj


def descriptor_of(obj: object) -> int:
    """Return the descriptor of an open file object of the io module; -1 for anything else."""
    kind = type(obj)
    for file_type in _FILES:
        if issubclass(kind, file_type):
            try:
                return int(file_type.fileno(obj))  # type: ignore[arg-type]
            except (OSError, ValueError):  # closed, detached
                return -1
    return -1


def socket_descriptor(obj: object) -> int:
    """Return the descriptor of an open socket object; -1 for anything else."""
    module = loaded("_socket")
    if module is None or not issubclass(type(obj), module.socket):
        return -1
    return int(module.socket.fileno(obj))


def is_socket(fd: int) -> bool:
    """True if the open descriptor `fd` is a socket: its object may not know that it was closed
    below it."""
    try:
        return stat.S_ISSOCK(_fstat(fd).st_mode)
    except OSError:
        return False


def temporary_path(obj: object) -> str:
    """Return the path of an object of `tempfile` (TemporaryDirectory, NamedTemporaryFile); else
    ""."""
    module = module_slot(type(obj))
    if type(module) is not str or module != "tempfile":
        return ""
    name = attributes(obj).get("name")
    return name if type(name) is str else ""


def path_of(obj: object, what: str) -> str:
    """Return the path of the shared memory that `obj` is; "" for anything else."""
    name = attributes(obj).get("_name") if what == "shared memory" else None
    return "/dev/shm/" + name.lstrip("/") if type(name) is str else ""


def map_length(obj: object) -> int:
    """Return the length of an open memory map; 0 for anything else."""
    module = loaded("mmap")
    if module is None or not issubclass(type(obj), module.mmap):
        return 0
    try:
        return int(module.mmap.__len__(obj))
    except ValueError:  # closed
        return 0


def held_by(obj: object) -> Iterator[object]:
    """Return what an object has in its attributes, and in lists, tuples and dicts there."""
    values: List[Any] = [obj] if type(obj) in _PLAIN else [
        *attributes(obj).values(), *_below(obj), *_slots(obj)]
    for value in values[:_MOST]:
        kind = type(value)
        if kind is dict:
            yield from list(value.values())[:_MOST]
        elif kind is list or kind is tuple or kind is deque:
            yield from list(value)[:_MOST]
        elif not issubclass(kind, _ELSEWHERE):
            yield value


def _slots(obj: object) -> List[object]:
    """Return the values of an object's ``__slots__``."""
    found = []
    for cls in mro(type(obj)):
        for slot in list(dict_slot(cls).values()):
            if type(slot) is MemberDescriptorType:
                try:
                    found.append(slot.__get__(obj))
                except (AttributeError, TypeError):     # not set
                    pass
    return found


def _below(obj: object) -> List[object]:
    """Return the stream below a file object, whose attributes are in C."""
    found = []
    for kind, name in _BELOW:
        if issubclass(type(obj), kind):
            try:
                found.append(getattr(kind, name).__get__(obj))
            except (ValueError, AttributeError):    # detached
                pass
    return found


def process_id(obj: object) -> int:
    """Return the process number that a Popen or multiprocessing object holds; 0 if none."""
    held = attributes(obj)
    popen = held.get("_popen")
    pid = held.get("pid") if popen is None else attributes(popen).get("pid")
    return pid if type(pid) is int else 0


def running_process_id(obj: object) -> int:
    """Return the process number of a child that was not waited for yet; 0 if none.

    Once it was, the number may be another process's.
    """
    held = attributes(obj)
    popen = held.get("_popen")
    if popen is not None:
        held = attributes(popen)
    return process_id(obj) if held.get("returncode") is None else 0


def attributes(obj: object) -> Dict[str, Any]:
    """Return the instance's attributes without running its code."""
    try:
        return dict(object.__getattribute__(obj, "__dict__"))
    except (AttributeError, TypeError):
        return {}


def clock() -> float:
    """Return the seconds since the machine was started, as the ages of processes are counted."""
    return _monotonic() if _BOOT is None else _clock_gettime(_BOOT)


_clock_gettime: Callable[[int], float] = getattr(time, "clock_gettime", lambda _: 0.0)


def born_at(pid: int) -> Optional[float]:
    """Return when the process was born on `clock()`'s scale (to 10 ms); None where unknown."""
    text = contents("/proc/%d/stat" % pid)
    if not text or _BOOT is None:
        return None
    return int(text.rpartition(")")[2].split()[19]) / _TICK


def contents(path: str, most: int = 1 << 16) -> str:
    """Return the text of a system file, `most` bytes of it; "" if there is none."""
    try:
        fd = _open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        found = [_read(fd, most)]
        while found[-1] and sum(map(len, found)) < most:    # some are given a page at a time
            found.append(_read(fd, most))
        return b"".join(found).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        _close(fd)


def has_other_end(fd: int) -> bool:
    """Tell whether the other end of a pipe is open too, under one of the next numbers."""
    pipe = target(fd)
    return bool(pipe) and any(target(each) == pipe for each in range(fd - 16, fd + 17)
                              if each != fd and each >= 0)


def is_written(fd: int) -> int:
    """Return 1 for a descriptor that is open for writing only, 0 for one that is open for reading
    only, -1 for any other and where nobody can tell."""
    fcntl: Any = loaded("fcntl")
    try:
        mode = fcntl.fcntl(fd, fcntl.F_GETFL) & 3       # O_ACCMODE
    except (OSError, AttributeError, TypeError, ValueError):
        return -1
    return mode if mode in (0, 1) else -1
