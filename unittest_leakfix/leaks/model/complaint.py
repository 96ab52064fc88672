"""Complaint: what the interpreter or asyncio said about something that was dropped, as facts."""
from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.tracing.acquisitions import Acquisition
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())


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
