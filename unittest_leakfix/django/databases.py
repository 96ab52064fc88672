"""DatabasesMixin: what a DiscoverRunner does about connections and test databases."""
from __future__ import annotations

import sys
import unittest
from typing import Any, Callable, List, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.databases.counting import Counting
from unittest_leakfix.leaks.colour import style_for
from unittest_leakfix.watcher import Watcher

from . import aliases, clean_up
from .closed import Closed
from .connections import connections
from .created import created
from .live_server import live_servers
from .waiting import waiting

__unittest = True
bind(globals())


class Reaping(Counting):
    """A watcher that closes the connections of threads that are over, after each test and fixture."""

    def class_begins(self, cls: type) -> None:
        connections.look()
        super().class_begins(cls)

    def finished(self, test: unittest.TestCase) -> None:
        connections.reap()      # before the collector comes, and nobody would hear of them
        super().finished(test)

    def end(self) -> None:
        connections.reap()      # before anybody looks at what is open
        super().end()

    def class_over(self, cls: type) -> None:
        connections.reap()
        super().class_over(cls)

    def module_over(self) -> None:
        connections.reap()
        super().module_over()


def begin(say: Callable[[str], None]) -> None:
    """Begin to watch Django's connections, live servers and flushes in this process; `end` has to follow, as often.

    *say* is called with what cannot wait for the end of the run, perhaps from another thread.
    """
    connections.install()
    live_servers.install()
    waiting.install(say)


def end() -> None:
    """End it; with the last one Django is as it was."""
    waiting.remove()
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

    _leakfix_watchers: Optional[List[Reaping]] = None   # None: nothing is watched
    _leakfix_closed: Closed
    _leakfix_stream: Any

    def setup_databases(self, **kwargs: Any) -> Any:
        """Make the test databases, with an eye on who connects."""
        self._leakfix_begin()
        try:
            self._leakfix_say("\n".join(aliases.unmirrored(kwargs.get("aliases"))))
            old_config = super().setup_databases(**kwargs)  # type: ignore[misc]
            waiting.created = {each.name for each in created(old_config or (), *self._leakfix_how())}
            return old_config
        except BaseException:
            self._leakfix_end()
            raise

    def leakfix_watching(self, watcher: Optional[Watcher]) -> Watcher:
        """Return a watcher of the run that reaps, before *watcher* (None: before nobody)."""
        reaping = Reaping(watcher)
        reaping.start()
        self._leakfix_begin().append(reaping)
        return reaping

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        """Destroy the test databases; first see to it that nobody is in the way."""
        self._leakfix_begin()
        try:
            connections.reap()
            # Told first: among those that come later are the threads whose sessions are ended now.
            self._leakfix_say(self._leakfix_closed.text())
            self._leakfix_say(clean_up.before_destroy(
                old_config or (), *self._leakfix_how(), style=style_for(self._leakfix_stream)))
            super().teardown_databases(old_config, **kwargs)  # type: ignore[misc]
        finally:
            self._leakfix_end()

    def _leakfix_how(self) -> Tuple[int, bool]:
        return getattr(self, "parallel", 0), getattr(self, "keepdb", False)

    def _leakfix_begin(self) -> List[Reaping]:
        if self._leakfix_watchers is None:
            self._leakfix_watchers, self._leakfix_closed = [], Closed()
            self._leakfix_stream = sys.stderr   # as it is before tests replace it
            begin(self._leakfix_say)
            connections.reaped = self._leakfix_closed.take  # type: ignore[method-assign]
        return self._leakfix_watchers

    def _leakfix_end(self) -> None:
        for each in self._leakfix_watchers or ():
            each.stop()
        self._leakfix_watchers = None
        waiting.created = ()
        end()

    def _leakfix_say(self, text: str) -> None:
        say(text, self._leakfix_stream)
