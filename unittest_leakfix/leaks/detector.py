"""The detector: observes a run, test after test, and has what it sees classified."""

from __future__ import annotations

import sys
import unittest
from typing import TYPE_CHECKING, Any, Container, List, Optional, Set, Tuple
from unittest.suite import _ErrorHolder  # type: ignore[attr-defined]

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind, later
from unittest_leakfix._core.introspection import qualified
from unittest_leakfix._core.swap import originals
from unittest_leakfix.leaks import memory_limit, suppressions
from unittest_leakfix.leaks.application_state import ApplicationState
from unittest_leakfix.leaks.class_scope import (
    Fixtures,
    ImportedResources,
    SharedResources,
    fixture_of,
)
from unittest_leakfix.leaks.explanation import Explanation
from unittest_leakfix.leaks.governor import Began
from unittest_leakfix.leaks.listening import ListeningObserver
from unittest_leakfix.leaks.looks import Looks
from unittest_leakfix.leaks.model.ids import TestIds
from unittest_leakfix.leaks.reported_changes import Pending, ReportedChanges
from unittest_leakfix.leaks.suppressions import ReportedLeaks
from unittest_leakfix.leaks.suspects import Suspects
from unittest_leakfix.leaks.unmeasured import Unmeasured
from unittest_leakfix.options import Options
from unittest_leakfix.tracing import os_facts
from unittest_leakfix.tracing.acquisitions import Acquisitions

if TYPE_CHECKING:
    from unittest_leakfix.leaks.model import leak as leak_model
    from unittest_leakfix.leaks.model.leak import Findings, Leak
else:
    leak_model = later(globals(), "leaks.model.leak")

__unittest = True
bind(globals())
_exc_info = sys.exc_info

_UNKNOWN = ("what came in it is not known: it has thawed the heap, or switched on "
            "gc.set_debug()")


class LeakDetector(ListeningObserver):
    """A `RunObserver` that finds what each test, class and module left behind.

    `start()` before the run, `stop()` after it; then `findings()`. Of several at a time only the
    first one finds: `start` returns False for the others.
    """

    _module = ""    # the one whose fixtures are set up
    _counts_seldom = True       # objects, after several tests, where that is expensive

    def __init__(self, options: Options = Options(), result: Optional[unittest.TestResult] = None,
                 baseline: Optional[suppressions.Baseline] = None) -> None:
        """*result*: of the run, which tells whether a test has failed."""
        super().__init__()
        self.options = options
        self._closely = options.restore
        self._reported_leaks = ReportedLeaks(baseline, options.leaks_failed, result,
                                             suppressions.rules_of(options))
        self._result: Any = result
        self._test_capture.result = result
        self._suspects = Suspects()
        self._application = ApplicationState(options.restore, self._governor)
        self._unmeasured = Unmeasured()
        self._explanation = Explanation(self._suspects, self._application, self._governor,
                                        self._unmeasured)
        self._explanation.results.add(id(result))
        self._follow(self._acquisitions)
        self._timed = False         # the test that runs is one of those
        self._parts: List[Tuple[Began, Began]] = []     # of the time that was spent on it
        self._ran: Set[str] = set()     # for the baseline's sake
        self._tests = 0
        self._runs_again = False         # the finished test stands in the suite once more
        self._measuring = False
        self._fixtures_ran = True              # fixtures came between
        self._ids = TestIds()
        self.memory = memory_limit.KeptMemory(
            options, self._acquisitions.connection_count,
            lambda: self._looks.states[0].descriptor_count())
        if not options.leaks_failed:
            self._changed.failed = self._reported_leaks.failed

    def _follow(self, acquisitions: Acquisitions) -> None:
        """Follow what is opened in this run."""
        self._acquisitions = acquisitions
        self._shared = SharedResources(acquisitions)
        self._fixtures = Fixtures(acquisitions)
        self._imported_resources = ImportedResources(acquisitions)
        self._changed = ReportedChanges(acquisitions)
        self._explanation.follow(acquisitions, self._fixtures)
        self._looks = Looks(self._changed, self._shared, self._governor, self._closely,
                            self._found)

    def _look_first(self) -> None:
        self._looks.states = tuple(self._state() for _ in range(3))

    def _found(self, leaks: List[Leak]) -> None:
        self._new_leaks += leaks

    def start(self) -> bool:
        self.memory.open()      # before the open descriptors are looked at
        started = super().start()
        if not started:
            self.memory.close()
        return started

    def stop(self) -> None:
        try:
            super().stop()
        finally:
            self.memory.close()
            self._governor.stop()

    def silent(self) -> bool:
        """Tell whether there is nothing to report."""
        reported = self._reported_leaks
        return not (reported.leaks or reported.known or reported.hidden
                    or self._unmeasured or self.options.leaks_baseline
                    or reported.rules or self.options.memory is not None)

    def findings(self) -> Findings:
        """Return what was found so far, grouped by cause."""
        leaks = leak_model.group(self._reported_leaks.leaks)
        return leak_model.Findings(tuple(leaks), tuple(self._reported_leaks.known),
                                   self._reported_leaks.gone(leaks, self._ran),
                                   self._ran_tests(), self._unmeasured.all(),
                                   failed=len(leak_model.group(self._reported_leaks.hidden)),
                                   old_baseline="" if self.options.leaks_update_baseline
                                   else self._reported_leaks.old_baseline,
                                   ran=frozenset(self._ran), overhead=self._governor.account(),
                                   state=self._application.recorded(),
                                   timeline=self.memory.timeline(),
                                   rules=self._reported_leaks.rules_used())

    def leaks_so_far(self) -> int:
        """Return how many leaks are known before the end, of which explanations may take back
        some."""
        return len(self._explanation.leaks) + len(self._new_leaks)

    def _ran_tests(self) -> int:
        """Return how many tests ran, as the result counts them."""
        counted = getattr(self._result, "testsRun", 0)
        return counted if type(counted) is int and counted > 0 else self._tests

    # What the run calls. Nothing that goes wrong here may break the run.

    def run_started(self, result: unittest.TestResult) -> None:
        self._explanation.results.add(id(result))

    def test_started(self, test: unittest.TestCase) -> None:
        if self._is_active():
            self._begin(self._ids.of(test))
            if self.memory.declared:
                self.memory.test_begins(getattr(test, "_testMethodName", ""))

    def _begin(self, name: str) -> None:
        self._test = name
        self._measuring = False
        self._timed = self._governor.times()
        began = self._governor.begin() if self._timed else None
        try:
            fresh = self._fixtures_ran
            self._tests += 1
            self._suspects.timeline.now += 1
            if self.options.leaks_baseline is not None:
                self._ran.add(name)
            self._acquisitions.begin(name)
            if self._fixtures_ran:
                self._fixtures_ran = False
                if self._fixtures.cls is not None:
                    self._shared.take(self._fixtures.cls)
                self._reported_leaks.mark()
                self._application.take(self._suspects.timeline.now)
                self._new_leaks += self._changed.met(name, self._looks.between_tests())
            elif self._changed.failed:
                self._new_leaks += self._changed.met(name)
            self._test_capture.install()
            if began is not None:
                self._parts = [(began, self._governor.begin())]
            if self.memory.recorder is not None:
                self.memory.recorder.begin(fresh)
            self._survivor_watch.begin(name)
            self._measuring = True
        except errors.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(name)

    def test_finished(self, test: unittest.TestCase) -> None:
        if not self._is_active() or not self._measuring:
            return
        began = self._governor.begin() if self._timed else None
        try:
            if self.memory.recorder is not None:
                self.memory.recorder.finished()
            text = self._reported_leaks.ended(self._test)
            if text and self._changed.recorded:
                self._new_leaks += self._changed.failed_with(self._test, text)
            if not self._survivor_watch.finished(test):
                self._release_capture.install()
            if began is not None:
                self._parts.append((began, self._governor.begin()))
        except errors.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(self._test)

    def test_runs_again(self) -> None:
        self._runs_again = True

    def test_released(self) -> None:
        if not self._is_active():
            return
        test, self._test = self._test, ""
        began = self._governor.begin() if self._timed else None
        try:
            if self._measuring:
                self._end(test)
                if self.memory.recorder is not None:
                    self.memory.recorder.end(test, self.memory.limit)
                if began is not None:
                    self._governor.add_test(*self._parts, (began, self._governor.begin()))
        except errors.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(test)
        finally:
            self._measuring = self._runs_again = False
            self._acquisitions.current = ""
            self._release_capture.remove()

    def _end(self, test: str) -> None:
        governor = self._governor
        times = governor.times_also(governor.counts, self._timed)
        began = governor.begin() if times else None
        try:
            survivors = self._survivor_watch.end(self._counts)
        finally:
            self._release_capture.remove()
            if began is not None:
                governor.add("objects", began, times)
        self._acquisitions.current = ""
        self._explanation.imported.note(test)
        if survivors is None:
            self._unmeasured.add(test, _UNKNOWN)
        # What a test has that runs once more is looked at after its last time.
        if survivors and not self._runs_again:
            self._suspects.add(survivors)
        self._application.after_test(test, self._suspects.timeline.now,
                                     test in self._reported_leaks.failed)
        if self._test_capture.any or self._release_capture.any:
            self._take_complaints(test)
        self._forget_released()
        self._looks.after_test(test, self._timed)

    def _counts(self) -> bool:
        """Tell whether what the test that ends has left is counted now."""
        return not self._counts_seldom or self._governor.counts_objects()

    def _count_rest(self) -> None:
        """Count what those tests have left after which that was not done: no test comes next."""
        if self._survivor_watch.waits and self._is_active():
            began = self._governor.begin()
            try:
                self._release_capture.install()
                try:
                    survivors = self._survivor_watch.rest()
                finally:
                    self._release_capture.remove()
                self._suspects.add(survivors or ())
                if survivors is None:
                    self._unmeasured.add(self._looks.ended[-1], _UNKNOWN)
                if self._test_capture.any or self._release_capture.any:
                    self._take_complaints(self._looks.ended[-1])
            except errors.PASSING:
                raise
            except BaseException:
                self._unmeasured.fault(self._looks.ended[-1])
            finally:
                self._governor.add("objects", began)

    def _tests_over(self) -> None:
        """The run is over: look closely at what the tests have left."""
        self._looks.tests_over(True)

    def before_fixture(self, name: str) -> None:
        self._acquisitions.current = name
        self._between()
        if self._is_active():
            try:
                self._application.after_class(self._suspects.timeline.now)
                cls = self._fixtures.cls
                if name.startswith("tearDownModule"):
                    if fixture_of(os_facts.loaded(self._module), "tearDownModule"):
                        self._application.between()
                elif cls is not None:
                    self._application.class_fixtures(cls)
                if name.startswith("tearDownModule"):
                    self._looks.module_torn_down(name)
                elif cls is not None:
                    self._looks.class_torn_down(cls, name)
            except errors.PASSING:
                raise
            except BaseException:
                self._unmeasured.fault(name)

    def _between(self) -> None:
        """No test runs now, but perhaps a fixture."""
        self._count_rest()
        self._fixtures_ran = True
        self._test_capture.remove()

    def _no_test_yet(self) -> bool:
        return self._suspects.timeline.now == 0

    def class_started(self, cls: type) -> None:
        self._between()
        if self._is_active():
            name = self._acquisitions.current = "setUpClass (%s)" % qualified(cls)
            began = self._governor.begin()
            try:
                self._acquisitions.renew_probe()
                self._fixtures.begin(cls)
                try:
                    self.memory.class_begins(cls)
                except ValueError as error:
                    self._unmeasured.add(qualified(cls), str(error))
                self._imported_resources.take(cls, qualified(cls), self._no_test_yet())
                has_fixtures = bool(fixture_of(cls, "setUpClass", "tearDownClass"))
                self._looks.class_begins(has_fixtures)
                if has_fixtures:
                    self._application.class_fixtures(cls, name, self._suspects.timeline.now)
                self._looks.class_set_up(name if has_fixtures else "")
                self._governor.add("classes", began)
            except errors.PASSING:
                raise
            except BaseException:
                self._unmeasured.fault(name)

    def class_finished(self, cls: type) -> None:
        self._acquisitions.current = ""
        self._looks.follow_tests()
        self._ids.forget()
        if self._is_active():
            name = "setUpClass (%s)" % qualified(cls)
            began = self._governor.begin()
            try:
                self._application.after_class(self._suspects.timeline.now)
                self._looks.class_over(cls)
                self._application.scope_over((name,), self._suspects.timeline.now)
                self._shared.forget()
                self._new_leaks += self._fixtures.left_open(cls, "cls.%s", (name,))
                self._new_leaks += self._fixtures.held_by(cls)
                self._governor.add("classes", began)
            except errors.PASSING:
                raise
            except BaseException:
                self._unmeasured.fault(name)
            self._classify_rest()

    def module_started(self, name: str) -> None:
        self._between()
        if self._is_active():
            self._acquisitions.current = "setUpModule (%s)" % name
            self._module = name
            began = self._governor.begin()
            try:
                self._acquisitions.renew_probe()
                module = os_facts.loaded(name)
                if module is not None:
                    self._imported_resources.take(module, name, self._no_test_yet())
                has_fixtures = bool(fixture_of(module, "setUpModule", "tearDownModule"))
                self._looks.module_begins(has_fixtures)
                if has_fixtures:
                    self._application.fixture_begins(self._acquisitions.current,
                                                     self._suspects.timeline.now)
                    self._looks.module_set_up(self._acquisitions.current)
                self._governor.add("classes", began)
            except errors.PASSING:
                raise
            except BaseException:
                self._unmeasured.fault(self._acquisitions.current)

    def module_finished(self) -> None:
        if self._is_active() and self._module:
            finished, self._module = self._module, ""
            name, module = "setUpModule (%s)" % finished, os_facts.loaded(finished)
            began = self._governor.begin()
            try:
                if module is not None:
                    self._new_leaks += self._fixtures.left_open(module, "%s", (name,))
                    self._new_leaks += self._imported_resources.left(module.__name__)
                if self._looks.module_over(module, finished):
                    self._application.scope_over((name,), self._suspects.timeline.now)
                self._changed.forget()
                self._governor.add("classes", began)
            except errors.PASSING:
                raise
            except BaseException:
                self._unmeasured.fault(name)
            self._classify_rest()

    # Classifying what was seen.

    def _classify_rest(self, last: bool = False) -> None:
        """A class or module is over, or the run: tell what is known by then."""
        self._count_rest()
        self._suspects.timeline.over()
        explains = last or self._explains()
        if last:
            self._tests_over()
            self._new_leaks += self._changed.met("")
        fresh, self._new_leaks = self._new_leaks, []
        waiting: List[Pending] = []
        if explains:
            waiting, self._changed.pending = self._changed.pending, []
        try:
            if explains:
                self._explanation.suspect(self._connections, self._open_fixtures(), waiting)
            if last:
                self._application.forget()
            if fresh or waiting or last or explains and self._suspects:
                self._report(fresh, waiting, explains, last)
        except KeyboardInterrupt:
            self._new_leaks = fresh + self._new_leaks
            raise
        except errors.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(qualified(self._fixtures.cls) if self._fixtures.cls is not None
                                   else "this run")

    def _explains(self) -> bool:
        """Tell whether objects are classified now, though the run goes on."""
        return False

    def _open_fixtures(self) -> Container[str]:
        """Return the names of the fixtures that are not over."""
        return ("setUpModule (%s)" % self._module,)

    @originals.around
    def _report(self, fresh: List[Leak], waiting: List[Pending], objects: bool,
                last: bool) -> None:
        self.report_leaks(self._explanation.of(fresh, waiting, objects, last))

    def take_interrupted(self) -> None:
        """The run was interrupted: take what was found and not reported yet."""
        reported = self._reported_leaks
        taken = {id(each) for each in (*reported.leaks, *(item.leak for item in reported.known))}
        fresh, self._new_leaks = self._new_leaks, []
        self._reported_leaks.take([each for each in fresh if id(each) not in taken])

    def fail(self, name: str, message: str, test: Any = None) -> None:
        """Make *message* a failure of the test *name*, of which *test* may be another instance."""
        try:
            raise AssertionError(message)
        except AssertionError:
            self._result.addFailure(test or _ErrorHolder(name), _exc_info())

    def report_leaks(self, leaks: List[Leak]) -> List[Leak]:
        """Take the leaks of a class that is over; return those that are not known."""
        return self._reported_leaks.take(leaks)
