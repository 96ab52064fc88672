"""Finding in a session: between the plugin's hooks, the finder, and the reports."""
from __future__ import annotations

import unittest
from typing import Any, Dict, List, Optional

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks import colour, json, known, leak, text  # noqa: F401 (before the first test)
from unittest_leakfix.leaks.later import load_all
from unittest_leakfix.leaks.options import Options

from . import markers, xdist
from .finder import ScopedFinder
from .options import Asked
from .reports import Reports
from .scopes import Scope

__unittest = True
bind(globals())

_VERSION = tuple(int(part) for part in pytest.__version__.split(".")[:2])


class Watching(ScopedFinder):
    """The finder as the plugin follows items: knows their markers, and hands on what is news."""

    def __init__(self, config: pytest.Config, asked: Asked, baseline: Optional[known.Baseline]) -> None:
        self.baseline = baseline
        super().__init__(Options(asked.mode, asked.failed, asked.baseline, asked.write_baseline, asked.json,
                                 asked.stacks, asked.restore), baseline, self._entries, self._news_of)
        self._config = config
        self._known: Dict[str, List[known.Ignored]] = {}
        self.reports = Reports(config, failing=asked.mode == "fail")
        has = config.pluginmanager.hasplugin
        self.restored_by_pytest(
            filters=has("warnings"),
            # From 8.4 on they are replaced once for the whole session.
            hooks=_VERSION < (8, 4) and (has("unraisableexception") or has("threadexception")))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: List[pytest.Item]) -> None:
        """Look whether the markers make sense."""
        markers.check(items)

    def item_begins(self, item: pytest.Item) -> None:
        """*item* is about to be set up."""
        cls = getattr(item, "cls", None)
        self.item(item.nodeid, isinstance(cls, type) and issubclass(cls, unittest.TestCase))
        entries = markers.known_of(item)
        if entries:
            self._known[item.nodeid] = entries

    def scope_begins(self, scope: Scope) -> None:
        entries = markers.known_of(scope.node)
        if entries:
            self._known["(%s)" % scope.name] = entries
        super().scope_begins(scope)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take note of who failed."""
        if report.failed and not getattr(report, "leakfix", False):
            self.failed(report.nodeid)

    def scope_over(self, scope: Scope) -> None:
        super().scope_over(scope)
        if scope.kind == "module":
            self.reports.over()

    def _entries(self, name: str) -> List[known.Ignored]:
        fixture = name.partition(" (")[2]
        return self._known.get("(" + fixture if fixture and name not in self._known else name, [])

    def _news_of(self, leaks: List[Any]) -> None:
        self.reports.leaks(leaks)


def begin(config: pytest.Config, asked: Asked) -> Watching:
    """Return what finds in this session. Raises ``pytest.UsageError`` for a baseline that is none."""
    baseline = None
    if asked.baseline is not None:
        try:
            baseline = known.Baseline(asked.baseline, xdist.baseline_of(config))
        except ValueError as error:
            raise pytest.UsageError(str(error))
    load_all()
    watching = Watching(config, asked, baseline)
    config.pluginmanager.register(watching, "leakfix-finding")
    config.pluginmanager.register(watching.reports, "leakfix-reports")
    return watching
