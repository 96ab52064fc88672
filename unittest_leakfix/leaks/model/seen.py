"""Seen: what was seen of one leak, as values. ``report.describe`` makes its sentences of them."""
from __future__ import annotations

from typing import Any, NamedTuple, Tuple, Union

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.complaint import Complaint

__unittest = True
bind(globals())


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
    ends: Tuple[str, ...] = ()
    """Its methods that end it, in the order of registering them as clean-ups."""
    advice: str = ""
    """What the framework that keeps it would have one do."""


class Kept(NamedTuple):
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


Seen = Union[Resource, Kept, ClassAttributes, Changed, Complained]
