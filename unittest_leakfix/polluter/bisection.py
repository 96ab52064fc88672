"""The search for the fewest of many things that have an effect together. Starts nothing itself.

The things are tests that run before another one, the effect is that this one fails after them; but
nothing here knows of that. A *probe* is asked, and each answer costs a run.
"""
from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

Places = Tuple[int, ...]
Probe = Callable[[List[Places]], Sequence[bool]]
"""Takes some selections, each the places of what is in it, in order; returns of each whether it has
the effect. All of one call may run at the same time."""

MOST = 8
"""How many things are looked for that are needed together."""


class Found(NamedTuple):
    """The answer: ``places`` have the effect together.

    ``smallest``: with any one of them left out they do not. ``steady`` is False if the whole once
    had the effect, and then had not.
    """

    places: Places
    smallest: bool = True
    steady: bool = True


class Search:
    """Searches *count* things, which together are known to have the effect; none of them has not.

    One is looked for first, by halves: at most log2(count) + 1 runs, each half as long as the one
    before. If that one alone has no effect, several are needed. Then the shortest beginning of the
    whole that has the effect is looked for: its last one is needed. Together with that one, the
    shortest beginning of what stands before it, and so on: log2(count) + 1 runs for each.

    Both find something that has the effect, whatever the things do to each other: a test that
    mends what another broke leads to another answer, never to a wrong one.

    With *jobs*, that many runs go at the same time, and each time there are jobs + 1 parts.
    """

    def __init__(self, count: int, probe: Probe, jobs: int = 1) -> None:
        self._all = tuple(range(count))
        self._probe = probe
        self._jobs = max(1, jobs)
        self._known: Dict[Places, bool] = {(): False, self._all: True}

    def find(self, first: Sequence[Places] = ()) -> Found:
        """Return the fewest that have the effect. *first*: selections that are likely to have it,
        tried before all others."""
        pool = self._all
        for guess in first:
            guess = tuple(sorted(set(guess)))
            if 0 < len(guess) < len(pool) and self._ask([guess])[0]:
                pool = guess
                break
        one, pool = self._one(pool)
        if one is not None:
            return Found(one)
        if not self._again(pool):
            return Found(pool, False, False)
        return self._several(pool)

    def _one(self, pool: Places) -> Tuple[Optional[Places], Places]:
        """Return the one of *pool* that has the effect alone, None if none was found, and the
        smallest selection that was seen to have it."""
        seen = pool
        while len(pool) > 1:
            parts = _parts(pool, self._jobs + 1)
            for part, has in zip(parts, self._ask(parts[:-1])):
                if has:
                    pool = seen = part
                    break
            else:
                pool = parts[-1]    # not seen: it is looked at when it is small
        if pool and self._ask([pool])[0]:
            return pool, pool
        return None, seen

    def _several(self, pool: Places) -> Found:
        needed: Places = ()
        while len(needed) < MOST:
            low, high = 0, len(pool)    # the beginnings without and with the effect
            while high - low > 1:
                ends = _ends(low, high, self._jobs)
                answers = self._ask([_together(pool[:end], needed) for end in ends])
                for end, has in zip(ends, answers):
                    if has:
                        high = end
                        break
                    low = end
            needed = _together(pool[high - 1:high], needed)
            pool = pool[:high - 1]
            if self._ask([needed])[0]:
                return self._fewer(needed)
            if not pool:
                return Found(needed, False, False)      # the whole had it
        return Found(_together(pool, needed), False)

    def _fewer(self, needed: Places) -> Found:
        """Leave out what is not needed after all, since something else has undone it."""
        for each in needed:
            rest = tuple(other for other in needed if other != each)
            if rest and self._ask([rest])[0]:
                return self._fewer(rest)
        return Found(needed)

    def _ask(self, selections: List[Places]) -> List[bool]:
        new = [each for each in selections if each not in self._known]
        if new:
            self._known.update(zip(new, self._probe(new)))
        return [self._known[each] for each in selections]

    def _again(self, places: Places) -> bool:
        """Run *places* once more, whatever is known of them."""
        del self._known[places]
        return self._ask([places])[0]


def _parts(pool: Places, number: int) -> List[Places]:
    """Return *pool* in *number* parts of about the same size, none of them empty."""
    number = min(number, len(pool))
    ends = [len(pool) * each // number for each in range(number + 1)]
    return [pool[start:end] for start, end in zip(ends, ends[1:])]


def _ends(low: int, high: int, number: int) -> List[int]:
    """Return *number* places between *low* and *high*, or as many as there are."""
    number = min(number, high - low - 1)
    return [low + (high - low) * each // (number + 1) for each in range(1, number + 1)]


def _together(one: Places, other: Places) -> Places:
    return tuple(sorted(set(one).union(other)))
