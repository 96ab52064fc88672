"""The finder: watches a run, test after test, and hands what it sees to the judge."""
from __future__ import annotations

import unittest
from typing import TYPE_CHECKING, Container, List, Optional, Set, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix import faults
from unittest_leakfix._core.introspection import qualified
from unittest_leakfix._core.swap import originals
from unittest_leakfix.heap import heap

from . import identity, judge
from .census import Survivor
from .change import Change
from .changes import Changes
from .fixtures import Fixtures
from .ids import Ids
from .imported import Imported
from .later import Later
from .let_go import told_already
from .listening import Listening
from .news import News
from .options import Options
from .shared import SharedResources
from .unmeasured import Unmeasured

if TYPE_CHECKING:
    from . import known, leak, pending, wording, wording_process
    from .leak import Findings, Leak
    from .pending import Pending
else:
    # Text only. What looks at the process is loaded before a test can replace what it needs.
    leak, pending, wording, wording_process = map(Later, (
        "leak", "pending", "wording", "wording_process"))

__unittest = True
bind(globals())


class Finder(Listening):
    """A `Watcher` that finds what each test, class and module left behind.

    `start()` before the run, `stop()` after it; then `findings()`. Of several at a time only the
    first one finds: `start` returns False for the others.
    """

    _module = ""    # the one whose fixtures are set up

    def __init__(self, options: Options = Options(), result: Optional[unittest.TestResult] = None,
                 baseline: Optional[known.Baseline] = None) -> None:
        """*result*: of the run, which tells whether a test has failed."""
        super().__init__()
        self.options = options
        self._news = News(baseline, options.failed, result)
        self._shared = SharedResources(self._acquisitions)
        self._fixtures = Fixtures(self._acquisitions)
        self._changed = Changes(self._acquisitions)
        self._imported = Imported()
        self._judge: Optional[judge.Judge] = None
        self._survivors: List[Survivor] = []
        self._unmeasured = Unmeasured()
        self._ran: Set[str] = set()     # for the baseline's sake
        self._tests = 0
        self._measuring = False
        self._moved = True              # fixtures came between
        self._ids = Ids()

    def silent(self) -> bool:
        """Tell whether there is nothing to tell."""
        return not (self._news.leaks or self._news.known or self._unmeasured or self._census.more
                    or self.options.baseline)

    def findings(self) -> Findings:
        """Return what was found so far, grouped by cause."""
        leaks = leak.group(self._news.leaks)
        return leak.Findings(tuple(leaks), tuple(self._news.known), self._news.gone(leaks, self._ran),
                        self._tests, self._unmeasured.all(), self._census.more)

    # What the run tells. Nothing that goes wrong here may break the run.

    def begin(self, test: unittest.TestCase) -> None:
        if self._alive():
            self._begin(self._ids.of(test))

    def _begin(self, name: str) -> None:
        self._test = name
        self._measuring = False
        try:
            self._tests += 1
            if self.options.baseline is not None:
                self._ran.add(name)
            self._acquisitions.current = name
            if self._moved:
                self._moved = False
                if self._fixtures.cls is not None:
                    self._shared.take(self._fixtures.cls)
                self._news.mark()
                self._states[0].before()
            self._overheard.install()
            self._census.begin(name)
            self._measuring = True
        except faults.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(name)

    def finished(self, test: unittest.TestCase) -> None:
        if not self._alive() or not self._measuring:
            return
        try:
            self._news.ended(self._test)
            if not self._census.finished(test):
                self._complaints.install()
        except faults.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(self._test)

    def end(self) -> None:
        if not self._alive():
            return
        test, self._test = self._test, ""
        try:
            if self._measuring:
                self._end(test)
        except faults.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(test)
        finally:
            self._measuring = False
            self._acquisitions.current = ""
            self._complaints.remove()

    def _end(self, test: str) -> None:
        try:
            survivors = self._census.end()
        finally:
            self._complaints.remove()
        self._acquisitions.current = ""
        self._imported.note(test)
        if survivors is None:
            self._unmeasured.add(test, "what came in it cannot be told: it has thawed the heap, or switched on gc.set_debug()")
        self._survivors += survivors or ()
        if self._overheard.any or self._complaints.any:
            self._heard(test)
        self._let_go.clear()
        changes = self._states[0].after()
        closed = self._shared.closed() if self._shared.any else []
        if closed:
            with originals:
                self._fresh += [wording_process.of_change(change, test, opened) for change, opened in closed]
        if changes:
            self._changed.waited |= any(change.thread or change.pid for change in changes)
            seen = {change.fd for change, _ in closed}
            self._changes([change for change in changes if change.kind != "closed descriptor"
                           or change.fd not in seen], test)

    @originals.around
    def _heard(self, test: str) -> None:
        for heard in (self._overheard, self._complaints):
            for complaint in heard.take():
                if not told_already(complaint, self._let_go):
                    self._fresh.append(wording.of_complaint(complaint, test))

    def fixture(self, name: str) -> None:
        self._acquisitions.current = name
        self._between()

    def _between(self) -> None:
        """No test runs now, but perhaps a fixture."""
        self._moved = True
        self._overheard.remove()

    def class_begins(self, cls: type) -> None:
        self._between()
        if self._alive():
            name = self._acquisitions.current = "setUpClass (%s)" % qualified(cls)
            try:
                self._acquisitions.renew_probe()
                self._fixtures.begin(cls)
                self._states[1].before(dear=True)
            except faults.PASSING:
                raise
            except BaseException:
                self._unmeasured.fault(name)

    def class_over(self, cls: type) -> None:
        self._acquisitions.current = ""
        self._ids.forget()
        if self._alive():
            name = "setUpClass (%s)" % qualified(cls)
            try:
                self._changes(self._states[1].full(self._changed.grace()), name, 1)
                self._shared.forget()
                self._fresh += self._fixtures.left_open(cls, "cls.%s", (name,))
                self._fresh += self._fixtures.held_by(cls)
            except faults.PASSING:
                raise
            except BaseException:
                self._unmeasured.fault(name)
            self._over()

    def module_begins(self, name: str) -> None:
        self._between()
        if self._alive():
            self._acquisitions.current = "setUpModule (%s)" % name
            self._module = name
            try:
                self._acquisitions.renew_probe()
                self._states[2].before(dear=True)
            except faults.PASSING:
                raise
            except BaseException:
                self._unmeasured.fault(self._acquisitions.current)

    def module_over(self) -> None:
        if self._alive() and self._module:
            name, module = "setUpModule (%s)" % self._module, identity.loaded(self._module)
            self._module = ""
            try:
                if module is not None:
                    self._fresh += self._fixtures.left_open(module, "%s", (name,))
                self._changes(self._states[2].full(self._changed.grace()), name, 2)
                self._changed.forget()
            except faults.PASSING:
                raise
            except BaseException:
                self._unmeasured.fault(name)
            self._over()

    # What it makes of it.

    def _changes(self, changes: List[Change], test: str, scope: int = 0) -> None:
        back = self._states[scope].restore(changes) if self.options.restore and changes else []
        self._fresh += self._changed.leaks(changes, test, back, scope > 0)

    def _over(self) -> None:
        survivors, self._survivors = self._survivors, []
        waiting, self._changed.pending = self._changed.pending, []
        fresh, self._fresh = self._fresh, []
        try:
            # Those that fixtures opened, and those of tests that could not be measured.
            survivors += [Survivor("resource", test, "", each) for each, test in
                          self._acquisitions.connections_left(
                              self._connections, {each.key for each in survivors}, self._yet())]
            if survivors or waiting or fresh:
                self._judge_all(survivors, waiting, fresh)
        except KeyboardInterrupt:
            self._fresh = fresh + self._fresh
            raise
        except faults.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(qualified(self._fixtures.cls) if self._fixtures.cls is not None else "this run")

    def _yet(self) -> Container[str]:
        """Return the names of the fixtures that are not over."""
        return ("setUpModule (%s)" % self._module,)

    @originals.around
    def _judge_all(self, survivors: List[Survivor], waiting: List[Pending], fresh: List[Leak]) -> None:
        leaks, covered = self._objects(survivors) if survivors else ([], set())
        fresh += leaks
        if waiting:
            covered = covered | self._fixtures.covered | self._acquisitions.connection_descriptors()
            fresh += pending.told(waiting, covered, fresh)
        self._fixtures.covered = set()
        self.tell(fresh)

    def _objects(self, survivors: List[Survivor]) -> Tuple[List[Leak], Set[object]]:
        try:
            if self._judge is None:
                self._judge = judge.Judge(self._acquisitions, self._imported)
            return self._judge.objects(survivors)
        except faults.PASSING:
            raise
        except BaseException:
            self._unmeasured.fault(survivors[0].test)
            return [], set()
        finally:
            if heap.thawed():
                heap.full()

    def rest(self) -> None:
        """The run was interrupted: take what was found and did not come to be told."""
        taken = {id(each) for each in (*self._news.leaks, *(item.leak for item in self._news.known))}
        fresh, self._fresh = self._fresh, []
        self._news.take([each for each in fresh if id(each) not in taken])

    def tell(self, leaks: List[Leak]) -> List[Leak]:
        """Take the leaks of a class that is over; return those that are news."""
        return self._news.take(leaks)
