"""Before the test databases are destroyed: our own connections are closed, then the server is asked who is left.

For any runner: it takes what ``django.test.utils.setup_databases`` returned, and returns text.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Optional

from unittest_leakfix._core.early import bind
from unittest_leakfix.databases.postgresql import PostgreSQL
from unittest_leakfix.databases.queries import rows
from unittest_leakfix.databases.record import ConnectionRecord
from unittest_leakfix.databases.records import book
from unittest_leakfix.databases.server import Server
from unittest_leakfix.databases.sessions import Ended, Sessions
from unittest_leakfix.databases.tables import outcome, quoted, table
from unittest_leakfix.leaks.colour import Style

from .asking import ASKED, asking, may_terminate, said
from .connections import REMEDY, connections
from .created import Database, OldConfig, created
from .own import close_own

__unittest = True
bind(globals())

_GRACE = 0.5
_ROUNDS = 3
"""So often those who come back are ended again."""


def before_destroy(old_config: OldConfig, parallel: int = 0, keepdb: bool = False,
                   terminate: Optional[bool] = None, style: Optional[Style] = None) -> str:
    """Clear the way for ``teardown_databases``; return what was found, "" when nobody was in the way.

    *old_config*, *parallel*, *keepdb*: as ``teardown_databases`` is given them. First the
    connections of this thread and those of finished threads are closed, and the pools of Django 5.1.
    Then each server is asked who else is on the databases that this run created; they are listed,
    and ended unless *terminate* is False (None: as ``settings.LEAKFIX_TERMINATE_SESSIONS`` says,
    True where it says nothing). Nothing at all is done with *keepdb*. Raises nothing: what cannot be
    done is a line of the text, and Django's own error follows.
    """
    databases = created(old_config, parallel, keepdb)
    if not databases:
        return ""
    if terminate is None:
        terminate = may_terminate()
    connections.reap()
    parts = [close_own(databases)]
    for database in databases:
        try:
            parts.append(_clear(database, terminate, style or Style()))
        except Exception as error:
            parts.append("unittest_leakfix: who is on %s cannot be asked: %s" % (
                quoted(database.name), said(error, database.wrapper)))
    return "\n".join(part for part in parts if part)


def _clear(database: Database, terminate: bool, style: Style) -> str:
    wrapper, name = database
    if wrapper.vendor == "sqlite":
        return ""       # nobody else can be in the way
    if wrapper.vendor not in ASKED:
        return "unittest_leakfix: who is on %s cannot be asked: %r is on %s, neither PostgreSQL nor MySQL" % (
            quoted(name), wrapper.alias, wrapper.vendor)
    with asking(wrapper) as asked:
        # What was closed a moment ago stands on the list for another.
        left = asked.wait(name, asked.look(name), _GRACE)
        if not left:
            return ""
        found = asked.sessions(name, book.who)
        found = replace(found, sessions=tuple(each for each in found if any(map(each.is_same, left))))
        return _text(found, _end(asked, name) if terminate else None, style) if len(found) else ""


def _end(asked: Server, name: str) -> Ended:
    """End all sessions on the database, and those of clients that come again at once."""
    ended = asked.terminate(name)
    if ended.complete:
        _shut(asked, name)
    for _ in range(_ROUNDS):
        known = ended.lingering + tuple(each.session for each in ended.refused)
        if all(any(map(each.is_same, known)) for each in asked.look(name)):
            break
        again = asked.terminate(name, keep=known)
        ended = replace(ended, ended=ended.ended + again.ended, gone=ended.gone + again.gone,
                        refused=ended.refused + again.refused, lingering=ended.lingering + again.lingering)
    return ended


def _shut(asked: Server, name: str) -> None:
    """Let nobody on to a database that can be dropped now, where the server can do that."""
    if isinstance(asked, PostgreSQL):
        try:
            rows(asked.connection, 'ALTER DATABASE "%s" ALLOW_CONNECTIONS false' % name.replace('"', '""'))
        except Exception:   # not its owner: then nobody can drop it either, and Django says so
            pass


def _text(found: Sessions, ended: Optional[Ended], style: Style) -> str:
    lines = ["unittest_leakfix: before it is destroyed, " + table(found, style), ""]
    lines.append(outcome(ended) if ended is not None else "not ended: LEAKFIX_TERMINATE_SESSIONS is False")
    if any(isinstance(each.opened_by, ConnectionRecord) and each.opened_by.thread != "MainThread" for each in found):
        lines.append("in your code: end the thread with the test, self.addCleanup(thread.join); " + REMEDY)
    return "\n".join(lines)
