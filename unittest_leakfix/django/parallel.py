"""A parallel run: workers run classes as ours and send their parts, the parent reports them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import unittest
from dataclasses import replace
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple
from unittest.suite import _ErrorHolder  # type: ignore[attr-defined]

from django.test import runner as django_runner

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import PLAIN
from unittest_leakfix.django.closed_connections import ReapedConnections
from unittest_leakfix.django.connections import connections
from unittest_leakfix.django.databases import ReapingObserver, begin, say
from unittest_leakfix.django.observers import observers_of
from unittest_leakfix.django.options import EXPLAIN, DjangoOptions
from unittest_leakfix.instance_release import Tally
from unittest_leakfix.leaks import memory_limit, suppressions
from unittest_leakfix.leaks.detector import LeakDetector
from unittest_leakfix.leaks.model.leak import Findings, Leak, by_test, merge
from unittest_leakfix.leaks.report import json_report, text_report
from unittest_leakfix.leaks.run import LeakSession
from unittest_leakfix.leaks.suppressions import Baseline
from unittest_leakfix.options import Options
from unittest_leakfix.result import Sweep
from unittest_leakfix.runner import SuiteProxy
from unittest_leakfix.suite import Run
from unittest_leakfix.tracing.opened_connections import ConnectionRecord

__unittest = True
bind(globals())

_FAILED = frozenset(["addError", "addFailure", "addSubTest"])
# Bound here, since tests patch them.
_getpid = os.getpid
_dumps = pickle.dumps
EVENT = "leakfix_part"
"""The event by which a worker sends its part: a method of that name is called on the parent's
result."""
_ATOMS = tuple(PLAIN)


# The detector of a worker, which finds through many results and reports to the parent only.


class WorkerDetector(LeakDetector):
    """`feed` it with the result of each class, which is a ``RemoteTestResult``; `take` what it
    found."""

    def __init__(self, options: Options, baseline: Optional[Baseline]) -> None:
        super().__init__(options, None, baseline)
        self._failing = options.leaks == "fail"
        self._listed = baseline
        self._failures: List[Tuple[str, str]] = []
        self._events: List[Any] = []
        self._seen = 0
        self._places: Dict[str, int] = {}

    def feed(self, result: Any) -> None:
        """The next class is run into *result*."""
        self._result = result
        self._events = result.events
        self._seen = 0
        self._places = {}

    def take(self) -> Tuple[Findings, Tuple[str, ...], Tuple[Tuple[str, str], ...]]:
        """Return what was found since the last time, the ids of the tests that ran, where there is
        a baseline, and (fixture, message) of leaks that are failures of no test."""
        if self._listed is not None:
            # No test may follow in this worker that could meet what a failing one left; and what is
            # listed but is not sent counts as gone.
            self._new_leaks += self._changed.known_of_failed(self._listed.has)
        self._classify_rest()
        found, ran, failures = self.findings(), tuple(self._ran), tuple(self._failures)
        self.memory.forget()
        self._explanation.leaks.clear()
        self._reported_leaks.leaks, self._reported_leaks.known, self._tests = [], [], 0
        self._unmeasured.forget()
        self._ran.clear()
        self._failures.clear()
        return found, ran, failures

    def _explains(self) -> bool:
        # No worker knows which class is its last.
        return self._governor.explains_early()

    def test_finished(self, test: unittest.TestCase) -> None:
        # A remote result has no lists: its events say which tests failed, and the test's place in
        # its class.
        self._places[self._test] = self._result.testsRun - 1
        new, self._seen = self._events[self._seen:], len(self._events)
        if any(event[0] in _FAILED for event in new):
            self._reported_leaks.failed.add(self._test)
        super().test_finished(test)

    def report_leaks(self, leaks: List[Leak]) -> List[Leak]:
        reported = super().report_leaks(leaks)
        if self._failing:
            for name, mine in by_test(reported).items():
                self._fail(name, text_report.failure_text(mine))
        return reported

    def _fail(self, name: str, message: str) -> None:
        """Say that the leaks of test *name* fail it."""
        if name not in self._places:    # a fixture, or a test of an earlier class
            self._failures.append((name, message))
            return
        self._events.append(("addFailure", self._places[name],
                             (AssertionError, AssertionError(message), None)))
        if self._result.failfast:
            self._result.stop()


# A worker of a parallel run: runs its classes as ours, and sends what it let go of and found.
#
# A worker finds from its first class to its last, since some leaks show only after several. What it
# found goes to the parent with the events of each class.


class WorkerPart(NamedTuple):
    """What a worker sends after a class, as plain values.

    closed: connections of threads that were over, which finding has not reported; found: `Findings`
    since the last one, as ``leaks.json`` has them; ran: ids of tests, where there is a baseline;
    failures: (fixture, message) of leaks that fail the run and belong to no test.
    """

    tally: Tuple[int, int, Dict[str, int]]
    closed: Tuple[ConnectionRecord, ...]
    found: Optional[Dict[str, Any]] = None
    ran: Tuple[str, ...] = ()
    failures: Tuple[Tuple[str, str], ...] = ()


class RemoteRunners:
    """In the place of a ``ParallelTestSuite.runner_class``: makes *theirs*, whose run is ours.

    It is pickled with each class, on its way to a worker.
    """

    def __init__(self, theirs: Any, chosen: DjangoOptions,
                 baseline: Optional[suppressions.Baseline]) -> None:
        self.theirs = theirs
        self.chosen = chosen
        self.baseline = baseline

    def __call__(self, *args: Any, **options: Any) -> _RemoteRunner:
        """Return the runner of one class."""
        return _RemoteRunner(self.theirs(*args, **options), ParallelWorker.of_process(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):       # looked up while it is unpickled, too
            raise AttributeError(name)
        return getattr(self.theirs, name)


class _RemoteRunner:
    def __init__(self, theirs: Any, worker: ParallelWorker) -> None:
        self._theirs = theirs
        self._worker = worker

    def run(self, suite: Any) -> Any:
        """Run *suite* and return the result, whose events end with our part."""
        proxy = _Subsuite(suite, self._worker)
        result = self._theirs.run(proxy)
        result.events.append((EVENT, 0, tuple(self._worker.part(proxy.tally))))
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._theirs, name)


class _Subsuite(SuiteProxy):
    """Stands for the suite of one class."""

    def __init__(self, suite: Any, worker: ParallelWorker) -> None:
        super().__init__(suite, None, None)     # type: ignore[arg-type]
        self._worker = worker

    def __call__(self, result: Any) -> None:
        """Run it into *result*."""
        sweeps: List[Callable[..., None]] = [_Packing(result.events), Sweep(result)]

        def sweep(test: Optional[unittest.TestCase] = None) -> None:
            for each in sweeps:
                each(test)
        self._worker.begin(result)
        run = Run(result, sweep, self._worker.watcher)
        self.tally = run.tally
        run.all(self._test)

    run = __call__


class _Packing:
    """Pickles what the events of a finished test hold, which Django does once all of the class are
    over.

    Until then exceptions would keep their tests, by the frames.
    """

    def __init__(self, events: List[Any]) -> None:
        self._events = events
        self._done = 0

    def __call__(self, test: Optional[unittest.TestCase] = None) -> None:
        for place in range(self._done, len(self._events)):
            event = self._events[place]
            if len(event) > 2 and not all(isinstance(item, _ATOMS) for item in event[2:]):
                self._events[place] = tuple(map(_packed, event))
        self._done = len(self._events)


class _Packed:
    """Unpickles as what it was made of."""

    __slots__ = ("_pickle",)

    def __init__(self, value: object) -> None:
        self._pickle = _dumps(value)

    def __reduce__(self) -> Tuple[Any, ...]:
        return pickle.loads, (self._pickle,)


def _packed(item: Any) -> Any:
    if isinstance(item, _ATOMS):
        return item
    try:
        return _Packed(item)
    except Exception:   # Django says so, when its turn comes
        return item


class ParallelWorker:
    """What goes on in this process from class to class. There is one, made with the first class."""

    _one: Optional[ParallelWorker] = None

    def __init__(self, makers: RemoteRunners) -> None:
        self.pid = _getpid()
        self.detector = _detector(makers)
        begin(say)
        self._closed = ReapedConnections()
        connections.reaped = self._closed.take  # type: ignore[method-assign]
        self.watcher = observers_of(self.detector, makers.chosen, ReapingObserver)
        self.watcher.start()

    @classmethod
    def of_process(cls, makers: RemoteRunners) -> ParallelWorker:
        """Return the one of this process."""
        if cls._one is None or cls._one.pid != _getpid():
            cls._one = ParallelWorker(makers)
        return cls._one

    def begin(self, result: Any) -> None:
        """A class is about to be run into *result*."""
        if self.detector is not None:
            self.detector.feed(result)

    def part(self, tally: Tally) -> WorkerPart:
        """Return what has come since the last class, whose *tally* this is."""
        counts = tally.counts()
        closed = tuple(self._closed.take_all())
        if self.detector is None:
            return WorkerPart(counts, closed)
        found, ran, failures = self.detector.take()
        return WorkerPart(counts, closed, json_report.to_value(replace(found, worker=name())), ran,
                    failures)


def name() -> str:
    """Return what this worker is called: Django's number, which ends the names of its databases."""
    return str(django_runner._worker_id or multiprocessing.current_process().name)


def _detector(makers: RemoteRunners) -> Optional[WorkerDetector]:
    chosen = makers.chosen.finding
    if chosen.get("leaks", "off") == "off":
        return None
    made = WorkerDetector(Options(**chosen), makers.baseline)
    return made if made.start() else None


class ParallelRun:
    """Stands for a ``ParallelTestSuite``, whose workers run their classes as ours. Used once.

    `tally` is that of all workers, `finding` the session of finding, or None.
    """

    def __init__(self, suite: Any, chosen: DjangoOptions) -> None:
        self.tally = Tally()
        finds = chosen.finding.get("leaks", "off") != "off"
        self.finding = ParallelSession(chosen) if finds else None
        self._suite = suite
        baseline = None if self.finding is None else self.finding.baseline
        suite.runner_class = RemoteRunners(suite.runner_class, chosen, baseline)
        suite.subsuites = _DrainedSuites(suite.subsuites)

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
        part = WorkerPart(*values[0])
        self.tally.merge(part.tally)
        connections.reaped(list(part.closed))
        if self.finding is not None and part.found is not None:
            self.finding.parts.append(json_report.from_value(part.found))
            self.finding.ran.update(part.ran)
        for name, message in part.failures:
            self._result.addFailure(_ErrorHolder(name),
                                    (AssertionError, AssertionError(message), None))
        self._sweep()


class ParallelSession(LeakSession):
    """Finding in a parallel run: the workers find, this one merges and reports."""

    explain = EXPLAIN

    def __init__(self, chosen: DjangoOptions) -> None:
        super().__init__(**chosen.finding)
        self.parts: List[Findings] = []
        self.ran: Set[str] = set()

    @property
    def baseline(self) -> Optional[suppressions.Baseline]:
        """The known leaks, which the workers need as well."""
        return self._baseline

    def begin(self, result: Any) -> None:
        """In the parent nothing runs that could leak."""
        self._begun = True
        if self._files is not None:
            self._files.begin()

    def findings(self) -> Findings:
        """Return what the workers found."""
        found = replace(merge(self.parts), ran=frozenset(self.ran))
        if found.timeline is not None and found.timeline.limits:
            found = replace(found, timeline=found.timeline._replace(limits=tuple(
                memory_limit.confirmed(found.timeline.limits, None,
                                       "under this runner tests are not run again"))))
        return found if self._baseline is None else self._baseline.compared(found)


class _DrainedSuites(List[Any]):
    """The suites of a parallel run. What is taken out by its place gives its tests away.

    So Django takes them, once, when the worker is done with them.
    """

    def __getitem__(self, place: Any) -> Any:
        suite = super().__getitem__(place)
        return _drain(suite) if isinstance(place, int) and hasattr(suite,
                                                                    "_removeTestAtIndex") else suite


def _drain(suite: Any) -> Iterator[Any]:
    for place, test in enumerate(suite):
        suite._removeTestAtIndex(place)
        yield test
