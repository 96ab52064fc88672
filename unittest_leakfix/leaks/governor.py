"""Governor: keeps the processor time of finding to a share of the tests' own, and its account."""
from __future__ import annotations

import time
from typing import Callable, Dict

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.leak import Overhead

__unittest = True
bind(globals())

SHARE = 0.05
"""What finding may cost of the time that the tests take, before it begins to leave things out."""
_FREE = 0.3
"""Seconds that each phase may always cost: a share of nothing would leave out all."""
_SAMPLED = 8
"""One test in this many is timed: to read the clock takes as long as a tenth of the rest."""


class Governor:
    """Measures what finding costs, and tells what it can afford.

    Each phase is timed between `began` and `ended`: "tests", "classes", "explaining".
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self.clock = clock
        self._start = clock()
        self._stop = 0.0
        self._costs: Dict[str, float] = {"tests": 0.0, "classes": 0.0, "explaining": 0.0}
        self._tests = 0
        self._last = 0.0        # what the last explanation cost
        self.explanations = 0
        self.scans = 0          # of the heap
        self.deferred = 0       # explanations
        self.skipped = 0        # looks at a class
        self.untraced = 0       # objects whose holder was not looked for

    def times(self) -> bool:
        """Tell whether the test that begins is one of those that are timed."""
        self._tests += 1
        return self._tests % _SAMPLED == 1

    def add_test(self, seconds: float) -> None:
        """Note what following one of the timed tests cost: the others cost the same."""
        self._costs["tests"] += seconds * _SAMPLED

    def add(self, phase: str, since: float) -> None:
        """Note what came in a *phase* between the time *since* and now."""
        cost = self.clock() - since
        self._costs[phase] += cost
        if phase == "explaining":
            self._last = cost
            self.explanations += 1

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

    def explains_early(self) -> bool:
        """Tell whether an explanation before the end of the run is affordable; count it as
        deferred if not."""
        affordable = self.seconds + self._last <= max(SHARE * self._tests_took, _FREE)
        self.deferred += not affordable
        return affordable

    def looks_at_class(self) -> bool:
        """Tell whether a look at what is too expensive for each test is affordable; counts it as
        skipped if not."""
        affordable = self._costs["classes"] <= max(SHARE * self._tests_took, _FREE)
        self.skipped += not affordable
        return affordable

    def late(self) -> Callable[[], bool]:
        """Return what tells whether an explanation that begins now has taken what it may."""
        clock, until = self.clock, self.clock() + max(
            SHARE * self._tests_took - self._costs["explaining"], _FREE)
        return lambda: clock() > until

    def account(self) -> Overhead:
        """Return what finding cost, and what was left out for it."""
        tests = self._tests_took
        return Overhead(
            seconds=round(self.seconds, 4),
            share=round(self.seconds / tests, 4) if tests > 0 else 0.0,
            phases=tuple((phase, round(cost, 4)) for phase, cost in self._costs.items()),
            explanations=self.explanations, scans=self.scans, deferred=self.deferred,
            skipped=self.skipped, untraced=self.untraced)
