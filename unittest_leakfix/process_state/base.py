"""Change: one way in which the process differs from what it was before a test."""
from __future__ import annotations

from operator import is_
from typing import Any, Callable, Hashable, List, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())


class Change(NamedTuple):
    """What differs: facts, which ``leaks.report.describe`` words. It keeps nothing alive, and shows
    no secret.

    ``fd`` to ``oid`` find the acquisition.
    """

    kind: str
    """"thread", "descriptor", "environment", ...: the modules that watch them list theirs."""
    name: str
    """Which one."""
    how: str = ""
    """One of HOW; "" where there is only one way."""
    before: str = ""
    """The value before, "" where there was none; and so for after."""
    after: str = ""
    restorable: bool = False
    fd: int = -1
    thread: int = 0
    """Its ident."""
    pid: int = 0
    path: str = ""
    oid: int = 0
    """The id of a loop or task."""
    at: Optional[Frame] = None
    """Where a thread or task is now."""
    runs: str = ""
    """What a thread or task runs: the name of a function or coroutine."""
    daemon: bool = False
    timer: bool = False
    """The thread is a `threading.Timer`."""
    owner: str = ""
    """What has it: the logger of a handler, the class or module of what was closed."""
    added: Tuple[str, ...] = ()
    """Of a list: what was put in; and so for removed."""
    removed: Tuple[str, ...] = ()
    replaced: bool = False
    """Another list is in its place."""
    on: Tuple[str, str] = ("", "")
    """What a descriptor is open on: what that is, and its path or address: ("file",
    "/srv/orders.db")."""
    reused_by: str = ""
    """What a closed descriptor's number is open on now."""
    first: bool = False
    """There was none before, and `before` says why."""
    quiet: bool = False
    """It is put back by ``--restore``, and reported only when a later test fails with it."""
    windows: int = 1
    """In how many of the last windows it may have come; 1: in the one that has just ended, SURELY:
    so even if its watch is not looked at in each; 0: since then."""

    @property
    def key(self) -> Tuple[object, ...]:
        """What makes it the same as one that was seen before."""
        numbers = self.thread, self.pid, self.path
        if any(numbers):    # its name may differ: that of a child that has ended does
            return (self.kind,) + numbers
        return self.kind, self.name, self.owner, self.fd, self.oid


SURELY = -1
HOW = ("added", "removed", "changed", "replaced", "reordered", "started", "running", "ended",
       "open", "closed", "pending")
"""What ``Change.how`` may be."""

Undo = Optional[Callable[[], None]]
#: A change, with what puts it back (None where nothing can).
FoundChange = Tuple[Change, Undo]


def includes(entries: Sequence[Any], wanted: Any, equal: Callable[[Any, Any], bool]) -> bool:
    """Tell whether one of *entries* is *equal* to *wanted*, whatever equality it has itself."""
    return any(equal(each, wanted) for each in entries)


def same_entries(one: Sequence[Any], other: Sequence[Any],
                 equal: Callable[[Any, Any], bool]) -> bool:
    """Tell whether two lists have the same entries, or *equal* ones, in the same order."""
    if len(one) != len(other):
        return False
    return all(map(is_, one, other)) or all(map(equal, one, other))


def merged(base: List[Any], before: List[Any], after: List[Any],
           equal: Callable[[Any, Any], bool]) -> List[Any]:
    """Return *base* with what was added to a list, and taken out of it, between *before* and
    *after*."""
    if len(base) == len(before) and all(map(equal, base, before)):
        return list(after)
    found = [each for each in base
             if includes(after, each, equal) or not includes(before, each, equal)]
    front: List[Any] = []
    for place, each in enumerate(after):
        if not includes(before, each, equal) and not includes(found, each, equal):
            # At the front, if nothing that was there before is in front of it.
            if any(includes(before, earlier, equal) for earlier in after[:place]):
                found.append(each)
            else:
                front.append(each)
    return front + found


class Pace:
    """Says how often the expensive monitors are looked at. This one: always."""

    def due(self, monitor: int) -> bool:
        """Tell whether the *monitor* of that number is looked at around the class under way."""
        return True

    def affords(self, what: Hashable) -> bool:
        """Tell whether *what* has this name, a look of another sort, can be done now."""
        return True

    def begin(self) -> Any:
        """Begin to time a look. Returns what `looked` and `spent` want."""

    def spent(self, what: Hashable, phase: str, began: Any) -> None:
        """Note what a look of this name cost in a *phase*."""

    def looked(self, monitor: int, began: Any) -> None:
        """Note what a look at the *monitor* of that number cost."""


class Monitor:
    """One aspect of the process: what it is now, and how that differs from what it was.

    How to add one: a subclass with `take`, `same` and `changes` (``exactly`` and ``absorb`` where
    they can do better than here), and a row in ``monitors.MONITORS``. It says how expensive it is
    by ``per_test``:

    - True: `same` takes at most a microsecond while nothing has changed: a comparison of
      identities, a flag that an audit event sets. It is called after each test.
    - False: it is looked at by `exactly` when a class of tests is over. If something was found to
      have changed, it is looked at after each test from then on, until a class was clean.

    What each of the second sort costs is measured (`Pace`), and one that takes more than its share
    of the tests' time is looked at after several classes. A change is then of one of all tests
    since the last look: that is not the monitor's affair. `window` and `absorb` are called around
    each first import of a module.
    """

    #: cheap enough for a look after each test
    per_test = True
    #: may go away by itself: worth a collection and some patience
    passing = False
    #: `same` sees whatever `changes` sees, so that a change is of the window that has just ended
    sharp = True
    #: the window after which it was looked at closely for the last time
    looked = 0
    #: its place in ``monitors.MONITORS``, by which a `Pace` knows it
    number = 0

    def take(self) -> None:
        """Take the base: what is now counts as "before"."""
        raise NotImplementedError

    def same(self) -> bool:
        """Return True when nothing is seen to differ from the base."""
        raise NotImplementedError

    def exactly(self) -> bool:
        """Return True when nothing differs from the base: what `changes` would see, too."""
        return self.same()

    def changes(self) -> List[FoundChange]:
        """Return how the process differs from the base."""
        raise NotImplementedError

    def reported(self, changes: List[Change]) -> None:
        """Take note that these *changes* are reported."""

    def window(self) -> None:
        """Take what `absorb` needs of the time before: the base, as a rule."""
        self.take()

    def absorb(self, since: Any) -> None:
        """Take into the base what has changed since *since*, a watch of the same kind, took its
        own."""

    def waits(self) -> bool:
        """Return True when something that differs may still end by itself."""
        return False
