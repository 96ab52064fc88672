"""Open descriptors, and those that other code had opened. Kinds: "descriptor", "closed
descriptor"."""

from __future__ import annotations

import os
import stat
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.ownership import COUNTED
from unittest_leakfix.process_state.base import Change, FoundChange, Monitor
from unittest_leakfix.tracing import os_facts, value_text
from unittest_leakfix.tracing.acquisitions import Acquisitions

__unittest = True
bind(globals())
_close, _fstat, _getpid, _pipe = os.close, os.fstat, os.getpid, os.pipe

# What multiprocessing and the system start once for the whole process: not a test's leak.

# Module, object in it, attribute with the process id, attribute with the end of the pipe.
_HELPERS = (
    ("multiprocessing.resource_tracker", "_resource_tracker", "_pid", "_fd"),
    ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid", "_forkserver_alive_fd"),
)
_S_IFDIR = stat.S_IFDIR
_limit = getattr(os, "sysconf", lambda _: 256)
_MANY = 1 << 16
_dup = os.dup


def processes() -> Set[object]:
    """Return the process ids of the helpers that run."""
    return _values(2)


def descriptors() -> Set[int]:
    """Return the descriptors that this process keeps for them, and for its shared memory."""
    return {fd for fd in _values(3) | _arenas() if type(fd) is int}


def loaded_files() -> Set[str]:
    """Return the paths of the executable and of the libraries that the system has loaded
    (Linux)."""
    found: Set[str] = set()
    for line in os_facts.contents("/proc/self/maps", 1 << 24).splitlines():
        part = line.split(None, 5)
        if len(part) == 6 and "x" in part[1]:
            found.add(part[5])
    return found


def _arenas() -> Set[object]:
    """Return the descriptors of what `multiprocessing.Value` and its like share: it is used again
    and again."""
    wrapper = getattr(sys.modules.get("multiprocessing.heap"), "BufferWrapper", None)
    arenas = os_facts.attributes(getattr(wrapper, "_heap", None)).get("_arenas")
    return {os_facts.attributes(arena).get("fd")
            for arena in arenas} if type(arenas) is list else set()


def _values(place: int) -> Set[object]:
    found: Set[object] = set()
    for helper in _HELPERS:
        module = sys.modules.get(helper[0])
        if module is not None:
            found.add(os_facts.attributes(getattr(module, helper[1], None)).get(helper[place]))
    return found


class Reserve:
    """A descriptor that is held while the tests run, so that one is there when they have used up
    all.

    It is known by device and inode: a test may close it, and something else get its number.
    """

    _held: List[Reserve] = []

    def __init__(self) -> None:
        self._number = -1
        self._identity: Optional[Tuple[int, int]] = None
        self._pid = 0

    def hold(self) -> None:
        """Open it. Where none can be opened there is none."""
        try:
            self._number = self._opened()
            status = _fstat(self._number)
        except OSError:
            return
        self._identity, self._pid = (status.st_dev, status.st_ino), _getpid()
        Reserve._held.append(self)

    def _opened(self) -> int:
        # The end of a pipe: nothing else has its inode.
        number, other = _pipe()
        _close(other)
        return number

    def is_ours(self) -> bool:
        """Tell whether what is open under the number is what was opened. Raises OSError where
        nothing is."""
        status = _fstat(self._number)
        return (status.st_dev, status.st_ino) == self._identity

    def release(self) -> bool:
        """Close it. Returns False if it was held and is gone: a test has closed it."""
        try:
            if self._number < 0 or self._pid != _getpid():
                return True
            if self.is_ours():
                _close(self._number)
                return True
        except OSError:
            pass
        finally:
            self._number = -1
            if self in Reserve._held:
                Reserve._held.remove(self)
        return False

    @staticmethod
    def has(number: int, device: int, inode: int) -> bool:
        """Tell whether the descriptor *number*, of this *device* and *inode*, is one of these."""
        return any(each._number == number and each._identity == (device, inode)
                   for each in Reserve._held)


_is_reserved = Reserve.has


class Opened(NamedTuple):
    """What tells the file behind a number from another file behind the same number."""

    device: int
    inode: int
    kind: int
    #: what the system calls it (a path); of a socket its addresses
    target: str


# macOS has the second one, Windows neither.
_FOLDER = next((name for name in ("/proc/self/fd", "/dev/fd") if os.path.isdir(name)), "")


def listed() -> bool:
    """Tell whether this system lists the open descriptors of a process."""
    return bool(_FOLDER)


class Descriptors(Monitor):
    """Watches the descriptors of this process.

    Their number is one `os.stat` on Linux 6.2 and later. One closed and one opened hide each other
    from that; `full` lists them. On other systems each look is a listing.
    """

    passing = True
    sharp = False
    _stat = staticmethod(os.stat)
    _fstat = staticmethod(os.fstat)
    _listdir = staticmethod(os.listdir)
    _folder = _FOLDER

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        self._acquisitions = acquisitions
        self._counts = self._can_count()
        self._count = 0
        self._base: Dict[int, Opened] = {}
        self._reported: Set[int] = set()
        self._mark = 0      # what was recorded before the base was taken
        self._latest = -1   # what was opened last before that

    def _can_count(self) -> bool:
        """True if the size of the folder is the number of descriptors (Linux 6.2 and later)."""
        if not self._folder:
            return False
        size = self._stat(self._folder).st_size
        return size == len(self._listdir(self._folder)) - 1

    def count(self) -> int:
        """Return how many descriptors are open; -1 where that cannot be known."""
        if self._counts:
            status = None if self._acquisitions is None else self._acquisitions.own_status()
            if status is not None and status[0] == _S_IFDIR | 0o500:
                return int(status[6])
            return self._stat(self._folder).st_size
        return len(self._numbers()) if self._folder else -1

    def _numbers(self) -> List[int]:
        """Return the numbers of the open descriptors."""
        try:
            numbers = list(map(int, self._listdir(self._folder)))
        except OSError:
            # None is left to list them with; a limit that was lowered closes nothing.
            numbers = list(range(max(min(_limit("SC_OPEN_MAX"), _MANY), *self._base, 0) + 1))
        return [fd for fd in numbers if self._is_open(fd)]

    def _is_open(self, fd: int) -> bool:
        try:
            self._fstat(fd)
        except OSError:  # the listing's own
            return False
        return True

    def listing(self) -> Dict[int, Opened]:
        """Return what every open descriptor is, by its number."""
        found: Dict[int, Opened] = {}
        copied = -1 if self._acquisitions is None else self._acquisitions.own_descriptor
        for fd in self._numbers() if self._folder else ():
            if fd == copied:
                continue
            try:
                status = self._fstat(fd)
            except OSError:  # closed meanwhile, by another thread
                continue
            identifies = (status.st_dev, status.st_ino, stat.S_IFMT(status.st_mode))
            if _is_reserved(fd, *identifies[:2]):
                continue
            found[fd] = Opened(*identifies, self._target(fd, identifies))
        return found

    def _target(self, fd: int, identifies: Tuple[int, int, int]) -> str:
        if identifies[2] != stat.S_IFSOCK:
            return os_facts.target(fd)
        known = self._base.get(fd)  # a socket takes 10 us to ask
        return known.target if known is not None and known[
            :3] == identifies and known.target else _ends(fd)

    def take(self) -> None:
        count = self.count()
        if count != self._count or not self._base:
            self._take(self.listing(), count)

    def _take(self, now: Dict[int, Opened], count: int) -> None:
        self._reported = {fd for fd in self._reported if now.get(fd) == self._base.get(fd)}
        self._base, self._count = now, count
        if self._acquisitions is not None:
            self._mark = self._acquisitions.serial()
            self._latest = self._acquisitions.latest

    @property
    def known(self) -> Optional[int]:
        """How many were open at the last look, without ours; None where that cannot be known."""
        return len(self._base) if self._folder else None

    def retake(self) -> None:
        """Take the base by listing, also when the number is the same."""
        self._take(self.listing(), self.count())

    def window(self) -> None:
        self._count = self.count()
        if self._acquisitions is not None:
            self._mark = self._acquisitions.serial()

    def absorb(self, since: "Descriptors") -> None:
        # Those without a record may belong to any code.
        count = self.count()
        if count == since._count or self._acquisitions is None:
            return
        for fd, opened in self.listing().items():
            if not _same(self._base.get(fd),
                         opened) and self._acquisitions.opened_since(fd, since._mark):
                self._count += fd not in self._base
                self._base[fd] = opened

    def same(self) -> bool:
        return self.count() == self._count

    def exactly(self) -> bool:
        # Where the number is the same and nothing was opened, nothing took the place of another.
        return (self.count() == self._count and self._acquisitions is not None
                and self._acquisitions.listening and self._latest == self._acquisitions.latest)

    def waits(self) -> bool:
        """Return True when there are new ones. (Only a thread or child would close them now.)"""
        return bool(self._new(self.listing()))

    def changes(self) -> List[FoundChange]:
        now = self.listing()
        found: List[FoundChange] = []
        # Where references are not counted (PyPy) a file may be garbage for long, and be closed any
        # time.
        for fd, base in self._base.items() if COUNTED else ():
            # What was reported as left behind may end at any time; that is not a foreign close.
            if not _same(base, now.get(fd)) and fd not in self._reported:
                found.append((self._closed(fd, base, now.get(fd)), None))
        new = self._new(now)
        found += [(self._opened(fd, now[fd]), None) for fd in new]
        self._take(now, self.count())
        return found

    def reported(self, changes: List[Change]) -> None:
        self._reported.update(change.fd for change in changes if change.kind == "descriptor")

    def _new(self, now: Dict[int, Opened]) -> List[int]:
        new = [fd for fd, opened in now.items() if not _same(self._base.get(fd), opened)]
        held = descriptors() if new else ()
        # A memory map has a descriptor of its own, on the same file.
        files = {now[fd][:3] for fd in held if fd in now and now[fd].kind == stat.S_IFREG}
        new = [fd for fd in new if fd not in held and now[fd][:3] not in files]
        # libffi (3.5) opens itself once for its trampolines. What Python code opens is recorded.
        unknown = [fd for fd in new if now[fd].kind == stat.S_IFREG and (
            self._acquisitions is None or self._acquisitions.of_descriptor(fd) is None)]
        loaded = loaded_files() if unknown else ()
        return [fd for fd in new if fd not in unknown or now[fd].target not in loaded]

    def _opened(self, fd: int, opened: Opened) -> Change:
        if self._acquisitions is not None:
            self._acquisitions.outdated(fd, self._mark)
        return _descriptor("descriptor", fd, _on(_now(fd, opened)))

    def _closed(self, fd: int, base: Opened, now: Optional[Opened]) -> Change:
        reused_by = "" if now is None else what(fd, now)
        return _descriptor("closed descriptor", fd, _on(base))._replace(reused_by=reused_by)


def _same(one: Optional[Opened], other: Optional[Opened]) -> bool:
    return one is not None and other is not None and one[:3] == other[:3]


def what(fd: int, opened: Opened) -> str:
    """Say what the open descriptor `fd` is: "file shop/orders.db", "socket 127.0.0.1:80",
    "pipe"."""
    return " ".join(filter(None, _on(_now(fd, opened))))


def _descriptor(kind: str, fd: int, on: Tuple[str, str]) -> Change:
    return Change(kind, " ".join(filter(None, on)), fd=fd, on=on)


def _now(fd: int, opened: Opened) -> Opened:
    return opened if opened.kind != stat.S_IFSOCK else opened._replace(target=_ends(fd))


def _on(opened: Opened) -> Tuple[str, str]:
    """Return what it is, and its path or addresses."""
    target = opened.target
    if opened.kind == stat.S_IFSOCK:
        return "socket", target.rstrip()
    if opened.kind == stat.S_IFIFO and not target.startswith("/"):
        return "pipe", ""
    if target.startswith("anon_inode:"):  # epoll, eventfd, inotify
        return target[len("anon_inode:"):].strip("[]"), ""
    kind = {stat.S_IFDIR: "folder", stat.S_IFCHR: "device"}.get(opened.kind, "file")
    return kind, redaction.shown(target, 200) if target else ""


def _ends(fd: int) -> str:
    """Return a socket's addresses: "127.0.0.1:5000 -> 127.0.0.1:80"; "" when they are not known."""
    module: Any = os_facts.loaded("_socket")
    if module is None:
        return ""
    try:
        copy = module.socket(fileno=_dup(fd))
    except (OSError, ValueError):
        return ""
    try:
        here = value_text.address(copy.getsockname())
        try:
            there = value_text.address(copy.getpeername())
        except OSError:
            there = ""
    except OSError:
        return ""
    finally:
        copy.close()
    return "%s -> %s" % (here, there) if there else here
