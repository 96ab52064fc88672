"""Records of what was opened, and what ties each to its resource.

Ids and descriptors are reused, so each kind of resource has the tie that tells it from its
successor: a weak reference where the type allows one; the newest file opened under a descriptor's
number; the newest connection announced under an id.
"""
from __future__ import annotations

import os
import threading
from _thread import get_ident
from collections import deque
from itertools import count
from types import FrameType
from typing import Any, Deque, Dict, List, Optional, Set, Tuple
from weakref import ref

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.tracing import os_facts, value_text
from unittest_leakfix.tracing.stacks import walk

try:
    import fcntl
except ImportError:     # Windows
    fcntl = None    # type: ignore[assignment]

__unittest = True
bind(globals())

#: what, detail, test, thread, serial number, then file, line, function of each frame. All plain
#: strings and numbers, and flat, so that the cycle collector leaves it alone (see `frames.walk`).
Raw = Tuple[Any, ...]
PLAIN = 5  # fields in front of the frames
_CONNECTIONS = 4096
_PATHS = 1000
_DESCRIPTORS = "/proc/self/fd"
_HIGH = 400
_CHANGES = 20


def _copy_above(fd: int, copy: Any = getattr(fcntl, "fcntl", None),
                how: int = getattr(fcntl, "F_DUPFD_CLOEXEC", -1)) -> int:
    """Return a copy of the descriptor with a high number. Raises OSError or ValueError where there
    is none."""
    if copy is None or how < 0:
        raise OSError("no fcntl")
    return int(copy(fd, how, _HIGH))


class Tie(ref):  # type: ignore[type-arg]
    """A weak reference to a resource, with its record."""

    __slots__ = ("key", "raw", "more")
    key: int
    raw: Raw
    more: str


class Records:
    """What was opened. `current` is the test (or fixture) that opens now; "" outside."""

    _dup = staticmethod(os.dup)
    _close = staticmethod(os.close)
    _pipe = staticmethod(os.pipe)
    _open = staticmethod(os.open)
    _fstat = staticmethod(os.fstat)
    _threads: Dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]

    def __init__(self) -> None:
        self.current = ""
        self.paths: Dict[str, Raw] = {}  # of temporary files and folders
        self.listening = False
        # These go up when ...
        self.environment = 0    # a variable is set or unset
        self.directory = 0      # the working directory is changed
        self.settings = 0       # what sets one of the process's settings is called
        self.imports = 0        # a module is imported that is not loaded
        self.children = 0       # a child process is started
        self.latest = 0         # something was opened: its serial number
        self._serial = count(1)
        self._ties: Dict[int, Tie] = {}
        self._untied: Dict[int, Tuple[type, Raw]] = {}  # by id, with its class
        self._loops: Dict[int, Tie] = {}  # those of _ties that are event loops
        self._dead: Optional[Dict[int, Raw]] = None
        self._files: Dict[int, Raw] = {}  # the newest for each descriptor
        self._wrapping: Dict[int, Raw] = {}  # the newest file object around each descriptor
        self._maps: Deque[Tuple[int, Raw]] = deque(maxlen=256)
        self._changed: Dict[Tuple[str, str], Deque[Raw]] = {}
        self._variable: Tuple[Any, ...] = ()    # where the last one was set
        self.set_up: Dict[Tuple[str, str], str] = {}
        """By what was changed and its name: the test in which an installed package set it up, of
        the loggers that it has, when it was first used."""
        self._connections: Dict[int, Raw] = {}
        self._connecting: Dict[int, Raw] = {}  # one for each thread inside sqlite3.connect
        self._paths_at_most = _PATHS
        self._forks: Deque[Tuple[float, Raw]] = deque(maxlen=256)
        self._probe = -1
        self._inode = self._device = 0

    def forget_all(self) -> None:
        """Forget every record."""
        for each in (self._ties, self._loops, self._files, self._connections, self._connecting,
                     self.paths, self._wrapping, self._changed, self.set_up, self._untied):
            each.clear()
        self._forks.clear()
        self._maps.clear()
        self._variable = ()

    def record(self, what: str, detail: str, frame: Optional[FrameType]) -> Raw:
        """Make the record of something opened now by the code in `frame` and outwards."""
        thread = self._threads.get(get_ident())
        name = getattr(thread, "_name", "") if thread is not None else ""
        serial = self.latest = next(self._serial)
        if what == "child process":
            self.children += 1
        return (what, detail, self.current, name, serial) + walk(frame)

    def tie(self, obj: object, raw: Raw) -> None:
        """Tie a record to an object until it dies; to one that cannot be weakly referenced, until
        its constructor makes another of its class under its id."""
        try:
            tie = Tie(obj, self._forget)
        except TypeError:   # asyncpg's pool
            if len(self._untied) >= _CONNECTIONS:
                self._untied.clear()
            self._untied[id(obj)] = type(obj), raw
            return
        tie.key = id(obj)
        tie.raw = raw
        tie.more = ""
        self._ties[tie.key] = tie
        if raw[0] == "event loop":
            self._loops[tie.key] = tie

    def _forget(self, tie: Tie) -> None:
        if self._ties.get(tie.key) is tie:
            del self._ties[tie.key]
            self._loops.pop(tie.key, None)
            if self._dead is not None:
                self._dead[tie.key] = tie.raw

    def renew_probe(self) -> None:
        """Open the descriptor that `next_descriptor` copies, unless it is open.

        Not while a test runs: it may close 0 and count on being given that number next.
        """
        if self.own_status() is not None:
            return
        try:
            self._probe = self._open_probe()
            status = self._fstat(self._probe)
            self._inode, self._device = status[1], status[2]
        except OSError:  # out of descriptors
            self._probe = -1

    def _open_probe(self) -> int:
        try:
            probe = self._open(_DESCRIPTORS, os.O_RDONLY)   # tells their number, too
        except OSError:
            probe, other = self._pipe()
            self._close(other)
        try:
            # Out of the way of tests that count on low numbers, or close all of them.
            high = _copy_above(probe)
        except (OSError, ValueError):   # that many are not allowed
            return probe
        self._close(probe)
        return high

    def own_status(self) -> Optional[os.stat_result]:
        """Return the system's status of the probe; None if it is not ours any more.

        A number is not an identity: a test may have closed it, and opened its own under the number.
        """
        if self._probe < 0:
            return None
        try:
            status = self._fstat(self._probe)
        except OSError:
            return None
        return status if status[1] == self._inode and status[2] == self._device else None

    def next_descriptor(self) -> int:
        """Return the number that the next opened file gets: the system always takes the lowest.

        No file is copied, because closing a copy of one would release its POSIX locks. -1 where it
        cannot be known.
        """
        if self.own_status() is None:
            return -1
        try:
            fd = self._dup(self._probe)
            self._close(fd)
        except OSError:
            return -1
        return fd

    @property
    def own_descriptor(self) -> int:
        """The descriptor that recording itself needs; -1 when there is none."""
        return -1 if self.own_status() is None else self._probe

    @property
    def forked(self) -> bool:
        """Tell whether anything was forked without a `Popen` or the like."""
        return bool(self._forks)

    @property
    def loops_alive(self) -> int:
        """The number of recorded event loops that are alive, open or closed."""
        return len(self._loops)

    def drop_probe(self) -> None:
        """Close it, if it is still ours."""
        if self.own_status() is not None:
            self._close(self._probe)
        self._probe = -1

    def opened(self, raw: Raw, many: int = 1) -> None:
        """Note that the file of `raw` is about to be opened; or so *many* descriptors at once."""
        fd = self.next_descriptor()
        if fd >= 0:
            self._files[fd] = raw
            if many > 1:
                self.opened_above(fd + 1, raw)

    def opened_above(self, least: int, raw: Raw) -> None:
        """Note that the first free descriptor from *least* on is about to be opened."""
        for fd in range(max(least, 0), max(least, 0) + _HIGH):
            try:
                self._fstat(fd)
            except OSError:
                self._files[fd] = raw
                break

    def wrapped(self, fd: int, frame: Optional[FrameType]) -> None:
        """Note that a file object is about to be made around an open descriptor."""
        below = self._files.get(fd)
        if below is not None and below[1] and os_facts.is_still(fd, below[0], below[1]):
            what, detail = below[:2]
        else:
            what, detail = "file", os_facts.target(fd)
        self._wrapping[fd] = self.record(what, detail, frame)

    def mapped(self, length: int, raw: Raw, file: bool) -> None:
        """Note a memory map that is about to be made, of a *file* or not."""
        self._maps.append((length, raw))
        if file:
            self.opened(raw)

    def changed(self, what: str, name: str, frame: Optional[FrameType]) -> None:
        """Note where something that there is once is about to be changed: the level of the logger
        of this *name*."""
        self._note(what, name, self.record(what, "", frame))

    def noted_since(self, what: str, mark: int) -> bool:
        """Tell whether a change of *what* there is once was noted after *mark*, a serial number."""
        noted = self._changed.get((what, ""))
        return bool(noted) and noted[-1][4] > mark  # type: ignore[index]

    def _note(self, what: str, name: str, raw: Raw) -> None:
        noted = self._changed.get((what, name))
        if noted is None:
            if len(self._changed) >= _CONNECTIONS:
                self._changed.clear()
            noted = self._changed[what, name] = deque(maxlen=_CHANGES)
        noted.append(raw)

    def set_variable(self, name: str, frame: Optional[FrameType]) -> None:
        """Note where an environment variable is about to be set or unset.

        ``mock.patch.dict`` sets all of them anew: what comes from the same place is one record.
        """
        back = frame.f_back if frame is not None else None
        outer = back.f_back if back is not None else None
        place = (self.current, id(back), back.f_lasti if back is not None else 0,
                 id(outer), outer.f_lasti if outer is not None else 0)
        if not self._variable or self._variable[0] != place:
            self._variable = (place, self.record("environment", "", frame))
        self._note("environment", name, self._variable[1])

    def tied(self, obj: object) -> bool:
        """Tell whether the object has a record of its own."""
        tie = self._ties.get(id(obj))
        return tie is not None and tie() is obj

    def untied(self, obj: object) -> Optional[Raw]:
        """Return the record of an object that cannot be weakly referenced, None if there is
        none."""
        cls, raw = self._untied.get(id(obj), (None, None))
        return raw if cls is type(obj) else None

    def outdated(self, fd: int, since: int) -> None:
        """Say that what is open under *fd* was opened after the mark *since*: an older record is of
        another file."""
        raw = self._files.get(fd)
        if raw is not None and raw[4] <= since:
            del self._files[fd]

    def serial(self) -> int:
        """Return a number between those of the records so far and those to come."""
        return next(self._serial)

    def addressed(self, sock: object, address: object) -> None:
        """Note the address that a socket is bound or connected to."""
        tie = self._ties.get(id(sock))
        if tie is not None and tie() is sock:
            tie.more = value_text.address(address)

    def connecting(self, raw: Raw) -> None:
        """Note that this thread is inside `sqlite3.connect`."""
        self._connecting[get_ident()] = raw
        self.opened(raw)

    def connected(self, connection: object) -> None:
        """Tie the record of `sqlite3.connect` to the connection, which allows no weak reference."""
        raw = self._connecting.pop(get_ident(), None)
        key = id(connection)
        self._connections.pop(key, None)
        if raw is not None:
            self._connections[key] = raw
            if len(self._connections) > _CONNECTIONS:
                del self._connections[next(iter(self._connections))]

    def forking(self, raw: Raw) -> None:
        """Note that a child is about to be born whose number will not be known."""
        self._forks.append((os_facts.clock(), raw))

    def made_path(self, path: str, raw: Raw) -> None:
        """Note a temporary file or folder that is about to be made."""
        if len(self.paths) >= self._paths_at_most:
            self.left(set())
            self._paths_at_most = max(_PATHS, 2 * len(self.paths))
        self.paths[path] = raw

    def left(self, known: Set[str]) -> List[str]:
        """Return the temporary paths not in `known` that still exist; forgets those that do not."""
        for path in [path for path in tuple(self.paths) if path not in known]:
            if not os_facts.exists(path):
                self.paths.pop(path, None)
        return [path for path in self.paths if path not in known]

    def started(self, thread: threading.Thread, frame: Optional[FrameType]) -> None:
        """Record a thread that is about to start."""
        self.tie(thread, self.record("thread", redaction.shown(str(thread._name)), frame))  # type: ignore[attr-defined]
