"""The finder of a pytest session: one test after the other, and the scopes around them."""

from __future__ import annotations

import os
import unittest
from typing import (
    Any,
    Callable,
    Container,
    Dict,
    FrozenSet,
    Iterator,
    List,
    Optional,
    Set,
)

import pytest

from unittest_leakfix._core import errors
from unittest_leakfix._core.code_origin import is_users_file
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix._optional import watch_locks, watch_locks_no_more
from unittest_leakfix.leaks import identify, passing_warnings, suppressions
from unittest_leakfix.leaks.detector import LeakDetector
from unittest_leakfix.leaks.model.ids import is_pytest_fixture
from unittest_leakfix.leaks.model.leak import Ignored, Leak
from unittest_leakfix.leaks.report import (
    json_report,  # noqa: F401 (loaded before the first test)
    terminal,  # noqa: F401
    text_report,  # noqa: F401
)
from unittest_leakfix.leaks.retention import objects, roots
from unittest_leakfix.leaks.suspects import TestImports
from unittest_leakfix.options import Options
from unittest_leakfix.process_state.base import Change
from unittest_leakfix.process_state.monitors import ProcessState
from unittest_leakfix.process_state.warning_filters import WarningFilters
from unittest_leakfix.pytest_plugin import options, xdist
from unittest_leakfix.pytest_plugin.failure_text import Reports
from unittest_leakfix.pytest_plugin.leak_words import PytestWording
from unittest_leakfix.pytest_plugin.memory_limits import MemoryLimits
from unittest_leakfix.pytest_plugin.options import PytestOptions
from unittest_leakfix.pytest_plugin.scopes import Key, Scope, ScopeData
from unittest_leakfix.resources import scan

__unittest = True
bind(globals())
_dup = os.dup

# What pytest itself keeps objects by, for as long as a session or a scope lasts.

_SESSION, _CONFIG = "session", "session.config"


class PytestRoots(roots.Harness):
    """The values of the scopes' fixtures, and the session with its items."""

    def __init__(self, session: Any, scopes: List[Scope]) -> None:
        self._session = session
        self._scopes = scopes       # those under way, outermost first

    def named(self) -> Iterator[roots.NamedObject]:
        for scope in self._scopes:
            for name, fixturedef in scope.data.values:
                cached = fixturedef.cached_result
                if cached is not None and cached[0] is not None:
                    yield roots.NamedObject(cached[0], name, objects.place(fixturedef.func))
        yield roots.NamedObject(self._session, _SESSION, "")
        yield roots.NamedObject(self._session.config, _CONFIG, "")


def is_expected_holder(leak: Leak) -> bool:
    """Tell whether what holds an object may: a wider fixture, which lets go of it when its scope is
    over, or a plugin of pytest that keeps its results until it reports them."""
    return (leak.chain is not None and leak.chain.root == "harness"
            and leak.chain.steps[0].what.name != _SESSION)


_HOOKS = frozenset(["sys.unraisablehook", "threading.excepthook"])


class ScopedDetector(LeakDetector):
    """Finds in a pytest session.

    *on_leaks* is called with the leaks that are not known, once the class or module that they are
    of is over; *entries* returns what the markers of a test or scope make known.
    """

    _counts_seldom = False      # fixtures of wider scopes may come before the next test
    def __init__(self, options: Options, baseline: Optional[suppressions.Baseline],
                 entries: Callable[[str], List[Ignored]],
                 on_leaks: Callable[[List[Leak]], None]) -> None:
        super().__init__(options, None, baseline)
        self.wording = PytestWording()
        self._on_reported = on_leaks
        self._reported_leaks.entries = lambda leak: entries(leak.left_by)
        self._scopes: List[Scope] = []
        self._looks.of_tests = self._not_made
        self._spare: List[ProcessState] = []
        self._finds = False
        self._fails_early = False       # errors are needed after each scope
        self._put_back: FrozenSet[str] = frozenset()    # names of what pytest puts back

    def start(self, session: Any = None) -> bool:
        self._explanation.imported = TestImports()     # the test modules are loaded by now
        self._finds = super().start()
        if self._finds:
            roots.running = PytestRoots(session, self._scopes)
        else:
            self._unmeasured.add("this session", "it is part of a test of a run that finds already")
        return self._finds

    def stop(self) -> None:
        try:
            super().stop()
        finally:
            roots.running = None if self._finds else roots.running

    def restored_by_pytest(self, filters: bool, hooks: bool) -> None:
        """Say what pytest itself puts back after each test: the warning *filters*, the *hooks* for
        unhandled exceptions."""
        self._without = (WarningFilters,) if filters else ()
        self._put_back = _HOOKS if hooks else frozenset()

    # Items.

    def item(self, name: str, is_case: bool) -> None:
        """One more test is about to be set up."""
        self._tests += 1
        if not is_case:
            self.wording.functions.add(name)

    def function_started(self, name: str) -> None:
        """The scopes' fixtures are set up; the test's own come now."""
        if not self._is_active() or self._measuring:
            return
        tests = self._tests
        self._fixtures_ran = True
        self._test_capture.catchers = passing_warnings.catchers_now()
        self._begin(name)
        self._tests = tests

    def fixture_value(self, name: str, value: object) -> None:
        """A fixture of the test has this *value*."""
        if self._measuring:
            self._survivor_watch.attributes({name: value}, fixture=True)

    def function_finished(self, slot: List[Any]) -> None:
        """The test and its fixtures are torn down; the instance in *slot*, if any, is about to be
        let go."""
        if not self._is_active() or not self._measuring:
            return
        try:
            if self.memory.recorder is not None:
                self.memory.recorder.finished()
            if slot[0] is not None and issubclass(type(slot[0]), unittest.TestCase):
                self._survivor_watch.finished(slot[0])
            elif slot[0] is not None:
                self._survivor_watch.held(slot[0])
            self._release_capture.install()
        except errors.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(self._test)

    def suspected(self) -> Set[str]:
        """Return the ids of the tests of which something may be reported later."""
        return {each.test for each in self._suspects} | {
            each.test for each in self._changed.pending}

    def failed(self, name: str, text: str = "") -> None:
        """Take note that this test failed, and with what *text*."""
        self._reported_leaks.failed.add(name)
        if text:
            self._new_leaks += self._changed.failed_with(name, text)

    def fault(self) -> None:
        """What is being handled now has gone wrong here."""
        self._unmeasured.fault(self._test or self._acquisitions.current or "this session")

    # Scopes.

    def scope_started(self, scope: Scope) -> None:
        self._between()
        if not self._scopes:
            # Only now does pytest capture what is written, by other descriptors and streams.
            self._look_first()
        state = self._spare.pop() if self._spare else self._state()
        scope.data = ScopeData(state)
        self._scopes.append(scope)
        try:
            self._acquisitions.renew_probe()
            self._governor.class_begins()
            self._looks.catch_up()
            state.before(costly=True, whole=scope.kind != "class")
            if scope.kind == "class":
                self._fixtures.begin(scope.holder)
        except errors.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(scope.name)

    def scopes_end(self) -> None:
        """The test that is about to be torn down is the last one of its class or module."""
        self._application.last = True

    def _application_fixture(self, name: str, scope: Scope, fixturedef: Any) -> None:
        """A fixture of a scope is about to run, which may change the application."""
        code = getattr(fixturedef.func, "__code__", None)
        if code is None or is_users_file(code.co_filename):
            self._application.fixture_begins(name, self._suspects.timeline.now)
            scope.data.changes = True
        elif scope.kind == "class" and self._application.class_fixtures(
                scope.holder, name, self._suspects.timeline.now):
            scope.data.changes = True   # pytest's own, for unittest's setUpClass

    def scope_ends(self, scope: Scope) -> None:
        """The fixtures of *scope* are torn down: look what they have left."""
        if not self._is_active():
            return
        self._acquisitions.current = ""
        data: ScopeData = scope.data
        try:
            self._scope_changes(scope, data)
            if scope.kind == "class":
                self._shared.forget()
            if scope.holder is not None:
                form = "cls.%s" if scope.kind == "class" else "%s"
                self._new_leaks += self._fixtures.left_open(scope.holder, form, data.fixtures)
            if scope.kind == "class":
                for leak in self._fixtures.held_by(scope.holder):
                    self._new_leaks.append(self.wording.of_class(leak, scope.name))
        except errors.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(scope.name)

    def _scope_changes(self, scope: Scope, data: ScopeData) -> None:
        if data.changes:
            self._application.drop()
            self._application.scope_over(data.fixtures if scope.kind in ("class", "module") else (),
                                         self._suspects.timeline.now)
        self._tests_left(data, scope.kind != "class")
        others = self._made(but=scope)
        fixtures = _of_the_user(data)
        wide = scope.kind not in ("class", "module")
        by: Dict[str, List[Change]] = {}
        for change in data.state.full(self._changed.grace(), scope.kind != "class"):
            if self._matters(change, others) and not (
                    wide and change.key in self._changed.ever):
                by.setdefault(data.made.get(change.key, ""), []).append(change)
        # Not what is of pytest, or of a plugin: its fixture, or what is at work around its tests.
        by = {name: changes for name, changes in by.items() if name in fixtures or (
            not name and fixtures)}
        # What no fixture was seen to change as it was set up came with the tear-down of one.
        unknown = fixtures[0] if fixtures else ""
        for name, changes in by.items():
            back = data.state.restore(changes) if self.options.restore else []
            self._new_leaks += self._changed.leaks(
                [change._replace(windows=0) for change in changes], name or unknown, back, True,
                [] if name else fixtures)

    def _tests_left(self, data: ScopeData, whole: bool) -> None:
        """Report what the tests since the last close look, one of them, have changed. (By now the
        scope's fixtures are torn down, too.)"""
        looks = self._looks
        state = looks.states[0]
        changes = [change for change in state.full(0.0, whole)
                   if change.windows and change.fd < 0]
        ended, fixtures = looks.ended, _of_the_user(data)
        looks.ended = []
        if not state.whole:     # what is seen later may be of these fixtures, too
            looks.ended = ended[:]
            for name in fixtures:
                looks.unseen(name)
        if changes and ended:
            looks.report([change._replace(windows=change.windows + len(fixtures))
                          for change in changes], ended[-1], 0, ended + fixtures)

    def scope_finished(self, scope: Scope) -> None:
        """Judge what was left in *scope*, now that all of pytest's reports on it are made."""
        self._scopes.remove(scope)
        data: ScopeData = scope.data
        self._spare.append(data.state)
        if self._is_active():
            self._classify_rest(not self._scopes)
        if scope.kind != "class":
            self._changed.forget()

    def _explains(self) -> bool:
        return self._fails_early

    # Fixtures of scopes.

    def fixture_started(self, name: str, scope: Optional[Scope], fixturedef: Any) -> Any:
        """A scope's fixture is about to be set up. Returns what `fixture_ready` wants."""
        if not self._is_active() or scope is None:
            return None
        self._looks.catch_up()
        scope.data.fixtures.add(name)
        self._looks.fixture = name
        self._application_fixture(name, scope, fixturedef)
        scope.data.values.append((name, fixturedef))
        before, self._acquisitions.current = self._acquisitions.current, name
        state = self._spare.pop() if self._spare else self._state()
        state.before(costly=True)
        seen = self._since()
        return before, state, seen

    def fixture_ready(self, name: str, scope: Optional[Scope], begun: Any) -> None:
        """It is set up: what has changed is the scope's, and so is what was made."""
        if begun is None or scope is None:
            return
        before, state, seen = begun
        scope.data.made.update((change.key, name) for change in state.full(0.0)
                               if change.key not in self._made())
        self._spare.append(state)
        now = self._since()
        if seen is not None and now is not None:
            self._survivor_watch.exclude(now - seen)
        self._acquisitions.current = before

    def current(self, name: str) -> None:
        """What is opened or closed from now on is of this fixture, or of this test, which is over
        ("": of none)."""
        self._acquisitions.current = name

    def _since(self) -> Optional[Set[int]]:
        return heap.ids_since(self._survivor_watch._window) if self._measuring else None

    def _matters(self, change: Change, others: Set[Key]) -> bool:
        return change.key not in others and change.name not in self._put_back

    def _made(self, but: Optional[Scope] = None) -> Set[Key]:
        return {key for scope in self._scopes if scope is not but for key in scope.data.made}

    # What the detector of unittest does by class and module.

    def _not_made(self, changes: List[Change]) -> List[Change]:
        others = self._made()
        return [change for change in changes if self._matters(change, others)]

    def _tests_over(self) -> None:
        # A test that was interrupted: pytest has taken its capture away meanwhile.
        if not self._test:
            super()._tests_over()

    def _closing(self, owner: Any, found: scan.FoundResource) -> None:
        test = self._test or self._acquisitions.current
        if test and self._is_active():
            self._new_leaks.append(identify.of_closing(
                found, self._acquisitions.of_part(found.value, test), test,
                fixture=type(owner).__module__ == "_pytest.fixtures"))

    def _open_fixtures(self) -> Container[str]:
        return {name for scope in self._scopes for name in scope.data.fixtures}

    def take_interrupted(self) -> None:
        self._new_leaks = self._worded(self._new_leaks)
        super().take_interrupted()
        self._stop_listening()

    def _worded(self, leaks: List[Leak]) -> List[Leak]:
        return [self.wording.of(leak) for leak in leaks
                if not is_expected_holder(leak) and not self.wording.is_harness(leak)]

    def report_leaks(self, leaks: List[Leak]) -> List[Leak]:
        reported = super().report_leaks(self._worded(leaks))
        if reported:
            self._on_reported(reported)
        return reported


def _of_the_user(data: ScopeData) -> List[str]:
    """Return the names of a scope's fixtures, without those of pytest's plugins."""
    found = []
    for name, fixturedef in data.values:
        code = getattr(fixturedef.func, "__code__", None)
        if (not is_pytest_fixture(name) or code is None
                or is_users_file(code.co_filename)):
            found.append(name)
    return sorted(set(found))


# Finding in a session: between the plugin's hooks, the detector, and the reports.

_VERSION = tuple(int(part) for part in pytest.__version__.split(".")[:2])


class SessionDetector(ScopedDetector):
    """The detector as the plugin follows items: knows their markers, and passes on what is new."""

    def __init__(self, config: pytest.Config, chosen: PytestOptions,
                 baseline: Optional[suppressions.Baseline]) -> None:
        self.baseline = baseline
        super().__init__(chosen.options, baseline, self._entries, self._on_leaks)
        self._config = config
        self._known: Dict[str, List[Ignored]] = {}
        self.reports = Reports(config, failing=chosen.mode == "fail")
        self._fails_early = chosen.mode == "fail" and bool(config.getoption("maxfail", 0))
        has = config.pluginmanager.hasplugin
        self.restored_by_pytest(
            filters=has("warnings"),
            # From 8.4 on they are replaced once for the whole session.
            hooks=_VERSION < (8, 4) and (has("unraisableexception") or has("threadexception")))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: List[pytest.Item]) -> None:
        """Look whether the markers make sense."""
        options.check(items)

    def item_started(self, item: pytest.Item) -> None:
        """*item* is about to be set up."""
        cls = getattr(item, "cls", None)
        self.item(item.nodeid, isinstance(cls, type) and issubclass(cls, unittest.TestCase))
        entries = options.known_of(item)
        if entries:
            self._known[item.nodeid] = entries

    def scope_started(self, scope: Scope) -> None:
        entries = options.known_of(scope.node)
        if entries:
            self._known["(%s)" % scope.name] = entries
        super().scope_started(scope)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take note of which tests failed."""
        if report.failed and not getattr(report, "leakfix", False):
            self.failed(report.nodeid, str(report.longrepr) if self._changed.recorded else "")

    def scope_finished(self, scope: Scope) -> None:
        super().scope_finished(scope)
        if scope.kind == "module":
            self.reports.over(self.suspected())

    def _entries(self, name: str) -> List[Ignored]:
        fixture = name.partition(" (")[2]
        return self._known.get("(" + fixture if fixture and name not in self._known else name, [])

    def _on_leaks(self, leaks: List[Any]) -> None:
        self.reports.leaks(leaks)


def begin(config: pytest.Config, chosen: PytestOptions) -> SessionDetector:
    """Return what finds in this session. Raises ``pytest.UsageError`` for a baseline that is
    none."""
    baseline = None
    if chosen.options.leaks_baseline is not None:
        try:
            baseline = suppressions.Baseline(chosen.options.leaks_baseline,
                                             xdist.baseline_of(config))
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error
    try:
        watching = SessionDetector(config, chosen, baseline)
    except ValueError as error:     # of a rule
        raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(watching, "leakfix-finding")
    try:
        descriptor = _dup(2)      # a hang must be seen while output is captured
    except OSError:     # it is closed
        descriptor = -1
    watch_locks(descriptor)
    config.add_cleanup(lambda: watch_locks_no_more(descriptor))
    config.pluginmanager.register(watching.reports, "leakfix-reports")
    config.pluginmanager.register(MemoryLimits(config, watching, watching.memory.most),
                                  "leakfix-memory")
    return watching
