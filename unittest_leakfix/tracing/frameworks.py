"""Frameworks that open connections for the code under test: what they call one, and which they
keep.

One that is in use puts itself into `frameworks`, as `unittest_leakfix.django` does.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Protocol, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.resources.registry import kind_of

if TYPE_CHECKING:
    from unittest_leakfix.tracing.opened_connections import ConnectionRecord

__unittest = True
bind(globals())


class Framework(Protocol):
    """One that opens connections for others and looks after some of them."""

    def name_of(self, connection: object) -> str:
        """Return what it calls the connection: "connection 'default'"; "" for none of its own."""

    def opening_of(self, connection: object) -> Optional[ConnectionRecord]:
        """Return the record of one that no driver's patch records (sqlite3); None for none of its
        own."""

    def remedy_of(self, connection: object) -> str:
        """Return the one line for the user's code that ends it; "" for none of its own."""

    def keeps(self, connection: object) -> bool:
        """Tell whether the connection stays open on purpose: it is not a leak of a test."""

    def runs_thread(self, thread: int) -> bool:
        """Tell whether the thread of that number runs on purpose."""

    def owns_descriptor(self, fd: int, on: Tuple[str, str], closed: bool) -> bool:
        """Tell whether the descriptor *fd* is of one that it keeps; was, if it is *closed*.

        *on*: what it is open on, as ("socket", "127.0.0.1:80").
        """


frameworks: List[Framework] = []


def stays_open(connection: object) -> bool:
    """Tell whether a framework keeps *connection* open on purpose."""
    return any(each.keeps(connection) for each in frameworks)


def runs_thread(thread: int) -> bool:
    """Tell whether the thread of that number is a framework's own, which runs on purpose."""
    return any(each.runs_thread(thread) for each in frameworks)


def owns_descriptor(fd: int, on: Tuple[str, str], closed: bool) -> bool:
    """Tell whether a descriptor is a framework's own, which it opens and closes at any time."""
    return any(each.owns_descriptor(fd, on, closed) for each in frameworks)


def opening_of(connection: object) -> Optional[ConnectionRecord]:
    """Return a framework's own record of a connection, None where there is none."""
    return next(filter(None, (each.opening_of(connection) for each in frameworks)), None)


def remedy_of(connection: object) -> str:
    """Return the one line for the user's code that ends a connection of a framework's; "" for
    another's."""
    return next(filter(None, (each.remedy_of(connection) for each in frameworks)), "")


def place_of(connection: object, driver: str, name: str = "") -> str:
    """Return what a connection is and where it leads: "connection 'default' to app@db:5432/shop".

    *name*: what its framework calls it, "" to ask.
    """
    kind = None if connection is None else kind_of(connection)
    place = "%s connection" % driver if kind is None else kind.describe(connection)
    name = name or next(filter(None, (each.name_of(connection) for each in frameworks)), "")
    return name + "".join(place.partition(" to ")[1:]) if name else place
