"""Seen: what was seen of one leak, as values. ``report.describe`` makes its sentences of them.

`Survivor` and `Complaint` are what was noted, before it is known whether that is a leak.
"""
from __future__ import annotations

from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Tuple, Union

from unittest_leakfix._core.early import bind
from unittest_leakfix.tracing.acquisitions import Acquisition
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())


class Survivor:
    """One object that outlived its test. Compared by identity alone: the comparison of
    two weak references compares their objects.

    what: "test", "attribute", "instance" or "resource"; name: how the test had it ("self.db", or
    the name of a *fixture* of pytest's), "" otherwise; ref: calls for the object, None once it is
    gone; type, module: of its class; key: its id; nth: which test of the run that was; more: calls
    for others of its class that outlived the same test; apart: each of them is to be judged for
    itself, as long as there are few; seen: it was classified before; reported: it was reported;
    among: the ids of the tests of which one has left it, where objects were not counted after each.
    """

    __slots__ = ("what", "test", "name", "fixture", "type", "module", "ref", "key", "nth", "more",
                 "apart", "seen", "reported", "among")

    def __init__(self, what: str, test: str, name: str, fixture: bool, type: str, module: str,
                 ref: Callable[[], Any], key: int) -> None:
        self.what, self.test, self.name, self.fixture = what, test, name, fixture
        self.type, self.module, self.ref, self.key = type, module, ref, key
        self.nth = 0
        self.more: List[Callable[[], Any]] = []
        self.apart = self.seen = self.reported = False
        self.among: Tuple[str, ...] = ()

    def separate(self) -> List["Survivor"]:
        """Return one for each of the objects that are alive, of those that this stands for."""
        found: List[Survivor] = []
        for ref in self.refs():
            value = ref()
            if value is not None:
                one = Survivor(self.what, self.test, self.name, self.fixture, self.type,
                               self.module, ref, id(value))
                one.nth, one.among = self.nth, self.among
                found.append(one)
        return found

    def refs(self) -> Iterator[Callable[[], Any]]:
        """Return what calls for each of the objects that this stands for."""
        yield self.ref
        yield from self.more

    def value(self) -> Any:
        """Return the object, or another one that this stands for and that is alive; else None."""
        found = self.ref()
        if found is None and self.more:
            found = next((each for each in (ref() for ref in self.more) if each is not None), None)
        return found


class Spot(NamedTuple):
    """A line of code that has to do with it."""

    how: str
    """What happened there: "dropped", "written", "made", "raised"; where a task is: "running",
    "defined"."""
    frame: Frame
    """Its ``function`` is "" where that is not known."""


class Complaint(NamedTuple):
    """One complaint, read once, when it was heard."""

    kind: str
    """"ResourceWarning", "unraisable exception", "coroutine was never awaited", "task was destroyed
    pending", "exception was never retrieved", "exception in thread"."""
    text: str
    """Its first line."""
    acquisition: Optional[Acquisition] = None
    """Of the resource or task."""
    spots: Tuple[Spot, ...] = ()
    error: str = ""
    """The last line of the traceback: "ValueError: no order"."""
    called: str = ""
    """The name of a coroutine that was not awaited."""
    loop_closed: bool = False
    """The error is that the event loop was closed already."""
    source: int = 0
    """The id of what a ResourceWarning is about, 0 if it does not say; of use in the test's own
    window only."""


class Resource(NamedTuple):
    """An open resource."""

    called: str
    """What it is: "file 'shop/orders.csv'"."""
    reached: str = ""
    """The user's expression for it, if it was found on a test, class or module: "self.db"."""
    awaited: bool = False
    """Its close must be awaited."""
    was_closed: bool = False
    """It was closed for the test."""
    without_loop: bool = False
    """It was let go instead, because no loop was left to await its close."""
    resource: str = ""
    """The name of its kind of resource: "process pool"."""
    type: str = ""
    """The name of its class."""
    state: str = ""
    """In which state it was found, if not in that which its kind says."""
    ends: Tuple[str, ...] = ()
    """Its methods that end it, in the order of registering them as clean-ups: "await aclose" for
    one that is awaited, "matplotlib.pyplot.close" for a function that takes it."""
    advice: str = ""
    """What the framework that keeps it would have one do."""
    others: Tuple[str, ...] = ()
    """The user's expressions for others that the same line opened for the same test."""


class Retained(NamedTuple):
    """A test or another object that something keeps."""

    type: str
    """The name of its class."""
    name: str = ""
    """How the test had it: "self.order"; "" where it had not."""
    fixture: bool = False
    """The name is that of a fixture of pytest's."""


class ClassAttributes(NamedTuple):
    """What a class still holds after its last test."""

    cls: str
    """The full name of the class."""
    size: int


class Changed(NamedTuple):
    """A way in which the process differs from what it was before the test."""

    change: Any
    """The `Change` of ``process_state``."""
    called: str
    """What has changed: "child process 'sleep 100'"."""
    put_back: bool = False


class Complained(NamedTuple):
    """What the interpreter or asyncio complained about."""

    complaint: Complaint
    called: str
    """What it is about: a resource, the name of a task, an error, the words of the complaint."""


class Grown(NamedTuple):
    """A container of the application's that has gained items."""

    place: Any
    """The `Place` of ``process_state.places``."""
    items: int
    size: int
    """Of what it has gained, in bytes."""
    container: str
    """"list", "dict", "set", "deque", "cache"."""


class ChangedState(NamedTuple):
    """A place of the application's state that is not what it was."""

    difference: Any
    """The `Difference` of ``process_state.module_state``, without what would put it back."""
    put_back: bool = False
    others: Tuple[Any, ...] = ()
    """Of other names of the same class or module, which were set with it."""


Seen = Union[Resource, Retained, ClassAttributes, Changed, Complained, Grown, ChangedState]
