"""The state of the process before a test and after it.

Cheap counters first; only where one differs, a collection and some patience, and then the facts.
"""
from __future__ import annotations

import gc
import time
from functools import partial
from typing import (
    TYPE_CHECKING,
    Callable,
    Collection,
    Dict,
    Iterable,
    List,
    Optional,
    Set,
    Tuple,
    Type,
    TypeVar,
)
from weakref import ref

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind, later
from unittest_leakfix._core.ownership import COUNTED
from unittest_leakfix.process_state import (
    environment,
    interpreter_settings,
    library_settings,
)
from unittest_leakfix.process_state.base import SURELY, Change, FoundChange, Monitor, Pace
from unittest_leakfix.process_state.children import Children
from unittest_leakfix.process_state.contexts import ContextVariables, DecimalContext
from unittest_leakfix.process_state.descriptors import Descriptors
from unittest_leakfix.process_state.event_loops import CurrentLoop, Loops
from unittest_leakfix.process_state.loaded_modules import LoadedModules
from unittest_leakfix.process_state.locks import Locks
from unittest_leakfix.process_state.logging_state import Logging
from unittest_leakfix.process_state.patches import MockPatches, ModuleAttributes, UsualFunctions
from unittest_leakfix.process_state.setting_table import Table
from unittest_leakfix.process_state.tempfiles import TemporaryPaths
from unittest_leakfix.process_state.threads import Threads
from unittest_leakfix.process_state.warning_filters import WarningFilters
from unittest_leakfix.tracing.acquisitions import Acquisitions

if TYPE_CHECKING:
    from unittest_leakfix.leaks.model import kinds
else:
    kinds = later(globals(), "leaks.model.kinds")

__unittest = True
bind(globals())

__all__ = ["Change", "ProcessState"]

_live: List["ref[ProcessState]"] = []


def live() -> List["ProcessState"]:
    """Return the states that are alive."""
    return [state for state in (each() for each in _live) if state is not None]


RESTORED: Optional[Collection[str]] = None
"""The kinds of changes that `restore` puts back; None for those that are said to be."""


Make = Callable[[Optional[Acquisitions]], Monitor]
_Kind = TypeVar("_Kind", bound=Monitor)

#: What makes each monitor, in the order in which changes are reported. One line adds one: see
#: `Monitor`, which says how to write it.
MONITORS: Tuple[Make, ...] = (
    lambda _: Threads(), Children, Descriptors,
    environment.Environment, environment.WorkingDirectory, lambda _: environment.ImportPath(),
    lambda _: MockPatches(), lambda _: UsualFunctions(), lambda _: Logging(),
    lambda _: WarningFilters(),
    lambda _: interpreter_settings.signals(), lambda _: interpreter_settings.objects(),
    lambda _: interpreter_settings.values(), interpreter_settings.Umask,
    LoadedModules, lambda _: CurrentLoop(), lambda _: ContextVariables(),
    lambda _: DecimalContext(), Loops, TemporaryPaths,
    partial(Table, interpreter_settings.ROWS + library_settings.ROWS),
    lambda _: ModuleAttributes(), lambda _: interpreter_settings.other_signals(),
    lambda _: Locks(),
)


class ProcessState:
    """Watches one process: `before()`, run something, `after()`.

    With `acquisitions` it also sees temporary paths and loops that are not current.
    """

    _sleep = staticmethod(time.sleep)
    _clock = staticmethod(time.monotonic)
    _collect = staticmethod(gc.collect)

    def __init__(self, acquisitions: Optional[Acquisitions] = None,
                 without: Tuple[type, ...] = (), closely: bool = False,
                 pace: Pace = Pace()) -> None:
        """*without*: the monitors, by class, of what the framework puts back itself; *closely*:
        look at everything after each test, so that it can be put back before the next one; *pace*:
        says how often the expensive ones are looked at else."""
        self._pace = Pace() if closely else pace
        watches = [make(acquisitions) for make in MONITORS]
        for number, watch in enumerate(watches):
            watch.number = number
        watches = [watch for watch in watches if not isinstance(watch, without)]
        self._cheap: Tuple[Monitor, ...] = tuple(each for each in watches if each.per_test)
        self._slow: Tuple[Monitor, ...] = tuple(each for each in watches if not each.per_test)
        self._threads = self._only(Threads)
        self._children = self._only(Children)
        self._descriptors = self._only(Descriptors)
        self._logging = self._only(Logging)
        self._closely = closely
        self._looks = tuple((watch.exactly, watch) for watch in watches) if closely else tuple(
            (watch.same, watch) for watch in self._cheap)
        self._often: Set[Monitor] = set()     # the slow ones that are looked at in each window
        self._found: Set[Monitor] = set()     # those that had changed since `full` looked last
        self._based = False
        self._windows = 0
        self._last = 0      # the window after which there was a look
        self._undo: List[FoundChange] = []
        self._started: Set[str] = set()     # what patches replaced since `full` looked last
        self._outlasted: Dict[str, int] = {}
        _live.append(ref(self, _live.remove))

    def _only(self, kind: Type[_Kind]) -> _Kind:
        """Return the monitor of this *kind*."""
        return next(each for each in self._cheap + self._slow if type(each) is kind)

    def window(self) -> None:
        """Take what `absorb` needs of the time before."""
        for watch in self._cheap + self._slow:
            watch.window()
        self._based = True

    def absorb(self, since: "ProcessState") -> None:
        """Take into the base what has changed since *since* took its own: it is not a change of a
        test's."""
        if self._based:
            others: Dict[type, List[Monitor]] = {}    # one may be without some of the other's
            for each in since._cheap + since._slow:
                others.setdefault(type(each), []).append(each)
            for mine in self._cheap + self._slow:
                try:
                    if others.get(type(mine)):
                        mine.absorb(others[type(mine)].pop(0))
                except errors.PASSING:
                    raise
                except BaseException:   # something was left that cannot even be looked at
                    pass

    def before(self, costly: bool = False, whole: bool = False) -> List[Change]:
        """Take the base; return what has changed since the last look. Cheap while nothing has.

        With *costly* what only `full` looks at, too; *whole*: as `full` has it.
        """
        if not self._based:
            self._take_all()
            return []
        changed = self._differing_closely(whole) if costly else self._differing()
        return self._report(changed, None)

    def after(self, grace: float = 0.5) -> List[Change]:
        """Return what differs from the base now, and take the new state as the base.

        Threads, children and descriptors that are new are given up to `grace` seconds in all to
        end. ``windows`` of each change tells in how many of the last calls of this, and of `skip`,
        it may have come.
        """
        self._windows += 1
        return self.catch_up(grace)

    def skip(self) -> None:
        """Let a window pass without a look: what changed in it is seen by a later look."""
        self._windows += 1

    @property
    def behind(self) -> bool:
        """Tell whether the last windows passed without a look."""
        return self._windows > self._last

    def descriptor_count(self) -> Optional[int]:
        """Return how many descriptors were open at the last look, without ours; None if the last
        windows passed without one, or that cannot be known."""
        return None if self.behind else self._descriptors.known

    @property
    def whole(self) -> bool:
        """Tell whether each monitor was looked at closely since the last window."""
        return all(watch.looked == self._windows for watch in self._cheap + self._slow)

    def catch_up(self, grace: float = 0.5) -> List[Change]:
        """Look as `after` does, for the windows that have passed without."""
        return self._report(self._differing(), grace)

    def full(self, grace: float = 0.5, whole: bool = False) -> List[Change]:
        """Do what `after` does, and look at all that is too slow for each test.

        That is: which descriptors there are, every logger, locale, the attributes of
        much patched modules, as often as the pace allows; with *whole*, all of it. For once per
        class: some 50 us where nothing has changed. What is found to have changed is looked at in
        each window from then on, until a class was clean. The first call only takes the base. It is
        not a window itself: ``windows`` is 0 where `after` would have seen it.
        """
        if not self._based:
            self._take_all()
            return []
        found = self._report(self._differing_closely(whole), grace)
        for watch in self._often - self._found:
            self._often.remove(watch)
            watch.sharp = False
            self._looks = tuple(each for each in self._looks if each[1] is not watch)
        self._started.clear()
        self._found.clear()
        return found

    def restore(self, changes: Iterable[Change]) -> List[Change]:
        """Put back those of the last report's `changes` that are of `RESTORED`; return what
        was put back.

        What cannot be put back (the folder is gone) is left out of the answer, and raises nothing.
        """
        wanted, done = list(changes), []
        restored = kinds.restored_changes() if RESTORED is None else RESTORED
        for change, undo in self._undo:
            if undo is None or change not in wanted or change.kind not in restored:
                continue
            try:
                undo()
            except errors.PASSING:
                raise
            except BaseException:  # user code: a mapping, a module's __setattr__
                continue
            done.append(change)
        if done:
            self._undo = []
            # What was not looked at now may have changed: that is still to be seen.
            self._take([watch for watch in self._cheap + self._slow
                        if watch.per_test or watch.looked == self._windows])
        return done

    def _differing(self) -> List[Monitor]:
        try:
            return [watch for same, watch in self._looks if not same()]
        except errors.PASSING:
            raise
        except BaseException:
            # An object whose comparison raises was put in: look at each for itself.
            return [watch for watch in (*self._cheap, *self._often) if not _unchanged(watch.same)]

    def _differing_closely(self, whole: bool) -> List[Monitor]:
        """Return the watches that differ in anything; those that do not were looked at now."""
        changed = []
        for watch in self._cheap + self._slow:
            if not (watch.per_test or whole or self._pace.due(watch.number)):
                continue
            if _unchanged(watch.exactly) if watch.per_test else self._exactly(watch):
                watch.looked = self._windows
            else:
                changed.append(watch)
        return changed

    def _exactly(self, watch: Monitor) -> bool:
        """Look at an expensive monitor, against the clock."""
        began = self._pace.begin()
        try:
            return _unchanged(watch.exactly)
        finally:
            self._pace.looked(watch.number, began)

    def _take_all(self) -> None:
        self._take(self._cheap + self._slow)

    def _take(self, watches: Iterable[Monitor]) -> None:
        for watch in watches:
            watch.take()
            watch.looked = self._windows
        self._descriptors.retake()
        self._logging.retake()
        self._based = True
        self._last = self._windows

    def _report(self, watches: List[Monitor], grace: Optional[float]) -> List[Change]:
        """Return the changes that *watches* see, and take their bases anew; with a *grace*, after
        what may end by itself had that many seconds. All monitors were looked at now."""
        passed, self._last = self._windows - self._last, self._windows
        if not watches:
            return []
        if grace is not None:
            if not COUNTED and not all(_unchanged(watch.same) for watch in watches):
                self._collect()     # a folder, a file: perhaps garbage by now
            if any(watch.passing and not _unchanged(watch.same) for watch in watches):
                self._wait(grace)
        found: List[FoundChange] = []
        for watch in watches:
            began = None if watch.per_test else self._pace.begin()
            try:
                changes = watch.changes()
            except errors.PASSING:
                raise
            except BaseException:  # a test left something that cannot even be looked at
                changes = []
            windows = passed if watch.sharp or self._closely else self._windows - watch.looked
            found += [(change._replace(windows=passed if change.windows == SURELY else windows),
                       undo) for change, undo in changes]
            if changes and not watch.per_test and not self._closely:
                self._found.add(watch)
                if watch not in self._often:
                    self._often.add(watch)
                    watch.sharp = True
                    self._looks += ((partial(self._exactly, watch), watch),)
            watch.take()
            watch.looked = self._windows
            if not watch.per_test:
                self._pace.looked(watch.number, began)
            if grace is not None:
                watch.reported([change for change, _ in changes])
        self._started.update(change.name for change, _ in found if change.how == "started")
        found = _causes(found, self._started)
        if self._logging in watches:
            self._logging.retake()
        self._undo = [each for each in found if each[1] is not None]
        return [change for change, _ in found]

    def _wait(self, grace: float) -> None:
        """Collect, then wait in growing steps until nothing new runs any more or `grace` is over.

        What has outlasted its grace before gets half as long each time: a suite in which every test
        leaves the same thread must not take half a second for each.
        """
        self._collect()
        cause = self._cause()
        grace /= 2 ** self._outlasted.get(cause, 0)
        end = self._clock() + grace
        step, slept = 0.0005, 0.0
        while self._waits():
            # a clock that a test has frozen stands still
            left = min(end - self._clock(), grace - slept)
            if left <= 0:
                self._outlasted[cause] = min(self._outlasted.get(cause, 0) + 1, 6)
                return
            self._sleep(min(step, left))
            slept += min(step, left)
            step *= 2

    def _waits(self) -> bool:
        if self._threads.waits() or self._children.waits():
            return True
        # In the only thread, no descriptor is closed while it sleeps.
        alone = len(self._threads._running) < 2 and self._children.same()
        return not alone and not self._descriptors.same() and self._descriptors.waits()

    def _cause(self) -> str:
        return ",".join(sorted(found[0].runs for found in self._threads.changes())) or "other"


def _causes(found: List[FoundChange], started: Collection[str]) -> List[FoundChange]:
    """Return what was *found* without what only follows from another change.

    A patch that was *started* and not stopped is reported as such, and not again as replaced when
    the attributes are looked at; the time zone follows from its variable.
    """
    zone = any(change.kind == "environment" and change.name == "TZ" for change, _ in found)
    modules = "dictionary sys.modules" in started
    return [(change, undo) for change, undo in found
            if not (change.how != "started" and change.name in started
                    or zone and change.name == "time.tzname"
                    or modules and change.kind == "module")]


def _unchanged(look: Callable[[], bool]) -> bool:
    """Return what *look* tells, a monitor's ``same`` or ``exactly``."""
    try:
        return look()
    except errors.PASSING:
        raise
    except BaseException:  # an object whose comparison raises was put in: that is a difference
        return False

