"""The search for polluters with runs that are not run: what is found, and in how many runs."""
from __future__ import annotations

import math
import random
import unittest
from typing import Callable, FrozenSet, List, Sequence, Tuple

from unittest_leakfix.polluter.bisection import Found, Places, Search


class Runs:
    """A probe by the rule *has*, which takes a selection; counts what it was asked."""

    def __init__(self, has: Callable[[Places], bool]) -> None:
        self.has, self.wanted, self.at_once = has, [], []  # type: ignore[var-annotated]

    def __call__(self, selections: Sequence[Places]) -> List[bool]:
        self.wanted += selections
        self.at_once.append(len(selections))
        return [self.has(each) for each in selections]


def all_of(*needed: int) -> Callable[[Places], bool]:
    return lambda selection: set(needed) <= set(selection)


def find(count: int, has: Callable[[Places], bool], jobs: int = 1,
         first: Sequence[Places] = ()) -> Tuple[Found, Runs]:
    runs = Runs(has)
    return Search(count, runs, jobs).find(first), runs


class SearchTests(unittest.TestCase):
    def test_one_at_each_place(self) -> None:
        for count in (1, 2, 3, 4, 5, 9, 10, 33, 100):
            for place in range(count):
                found, runs = find(count, all_of(place))
                self.assertEqual(Found((place,)), found)
                self.assertLessEqual(len(runs.wanted), 2 * math.log2(count))
                self.assertLessEqual(len(runs.wanted), math.ceil(math.log2(count)) + 1)

    def test_two_thousand(self) -> None:
        for number, most in ((1, 12), (2, 38), (3, 51)):
            worst = 0
            for seed in range(40):
                needed = tuple(sorted(random.Random(seed).sample(range(2000), number)))
                found, runs = find(2000, all_of(*needed))
                self.assertEqual(Found(needed), found)
                worst = max(worst, len(runs.wanted))
                # The whole is run once more before several are looked for.
                self.assertLessEqual(len(runs.wanted) - len(set(runs.wanted)), number > 1)
            self.assertLessEqual(worst, most, number)

    def test_each_run_is_half_as_long_as_the_one_before(self) -> None:
        _, runs = find(1024, all_of(700))
        self.assertLessEqual(sum(map(len, runs.wanted)), 1024)

    def test_several_neighbours_and_the_ends(self) -> None:
        for needed in ((0, 1), (0, 9), (8, 9), (4, 5), (0, 1, 2), (7, 8, 9), (0, 5, 9),
                       tuple(range(8))):
            self.assertEqual(Found(needed), find(10, all_of(*needed))[0])

    def test_either_of_two_will_do(self) -> None:
        found, _ = find(100, lambda selection: 20 in selection or 80 in selection)
        self.assertEqual(Found((20,)), found)

    def test_what_mends_what_another_broke(self) -> None:
        """10 breaks, 30 mends, 60 breaks in the same way: the last one before the end counts."""
        def has(selection: Places) -> bool:
            broken = False
            for place in selection:
                broken = {10: True, 30: False, 60: True}.get(place, broken)
            return broken
        found, _ = find(100, has)
        self.assertTrue(has(found.places))
        self.assertEqual(1, len(found.places))

    def test_what_mends_stands_between_two_that_are_needed(self) -> None:
        def has(selection: Places) -> bool:
            state = 0
            for place in selection:
                if place in (5, 40, 60):
                    state += 1
                elif place == 20:
                    state = 0
            return state >= 2
        found, _ = find(64, has)
        self.assertEqual((40, 60), found.places)

    def test_more_than_are_looked_for(self) -> None:
        needed = set(range(0, 60, 3))
        found, runs = find(64, lambda selection: needed <= set(selection))
        self.assertFalse(found.smallest)
        self.assertTrue(found.steady)
        self.assertLessEqual(needed, set(found.places))
        self.assertLess(len(runs.wanted), 80)

    def test_what_does_not_happen_again(self) -> None:
        found, runs = find(1000, lambda selection: False)
        self.assertFalse(found.steady)
        self.assertLessEqual(len(runs.wanted), 12)

    def test_what_happens_by_chance_ends(self) -> None:
        for seed in range(50):
            dice = random.Random(seed)
            found, runs = find(500, lambda selection, dice=dice: dice.random() < 0.5)  # type: ignore[misc]
            self.assertLess(len(runs.wanted), 120)
            self.assertTrue(found.places)

    def test_a_good_guess_saves_runs(self) -> None:
        found, runs = find(2000, all_of(1234), first=[(1234,)])
        self.assertEqual((Found((1234,)), 1), (found, len(runs.wanted)))
        found, runs = find(2000, all_of(1234), first=[(7, 1234, 99, 500)])
        self.assertEqual(Found((1234,)), found)
        self.assertLessEqual(len(runs.wanted), 4)

    def test_a_bad_guess_costs_one(self) -> None:
        found, runs = find(2000, all_of(1234), first=[(1, 2, 3)])
        self.assertEqual(Found((1234,)), found)
        self.assertLessEqual(len(runs.wanted), 13)

    def test_two_of_a_guess(self) -> None:
        found, runs = find(2000, all_of(3, 1234), first=[(3, 500, 1234)])
        self.assertEqual(Found((3, 1234)), found)
        self.assertLess(len(runs.wanted), 10)

    def test_jobs(self) -> None:
        for jobs in (2, 3, 4, 8):
            for needed in ((17,), (1999,), (0,), (5, 900), (1, 2, 1998)):
                found, runs = find(2000, all_of(*needed), jobs)
                self.assertEqual(Found(needed), found)
                self.assertLessEqual(max(runs.at_once), jobs)
                if len(needed) == 1:
                    self.assertLessEqual(len(runs.at_once),
                                         math.ceil(math.log(2000, jobs + 1)) + 2)

    def test_random_rules_are_answered_truly(self) -> None:
        for seed in range(200):
            dice = random.Random(seed)
            count = dice.randrange(1, 40)
            ways: List[FrozenSet[int]] = [
                frozenset(dice.sample(range(count), dice.randrange(1, min(4, count) + 1)))
                for _ in range(dice.randrange(1, 4))]

            def has(selection: Places,
                    ways: List[FrozenSet[int]] = ways) -> bool:
                return any(way <= set(selection) for way in ways)
            found, _ = find(count, has, dice.choice((1, 1, 2, 4)))
            self.assertTrue(has(found.places))
            self.assertIn(frozenset(found.places), ways)


if __name__ == "__main__":
    unittest.main()
