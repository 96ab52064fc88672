"""Where resources were opened: which test, which thread, which lines.

One audit hook (`hook.py`); where the interpreter audits nothing, thin wrappers (`wrappers.py`)
until `remove()`. A record is handed out only for what it can be shown to belong to (`records.py`).
"""
from __future__ import annotations

import threading
from typing import (
    TYPE_CHECKING,
    Any,
    Collection,
    Container,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Set,
    Tuple,
)

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import module_slot, name_slot
from unittest_leakfix._core.ownership import COUNTED
from unittest_leakfix.resources import entry_points
from unittest_leakfix.tracing import constructors, frameworks, os_facts, sources
from unittest_leakfix.tracing.coroutine_origins import CoroutineOrigins, made_at
from unittest_leakfix.tracing.deduced import CodeIndex
from unittest_leakfix.tracing.records import PLAIN, Raw, Records, Tie
from unittest_leakfix.tracing.sources import Events, Wrappers
from unittest_leakfix.tracing.stacks import Frame, frames

if TYPE_CHECKING:
    from unittest_leakfix.tracing.opened_connections import ConnectionRecord

__unittest = True
bind(globals())
_DEEP = 4
# What runs on its own, or is replaced for a while, is not a part of what holds it.
#: What is opened without a word, and could not be watched for: class, and what opens one.
_UNHEARD = {("select", "epoll"): "epoll", ("select", "kqueue"): "kqueue",
            ("sqlite3", "Blob"): "blobopen"}
_NO_PART = frozenset(["thread", "child process", "patch", "task", "event loop"])


class Acquisition(NamedTuple):
    """Where one resource was opened: what it is, for which test, by which thread, the short stack.

    what: "file", "socket", "sqlite3 connection", "child process", "thread", "temporary folder",
    "temporary file", "event loop", "task"; detail: path, address, command, name, without secrets;
    test: the test or fixture that ran, "" outside of one; frames: innermost first.
    """

    what: str
    detail: str
    test: str
    thread: str
    frames: Tuple[Frame, ...]


class Acquisitions(Records):
    """Records what was opened, by which test and line, between `install()` and `remove()`.

    Call `begin` with the id of the test that is about to run, or set `current` to the name of the
    fixture.
    """

    def __init__(self) -> None:
        super().__init__()
        self._wrappers = Wrappers(self)
        self._listens = Events(self, self._wrappers).listeners()
        self._origins = CoroutineOrigins()
        self._drivers: Any = None
        self._code = CodeIndex()
        self._late: Any = None

    def install(self) -> None:
        """Begin to record. Adds the audit hook the first time; twice is once."""
        self.remove()
        self.renew_probe()
        sources.add(self._listens)
        self.listening = True
        self._wrappers.install()
        self._origins.install()
        # Not at the top: its records are made of our frames.
        from unittest_leakfix.tracing.drivers import LateImports, drivers
        self._drivers = drivers
        entry_points.load()     # and of the others when their libraries are imported
        self._late = LateImports(constructors.MODULES.union(entry_points.waiting()),
                                 self._wrappers.look)
        self._late.install()
        drivers.install(self)

    def begin(self, test: str) -> None:
        """This *test* is about to run."""
        self.current = test
        self._origins.renew()

    def remove(self) -> None:
        """Stop recording, forget everything, undo the wrappers."""
        if self._late is not None:
            self._late.remove()
            self._late = None
        self._wrappers.remove()
        self._origins.remove()
        if self._drivers is not None:
            self._drivers.remove(self)
        self.listening = False
        sources.remove(self._listens)
        self.drop_probe()
        self.forget_all()
        self._code = CodeIndex()

    def of(self, obj: object) -> Optional[Acquisition]:
        """Return the record of a live resource object, or None (always None in a forked child)."""
        if not sources.in_this_process():
            return None
        key = id(obj)
        tie = self._ties.get(key)
        if tie is not None and tie() is obj:
            return _made(tie.raw, tie.more or os_facts.path_of(obj, tie.raw[0]))
        if self._dead is not None and key in self._dead:
            return _made(self._dead[key])
        untied = self.untied(obj)
        if untied is not None:
            return _made(untied)
        raw = self._connections.get(key)
        if raw is not None and os_facts.is_connection(obj):
            opened = frameworks.opening_of(obj)
            return _made(raw) if opened is None else _of_connection(opened)
        if self._drivers is not None:
            record = (self._drivers.registry.of(os_facts.connection_of(obj))
                      or frameworks.opening_of(obj))
            if record is not None:
                return _of_connection(record)
        path = os_facts.temporary_path(obj)
        if path:
            return self.of_path(path)
        descriptor = os_facts.descriptor_of(obj)
        if descriptor >= 0:
            return self._of_file(descriptor)
        return self._of_map(obj) if os_facts.map_length(obj) else self._of_database(obj)

    def of_part(self, obj: object, test: Optional[str] = None) -> Optional[Acquisition]:
        """Return the record of `obj`; without one, that of the first thing opened that it holds in
        its attributes, and they in theirs: what that `test` opened, if it is given."""
        found = self.of(obj)
        if found is not None or not sources.in_this_process():
            return found
        parts: List[Tuple[int, Acquisition]] = []
        level: List[object] = [obj]
        seen = {id(obj)}
        for _ in range(_DEEP):
            level = [each for value in level for each in os_facts.held_by(value)
                     if id(each) not in seen and not seen.add(id(each))]    # type: ignore[func-returns-value]
            for each in level:
                raw = self._raw_of(each)
                if raw is not None and (test is None or raw[2] == test):
                    parts.append((raw[4], _made(raw)))
            if parts:
                return min(parts, key=lambda part: part[0])[1]
        cls = type(obj)
        name = _UNHEARD.get((module_slot(cls), name_slot(cls)))
        return None if name is None else self.deduced(name)

    def deduced(self, function: str) -> Optional[Acquisition]:
        """Return the one line of the user's that can have called *function*, which leaves no
        record; None otherwise."""
        frame = self._code.caller_of(function)
        return None if frame is None else Acquisition("descriptor", "", "", "", (frame,))

    def deduced_setter(self, attribute: str) -> Optional[Acquisition]:
        """Return the one line of the user's that can have set an *attribute*; None otherwise."""
        frame = self._code.setter_of(attribute)
        return None if frame is None else Acquisition("patch", "", "", "", (frame,))

    def _raw_of(self, obj: object) -> Optional[Raw]:
        tie = self._ties.get(id(obj))
        if tie is not None and tie() is obj:
            return None if tie.raw[0] in _NO_PART else tie.raw
        untied = self.untied(obj)
        if untied is not None:
            return untied
        if os_facts.is_connection(obj):
            return self._connections.get(id(obj))
        descriptor = os_facts.descriptor_of(obj)
        found = self._raw_of_descriptor(descriptor) if descriptor >= 0 else None
        return None if found is None else found[0]

    def _of_file(self, fd: int) -> Optional[Acquisition]:
        """Return the record of a file object: where it was put around a descriptor, if it was."""
        raw, around = self._files.get(fd), self._wrapping.get(fd)
        if around is not None and (raw is None or around[4] > raw[4]) \
                and os_facts.is_still(fd, around[0], around[1]):
            return _made(around)
        return self.of_descriptor(fd)

    def _of_map(self, obj: Any) -> Optional[Acquisition]:
        """Return the record of a memory map, where it can only be one of those noted."""
        length = os_facts.map_length(obj)
        return _only([raw for noted, raw in self._maps if noted == length])

    def _of_database(self, obj: object) -> Optional[Acquisition]:
        if module_slot(type(obj)) not in ("_gdbm", "_dbm"):
            return None
        return _only(list(self._changed.get(("dbm database", ""), ())))

    def of_change(self, kind: str, name: str, test: str,
                  last: bool = False) -> Optional[Acquisition]:
        """Return the record of a change that `test` made to what there is once: where it was the
        *last*, or else where all of its changes come from one place; None otherwise."""
        raws = [raw for raw in self._changed.get((kind, name), ()) if raw[2] == test]
        return _made(raws[-1]) if raws and last else _only(raws)

    def of_coroutine(self, coroutine: object) -> Optional[Acquisition]:
        """Return where a coroutine was made, or None."""
        frame = made_at(coroutine)
        return None if frame is None else Acquisition("coroutine", "", "", "", (frame,))

    def of_descriptor(self, fd: int) -> Optional[Acquisition]:
        """Return the record of the open descriptor `fd`, or None."""
        found = self._raw_of_descriptor(fd)
        return None if found is None else _made(*found)

    def _raw_of_descriptor(self, fd: int) -> Optional[Tuple[Raw, str]]:
        raw = self._files.get(fd)
        if raw is not None and sources.in_this_process() and os_facts.is_still(fd, raw[0], raw[1]):
            return raw, ""
        # The latest first: a descriptor that is asked for is new, as a rule.
        for tie in reversed(tuple(self._ties.values())):
            if (tie.raw[0] == "socket" and os_facts.socket_descriptor(tie()) == fd
                    and os_facts.is_socket(fd)):
                return tie.raw, tie.more
        return None

    def opened_since(self, fd: int, mark: int) -> bool:
        """Tell whether what is open under *fd* has a record from after *mark*."""
        found = self._raw_of_descriptor(fd)
        return found is not None and bool(found[0][4] > mark)

    def of_thread(self, thread: threading.Thread) -> Optional[Acquisition]:
        """Return the record of a started thread, or None."""
        tie = self._ties.get(id(thread))
        return _made(tie.raw) if tie is not None and tie() is thread else None

    def connections_left(self, since: int, known: Collection[int],
                         yet: Container[str]) -> List[Tuple[Any, str]]:
        """Return the connections to servers that tests and fixtures left open; see
        `Book.left_open`.

        None where references are not counted (PyPy): what is garbage is still open there.
        """
        return [] if self._drivers is None or not COUNTED else list(
            self._drivers.registry.left_open(since, known, yet))

    def mark_connection_reported(self, connection: object) -> None:
        """Leave *connection* out of `connections_left` from now on."""
        if self._drivers is not None:
            self._drivers.registry.mark_reported(connection)

    def connection_descriptors(self) -> Set[int]:
        """Return the descriptors of the open connections, which are reported themselves."""
        return set() if self._drivers is None else set(self._drivers.registry.descriptors())

    def connection_count(self) -> int:
        """Return how many connections to servers are open."""
        return 0 if self._drivers is None else int(self._drivers.registry.count())

    def connections_mark(self) -> int:
        """Return a mark for `connections_left`."""
        return 0 if self._drivers is None else int(self._drivers.registry.mark())

    def started_at(self, thread: threading.Thread) -> Tuple[object, ...]:
        """Return the frames that started a thread, flat (see `frames.walk`); none where unknown."""
        tie = self._ties.get(id(thread))
        return tuple(tie.raw[PLAIN:]) if tie is not None and tie() is thread else ()

    def of_pid(self, pid: int) -> Optional[Acquisition]:
        """Return the record of the child process `pid`, or None.

        Exact for `subprocess` and `multiprocessing`, whose objects know their pid; a bare `os.fork`
        is found by the time at which the child was born.
        """
        for tie in self._live("child process"):
            if os_facts.running_process_id(tie()) == pid:
                return _made(tie.raw)
        born = os_facts.born_at(pid)
        if born is None:
            return None
        # A clock tick is 10 ms, and a fork long before cannot be this child.
        for forked, raw in reversed(self._forks):
            if born - 0.5 <= forked <= born + 0.02:
                return _made(raw)
        return None

    def of_path(self, path: str) -> Optional[Acquisition]:
        """Return the record of a temporary file or folder by its path, or None."""
        raw = self.paths.get(path)
        return None if raw is None else _made(raw)

    def in_text(self, text: str) -> Optional[Acquisition]:
        """Return the record of the temporary path that is quoted in `text` (a warning), or None."""
        for path in text.split("'")[1::2]:
            if path in self.paths:
                return self.of_path(path)
        return None

    def live(self, what: str) -> List[Any]:
        """Return the recorded objects of one sort ("event loop", "task") that are still alive."""
        ties = tuple(self._loops.values()) if what == "event loop" else self._live(what)
        return [obj for obj in (tie() for tie in ties) if obj is not None]

    def remember_dead(self, remember: bool) -> None:
        """Keep the records of objects that die from now on, for the finalizers that run next.

        The collector clears weak references before it calls finalizers, and a finalizer is where
        "unclosed socket" is said. Only for a short while, since an id is reused afterwards.
        """
        self._dead = {} if remember else None

    def _live(self, what: str) -> Iterator[Tie]:
        return (tie for tie in tuple(self._ties.values()) if tie.raw[0] == what)


def _of_connection(record: ConnectionRecord) -> Acquisition:
    thread = record.thread
    if thread != "MainThread":
        thread += " (still running)" if record.running else " (no longer running)"
    return Acquisition("database connection", record.place, record.test, thread, record.frames)


def _only(raws: List[Raw]) -> Optional[Acquisition]:
    """Return the last record, if all are of one place."""
    places = {raw[PLAIN:PLAIN + 2] for raw in raws}
    return _made(raws[-1]) if len(places) == 1 else None


def _made(raw: Raw, more: str = "") -> Acquisition:
    what, detail, test, thread, _ = raw[:PLAIN]
    if detail.startswith(("pipe:", "socket:", "anon_inode:")):
        detail = ""
    shown = redaction.shown(more or detail, 200)
    return Acquisition(what, shown, test, thread, frames(raw[PLAIN:]))
