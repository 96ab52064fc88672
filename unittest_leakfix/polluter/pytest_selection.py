"""In a child process: the plugin of pytest's that selects the tests of a plan.

It is given by ``-p``, and only to children of the command ``polluter``.
"""
from __future__ import annotations

from copy import copy
from typing import Any, Generator, List

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix.polluter.ids import FAILED, PASSED, SKIPPED, NotOne, match
from unittest_leakfix.polluter.selection import Plan, used_modules

__unittest = True
bind(globals())

# Plugins that would run the two tests of a command in an order of their own, and the beginning of
# their options.
_SHUFFLING = (("randomly", "--randomly"), ("random_order", "--random-order"),
              ("reverse", "--reverse"))


class _Selecting:
    """The plugin of one session."""

    def __init__(self, config: pytest.Config) -> None:
        self._plan = Plan()
        self._config = config
        # A run that ends at an earlier failure says nothing of the victim.
        config.option.maxfail = 0
        config.option.usepdb = False

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: List[pytest.Item]
                                      ) -> Generator[None, None, None]:
        """Select the tests of the plan, once all other plugins have ordered theirs."""
        yield
        names = [item.nodeid for item in items]
        try:
            victim = items[names.index(match(self._plan.typed, names))]
            module = getattr(getattr(victim, "module", None), "__name__", "")
        except NotOne:
            module = ""
        chosen = self._plan.chosen(
            names, [name.partition("::")[0] for name in names], uses=used_modules(module),
            labels=[str(each) for each in self._config.option.file_or_dir],
            root=str(self._config.rootpath),
            quiet={name: option for name, option in _SHUFFLING
                   if self._config.pluginmanager.hasplugin(name)})
        left_out = [item for item, wanted in zip(items, chosen) if not wanted]
        items[:] = [twin for item, wanted in zip(items, chosen) if wanted
                    for twin in [item, *(_twin(item) for _ in range(self._plan.times - 1))]]
        if left_out:
            self._config.hook.pytest_deselected(items=left_out)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Called when a test starts."""
        self._plan.started(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each phase of a test."""
        if report.nodeid != self._plan.victim:
            return
        if report.failed:
            self._plan.became(FAILED, text=_line_of(report))
        elif report.skipped:
            # An expected failure is as good as a pass.
            self._plan.became(PASSED if hasattr(report, "wasxfail") else SKIPPED,
                              text=_line_of(report))
        elif report.when == "call":
            self._plan.became(PASSED)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Called when a test is over."""
        if nodeid == self._plan.victim:
            self._plan.ended()

    def pytest_sessionfinish(self) -> None:
        """Called when all tests are over."""
        self._plan.over()


def _twin(item: Any) -> Any:
    """Return another item like *item*: the same one would not be torn down before it ran again."""
    twin = copy(item)
    if hasattr(twin, "_initrequest"):
        twin._initrequest()
    return twin


def _line_of(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return next(iter(str(crash.message).splitlines()), "")
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[-1])
    return next(iter(str(report.longrepr or "").strip().splitlines()[-1:]), "")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, None, None]:
    """Have pytest-xdist, where it is used, run the tests in this process."""
    if hasattr(config.option, "numprocesses"):
        config.option.numprocesses, config.option.dist, config.option.tx = 0, "no", []
    yield


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin of the session."""
    config.pluginmanager.register(_Selecting(config), "unittest_leakfix.polluter")
