"""The connection budget of a session, and of the tests with the marker
``leakfix_max_connections``."""
from __future__ import annotations

from typing import Any, Generator, Optional, Union

import pytest

from unittest_leakfix._core.declarations import most_connections
from unittest_leakfix._core.early import bind
from unittest_leakfix.databases.connection_limit import Budget, Budgets, budgets_of
from unittest_leakfix.pytest_plugin import MOST

__unittest = True
bind(globals())


class BudgetPlugin:
    """Counts the connections of a session; *most*: of all of it, None for any number."""

    def __init__(self, most: Optional[int]) -> None:
        self._of_session = None if most is None else Budget(most, "--max-connections=%d" % most)

    def pytest_sessionstart(self) -> None:
        """Begin to count."""
        if self._of_session is not None:
            self._of_session.begin()

    def pytest_unconfigure(self) -> None:
        """End."""
        if self._of_session is not None:
            self._of_session.end()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, None, None]:
        """Count for one item, which may have a budget of its own."""
        budget = _of_item(item)
        if budget is not None:
            budget.begin()
        counting = budget or self._of_session
        if counting is not None:
            counting.current = item.nodeid
        yield
        if counting is not None:
            counting.current = ""
        if budget is not None:
            budget.end()


def _of_item(item: pytest.Item) -> Union[Budget, Budgets, None]:
    mark = item.get_closest_marker(MOST)
    if mark is not None:
        most = _number(item, mark)
        return Budget(most, "%s(%d)" % (MOST, most))
    cls = getattr(item, "cls", None)
    limit = most_connections(cls) if isinstance(cls, type) else None
    if limit is None or cls is None:
        return None
    return budgets_of(limit, cls.__name__)


def _number(item: pytest.Item, mark: Any) -> int:
    number = mark.args[0] if len(mark.args) == 1 and not mark.kwargs else None
    if type(number) is not int or number < 0:
        raise pytest.UsageError("%s: the marker %s takes a number of connections, as in %s(3)"
                                % (item.nodeid, MOST, MOST))
    return number


def check(items: Any) -> None:
    """Raise ``pytest.UsageError`` for the first marker that makes no sense."""
    for item in items:
        mark = item.get_closest_marker(MOST)
        if mark is not None:
            _number(item, mark)


def register(config: pytest.Config, most: Optional[int] = None) -> None:
    """Register what counts, once."""
    if not config.pluginmanager.hasplugin("leakfix-budgets"):
        config.pluginmanager.register(BudgetPlugin(most), "leakfix-budgets")
