"""A pytest session that hangs: ``--patience`` and ``--exit-after``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Dict, Generator, Optional

import pytest

from unittest_leakfix import patience
from unittest_leakfix._core.early import bind
from unittest_leakfix._optional import look_at_locks, two_connections
from unittest_leakfix.leaks.model.leak import Findings
from unittest_leakfix.leaks.run import who_started
from unittest_leakfix.pytest_plugin import fixtures

if TYPE_CHECKING:
    from unittest_leakfix.pytest_plugin.options import PytestOptions

__unittest = True
bind(globals())

_close, _dup = os.close, os.dup


class PatiencePlugin:
    """Says to a `patience.Watch` what runs, and when the session is over.

    *descriptor* is a copy of standard error as it was before pytest captured it.
    """

    def __init__(self, watch: patience.Watch, descriptor: int, is_worker: bool) -> None:
        self._watch = watch
        self._descriptor = descriptor
        self._is_worker = is_worker     # of xdist, whose process the controller ends
        self._item = ""
        self._status = 0
        self.findings: Optional[Callable[[], Findings]] = None
        """Returns what was found, among it the threads that still run."""

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, None, None]:
        """Watch a test, with the fixtures of its own."""
        self._item = item.nodeid
        self._watch.runs(self._item)
        yield
        self._item = ""
        self._watch.runs(None)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, None, None]:
        """Watch a fixture that is set up for several tests."""
        if fixturedef.scope == "function":
            yield
            return
        node = getattr(request, "node", None)
        self._watch.runs(fixtures.name_of(fixturedef, getattr(node, "nodeid", "")))
        yield
        self._watch.runs(self._item or None)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Take note of the status that the process is to end with."""
        self._status = int(exitstatus)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """The session is over, and the process is about to end."""
        if self._is_worker:
            self._watch.stop()
            _close(self._descriptor)
            return
        threads: Dict[str, str] = {}
        try:
            if self.findings is not None:
                threads = who_started(self.findings)
        except Exception:   # who started a thread is not known then
            pass
        self._watch.over(self._status, threads)


def register(config: pytest.Config, chosen: PytestOptions) -> PatiencePlugin:
    """Register the plugin, and return it. Raises ``pytest.UsageError`` for a number that makes no
    sense."""
    is_worker = hasattr(config, "workerinput")
    descriptor = _dup(2)
    try:
        watch = patience.watch(chosen.patience, None if is_worker else chosen.exit_after,
                               look_at_locks, two_connections, descriptor)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    plugin = PatiencePlugin(watch or patience.Watch(descriptor=descriptor), descriptor, is_worker)
    config.pluginmanager.register(plugin, "leakfix-patience")
    return plugin
