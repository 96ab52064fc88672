"""Looks: at the process, after tests and around fixtures: what has changed, and who is blamed.

What a look shows is of the test or fixture that ended last, or of one of those since the last look.
What has changed between the tests is of the fixture that ran then. The first of three states of the
process is looked at after tests, the others around the class and the module under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Container, Dict, List, Sequence, Tuple

from unittest_leakfix._core.early import bind, later
from unittest_leakfix._core.introspection import qualified
from unittest_leakfix._core.swap import originals
from unittest_leakfix.leaks.class_scope import SharedResources, fixture_of
from unittest_leakfix.leaks.governor import Governor
from unittest_leakfix.leaks.reported_changes import ReportedChanges
from unittest_leakfix.process_state.base import Change
from unittest_leakfix.process_state.monitors import ProcessState

if TYPE_CHECKING:
    from unittest_leakfix.leaks import identify
    from unittest_leakfix.leaks.model.leak import Leak
else:
    identify = later(globals(), "leaks.identify")

__unittest = True
bind(globals())

CLASS, MODULE = 1, 2    # the states around them


class Looks:
    """Gives *found* what has changed, as leaks; *restores*: it is put back."""

    states: Tuple[ProcessState, ...]

    def __init__(self, changed: ReportedChanges, shared: SharedResources, governor: Governor,
                 restores: bool, found: Callable[[List[Leak]], None]) -> None:
        self._changed, self._shared = changed, shared
        self._governor = governor
        self._restores = restores
        self._found = found
        self.of_tests: Callable[[List[Change]], List[Change]] = list
        """Returns those of the changes that are of tests, or their fixtures, and not of a runner.
        """
        self.ended: List[str] = []
        """The tests, and fixtures, since the last close look."""
        self.fixture = ""
        """The last one that exists and was not looked at yet."""
        self._between: List[Change] = []    # what has changed since the last test
        self._by_fixture: Dict[Tuple[object, ...], str] = {}    # what fixtures have changed
        self._class_scoped = self._module_scoped = False    # that under way has fixtures
        self._close = True              # the class under way is looked at closely
        self._set_up_unseen = False     # what its setUpClass has set up, its tearDownClass ends

    # Tests.

    def between_tests(self) -> List[Change]:
        """A test begins after fixtures: return what has changed since the one before."""
        self._fixture_over()
        between, self._between = self._between, []
        return between

    def after_test(self, test: str, timed: bool) -> None:
        """Look what *test* has changed, which has ended, where that is affordable."""
        self.ended.append(test)
        closed = self._shared.closed() if self._shared.any else []
        if closed:
            with originals:
                self._found([identify.of_change(change, test, opened) for change, opened in closed])
        state, governor = self.states[0], self._governor
        if self._set_up_unseen or not (self._restores or governor.looks_at_test()):
            state.skip()
            return
        times = governor.times_also(governor.looks, timed)
        began = governor.begin() if times else None
        changes = state.after()
        if began is not None:
            governor.add("looks", began, times)
        if changes:
            self._note(changes, {change.fd for change, _ in closed})

    def catch_up(self) -> None:
        """Look what the tests have changed after which the process was not looked at: a fixture,
        which is not one of them, is about to run."""
        if self.states[0].behind and self.ended:
            changes = self.states[0].catch_up(self._changed.grace())
            if changes:
                self._note(changes)

    def _note(self, changes: Sequence[Change], closed: Container[int] = ()) -> None:
        """Report what the test that has ended, or one since the last look, has changed; without the
        descriptors that are known to be *closed*."""
        self._changed.waited |= any(change.thread or change.pid for change in changes)
        began = self._governor.begin()
        try:
            self.report([change for change in changes if change.kind != "closed descriptor"
                         or change.fd not in closed], self.ended[-1])
        finally:
            self._governor.add("changes", began)

    def tests_over(self, last: bool = False) -> None:
        """All tests of a class have run: look closely at what they have left.

        Where that has cost too much already, several classes are looked at together.
        """
        state = self.states[0]
        if not last and not self._close:
            return
        changes = state.full(self._changed.grace(), last)
        ended, self.ended = self.ended, [] if state.whole else self.ended[:]
        if changes and ended:
            self.report(changes, ended[-1], 0, ended)

    # Fixtures.

    def unseen(self, fixture: str) -> None:
        """A *fixture* runs, or has run, without a close look before it: what is seen later may be
        of it, or of the tests before."""
        self.states[0].skip()
        self.ended.append(fixture)

    def _fixture_over(self) -> None:
        """Look what changed since the last look, and keep in mind which fixture did it."""
        name, self.fixture = self.fixture, ""
        state = self.states[0]
        if name and state.whole:
            self.ended.clear()
        elif name:
            self.unseen(name)
        elif state.behind:
            return      # what has changed is of one of the tests before, and seen later
        changes = state.before(costly=bool(name))
        self._between += changes
        for change in changes if name else ():
            self._by_fixture.setdefault(change.key, name)

    def class_begins(self, has_fixtures: bool) -> None:
        """A class is about to be set up, by fixtures of its own or not."""
        self._governor.class_begins()
        self._close = self._governor.looks_at_class()
        self._set_up_unseen = False
        self._class_scoped = has_fixtures and self._close
        if has_fixtures:
            self.catch_up()

    def class_set_up(self, name: str) -> None:
        """It is set up now, by the fixture of this *name*; "" where it has none."""
        self._fixture_over()
        if self._class_scoped:
            self.states[CLASS].before(costly=True)
            self.fixture = name
        elif name:
            self.unseen(name)
            self._set_up_unseen = True

    def class_torn_down(self, cls: type, name: str) -> None:
        """The fixture of this *name* tears *cls* down now, if it has one."""
        if self._class_scoped:
            self.tests_over()
            self.fixture = "%s (%s)" % (
                fixture_of(cls, "tearDownClass", "setUpClass"), qualified(cls))
        elif fixture_of(cls, "tearDownClass"):
            if not self._set_up_unseen:
                self.catch_up()
            self.unseen(name)

    def follow_tests(self) -> None:
        """What was set up by a class that was not looked at has come to its end."""
        self._set_up_unseen = False

    def class_over(self, cls: type) -> None:
        """It is torn down: look what its fixtures have left, or its tests where it has none."""
        if self._class_scoped:
            self._fixture_over()
            self._fixtures_left("%s (%s)" % (
                fixture_of(cls, "setUpClass", "tearDownClass"), qualified(cls)), CLASS)
        else:
            self.tests_over()

    def module_begins(self, has_fixtures: bool) -> None:
        """A module is about to be set up, by fixtures of its own or not."""
        self._by_fixture.clear()
        self._module_scoped = has_fixtures

    def module_set_up(self, name: str) -> None:
        """It is set up now, by the fixture of this *name*."""
        if not self.states[0].whole:
            self.tests_over(True)
        self.states[MODULE].before(costly=True, whole=True)
        self.fixture = name

    def module_torn_down(self, name: str) -> None:
        """The fixture of this *name* tears it down now, if it has any."""
        self.fixture = name if self._module_scoped else ""
        if self.fixture and not self.states[0].whole:
            self.tests_over(True)

    def module_over(self, module: Any, name: str) -> bool:
        """The *module* of this *name* is torn down: look what its fixtures have left. Returns
        whether it has any."""
        if self._module_scoped:
            self._fixture_over()
            first = fixture_of(module, "setUpModule", "tearDownModule") or "setUpModule"
            self._fixtures_left("%s (%s)" % (first, name), MODULE)
        return self._module_scoped

    def _fixtures_left(self, name: str, scope: int) -> None:
        """Report what the fixtures of a class or module have changed: that which did it is named,
        *name* where that was not seen."""
        by: Dict[str, List[Change]] = {}
        for change in self.states[scope].full(self._changed.grace(), scope == MODULE):
            by.setdefault(self._by_fixture.get(change.key, name), []).append(change)
        for fixture, changes in by.items():
            if fixture.startswith("tearDown"):  # which is there to close what it did not open
                changes = [each for each in changes if each.kind != "closed descriptor"]
            self.report(changes, fixture, scope)

    # Both.

    def report(self, changes: List[Change], test: str, scope: int = 0,
               ended: Sequence[str] = ()) -> None:
        """Report what *test* has changed, or a fixture of the *scope*, or one of those that have
        *ended*."""
        changes = self.of_tests(changes)
        if scope == 0 and any(change.thread for change in changes):
            # What ends with the class is not the test's.
            changes = [change for change in changes
                       if not (change.thread and self._shared.runs_thread(change.thread))]
        back = self.states[scope].restore(changes) if self._restores and changes else []
        self._found(self._changed.leaks(changes, test, back, scope > 0,
                                        ended if ended or scope else self.ended))
