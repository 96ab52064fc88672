"""The inquiry: which runs are made, and what follows from them."""
from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.polluter.bisection import Found, Places, Search
from unittest_leakfix.polluter.children import LOST, CannotRun, Children, Outcome
from unittest_leakfix.polluter.frameworks import Tests
from unittest_leakfix.polluter.ids import FAILED, PASSED, is_of

__unittest = True
bind(globals())

# The answers.
POLLUTER, SETTER, IMPORT = "polluter", "state-setter", "import"
FAILS_ALONE, PASSES, FLAKY, NOT_RUN = "fails alone", "passes", "flaky", "not run"
FOUND = (POLLUTER, SETTER, IMPORT)

# What is kept in memory, and changes nothing for another test, unless a module or class has it.
_MEMORY = ("kept test", "object", "growth")
_ROOTS = ("module", "class")
_FEW = 4    # tests of which those with recorded changes are not tried first


class Run(NamedTuple):
    """One run that was made: ``what`` for, of how many ``tests``, with which ``outcome``."""

    what: str
    tests: int
    outcome: Outcome


class Answer(NamedTuple):
    """What was found. ``tests`` are None if none could be listed."""

    answer: str
    tests: Optional[Tests]
    runs: Tuple[Run, ...]
    seconds: float
    polluters: Tuple[str, ...] = ()
    """The tests, or the modules, that do it together, in their order."""
    whole: Optional[Outcome] = None
    """What became of the victim after all tests before it."""
    alone: Optional[Outcome] = None
    smallest: bool = True
    """None of the polluters can be left out."""
    proved: bool = False
    """Typed as a command of their own, they have the same effect."""
    note: str = ""
    """What is to be said besides."""
    left: Tuple[Dict[str, Any], ...] = ()
    """What the polluters left, as leaks of the JSON report."""
    changed: Tuple[str, ...] = ()
    """What they changed in the application besides: expressions, the likeliest first."""


class Inquiry:
    """Finds out what the tests before the victim do to it.

    *progress* is called with each `Run` that was made. *jobs*: how many runs go at the same time.
    """

    def __init__(self, children: Children, jobs: int = 1,
                 progress: Callable[[Run], object] = lambda run: None) -> None:
        self._children = children
        self._jobs = jobs
        self._progress = progress
        self._runs: List[Run] = []
        self._started = time.monotonic()
        self._tests: Any = None

    def answer(self) -> Answer:
        """Make the runs, and return what follows from them. Raises `CannotRun`."""
        whole = self._whole(find=True)
        if whole.kind == LOST:
            # Finding may be what it does not bear.
            whole = self._whole(find=False)
            if whole.kind == LOST:
                return self._say(NOT_RUN, whole=whole)
        if not self._tests.before:
            return self._say(FAILS_ALONE if whole.kind == FAILED else PASSES, whole=whole,
                             note="no test runs before it")
        alone = self._run("alone", only=[self._tests.victim])
        if whole.kind == alone.kind:
            again = self._whole(find=False)
            if again.kind in (whole.kind, LOST):
                return self._without_difference(whole, alone)
            whole = again
        # No part of the tests takes much longer than all of them.
        self._children.limit = min(self._children.limit, 20 + 5 * whole.seconds)
        guess = self._guess(whole)
        found = Search(len(self._tests.before), self._probe(whole.kind, guess), self._jobs).find(
            [guess])
        polluters = tuple(self._tests.before[place] for place in found.places)
        if not found.steady:
            return self._say(FLAKY, whole=whole, alone=alone, note=(
                "it %s in the first run after all tests before it, and not in a later one"
                % whole.kind))
        return self._prove(polluters, found, whole, alone)

    def _whole(self, find: bool) -> Outcome:
        return self._run("all tests before it", find=find)

    def _run(self, what: str, only: Optional[Sequence[str]] = None,
             named: Optional[Sequence[str]] = None, find: bool = False) -> Outcome:
        try:
            outcome = self._children.run(only, find, named, self._tests)
        except CannotRun as error:
            if named is None:
                raise
            outcome = Outcome(LOST, str(error))     # the names cannot be typed
        if self._tests is None:
            self._tests = outcome.tests
        some = named if named is not None else only
        count = len(some) - 1 if some is not None else (
            len(outcome.tests.before) if outcome.tests else 0)
        run = Run(what, count, outcome)
        self._runs.append(run)
        self._progress(run)
        return outcome

    def _probe(self, kind: str, guess: Places) -> Callable[[List[Places]], List[bool]]:
        """Return what tells of selections of tests whether the victim becomes *kind* after
        them."""
        before, victim = self._tests.before, self._tests.victim

        def one(places: Places) -> bool:
            only = [before[place] for place in places] + [victim]
            what = "those that left something" if places == guess else "halving"
            return self._run(what, only=only).kind == kind
        return self._together(one)

    def _together(self, one: Callable[[Places], bool]) -> Callable[[List[Places]], List[bool]]:
        def several(selections: List[Places]) -> List[bool]:
            if len(selections) == 1:
                return [one(selections[0])]
            with ThreadPoolExecutor(self._jobs) as pool:
                try:
                    return list(pool.map(one, selections))
                except BaseException:
                    self._children.stop()
                    raise
        return several

    def _guess(self, whole: Outcome) -> Places:
        """Return the tests that left something, of those before the victim: those that changed
        what its module uses, if there are any. What many tests change is a counter or a cache.
        Nothing if they are many all the same."""
        before = self._tests.before
        if len(before) <= _FEW:
            return ()
        changes = [*filter(_is_change, whole.leaks), *whole.state]
        touching = [each for each in changes if self._touches(_named(each))]
        for some in (touching, changes):
            found = [_tests_of(leak, before) for leak in some]
            names = {name for each in found for name in each
                     if len(each) <= max(_FEW, len(before) // 8)}
            places = tuple(place for place, name in enumerate(before) if name in names)
            if places:
                return places if len(places) <= len(before) // 2 else ()
        return ()

    def _touches(self, name: str) -> bool:
        """Tell whether *name*, of what was changed, is in a module that the victim's uses."""
        return any(each + "." in name for each in self._tests.uses if each in name)

    def _prove(self, polluters: Tuple[str, ...], found: Found, whole: Outcome,
               alone: Outcome) -> Answer:
        names = [*polluters, self._tests.victim]
        pair = self._run("the command to repeat it", named=names, find=True)
        proved, seen, note = pair.kind == whole.kind, pair, ""
        if not proved:
            # The other modules have a part in it, or the names cannot be typed.
            again = self._run("these tests once more", only=names, find=True)
            seen = again
            if again.kind != whole.kind:
                return self._say(FLAKY, polluters, whole, alone, note=(
                    "after these tests it %s, and then %s" % (whole.kind, again.kind)))
            note = "" if pair.kind == LOST else "only where all test modules are loaded"
        steady = self._run("alone, by its name", named=[self._tests.victim])
        if steady.kind != alone.kind:
            again = self._run("alone once more", only=[self._tests.victim])
            if again.kind != alone.kind:
                return self._say(FLAKY, polluters, whole, alone, note=(
                    "alone it %s, and then %s" % (alone.kind, again.kind)))
            if steady.kind != LOST:
                note = "alone it %s only where all test modules are loaded, else it %s" % (
                    alone.kind, steady.kind)
        setter = whole.kind == PASSED and alone.kind == FAILED
        return self._say(
            SETTER if setter else POLLUTER, polluters, whole, alone, smallest=found.smallest,
            proved=proved, note=note,
            left=tuple(leak for leak in seen.leaks
                       if _is_change(leak) and _tests_of(leak, polluters)),
            changed=self._changed(seen, polluters))

    def _changed(self, seen: Outcome, polluters: Sequence[str]) -> Tuple[str, ...]:
        """Return what the *polluters* changed in the application: first what the victim changed as
        well, then what its module uses."""
        victim = self._tests.victim

        def rank(each: Dict[str, Any]) -> Tuple[bool, bool]:
            return victim not in each["tests"], not self._touches(each["place"])
        return tuple(each["place"] for each in sorted(seen.state, key=rank)
                     if _tests_of(each, polluters))

    def _without_difference(self, whole: Outcome, alone: Outcome) -> Answer:
        """It is the same after all tests and alone. The import of another module may be why."""
        steady = self._run("alone, by its name", named=[self._tests.victim])
        if steady.kind in (alone.kind, LOST):
            return self._say(FAILS_ALONE if alone.kind == FAILED else PASSES, whole=whole,
                             alone=alone)
        again = self._run("alone once more", only=[self._tests.victim])
        if again.kind != alone.kind:
            return self._say(FLAKY, whole=whole, alone=alone, note=(
                "alone it %s, and then %s" % (alone.kind, again.kind)))
        victim = self._tests.victim
        modules = [module for module in self._tests.modules
                   if not victim.startswith((module + ".", module + "::"))]

        def one(places: Places) -> bool:
            named = [modules[place] for place in places] + [victim]
            outcome = self._run("loading modules", [victim], named)
            return outcome.kind == alone.kind
        found = Search(len(modules), self._together(one), self._jobs).find()
        if not found.steady:
            return self._say(FAILS_ALONE, whole=whole, alone=alone, note=(
                "by its name alone it %s" % steady.kind))
        return self._say(IMPORT, tuple(modules[place] for place in found.places), alone, steady,
                         smallest=found.smallest, proved=True)

    def _say(self, answer: str, polluters: Tuple[str, ...] = (), whole: Optional[Outcome] = None,
             alone: Optional[Outcome] = None, **more: Any) -> Answer:
        return Answer(answer, self._tests, tuple(self._runs), time.monotonic() - self._started,
                      polluters, whole, alone, **more)


def _is_change(leak: Dict[str, Any]) -> bool:
    """Tell whether *leak* may change something for another test."""
    return leak["kind"] not in _MEMORY or leak["kind"] == "object" and bool(
        leak["chain"] and leak["chain"]["root"] in _ROOTS)


def _named(each: Dict[str, Any]) -> str:
    """Return what names what was changed: of a leak or of the state of the application."""
    if "place" in each:
        return str(each["place"])
    return each["chain"]["expression"] if each["chain"] else each["subject"]


def _tests_of(leak: Dict[str, Any], names: Sequence[str]) -> List[str]:
    """Return those of *names* that may have left *leak*: for what a fixture left, the first one
    that it was set up for."""
    found = []
    for test in [*leak["tests"], *leak["candidates"]]:
        if test in names:
            found.append(test)
        else:
            found += [name for name in names if is_of(test, name)][:1]
    return found
