"""The flush after a test that waits for another session's transaction: it is named and ended.

``TransactionTestCase`` empties the tables when a test is over. A thread that is still inside a
transaction holds locks on them, and the flush waits as long as the thread does: for ever, perhaps.
The test is over, so after some patience that session is reported, and ended on the server.
"""
from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, Callable, Collection, List, Sequence

from django.db import connections as _of_thread
from django.test import TransactionTestCase

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import Swap
from unittest_leakfix.databases.lock_waits import blocking
from unittest_leakfix.databases.server import Server
from unittest_leakfix.databases.server_sessions import Session, Sessions, outcome, table
from unittest_leakfix.django.clean_up import SERVERS, error_text, may_terminate, server_connection
from unittest_leakfix.django.connections import connections, driver_of
from unittest_leakfix.django.options import setting
from unittest_leakfix.options import SETTINGS
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.tracing.driver_ids import session_of
from unittest_leakfix.tracing.opened_connections import ConnectionRecord, connection_registry

__unittest = True
bind(globals())
_Event = threading.Event
_Thread = threading.Thread

PATIENCE: float = SETTINGS["flush_patience"].default
"""Seconds; ``settings.LEAKFIX_PATIENCE`` may have another number."""


def seconds() -> float:
    """Return the patience. `BlockedFlushes.install` reports what is not a number of seconds above
    0, and the default holds."""
    found = setting("flush_patience")
    return float(found) if type(found) in (int, float) and found > 0 else PATIENCE


class BlockedFlushes:
    """Watches the flushes between `install` and `remove`. There is one, `blocked_flushes`."""

    def __init__(self) -> None:
        self.created: Collection[str] = ()
        """The names of the databases that this run made: there, other processes' sessions may end
        too."""
        self._say: List[Callable[[str], None]] = []
        self._swap = Swap()

    def install(self, say: Callable[[str], None]) -> None:
        """Begin; *say* is called with text, from another thread. `remove` has to follow, as
        often."""
        self._say.append(say)
        if len(self._say) > 1:
            return
        if seconds() != setting("flush_patience"):
            say("unittest_leakfix: LEAKFIX_PATIENCE = %r is not a number of seconds above 0: "
                "%g is used" % (setting("flush_patience"), PATIENCE))
        original = TransactionTestCase._fixture_teardown

        def _fixture_teardown(test: Any) -> None:
            self._flush(original, test)
        self._swap.put(TransactionTestCase, "_fixture_teardown", _fixture_teardown)

    def remove(self) -> None:
        """End it; with the last one Django is as it was."""
        self._say.pop()
        if not self._say:
            self._swap.back()

    def _flush(self, original: Any, test: Any) -> None:
        wrappers = [each for each in _of_thread.all(initialized_only=True)
                    if each.vendor in SERVERS]
        if not wrappers:
            original(test)
            return
        done = _Event()
        watch = _Thread(target=self._watch, args=(done, errors.label(test), wrappers), daemon=True,
                                 name="unittest_leakfix: a flush")
        watch.start()
        try:
            original(test)
        finally:
            done.set()
            watch.join()

    def _watch(self, done: threading.Event, test: str, wrappers: Sequence[Any]) -> None:
        patience = seconds()
        last = ""
        while not done.wait(patience):
            for wrapper in wrappers:
                try:
                    text = self._look(wrapper, test, patience)
                except Exception as error:
                    text = "unittest_leakfix: %s is over, and its flush waits; " \
                           "what it waits for cannot be listed: %s" % (
                        test, error_text(error, wrapper))
                if text and text != last:
                    last = text
                    self._say[-1](text)

    def _look(self, wrapper: Any, test: str, patience: float) -> str:
        """Report, and end, the sessions that the wrapper's own waits for; "" if it does not
        wait."""
        connection, name = wrapper.connection, str(wrapper.settings_dict["NAME"])
        flush = 0 if connection is None else session_of(driver_of(connection), connection)
        if not flush and connection is not None and _is_open(connection):
            raise LookupError("the driver does not say which session is its own")
        if not flush:
            return ""
        with server_connection(wrapper) as server:
            found = _blocking(server, wrapper.vendor, name, flush, patience)
            if not len(found):
                return ""
            may = [each for each in found if may_terminate()
                   and (name in self.created or _is_ours(each))]
            lines = ["unittest_leakfix: %s is over, and its flush has waited %g s for %s" % (
                test, patience, table(found)), ""]
            lines.append(outcome(server.terminate(name, only=may)) if may else
                         "not ended: LEAKFIX_TERMINATE_SESSIONS is False" if not may_terminate()
                         else
                         "not ended: another process's, on a database that this run did not make")
            return "\n".join(lines + [
                "in your code: end the transaction with the test, self.addCleanup(thread.join)"])


def _blocking(server: Server, vendor: str, name: str, flush: int, patience: float) -> Sessions:
    """Return the sessions on the database that the session *flush* waits for."""
    found = server.sessions(name, connection_registry.record_of_session)
    if vendor == "mysql":
        # A DELETE that waits for a row is only active to an account that may not see more; the
        # flush does nothing else for this long.
        long = [each for each in found if each.age is not None and each.age >= patience - 1]
        if any(each.id == flush and each.state.startswith("active") for each in long):
            idle = [each.id for each in long if each.state == "idle in transaction"]
            likely = idle + [each for each in _in_transaction()
                             if any(each == other.id for other in long)]
            found = replace(found, sessions=tuple(
                replace(each, waits=True) if each.id == flush else each for each in found))
            return blocking(found, flush, likely)
    return blocking(found, flush)


def _in_transaction() -> List[int]:
    """Return the sessions of other threads' that Django has inside a transaction."""
    found = []
    for held in connections.open():
        wrapper = held.wrapper()
        if wrapper is not None and wrapper.vendor == "mysql" and not wrapper.autocommit:
            found.append(session_of(driver_of(wrapper.connection), wrapper.connection))
    return found


def _is_open(connection: Any) -> bool:
    kind = kind_of(connection)
    return kind is not None and kind.is_open(connection) is True


def _is_ours(session: Session) -> bool:
    return isinstance(session.opened_by, ConnectionRecord)


blocked_flushes = BlockedFlushes()
