"""What a test may keep, under pytest: ``leakfix_max_memory`` of a class, a function or a marker."""
from __future__ import annotations

from typing import Any, Dict, Generator, Optional

import pytest

from unittest_leakfix._core.declarations import bytes_of
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import originals
from unittest_leakfix._optional import run_again
from unittest_leakfix.leaks import memory_limit
from unittest_leakfix.pytest_plugin.failure_text import FailureText

__unittest = True
bind(globals())


class MemoryLimits:
    """Tells the limit of each item, and runs those again that were above it, once all are over."""

    def __init__(self, config: pytest.Config, watching: Any, most: Optional[int]) -> None:
        """*most*: of ``--max-memory``."""
        self._config = config
        self._watching = watching
        self._most = most
        self._classes: Dict[type, Dict[str, Optional[int]]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """*item* is about to run."""
        self._watching.memory.limit_next(self._limit_of(item))

    def _limit_of(self, item: Any) -> Optional[int]:
        mark = item.get_closest_marker(memory_limit.NAME)
        if mark is not None:
            return None if mark.args == (None,) else bytes_of(*mark.args)
        function = getattr(item, "function", None)
        cls = getattr(item, "cls", None)
        if not isinstance(cls, type):
            limit = getattr(function, memory_limit.NAME, self._most)
            return None if limit is None else bytes_of(limit)
        if cls not in self._classes:
            self._classes[cls] = memory_limit.declared(cls)
        limits = self._classes[cls]
        return limits.get(getattr(function, "__name__", ""), limits.get("", self._most))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: Any) -> None:
        """Raise ``pytest.UsageError`` for the first limit that makes no sense."""
        for item in items:
            try:
                self._limit_of(item)
            except (TypeError, ValueError) as error:
                raise pytest.UsageError("%s: %s: %s" % (
                    item.nodeid, memory_limit.NAME, error)) from error

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self) -> Generator[None, Any, None]:
        """All tests are over: those that keep too much each time fail."""
        outcome = yield
        if outcome.excinfo is None and self._watching.memory.over:
            self._confirm()

    @originals.around
    def _confirm(self) -> None:
        worker = hasattr(self._config, "workerinput")
        root = str(self._config.rootpath)
        over = memory_limit.confirmed(
            self._watching.memory.over,
            None if worker else lambda tests: run_again(tests, "pytest", root),
            "in a worker of pytest-xdist tests are not run again")
        self._watching.memory.over = over
        for each in over:
            if each.fails:
                self._watching.reports.error(FailureText(each.test, memory_limit.message(each), ()))
