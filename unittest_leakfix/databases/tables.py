"""Sessions as text: the table, and what became of those that were ended."""
from __future__ import annotations

from typing import List, Optional, Sequence, Tuple, Union

from unittest_leakfix._core.early import bind
from unittest_leakfix._core import redaction
from unittest_leakfix.databases.sessions import Ended, Opening, Session, Sessions
from unittest_leakfix.leaks.colour import Style, cells

__unittest = True
bind(globals())

_COLUMNS = ("id", "user", "client", "application", "database", "state", "for")
_WIDEST = 40


def table(sessions: Sessions, style: Optional[Style] = None) -> str:
    """Return the table of `sessions`, without a newline at its end; `style` is what the stream can show."""
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
            lines += [_cut(indent + style.clean(more), style) for more in _more(session, style.width - len(indent))]
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
    """Return who opened it, on one line: "OrderTests.test_leak, thread 'orm-worker', tests/x.py:17 in worker"."""
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
        lines.append("%s told to end, and still there (a transaction may be rolled back)" % count(
            len(ended.lingering)) + _ids(ended.lingering))
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
    # What is the same for all by request, or told by none, takes no room.
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
    """Return the lines below a row. Who opened it is two lines where one has not the room."""
    lines = []
    if session.statement:
        lines.append(redaction.shown(session.statement, 200))
    if session.pids_here:
        others = session.pids_here[1:]
        lines.append("held by pid %d%s%s" % (
            session.pids_here[0],
            " (and its fork%s %s)" % ("s" if len(others) > 1 else "", ", ".join(map(str, others))) if others else "",
            ": " + session.command_here if session.command_here else ""))
    if session.opened_by:
        who, comma, where = ("opened by " + opened(session.opened_by)).rpartition(", ")
        if comma and cells(who + comma + where) > room:
            lines += [who + ",", "    " + where]
        else:
            lines.append(who + comma + where)
    return lines


def _cut(line: str, style: Style) -> str:
    return style.shorten(line, style.width)
