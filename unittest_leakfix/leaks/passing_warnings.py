"""What the interpreter and asyncio complain about while the test itself runs.

A pass-through: `warnings._showwarnmsg` and asyncio's logger are listened at, everything goes on to
where it went before, and the filters are the test's own. What the test catches (``assertWarns``,
``catch_warnings(record=True)``, ``assertLogs``) it expects, and is not reported.
"""
from __future__ import annotations

import sys
import threading
import warnings
from functools import partial
from operator import is_
from types import FrameType
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from unittest_leakfix._core.code_origin import HARNESS, RUNNER, USER, origin_of, short
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.captured_warnings import (
    ComplaintCapture,
    LoggerTap,
    have_looked_at,
    unraisable_text,
)
from unittest_leakfix.leaks.model.seen import Spot
from unittest_leakfix.process_state.warning_filters import LET_THROUGH
from unittest_leakfix.tracing import os_facts, sources
from unittest_leakfix.tracing.acquisitions import Acquisitions
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())

_getframe = sys._getframe
_exc_info = sys.exc_info


def catchers_now() -> Tuple[Any, ...]:
    """Return what shows warnings at this moment."""
    module: Any = warnings
    return module._showwarnmsg_impl, module.showwarning


_CATCHERS = catchers_now()


class PassThroughCapture(ComplaintCapture):
    """Listens between `install()` and `remove()`, and holds nothing back."""

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        super().__init__(acquisitions)
        self._shown: Set[Tuple[Any, ...]] = set()
        self._logger: Any = None
        self._hooks: Tuple[Any, Any] = (None, None)
        self._listens: Dict[str, sources.Listener] = {"sys.unraisablehook": self._on_ignored}
        self.catchers: Tuple[Any, ...] = _CATCHERS
        """What shows warnings when no test catches them; a runner may have its own."""
        self._filters: Any = None
        self._known: Tuple[Any, ...] = ()   # what was in that list
        self._logger_filters: Tuple[Any, ...] = ()
        self._stream: Any = None

    def install(self) -> None:
        """Begin to listen, to asyncio too once that is loaded. Twice is once."""
        self._let_through()
        # A test that puts a hook of its own there expects what comes.
        self._hooks = threading.excepthook, sys.unraisablehook
        self._stream = getattr(sys, "stderr", None)
        if self._swap:
            if self._logger is not None or "asyncio.base_events" not in sys.modules:
                self._logger_filters = self._filters_of_logger()
                return
            self.remove()
        self._show = warnings._showwarnmsg  # type: ignore[attr-defined]
        swapped: List[Tuple[Any, str, Any]] = [(warnings, "_showwarnmsg", self._handlers[0])]
        # Each thread gets from this what it calls when its function has raised: the hook itself
        # stays what it is, for the tests to see.
        make: Any = getattr(threading, "_make_invoke_excepthook", None)
        if make is not None:
            swapped.append((threading, "_make_invoke_excepthook", partial(self._invoking, make)))
        sources.add(self._listens)
        asyncio: Any = os_facts.loaded("asyncio.base_events")
        self._logger = getattr(asyncio, "logger", None)
        if self._logger is not None:
            swapped.append((asyncio, "logger", LoggerTap(self._logger, self._on_asyncio)))
        self._logger_filters = self._filters_of_logger()
        self._swap.put_each(swapped)

    def _filters_of_logger(self) -> Tuple[Any, ...]:
        filters = os_facts.attributes(self._logger).get("filters")
        return tuple(filters) if type(filters) is list else ()

    def _let_through(self) -> None:
        """Have ResourceWarning reach us where the filters ignore it, as pytest's and Python's own
        do. Nobody else sees more of them than before."""
        filters: Any = warnings.filters
        known = self._known
        if filters is self._filters and len(filters) == len(known) and all(
                map(is_, filters, known)):
            return      # as it was left
        self._filters = filters
        self._let_through_in(filters)
        self._known = tuple(filters)

    @staticmethod
    def _let_through_in(filters: Any) -> None:
        for place, (action, text, category, module, line) in enumerate(filters):
            if text is None and module is None and not line and issubclass(ResourceWarning,
                                                                           category):
                if action == "ignore":
                    # In place: what a test adds must stay in the list that it added it to.
                    filters.insert(place, LET_THROUGH)
                return

    def _is_ignored(self, text: str) -> bool:
        """Tell whether a ResourceWarning came only because we let it through."""
        for entry in list(warnings.filters):
            action, pattern, category, module, line = entry
            if entry is LET_THROUGH:
                return True
            if issubclass(ResourceWarning, category) and module is None and not line and (
                    pattern is None or hasattr(pattern, "match") and pattern.match(text)):
                return False
        return False

    def remove(self) -> None:
        """Listen no more."""
        lists: List[Any] = [warnings.filters, self._filters or []]
        let_through = False
        for filters in lists:
            for place in range(len(filters) - 1, -1, -1):
                if filters[place] is LET_THROUGH:
                    del filters[place]
                    let_through = True
        self._filters = None
        if let_through:     # a copy that a test made, and has put away, still has ours
            have_looked_at(warnings.filters)
        if self._swap:
            # What died meanwhile is not looked at, as it is in the window after the test.
            sources.remove(self._listens)
            acquisitions, self._acquisitions = self._acquisitions, None
            super().remove()
            self._acquisitions = acquisitions

    def _invoking(self, make: Callable[[], Any]) -> Callable[[Any], None]:
        """Return what a new thread calls when its function has raised."""
        invoke = make()

        def invoke_excepthook(thread: Any) -> None:
            try:
                self._on_raised(thread)
            except Exception:   # what is only watched must not fail
                pass
            invoke(thread)

        return invoke_excepthook

    def _on_raised(self, thread: Any) -> None:
        kind, value, trace = _exc_info()
        if kind is None or kind is SystemExit or self._is_read() or not _as_before(
                threading.excepthook, self._hooks[0]):
            return
        known = self._acquisitions
        self._add("exception in thread", str(thread.name), self._traceback(kind, value, trace),
                  known.of_thread(thread) if known is not None else None)

    def _is_read(self) -> bool:
        """Tell whether the test has put a stream of its own in the place of ``sys.stderr``: it
        reads there what is printed. unittest's ``--buffer`` puts one there as well."""
        stream = getattr(sys, "stderr", None)
        return stream is not self._stream and stream is not getattr(
            self.result, "_stderr_buffer", None)

    def _on_ignored(self, args: Tuple[Any, ...]) -> None:
        """Hear that an exception was ignored, in a finalizer as a rule, whatever the hook does."""
        hook, unraisable = args
        if _as_before(hook, self._hooks[1]) and not self._is_read():
            self._add("unraisable exception", unraisable_text(
                unraisable.err_msg, unraisable.object, unraisable.exc_traceback), self._traceback(
                    unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback))

    def _on_warning(self, message: Any) -> None:
        try:
            shown = self._is_shown(message)
        except Exception:   # the test's own code warns here: what it has broken is not to end it
            shown = True
        if shown:
            self._show(message)

    def _is_shown(self, message: Any) -> bool:
        """Take note of the *message* if it is a complaint; tell whether it is to be shown."""
        text = str(message.message)
        unclosed = message.category is ResourceWarning
        if not unclosed and not (message.category is RuntimeWarning
                                 and text.startswith("coroutine ")
                                 and "was never awaited" in text):
            return True
        if not self._expected():
            spot = _dropped_at()
            if unclosed:
                self._add("ResourceWarning", text, "", self._opened(message.source, text), spot,
                          message.source)
            else:
                self._add("coroutine was never awaited", text.partition("\n")[0], "",
                          self._made(message.source), spot)
        if unclosed and self._is_ignored(text):
            return False
        return not self._repeated(message, text)

    def _repeated(self, message: Any, text: str) -> bool:
        """Tell whether the filters would have held this warning back, had we not made them forget
        it.

        By default a warning is shown once for each place; but each test is to get its own.
        """
        frame: Optional[FrameType] = _getframe(3)
        for _ in range(4):
            registry = frame.f_globals.get("__warningregistry__") if frame is not None else None
            key = (text, message.category, message.lineno)
            if type(registry) is dict and registry.pop(key, None):
                shown = (message.filename, registry.get("version")) + key
                if shown in self._shown:
                    return True
                self._shown.add(shown)
                return False
            frame = frame.f_back if frame is not None else None
        return False

    def _expected(self) -> bool:
        """Tell whether the running code catches warnings itself."""
        return catchers_now() != self.catchers

    def _on_asyncio(self, text: str, exc_info: Any, context: Any) -> bool:
        handlers = getattr(self._logger, "handlers", ())
        # Of assertLogs; or of the test's own that looks for what is logged (Tornado's ExpectLog).
        expected = any(type(each).__name__ == "_CapturingHandler" for each in handlers) or any(
            not any(each is other for other in self._logger_filters)
            for each in self._filters_of_logger())
        if not expected:
            super()._on_asyncio(text, exc_info, context)
        return False


def _as_before(hook: Any, before: Any) -> bool:
    """Tell whether a hook is the one that was there before the test, or pytest's, which puts one in
    for each part of a test."""
    if hook is before:
        return True
    code = getattr(getattr(hook, "__func__", hook), "__code__", None)
    return code is not None and origin_of(code.co_filename) == HARNESS


def _dropped_at() -> Optional[Spot]:
    """Return where the user's code is that dropped something just now; None if the test has
    returned."""
    frame: Optional[FrameType] = _getframe(2)
    while frame is not None and origin_of(frame.f_code.co_filename) not in (USER, RUNNER, HARNESS):
        frame = frame.f_back
    if frame is None or origin_of(frame.f_code.co_filename) != USER:
        return None
    return Spot("dropped", Frame(short(frame.f_code.co_filename), frame.f_lineno, ""))
