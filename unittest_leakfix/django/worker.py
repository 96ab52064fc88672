"""A worker of a parallel run: runs its classes as ours, and sends what it let go of and found.

A worker finds from its first class to its last, since some leaks show only after several. What it
found goes to the parent with the events of each class.
"""
from __future__ import annotations

import multiprocessing
import os
import pickle
import unittest
from dataclasses import replace
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from django.test import runner as django_runner

from unittest_leakfix._core.early import bind
from unittest_leakfix.databases.record import ConnectionRecord
from unittest_leakfix.leaks import json, known
from unittest_leakfix.leaks.options import Options
from unittest_leakfix.release import Tally
from unittest_leakfix.result import Sweep
from unittest_leakfix.runner import Guided
from unittest_leakfix.suite import Run

from .closed import Closed
from .connections import connections
from .databases import Reaping, begin, say
from .options import Asked
from .watching import watchers
from .worker_finder import WorkerFinder

__unittest = True
bind(globals())

# Bound here, since tests patch them.
_getpid = os.getpid
_dumps = pickle.dumps

EVENT = "leakfix_part"
"""The event by which a worker sends its part: a method of that name is called on the parent's result."""
_ATOMS = (type(None), bool, int, float, str)


class Part(NamedTuple):
    """What a worker has to say after a class, as plain values.

    closed: connections of threads that were over, which finding has not told; found: `Findings` since
    the last one, as ``leaks.json`` has them; ran: ids of tests, where there is a baseline; failures:
    (fixture, message) of leaks that fail the run and are no test's.
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

    def __init__(self, theirs: Any, asked: Asked, baseline: Optional[known.Baseline]) -> None:
        self.theirs = theirs
        self.asked = asked
        self.baseline = baseline

    def __call__(self, *args: Any, **options: Any) -> _RemoteRunner:
        """Return the runner of one class."""
        return _RemoteRunner(self.theirs(*args, **options), Worker.of_process(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):       # asked for while it is unpickled, too
            raise AttributeError(name)
        return getattr(self.theirs, name)


class _RemoteRunner:
    def __init__(self, theirs: Any, worker: Worker) -> None:
        self._theirs = theirs
        self._worker = worker

    def run(self, suite: Any) -> Any:
        """Run *suite* and return the result, whose events end with our part."""
        guided = _Subsuite(suite, self._worker)
        result = self._theirs.run(guided)
        result.events.append((EVENT, 0, tuple(self._worker.part(guided.tally))))
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._theirs, name)


class _Subsuite(Guided):
    """Stands for the suite of one class."""

    def __init__(self, suite: Any, worker: Worker) -> None:
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
    """Pickles what the events of a finished test hold, which Django does once all of the class are over.

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


class Worker:
    """What goes on in this process from class to class. There is one, made with the first class."""

    _one: Optional[Worker] = None

    def __init__(self, makers: RemoteRunners) -> None:
        self.pid = _getpid()
        self.finder = _finder(makers)
        begin(say)
        self._closed = Closed()
        connections.reaped = self._closed.take  # type: ignore[method-assign]
        self.watcher = watchers(self.finder, makers.asked, Reaping)
        self.watcher.start()

    @classmethod
    def of_process(cls, makers: RemoteRunners) -> Worker:
        """Return the one of this process."""
        if cls._one is None or cls._one.pid != _getpid():
            cls._one = Worker(makers)
        return cls._one

    def begin(self, result: Any) -> None:
        """A class is about to be run into *result*."""
        if self.finder is not None:
            self.finder.feed(result)

    def part(self, tally: Tally) -> Part:
        """Return what has come since the last class, whose *tally* this is."""
        counts = (tally.released, tally.kept, tally.closed)
        closed = tuple(self._closed.hand_over())
        if self.finder is None:
            return Part(counts, closed)
        found, ran, failures = self.finder.take()
        return Part(counts, closed, json.to_value(replace(found, worker=name())), ran, failures)


def name() -> str:
    """Return what this worker is called: Django's number, which ends the names of its databases."""
    return str(django_runner._worker_id or multiprocessing.current_process().name)


def _finder(makers: RemoteRunners) -> Optional[WorkerFinder]:
    asked = makers.asked.finding
    if asked.get("leaks", "off") == "off":
        return None
    made = WorkerFinder(Options(
        asked["leaks"], failed=asked.get("leaks_failed", False), baseline=asked.get("leaks_baseline"),
        restore=asked.get("restore", False)), makers.baseline)
    return made if made.start() else None
