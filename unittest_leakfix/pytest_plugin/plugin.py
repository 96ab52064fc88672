"""The plugin proper, once something is asked: follows a session, item after item."""
from __future__ import annotations

import sys
from typing import Any, Generator, List, Optional

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix import faults
from unittest_leakfix._core import redaction
from unittest_leakfix._core.swap import originals
from unittest_leakfix.heap import SOME, heap
from unittest_leakfix.questions import get_count
from unittest_leakfix.release import Tally

from . import fixtures
from .items import Hand, forget
from .options import Asked
from .scopes import Scope, Scopes

__unittest = True
bind(globals())
_getframe = sys._getframe

# pytest keeps the last failure here for a post-mortem, until the next test is called.
_LAST = ("last_type", "last_value", "last_traceback", "last_exc")
_KEPT = 16      # so many tests that somebody has are tried again at most


class Following:
    """Lets go of each finished test. Told of what happens between, ``watcher`` finds (None: nobody does)."""

    def __init__(self, watcher: Any = None) -> None:
        self.tally = Tally()
        self.watcher = watcher
        self._scopes = Scopes()
        self._item: Optional[pytest.Item] = None    # the one that is set up, run or torn down
        self._hand: Optional[Hand] = None
        self._more = True                           # another item follows
        self._entered = False
        self._kept: List[Hand] = []                 # tests of this class or module that somebody has
        self._over: List[Scope] = []                # those torn down with it

    # The session.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, None, None]:
        """The tests are collected: begin."""
        if not session.config.pluginmanager.hasplugin("dsession"):     # whose workers run the tests
            originals.note()
            heap.enter()
            self._entered = True
            if self._tell("start", session) is False:
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
                self.watcher.rest()
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
        self._tell("item_begins", item)
        yield
        self._finish(item)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """First the scopes' fixtures, then the test's own."""
        if self.watcher is not None:
            self._scopes.enter(item, lambda scope: self._tell("scope_begins", scope))
        yield
        self._tell("function_begins", item.nodeid)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item,
                                nextitem: Optional[pytest.Item]) -> Generator[None, None, None]:
        """First the test's own fixtures, then those of the scopes that end with it."""
        self._hand = Hand(item)
        yield
        self._function_over()
        if self.watcher is not None:
            self._leave(nextitem)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self) -> None:
        """All reports of the item are made: what held it for their sake is gone."""
        if self._item is not None and _is_last_try():
            self._finish(self._item)

    def _function_over(self) -> None:
        """The test's own fixtures are torn down. pytest drops a TestCase now, before its class's."""
        hand = self._hand
        if hand is None or hand.is_over:
            return
        hand.is_over = True
        self._tell("function_ends", hand.peek())
        if hand.is_case:
            self._gone(hand, False)
        self._tell("end")

    def _finish(self, item: pytest.Item) -> None:
        """Let go of what is left of *item*, and judge the scopes that ended with it."""
        self._item = None
        hand, self._hand = self._hand, None
        if self._more and "last_value" in vars(sys):
            for name in _LAST:
                vars(sys).pop(name, None)
        count = get_count()
        born = heap.asked or count >= SOME or count[1]
        forget(item)
        if hand is not None:
            self._let_go(hand, False)
        elif self._kept:
            self._try_again(False)
        if born:
            heap.collect()
        if self._over:
            self._judge()

    def _let_go(self, hand: Hand, last: bool) -> None:
        """Let go of a test that is over; later, if somebody has it who will not have it for long."""
        self._tell("current", hand.test)
        if not self._gone(hand, last):
            self._kept.append(hand)
            if len(self._kept) > _KEPT:
                self._try_again(True)
        self._tell("current", "")

    def _gone(self, hand: Hand, last: bool) -> bool:
        try:
            return hand.let_go(self.tally, last)
        except faults.PASSING:
            raise
        except BaseException as error:  # the verdict is pytest's, whatever is wrong here
            faults.say("%s could not be let go of: %s" % (
                redaction.redact_id(hand.test), redaction.text_of_error(error)))
            return True

    def _tell(self, what: str, *arguments: Any) -> Any:
        """Tell the watcher *what* happens, if there is one. Nothing that goes wrong there matters to a test."""
        if self.watcher is not None:
            try:
                return getattr(self.watcher, what)(*arguments)
            except faults.PASSING:
                raise
            except BaseException:
                self.watcher.fault()
        return None

    def _try_again(self, last: bool) -> None:
        """Try the tests that somebody has kept, if it is the *last* time or something has changed for them."""
        kept, self._kept = self._kept, []
        for hand in kept:
            if last or hand.is_due():
                self._let_go(hand, last)
            else:
                self._kept.append(hand)

    # The scopes around it.

    def _leave(self, nextitem: Optional[pytest.Item], interrupted: bool = False) -> None:
        for scope in self._scopes.leaving(nextitem):
            if not interrupted:     # pytest captures no longer: the streams are others
                self._tell("scope_ends", scope)
            self._scopes.leave(scope)
            self._over.append(scope)

    def _judge(self) -> None:
        over, self._over = self._over, []
        self._try_again(True)
        for scope in over:
            self._tell("scope_over", scope)

    # Fixtures.

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, None, None]:
        """Follow one fixture from here to its end."""
        scope = None
        name = begun = None
        fixturedef.addfinalizer(lambda: self._fixture_over(fixturedef))     # the last to be called
        if fixturedef.scope == "function":
            self._tell("function_begins", request.node.nodeid)
        elif self.watcher is not None:
            scope = self._scopes.of(request.node, fixturedef.scope)
            name = fixtures.name_of(fixturedef, scope.name if scope is not None else "")
            begun = self._tell("fixture_begins", name, scope, fixturedef)
        yield
        if fixturedef.scope == "function":
            cached = fixturedef.cached_result
            if cached is not None:
                self._tell("fixture_value", fixturedef.argname, cached[0])
        else:
            self._tell("fixture_ready", name, scope, begun)
            fixturedef.addfinalizer(lambda: self._fixture_ends(name))       # the first

    def _fixture_ends(self, name: Optional[str]) -> None:
        """A scope's fixture is about to be torn down."""
        self._function_over()
        self._tell("current", name)
        if self._hand is not None and self._hand.is_case:
            self._kept.append(self._hand)       # unless it is gone, nothing is done with that
            self._hand = None
        for hand in self._kept:
            # Before pytest 8.2 the generator that calls setUpClass holds the first test of the class.
            hand.hold()

    def _fixture_over(self, fixturedef: Any) -> None:
        """A fixture was torn down; pytest still has its value."""
        try:
            fixtures.close_owned(fixturedef, self._item, lambda found: self.tally.close(found.kind))
        except faults.PASSING:
            raise
        except BaseException as error:
            faults.say("the value of fixture %s could not be looked at: %s" % (
                fixturedef.argname, redaction.text_of_error(error)))
        if fixturedef.scope != "function":
            if self._kept:
                self._try_again(False)
            self._tell("current", "")


def _is_last_try() -> bool:
    """Tell whether pytest itself runs the item, and no plugin that may try it again (flaky)."""
    frame: Any = _getframe(1)
    while frame is not None and frame.f_code.co_name != "pytest_runtest_protocol":
        frame = frame.f_back
    return (frame is not None and frame.f_globals.get("__name__") == "_pytest.runner"
            and str(frame.f_back.f_globals.get("__name__")).startswith("pluggy"))


def register(config: pytest.Config, asked: Asked) -> None:
    """Register what does the things *asked*."""
    if asked.mode != "off":
        from . import summary
        watcher = None
        if asked.finds:
            from .finding import begin
            watcher = begin(config, asked)
        following = Following(watcher)
        config.pluginmanager.register(following, "leakfix-following")
        summary.register(config, asked, following, watcher)
        if any(map(config.pluginmanager.hasplugin, ("django", "pytest_django.plugin"))):
            from .django import Databases
            # Last, so the innermost around a tear-down: it closes before anybody judges.
            config.pluginmanager.register(Databases(config), "leakfix-django")
    if asked.most is not None:
        from .budgets import register as register_budgets
        register_budgets(config, asked.most)
