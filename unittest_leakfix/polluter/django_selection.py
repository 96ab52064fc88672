"""In a child process: the project's own Django runner, with the tests of a plan.

``--testrunner`` names it, and only in children of the command ``polluter``.
"""
from __future__ import annotations

import os
import unittest
from typing import Any

from django.conf import settings
from django.test.utils import get_runner

from unittest_leakfix._core.early import bind
from unittest_leakfix.django import LeakFixRunnerMixin
from unittest_leakfix.polluter.selection import Plan, recording

__unittest = True
bind(globals())

FINDING = "UNITTEST_LEAKFIX_POLLUTER_FINDS"
"""The variable that says that leaks are found in this process."""


class SelectingMixin:
    """Put before a ``DiscoverRunner``."""

    parallel: int

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **dict(options, failfast=False))
        self.parallel = 1   # one order, one database
        self._plan = Plan()

    def build_suite(self, *args: Any, **options: Any) -> Any:
        """Return the suite with the tests of the plan."""
        labels = args[0] if args else options.get("test_labels")
        return self._plan.pruned(super().build_suite(*args, **options),  # type: ignore[misc]
                                 labels=[str(each) for each in labels or ()])

    def get_resultclass(self) -> Any:
        """Return the result class of the project's runner, which records for the plan."""
        found = super().get_resultclass()   # type: ignore[misc]
        return recording(found or unittest.TextTestResult, self._plan)

    def run_suite(self, *args: Any, **options: Any) -> Any:
        """Run the suite."""
        try:
            return super().run_suite(*args, **options)      # type: ignore[misc]
        finally:
            self._plan.over()


def _runner() -> Any:
    theirs = get_runner(settings, os.environ.pop("UNITTEST_LEAKFIX_POLLUTER_RUNNER", "") or None)
    bases = (SelectingMixin, theirs)
    if os.environ.pop(FINDING, "") and not issubclass(theirs, LeakFixRunnerMixin):
        bases = (SelectingMixin, LeakFixRunnerMixin, theirs)    # type: ignore[assignment]
    return type(theirs.__name__, bases, {})


def __getattr__(name: str) -> Any:
    """Return ``Runner``, which is made when Django asks for it: it needs the settings."""
    if name != "Runner":
        raise AttributeError(name)
    # Django asks twice.
    found = globals()["Runner"] = _runner()
    return found
