"""Governor: keeps the processor time of finding to a share of the tests' own, and its account.

All of it is measured: what follows each test (one of eight is timed, the others cost the same),
what a test's changes cost to be noted, the looks at classes and each expensive monitor for itself,
the collections of the whole heap, the explanations. What takes more than its share is done more
seldom: the process is looked at after several tests instead of each, an expensive monitor after
several classes, the heap is collected when it has grown by more. A change that is seen then is of
one of the tests since the last look, which the report says; nothing is guessed.
"""
from __future__ import annotations

import time
from typing import Callable, Dict, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.leak import Overhead
from unittest_leakfix.process_state.base import Pace

__unittest = True
bind(globals())

SHARE = 0.05
"""What finding may cost of the time that the tests take, before it begins to leave things out."""
_FREE = 0.3
"""Seconds that explanations may always cost: a share of nothing would leave out all."""
_FREE_SEARCH = 1.5
"""The same for one search for holders, which is given up then: it takes as long as the heap is
large and the machine is busy, and what holds a thing is what its reader wants to know."""
_FREE_LOOKS, _FREE_COLLECTING = 0.1, 0.05
"""The same for the looks, and for collections of the heap."""
_SAMPLED = 8
"""One test in this many is timed: to read the clock takes as long as a tenth of the rest."""
_SELDOM = 64
"""After how many tests the process is looked at, at the latest."""
SLACK, _MOST_SLACK = 4, 1
"""The heap is collected when it has grown by a quarter; at the latest when it has doubled."""
Began = Tuple[float, float]


class Governor(Pace):
    """Measures what finding costs, and tells what it can afford.

    Each phase is timed between `begin` and `add`: "tests", "changes", "classes", "collecting",
    "explaining". What is timed within another counts for itself alone.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self.clock = clock
        self._start = clock()
        self._stop = 0.0
        self._costs: Dict[str, float] = {"tests": 0.0, "changes": 0.0, "classes": 0.0,
                                         "state": 0.0,
                                         "collecting": 0.0, "explaining": 0.0}
        self._exact = 0.0       # all that was timed, not reckoned from samples
        self._tests = 0
        self._last = 0.0        # what the last explanation cost
        self._every = 1         # after how many tests the process is looked at
        self._since = 0         # tests since the last look
        self._of: Dict[int, float] = {}     # what each expensive monitor has cost
        self._due: Dict[int, bool] = {}     # which of them are looked at in the class under way
        self.slack = SLACK     # the heap is collected when it has grown by one part in this many
        self.explanations = 0
        self.scans = 0          # of the heap
        self.deferred = 0       # explanations
        self.skipped = 0        # looks at a class, or of a monitor at one
        self.untraced = 0       # objects whose holder was not looked for
        self.unlooked = 0       # tests after which the process was not looked at

    def begin(self) -> Began:
        """Begin to time a phase. Returns what `add` wants."""
        return self.clock(), self._exact

    def add(self, phase: str, began: Began) -> float:
        """Note what came in a *phase* since it *began*, without what was timed in it for itself;
        return that."""
        cost = max(0.0, self.clock() - began[0] - (self._exact - began[1]))
        self._costs[phase] += cost
        self._exact += cost
        if phase == "explaining":
            self._last = cost
            self.explanations += 1
        return cost

    # Tests.

    def times(self) -> bool:
        """Tell whether the test that begins is one of those that are timed."""
        self._tests += 1
        if self._tests % _SAMPLED != 1:
            return False
        # What a look costs is most of what changes cost, too: they are found by it.
        self._every = (min(2 * self._every, _SELDOM) if self._over("tests", "changes")
                       else max(self._every // 2, 1))
        return True

    def add_test(self, *parts: Tuple[Began, Began]) -> None:
        """Note what following one of the timed tests cost, in *parts* from `begin` to `begin`: the
        others cost the same. What was timed in it for itself does not count once more."""
        for (began, exact), (ended, exactly) in parts:
            self._costs["tests"] += max(0.0, ended - began - (exactly - exact)) * _SAMPLED

    def looks_at_test(self) -> bool:
        """Tell whether the process is looked at after the test that ends; counts it if not."""
        self._since += 1
        if self._since < self._every:
            self.unlooked += 1
            return False
        self._since = 0
        return True

    # Classes.

    def looks_at_class(self) -> bool:
        """Tell whether a look at what is too expensive for each test is affordable; counts it as
        skipped if not."""
        affordable = not self._over("classes")
        self.skipped += not affordable
        return affordable

    def class_begins(self) -> None:
        """Another class of tests is under way: each monitor is looked at throughout it, or not at
        all."""
        self._due.clear()

    def due(self, monitor: int) -> bool:
        affordable = self._due.get(monitor)
        if affordable is None:
            affordable = self._due[monitor] = self._of.get(monitor, 0.0) <= self._allowed() / 2
            self.skipped += not affordable
        return affordable

    def looked(self, monitor: int, began: Began) -> None:
        self._of[monitor] = self._of.get(monitor, 0.0) + self.add("classes", began)

    # Collections and explanations.

    def collect(self, collects: Callable[[], None]) -> None:
        """Collect the whole heap by *collects*, and have it grow by more before the next time if
        that costs too much."""
        began = self.begin()
        try:
            collects()
        finally:
            self.add("collecting", began)
            self.slack = (max(self.slack // 2, _MOST_SLACK) if self._costs["collecting"]
                          > self._allowed(_FREE_COLLECTING) else SLACK)

    def explains_early(self) -> bool:
        """Tell whether an explanation before the end of the run is affordable; count it as
        deferred if not."""
        affordable = self.seconds + self._last <= self._allowed(_FREE)
        self.deferred += not affordable
        return affordable

    def late(self) -> Callable[[], bool]:
        """Return what tells whether an explanation that begins now has taken what it may."""
        clock, until = self.clock, self.clock() + max(
            SHARE * self._tests_took - self._costs["explaining"], _FREE_SEARCH)
        return lambda: clock() > until

    # The account.

    def stop(self) -> None:
        """The run is over: the reports are not counted."""
        self._stop = self.clock()

    @property
    def seconds(self) -> float:
        """What finding has cost so far."""
        return sum(self._costs.values())

    @property
    def _tests_took(self) -> float:
        return max(0.0, (self._stop or self.clock()) - self._start - self.seconds)

    def _allowed(self, free: float = _FREE_LOOKS) -> float:
        return max(SHARE * self._tests_took, free)

    def _over(self, *phases: str) -> bool:
        return sum(self._costs[phase] for phase in phases) > self._allowed()

    def account(self) -> Overhead:
        """Return what finding cost, and what was left out for it."""
        tests = self._tests_took
        return Overhead(
            seconds=round(self.seconds, 4),
            share=round(self.seconds / tests, 4) if tests > 0 else 0.0,
            phases=tuple((phase, round(cost, 4)) for phase, cost in self._costs.items()),
            explanations=self.explanations, scans=self.scans, deferred=self.deferred,
            skipped=self.skipped, untraced=self.untraced, unlooked=self.unlooked)
