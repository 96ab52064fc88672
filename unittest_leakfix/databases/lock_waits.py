"""Who blocks whom: what sessions of this run wait for on a server, while they wait, and an end to
what is in their way and may be ended.

`look` is called, in a thread of `patience`, when the main thread has been at one line of the user's
for some time. Reported is a session of this run that waits for another one's lock, with both sides.
Ended is the session of a test that is over, or in its clean-ups, where nothing but the test refers
to its client: nothing else could ever end that. What a module keeps is only named, as is what
another process holds.
"""
from __future__ import annotations

import gc
import sys
import time
import unittest
from dataclasses import replace
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import own_attribute
from unittest_leakfix.databases import connect
from unittest_leakfix.databases.server import Server
from unittest_leakfix.databases.server_sessions import (
    Session,
    Sessions,
    duration,
    opened,
    quoted,
    waited_for,
)
from unittest_leakfix.leaks import identify
from unittest_leakfix.leaks.model.chain import Chain
from unittest_leakfix.leaks.model.ids import fixture_of, owner_of, readable_id
from unittest_leakfix.leaks.report.describe import in_words
from unittest_leakfix.leaks.retention import objects
from unittest_leakfix.leaks.retention.search import traces
from unittest_leakfix.leaks.survivors import survivor
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.tracing import frameworks
from unittest_leakfix.tracing.acquisitions import Acquisition
from unittest_leakfix.tracing.driver_ids import descriptors_of, in_transaction
from unittest_leakfix.tracing.opened_connections import ConnectionRecord, connection_registry

__unittest = True
bind(globals())
_sleep = time.sleep
_get_objects = gc.get_objects
_DRIVERS = ("pymysql", "MySQLdb", "mysql.connector", "aiomysql", "psycopg2", "psycopg", "asyncpg")
_MOMENT = 2.0
"""Seconds that the server may take until what waited goes on."""


def look(seconds: float, ending: bool, say: Callable[[object, str], None]) -> None:
    """Report each session of this run that waits for a lock; then end what is in its way.

    *seconds*: how long it has to wait for that. *ending*: the test's own part is over, and its
    clean-ups run. *say*: called with by what a wait is known again, and the text.
    """
    for address in _addresses():
        try:
            connection = connect.aside(address)
        except connect.CannotConnect:   # it may be full, or gone, for other reasons
            continue
        mine = descriptors_of(connection)
        _apart.open |= mine
        try:
            _look(connect.server(address.dialect, connection), address.dialect, seconds, ending,
                  say)
        except Exception as error:
            text = "what the sessions of %s wait for cannot be listed: %s" % (
                address, redaction.error(error, address.password))
            say(text, text)
        finally:
            try:
                connection.close()
            except Exception:   # lost meanwhile
                pass
            _apart.open -= mine


def _addresses() -> List[connect.Address]:
    """Return the servers that this process has connections to, one address for each."""
    found: Dict[Tuple[Any, ...], connect.Address] = {}
    for connection, record in connection_registry.open_connections():
        if record.driver in _DRIVERS:
            try:
                address = connect.address_of(record.driver, connection)
            except Exception:   # it is being closed, or its driver has changed
                continue
            found.setdefault((address.dialect, address.host, address.port, address.options),
                             address)
    return list(found.values())


def _look(server: Server, dialect: str, seconds: float, ending: bool,
          say: Callable[[object, str], None]) -> None:
    found = server.sessions(None, connection_registry.record_of_session)
    for waiter in found:
        mine = isinstance(waiter.opened_by, ConnectionRecord)
        if mine and waiter.waits and (waiter.age is None or waiter.age >= int(seconds / 2)):
            wait = _Wait(server, dialect, found, waiter, ending)
            say(wait.key, wait.text())      # first: the run may be over as soon as it goes on
            for problem in wait.end():
                say(problem, problem)


def blocking(found: Sessions, waiter: int, likely: Sequence[int] = ()) -> Sessions:
    """Return the sessions that the session *waiter* waits for.

    *likely*: ids of those in a transaction by what their drivers know, for a server that does not
    say which they are.
    """
    ids = next((each.waits_for for each in found if each.id == waiter), ())
    waits = any(each.id == waiter and each.waits for each in found)
    if not ids and waits:
        ids = tuple(each.id for each in found
                    if each.id != waiter and not each.waits and each.id in likely)
    return replace(found, sessions=tuple(each for each in found if each.id in ids))


class _Wait:
    """One session of this run that waits, and what for."""

    def __init__(self, server: Server, dialect: str, found: Sessions, waiter: Session,
                 ending: bool) -> None:
        self._server = server
        self._dialect = dialect
        self._found = found
        likely = _in_transaction()
        self._blockers = blocking(found, waiter.id, likely).sessions
        guess = waiter.is_guess or not waiter.waits_for
        self._waiter = replace(waiter, waits_for=waiter.waits_for or tuple(
            each.id for each in self._blockers), is_guess=guess)
        self._ending = ending
        self._current = connection_registry.current()
        self.key = (self._current, waiter.id, self._waiter.waits_for)
        self._ends: List[Session] = []

    def text(self) -> str:
        """Return both sides, and what is done."""
        waiter = self._waiter
        lines = ["%s waits for a lock of %s, %s, for %s" % (
            redaction.redact_id(readable_id(self._current)) if self._current
            else "what runs outside of the tests", quoted(waiter.database), self._found.server,
            duration(waiter.age))]
        lines += self._side("waiting", waiter)
        if not waiter.waits_for:
            lines.append("  for: what the server does not show to this account" + "".join(
                "; " + note for note in self._found.notes))
        elif not self._blockers:
            lines.append("  for: %s" % waited_for(waiter))
        remedies: List[str] = []
        for blocker in sorted(self._blockers, key=lambda each: -(each.transaction or 0)):
            lines += self._side("perhaps for" if waiter.is_guess else "for", blocker)
            more, remedy = self._about(blocker)
            lines += ["    " + each for each in more]
            if remedy and remedy not in remedies:
                remedies.append(remedy)
        return "\n".join(lines + ["in your code: " + each for each in remedies])

    def _side(self, word: str, session: Session) -> Iterator[str]:
        since = "" if session.transaction is None or session.waits else (
            ", its transaction began %s ago" % duration(session.transaction))
        yield "  %s: session %d (%s%s)" % (word, session.id, session.state or "?", since)
        if session.statement:
            yield "    " + redaction.shown(
                redaction.statement_shape(session.statement, self._dialect), 200)
        if session.opened_by:
            yield "    opened by %s" % opened(session.opened_by)

    def _about(self, blocker: Session) -> Tuple[List[str], str]:
        """Return lines about *blocker*, and what mends it."""
        record = blocker.opened_by
        connection, _ = connection_registry.connection_of_session(blocker)
        if not isinstance(record, ConnectionRecord) or connection is None:
            held = "by pid %d: %s" % (blocker.pids_here[0], blocker.command_here) \
                if blocker.pids_here else "from %s" % blocker.client
            return ["not ended: this run did not open it; it is held %s"
                    % redaction.line(held)], ""
        holders = Holders(connection, self._current, self._ending)
        del connection
        taken = holders.taken()
        lines, test = [], record.test
        if taken is not None and taken.test and (taken.test, taken.frames) != (
                record.test, record.frames):
            lines, test = ["taken by %s" % opened(taken)], taken.test
        return lines + [self._done(blocker, test, holders)], holders.remedy(record, taken)

    def _done(self, blocker: Session, test: str, holders: "Holders") -> str:
        """Return whether *blocker*, which *test* holds, is ended, and why (not)."""
        if not is_over(test, self._current, self._ending):
            return "not ended: %s" % ("%s still runs" % readable_id(test) if test
                                      else "it was opened outside of the tests")
        if holders.chain is not None:
            return "not ended: %s keeps its client" % redaction.redact(holders.chain.expression)
        if blocker.waits:
            return "not ended: it waits itself"
        self._ends.append(blocker)
        return "it is ended: %s is over%s, and nothing else refers to its client" % (
            readable_id(test), " but for its clean-ups" * (test == self._current))

    def end(self) -> Iterator[str]:
        """End what may be ended, until the wait is over; give what did not go well."""
        for blocker in self._ends:
            if not self._still_waits():
                return
            connection, _ = connection_registry.connection_of_session(blocker)
            if connection is not None:      # its driver closes the socket
                _apart.ended |= descriptors_of(connection)
            del connection
            try:
                self._server.end(blocker)
            except Exception as error:
                yield "session %d could not be ended: %s" % (
                    blocker.id, redaction.error(error).split(": ", 1)[-1])
                continue
            for _ in range(20):
                if not self._still_waits():
                    return
                _sleep(_MOMENT / 20)

    def _still_waits(self) -> bool:
        return any(each.id == self._waiter.id and each.waits for each in self._server.look())


class _Apart:
    """For the looks at what tests leave: our own connections, and those that we have ended."""

    def __init__(self) -> None:
        self.open: Set[int] = set()
        self.ended: Set[int] = set()

    def name_of(self, connection: object) -> str:
        return ""

    def opening_of(self, connection: object) -> None:
        return None

    def remedy_of(self, connection: object) -> str:
        return ""

    def keeps(self, connection: object) -> bool:
        return False

    def runs_thread(self, thread: int) -> bool:
        return False

    def owns_descriptor(self, fd: int, on: Tuple[str, str], closed: bool) -> bool:
        return on[0] == "socket" and fd in (self.ended if closed else self.open)


_apart = _Apart()
frameworks.frameworks.append(_apart)


def _in_transaction() -> List[int]:
    """Return the sessions of this process that are in a transaction by their drivers' memory: for a
    server of MySQL that shows none to the account."""
    return [record.session for connection, record in connection_registry.open_connections()
            if record.driver in _DRIVERS[:4] and in_transaction(record.driver, connection)]


def is_over(test: str, current: str, ending: bool) -> bool:
    """Tell whether the test or fixture *test* is over while *current* runs; *ending*: that one is
    in its clean-ups."""
    if not test:
        return False
    if test == current:
        return ending
    fixture, scope = fixture_of(test)
    if not scope:
        return True     # another test: they run one after the other
    if fixture.startswith("fixture "):
        return False    # pytest's, whose end it does not say
    head, of = fixture_of(current)
    if scope == of:
        return ending and head.startswith("tearDown")
    owner = of or owner_of(current)
    return not (owner == scope or owner.startswith(scope + ".") or "::" in current)


class Holders:
    """Which clients have a driver's connection, and what refers to them beside tests that are
    over."""

    def __init__(self, connection: Any, current: str, ending: bool) -> None:
        _get_objects()        # a run freezes the heap: this thaws it
        self.clients = clients = _clients(connection)
        past = _past(current, ending)
        self.attribute = next((name for each in past.tests for name, value in _attributes(each)
                               if any(value is client for client in clients)), "")
        found = traces(clients, past.ids, [clients, past, past.tests], apart=True)
        # Where only what is over leads to it, the chain begins there.
        self.chain = next((each.chain for each in found if each.chain is not None
                           and each.chain.root != "leak" and past.ids.isdisjoint(each.through)),
                          None)

    def taken(self) -> Optional[Acquisition]:
        """Return where the outermost client was made, where clients are recorded."""
        for subscriber in connection_registry.subscribers:
            of = getattr(subscriber, "of", None)
            found = of(self.clients[0]) if of is not None else None
            if isinstance(found, Acquisition):
                return found
        return None

    def remedy(self, record: ConnectionRecord, taken: Optional[Acquisition]) -> str:
        """Return what the user does, as a report says it; "" for nothing known."""
        value = self.clients[0]
        kind = kind_of(value)
        if kind is None:
            return ""
        where = taken or Acquisition("database connection", record.place, record.test,
                                     record.thread, record.frames)
        if self.attribute:
            leak = identify.of_scope("self." + self.attribute, value, kind, where, where.test)
        else:
            leak = identify.of_survivor(survivor("object", where.test, "", value), value, kind,
                                        self.chain or _whole_chain(self.clients), where, 0)
        return str(in_words(leak).remedy or "")


def _whole_chain(clients: List[Any]) -> Optional[Chain]:
    return next((each.chain for each in traces(clients, (), [clients], apart=True)), None)


class _Past(NamedTuple):
    """What is over: tests, and the ids of all that does not count as a holder."""

    tests: List[Any]
    ids: Set[int]


def _past(current: str, ending: bool) -> _Past:
    """Return all tests but the one that runs, the classes whose tests are over, and the module that
    is being torn down."""
    head, scope = fixture_of(current)
    owner = scope or owner_of(current)
    cases = [each for each in _get_objects() if issubclass(type(each), type)
             and issubclass(each, unittest.TestCase)]
    running = {id(each) for case in cases if _full_name(case) == owner
               for each in objects.mro(case)}
    tests = []
    for each in _get_objects():
        if issubclass(type(each), unittest.TestCase):
            name = "%s.%s" % (_full_name(type(each)), own_attribute(each, "_testMethodName"))
            if ending or name != current:
                tests.append(each)
    ids = {id(each) for each in tests}
    if "::" not in current:     # of pytest's the class is not known by its name
        ids |= {id(case) for case in cases if id(case) not in running
                or head == "tearDownClass" and _full_name(case) == owner}
    module = sys.modules.get(scope) if head == "tearDownModule" else None
    if module is not None:
        ids |= {id(module), id(vars(module))}
    return _Past(tests, ids)


def _full_name(cls: type) -> str:
    return "%s.%s" % (cls.__module__, cls.__qualname__)


def _attributes(test: Any) -> List[Tuple[str, Any]]:
    return list((objects.own_dict(test) or {}).items())


def _clients(connection: Any) -> List[Any]:
    """Return the sessions, connections and the like of libraries that have the driver's connection,
    the outermost first; the connection itself where there are none."""
    kinds: Dict[int, Any] = {}
    found: List[Tuple[int, Any]] = []
    for each in _get_objects():
        key = id(type(each))
        if key not in kinds:
            kind = kind_of(each)
            kinds[key] = kind if kind is not None and kind.client else None
        if kinds[key] is None:
            continue
        parts = kinds[key].parts(each)
        if any(part is connection or own_attribute(part, "_connection") is connection
               for part in parts if part is not None):
            found.append((-len(parts), each))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])] or [connection]
