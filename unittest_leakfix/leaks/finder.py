"""The finder: watches a run, test after test, and hands what it sees to the judge."""
from __future__ import annotations

import os
import sys
import unittest
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Set, Tuple

from unittest.util import strclass
from unittest_leakfix import attributes, faults
from unittest_leakfix.heap import heap
from unittest_leakfix.kind import on_type
from unittest_leakfix.resources import kind_of
from unittest_leakfix.suite import Watcher

from . import identity, judge, parts, sizes
from .acquisitions import Acquisition, Acquisitions
from .census import Census, Survivor
from .change import Change
from .complaints import Complaints
from .frames import OWN, kind_of as code_of
from .imported import Imported
from .later import Later
from .news import News
from .options import Options
from .overheard import Overheard
from .process import ProcessState
from .shared import SharedResources

if TYPE_CHECKING:
    from . import known, leak, pending, wording, wording_process, words
    from .leak import Findings, Leak
    from .pending import Pending
else:
    # Text only. What looks at the process is loaded before a test can replace what it needs.
    leak, pending, wording, wording_process, words = map(Later, (
        "leak", "pending", "wording", "wording_process", "words"))

__unittest = True

HEAVY = 100000
"""From so many bytes on it is told what a class's attributes still hold after its last test."""


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
        self._news = News(baseline, options.failed)
        self._lists = [each for each in (getattr(result, "failures", None),
                                         getattr(result, "errors", None)) if isinstance(each, list)]
        self._acquisitions = Acquisitions()
        self._complaints = Complaints(self._acquisitions)
        self._overheard = Overheard(self._acquisitions)
        self._shared = SharedResources(self._acquisitions)
        self._census = Census()
        self._imported = Imported()
        self._judge: Optional[judge.Judge] = None
        self._fresh: List[Leak] = []        # of the class that runs
        self._survivors: List[Survivor] = []
        self._pending: List[Pending] = []
        self._unmeasured: Dict[Tuple[str, str], None] = {}
        self._ran: Set[str] = set()     # for the baseline's sake
        self._tests = 0
        self._test = ""
        self._measuring = False
        self._waited = False            # for threads and children that a test left
        self._moved = True              # fixtures came between
        self._named: Any = None         # the class whose tests are called _prefix...
        self._prefix = ""
        self._class: Optional[type] = None
        self._had: Dict[str, Any] = {}
        self._covered: Set[object] = set()     # what a class or module was told to hold
        self._told: Set[Tuple[Any, ...]] = set()
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
        self._connections = self._acquisitions.connections_mark()

    def stop(self) -> None:
        """Judge what is left and stop listening, whatever happens."""
        try:
            if self.here():
                self._complaints.remove()
                self._overheard.remove()
                self._judge_class()
        finally:
            self._deafen()

    def _deafen(self) -> None:
        if self.here() and self._installed:
            self._acquisitions.remove()
        attributes.listeners[:] = [each for each in attributes.listeners if each != self._closing]
        attributes.drop_listeners[:] = [
            each for each in attributes.drop_listeners if each != self._dropping]
        if self in Finder._active:
            Finder._active.remove(self)

    def here(self) -> bool:
        """Tell whether this is the process that started; a test may fork, and the child run on."""
        return self._getpid() == self._pid

    def block_begins(self, name: str) -> None:
        """Begin to find in a block of code; inside a run that finds, too."""
        outer = Finder._active[-1] if Finder._active else None
        if outer is not None:
            self._acquisitions = outer._acquisitions
            self._asker = self._acquisitions.current
        self._judge = judge.Judge(self._acquisitions, self._imported)
        self._judge.grows = 1       # one instance will do: a block runs once
        self._listen(outer is None)
        self._begin(name)

    def block_ends(self) -> List[Leak]:
        """End the block; return what it left behind."""
        self._complaints.install()
        self.end()
        self._acquisitions.current = self._asker
        self.stop()
        return self._news.leaks

    def silent(self) -> bool:
        """Tell whether there is nothing to tell."""
        return not (self._news.leaks or self._news.known or self._unmeasured or self._census.more
                    or self.options.baseline)

    def findings(self) -> Findings:
        """Return what was found so far, grouped by cause."""
        leaks = leak.group(self._news.leaks)
        return leak.Findings(tuple(leaks), tuple(self._news.known), self._news.gone(leaks, self._ran),
                        self._tests, tuple(self._unmeasured), self._census.more)

    # What the run tells. Nothing that goes wrong here may break the run.

    def begin(self, test: unittest.TestCase) -> None:
        if self._alive():
            self._begin(self._name(test))

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
                if self._class is not None:
                    self._shared.take(self._class)
                self._count = sum(map(len, self._lists))
                self._states[0].before()
            self._overheard.install()
            self._census.begin(name)
            self._measuring = True
        except Exception:
            self._fault(name)

    def finished(self, test: unittest.TestCase) -> None:
        if not self._alive() or not self._measuring:
            return
        try:
            count = sum(map(len, self._lists))
            if count != self._count:
                self._news.failed.add(self._test)
                self._count = count
            if not self._census.finished(test):
                self._complaints.install()
        except Exception:
            self._fault(self._test)

    def end(self) -> None:
        if not self._alive():
            return
        test, self._test = self._test, ""
        try:
            if self._measuring:
                self._end(test)
        except Exception:
            self._fault(test)
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
            self._unmeasured[test, "it asked the collector itself"] = None
        elif survivors:
            self._survivors += survivors
        for heard in (self._overheard, self._complaints):
            for complaint in heard.take() if heard.any else ():
                self._fresh.append(wording.of_complaint(complaint, test))
        changes = self._states[0].after()
        closed = self._shared.closed() if self._shared.any else []
        self._fresh += [wording_process.of_change(change, test, opened) for change, opened in closed]
        if changes:
            self._waited |= any(change.thread or change.pid for change in changes)
            seen = {change.fd for change, _ in closed}
            self._changes([change for change in changes if change.kind != "closed descriptor"
                           or change.fd not in seen], test)

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
            name = self._acquisitions.current = "setUpClass (%s)" % strclass(cls)
            try:
                self._class = cls
                self._had = dict(vars(cls))
                self._states[1].before(dear=True)
            except Exception:
                self._fault(name)

    def class_over(self, cls: type) -> None:
        self._acquisitions.current = ""
        self._named = None
        if self._alive():
            name = "setUpClass (%s)" % strclass(cls)
            try:
                self._changes(self._states[1].full(self._grace()), name, 1)
                self._shared.forget()
                self._left_open(cls, "cls.%s", name)
                if cls is self._class:
                    self._held_by(cls)
            except Exception:
                self._fault(name)
            self._judge_class()

    def module_begins(self, name: str) -> None:
        self._between()
        if self._alive():
            self._acquisitions.current = "setUpModule (%s)" % name
            self._module = name
            try:
                self._states[2].before(dear=True)
            except Exception:
                self._fault(self._acquisitions.current)

    def module_over(self) -> None:
        if self._alive() and self._module:
            name, module = "setUpModule (%s)" % self._module, identity.loaded(self._module)
            self._module = ""
            try:
                if module is not None:
                    self._left_open(module, "%s", name)
                self._changes(self._states[2].full(self._grace()), name, 2)
                self._told.clear()
                self._waited = False
            except Exception:
                self._fault(name)
            self._judge_class()

    # What it makes of it.

    def _alive(self) -> bool:
        active = Finder._active
        return bool(active) and active[-1] is self     # none in a forked child

    def _name(self, test: unittest.TestCase) -> str:
        """Return the id of *test*."""
        cls = type(test)
        if cls is not self._named:
            plain = on_type(cls, "id") is unittest.TestCase.id
            self._prefix = strclass(cls) + "." if plain else ""
            self._named = cls
        try:
            return self._prefix + test._testMethodName if self._prefix else str(test.id())
        except Exception:
            return "%s.%s" % (type(test).__module__, faults.label(test))

    def _fault(self, name: str) -> None:
        """Note that what is being handled now kept *name* from being measured."""
        kind, error, trace = sys.exc_info()
        where = ""
        while trace is not None:    # the innermost line of ours: users' code has its own faults
            if code_of(trace.tb_frame.f_code.co_filename) == OWN:
                where = " at %s:%d" % (trace.tb_frame.f_code.co_filename.rpartition("unittest_leakfix")[2][1:],
                                       trace.tb_lineno)
            trace = trace.tb_next
        try:
            said = str(error).partition("\n")[0][:100]
        except Exception:
            said = ""
        reason = "finding failed: %s%s%s" % (
            kind.__name__ if kind is not None else "?", ": " + said if said else "", where)
        self._unmeasured[name, reason] = None

    def _closing(self, owner: Any, found: attributes.Found) -> None:
        test = self._test or self._acquisitions.current
        if test and self._alive():
            self._fresh.append(wording.of_closing(
                found, self._acquisitions.of(found.value), test))

    def _dropping(self, values: Dict[str, Any]) -> None:
        if self._test and self._alive():
            self._census.attributes(values)

    def _grace(self) -> float:
        """Return the patience for what a fixture left: none, if it was all waited for already."""
        return 0.0 if self._waited else 0.5

    def _changes(self, changes: List[Change], test: str, scope: int = 0) -> None:
        back = self._states[scope].restore(changes) if self.options.restore and changes else []
        for change in changes:
            key = (change.kind, change.name, change.fd, change.thread, change.pid, change.path)
            if scope and key in self._told:
                continue    # a test of the class, or a class of the module
            self._told.add(key)
            acquisition = self._opened(change)
            if change.kind in pending.KINDS:
                self._pending.append(pending.Pending(change, test, acquisition, identity.target(change.fd)))
            else:
                self._fresh.append(wording_process.of_change(change, test, acquisition, change in back, scope > 0))

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
            self._fresh.append(wording.of_class(strclass(cls), holding, words.amount(total), total))

    def _left_open(self, holder: Any, form: str, test: str) -> None:
        """Tell which resources that the fixture *test* opened are still open on its class or module."""
        for name, value in list(vars(holder).items()):
            kind = kind_of(value)
            if kind is None or kind.is_open(value) is not True:
                continue
            opened = self._acquisitions.of(value)
            if opened is not None and opened.test == test:
                self._fresh.append(wording.of_scope(form % name, value, kind, opened, test))
                self._covered |= parts.held(value, opened)[0]
                self._acquisitions.connection_told(value)

    def _judge_class(self) -> None:
        survivors, self._survivors = self._survivors, []
        waiting, self._pending = self._pending, []
        fresh, self._fresh = self._fresh, []
        try:
            # Those that fixtures opened, and those of tests that could not be measured.
            survivors += [Survivor("resource", test, "", each) for each, test in
                          self._acquisitions.connections_left(
                              self._connections, {each.key for each in survivors},
                              "setUpModule (%s)" % self._module)]
            if survivors or waiting or fresh:
                self._judge_all(survivors, waiting, fresh)
        except Exception:
            self._fault(strclass(self._class) if self._class else "this run")

    def _judge_all(self, survivors: List[Survivor], waiting: List[Pending], fresh: List[Leak]) -> None:
        leaks, covered = self._objects(survivors) if survivors else ([], set())
        fresh += leaks
        if waiting:
            covered = covered | self._covered | self._acquisitions.connection_descriptors()
            fresh += pending.told(waiting, covered, fresh)
        self._covered = set()
        self.tell(fresh)

    def _objects(self, survivors: List[Survivor]) -> Tuple[List[Leak], Set[object]]:
        try:
            if self._judge is None:
                self._judge = judge.Judge(self._acquisitions, self._imported)
            return self._judge.objects(survivors)
        except Exception:
            self._fault(survivors[0].test)
            return [], set()
        finally:
            if heap.thawed():
                heap.full()

    def tell(self, leaks: List[Leak]) -> List[Leak]:
        """Take the leaks of a class that is over; return those that are news."""
        return self._news.take(leaks)


if hasattr(os, "register_at_fork"):
    # A child of a test runs on and finds nothing. Asking for the process id at each test costs more.
    os.register_at_fork(after_in_child=Finder._active.clear)
