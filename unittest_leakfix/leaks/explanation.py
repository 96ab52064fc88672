"""Explanation: what tests and fixtures left is judged when a class, a module or the run is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Container, List, Optional, Set, Tuple

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind, later
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix.leaks.application_state import ApplicationState
from unittest_leakfix.leaks.class_scope import Fixtures
from unittest_leakfix.leaks.governor import Governor
from unittest_leakfix.leaks.reported_changes import (
    Pending,
    opened_by_fixtures,
    pending_leaks,
    without_parts,
)
from unittest_leakfix.leaks.survivors import survivor
from unittest_leakfix.leaks.suspects import Suspects, TestImports
from unittest_leakfix.leaks.unmeasured import Unmeasured
from unittest_leakfix.tracing.acquisitions import Acquisitions

if TYPE_CHECKING:
    from unittest_leakfix.leaks import classify
    from unittest_leakfix.leaks.model.leak import Leak
else:
    classify = later(globals(), "leaks.classify")

__unittest = True
bind(globals())


class Explanation:
    """Has the suspects, what classifies them, and all leaks that were found so far."""

    def __init__(self, suspects: Suspects, application: ApplicationState, governor: Governor,
                 unmeasured: Unmeasured) -> None:
        self.imported = TestImports()
        self.results: Set[int] = set()
        """The ids of the run's results: a runner of the user's may have another one."""
        self.leaks: List[Leak] = []
        """All so far, known or not."""
        self._suspects = suspects
        self._application = application
        self._governor = governor
        self._unmeasured = unmeasured
        self._classifier: Optional[classify.Classifier] = None

    def follow(self, acquisitions: Acquisitions, fixtures: Fixtures) -> None:
        """Say what is opened, and what fixtures left: of another run, inside of that."""
        self._acquisitions, self._fixtures = acquisitions, fixtures

    def of_block(self) -> None:
        """A block of code is explained, not a run: one instance will do, since it runs once."""
        self._classifier = classify.Classifier(self._acquisitions, self.imported)
        self._classifier.grows = 1

    def suspect(self, connections: Any, open_fixtures: Container[str],
                waiting: List[Pending]) -> None:
        """Suspect what fixtures opened, and tests that could not be measured: the connections
        since that mark, without those of the *open_fixtures*, and what is *waiting*."""
        known = {each.key for each in self._suspects}
        self._suspects.add([survivor("resource", test, "", each) for each, test in
                            self._acquisitions.connections_left(
                                connections, known, open_fixtures)])
        # What a fixture put elsewhere than on its class or module.
        self._suspects.add([survivor("resource", test, "", each)
                            for each, test in opened_by_fixtures(
                                waiting, self._fixtures.covered)])

    def of(self, fresh: List[Leak], waiting: List[Pending], objects: bool,
           last: bool = False) -> List[Leak]:
        """Return what is to be reported now: *fresh*, to which that is added which *waiting* and,
        if *objects* are explained, the suspects have become; *last*: and the application's state.
        """
        covered: Set[object] = set()
        if objects and self._suspects:
            leaks, covered = self._objects()
            fresh += leaks
        if last:
            began = self._governor.begin()
            fresh += self._application.leaks(self.leaks + fresh, self._suspects.timeline)
            self._governor.add("state", began)
        self.leaks += fresh
        if waiting:
            covered = covered | self._fixtures.covered | self._acquisitions.connection_descriptors()
            fresh += pending_leaks(waiting, covered, self.leaks)
        return without_parts(fresh, [*self.leaks, *fresh]) if objects else fresh

    def _objects(self) -> Tuple[List[Leak], Set[object]]:
        began = self._governor.begin()
        try:
            if self._classifier is None:
                self._classifier = classify.Classifier(self._acquisitions, self.imported)
            self._classifier.results = self.results
            self._classifier.governor = self._governor
            heap.thaw()
            heap.collect_all()
            return self._classifier.objects(self._suspects)
        except errors.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(next(iter(self._suspects)).test)
            return [], set()
        finally:
            if heap.thawed():
                heap.full()
            self._governor.add("explaining", began)
