"""A parallel run, from its parent's side: its workers' parts come in, and are told as one."""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterator, List, Optional, Set
from unittest.suite import _ErrorHolder  # type: ignore[attr-defined]

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks import json, known
from unittest_leakfix.leaks.finding import Finding
from unittest_leakfix.leaks.leak import Findings, merge
from unittest_leakfix.release import Tally
from unittest_leakfix.result import Sweep

from .connections import connections
from .options import Asked
from .worker import EVENT, Part, RemoteRunners

__unittest = True
bind(globals())


class ParallelRun:
    """Stands for a ``ParallelTestSuite``, whose workers run their classes as ours. Used once.

    `tally` is that of all workers, `finding` what was asked of finding, or None.
    """

    def __init__(self, suite: Any, asked: Asked) -> None:
        self.tally = Tally()
        self.finding = None if asked.finding.get("leaks", "off") == "off" else Gathered(asked)
        self._suite = suite
        baseline = None if self.finding is None else self.finding.baseline
        suite.runner_class = RemoteRunners(suite.runner_class, asked, baseline)
        suite.subsuites = _Given(suite.subsuites)

    def __call__(self, result: Any) -> None:
        """Run it into *result*."""
        self._result, self._sweep = result, Sweep(result)
        setattr(result, EVENT, self._take)
        try:
            self._suite(result)
        finally:
            delattr(result, EVENT)

    run = __call__

    def __iter__(self) -> Iterator[Any]:
        return iter(self._suite)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._suite, name)

    def _take(self, test: Any, *values: Any) -> None:
        """Called as a method of the result, with the part of a worker."""
        part = Part(*values[0])
        released, kept, closed = part.tally
        self.tally.released += released
        self.tally.kept += kept
        connections.reaped(list(part.closed))
        for kind, number in closed.items():
            self.tally.closed[kind] = self.tally.closed.get(kind, 0) + number
        if self.finding is not None and part.found is not None:
            self.finding.parts.append(json.from_value(part.found))
            self.finding.ran.update(part.ran)
        for name, message in part.failures:
            self._result.addFailure(_ErrorHolder(name), (AssertionError, AssertionError(message), None))
        self._sweep()


class Gathered(Finding):
    """Finding in a parallel run: the workers find, this one puts together and tells."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(**asked.finding)
        self.parts: List[Findings] = []
        self.ran: Set[str] = set()

    @property
    def baseline(self) -> Optional[known.Baseline]:
        """The known leaks, which the workers need as well."""
        return self._baseline

    def begin(self, result: Any) -> None:
        """In the parent nothing runs that could leak."""
        self._begun = True
        if self._files is not None:
            self._files.begin()

    def findings(self) -> Findings:
        """Return what the workers found."""
        found = merge(self.parts)
        gone = () if self._baseline is None else self._baseline.gone(
            [*found.leaks, *(item.leak for item in found.known)], self.ran)
        return replace(found, gone=gone)


class _Given(List[Any]):
    """The suites of a parallel run. What is taken out by its place gives its tests away.

    So Django takes them, once, when the worker is done with them.
    """

    def __getitem__(self, place: Any) -> Any:
        suite = super().__getitem__(place)
        return _giving(suite) if isinstance(place, int) and hasattr(suite, "_removeTestAtIndex") else suite


def _giving(suite: Any) -> Iterator[Any]:
    for place, test in enumerate(suite):
        suite._removeTestAtIndex(place)
        yield test
