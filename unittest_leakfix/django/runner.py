"""LeakFixDiscoverRunner: Django's runner, whose finished tests give back what they took."""
from __future__ import annotations

import sys
import unittest
from argparse import ArgumentParser
from typing import Any, Optional

from django.core.management.base import CommandError
from django.test.runner import DiscoverRunner, ParallelTestSuite

from unittest_leakfix._core.early import bind
from unittest_leakfix._optional import leak_session, look_at_locks, two_connections
from unittest_leakfix.django import options as options_of
from unittest_leakfix.django.databases import DatabasesMixin
from unittest_leakfix.django.observers import observers_of
from unittest_leakfix.django.options import EXPLAIN
from unittest_leakfix.observer import RunObserver
from unittest_leakfix.runner import SuiteProxy

__unittest = True
bind(globals())

_TO_FIND = "--leaks=report"     # what names the holder of a test


class LeakFixRunnerMixin(DatabasesMixin):
    """Put it before a ``DiscoverRunner``: ``class Runner(LeakFixRunnerMixin, TheirRunner)``.

    Takes what that takes, and our options: those of ``python -m unittest_leakfix``. The tests are
    run by whatever ``test_runner``, result and suite classes that has; a ``test_runner`` needs to
    call the suite that it is given, with the result. Raises ``CommandError`` for options that do
    not fit.
    """

    test_runner: Any
    _leakfix_threads: Any = None        # who started those that still run

    def __init__(self, *args: Any, **options: Any) -> None:
        self.leakfix = options_of.take(options)
        self._leakfix_watch: Any = None     # of --patience and --exit-after
        if self.leakfix.patience is not None or self.leakfix.exit_after is not None:
            from unittest_leakfix.patience import watch
            try:
                self._leakfix_watch = watch(
                    self.leakfix.patience, self.leakfix.exit_after, look_at_locks, two_connections)
            except ValueError as error:
                raise CommandError(str(error)) from None
        super().__init__(*args, **options)
        if self._leakfix_watch is not None:     # else our frame would be in Django's tracebacks
            self.run_tests = self._leakfix_run_tests

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Add Django's arguments and ours to those of ``manage.py test``."""
        super().add_arguments(parser)  # type: ignore[misc]
        options_of.add_arguments(parser)

    def leakfix_watching(self, watcher: Optional[RunObserver]) -> RunObserver:
        """Return the observer of the run in this process: *watcher*, of finding or None, behind
        others."""
        watching = observers_of(watcher, self.leakfix, super().leakfix_watching)
        if self._leakfix_watch is None:
            return watching
        from unittest_leakfix.patience import WatchedObserver
        return WatchedObserver(watching, self._leakfix_watch)

    def _leakfix_run_tests(self, *args: Any, **kwargs: Any) -> Any:
        """Run the tests as Django does, and watch the end of the process."""
        failures = super().run_tests(*args, **kwargs)  # type: ignore[misc]
        self._leakfix_watch.over(int(bool(failures)), self._leakfix_threads)
        return failures

    def run_suite(self, suite: unittest.TestSuite, **kwargs: Any) -> Any:
        """Run *suite* with the ``test_runner``, and tell what was closed and found."""
        theirs = self.test_runner
        self.test_runner = lambda **options: _RunnerProxy(theirs, options, self)
        try:
            result = super().run_suite(suite, **kwargs)  # type: ignore[misc]
            self._leakfix_threads = getattr(result, "_leakfix_started_by", None)
            return result
        finally:
            self.test_runner = theirs


class LeakFixDiscoverRunner(LeakFixRunnerMixin, DiscoverRunner):  # type: ignore[misc]
    """Django's ``DiscoverRunner`` whose finished tests give back what they took.

    In the settings: ``TEST_RUNNER = "unittest_leakfix.django.LeakFixDiscoverRunner"``.
    """


class _RunnerProxy:
    """Runs the suite with a runner of the class *theirs*, made with *options*, on behalf of
    *owner*."""

    def __init__(self, theirs: Any, options: Any, owner: LeakFixRunnerMixin) -> None:
        self._runner = theirs(**options)
        self._owner = owner

    def run(self, suite: Any) -> Any:
        """Run *suite* and return the result."""
        owner = self._owner
        stream = getattr(self._runner, "stream", sys.stderr)
        proxy: Any
        if isinstance(suite, ParallelTestSuite):
            from unittest_leakfix.django.parallel import ParallelRun
            run = ParallelRun(suite, owner.leakfix)
            proxy = SuiteProxy(run, run.finding, owner.leakfix_watching, _TO_FIND)
        else:
            run = None
            session = leak_session(owner.leakfix.finding)
            if session is not None:
                session.run_again = None    # its databases are in use
                session.explain = EXPLAIN
            proxy = SuiteProxy(suite, session, owner.leakfix_watching, _TO_FIND)

        def through(proxy: Any) -> Any:
            result = self._runner.run(proxy)
            if run is not None:
                proxy.tally = run.tally
            return result
        return proxy.run_and_report(through, stream, getattr(owner, "verbosity", 1) > 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)
