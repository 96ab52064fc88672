"""LeakFixDiscoverRunner: Django's runner, whose finished tests give back what they took."""
from __future__ import annotations

import unittest
from argparse import ArgumentParser
from typing import Any, Dict, Optional

from django.core.management.base import CommandError
from django.test.runner import DiscoverRunner

from unittest_leakfix.program import add_options
from unittest_leakfix.runner import FINDING, LeakFixTestRunner, counting, finding
from unittest_leakfix.watcher import Watcher

from .databases import DatabasesMixin

__unittest = True


class LeakFixRunnerMixin(DatabasesMixin):
    """Put it before a ``DiscoverRunner``: ``class Runner(LeakFixRunnerMixin, TheirRunner)``.

    Takes what that takes, and our options: those of ``python -m unittest_leakfix``. Where that runs
    the tests with a ``test_runner`` of its own, the class of that is ours and theirs in one.
    Raises ``CommandError`` for options that do not fit.
    """

    test_runner: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        self.leakfix_options: Dict[str, Any] = {
            name: options.pop(name) for name in (*FINDING, "max_connections") if name in options}
        try:
            finding({name: self.leakfix_options[name] for name in FINDING if name in self.leakfix_options})
            counting(self.leakfix_options.get("max_connections"))
        except ValueError as error:
            raise CommandError(str(error)) from None
        super().__init__(*args, **options)

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Add Django's arguments and ours to those of ``manage.py test``."""
        super().add_arguments(parser)  # type: ignore[misc]
        add_options(parser.add_argument_group("options of unittest_leakfix"))

    def get_test_runner_kwargs(self) -> Dict[str, Any]:
        """Return Django's, and our options."""
        return dict(super().get_test_runner_kwargs(), **self.leakfix_options)  # type: ignore[misc]

    def run_suite(self, suite: unittest.TestSuite, **kwargs: Any) -> Any:
        """Run *suite* with `LeakFixTestRunner`."""
        self.test_runner = _watched(self.test_runner, self)
        return super().run_suite(suite, **kwargs)  # type: ignore[misc]


class LeakFixDiscoverRunner(LeakFixRunnerMixin, DiscoverRunner):  # type: ignore[misc]
    """Django's ``DiscoverRunner`` whose finished tests give back what they took.

    In the settings: ``TEST_RUNNER = "unittest_leakfix.django.LeakFixDiscoverRunner"``.
    """


def _watched(runner: Any, owner: DatabasesMixin) -> Any:
    """Return a class like *runner* that is one of ours, and whose runs *owner* watches."""
    bases = (runner,) if issubclass(runner, LeakFixTestRunner) else (
        (LeakFixTestRunner,) if runner is unittest.TextTestRunner else (LeakFixTestRunner, runner))

    def watching(self: Any, watcher: Optional[Watcher]) -> Watcher:
        return owner.leakfix_watching(super(made, self).watching(watcher))
    made: Any = type(runner.__name__, bases, {"__module__": runner.__module__, "__doc__": runner.__doc__,
                                         "watching": watching})
    return made
