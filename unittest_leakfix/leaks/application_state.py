"""What tests have changed in the application: noted as they run, classified when the run is over.

A change is *recorded* wherever it is seen; it is a leak only if it is known not to be the
application's own doing: a cache that fills, an object that is made when it is first wanted, a
registry that an import fills, a counter. docs/how-it-works.md has the rules.
"""
from __future__ import annotations

import re
from typing import Any, Dict, List, Sequence, Set, Tuple

from unittest_leakfix._core.code_origin import is_users_file
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import dict_slot, module_slot, mro
from unittest_leakfix.leaks.model.leak import Leak, RecordedChange
from unittest_leakfix.leaks.state_rules import (
    FIXTURES,
    Judge,
    Record,
    Window,
    expressions_of,
    is_bounded,
    named,
)
from unittest_leakfix.leaks.suspects import Timeline
from unittest_leakfix.process_state import places
from unittest_leakfix.process_state.application import Modules, put_back
from unittest_leakfix.process_state.base import Pace
from unittest_leakfix.process_state.module_state import Difference

__unittest = True
bind(globals())

# The looks, by what the governor knows them: at the user's modules after each test, and after each
# class; at those of installed packages, after a class.
_TESTS, _CLASSES, _INSTALLED = "modules, tests", "modules, classes", "installed modules"
_BASE = "modules, first"        # which is taken once


class ApplicationState:
    """Follows a run: `take()` before the first test of a class, `after_test`, `after_class`."""

    def __init__(self, restores: bool, pace: Pace) -> None:
        self._pace = pace
        self._restores = restores
        self._users = Modules(True, restores)
        self._installed = Modules(False)
        self._records: Dict[str, Record] = {}
        self._unseen: List[str] = []        # tests since the last look at the user's modules
        self._unseen_rare: List[str] = []
        self._stale = True
        self._shrunk: Set[str] = set()      # by fixtures
        self.last = False
        """The test that runs is the last one of a class of pytest's."""
        self.windows = 0
        """How many looks there were."""
        self._failed: Dict[str, int] = {}   # the numbers of the tests that failed

    # While the tests run.

    def between(self) -> None:
        """No test runs now, but perhaps a fixture."""
        self._stale = True

    def class_fixtures(self, cls: Any) -> bool:
        """The fixtures of *cls* are about to run. Returns whether they may change the application:
        a framework's own do not."""
        changes = cls is None or any(
            name in space and is_users_file(places.file_of(module_slot(base)))
            for base in mro(cls) for space in [dict_slot(base) or {}]
            for name in FIXTURES)
        if changes:
            self.between()
        return changes

    def take(self, nth: int) -> None:
        """Take the base, if fixtures ran: what they have set up is not a test's change."""
        if not self._stale:
            return
        if self._users.names and not (self._restores or self._pace.affords(_CLASSES)):
            return      # what comes until then cannot be distinguished from what the fixtures did
        self._stale = False
        began, first = self._pace.begin(), not self._users.names
        tests, self._unseen = tuple(self._unseen), []
        for difference in self._users.look():
            self._between_tests(difference, tests, nth)
        self._pace.spent(_BASE if first else _CLASSES, "state", began)
        if self._pace.affords(_INSTALLED):
            began, first = self._pace.begin(), not self._installed.names
            self._installed.take()
            self._unseen_rare = []
            self._pace.spent(_BASE if first else _INSTALLED, "state", began)

    def _between_tests(self, difference: Difference, tests: Tuple[str, ...], nth: int) -> None:
        """What fixtures change between classes they look after: what the tests before changed there
        is undone, or overwritten. Of *tests* that were not looked at it may be as well."""
        record = self._records.get(difference.place.expression)
        if difference.items < 0:        # refilled by each class
            self._shrunk.add(difference.place.expression)
        if record is not None and not difference.items > 0:
            record.windows = [each for each in record.windows if each.restored]
        elif tests and _is_new(difference):
            self._add(Window(nth, tests, difference, True, mixed=True))

    def after_test(self, test: str, nth: int, failed: bool = False) -> None:
        """One test is over: look what it has changed of the user's, where that is affordable."""
        self._unseen_rare.append(test)
        self._unseen.append(test)
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
            if not _is_new(difference):
                continue
            self._add(Window(nth, tests, difference, imported,
                             any(each is difference for each in back)))

    def _add(self, window: Window) -> None:
        place = window.difference.place
        record = self._records.get(place.expression)
        if record is None:
            record = self._records[place.expression] = Record(place)
        record.add(window)

    def forget(self) -> None:
        """The run is over: refer to no value any more."""
        self._users.forget()
        self._installed.forget()

    # When the run is over.

    def recorded(self) -> Tuple[RecordedChange, ...]:
        """Return all changes, of which not all are leaks, in order of the places' first."""
        return tuple(RecordedChange(
            record.place.expression,
            tuple(dict.fromkeys(each.tests[0] for each in record.windows if len(each.tests) == 1)),
            tuple(dict.fromkeys(test for each in record.windows if len(each.tests) > 1
                                for test in each.tests)))
            for record in self._records.values() if record.windows)

    def leaks(self, reported: Sequence[Leak], timeline: Timeline) -> List[Leak]:
        """Return the leaks among what was recorded, but for what one of those *reported* is."""
        judge = Judge(timeline, self._failed, self.windows)
        found: List[Leak] = []
        expressions = [text for leak in reported for text in expressions_of(leak)]
        values = {id(value) for value in map(named, expressions) if value is not None}
        for record in self._records.values():
            worded = record.place.expression
            whole = re.compile(r"(?<![\w.])%s(?!\w)" % re.escape(worded))
            if record.windows and not any(whole.search(each) for each in expressions) and not (
                    worded in self._shrunk or is_bounded(record, values)):
                leak = judge.leak(record)
                if leak is not None:
                    found.append(leak)
        return found


def _is_put_back(difference: Difference) -> bool:
    """Tell whether a change is undone before the next test. What tests leave for each other on
    their own class or module is theirs."""
    place = difference.place
    return _is_new(difference) and not place.of_test and not places.is_test_code(place.module)


def _is_new(difference: Difference) -> bool:
    """Tell whether a change may be a test's: Python's own names are not, but for methods, and a
    submodule appears on its package."""
    name = difference.place.name
    if name.startswith("__") and name.endswith("__"):
        return difference.new in ("mock", "function", "lambda", "class") and bool(difference.old)
    # What is open is reported as such.
    return difference.new not in ("module", "resource", "weak reference")
