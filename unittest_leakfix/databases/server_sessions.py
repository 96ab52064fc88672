"""Sessions on a database server: one, a list of them, what became of those ended; and as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterable, Iterator, List, Optional, Protocol, Sequence, Tuple, Union

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.report.terminal import Style, cells
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())

__all__ = ["Ended", "Keep", "MissingPrivilege", "Opening", "Refused", "Session", "Sessions", "Who",
           "ids_of"]
_COLUMNS = ("id", "user", "client", "application", "database", "state", "for")
_WIDEST = 40


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
    """When it began, as the server writes it: tells it from another with the same id. "" in
    MySQL."""
    pids_here: Tuple[int, ...] = ()
    """The processes of this machine that hold its other end, the oldest first (a fork holds it
    too)."""
    command_here: str = ""
    """The command line of the oldest of those."""
    opened_by: Union[str, Opening] = ""
    """Which test opened it, where the caller knows."""
    transaction: Optional[float] = None
    """Seconds since its open transaction began; None where it has none, or it may not be seen."""
    waits: bool = False
    """Whether it waits for a lock that another session holds."""
    waits_for: Tuple[int, ...] = ()
    """The ids of those other sessions; 0 is a transaction that was prepared (PostgreSQL)."""
    is_guess: bool = False
    """Whether `waits_for` is only those that may hold it: the server shows no locks of its
    tables."""

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
    """The sessions on one database (or on all) at one moment, without the asking one. A
    sequence."""

    sessions: Tuple[Session, ...]
    server: str = ""
    """"MariaDB 10.11.6", "PostgreSQL 15.18"."""
    database: Optional[str] = None
    """The one that was listed; None for all."""
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
    """Were to end, and were still there when patience was over (a long transaction rolls back)."""

    @property
    def complete(self) -> bool:
        """Tell whether none is left."""
        return not (self.refused or self.lingering)

    def __str__(self) -> str:
        """Return what was done, a line for each thing that needs one."""
        return outcome(self)


def ids_of(keep: Keep) -> Tuple[int, ...]:
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


# Sessions as text: the table, and what became of those that were ended.


def table(sessions: Sessions, style: Optional[Style] = None) -> str:
    """Return the table of `sessions`, without a newline at its end; `style` is what the stream can
    show."""
    style = style or Style()
    lines = [style.clean(heading(sessions))]
    if sessions.sessions:
        lines.append("")
        rows = _rows(sessions, style)
        widths = [max(cells(row[place]) for row in rows) for place in range(len(rows[0]))]
        lines.append(style.paint(_line(rows[0], widths), "bold"))
        for session, row in zip(sessions.sessions, rows[1:]):
            lines.append(_line(row, widths))
            indent = "  %s  " % (" " * widths[0])
            lines += [_cut(indent + style.clean(more), style)
                      for more in _more(session, style.width - len(indent))
                      + _locks(session, sessions.sessions)]
    if sessions.notes:
        lines += [""] + [style.clean("Note: " + note) for note in sessions.notes]
    return "\n".join(lines)


def heading(sessions: Sessions) -> str:
    """Return the first line: how many, on which database, and how full the server is."""
    number = len(sessions.sessions)
    where = " on %s" % quoted(sessions.database) if sessions.database is not None else ""
    counted = "%s%s" % (count(number), where)
    if sessions.server:
        counted += ", " + redaction.line(sessions.server)
    if sessions.in_use is not None and sessions.limit is not None:
        counted += ": %d of %d connections in use" % (sessions.in_use, sessions.limit)
    return counted


def count(number: int) -> str:
    """Return "no sessions", "1 session", "2 sessions"."""
    return "%s session%s" % (number or "no", "" if number == 1 else "s")


def quoted(name: str) -> str:
    """Return a database's name between quotes, on one line."""
    return '"%s"' % redaction.visible(name)


def duration(seconds: Optional[float]) -> str:
    """Return "0 s", "12 s", "4 min", "2 h", "3 d"; "?" where it is not known."""
    if seconds is None:
        return "?"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return "%d %s" % (seconds // size, unit)
    return "%d s" % max(seconds, 0)


def opened(record: Union[str, Opening]) -> str:
    """Return the test that opened it, on one line: "OrderTests.test_leak, thread 'orm-worker',
    tests/x.py:17 in worker"."""
    if isinstance(record, str):
        return redaction.line(record)
    parts = [redaction.cut(redaction.redact_id(record.test), 200)] if record.test else []
    if record.thread and record.thread != "MainThread":
        running = getattr(record, "running", None)  # a ConnectionRecord knows
        parts.append("thread %r%s" % (redaction.shown(record.thread), "" if running is None else
                                      " (still running)" if running else " (over)"))
    if record.frames:
        frame = record.frames[0]
        parts.append(redaction.cut("%s:%d in %s" % (frame.file, frame.line, frame.function), 200))
    return ", ".join(parts)


def outcome(ended: Ended) -> str:
    """Return what became of the sessions, one line for each sort and each reason."""
    name = quoted(ended.database)
    lines = []
    if ended.ended or not (ended.refused or ended.lingering):
        lines.append("ended %s on %s" % (count(len(ended.ended)), name) + _ids(ended.ended))
    if ended.gone:
        lines.append("%s gone already" % count(len(ended.gone)) + _ids(ended.gone))
    if ended.lingering:
        lines.append("%s ordered to end, and still there (a transaction may be rolled back)"
                     % count(len(ended.lingering)) + _ids(ended.lingering))
    for each in ended.refused:
        lines.append("could not end session %d (%s): %s" % (
            each.session.id, each.session.user, redaction.error(each.error).split(": ", 1)[-1]))
    return "\n".join(lines)


def _ids(sessions: Sequence[Session]) -> str:
    return ": " + ", ".join(str(each.id) for each in sessions) if sessions else ""


def _rows(sessions: Sessions, style: Style) -> List[Tuple[str, ...]]:
    rows = [_COLUMNS] + [tuple(_cell(each, style) for each in (
        str(session.id), session.user, session.client, session.application, session.database,
        session.state or "?", duration(session.age))) for session in sessions.sessions]
    # A column that is the same for all by request, or empty, is left out.
    shown = [place for place, name in enumerate(_COLUMNS)
             if any(row[place] for row in rows[1:])
             and not (name == "database" and sessions.database is not None)]
    return [tuple(row[place] for place in shown) for row in rows]


def _cell(text: str, style: Style) -> str:
    return style.shorten(style.clean(redaction.line(text)), _WIDEST)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return ("  " + "  ".join(text + " " * (width - cells(text))
                             for text, width in zip(row, widths))).rstrip()


def _more(session: Session, room: int) -> List[str]:
    """Return the lines below a row. The opener takes two lines where one is too short."""
    lines = []
    if session.statement:
        lines.append(redaction.shown(session.statement, 200))
    if session.pids_here:
        others = session.pids_here[1:]
        lines.append("held by pid %d%s%s" % (
            session.pids_here[0],
            " (and its fork%s %s)" % ("s" if len(others) > 1 else "", ", ".join(map(str, others)))
            if others else "",
            ": " + session.command_here if session.command_here else ""))
    if session.opened_by:
        who, comma, where = ("opened by " + opened(session.opened_by)).rpartition(", ")
        if comma and cells(who + comma + where) > room:
            lines += [who + ",", "    " + where]
        else:
            lines.append(who + comma + where)
    return lines


def _locks(session: Session, sessions: Sequence[Session]) -> List[str]:
    """Return for whom it waits, and who waits for it."""
    lines = []
    if session.waits_for:
        lines.append("waits for " + waited_for(session))
    behind = [each for each in sessions if session.id in each.waits_for]
    if behind:
        sure = not all(each.is_guess for each in behind)
        lines.append("%s in the way of session%s %s%s" % (
            "is" if sure else "may be", "s" if len(behind) > 1 else "",
            ", ".join(str(each.id) for each in behind), "" if session.transaction is None else
            ": its transaction began %s ago" % duration(session.transaction)))
    return lines


def waited_for(session: Session) -> str:
    """Return "session 17", "sessions 17, 18", "one of the sessions 17, 18"."""
    ids = [str(each) for each in session.waits_for if each]
    if not ids:
        return "a prepared transaction"
    first = "one of the sessions " if session.is_guess and ids[1:] else "session%s " % (
        "s" if ids[1:] else "")
    return "%s%s%s" % ("perhaps " if session.is_guess and not ids[1:] else "", first,
                       ", ".join(ids))


def _cut(line: str, style: Style) -> str:
    return style.shorten(line, style.width)
