"""Before the test databases are destroyed: our own connections are closed, then the server lists
the sessions that are left.

For any runner: it takes what ``django.test.utils.setup_databases`` returned, and returns text.
"""

from __future__ import annotations

import time
import warnings
from _thread import get_ident
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from django.db import connections as _of_thread

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.databases.connect import is_full, server
from unittest_leakfix.databases.postgresql import PostgreSQL
from unittest_leakfix.databases.server import Server, rows
from unittest_leakfix.databases.server_sessions import Ended, Sessions, outcome, quoted, table
from unittest_leakfix.django.closed_connections import opened
from unittest_leakfix.django.connections import REMEDY, connections
from unittest_leakfix.django.options import setting
from unittest_leakfix.leaks.report.terminal import Style
from unittest_leakfix.tracing.opened_connections import IDENT, ConnectionRecord, connection_registry

__unittest = True
bind(globals())

#: The vendors whose sessions can be listed, as Django calls them.
SERVERS = ("postgresql", "mysql")
_PATIENCE = 2.0
"""Seconds for which a full server is tried: our own connections may have been closed just now."""
_clock, _sleep = time.monotonic, time.sleep
#: What ``setup_databases`` returns: the wrapper, the name from before, whether to destroy.
OldConfig = Sequence[Tuple[Any, str, bool]]
_GRACE = 0.5
_ROUNDS = 3
"""How often the sessions of clients that come back are ended again."""


# The server of one of Django's wrappers lists the sessions on its databases.


def may_terminate() -> bool:
    """Tell whether sessions may be ended: ``settings.LEAKFIX_TERMINATE_SESSIONS``, True where it is
    not set."""
    return bool(setting("terminate_sessions"))


@contextmanager
def server_connection(wrapper: Any) -> Iterator[Server]:
    """Give the server, over a connection of Django's own that is on none of the test databases."""
    end = _clock() + _PATIENCE
    while True:
        context = wrapper._nodb_cursor()
        try:
            with warnings.catch_warnings():
                # On a full server Django tries another database, and says so.
                warnings.simplefilter("ignore", RuntimeWarning)
                cursor = context.__enter__()
            break
        except Exception as error:
            if not is_full(error) or _clock() >= end:
                raise
        _sleep(0.05)
    try:
        yield server(wrapper.vendor, cursor.db.connection)
    finally:
        context.__exit__(None, None, None)


def error_text(error: Exception, wrapper: Any) -> str:
    """Return what an error says, without the wrapper's password."""
    return redaction.error(error, str(wrapper.settings_dict.get("PASSWORD") or ""))


# The test databases that this run has made, and will destroy.


class Database(NamedTuple):
    """One test database: the wrapper that made it, and its name."""

    wrapper: Any
    name: str


def created(old_config: OldConfig, parallel: int = 0, keepdb: bool = False) -> List[Database]:
    """Return the databases that Django's ``teardown_databases`` is about to destroy, clones first.

    None with *keepdb*: those may be in use, or shared with another run.
    """
    found: List[Database] = []
    for wrapper, _, destroy in old_config if not keepdb else ():
        if destroy:
            found += [Database(wrapper, name) for name in _names(wrapper, parallel) if name.strip()]
    return found


def _names(wrapper: Any, parallel: int) -> Iterable[str]:
    if parallel > 1:
        for index in range(parallel):
            yield str(wrapper.creation.get_test_db_clone_settings(str(index + 1))["NAME"])
    yield str(wrapper.settings_dict["NAME"] or "")


# This thread's own connections to the test databases, closed before those are destroyed.

def close_thread_connections(databases: Sequence[Database]) -> str:
    """Close this thread's connections to the *databases*, and the pools; return what stood in the
    way.

    Other threads' are not touched: they may be in mid-query. That of a wrapper which made one of
    the databases is closed and not reported: Django closes it, too.
    """
    names = {database.name for database in databases}
    makers = [database.wrapper for database in databases]
    wrappers = _of_thread.all(initialized_only=True)
    wrappers += [held.wrapper() for held in connections.open() if held.raw[IDENT] == get_ident()]
    lines: List[str] = []
    for wrapper in wrappers:
        if wrapper is None or wrapper.vendor not in SERVERS or str(
                wrapper.settings_dict["NAME"]) not in names:
            continue
        try:
            closed = _close(wrapper)
            lines += closed if not any(wrapper is each for each in makers) else []
        except Exception as error:
            lines.append("unittest_leakfix: closing the connection %r raised %s"
                         % (wrapper.alias, error_text(error, wrapper)))
    return "\n".join(lines)


def _close(wrapper: Any) -> List[str]:
    """Close a connection that Django would leave open, and its pool."""
    lines = []
    if wrapper.connection is not None:
        record = connections.record_of(wrapper)
        wrapper.close()
        lines.append("unittest_leakfix: closed the connection %r to %s, which %s" % (
            wrapper.alias, quoted(str(wrapper.settings_dict["NAME"])),
            "was open yet" if record is None else opened(record)))
    pools = getattr(type(wrapper), "_connection_pools", {})
    if wrapper.alias in pools:
        wrapper.close_pool()
        lines.append("unittest_leakfix: closed the pool of %r on %s" % (
            wrapper.alias, quoted(str(wrapper.settings_dict["NAME"]))))
    return lines


def before_destroy(old_config: OldConfig, parallel: int = 0, keepdb: bool = False,
                   terminate: Optional[bool] = None, style: Optional[Style] = None) -> str:
    """Clear the way for ``teardown_databases``; return what was found, "" when nothing was in the
    way.

    *old_config*, *parallel*, *keepdb*: as ``teardown_databases`` is given them. First the
    connections of this thread and those of finished threads are closed, and the pools of Django
    5.1. Then each server lists the other sessions on the databases that this run created; they are
    reported, and ended unless *terminate* is False (None: as
    ``settings.LEAKFIX_TERMINATE_SESSIONS`` says, True where it says nothing). Nothing at all is
    done with *keepdb*. Raises nothing: what cannot be done is a line of the text, and Django's own
    error follows.
    """
    databases = created(old_config, parallel, keepdb)
    if not databases:
        return ""
    if terminate is None:
        terminate = may_terminate()
    connections.reap()
    parts = [close_thread_connections(databases)]
    for database in databases:
        try:
            parts.append(_clear(database, terminate, style or Style()))
        except Exception as error:
            parts.append("unittest_leakfix: the sessions on %s cannot be listed: %s" % (
                quoted(database.name), error_text(error, database.wrapper)))
    return "\n".join(part for part in parts if part)


def _clear(database: Database, terminate: bool, style: Style) -> str:
    wrapper, name = database
    if wrapper.vendor == "sqlite":
        return ""       # no session can be in the way
    if wrapper.vendor not in SERVERS:
        return "unittest_leakfix: the sessions on %s cannot be listed: %r is on %s, " \
               "neither PostgreSQL nor MySQL" % (
            quoted(name), wrapper.alias, wrapper.vendor)
    with server_connection(wrapper) as server:
        # What was closed a moment ago stands on the list for another.
        left = server.wait(name, server.look(name), _GRACE)
        if not left:
            return ""
        found = server.sessions(name, connection_registry.record_of_session)
        found = replace(found,
                        sessions=tuple(each for each in found if any(map(each.is_same, left))))
        return _text(found, _end(server, name) if terminate else None, style) if len(found) else ""


def _end(server: Server, name: str) -> Ended:
    """End all sessions on the database, and those of clients that come again at once."""
    ended = server.terminate(name)
    if ended.complete:
        _shut(server, name)
    for _ in range(_ROUNDS):
        known = ended.lingering + tuple(each.session for each in ended.refused)
        if all(any(map(each.is_same, known)) for each in server.look(name)):
            break
        again = server.terminate(name, keep=known)
        ended = replace(ended, ended=ended.ended + again.ended, gone=ended.gone + again.gone,
                        refused=ended.refused + again.refused,
                        lingering=ended.lingering + again.lingering)
    return ended


def _shut(server: Server, name: str) -> None:
    """Refuse connections to a database that can be dropped now, where the server can do that."""
    if isinstance(server, PostgreSQL):
        try:
            rows(server.connection,
                 'ALTER DATABASE "%s" ALLOW_CONNECTIONS false' % name.replace('"', '""'))
        except Exception:   # not its owner: then it cannot be dropped either, and Django says so
            pass


def _text(found: Sessions, ended: Optional[Ended], style: Style) -> str:
    lines = ["unittest_leakfix: before it is destroyed, " + table(found, style), ""]
    lines.append(outcome(ended) if ended is not None
                 else "not ended: LEAKFIX_TERMINATE_SESSIONS is False")
    if any(isinstance(each.opened_by, ConnectionRecord) and each.opened_by.thread != "MainThread"
           for each in found):
        lines.append("in your code: end the thread with the test, self.addCleanup(thread.join); "
                     + REMEDY)
    return "\n".join(lines)
