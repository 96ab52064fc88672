"""Files that are written whole or not at all.

Everything here works when a test has replaced functions of `os`, has moved to another folder or has
used up all descriptors: what is called later is bound, and where a file is was found out, at the
start.
"""
from __future__ import annotations

import errno
import os
import re
import stat
import sys
from itertools import count
from typing import Any, Optional

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())
_access = os.access
_fsdecode = os.fsdecode
_fspath = os.fspath
_abspath = os.path.abspath
_basename = os.path.basename
_dirname = os.path.dirname
_isdir = os.path.isdir
_islink = os.path.islink
_normcase = os.path.normcase
_realpath = os.path.realpath
_samestat = os.path.samestat
_readlink = os.readlink
_strerror = os.strerror

_os_open, _write, _close, _fsync = os.open, os.write, os.close, os.fsync
_stat, _fstat, _replace, _unlink, _getpid = os.stat, os.fstat, os.replace, os.unlink, os.getpid
_fchmod: Any = getattr(os, "fchmod", None)
_fchown: Any = getattr(os, "fchown", None)
_ftruncate: Any = getattr(os, "ftruncate", None)
_join = os.path.join

_FLAGS = os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_APPEND = _FLAGS | os.O_CREAT | os.O_APPEND
_NEW = _FLAGS | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
# Some file systems cannot do it; then the file is as safe as any other there.
_CANNOT_SYNC = (errno.EINVAL, errno.ENOSYS, getattr(errno, "ENOTSUP", errno.EINVAL))
# A file that is mounted by itself (Docker), and another user's in a folder like /tmp.
_CANNOT_REPLACE = (errno.EBUSY, errno.EPERM, errno.EACCES)
_OF_A_PROCESS = re.compile(r"(?:/dev|/proc/(\d+))/fd/(\d+)\Z")
_serial = count()


class Target:
    """A file that will be written: where it is, is found out when this is made.

    A regular file is replaced by a new one of the same mode, behind a symbolic link if there is
    one; a device, a pipe, or a descriptor of this process (``/dev/stdout``) is written to. Raises
    ValueError, whose text says why, for what cannot be written.
    """

    def __init__(self, name: str) -> None:
        self.name = shown(name)
        self._descriptor = -1
        self._special = False
        self._path = ""
        self._status: Optional[os.stat_result] = None
        try:
            self._find(_fspath(name))
        except (OSError, ValueError) as error:
            raise ValueError("%s cannot be written: %s" % (self.name, reason(error))) from None

    def _find(self, name: str) -> None:
        if not name:
            raise ValueError("it has no name")
        path = _abspath(name)
        self._descriptor = _descriptor(path)
        if self._descriptor >= 0:
            self._status = _fstat(self._descriptor)
            return
        self._path = _realpath(path)
        try:
            self._status = _stat(path)
        except FileNotFoundError:
            folder = _dirname(self._path)
            if not _isdir(folder):
                raise ValueError("there is no folder %s" % shown(folder)) from None
        else:
            if stat.S_ISDIR(self._status.st_mode):
                raise ValueError("it is a folder")
            self._special = not stat.S_ISREG(self._status.st_mode)
            if not _access(path, os.W_OK):
                raise ValueError(_strerror(errno.EACCES))
        if not self._special and not _access(_dirname(self._path), os.W_OK | os.X_OK):
            raise ValueError("nothing can be written in its folder")

    def is_same(self, other: Target) -> bool:
        """Tell whether *other* is the same file, however it is spelled. ``/dev/null`` is not."""
        if self._path == other._path == _realpath(os.devnull):
            return False
        if self._status is not None and other._status is not None:
            return _samestat(self._status, other._status)
        return bool(self._path) and _normcase(self._path) == _normcase(other._path)

    def is_file(self, path: str) -> bool:
        """Tell whether the existing file *path* is this one."""
        try:
            return self._status is not None and _samestat(self._status, _stat(path))
        except (OSError, ValueError):
            return False

    def append(self, text: str) -> None:
        """Write *text*, in UTF-8, after what is there. Raises OSError."""
        data = text.encode("utf-8", "backslashreplace")
        if self._descriptor >= 0:
            self.write(text)
        else:
            _in_place(self._path, data, _APPEND)

    def write(self, text: str) -> None:
        """Write *text*, JSON or HTML, in UTF-8. Raises OSError; a regular file is then as it
        was."""
        # A surrogate becomes \udc80, which JSON reads as that surrogate.
        data = text.encode("utf-8", "backslashreplace")
        if self._descriptor >= 0:
            if not _is(self._descriptor, self._status):
                raise OSError(errno.EBADF,
                              "descriptor %d is not the same file any more" % self._descriptor)
            _flush()
            _all(self._descriptor, data)
        elif self._special:
            _in_place(self._path, data, _FLAGS)
        else:
            _whole(self._path, data)


def write(path: str, text: str) -> None:
    """Write *text*, JSON, to the file *path* as `Target` does. Raises OSError."""
    try:
        target = Target(path)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from None
    target.write(text)


def write_bytes(path: str, data: bytes) -> None:
    """Write *data* to the file *path*, whole or not at all; a symbolic link stays one. Raises
    OSError."""
    _whole(_realpath(path), data)


def shown(name: Any) -> str:
    """Return a file's name as any stream takes it."""
    return _fsdecode(name).encode("utf-8", "backslashreplace").decode("utf-8")


def reason(error: Exception) -> str:
    """Return why: the system's own words, or the error's."""
    return getattr(error, "strerror", None) or str(error)


def _descriptor(path: str) -> int:
    """Return the descriptor of this process that *path* stands for (``/dev/stdout``), -1 for
    none."""
    for _ in range(40):
        path = _join(_realpath(_dirname(path)), _basename(path))
        found = _OF_A_PROCESS.match(path)
        if found is not None and found.group(1) in (None, str(_getpid())):
            return int(found.group(2))
        if not _islink(path):
            break
        path = _join(_dirname(path), _readlink(path))
    return -1


def _is(descriptor: int, status: Any) -> bool:
    try:
        return _samestat(_fstat(descriptor), status)
    except OSError:
        return False


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:   # closed, or replaced by what is not a stream
            pass


def _all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[_write(descriptor, rest):]


def _in_place(path: str, data: bytes, flags: int, cut: bool = False) -> None:
    descriptor = _os_open(path, flags, 0o666)
    try:
        _all(descriptor, data)
        if cut:
            _ftruncate(descriptor, len(data))
    finally:
        _close(descriptor)


def _whole(path: str, data: bytes) -> None:
    """Put a new file in the place of *path*, or leave that as it is."""
    folder = _dirname(path)
    temporary, descriptor = "", -1
    # Without another "try" at this level: since 3.11 a signal on the line of one passes this one
    # by.
    try:
        while descriptor < 0:
            # One that is there is another run's, or was left when a run was killed.
            temporary = _join(folder, ".leakfix-%d-%d.tmp" % (_getpid(), next(_serial)))
            try:
                descriptor = _os_open(temporary, _NEW, 0o666)
            except FileExistsError:
                pass
        _copy_mode(descriptor, path)
        _all(descriptor, data)
        _sync(descriptor)
        opened, descriptor = descriptor, -1
        _close(opened)
        _put(temporary, path, data)
    except BaseException:
        _clean_up(temporary, descriptor)
        raise
    _sync_folder(folder)


def _copy_mode(descriptor: int, path: str) -> None:
    """Give the new file the mode and the owner of the one at *path*, if there is one."""
    try:
        old = _stat(path)
        new = _fstat(descriptor)
        if _fchown is not None and (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            _fchown(descriptor, old.st_uid, old.st_gid)
    except OSError:     # there is none, or it is another user's
        pass
    try:
        if _fchmod is not None:
            _fchmod(descriptor, stat.S_IMODE(_stat(path).st_mode))
    except OSError:
        pass


def _clean_up(temporary: str, descriptor: int) -> None:
    try:
        if descriptor >= 0:
            _close(descriptor)
    except OSError:
        pass
    try:
        if temporary:
            _unlink(temporary)
    except OSError:     # it was not made, or has its name by now
        pass


def _sync(descriptor: int) -> None:
    try:
        _fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def _put(temporary: str, path: str, data: bytes) -> None:
    try:
        _replace(temporary, path)
    except OSError as error:
        if error.errno not in _CANNOT_REPLACE or _ftruncate is None:
            raise
        # That there is room was seen.
        _in_place(path, data, _FLAGS, True)
        _unlink(temporary)


def _sync_folder(folder: str) -> None:
    # Windows cannot open one.
    try:
        descriptor = _os_open(folder, _FOLDER)
    except OSError:
        return
    try:
        _fsync(descriptor)
    except OSError:
        pass
    finally:
        _close(descriptor)
