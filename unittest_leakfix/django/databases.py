"""DatabasesMixin: what a DiscoverRunner does about connections and test databases."""

from __future__ import annotations

import sys
import unittest
from typing import Any, Callable, Container, Dict, List, Optional, Tuple

from django.db import DEFAULT_DB_ALIAS
from django.db import connections as django_connections

from unittest_leakfix._core.early import bind
from unittest_leakfix._optional import watch_locks
from unittest_leakfix.databases.connection_limit import CountingObserver
from unittest_leakfix.django import clean_up
from unittest_leakfix.django.blocked_flush import blocked_flushes
from unittest_leakfix.django.clean_up import created
from unittest_leakfix.django.closed_connections import ReapedConnections
from unittest_leakfix.django.connections import connections
from unittest_leakfix.django.live_server import live_servers
from unittest_leakfix.leaks.report.terminal import style_for
from unittest_leakfix.observer import RunObserver

__unittest = True
bind(globals())

# Aliases that point at the same database, and do not say so.

_PORTS = {"postgresql": "5432", "mysql": "3306"}
_HERE = ("", "localhost", "127.0.0.1", "::1")


def unmirrored(used: Optional[Container[str]] = None) -> List[str]:
    """Return a line for each alias that is the same database as another one without ``TEST:
    MIRROR``.

    One with the same settings to the letter, Django itself takes for a mirror. One that names the
    server in another way it makes a second time, and so destroys the first. Called before the test
    databases are made: afterwards all have other names. *used*: the aliases that the tests use,
    None for all.
    """
    found: Dict[Tuple[str, ...], str] = {}
    lines = []
    for alias in _sorted():
        place = _place(alias) if used is None or alias in used else ()
        first = found.setdefault(place, alias) if place else alias
        if first != alias:
            lines.append(
                "unittest_leakfix: the aliases %r and %r are the same test database, %s: "
                "DATABASES[%r][\"TEST\"] = {\"MIRROR\": %r}"
                % (first, alias, place[1], alias, first))
    return lines


def _sorted() -> List[str]:
    try:
        return sorted(django_connections, key=lambda each: (each != DEFAULT_DB_ALIAS, each))
    except Exception:   # Django says what is wrong with the settings
        return []


def _place(alias: str) -> Tuple[str, ...]:
    """Return what tells the test database from others; () for a mirror and where it cannot be
    said."""
    try:
        wrapper = django_connections[alias]
        settings = wrapper.settings_dict
        if wrapper.vendor not in _PORTS or settings.get("TEST", {}).get("MIRROR"):
            return ()
        name = str(wrapper.creation._get_test_db_name())
    except Exception:   # no such backend, or one with names of its own
        return ()
    host = str(settings.get("HOST") or "")
    return (wrapper.vendor, name, "localhost" if host in _HERE else host.lower(),
            str(settings.get("PORT") or _PORTS[wrapper.vendor]))


class ReapingObserver(CountingObserver):
    """An observer that closes the connections of threads that are over, after each test and
    fixture."""

    def class_started(self, cls: type) -> None:
        connections.look()
        super().class_started(cls)

    def test_finished(self, test: unittest.TestCase) -> None:
        connections.reap()      # before the collector takes them, unreported
        super().test_finished(test)

    def test_released(self) -> None:
        connections.reap()      # before the detector looks at what is open
        super().test_released()

    def class_finished(self, cls: type) -> None:
        connections.reap()
        super().class_finished(cls)

    def module_finished(self) -> None:
        connections.reap()
        super().module_finished()


def begin(say: Callable[[str], None]) -> None:
    """Begin to watch Django's connections, live servers and flushes in this process; `end` has to
    follow, as often.

    *say* is called with what cannot wait for the end of the run, perhaps from another thread.
    """
    watch_locks()
    connections.install()
    live_servers.install()
    blocked_flushes.install(say)


def end() -> None:
    """End it; with the last one Django is as it was."""
    blocked_flushes.remove()
    live_servers.remove()
    connections.remove()


def say(text: str, stream: Any = None) -> None:
    """Write *text*, if there is any, as lines to *stream*; None: to ``sys.stderr``."""
    if text:
        stream = stream or sys.stderr
        stream.write(text + "\n")
        stream.flush()


class DatabasesMixin:
    """For a ``DiscoverRunner``: connections are watched from before the test databases are made.

    A runner that makes no databases, or does not call these, is watched from its first test on.
    """

    _leakfix_watchers: Optional[List[ReapingObserver]] = None   # None: nothing is watched
    _leakfix_closed: ReapedConnections
    _leakfix_stream: Any

    def setup_databases(self, **kwargs: Any) -> Any:
        """Make the test databases, and record each connection."""
        self._leakfix_begin()
        try:
            self._leakfix_say("\n".join(unmirrored(kwargs.get("aliases"))))
            old_config = super().setup_databases(**kwargs)  # type: ignore[misc]
            blocked_flushes.created = {each.name
                               for each in created(old_config or (), *self._leakfix_how())}
            return old_config
        except BaseException:
            self._leakfix_end()
            raise

    def leakfix_watching(self, watcher: Optional[RunObserver]) -> RunObserver:
        """Return an observer of the run that reaps, before *watcher* (which may be None)."""
        reaping = ReapingObserver(watcher)
        reaping.start()
        self._leakfix_begin().append(reaping)
        return reaping

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        """Destroy the test databases; first end what is in the way."""
        self._leakfix_begin()
        try:
            connections.reap()
            # Reported first: among those that come later are the threads whose sessions are ended
            # now.
            self._leakfix_say(self._leakfix_closed.text())
            self._leakfix_say(live_servers.text())
            self._leakfix_say(clean_up.before_destroy(
                old_config or (), *self._leakfix_how(), style=style_for(self._leakfix_stream)))
            super().teardown_databases(old_config, **kwargs)  # type: ignore[misc]
        finally:
            self._leakfix_end()

    def _leakfix_how(self) -> Tuple[int, bool]:
        return getattr(self, "parallel", 0), getattr(self, "keepdb", False)

    def _leakfix_begin(self) -> List[ReapingObserver]:
        if self._leakfix_watchers is None:
            self._leakfix_watchers, self._leakfix_closed = [], ReapedConnections()
            self._leakfix_stream = sys.stderr   # as it is before tests replace it
            begin(self._leakfix_say)
            connections.reaped = self._leakfix_closed.take  # type: ignore[method-assign]
        return self._leakfix_watchers

    def _leakfix_end(self) -> None:
        for each in self._leakfix_watchers or ():
            each.stop()
        self._leakfix_watchers = None
        blocked_flushes.created = ()
        end()

    def _leakfix_say(self, text: str) -> None:
        say(text, self._leakfix_stream)
