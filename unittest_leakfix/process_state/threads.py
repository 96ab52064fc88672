"""Threads that were started and still run. Kind: "thread"."""
from __future__ import annotations

import sys
import threading
from _thread import _count
from types import FrameType, FunctionType, MethodType
from typing import Callable, Dict, List, Tuple
from weakref import ref

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import module_slot, name_slot
from unittest_leakfix._core.ownership import ours
from unittest_leakfix.process_state.base import Change, FoundChange, Monitor
from unittest_leakfix.resources.client_table import ENDING
from unittest_leakfix.tracing import os_facts, value_text
from unittest_leakfix.tracing.stacks import now_at

__unittest = True
bind(globals())
_Timer = threading.Timer
_MANY_ENDING = 12
"""The number of threads that are to end and are not waited for."""


class Threads(Monitor):
    """Watches `threading`'s threads, and those that were started below it."""

    passing = True
    _running: Dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]
    _frames: Callable[[], Dict[int, FrameType]] = staticmethod(sys._current_frames)

    def __init__(self) -> None:
        self._base: Dict[int, "ref[threading.Thread]"] = {}
        self._raw: Tuple[int, ...] = ()
        self._count = 0

    def take(self) -> None:
        self._base = {ident: ref(thread) for ident, thread in list(self._running.items())}
        self._raw = tuple(self._raw_threads()) if _count() else ()
        self._count = _count() - len(ours)

    def absorb(self, since: "Threads") -> None:
        for ident, thread in since.new():
            self._base[ident] = ref(thread)
        self._raw += tuple(ident for ident in self._raw_threads() if ident not in since._raw)
        self._count += max(_count() - len(ours) - since._count, 0)

    def same(self) -> bool:
        if _count() - len(ours) > self._count:
            return False
        base = self._base
        try:
            for ident, thread in self._running.items():
                known = base.get(ident)
                if known is None or known() is not thread:
                    return False
        except RuntimeError:  # one started or ended just now
            return False
        return True

    def waits(self) -> bool:
        if sum(map(_is_ending, list(self._running.values()))) > _MANY_ENDING:
            return True     # not to be more than the tests may have
        return bool(self.new()) or any(ident not in self._raw for ident in self._raw_threads())

    def new(self) -> List[Tuple[int, threading.Thread]]:
        """Return the running threads that were not there before: (ident, thread)."""
        base = self._base
        found = []
        # a thread of another library's stays in the list after its end (3.11)
        alive = self._frames()
        for ident, thread in list(self._running.items()):
            known = base.get(ident)
            if ((known is None or known() is not thread) and ident in alive
                    and not _waits_in_its_pool(thread) and not _is_ending(thread)):
                found.append((ident, thread))
        return found

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        for ident, thread in self.new():
            held = os_facts.attributes(thread)
            runs = held.get("_target") or type(thread).run
            found.append((Change(
                "thread", redaction.shown(str(held.get("_name", "?"))), thread=ident,
                at=now_at(ident),
                runs=value_text.name_text(runs), daemon=bool(held.get("_daemonic")),
                timer=issubclass(type(thread), _Timer),
            ), None))
        for ident in self._raw_threads():
            if ident not in self._raw:
                found.append((Change(
                    "thread", "without a Thread object", thread=ident, at=now_at(ident),
                ), None))
        return found

    def _raw_threads(self) -> List[int]:
        running = self._running
        return [ident for ident in self._frames() if ident not in running and ident not in ours]


def _is_ending(thread: threading.Thread) -> bool:
    """Tell whether a client was closed, and its thread will see that before long."""
    target = os_facts.attributes(thread).get("_target")
    runs = getattr(target, "__self__", None) if type(target) is MethodType else None
    stopped = ENDING.get((module_slot(type(runs)), name_slot(type(runs))))
    return stopped is not None and bool(os_facts.attributes(runs).get(stopped))


def _waits_in_its_pool(thread: threading.Thread) -> bool:
    """Tell whether a thread is one of an executor that takes work, which starts them as it needs
    them: those of an event loop, of a class, of the application. The executor ends them, and is
    itself reported where a test left it."""
    held = os_facts.attributes(thread)
    target, given = held.get("_target"), held.get("_args")
    if (type(target) is not FunctionType or target.__module__ != "concurrent.futures.thread"
            or type(given) is not tuple or not given or type(given[0]) is not ref):
        return False
    executor = given[0]()
    return executor is not None and not os_facts.attributes(executor).get("_shutdown", True)
