"""Suspects: what outlived its test, noted until the run is over, and how it came and went.

Nothing here is a leak yet. Most suspects die before their holders have to be searched; which of
them have is looked at once, after a full collection of the thawed heap.
"""
from __future__ import annotations

import bisect
import sys
from collections import defaultdict
from typing import Any, Collection, Dict, List, Sequence, Set, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.seen import Survivor
from unittest_leakfix.leaks.survivors import ById

__unittest = True
bind(globals())

Kind = Tuple[str, str]      # module and name of a class
_MANY = 10000
"""From how many suspects on the dead ones are dropped on the way."""


class Timeline:
    """Which tests ran together: a class or module under way is a span of their numbers."""

    def __init__(self) -> None:
        self.now = 0        # the number of the test that runs, or ran last; the first is 1
        self._first = 1
        self._ends: List[int] = []
        self._spans: List[Tuple[int, int]] = []

    def over(self) -> None:
        """A class or module of tests is over."""
        if self._first <= self.now:
            self._spans.append((self._first, self.now))
            self._ends.append(self.now)
            self._first = self.now + 1

    def span(self, nth: int) -> Tuple[int, int]:
        """Return the numbers of the first and last test of the class that the test *nth* is of."""
        place = bisect.bisect_left(self._ends, nth)
        return self._spans[place] if place < len(self._spans) else (self._first, self.now)

    def grows(self, alive: Collection[int], lost: Collection[int], least: int) -> bool:
        """Tell whether what the tests of the numbers *alive* left is growth, and not a cache.

        *lost*: those that left the like, which has died since; *least*: how many tests must have
        left something. A cache drops the oldest for the newest, or fills early and then no more.
        """
        left = sorted(set(alive))
        if len(left) < least:
            return False
        gone = set(lost).difference(left)
        between = sum(left[0] < nth < left[-1] for nth in gone)
        if gone and not between:
            return False    # all of the oldest are gone, or all of the newest: it is bounded
        if between > len(left):
            return False    # most were let go later: slots, or a pool, of which a few are taken
        of_class: Dict[Tuple[int, int], List[int]] = defaultdict(list)
        for nth in left:
            of_class[self.span(nth)].append(nth)
        if any(len(mine) >= least and last - mine[-1] <= (last - first) // 3
               for (first, last), mine in of_class.items()):
            return True     # to the end of a class
        return self.now - left[-1] <= max(left[-1] - left[0], 1)

    def seldom(self, left: Collection[int]) -> bool:
        """Tell whether less than half of the tests of the classes that the numbers *left* are of
        are among them: what a cache of results does, which is asked for another one at times."""
        spans = {self.span(nth) for nth in left}
        return 2 * len(set(left)) < sum(last - first + 1 for first, last in spans)


class Suspects:
    """The survivors of all tests so far. Keeps none of them alive."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.lost: Dict[Kind, Set[int]] = defaultdict(set)
        """By class: the tests of which such a survivor has died since."""
        self._all: List[Survivor] = []
        self._by_id: Dict[int, ById] = {}
        self._due = _MANY
        self._latest = 0

    def latest(self) -> bool:
        """Tell whether the test that ran last left any."""
        return self._latest == self.timeline.now

    def __bool__(self) -> bool:
        return bool(self._all)

    def __iter__(self) -> Any:
        return iter(self._all)

    def add(self, survivors: Sequence[Survivor]) -> None:
        """Note the *survivors* of the test that ran last."""
        for each in survivors:
            each.nth += self.timeline.now       # it is of as many tests ago, where it is known
            if self._by_id or type(each.ref) is ById:
                self._by_number(each)
        self._all += survivors
        self._latest = self.timeline.now if survivors else self._latest
        if len(self._all) > self._due:
            self._drop_dead()
            self._due = max(_MANY, 2 * len(self._all))

    def _by_number(self, survivor: Survivor) -> None:
        """An id that is another's by now means that its first owner is gone."""
        for ref in survivor.refs():
            key = ref.key if type(ref) is ById else id(ref())
            earlier = self._by_id.pop(key, None)
            if earlier is not None and earlier is not ref:
                earlier.lose()
            if type(ref) is ById:
                self._by_id[key] = ref

    def _drop_dead(self) -> None:
        remaining: List[Survivor] = []
        for each in self._all:
            if any(type(ref) is ById and ref.key or ref() is not None for ref in each.refs()):
                remaining.append(each)
            else:
                self.lost[each.module, each.type].add(each.nth)
        self._all = remaining

    def alive(self) -> List[Survivor]:
        """Return those that are alive; forget the others. Call it while all are ``recalled``, after
        a full collection."""
        found: List[Survivor] = []
        for each in self._all:
            if each.apart:
                apart = each.separate()
                found += apart
                if len(apart) <= len(each.more):
                    self.lost[each.module, each.type].add(each.nth)
                continue
            if each.more:
                each.more = [ref for ref in each.more if ref() is not None]
            if each.value() is not None:
                found.append(each)
            else:
                self.lost[each.module, each.type].add(each.nth)
        self._all = found
        return list(found)


# Which modules a test has imported: what hangs on them is warm-up.

class TestImports:
    """The modules that each test has imported, by its id."""

    def __init__(self) -> None:
        self._of: Dict[str, Set[str]] = {}
        self._count = len(sys.modules)
        self._known = set(sys.modules)

    def note(self, test: str) -> None:
        """Take note of what is loaded since the last time as imported by *test*."""
        if len(sys.modules) != self._count:
            self._count = len(sys.modules)
            now = set(sys.modules)
            self._of.setdefault(test, set()).update(now - self._known)
            self._known |= now

    def by(self, test: str, module: str) -> bool:
        """Tell whether *test* has imported *module*."""
        return module in self._of.get(test, ())
