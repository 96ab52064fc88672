"""DatabasesMixin: what a DiscoverRunner does about connections and test databases."""
from __future__ import annotations

from typing import Any, List, Optional

from unittest_leakfix.databases.counting import Counting
from unittest_leakfix.watcher import Watcher

from .connections import connections

__unittest = True


class Reaping(Counting):
    """A watcher that closes the connections of threads that are over, after each test and fixture."""

    def class_begins(self, cls: type) -> None:
        connections.look()
        super().class_begins(cls)

    def end(self) -> None:
        connections.reap()      # before anybody looks at what is open
        super().end()

    def class_over(self, cls: type) -> None:
        connections.reap()
        super().class_over(cls)

    def module_over(self) -> None:
        connections.reap()
        super().module_over()


class DatabasesMixin:
    """For a ``DiscoverRunner``: connections are watched from before the test databases are made."""

    _leakfix_watchers: List[Reaping]

    def setup_databases(self, **kwargs: Any) -> Any:
        """Make the test databases, with an eye on who connects."""
        self._leakfix_watchers = []
        connections.install()
        try:
            return super().setup_databases(**kwargs)  # type: ignore[misc]
        except BaseException:
            connections.remove()
            raise

    def leakfix_watching(self, watcher: Optional[Watcher]) -> Watcher:
        """Return a watcher of the run that reaps, before *watcher* (None: before nobody)."""
        reaping = Reaping(watcher)
        reaping.start()
        self._leakfix_watchers.append(reaping)
        return reaping

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        """Destroy the test databases; first see to it that nobody is in the way."""
        try:
            super().teardown_databases(old_config, **kwargs)  # type: ignore[misc]
        finally:
            for each in self._leakfix_watchers:
                each.stop()
            connections.remove()
