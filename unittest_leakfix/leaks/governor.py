"""Governor: keeps the processor time of finding to a share of the tests' own, and its account.

There is one account, and one limit for all that finding does: loading it, what follows each test
(one of eight is timed, the others cost the same), what a test's changes cost to be noted, the count
of objects, the looks at the process, at classes and at the application, each expensive monitor, the
collections of the whole heap, the explanations. While the account is below the limit, all is done.
When it is not, what has cost more than its part of it is done more seldom: after several tests or
classes instead of each. What is seen then is of one of the tests since the last look, which the
report says; nothing is guessed.
"""
from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable, Dict, Hashable, Tuple

from unittest_leakfix._core.early import bind, later
from unittest_leakfix.process_state.base import Pace

if TYPE_CHECKING:
    from unittest_leakfix.leaks.model import leak as leak_model
    from unittest_leakfix.leaks.model.leak import Overhead
else:
    leak_model = later(globals(), "leaks.model.leak")

__unittest = True
bind(globals())

SHARE = 0.05
"""What finding may cost of the time that the tests take, before it begins to leave things out."""
FLOOR = 0.5
"""The seconds that it may cost besides, of any run, and without what it takes to load it: a share
of nothing would leave out all. On an idle machine loading takes 0.05, the first look at the modules
of an application 0.02 to 0.05, a full collection and a search on its heap 0.1; on a busy one two or
three times as much, and a run of a second is to be reported alike on both: followed and explained
whole."""
_RUNNING = 0.7
"""The part of this that may be spent before the run is over: the rest is for its explanation."""
_PARTS = 16
"""What has cost less than one part in this many goes on when the account is overdrawn: what is
cheap is not left out for what is expensive."""
_SEARCH = 0.25
"""Seconds of an idle machine that one search for holders may always take: counted in objects looked
at, so that a busy machine finds what an idle one does."""
_REFERENCE = 0.45e-9
"""Seconds of an idle machine that it takes to compare what one object of the heap refers to with
one that is searched."""
_SAMPLED = 8
"""One test in this many is timed: to read the clock takes as long as a tenth of the rest."""
_SELDOM = 64
"""After how many tests the process is looked at, and objects are counted, at the latest."""
SLACK, _MOST_SLACK = 4, 1
"""The heap is collected when it has grown by a quarter; at the latest when it has doubled."""
Began = Tuple[float, float]
PHASES = ("starting", "tests", "objects", "looks", "changes", "classes", "state", "collecting",
          "explaining")


class Spacing:
    """After how many tests something is done that is due after each, and how many have passed."""

    def __init__(self) -> None:
        self.every = 1
        self.since = 0      # tests since it was done
        self.left = 0       # how often it was not done after a test

    def due(self) -> bool:
        """Tell whether it is done after the test that ends; count the test if not."""
        self.since += 1
        if self.since < self.every:
            self.left += 1
            return False
        self.since = 0
        return True

    def adapt(self, seldom: bool) -> None:
        """Have it done half as often, or twice."""
        self.every = min(2 * self.every, _SELDOM) if seldom else max(self.every // 2, 1)


class Governor(Pace):
    """Measures what finding costs, and tells what it can afford.

    Each phase is timed between `begin` and `add`: one of PHASES. What is timed within another
    counts for itself alone. What has a name of its own (a monitor its number) is `spent`.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self.clock = clock
        self._start = clock()
        self._stop = 0.0
        self._costs: Dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self._seconds = 0.0     # their sum
        self._before = 0.0      # what of it came before there was an account
        self._exact = 0.0       # all that was timed, not reckoned from samples
        self._tests = 0
        self._last = 0.0        # what the last explanation cost
        self.looks = Spacing()
        """Looks at the process."""
        self.counts = Spacing()
        """Counts of the objects that tests have left."""
        self._of: Dict[Hashable, float] = {}     # what each of those with a name has cost
        self._due: Dict[int, bool] = {}     # the monitors that are looked at in the class under way
        self.slack = SLACK     # the heap is collected when it has grown by one part in this many
        self.explanations = 0
        self.scans = 0          # of the heap
        self.deferred = 0       # explanations
        self.skipped = 0        # looks at a class, or of a monitor at one
        self.untraced = 0       # objects whose holder was not looked for

    def started(self, seconds: float) -> None:
        """Note what it took to load what finds, before there was an account."""
        self._before += seconds
        self._costs["starting"] += seconds
        self._seconds += seconds

    def begin(self) -> Began:
        """Begin to time a phase. Returns what `add` wants."""
        return self.clock(), self._exact

    def add(self, phase: str, began: Began, times: int = 1) -> float:
        """Note what came in a *phase* since it *began*, without what was timed in it for itself;
        return that. It stands for *times* as many of the same."""
        cost = max(0.0, self.clock() - began[0] - (self._exact - began[1]))
        self._exact += cost
        self._costs[phase] += cost * times
        self._seconds += cost * times
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
        over = self._over()
        # What a look costs is most of what changes cost, too: they are found by it.
        costs = self._costs
        self.looks.adapt(over and self._is_dear(costs["looks"] + costs["changes"]))
        self.counts.adapt(over and self._is_dear(costs["objects"]))
        return True

    def add_test(self, *parts: Tuple[Began, Began]) -> None:
        """Note what following one of the timed tests cost, in *parts* from `begin` to `begin`: the
        others cost the same. What was timed in it for itself does not count once more."""
        for (began, exact), (ended, exactly) in parts:
            cost = max(0.0, ended - began - (exactly - exact)) * _SAMPLED
            self._costs["tests"] += cost
            self._seconds += cost

    def looks_at_test(self) -> bool:
        """Tell whether the process is looked at after the test that ends; counts it if not."""
        return self.looks.due()

    def counts_objects(self) -> bool:
        """Tell whether what the test that ends has left is counted; counts the test if not."""
        return self.counts.due()

    def times_also(self, spacing: Spacing, timed: bool) -> int:
        """Return for how many tests stands what is done after the one that ends, *timed* or not: 0
        where that need not be timed. What is left out after some tests is timed each time."""
        return 1 if spacing.every > 1 else _SAMPLED if timed else 0

    # Classes.

    def looks_at_class(self) -> bool:
        """Tell whether a look at what is too expensive for each test is affordable; counts it as
        skipped if not."""
        affordable = not (self._over() and self._is_dear(self._costs["classes"]))
        self.skipped += not affordable
        return affordable

    def class_begins(self) -> None:
        """Another class of tests is under way: each monitor is looked at throughout it, or not at
        all."""
        self._due.clear()

    def due(self, monitor: int) -> bool:
        affordable = self._due.get(monitor)
        if affordable is None:
            affordable = self._due[monitor] = self.affords(monitor)
            self.skipped += not affordable
        return affordable

    def looked(self, monitor: int, began: Began) -> None:
        self.spent(monitor, "classes", began)

    def affords(self, what: Hashable) -> bool:
        return self._of.get(what, 0.0) <= self._part() or not self._over()

    def spent(self, what: Hashable, phase: str, began: Began) -> None:
        self._of[what] = self._of.get(what, 0.0) + self.add(phase, began)

    # Collections and explanations.

    def collect(self, collects: Callable[[], None]) -> None:
        """Collect the whole heap by *collects*, and have it grow by more before the next time if
        that costs too much."""
        began = self.begin()
        try:
            collects()
        finally:
            self.add("collecting", began)
            self.slack = (max(self.slack // 2, _MOST_SLACK) if self._over() and self._is_dear(
                self._costs["collecting"]) else SLACK)

    def explains_early(self) -> bool:
        """Tell whether an explanation before the end of the run is affordable; count it as
        deferred if not."""
        affordable = self._seconds + self._last <= self.limit
        self.deferred += not affordable
        return affordable

    def late(self, heap: int) -> Callable[[int], bool]:
        """Return what tells whether a search that begins now on a *heap* of that many objects has
        taken what it may, when it has compared each of them a given number of times."""
        most = max(self.limit - self._seconds, _SEARCH)
        return lambda times: times * heap * _REFERENCE > most

    # The account.

    def stop(self) -> None:
        """The run is over: the reports are not counted."""
        self._stop = self.clock()

    @property
    def seconds(self) -> float:
        """What finding has cost so far."""
        return self._seconds

    @property
    def unlooked(self) -> int:
        """The number of tests after which the process was not looked at."""
        return self.looks.left

    @property
    def limit(self) -> float:
        """The seconds that finding may have cost by now."""
        return self._costs["starting"] + self._allowance()

    @property
    def _tests_took(self) -> float:
        return max(0.0, (self._stop or self.clock()) - self._start - self._seconds + self._before)

    def _over(self) -> bool:
        """Tell whether the account is overdrawn for a run that goes on."""
        return self._seconds - self._costs["starting"] > _RUNNING * self._allowance()

    def _allowance(self) -> float:
        return FLOOR + SHARE * self._tests_took

    def _part(self) -> float:
        return self._allowance() / _PARTS

    def _is_dear(self, cost: float) -> bool:
        return cost > self._part()

    def account(self) -> Overhead:
        """Return what finding cost, and what was left out for it."""
        tests = self._tests_took
        return leak_model.Overhead(
            seconds=round(self._seconds, 4),
            share=round(self._seconds / tests, 4) if tests > 0 else 0.0,
            phases=tuple((phase, round(cost, 4)) for phase, cost in self._costs.items()),
            explanations=self.explanations, scans=self.scans, deferred=self.deferred,
            skipped=self.skipped, untraced=self.untraced, unlooked=self.looks.left,
            uncounted=self.counts.left)
