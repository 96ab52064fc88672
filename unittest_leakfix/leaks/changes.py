"""The changes of the process's state that tests and fixtures left, made into leaks."""
from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Set, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import originals
from unittest_leakfix.databases import frameworks

from . import identity
from .acquisitions import Acquisition, Acquisitions
from .change import Change
from .later import Later

if TYPE_CHECKING:
    from . import pending, wording_process
    from .leak import Leak
else:
    pending, wording_process = Later("pending"), Later("wording_process")

__unittest = True
bind(globals())

_DESCRIPTORS = ("descriptor", "closed descriptor")


class Changes:
    """Tells each change once: by its test, not again by the fixtures around it."""

    def __init__(self, acquisitions: Acquisitions) -> None:
        self._acquisitions = acquisitions
        self._told: Set[Tuple[Any, ...]] = set()
        self.pending: List[pending.Pending] = []
        """Those to be told when their class is over."""
        self.waited = False
        """Threads or children that a test left were waited for."""

    def grace(self) -> float:
        """Return the patience for what a fixture left: none, if it was all waited for already."""
        return 0.0 if self.waited else 0.5

    def forget(self) -> None:
        """The module is over."""
        self._told.clear()
        self.waited = False

    @originals.around
    def leaks(self, changes: Sequence[Change], test: str, back: Sequence[Change], fixture: bool) -> List[Leak]:
        """Return the leaks of *test* that are told at once; the others wait in ``pending``.

        *back*: those that were put back. *fixture*: *test* is one, around tests whose own changes
        were told already.
        """
        fresh: List[Leak] = []
        for change in changes:
            if change.kind in _DESCRIPTORS and frameworks.owns(
                    change.fd, change.name, change.kind == "closed descriptor"):
                continue
            if change.thread and frameworks.runs(change.thread):
                continue
            if fixture and change.key in self._told:
                continue    # a test of the class, or a class of the module
            self._told.add(change.key)
            acquisition = self._opened(change)
            if change.kind in pending.KINDS:
                self.pending.append(pending.Pending(change, test, acquisition, identity.target(change.fd)))
            else:
                fresh.append(wording_process.of_change(change, test, acquisition, change in back, fixture))
        return fresh

    def _opened(self, change: Change) -> Optional[Acquisition]:
        if change.thread:
            thread = threading._active.get(change.thread)  # type: ignore[attr-defined]
            return None if thread is None else self._acquisitions.of_thread(thread)
        if change.pid:
            return self._acquisitions.of_pid(change.pid)
        if change.path:
            return self._acquisitions.of_path(change.path)
        if change.oid:
            live = self._acquisitions.live(change.kind)
            return next((self._acquisitions.of(each) for each in live if id(each) == change.oid), None)
        return self._acquisitions.of_descriptor(change.fd) if change.fd >= 0 else None
