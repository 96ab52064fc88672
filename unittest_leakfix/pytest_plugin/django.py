"""pytest-django: connections of finished threads are closed, and nothing is in the way of the
databases' end.

pytest-django's ``django_db_setup`` makes and destroys the test databases, or one of the user's own
in its place. Whichever it is, it ends in Django's ``destroy_test_db``: so that is where we come in.
"""
from __future__ import annotations

from functools import update_wrapper
from typing import Any, Dict, Generator, List, Optional, Set

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import Swap
from unittest_leakfix.tracing.drivers import drivers

__unittest = True
bind(globals())

_KEY = "leakfix_django"


class DatabasesPlugin:
    """Watches one session's connections and test databases; in a worker of xdist, that worker's."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.current = ""               # what opens connections now; the records ask for it
        self.lines: List[str] = []       # for the end of the session
        self._begun = False
        self._closed: Any = None
        self._created: Set[str] = set()
        self._patches = Swap()

    # The session.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, None, None]:
        """Django's settings are known by now, and no database is made yet."""
        from django.conf import settings
        if settings.configured and not self.config.pluginmanager.hasplugin("dsession"):
            self._begin()
        yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """All fixtures are torn down: end, and send what was said to the controller of xdist."""
        if self._begun:
            self._begun = False
            self._end()
        output: Optional[Dict[str, Any]] = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self.lines

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker is done."""
        lines = getattr(node, "workeroutput", {}).pop(_KEY, [])
        self.lines += ["[%s] %s" % (node.gateway.id, text) for text in lines]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Report what was in the way, and what was closed."""
        if self.lines:
            terminalreporter.write_sep("=", "leaks: test databases")
            for text in self.lines:
                terminalreporter.write_line(text)

    # One item.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, None, None]:
        """The connections that are opened from here on are of this test, or of a fixture that it is
        the first to use."""
        self.current = item.nodeid
        if self._begun:
            drivers.look()
        yield
        self.current = ""

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_teardown(self) -> Generator[None, None, None]:
        """The test and its fixtures are over: close what threads that ended have left, before
        it is collected."""
        yield
        if self._begun:
            self._reap()

    def _reap(self) -> None:
        from unittest_leakfix.django.connections import connections
        connections.reap()

    # The databases.

    def _begin(self) -> None:
        from django.db.backends.base.creation import BaseDatabaseCreation
        from django.test import utils

        from unittest_leakfix.django import databases
        from unittest_leakfix.django.closed_connections import ReapedConnections
        from unittest_leakfix.django.connections import connections
        databases.begin(self._say_of_test)
        self._closed = ReapedConnections()
        connections.reaped = self._closed.take      # type: ignore[method-assign]
        drivers.install(self)
        self._patch(utils, "setup_databases", self._setting_up)
        self._patch(BaseDatabaseCreation, "create_test_db", self._creating)
        self._patch(BaseDatabaseCreation, "destroy_test_db", self._destroying)
        self._begun = True

    def _end(self) -> None:
        from unittest_leakfix.django import databases
        from unittest_leakfix.django.blocked_flush import blocked_flushes
        from unittest_leakfix.django.live_server import live_servers
        self._patches.back()
        drivers.remove(self)
        blocked_flushes.created = ()
        databases.end()
        self._say(self._closed.text())
        self._say(live_servers.text())

    def _patch(self, place: Any, name: str, around: Any) -> None:
        original = vars(place)[name]

        def patch(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            return around(original, *args, **kwargs)
        self._patches.put(place, name, update_wrapper(patch, original))

    def _setting_up(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        from unittest_leakfix.django import databases as aliases
        for line in aliases.unmirrored(kwargs.get("aliases")):
            self._say(line)
        return original(*args, **kwargs)

    def _creating(self, original: Any, creation: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        from unittest_leakfix.django.blocked_flush import blocked_flushes
        name = original(creation, *args, **kwargs)
        if not kwargs.get("keepdb"):
            self._created.add(str(name))
            blocked_flushes.created = frozenset(self._created)
        return name

    def _destroying(self, original: Any, creation: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        from unittest_leakfix.django import clean_up
        wrapper = creation.connection
        if str(wrapper.settings_dict["NAME"]) in self._created and not kwargs.get("suffix"):
            self._say(clean_up.before_destroy([(wrapper, "", True)],
                                              keepdb=bool(kwargs.get("keepdb"))))
        return original(creation, *args, **kwargs)

    def _say_of_test(self, text: str) -> None:
        # pytest-django has one TestCase for all test functions, without a name that a user knows.
        self._say(text.replace("PytestDjangoTestCase.__init__", self.current))

    def _say(self, text: str) -> None:
        if text:
            self.lines.append(text)
