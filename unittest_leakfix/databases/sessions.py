"""The values: a session on a database server, a list of them, and what became of those ended."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterable, Iterator, Optional, Protocol, Sequence, Tuple, Union

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.frames import Frame

__unittest = True
bind(globals())

__all__ = ["Ended", "Keep", "MissingPrivilege", "Opening", "Refused", "Session", "Sessions", "Who", "kept_ids"]


class Opening(Protocol):
    """Where a connection was opened: an `Acquisition`, a `ConnectionRecord`."""

    @property
    def test(self) -> str:
        """The test or fixture that ran; "" outside of one."""

    @property
    def thread(self) -> str:
        """The name of the thread."""

    @property
    def frames(self) -> Sequence[Frame]:
        """The short stack, innermost first."""


@dataclass(frozen=True)
class Session:
    """One session as the server sees it. All text is free of secrets, and may be shown."""

    id: int
    """MySQL's connection id, PostgreSQL's backend pid. PostgreSQL uses one again: see `started`."""
    user: str = ""
    client_host: str = ""
    """Address or name as the server sees it; "" for a socket file."""
    client_port: Optional[int] = None
    """The client's own port; None for a socket file, or where it may not be seen."""
    application: str = ""
    database: str = ""
    state: str = ""
    """"idle", "idle in transaction", "active" (MySQL adds what it does: "active: Sending data")."""
    age: Optional[float] = None
    """Seconds since it entered that state; None where it may not be seen."""
    statement: str = ""
    """The last statement (of an idle session in MySQL: where performance_schema is on)."""
    started: str = ""
    """When it began, as the server writes it: tells it from another with the same id. "" in MySQL."""
    pids_here: Tuple[int, ...] = ()
    """The processes of this machine that hold its other end, the oldest first (a fork holds it too)."""
    command_here: str = ""
    """The command line of the oldest of those."""
    opened_by: Union[str, Opening] = ""
    """Which test opened it, where the caller knows."""

    @property
    def client(self) -> str:
        """Return host:port, [host]:port, or "socket file"."""
        if not self.client_host:
            return "socket file"
        host = "[%s]" % self.client_host if ":" in self.client_host else self.client_host
        return host if self.client_port is None else "%s:%d" % (host, self.client_port)

    @property
    def pid_here(self) -> Optional[int]:
        """Return the pid of the process of this machine that holds it, or None."""
        return self.pids_here[0] if self.pids_here else None

    def is_same(self, other: Session) -> bool:
        """Tell whether `other`, looked at later, is this session, and not a new one with its id."""
        return (self.id, self.database, self.started, self.client_host, self.client_port) == (
            other.id, other.database, other.started, other.client_host, other.client_port)


#: Says which test opened a session: text, an `Opening`, or None.
Who = Callable[[Session], Union[str, Opening, None]]
Keep = Iterable[Union[int, Session]]


@dataclass(frozen=True)
class Sessions:
    """The sessions on one database (or on all) at one moment, without the asking one. A sequence."""

    sessions: Tuple[Session, ...]
    server: str = ""
    """"MariaDB 10.11.6", "PostgreSQL 15.18"."""
    database: Optional[str] = None
    """The one that was asked for; None for all."""
    in_use: Optional[int] = None
    """Connections to the whole server now, the asking one with them; and how many it admits."""
    limit: Optional[int] = None
    notes: Tuple[str, ...] = ()
    """What could not be seen, and the GRANT that mends it."""

    def __iter__(self) -> Iterator[Session]:
        return iter(self.sessions)

    def __len__(self) -> int:
        return len(self.sessions)

    def __getitem__(self, index: int) -> Session:
        return self.sessions[index]

    def __str__(self) -> str:
        """Return the table (see `tables.table` for one that fits a stream)."""
        from unittest_leakfix.databases.tables import table
        return table(self)


class MissingPrivilege(Exception):
    """The account may not end a session. The text names the GRANT that mends it."""


@dataclass(frozen=True)
class Refused:
    """A session that could not be ended, and the error that says why."""

    session: Session
    error: Exception


@dataclass(frozen=True)
class Ended:
    """What `terminate_sessions` did."""

    database: str
    ended: Tuple[Session, ...] = ()
    """Ended, and seen to be gone."""
    gone: Tuple[Session, ...] = ()
    """Gone already when their turn came."""
    refused: Tuple[Refused, ...] = ()
    """Not ended. A `MissingPrivilege` where the account may not."""
    lingering: Tuple[Session, ...] = ()
    """Told to end, and still there when patience was over (a long transaction rolls back)."""

    @property
    def complete(self) -> bool:
        """Tell whether none is left."""
        return not (self.refused or self.lingering)

    def __str__(self) -> str:
        """Return what was done, a line for each thing that needs one."""
        from unittest_leakfix.databases.tables import outcome
        return outcome(self)


def kept_ids(keep: Keep) -> Tuple[int, ...]:
    """Return the ids of `keep`. Raises TypeError for what is neither an id nor a Session."""
    ids = []
    for each in keep:
        if isinstance(each, Session):
            ids.append(each.id)
        elif isinstance(each, int) and not isinstance(each, bool):
            ids.append(each)
        else:
            raise TypeError("keep takes ids and Sessions, not %s" % type(each).__name__)
    return tuple(ids)
