"""The finder of a pytest session: one test after the other, and the scopes around them."""
from __future__ import annotations

import unittest
from typing import Any, Callable, Container, Dict, FrozenSet, List, Optional, Set

from unittest_leakfix._core.early import bind
from unittest_leakfix import holdings
from unittest_leakfix import faults, holdings
from unittest_leakfix.heap import heap
from unittest_leakfix.leaks import harness, known, overheard, wording
from unittest_leakfix.leaks.census import Survivor
from unittest_leakfix.leaks.change import Change
from unittest_leakfix.leaks.filters import WarningFilters
from unittest_leakfix.leaks.finder import Finder
from unittest_leakfix.leaks.imported import Imported
from unittest_leakfix.leaks.leak import Leak
from unittest_leakfix.leaks.options import Options
from unittest_leakfix.leaks.process import ProcessState

from .holders import Holders, is_held_rightly
from .kept import Kept, Key
from .scopes import Scope
from .wordings import Wordings

__unittest = True
bind(globals())

_ENOUGH = 100
_HOOKS = frozenset(["sys.unraisablehook", "threading.excepthook"])


class ScopedFinder(Finder):
    """Finds in a pytest session.

    *told* is called with the leaks that are news, once the class or module that they are of is over;
    *entries* returns what the markers of a test or scope make known.
    """

    def __init__(self, options: Options, baseline: Optional[known.Baseline],
                 entries: Callable[[str], List[known.Ignored]], told: Callable[[List[Leak]], None]) -> None:
        super().__init__(options, None, baseline)
        self.wordings = Wordings()
        self._told = told
        self._news.entries = lambda leak: entries(leak.tests[0])
        self._scopes: List[Scope] = []
        self._spare: List[ProcessState] = []
        self._finds = False
        self._judged = 0                # how many tests there were at the last look at objects
        self._put_back: FrozenSet[str] = frozenset()    # names of what pytest puts back

    def start(self, session: Any = None) -> bool:
        self._imported = Imported()     # the test modules are loaded by now
        self._finds = super().start()
        if self._finds:
            harness.running = Holders(session, self._scopes)
        else:
            self._unmeasured.add("this session", "it is part of a test of a run that finds already")
        return self._finds

    def stop(self) -> None:
        try:
            super().stop()
        finally:
            harness.running = None if self._finds else harness.running

    def restored_by_pytest(self, filters: bool, hooks: bool) -> None:
        """Say what pytest itself puts back after each test: the warning *filters*, the *hooks* for
        exceptions that nobody handles."""
        self._without = (WarningFilters,) if filters else ()
        self._put_back = _HOOKS if hooks else frozenset()

    # Items.

    def item(self, name: str, is_case: bool) -> None:
        """One more test is about to be set up."""
        self._tests += 1
        if not is_case:
            self.wordings.functions.add(name)

    def function_begins(self, name: str) -> None:
        """The scopes' fixtures are set up; the test's own come now."""
        if not self._alive() or self._measuring:
            return
        tests = self._tests
        self._moved = True
        self._overheard.catchers = overheard._catchers()
        self._begin(name)
        self._tests = tests

    def fixture_value(self, name: str, value: object) -> None:
        """A fixture of the test has this *value*."""
        if self._measuring:
            self._census.attributes({name: value}, "fixture %s")

    def function_ends(self, hand: List[Any]) -> None:
        """The test and its fixtures are torn down; the instance in *hand*, if any, is about to be let go."""
        if not self._alive() or not self._measuring:
            return
        try:
            if hand[0] is not None and issubclass(type(hand[0]), unittest.TestCase):
                self._census.finished(hand[0])
            elif hand[0] is not None:
                self._census.held(hand[0])
            self._complaints.install()
        except faults.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(self._test)

    def failed(self, name: str) -> None:
        """Take note that this test failed."""
        self._news.failed.add(name)

    def fault(self) -> None:
        """What is being handled now has gone wrong here."""
        self._unmeasured.fault(self._test or self._acquisitions.current or "this session")

    # Scopes.

    def scope_begins(self, scope: Scope) -> None:
        self._between()
        if not self._scopes:
            # Only now does pytest capture what is written, by other descriptors and streams.
            self._states = tuple(self._state() for _ in self._states)
        waiting = self._survivors, self._changed.pending, self._fresh
        self._survivors, self._changed.pending, self._fresh = [], [], []
        state = self._spare.pop() if self._spare else self._state()
        scope.kept = Kept(state, waiting)
        self._scopes.append(scope)
        try:
            self._acquisitions.renew_probe()
            state.before(dear=True)
            if scope.kind == "class":
                self._fixtures.begin(scope.holder)
        except faults.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(scope.name)

    def scope_ends(self, scope: Scope) -> None:
        """The fixtures of *scope* are torn down: look what they have left."""
        if not self._alive():
            return
        self._acquisitions.current = ""
        kept: Kept = scope.kept
        try:
            self._scope_changes(scope, kept)
            if scope.kind == "class":
                self._shared.forget()
            if scope.holder is not None:
                form = "cls.%s" if scope.kind == "class" else "%s"
                self._fresh += self._fixtures.left_open(scope.holder, form, kept.fixtures)
            if scope.kind == "class":
                for leak in self._fixtures.held_by(scope.holder):
                    self._fresh.append(self.wordings.of_class(leak, scope.name))
        except faults.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(scope.name)

    def _scope_changes(self, scope: Scope, kept: Kept) -> None:
        others = self._made(but=scope)
        by: Dict[str, List[Change]] = {}
        for change in kept.state.full(self._changed.grace()):
            if self._matters(change, others):
                name = kept.made.get(change.key, "%s (%s)" % (scope.kind, scope.name))
                by.setdefault(name, []).append(change)
        for name, changes in by.items():
            back = kept.state.restore(changes) if self.options.restore else []
            self._fresh += self._changed.leaks(changes, name, back, True)

    def scope_over(self, scope: Scope) -> None:
        """Judge what was left in *scope*, now that all of pytest's reports on it are made."""
        self._scopes.remove(scope)
        kept: Kept = scope.kept
        self._spare.append(kept.state)
        survivors: List[Survivor] = []
        if self._alive():
            if self._can_wait(scope):
                survivors, self._survivors = self._survivors, []
            self._judged = self._judged if survivors else self._tests
            self._over()
        if scope.kind != "class":
            self._changed.forget()
        self._survivors, self._changed.pending, self._fresh = kept.waiting
        self._survivors += survivors

    def _can_wait(self, scope: Scope) -> bool:
        """Tell whether the objects that outlived the tests may be judged later.

        To trace them takes a look at the whole heap, 50 ms and more: where nobody waits for errors,
        not after each class of three tests.
        """
        return (self.options.leaks != "fail" and scope.kind != "session" and not self._changed.pending
                and not any(each.what == "resource" for each in self._survivors)
                and self._tests - self._judged < _ENOUGH and len(self._survivors) < 10 * _ENOUGH)

    # Fixtures of scopes.

    def fixture_begins(self, name: str, scope: Optional[Scope], fixturedef: Any) -> Any:
        """A scope's fixture is about to be set up. Returns what `fixture_ready` wants."""
        if not self._alive() or scope is None:
            return None
        scope.kept.fixtures.add(name)
        scope.kept.values.append((name, fixturedef))
        before, self._acquisitions.current = self._acquisitions.current, name
        state = self._spare.pop() if self._spare else self._state()
        state.before(dear=True)
        seen = self._since()
        return before, state, seen

    def fixture_ready(self, name: str, scope: Optional[Scope], begun: Any) -> None:
        """It is set up: what has changed is the scope's, and so is what was made."""
        if begun is None or scope is None:
            return
        before, state, seen = begun
        scope.kept.made.update((change.key, name) for change in state.full(0.0) if change.key not in self._made())
        self._spare.append(state)
        now = self._since()
        if seen is not None and now is not None:
            self._census.exclude(now - seen)
        self._acquisitions.current = before

    def current(self, name: str) -> None:
        """What is opened or closed from now on is of this fixture, or of this test, which is over ("": of none)."""
        self._acquisitions.current = name

    def _since(self) -> Optional[Set[int]]:
        return heap.ids_since(self._census._window) if self._measuring else None

    def _matters(self, change: Change, others: Set[Key]) -> bool:
        return change.key not in others and change.name not in self._put_back

    def _made(self, but: Optional[Scope] = None) -> Set[Key]:
        return {key for scope in self._scopes if scope is not but for key in scope.kept.made}

    # What the finder of unittest does by class and module.

    def _changes(self, changes: List[Change], test: str, scope: int = 0) -> None:
        others = self._made()
        super()._changes([change for change in changes if self._matters(change, others)], test, scope)

    def _closing(self, owner: Any, found: holdings.Found) -> None:
        test = self._test or self._acquisitions.current
        if test and self._alive():
            leak = wording.of_closing(found, self._acquisitions.of(found.value), test)
            fixture = type(owner).__module__ == "_pytest.fixtures"
            self._fresh.append(self.wordings.of_fixture(leak) if fixture else leak)

    def _yet(self) -> Container[str]:
        return {name for scope in self._scopes for name in scope.kept.fixtures}

    def rest(self) -> None:
        self._fresh = self._worded([leak for scope in self._scopes for leak in scope.kept.waiting[2]] + self._fresh)
        super().rest()
        self._deafen()

    def _worded(self, leaks: List[Leak]) -> List[Leak]:
        return [self.wordings.of(leak) for leak in leaks
                if not is_held_rightly(leak) and not self.wordings.is_harness(leak)]

    def tell(self, leaks: List[Leak]) -> List[Leak]:
        news = super().tell(self._worded(leaks))
        if news:
            self._told(news)
        return news
