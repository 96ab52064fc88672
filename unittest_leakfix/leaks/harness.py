"""What runs the tests, where that keeps objects of its own while they run: pytest, by its plugin."""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple, Optional

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


class Named(NamedTuple):
    """An object by which a harness keeps others, and what it is called: "fixture registry"."""

    value: Any
    name: str
    place: str


class Harness:
    """What runs the tests, if it keeps objects of its own for the whole run.

    While one is `running`, the frames of this thread are its own, and no holders.
    """

    def named(self) -> Iterable[Named]:
        """Return what of it keeps objects for good."""
        return ()


running: Optional[Harness] = None
