"""ListeningObserver: what a detector hears while a run goes on, and which of several hears it."""

from __future__ import annotations

import dataclasses
import enum
import fnmatch
import keyword
import os
import re
import tokenize
import unicodedata
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Set, Tuple

from unittest_leakfix._core import attributes
from unittest_leakfix._core.early import bind, held, later
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix._core.ownership import COUNTED
from unittest_leakfix._core.swap import originals
from unittest_leakfix.leaks.captured_warnings import ComplaintCapture, is_reported
from unittest_leakfix.leaks.governor import SLACK, Governor
from unittest_leakfix.leaks.passing_warnings import PassThroughCapture
from unittest_leakfix.leaks.retention import registries
from unittest_leakfix.leaks.survivors import SurvivorWatch
from unittest_leakfix.leaks.unmeasured import NoCapture, NoSurvivorWatch
from unittest_leakfix.observer import RunObserver
from unittest_leakfix.process_state.first_imports import FirstImports
from unittest_leakfix.process_state.monitors import ProcessState
from unittest_leakfix.resources import late_kinds, scan
from unittest_leakfix.tracing.acquisitions import Acquisitions
from unittest_leakfix.tracing.stacks import Frame

if TYPE_CHECKING:
    from unittest_leakfix.leaks import identify, resource_parts
    from unittest_leakfix.leaks.model import leak as leak_model
    from unittest_leakfix.leaks.model.leak import Leak
else:
    identify = later(globals(), "leaks.identify")
    leak_model = later(globals(), "leaks.model.leak")
    resource_parts = later(globals(), "leaks.resource_parts")

__unittest = True
bind(globals())
# What explains and reports, loaded when something was found: `held` has its code, and what it
# imports of the standard library is loaded.
LATE_LIBRARY = dataclasses, enum, fnmatch, keyword, re, tokenize, unicodedata
LATE = tuple(
    ["leaks." + name for name in ("classify", "fingerprint", "identify", "resource_parts", "sizes",
                                  "state_rules")]
    + ["leaks.model." + name for name in ("chain", "kinds", "leak", "remedy", "timeline")]
    + ["leaks.retention." + name for name in ("edges", "known_caches", "paths", "roots", "search")]
    + ["leaks.report." + name for name in (
        "__init__", "change_words", "describe", "memory_report", "reference_chain", "remedies",
        "remedy_text", "source_file", "state_words", "terminal", "text_report", "user_code")]
    + ["tracing." + name for name in ("deduced", "driver_ids", "writers")]
    + ["_core.redacted_source"])
late_kinds.load_all()     # nothing is imported while tests run


class ListeningObserver(RunObserver):
    """A `RunObserver` that listens to closing and dropping between `start` and `stop`."""

    _getpid = staticmethod(os.getpid)
    _active: List["ListeningObserver"] = []
    _without: Tuple[type, ...] = ()     # what a runner puts back by itself
    _closely = False    # everything is looked at after each test, to be put back

    def __init__(self) -> None:
        self._acquisitions = Acquisitions()
        if COUNTED:
            self._release_capture = ComplaintCapture(self._acquisitions)
            self._test_capture = PassThroughCapture(self._acquisitions)
            self._survivor_watch = SurvivorWatch()
        else:
            self._release_capture = self._test_capture = NoCapture(self._acquisitions)
            self._survivor_watch = NoSurvivorWatch()
        self._first_imports = FirstImports(lambda: ProcessState(self._acquisitions, self._without))
        self._governor = Governor()
        self._new_leaks: List[Leak] = []        # of the class that runs
        self._released_ids: List[int] = []        # ids of connections that die with the test
        self._released_lines: List[Frame] = []      # where clients were made that do
        # Of each client that was closed: its parts, what closes it with itself, its leak.
        self._clients: List[Tuple[Set[int], int, Leak]] = []
        self._test = ""                     # the one that runs
        self._pid = 0
        self._installed = False

    @staticmethod
    def accept(leak: Leak) -> bool:
        """Take a leak that other code has found, for the class that runs; False where nothing
        finds."""
        active = ListeningObserver._active
        if not active or not active[-1].here():
            return False
        active[-1]._new_leaks.append(leak)
        return True

    def loaded_in(self, seconds: float) -> None:
        """Note how long it took to load what finds."""
        self._governor.started(seconds)

    def start(self) -> bool:
        """Begin to listen. Returns whether this is the detector that finds."""
        if ListeningObserver._active:
            return False
        began = self._governor.begin()
        try:
            self._listen(True)
        finally:
            self._governor.add("starting", began)
        return True

    def _listen(self, first: bool) -> None:
        ListeningObserver._active.append(self)
        self._pid = self._getpid()
        self._installed = first
        if first:
            held.read(LATE, source=True)
            self._acquisitions.install()
            self._first_imports.install()
            registries.callbacks.install()
            heap.meter = self._collect_heap
        self._look_first()
        scan.listeners.append(self._closing)
        attributes.drop_listeners.append(self._dropping)
        self._connections = self._acquisitions.connections_mark()

    def _collect_heap(self, collects: Callable[[], None]) -> None:
        self._governor.collect(collects)
        heap.slack = self._governor.slack

    def _look_first(self) -> None:
        """Look at the process, which is watched from now on."""
        raise NotImplementedError

    def _state(self) -> ProcessState:
        """Return what watches the process from now on."""
        state = ProcessState(self._acquisitions, self._without, self._closely, self._governor)
        state._collect = heap.collect_new  # type: ignore[assignment]
        state.before()
        return state

    def stop(self) -> None:
        """Judge what is left and stop listening, whatever happens."""
        try:
            if self.here():
                self._release_capture.remove()
                self._test_capture.remove()
                self._classify_rest(True)
        finally:
            self._stop_listening()

    def _stop_listening(self) -> None:
        if self._installed:
            heap.meter, heap.slack = None, SLACK
        if self.here() and self._installed:
            self._first_imports.remove()
            registries.callbacks.remove()
            self._acquisitions.remove()
        scan.listeners[:] = [each for each in scan.listeners if each != self._closing]
        attributes.drop_listeners[:] = [
            each for each in attributes.drop_listeners if each != self._dropping]
        if self in ListeningObserver._active:
            ListeningObserver._active.remove(self)

    def here(self) -> bool:
        """Tell whether this is the process that started; a test may fork, and the child run on."""
        return self._getpid() == self._pid

    def _classify_rest(self, last: bool = False) -> None:
        """Judge what is left."""
        raise NotImplementedError

    def _is_active(self) -> bool:
        active = ListeningObserver._active
        return bool(active) and active[-1] is self     # none in a forked child

    @originals.around
    def _closing(self, owner: Any, found: scan.FoundResource) -> None:
        test = self._test or self._acquisitions.current
        if test and self._is_active():
            self._new_leaks.append(identify.of_closing(
                found, self._acquisitions.of_part(found.value, test), test))
            if found.kind.client:
                self._client_closing(found)
            elif found.kind.awaits(found.value):
                self._released_ids.append(id(found.value))

    def _client_closing(self, found: scan.FoundResource) -> None:
        """What is closed with a client is a part of it, and so are the complaints about that."""
        leak = self._new_leaks[-1]
        value, closer = found.value, found.kind.closed_with(found.value)
        parts = resource_parts.held_resources(value, None)[1] | {id(value)}
        parts.update(map(id, found.kind.parts(value)))
        if closer is not None and any(id(closer) in other for other, _, _ in self._clients):
            self._new_leaks.pop()
        else:
            inside = [each for _, other, each in self._clients if other in parts]
            self._new_leaks[:] = [each for each in self._new_leaks
                                  if not any(each is part for part in inside)]
        if closer is None:
            self._clients.append((parts, 0, leak))
        else:
            self._clients.append((set(), id(closer), leak))
        if leak.user_line is not None:
            self._released_lines.append(leak.user_line)
        self._released_ids.extend(parts)

    @originals.around
    def _take_complaints(self, test: str) -> None:
        for capture in (self._test_capture, self._release_capture):
            for complaint in capture.take():
                if not is_reported(complaint, self._released_ids, self._released_lines):
                    # What dies unclosed later is the leak of the test that opened it.
                    opened = complaint.acquisition.test if complaint.acquisition else ""
                    leak = identify.of_complaint(complaint, opened or test)
                    among = self._survivor_watch.among
                    self._new_leaks.append(leak if opened or not among else leak_model.like(
                        leak, tests=(), candidates=among))

    def _forget_released(self) -> None:
        """The test was let go of: the ids of what died with it may be of something else now."""
        self._released_ids.clear()
        self._released_lines.clear()
        self._clients.clear()

    def _dropping(self, values: Dict[str, Any]) -> None:
        if self._test and self._is_active():
            self._survivor_watch.attributes(values)


if hasattr(os, "register_at_fork"):
    # A child of a test runs on and finds nothing. Asking for the process id at each test costs
    # more.
    os.register_at_fork(after_in_child=ListeningObserver._active.clear)
