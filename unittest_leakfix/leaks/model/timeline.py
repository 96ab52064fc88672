"""Timeline: what each test of a run took, in columns, in order of running."""
from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

Figures = Tuple[Optional[int], ...]

KERNEL, RESOURCE = "kernel", "resource"
"""Where the figures for memory are from: resident memory as the kernel counts it; or what the
module ``resource`` has, the most that was ever resident, which only rises."""


class OverLimit(NamedTuple):
    """A test that kept more than it may."""

    test: str
    grown: int
    """What it kept, in bytes."""
    limit: int
    again: Optional[int] = None
    """What it kept when it ran for the second time in a process of its own; None: not known."""
    why: str = ""
    """Why that is not known."""

    @property
    def fails(self) -> bool:
        """Whether that fails the test."""
        return self.again is not None and self.again > self.limit


class Timeline(NamedTuple):
    """The columns, all of one length: an item for each test, None where it is not known.

    Memory is in bytes. Of parallel workers it has the tests of one after the other.
    """

    tests: Tuple[str, ...] = ()
    """Ids."""
    started: Tuple[float, ...] = ()
    """Seconds since the run of this process began."""
    seconds: Tuple[float, ...] = ()
    """How long the test took, with its setUp and tearDown."""
    resident: Figures = ()
    """Resident memory after it."""
    peak: Figures = ()
    """The most that was resident while it ran."""
    kept: Figures = ()
    """By how much resident memory grew over it; below 0 where it shrank."""
    objects: Figures = ()
    """Blocks of Python's memory in use after it, about one for an object. Sampled."""
    descriptors: Figures = ()
    """Open descriptors after it."""
    connections: Figures = ()
    """Open connections to database servers after it. Sampled."""
    threads: Figures = ()
    """Threads that run after it, with the main thread."""
    traced: Figures = ()
    """By how much what `tracemalloc` traces grew over it; empty where that was not asked for."""
    source: str = ""
    """`KERNEL`, `RESOURCE` or "" where neither tells anything about memory."""
    exact: bool = False
    """Whether ``peak`` is the peak of each test, and not just the most of before and after it."""
    most: Optional[int] = None
    """How many tests the report lists; None where it was recorded for something else."""
    processes: int = 1
    limits: Tuple[OverLimit, ...] = ()
    """The tests that kept more than they may."""


COLUMNS = Timeline._fields[:11]
_PLAIN = ("source", "exact", "most", "processes")


def joined(parts: Sequence[Tuple[str, Optional[Timeline]]]) -> Optional[Timeline]:
    """Return the timelines of several workers, with their names, as one; None for none. A worker
    may have several."""
    processes = {worker: part.processes for worker, part in parts if part is not None}
    known = [part for _, part in parts if part is not None]
    if len(known) < 2:
        return known[0] if known else None
    columns: Dict[str, Any] = {
        name: tuple(each for part in known for each in getattr(part, name)) for name in COLUMNS}
    return Timeline(**columns, source=known[0].source, exact=all(part.exact for part in known),
                    most=known[0].most, processes=sum(processes.values()),
                    limits=tuple(each for part in known for each in part.limits))


def to_value(timeline: Timeline, name: Any) -> Dict[str, Any]:
    """Return it as a dict of lists, numbers and text; *name* makes the text of each id."""
    value: Dict[str, Any] = {column: list(getattr(timeline, column)) for column in COLUMNS}
    value["tests"] = list(map(name, timeline.tests))
    for column in ("started", "seconds"):
        value[column] = [round(each, 6) for each in value[column]]
    value["limits"] = [dict(each._asdict(), test=name(each.test)) for each in timeline.limits]
    return dict(value, **{field: getattr(timeline, field) for field in _PLAIN})


def from_value(value: Dict[str, Any]) -> Timeline:
    """Return the timeline that `to_value` made *value* of."""
    fields: Dict[str, Any] = {column: tuple(value.get(column, ())) for column in COLUMNS}
    fields["limits"] = tuple(OverLimit(**each) for each in value.get("limits", ()))
    return Timeline(**fields, **{name: value[name] for name in _PLAIN if name in value})
