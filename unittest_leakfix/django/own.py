"""This thread's own connections to the test databases, closed before those are destroyed."""
from __future__ import annotations

from _thread import get_ident
from typing import Any, List, Sequence

from django.db import connections as _of_thread

from unittest_leakfix._core.early import bind
from unittest_leakfix.databases.record import IDENT
from unittest_leakfix.databases.tables import quoted

from .asking import ASKED, said
from .closed import opened
from .connections import connections
from .created import Database

__unittest = True
bind(globals())


def close_own(databases: Sequence[Database]) -> str:
    """Close this thread's connections to the *databases*, and the pools; return what stood in the way.

    Other threads' are not touched: they may be in mid-query. That of a wrapper which made one of the
    databases is closed and not told: Django closes it, too.
    """
    names = {database.name for database in databases}
    makers = [database.wrapper for database in databases]
    own = _of_thread.all(initialized_only=True)
    own += [held.wrapper() for held in connections.open() if held.raw[IDENT] == get_ident()]
    lines: List[str] = []
    for wrapper in own:
        if wrapper is None or wrapper.vendor not in ASKED or str(wrapper.settings_dict["NAME"]) not in names:
            continue
        try:
            closed = _close(wrapper)
            lines += closed if not any(wrapper is each for each in makers) else []
        except Exception as error:
            lines.append("unittest_leakfix: closing the connection %r raised %s" % (wrapper.alias, said(error, wrapper)))
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
