"""The finder: watches a run, test after test, and hands what it sees to the judge."""
from __future__ import annotations

import os
import sys
import unittest
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from unittest.util import strclass
from unittest_leakfix import attributes, faults
from unittest_leakfix.heap import heap
from unittest_leakfix.suite import Watcher

from . import identity, known, sizes, wording
from .acquisitions import Acquisition, Acquisitions
from .census import Census, Survivor
from .change import Change
from .complaints import Complaints
from .judge import Judge
from .leak import Findings, Known, Leak, group
from .options import Options
from .process import ProcessState
from .words import amount

__unittest = True

HEAVY = 100000
"""From so many bytes on it is told what a class's attributes still hold after its last test."""


_WAITED = "0.5 s for it to finish"


class _Pending(NamedTuple):
    """A change that is told when its class is over, if it still stands then."""

    change: Change
    test: str
    acquisition: Optional[Acquisition]
    target: str

    def still_there(self, covered: Set[object]) -> bool:
        """Tell whether it is, and is no part of what is in *covered*."""
        change = self.change
        if change.pid:
            return ("pid", change.pid) not in covered
        paths = (self.target, self.target.partition("-journal")[0], self.target.partition("-wal")[0])
        return (change.fd not in covered and not covered.intersection(paths)
                and identity.target(change.fd) == self.target)


class Finder(Watcher):
    """A `Watcher` that finds what each test, class and module left behind.

    `start()` before the run, `stop()` after it; then `findings()`. Of several at a time only the
    first one finds: `start` returns False for the others.
    """

    _getpid = staticmethod(os.getpid)
    _active: List["Finder"] = []
    _module = ""    # the one whose fixtures are set up

    def __init__(self, options: Options = Options(), result: Optional[unittest.TestResult] = None,
                 baseline: Optional[known.Baseline] = None) -> None:
        """*result*: of the run, which tells whether a test has failed."""
        self.options = options
        self._baseline = baseline
        self._lists = [each for each in (getattr(result, "failures", None),
                                         getattr(result, "errors", None)) if isinstance(each, list)]
        self._acquisitions = Acquisitions()
        self._complaints = Complaints(self._acquisitions)
        self._census = Census()
        self._judge = Judge(self._acquisitions)
        self._leaks: List[Leak] = []
        self._known: List[Known] = []
        self._fresh: List[Leak] = []        # of the class that runs
        self._survivors: List[Survivor] = []
        self._pending: List[_Pending] = []
        self._unmeasured: Dict[Tuple[str, str], None] = {}
        self._ran: Set[str] = set()
        self._test = ""
        self._class: Optional[type] = None
        self._had: Dict[str, Any] = {}
        self._told: Set[Tuple[Any, ...]] = set()
        self._failed: Set[str] = set()
        self._count = 0
        self._pid = 0
        self._installed = False
        self._asker = ""

    def start(self) -> bool:
        """Begin to listen. Returns whether this is the finder that finds."""
        if Finder._active:
            return False
        self._listen(True)
        return True

    def _listen(self, first: bool) -> None:
        Finder._active.append(self)
        self._pid = self._getpid()
        self._installed = first
        if first:
            self._acquisitions.install()
        self._states = tuple(ProcessState(self._acquisitions) for _ in range(3))
        for state in self._states:
            state._collect = heap.collect_new  # type: ignore[method-assign,assignment]
            state.before()
        attributes.listeners.append(self._closing)
        attributes.drop_listeners.append(self._dropping)

    def stop(self) -> None:
        """Judge what is left and stop listening."""
        if self._alive():
            self._judge_class()
            if self._installed:
                self._acquisitions.remove()
            attributes.listeners.remove(self._closing)
            attributes.drop_listeners.remove(self._dropping)
        if self in Finder._active:
            Finder._active.remove(self)

    def block_begins(self, name: str) -> None:
        """Begin to find in a block of code; inside a run that finds, too."""
        outer = Finder._active[-1] if Finder._active else None
        if outer is not None:
            self._acquisitions = outer._acquisitions
            self._judge = Judge(self._acquisitions)
            self._asker = self._acquisitions.current
        self._judge.grows = 1       # one instance will do: a block runs once
        self._listen(outer is None)
        self._begin(name)

    def block_ends(self) -> List[Leak]:
        """End the block; return what it left behind."""
        self._complaints.install()
        self.end()
        self._acquisitions.current = self._asker
        self.stop()
        return self._leaks

    def findings(self) -> Findings:
        """Return what was found so far, grouped by cause."""
        leaks = group(self._leaks)
        gone = self._baseline.gone(leaks + [item.leak for item in self._known], self._ran) \
            if self._baseline is not None else ()
        return Findings(tuple(leaks), tuple(self._known), gone, len(self._ran),
                        tuple(self._unmeasured), self._census.more)

    # What the run tells.

    def begin(self, test: unittest.TestCase) -> None:
        if self._alive():
            self._begin(_id(test))

    def _begin(self, name: str) -> None:
        self._test = name
        self._ran.add(self._test)
        self._acquisitions.current = self._test
        self._count = sum(map(len, self._lists))
        self._states[0].before()
        self._census.begin(self._test)

    def finished(self, test: unittest.TestCase) -> None:
        if self._alive():
            if sum(map(len, self._lists)) != self._count:
                self._failed.add(self._test)
            self._census.finished(test)
            self._complaints.install()

    def end(self) -> None:
        if not self._alive():
            return
        test, self._test = self._test, ""
        try:
            survivors = self._census.end()
        finally:
            self._complaints.remove()
        self._acquisitions.current = ""
        self._judge.imports(test)
        if survivors is None:
            self._unmeasured[test, "it asked the collector itself"] = None
        else:
            self._survivors += survivors
        for complaint in self._complaints.take():
            self._fresh.append(wording.of_complaint(complaint, test))
        self._changes(self._states[0].after(), test)

    def fixture(self, name: str) -> None:
        self._acquisitions.current = name

    def class_begins(self, cls: type) -> None:
        if self._alive():
            self._class = cls
            self._had = dict(vars(cls))
            self._acquisitions.current = "setUpClass (%s)" % strclass(cls)
            self._states[1].before()

    def class_over(self, cls: type) -> None:
        self._acquisitions.current = ""
        if self._alive():
            name = "setUpClass (%s)" % strclass(cls)
            self._changes(self._states[1].after(), name)
            if cls is self._class:
                self._held_by(cls)
            self._judge_class()

    def module_begins(self, name: str) -> None:
        if self._alive():
            self._acquisitions.current = "setUpModule (%s)" % name
            self._module = name
            self._states[2].before()

    def module_over(self) -> None:
        if self._alive() and self._module:
            name, self._module = "setUpModule (%s)" % self._module, ""
            self._changes(self._states[2].full(), name)
            self._judge_class()

    # What it makes of it.

    def _alive(self) -> bool:
        # A test may fork, and the child run on.
        return (bool(Finder._active) and Finder._active[-1] is self
                and self._getpid() == self._pid)

    def _closing(self, owner: Any, found: attributes.Found) -> None:
        test = self._test or self._acquisitions.current
        if test and self._alive():
            self._fresh.append(wording.of_closing(
                found, self._acquisitions.of(found.value), test))

    def _dropping(self, values: Dict[str, Any]) -> None:
        if self._test and self._alive():
            self._census.attributes(values)

    def _changes(self, changes: List[Change], test: str) -> None:
        for change in changes:
            key = (change.kind, change.name, change.fd, change.thread, change.pid, change.path)
            if key in self._told:
                continue
            self._told.add(key)
            acquisition = self._opened(change)
            if change.pid or change.fd >= 0 and change.kind == "descriptor":
                # Its object, if there is one, tells more; and the class may end it.
                self._pending.append(_Pending(change, test, acquisition, identity.target(change.fd)))
            else:
                self._fresh.append(wording.of_change(change, test, acquisition, _WAITED))
        if self.options.restore and changes:
            self._states[0].restore(changes)

    def _opened(self, change: Change) -> Optional[Acquisition]:
        if change.thread:
            import threading
            thread = threading._active.get(change.thread)  # type: ignore[attr-defined]
            return None if thread is None else self._acquisitions.of_thread(thread)
        if change.pid:
            return self._acquisitions.of_pid(change.pid)
        if change.path:
            return self._acquisitions.of_path(change.path)
        return self._acquisitions.of_descriptor(change.fd) if change.fd >= 0 else None

    def _held_by(self, cls: type) -> None:
        """Tell what the attributes that *cls* gained still hold."""
        had, self._had = self._had, {}
        self._class = None
        new = [(".%s" % name, value) for name, value in vars(cls).items()
               if had.get(name, had) is not value and type(value) not in attributes.ATOMS
               and not name.startswith("_") and name != "tearDown_exceptions"]
        del had
        holding = sizes.heaviest(new, floor=HEAVY) if new else ()
        if holding:
            total = sum(item[2] for item in holding)
            self._fresh.append(wording.of_class(strclass(cls), holding, amount(total), total))

    def _judge_class(self) -> None:
        survivors, self._survivors = self._survivors, []
        pending, self._pending = self._pending, []
        fresh, self._fresh = self._fresh, []
        covered: Set[object] = set()
        if any(each.ref() is not None for each in survivors):
            heap.thaw()
            leaks, covered = self._judge.objects(survivors)
            fresh += leaks
            heap.full()
        fresh += [wording.of_change(each.change, each.test, each.acquisition, _WAITED)
                  for each in pending if each.still_there(covered)]
        self.tell(fresh)

    def tell(self, leaks: List[Leak]) -> List[Leak]:
        """Take the leaks of a class that is over; return those that are news."""
        news: List[Leak] = []
        for leak in leaks:
            if leak.tests[0] in self._failed and not self.options.failed:
                continue
            entry = known.match(leak, _class_entries(leak))
            if entry is not None:
                self._known.append(entry)
            elif self._baseline is not None and self._baseline.has(leak):
                self._known.append(Known(leak, "", self._baseline.path))
            else:
                news.append(leak)
        self._leaks += news
        return news


def _class_entries(leak: Leak) -> List[known.Ignored]:
    name = leak.tests[0]
    path = name[name.index("(") + 1:-1] if name.endswith(")") else name.rpartition(".")[0]
    module, _, cls = path.rpartition(".")
    found = getattr(sys.modules.get(module), cls, None)
    return known.of_class(found) if isinstance(found, type) else []


def _id(test: unittest.TestCase) -> str:
    try:
        return str(test.id())
    except Exception:
        return "%s.%s" % (type(test).__module__, faults.label(test))
