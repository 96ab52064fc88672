"""What tests have changed in the application: noted as they run, classified when the run is over.

A change is *recorded* wherever it is seen; it is a leak only if it is known not to be the
application's own doing: a cache that fills, an object that is made when it is first wanted, a
registry that an import fills, a counter. docs/how-it-works.md has the rules.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Container, Dict, List, NamedTuple, Sequence, Set, Tuple

from unittest_leakfix._core.code_origin import is_users_file
from unittest_leakfix._core.early import bind, later
from unittest_leakfix._core.introspection import dict_slot, module_slot, mro
from unittest_leakfix.leaks.suspects import Timeline
from unittest_leakfix.process_state import places
from unittest_leakfix.process_state.application import Modules, put_back
from unittest_leakfix.process_state.base import Pace
from unittest_leakfix.process_state.module_state import Difference

if TYPE_CHECKING:
    from unittest_leakfix.leaks import state_rules
    from unittest_leakfix.leaks.model import leak as leak_model
    from unittest_leakfix.leaks.model.leak import Leak
else:
    state_rules = later(globals(), "leaks.state_rules")
    leak_model = later(globals(), "leaks.model.leak")

__unittest = True
bind(globals())

# The looks, by what the governor knows them: at the user's modules after each test, and after each
# class; at those of installed packages, after a class.
_TESTS, _CLASSES, _INSTALLED = "modules, tests", "modules, classes", "installed modules"
_BASE = "modules, first"        # which is taken once


class SetUp(NamedTuple):
    """What a fixture has set up."""

    fixture: str
    difference: Difference


class ApplicationState:
    """Follows a run: `take()` before the first test of a class, `after_test`, `after_class`."""

    def __init__(self, restores: bool, pace: Pace) -> None:
        self._pace = pace
        self._restores = restores
        self._users = Modules(True, restores)
        self._installed = Modules(False)
        self._records: Dict[str, state_rules.Record] = {}
        self._unseen: List[str] = []        # tests since the last look at the user's modules
        self._unseen_rare: List[str] = []
        self._stale = True
        self._shrunk: Set[str] = set()      # by fixtures
        self._fixture = ""      # that which runs, where it is known what was before it
        self._scopes = 0        # how many have fixtures that were looked at
        self._set_up: List[SetUp] = []
        """What fixtures have set up and not put back yet, in this order."""
        self.last = False
        """The test that runs is the last one of a class of pytest's."""
        self.windows = 0
        """How many looks there were."""
        self._failed: Dict[str, int] = {}   # the numbers of the tests that failed

    # While the tests run.

    def between(self) -> None:
        """No test runs now, but perhaps a fixture."""
        self._stale = True

    def fixture_begins(self, name: str, nth: int) -> None:
        """The fixture *name* of a class or module is about to run; the test *nth* was the last."""
        if not self._pace.affords(_CLASSES):
            self._fixture = ""
        else:
            first = not self._users.names
            if first or self._stale or self._unseen:
                self._look_between(nth, first)
            self._scopes += 1
            self._fixture = name
        self.between()

    def scope_over(self, fixtures: Container[str], nth: int) -> None:
        """The scope of these *fixtures* is over, and they are torn down: what they have set up and
        not put back is left for all that follows."""
        if not any(each.fixture in fixtures for each in self._set_up):
            return
        seen = self._pace.affords(_CLASSES)
        if seen:
            self._look_between(nth)
        over = [each for each in self._set_up if each.fixture in fixtures]
        self._set_up = [each for each in self._set_up if each not in over]
        for each in over if seen else ():
            self._add(state_rules.Window(nth, (each.fixture,), each.difference, False, scope=True))

    def class_fixtures(self, cls: Any, name: str = "", nth: int = 0) -> bool:
        """The fixtures of *cls* are about to run, of which *name* is the first; "" where they are
        torn down. Returns whether they may change the application: a framework's own do not."""
        changes = cls is None or any(
            name in space and is_users_file(places.file_of(module_slot(base)))
            for base in mro(cls) for space in [dict_slot(base) or {}]
            for name in places.FIXTURES)
        if changes and name:
            self.fixture_begins(name, nth)
        elif changes:
            self.between()
        return changes

    def take(self, nth: int) -> None:
        """Take the base, if fixtures ran: what they have set up is not a test's change."""
        if not self._stale:
            return
        if self._users.names and not (self._restores or self._pace.affords(_CLASSES)):
            return      # what comes until then cannot be distinguished from what the fixtures did
        self._stale = False
        self._look_between(nth, not self._users.names)
        if self._pace.affords(_INSTALLED):
            began, first = self._pace.begin(), not self._installed.names
            self._installed.take()
            self._unseen_rare = []
            self._pace.spent(_BASE if first else _INSTALLED, "state", began)

    def _look_between(self, nth: int, first: bool = False) -> None:
        """Look while no test runs; the *first* look takes the base."""
        began = self._pace.begin()
        fixture, self._fixture = self._fixture, ""
        tests, self._unseen = tuple(self._unseen), []
        found = self._users.look()
        sure = bool(fixture) and not tests and not self._users.imported
        for difference in found:
            settled = self._settle(difference)
            if sure and not settled and _is_left(difference):
                self._set_up.append(SetUp(fixture, difference))
            self._between_tests(difference, tests, nth, settled)
        self._pace.spent(_BASE if first else _CLASSES, "state", began)

    def _settle(self, difference: Difference) -> bool:
        """Take note that what a fixture has set up is put back, the last one first; return whether
        that is all that the difference is."""
        lost = -difference.items
        for place in range(len(self._set_up) - 1, -1, -1):
            fixture, before = self._set_up[place]
            if before.place.expression != difference.place.expression:
                continue
            if before.items and lost > 0:
                lost -= before.items
                if lost < 0:
                    self._set_up[place] = SetUp(fixture, before._replace(items=-lost))
                    return True
                del self._set_up[place]
                if not lost:
                    return True
            elif not before.items and (difference.after, difference.new) == (
                    before.before, before.old):
                del self._set_up[place]
                return True
        return False

    def _between_tests(self, difference: Difference, tests: Tuple[str, ...], nth: int,
                       settled: bool) -> None:
        """What fixtures change between classes they look after: what the tests before changed there
        is undone, or overwritten. Of *tests* that were not looked at it may be as well."""
        record = self._records.get(difference.place.expression)
        if difference.items < 0 and not settled:    # refilled by each class
            self._shrunk.add(difference.place.expression)
        if record is not None and not difference.items > 0:
            record.windows = [each for each in record.windows if each.restored or each.scope]
        elif tests and _is_new(difference):
            self._add(state_rules.Window(nth, tests, difference, True, mixed=True))

    def after_test(self, test: str, nth: int, failed: bool = False) -> None:
        """One test is over: look what it has changed of the user's, where that is affordable."""
        self._unseen_rare.append(test)
        self._unseen.append(test)
        self._fixture = ""
        if failed:
            self._failed[test] = nth
        if not self._stale and (self._restores or self._pace.affords(_TESTS)):
            began = self._pace.begin()
            self._look(nth)
            self._pace.spent(_TESTS, "state", began)
        if self.last:       # pytest's: the fixtures of its class are still set up
            self.last = False
            self.after_class(nth)

    def after_class(self, nth: int) -> None:
        """The tests of a class are over, and its fixtures are still set up."""
        if self._stale:
            return
        if self._unseen and self._pace.affords(_CLASSES):
            began = self._pace.begin()
            self._look(nth)
            self._pace.spent(_CLASSES, "state", began)
        if self._unseen_rare and self._pace.affords(_INSTALLED):
            began = self._pace.begin()
            tests, self._unseen_rare = tuple(self._unseen_rare), []
            self._note(self._installed, tests, nth)
            self._pace.spent(_INSTALLED, "state", began)

    def drop(self) -> None:
        """Fixtures have been torn down: what they changed is not known from what tests did that
        were not looked at."""
        self._unseen_rare, self._stale = [], True

    def _look(self, nth: int) -> None:
        tests, self._unseen = tuple(self._unseen), []
        self._note(self._users, tests, nth)

    def _note(self, modules: Modules, tests: Tuple[str, ...], nth: int) -> None:
        self.windows += 1
        found = modules.look()
        if not found:
            return
        imported = modules.imported
        back: List[Difference] = []
        if self._restores:
            back = put_back([each for each in found if not imported and _is_put_back(each)])
            if back:
                modules.take()
        for difference in found:
            restored = any(each is difference for each in back)
            if self._set_up and not restored:
                self._settle(difference)
            if not _is_new(difference):
                continue
            self._add(state_rules.Window(nth, tests, difference, imported, restored))

    def _add(self, window: state_rules.Window) -> None:
        place = window.difference.place
        record = self._records.get(place.expression)
        if record is None:
            record = self._records[place.expression] = state_rules.Record(place)
        record.add(window)

    def forget(self) -> None:
        """The run is over: refer to no value any more."""
        self._users.forget()
        self._installed.forget()

    # When the run is over.

    def recorded(self) -> Tuple[leak_model.RecordedChange, ...]:
        """Return all changes, of which not all are leaks, in order of the places' first."""
        return tuple(leak_model.RecordedChange(
            record.place.expression,
            tuple(dict.fromkeys(each.tests[0] for each in record.windows if len(each.tests) == 1)),
            tuple(dict.fromkeys(test for each in record.windows if len(each.tests) > 1
                                for test in each.tests)))
            for record in self._records.values() if record.windows)

    def leaks(self, reported: Sequence[Leak], timeline: Timeline) -> List[Leak]:
        """Return the leaks among what was recorded, but for what one of those *reported* is, and
        for what it has returned before: pytest's session is over before the run is."""
        if not self._records:
            return []       # nothing is loaded for it
        judge = state_rules.Judge(timeline, self._failed, self.windows, self._scopes)
        found: List[Leak] = []
        expressions = [text for leak in reported for text in state_rules.expressions_of(leak)]
        values = {id(value) for value in map(state_rules.named, expressions) if value is not None}
        for record in self._records.values():
            worded = record.place.expression
            whole = re.compile(r"(?<![\w.])%s(?!\w)" % re.escape(worded))
            if record.windows and not record.reported and not (
                    any(whole.search(each) for each in expressions) or worded in self._shrunk
                    or state_rules.is_bounded(record, values)):
                leak = judge.leak(record)
                if leak is not None:
                    record.reported = True
                    found.append(leak)
        return judge.together(found)


def _is_put_back(difference: Difference) -> bool:
    """Tell whether a change is undone before the next test. What tests leave for each other on
    their own class or module is theirs."""
    place = difference.place
    return _is_new(difference) and not place.of_test and not places.is_test_code(place.module)


def _is_left(difference: Difference) -> bool:
    """Tell whether what a fixture of a class or module has changed is to be put back: what is the
    tests' own is not."""
    return _is_put_back(difference) and difference.items >= 0


def _is_new(difference: Difference) -> bool:
    """Tell whether a change may be a test's: Python's own names are not, but for methods, and a
    submodule appears on its package."""
    name = difference.place.name
    if name.startswith("__") and name.endswith("__"):
        return difference.new in ("mock", "function", "lambda", "class") and bool(difference.old)
    # What is open is reported as such.
    return difference.new not in ("module", "resource", "weak reference")
