"""Where one connection was opened: as it is kept, and as it is told."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.frames import Frame

__unittest = True
bind(globals())

#: driver, test, name and number of the thread, process, serial number; then code and place in it of
#: each frame. Flat and plain, so that the collector leaves it alone (see `frames.walk`).
Raw = Tuple[Any, ...]
DRIVER, TEST, THREAD, IDENT, PID, SERIAL, PLAIN = range(7)


@dataclass(frozen=True)
class ConnectionRecord:
    """Where one connection was opened.

    driver: "pymysql"; place: "pymysql connection to app@db.example:3306/shop"; test: the id of the
    test or the name of the fixture that ran, "" outside of one; thread: its name; running: whether
    that thread still runs; pid: the process that opened it; session: the server's number for it
    (MySQL's connection id, PostgreSQL's backend pid), 0 where unknown; connecting: it is being
    opened now; frames: of the opening, innermost first.
    """

    driver: str
    place: str
    test: str
    thread: str
    running: bool
    pid: int
    session: int
    connecting: bool
    frames: Tuple[Frame, ...]
