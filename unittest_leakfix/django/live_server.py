"""Live servers: the connections of a request's thread are closed when the request is answered.

The thread of a request waits on for the client's next one, and with a ``CONN_MAX_AGE`` it keeps its
connection so long: one for each client that does not hang up. Under our runner it is closed after
each request, which is what ``CONN_MAX_AGE = 0`` does; the view sees no difference. Where leaks are
looked for, it is counted by test, and reported at the end.
"""
from __future__ import annotations

from _thread import get_ident
from typing import Any, Dict, List, Set

from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connections as _of_thread
from django.db.backends.signals import connection_created

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import Swap
from unittest_leakfix.django.connections import connections
from unittest_leakfix.leaks.listening import ListeningObserver
from unittest_leakfix.leaks.model.ids import readable_id
from unittest_leakfix.tracing.opened_connections import IDENT, connection_registry

__unittest = True
bind(globals())
_SHOWN = 10


class _Requests:
    """What the request threads of one test did."""

    def __init__(self) -> None:
        self.opened = 0
        self.at_once = 0
        self.closed = 0
        self.waiting: Set[int] = set()
        """The threads that wait for their client's next request, and had a connection."""
        self.would_be_open = 0
        self.ages: Dict[str, str] = {}
        """``CONN_MAX_AGE`` by alias."""


class LiveServers:
    """Sees to it between `install` and `remove`. There is one, `live_servers`."""

    def __init__(self) -> None:
        self._users = 0
        self._swap = Swap()
        self._serving: Set[int] = set()
        self._tests: Dict[str, _Requests] = {}

    def install(self) -> None:
        """Begin. `remove` has to follow, as often."""
        self._users += 1
        if self._users > 1:
            return
        one, all_of_client = WSGIRequestHandler.handle_one_request, WSGIRequestHandler.handle

        def handle_one_request(handler: Any) -> None:
            try:
                one(handler)
            finally:
                self._answered(not getattr(handler, "close_connection", True))

        def handle(handler: Any) -> None:
            self._serving.add(get_ident())
            try:
                all_of_client(handler)
            finally:
                self._serving.discard(get_ident())
                for requests in list(self._tests.values()):
                    requests.waiting.discard(get_ident())
        self._swap.put(WSGIRequestHandler, "handle_one_request", handle_one_request)
        self._swap.put(WSGIRequestHandler, "handle", handle)
        connection_created.connect(self._opened, weak=False)

    def remove(self) -> None:
        """End it; with the last one Django is as it was."""
        self._users -= 1
        if not self._users:
            self._swap.back()
            connection_created.disconnect(self._opened)

    def _opened(self, connection: Any, **_: Any) -> None:
        # Called inside a view's query: it must not fail, whatever is wrong.
        try:
            if get_ident() in self._serving and not connection.allow_thread_sharing:
                requests = self._requests()
                if requests is not None:
                    requests.opened += 1
                    others = {id(held.wrapper()) for held in connections.open()
                              if held.raw[IDENT] in self._serving}
                    requests.at_once = max(requests.at_once, len(others | {id(connection)}))
        except Exception:
            pass

    def _answered(self, waits: bool) -> None:
        """A request is answered; *waits*: the client has not hung up, and its thread waits on."""
        closed = close_answered()
        requests = self._requests() if closed and waits else None
        if requests is not None:
            requests.closed += len(closed)
            requests.waiting.add(get_ident())
            requests.would_be_open = max(requests.would_be_open, len(requests.waiting))
            for wrapper in closed:
                requests.ages[str(wrapper.alias)] = repr(wrapper.settings_dict.get("CONN_MAX_AGE"))

    def _requests(self) -> Any:
        """Return the counts of the test that runs; None where leaks are not looked for."""
        if not ListeningObserver._active:
            return None
        return self._tests.setdefault(connection_registry.current(), _Requests())

    def text(self) -> str:
        """Return what was closed for clients that did not hang up, by test, "" for nothing; and
        forget it."""
        tests, self._tests = self._tests, {}
        stayed = sorted(((name, each) for name, each in tests.items() if each.closed),
                      key=lambda pair: (-pair[1].would_be_open, pair[0]))
        if not stayed:
            return ""
        lines = ["unittest_leakfix: closed %s of live servers' requests, for clients that did not "
                 "hang up" % _count(sum(each.closed for _, each in stayed))]
        for name, each in stayed[:_SHOWN]:
            lines.append("  %s: %s opened by request threads, at most %d at once; %d of them "
                         "closed for you, without that up to %d at once" % (
                             redaction.redact_id(readable_id(name)) if name
                             else "outside of the tests", _count(each.opened), each.at_once,
                             each.closed, each.would_be_open))
        if len(stayed) > _SHOWN:
            lines.append("  and %d more tests" % (len(stayed) - _SHOWN))
        ages = {alias: age for _, each in stayed for alias, age in each.ages.items()}
        lines.append("  they would have stayed: a thread keeps its connection while it waits for "
                     "its client, where CONN_MAX_AGE is not 0 (%s)" % ", ".join(
                         "%s: %s" % each for each in sorted(ages.items())))
        lines += ['in your settings for tests: DATABASES["%s"]["CONN_MAX_AGE"] = 0'
                  % redaction.visible(alias) for alias in sorted(ages)]
        return "\n".join(lines + ["or in your code: with requests.Session() as session:, or the "
                                  "like, so that the client hangs up"])


def _count(number: int) -> str:
    return "%d connection%s" % (number, "" if number == 1 else "s")


def close_answered() -> List[Any]:
    """Close the connections of this thread, whose request is answered, and return their wrappers;
    not one that threads share."""
    closed = []
    for wrapper in _of_thread.all(initialized_only=True):
        if wrapper.connection is not None and not wrapper.allow_thread_sharing:
            try:
                wrapper.close()
                closed.append(wrapper)
            except Exception:   # lost meanwhile: the view has seen the error, if it used it
                pass
    return closed


live_servers = LiveServers()
