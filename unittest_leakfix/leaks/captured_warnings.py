"""What the interpreter and asyncio complain about while a finished test is let go and collected.

`install()` and `remove()` enclose nothing but our own letting go and collecting, so the tests' own
filters, `assertWarns`, hooks and handlers never meet ours. The filters are swapped without telling
`warnings`, which would otherwise forget which warnings it has shown once already.
"""

from __future__ import annotations

import re
import sys
import threading
import traceback
import warnings
from functools import partial
from operator import is_
from types import FrameType
from typing import Any, Callable, Collection, Dict, List, Optional, Set, Tuple

from unittest_leakfix._core import errors, redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix._core.swap import Swap
from unittest_leakfix.leaks.model.seen import Complaint, Spot
from unittest_leakfix.process_state.warning_filters import LET_THROUGH
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.tracing import os_facts, sources, value_text
from unittest_leakfix.tracing.acquisitions import Acquisition, Acquisitions
from unittest_leakfix.tracing.stacks import HARNESS, RUNNER, USER, Frame, origin_of, short

__unittest = True
bind(globals())

_getframe = sys._getframe

_MOST_CAUGHT = 1000
_ALWAYS = (
    ("always", None, ResourceWarning, None, 0),
    ("always", re.compile("coroutine .* was never awaited"), RuntimeWarning, None, 0),
)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_ASYNCIO = (
    ("Task was destroyed but it is pending", "task was destroyed pending"),
    ("exception was never retrieved", "exception was never retrieved"),
    ("Unhandled exception in event loop", "exception was never retrieved"),
)
_excepthook = threading.excepthook  # 3.8 and 3.9 keep no other copy


class ComplaintCapture:
    """Catches complaints between `install()` and `remove()`."""

    _formatted = staticmethod(traceback.format_exception)

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        self._acquisitions = acquisitions
        self._caught: List[Complaint] = []
        self._swap = Swap()
        # Bound once, since a window is opened for nearly every test.
        self._handlers = self._on_warning, self._on_unraisable, self._on_thread
        self._show: Any = None
        self._unraisable: Any = None
        self._in_thread: Any = None

    def install(self) -> None:
        """Open the window. Twice is once."""
        if self._swap:
            return
        if self._acquisitions is not None:
            self._acquisitions.remember_dead(True)
        show, unraisable, in_thread = self._handlers
        filters = warnings.filters
        self._show = warnings._showwarnmsg  # type: ignore[attr-defined]
        self._unraisable, self._in_thread = sys.unraisablehook, threading.excepthook
        swapped = [
            (warnings, "filters", [*_ALWAYS, *filters]),
            (warnings, "_showwarnmsg", show),
            (sys, "unraisablehook", unraisable),
            (threading, "excepthook", in_thread),
        ]
        asyncio: Any = os_facts.loaded("asyncio.base_events")
        logger = getattr(asyncio, "logger", None)
        if logger is not None:
            swapped.append((asyncio, "logger", _LoggerTap(logger, self._on_asyncio)))
        self._swap.put_each(swapped)

    def remove(self) -> None:
        """Close the window: everything is as it was, except what was replaced
        meanwhile."""
        self._swap.back()
        if self._acquisitions is not None:
            self._acquisitions.remember_dead(False)

    @property
    def any(self) -> bool:
        """Tell whether anything was caught."""
        return bool(self._caught)

    def take(self) -> List[Complaint]:
        """Return what was caught, in order (at most 1,000), and forget it."""
        caught, self._caught = self._caught, []
        return caught

    def _add(self, kind: str, text: str, more: str = "", acquisition: Optional[Acquisition] = None,
             spot: Optional[Spot] = None, source: object = None) -> None:
        """Keep a complaint: its first line, what was *more* after that, and the *spot* that we
        know of."""
        if len(self._caught) < _MOST_CAUGHT:
            self._caught.append(
                _read(kind, redaction.redact(text), redaction.redact(more), acquisition, spot,
                      0 if source is None else id(source))
            )

    def _on_warning(self, message: Any) -> None:
        text = str(message.message)
        if message.category is ResourceWarning:
            self._add("ResourceWarning", text, "", self._opened(message.source, text),
                      source=message.source)
        elif (
            message.category is RuntimeWarning
            and text.startswith("coroutine ")
            and "was never awaited" in text
        ):
            first, _, created = text.partition("\n")
            self._add("coroutine was never awaited", first, created,
                      self._made(message.source),
                      None if created else _written_at(message.source))
        else:
            self._show(message)

    def _opened(self, source: object, text: str) -> Optional[Acquisition]:
        source = _finalized() if source is None else source
        if self._acquisitions is None:
            return None
        if source is None:  # TemporaryDirectory says only its path
            return self._acquisitions.in_text(text)
        return self._acquisitions.of_part(source)

    def _made(self, coroutine: object) -> Optional[Acquisition]:
        return None if self._acquisitions is None else self._acquisitions.of_coroutine(coroutine)

    def _on_unraisable(self, unraisable: Any) -> None:
        try:
            self._add(
                "unraisable exception",
                _unraisable_text(unraisable.err_msg, unraisable.object, unraisable.exc_traceback),
                self._traceback(unraisable.exc_type, unraisable.exc_value,
                                unraisable.exc_traceback),
            )
            if self._unraisable is not sys.__unraisablehook__:
                self._unraisable(unraisable)
        except KeyboardInterrupt:   # the interpreter ignores what this hook raises
            heap.interrupted = True

    def _on_thread(self, args: Any) -> None:
        if args.exc_type is SystemExit:
            return
        name = args.thread.name if args.thread is not None else "?"
        self._add("exception in thread", str(name),
                  self._traceback(args.exc_type, args.exc_value, args.exc_traceback))
        if self._in_thread is not getattr(threading, "__excepthook__", _excepthook):
            self._in_thread(args)

    def _on_asyncio(self, text: str, exc_info: Any, context: Any) -> bool:
        for more, kind in _ASYNCIO:
            if more in text.partition("\n")[0]:
                detail = text.partition("\n")[2]
                if isinstance(exc_info, tuple):
                    detail += "\n" + self._traceback(*exc_info)
                self._add(kind, text.partition("\n")[0], detail.strip(), self._task(context))
                return True
        return False

    def _task(self, context: Any) -> Optional[Acquisition]:
        """Return the record of the task that the exception handler's context speaks of."""
        if self._acquisitions is None or not isinstance(context, dict):
            return None
        task = context.get("task") or context.get("future")
        return None if task is None else self._acquisitions.of(task)

    def _traceback(self, kind: Any, value: Any, trace: Any) -> str:
        try:
            return "".join(self._formatted(kind, value, trace)).rstrip()
        except errors.PASSING:
            raise
        except BaseException:  # an exception whose text cannot be had
            return getattr(kind, "__name__", "?")


class _LoggerTap:
    """Stands in for asyncio's logger inside the window; what is not a complaint goes on to the
    logger."""

    def __init__(self, logger: Any, listen: Callable[[str, Any, Any], bool]) -> None:
        self._logger = logger
        self._listen = listen

    def error(self, message: Any, *args: Any, **kwargs: Any) -> None:
        """Hear what the event loop's default exception handler says."""
        context = _getframe(1).f_locals.get("context")
        if not self._listen(str(message), kwargs.get("exc_info"), context):
            self._logger.error(message, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger, name)


def _finalized() -> object:
    """Return the client whose finalizer warns just now without saying about what; None for none."""
    frame: Optional[FrameType] = _getframe(2)
    for _ in range(5):
        if frame is None:
            break
        if frame.f_code.co_name == "__del__":
            value = frame.f_locals.get("self")
            kind = kind_of(value)
            return value if kind is not None and kind.client else None
        frame = frame.f_back
    return None


def _unraisable_text(more: Optional[str], where: object, trace: Any) -> str:
    """Say where an exception was ignored, on every version in the same words and without an
    address."""
    if where is not None or not more:
        return "%s: %s" % (more or "Exception ignored in", value_text.name_text(where))
    # Since 3.15 the message has it: "Exception ignored while calling deallocator <function
    # A.__del__ at 0x7f>".
    code = getattr(getattr(trace, "tb_frame", None), "f_code", None)
    called = getattr(code, "co_qualname", None)
    if called and "<function %s at 0x" % called in more:
        module = trace.tb_frame.f_globals.get("__name__")
        return "Exception ignored in: %s" % (".".join((module, called)) if type(module) is str
                                             else called)
    return redaction.cut(_ADDRESS.sub("", more))


def _written_at(coroutine: Any) -> Optional[Spot]:
    code = getattr(coroutine, "cr_code", None)
    return (
        None
        if code is None
        else Spot("written", Frame(short(code.co_filename), code.co_firstlineno, ""))
    )


# The words of CPython and asyncio, read here and nowhere else.
_QUOTED = re.compile(r"'([^']*)'")
_DEFINED = re.compile(r"(running|defined|created) at (\S+?):(\d+)")
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\w+|<\w+>)')


def _read(
    kind: str, text: str, more: str, acquisition: Optional[Acquisition], spot: Optional[Spot],
    source: int = 0
) -> Complaint:
    spots = [] if spot is None else [spot]
    frames = _FRAME.findall(more)
    called = ""
    if kind == "task was destroyed pending":
        for how, file, line in _DEFINED.findall(more)[:1]:
            if how != "created":
                spots.append(Spot(how, Frame(short(file), int(line), "")))
    elif frames:
        file, line, function = frames[-1]
        how = "made" if kind == "coroutine was never awaited" else "raised"
        spots.append(Spot(how, Frame(short(file), int(line), function)))
    if kind == "coroutine was never awaited":
        quoted = _QUOTED.search(text)
        called = quoted.group(1) if quoted else ""
    return Complaint(
        kind,
        text,
        acquisition,
        tuple(spots),
        (more.splitlines() or [""])[-1].strip(),
        called,
        "Event loop is closed" in more,
        source,
    )


# What the interpreter and asyncio complain about while the test itself runs.
#
# A pass-through: `warnings._showwarnmsg` and asyncio's logger are listened at, everything goes on
# to where it went before, and the filters are the test's own. What the test catches
# (``assertWarns``, ``catch_warnings(record=True)``, ``assertLogs``) it expects, and is not
# reported.


def _catchers() -> Tuple[Any, ...]:
    module: Any = warnings
    return module._showwarnmsg_impl, module.showwarning


_CATCHERS = _catchers()


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

    def install(self) -> None:
        """Begin to listen, to asyncio too once that is loaded. Twice is once."""
        self._let_through()
        # A test that puts a hook of its own there expects what comes.
        self._hooks = threading.excepthook, sys.unraisablehook
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
            swapped.append((asyncio, "logger", _LoggerTap(self._logger, self._on_asyncio)))
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
        for filters in lists:
            for place in range(len(filters) - 1, -1, -1):
                if filters[place] is LET_THROUGH:
                    del filters[place]
        self._filters = None
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
        kind, value, trace = sys.exc_info()
        if kind is None or kind is SystemExit or not _as_before(threading.excepthook,
                                                                self._hooks[0]):
            return
        known = self._acquisitions
        self._add("exception in thread", str(thread.name), self._traceback(kind, value, trace),
                  known.of_thread(thread) if known is not None else None)

    def _on_ignored(self, args: Tuple[Any, ...]) -> None:
        """Hear that an exception was ignored, in a finalizer as a rule, whatever the hook does."""
        hook, unraisable = args
        if _as_before(hook, self._hooks[1]):
            self._add("unraisable exception", _unraisable_text(
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
        return _catchers() != self.catchers

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


# What connections that were let go of complain about as they die: they are reported already.

def is_reported(complaint: Complaint, ids: Collection[int], lines: Collection[Frame] = ()) -> bool:
    """Tell whether a complaint is of one of the connections with these *ids*, or of what is below
    it; *lines* are those on which the clients were made that died.

    A driver for asyncio warns with the address of its connection, and asyncio of the transport; and
    aiomysql's finalizer asks the loop, which is closed, to close it.
    """
    if not ids:
        return False
    if complaint.kind == "ResourceWarning":
        opened = complaint.acquisition.frames[:1] if complaint.acquisition is not None else ()
        return complaint.source in ids or complaint.text.startswith(
            ("unclosed transport ", "unclosed <socket.socket ", "loop is closed")) or any(
            "0x%x" % each in complaint.text for each in ids) or any(
                each in lines for each in opened)
    return complaint.kind == "unraisable exception" and complaint.loop_closed
