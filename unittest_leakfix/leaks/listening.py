"""What a finder hears through while a run goes on, and which finder of several is the one that hears."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import originals
from unittest_leakfix import attributes, holdings
from unittest_leakfix.heap import heap
from unittest_leakfix.ownership import COUNTED
from unittest_leakfix.watcher import Watcher

from .acquisitions import Acquisitions
from .census import Census
from .complaints import Complaints
from .first_imports import FirstImports
from .later import Later
from .overheard import Overheard
from .process import ProcessState
from .uncounted import NoCensus, NoComplaints

if TYPE_CHECKING:
    from . import wording
    from .leak import Leak
else:
    wording = Later("wording")

__unittest = True
bind(globals())


class Listening(Watcher):
    """A `Watcher` with ears, open between `start` and `stop`."""

    _getpid = staticmethod(os.getpid)
    _active: List["Listening"] = []
    _without: Tuple[type, ...] = ()     # what a runner puts back by itself

    def __init__(self) -> None:
        self._acquisitions = Acquisitions()
        if COUNTED:
            self._complaints = Complaints(self._acquisitions)
            self._overheard = Overheard(self._acquisitions)
            self._census = Census()
        else:
            self._complaints = self._overheard = NoComplaints(self._acquisitions)
            self._census = NoCensus()
        self._first_imports = FirstImports(lambda: ProcessState(self._acquisitions, self._without))
        self._fresh: List[Leak] = []        # of the class that runs
        self._let_go: List[int] = []        # ids of connections that die with the test
        self._test = ""                     # the one that runs
        self._pid = 0
        self._installed = False

    @staticmethod
    def hear(leak: Leak) -> bool:
        """Take a leak that somebody else has found, for the class that runs; False where nobody finds."""
        active = Listening._active
        if not active or not active[-1].here():
            return False
        active[-1]._fresh.append(leak)
        return True

    def start(self) -> bool:
        """Begin to listen. Returns whether this is the finder that finds."""
        if Listening._active:
            return False
        self._listen(True)
        return True

    def _listen(self, first: bool) -> None:
        Listening._active.append(self)
        self._pid = self._getpid()
        self._installed = first
        if first:
            self._acquisitions.install()
            self._first_imports.install()
        self._states = tuple(self._state() for _ in range(3))
        holdings.listeners.append(self._closing)
        attributes.drop_listeners.append(self._dropping)
        self._connections = self._acquisitions.connections_mark()

    def _state(self) -> ProcessState:
        """Return what watches the process from now on."""
        state = ProcessState(self._acquisitions, self._without)
        state._collect = heap.collect_new  # type: ignore[assignment]
        state.before()
        return state

    def stop(self) -> None:
        """Judge what is left and stop listening, whatever happens."""
        try:
            if self.here():
                self._complaints.remove()
                self._overheard.remove()
                self._over()
        finally:
            self._deafen()

    def _deafen(self) -> None:
        if self.here() and self._installed:
            self._first_imports.remove()
            self._acquisitions.remove()
        holdings.listeners[:] = [each for each in holdings.listeners if each != self._closing]
        attributes.drop_listeners[:] = [
            each for each in attributes.drop_listeners if each != self._dropping]
        if self in Listening._active:
            Listening._active.remove(self)

    def here(self) -> bool:
        """Tell whether this is the process that started; a test may fork, and the child run on."""
        return self._getpid() == self._pid

    def _over(self) -> None:
        """Judge what is left."""
        raise NotImplementedError

    def _alive(self) -> bool:
        active = Listening._active
        return bool(active) and active[-1] is self     # none in a forked child

    @originals.around
    def _closing(self, owner: Any, found: holdings.Found) -> None:
        test = self._test or self._acquisitions.current
        if test and self._alive():
            self._fresh.append(wording.of_closing(
                found, self._acquisitions.of(found.value), test))
            if found.kind.awaits(found.value):
                self._let_go.append(id(found.value))

    def _dropping(self, values: Dict[str, Any]) -> None:
        if self._test and self._alive():
            self._census.attributes(values)


if hasattr(os, "register_at_fork"):
    # A child of a test runs on and finds nothing. Asking for the process id at each test costs more.
    os.register_at_fork(after_in_child=Listening._active.clear)
