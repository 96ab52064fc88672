"""The plugin proper, once an option is given: follows a session, item after item."""

from __future__ import annotations

import sys
import unittest
import weakref
from types import MethodType
from typing import Any, Generator, List, Optional

import pytest

from unittest_leakfix._core import errors, redaction
from unittest_leakfix._core.attributes import namespace
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import SOME, get_count, heap
from unittest_leakfix._core.ownership import owned
from unittest_leakfix._core.swap import originals
from unittest_leakfix.held_release import release_held
from unittest_leakfix.instance_release import Tally, getrefcount, is_alone
from unittest_leakfix.pytest_plugin import fixtures
from unittest_leakfix.pytest_plugin.options import PytestOptions
from unittest_leakfix.pytest_plugin.scopes import Scope, Scopes

__unittest = True
bind(globals())
_ref = weakref.ref

# The instance of a test's class: what a pytest item has of it, and the letting go of it.

# What is held is tried again without a sign at the 8th, 16th, 32nd ... turn, not after this one.
_LAST_TURN = 2048


def instance_of(item: pytest.Item) -> Any:
    """Return the instance that *item* runs on, None for a function's."""
    values = vars(item)
    found = values.get("_instance")         # pytest 8.2
    if found is None:
        found = values.get("_testcase")     # before, a TestCase's
    if found is None and isinstance(item.parent, pytest.Class):
        found = getattr(values.get("_obj"), "__self__", None)   # a plain class's
    return None if issubclass(type(found), type) else found


class HeldInstance:
    """Holds the instance of one item, from its tear-down until it can be let go."""

    def __init__(self, item: pytest.Item) -> None:
        self.test = item.nodeid
        self._held: List[Any] = [instance_of(item)]
        self._left: Optional["weakref.ref[Any]"] = None
        self._count = 0         # how many references there were when it could not be let go of
        self._turns = 0
        self._next = 8          # the turn at which it is tried again, whatever has changed
        self.is_over = False
        self.is_case = issubclass(type(self._held[0]), unittest.TestCase)

    def slot(self) -> List[Any]:
        """Return the list of one that has the instance, or None."""
        return self._held

    def hold(self) -> None:
        """Hold again what could not be let go: its holder is about to drop it."""
        if self._left is not None:
            self._held[0] = self._left()

    def is_due(self) -> bool:
        """Tell whether to try again to let go of what was held.

        A try walks through all that the instance holds, 5 ms at most. So it is worth it when a
        reference to the instance was dropped, which takes less than a microsecond to see. What
        else could free it, a change further up in a cycle, is tried for at doubling distances.
        """
        held = self._held
        self._turns += 1
        if self._left is None or self._turns == self._next:
            return True
        if held[0] is None:
            held[0] = self._left()
        if held[0] is None or getrefcount(held[0]) < self._count:
            return True
        held[0] = None
        return False

    def release(self, tally: Tally, last: bool) -> bool:
        """Close what the instance owns and let go of it, once nothing else refers to it.

        Returns whether it is gone. If something does refer to it, one can try again later; with
        *last* it is counted as kept.
        """
        held = self._held
        if self._left is not None:
            held[0], self._left = self._left(), None
            tally.released += held[0] is None       # it has gone by itself meanwhile
        if held[0] is None:
            return True
        alone = is_alone(held)
        if not alone and not last and not self._is_owned():
            self._left = _ref(held[0])
            self._count = getrefcount(held[0])
            if self._turns >= self._next:
                self._next = 2 * self._next if self._next < _LAST_TURN else 0
        else:
            release_held(held, alone, tally)
        held[0] = None
        return self._left is None

    def _is_owned(self) -> bool:
        """Tell whether nothing but a cycle of its own refers to the instance."""
        values = namespace(self._held[0])
        return id(self._held[0]) in owned([self._held[0], values], [1, 1],
                                          (id(self._held), id(type(self._held[0]))))


def forget(item: pytest.Item) -> None:
    """Take the instance out of the finished *item*, which would keep it until the session is over.

    Asked for again, pytest makes a new one.
    """
    values = vars(item)
    if isinstance(values.get("_obj"), MethodType) and isinstance(item.parent, pytest.Class):
        values["_obj"] = None
    values.pop("_instance", None)
    # The first before pytest 8.2; the second is pytest 9's memory of skips, before Python 3.11.
    for name in ("_testcase", "_cached_errors_and_skips"):
        if values.get(name) is not None:
            values[name] = None
    # Plugins that try again (flaky, rerunfailures) keep the last failure, with its frames.
    for name, value in list(values.items()):
        if issubclass(type(value), pytest.ExceptionInfo):
            values[name] = None
        elif type(value) is dict and any(issubclass(type(each), pytest.ExceptionInfo)
                                         for each in value.values()):
            value.clear()


_getframe = sys._getframe

# pytest keeps the last failure here for a post-mortem, until the next test is called.
_LAST = ("last_type", "last_value", "last_traceback", "last_exc")
_MOST_UNRELEASED = 16      # at most this many tests that are held are tried again


class ReleasePlugin:
    """Lets go of each finished test, and calls ``watcher``, which finds (or is None)."""

    def __init__(self, watcher: Any = None) -> None:
        self.tally = Tally()
        self.watcher = watcher
        self._scopes = Scopes()
        self._item: Optional[pytest.Item] = None    # the one that is set up, run or torn down
        self._held: Optional[HeldInstance] = None
        self._more = True                           # another item follows
        self._entered = False
        # tests of this class or module that are held
        self._unreleased: List[HeldInstance] = []
        self._finished_scopes: List[Scope] = []                # those torn down with it

    # The session.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, None, None]:
        """The tests are collected: begin."""
        if not session.config.pluginmanager.hasplugin("dsession"):     # whose workers run the tests
            originals.note()
            heap.enter()
            self._entered = True
            if self._notify("start", session) is False:
                self.watcher = None     # this session is part of a test of one that finds already
        yield

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """All fixtures are torn down, also after an interruption: end."""
        if not self._entered:
            return
        self._entered = False
        try:
            self._try_again(True)
            if self.watcher is not None:
                self._leave(None, interrupted=True)
                self._judge()
                self.watcher.stop()
        except KeyboardInterrupt:
            if self.watcher is not None:
                self.watcher.take_interrupted()
            raise
        finally:
            heap.leave()
            originals.forget()

    # One item.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item,
                                nextitem: Optional[pytest.Item]) -> Generator[None, None, None]:
        """Follow one item, however often it is tried."""
        self._item = item
        self._more = nextitem is not None
        self._notify("item_started", item)
        yield
        self._finish(item)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """First the scopes' fixtures, then the test's own."""
        if self.watcher is not None:
            self._scopes.enter(item, lambda scope: self._notify("scope_started", scope))
        yield
        self._notify("function_started", item.nodeid)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item,
                                nextitem: Optional[pytest.Item]) -> Generator[None, None, None]:
        """First the test's own fixtures, then those of the scopes that end with it."""
        self._held = HeldInstance(item)
        if self.watcher is not None and self._scopes.leaving(nextitem):
            self._notify("scopes_end")
        yield
        self._finish_function()
        if self.watcher is not None:
            self._leave(nextitem)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self) -> None:
        """All reports of the item are made: what held it for their sake is gone."""
        if self._item is not None and _is_last_try():
            self._finish(self._item)

    def _finish_function(self) -> None:
        """The test's own fixtures are torn down. pytest drops a TestCase now, before its
        class's."""
        held = self._held
        if held is None or held.is_over:
            return
        held.is_over = True
        self._notify("function_finished", held.slot())
        if held.is_case:
            self._try_release(held, False)
        self._notify("test_released")

    def _finish(self, item: pytest.Item) -> None:
        """Let go of what is left of *item*, and judge the scopes that ended with it."""
        self._item = None
        held, self._held = self._held, None
        if self._more and "last_value" in vars(sys):
            for name in _LAST:
                vars(sys).pop(name, None)
        young, middle, _ = get_count()
        born = heap.thawed_by_test or young >= SOME or middle
        forget(item)
        if held is not None:
            self._release(held, False)
        elif self._unreleased:
            self._try_again(False)
        if born:
            heap.collect()
        if self._finished_scopes:
            self._judge()

    def _release(self, held: HeldInstance, last: bool) -> None:
        """Let go of a test that is over; later, if something holds it that may not hold it for
        long."""
        self._notify("current", held.test)
        if not self._try_release(held, last):
            self._unreleased.append(held)
            if len(self._unreleased) > _MOST_UNRELEASED:
                self._try_again(True)
        self._notify("current", "")

    def _try_release(self, held: HeldInstance, last: bool) -> bool:
        try:
            return held.release(self.tally, last)
        except errors.PASSING:
            raise
        except BaseException as error:  # the verdict is pytest's, whatever is wrong here
            errors.warn_text("%s could not be let go of: %s" % (
                redaction.redact_id(held.test), redaction.text_of_error(error)))
            return True

    def _notify(self, what: str, *arguments: Any) -> Any:
        """Call *what* of the observer, if there is one. Nothing that goes wrong there matters to a
        test."""
        if self.watcher is not None:
            try:
                return getattr(self.watcher, what)(*arguments)
            except errors.PASSING:
                raise
            except BaseException:
                self.watcher.fault()
        return None

    def _try_again(self, last: bool) -> None:
        """Try the tests that were held, if it is the *last* time or something has changed
        for them."""
        unreleased, self._unreleased = self._unreleased, []
        for held in unreleased:
            if last or held.is_due():
                self._release(held, last)
            else:
                self._unreleased.append(held)

    # The scopes around it.

    def _leave(self, nextitem: Optional[pytest.Item], interrupted: bool = False) -> None:
        for scope in self._scopes.leaving(nextitem):
            if not interrupted:     # pytest captures no longer: the streams are others
                self._notify("scope_ends", scope)
            self._scopes.leave(scope)
            self._finished_scopes.append(scope)

    def _judge(self) -> None:
        over, self._finished_scopes = self._finished_scopes, []
        self._try_again(True)
        for scope in over:
            self._notify("scope_finished", scope)

    # Fixtures.

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, None, None]:
        """Follow one fixture from here to its end."""
        scope = None
        name = begun = None
        fixturedef.addfinalizer(lambda: self._fixture_finished(fixturedef))     # called last
        if fixturedef.scope == "function":
            self._notify("function_started", request.node.nodeid)
        elif self.watcher is not None:
            scope = self._scopes.of(request.node, fixturedef.scope)
            name = fixtures.name_of(fixturedef, scope.name if scope is not None else "")
            begun = self._notify("fixture_started", name, scope, fixturedef)
        yield
        if fixturedef.scope == "function":
            cached = fixturedef.cached_result
            if cached is not None:
                self._notify("fixture_value", fixturedef.argname, cached[0])
        else:
            self._notify("fixture_ready", name, scope, begun)
            fixturedef.addfinalizer(lambda: self._fixture_ends(name))       # the first

    def _fixture_ends(self, name: Optional[str]) -> None:
        """A scope's fixture is about to be torn down."""
        self._finish_function()
        self._notify("current", name)
        if self._held is not None and self._held.is_case:
            self._unreleased.append(self._held)       # unless it is gone, nothing is done with that
            self._held = None
        for held in self._unreleased:
            # Before pytest 8.2 the generator that calls setUpClass holds the first test of the
            # class.
            held.hold()

    def _fixture_finished(self, fixturedef: Any) -> None:
        """A fixture was torn down; pytest still has its value."""
        try:
            fixtures.close_owned(fixturedef, self._item, lambda found: self.tally.close(found.kind))
        except errors.PASSING:
            raise
        except BaseException as error:
            errors.warn_text("the value of fixture %s could not be looked at: %s" % (
                fixturedef.argname, redaction.text_of_error(error)))
        if fixturedef.scope != "function":
            if self._unreleased:
                self._try_again(False)
            self._notify("current", "")


def _is_last_try() -> bool:
    """Tell whether pytest itself runs the item, and no plugin that may try it again (flaky)."""
    frame: Any = _getframe(1)
    while frame is not None and frame.f_code.co_name != "pytest_runtest_protocol":
        frame = frame.f_back
    return (frame is not None and frame.f_globals.get("__name__") == "_pytest.runner"
            and str(frame.f_back.f_globals.get("__name__")).startswith("pluggy"))


def register(config: pytest.Config, chosen: PytestOptions) -> None:
    """Register what does the things that were *chosen*."""
    watch = None
    if chosen.patience is not None or chosen.exit_after is not None:
        from unittest_leakfix.pytest_plugin.patience import register as register_watch
        watch = register_watch(config, chosen)      # first: it has a thread
    if chosen.mode != "off":
        from unittest_leakfix.pytest_plugin import summary
        watcher = None
        if chosen.finds:
            from unittest_leakfix.pytest_plugin.detector_hooks import begin
            watcher = begin(config, chosen)
            if watch is not None:
                watch.findings = watcher.findings
        following = ReleasePlugin(watcher)
        config.pluginmanager.register(following, "leakfix-following")
        summary.register(config, chosen, following, watcher)
        if any(map(config.pluginmanager.hasplugin, ("django", "pytest_django.plugin"))):
            from unittest_leakfix.pytest_plugin.django import DatabasesPlugin
            # Last, so the innermost around a tear-down: it closes before anything is judged.
            config.pluginmanager.register(DatabasesPlugin(config), "leakfix-django")
    if chosen.most is not None:
        from unittest_leakfix.pytest_plugin.connection_limit import register as register_budgets
        register_budgets(config, chosen.most)
