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
from types import FrameType
from typing import Any, Callable, Collection, List, Optional

from unittest_leakfix._core import errors, redaction
from unittest_leakfix._core.code_origin import is_users_file, short
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix._core.swap import Swap
from unittest_leakfix.leaks.model.seen import Complaint, Spot
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.tracing import os_facts, value_text
from unittest_leakfix.tracing.acquisitions import Acquisition, Acquisitions
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())

_getframe = sys._getframe

_MOST_CAUGHT = 1000
_ALWAYS = (
    ("always", None, ResourceWarning, None, 0),
    ("always", re.compile("coroutine .* was never awaited"), RuntimeWarning, None, 0),
)
_warn_explicit = warnings.warn_explicit


class _LooksNoted(type):
    """Notes that the interpreter has looked through filters of which one has this kind of class."""

    noted = False

    def __subclasscheck__(cls, other: type) -> bool:
        _LooksNoted.noted = True
        return False


class _Nothing(Warning, metaclass=_LooksNoted):
    """Matches no warning."""


class _Unheard(Warning):
    """Given only in order to have the interpreter look."""


_NOTICE = ("ignore", None, _Nothing, None, 0)
_IGNORED = ("ignore", None, _Unheard, None, 0)


def have_looked_at(filters: Any) -> None:
    """Have the interpreter see *filters*, which are in force.

    It keeps those that it has looked at last, and goes by them while it ends, when the module
    `warnings` is gone: with ours, all that dies only then would be complained about.
    """
    if type(filters) is not list:
        return
    filters.insert(0, _IGNORED)
    try:
        _warn_explicit("", _Unheard, "", 0)
    finally:
        for place, each in enumerate(filters):
            if each is _IGNORED:
                del filters[place]
                break


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

    result: Any = None
    """Of the run."""

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
        _LooksNoted.noted = False
        self._show = warnings._showwarnmsg  # type: ignore[attr-defined]
        self._unraisable, self._in_thread = sys.unraisablehook, threading.excepthook
        swapped = [
            (warnings, "filters", [_NOTICE, *_ALWAYS, *filters]),
            (warnings, "_showwarnmsg", show),
            (sys, "unraisablehook", unraisable),
            (threading, "excepthook", in_thread),
        ]
        asyncio: Any = os_facts.loaded("asyncio.base_events")
        logger = getattr(asyncio, "logger", None)
        if logger is not None:
            swapped.append((asyncio, "logger", LoggerTap(logger, self._on_asyncio)))
        self._swap.put_each(swapped)

    def remove(self) -> None:
        """Close the window: everything is as it was, except what was replaced
        meanwhile."""
        self._swap.back()
        if _LooksNoted.noted:
            _LooksNoted.noted = False
            have_looked_at(warnings.filters)
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
                unraisable_text(unraisable.err_msg, unraisable.object, unraisable.exc_traceback),
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


class LoggerTap:
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


def unraisable_text(more: Optional[str], where: object, trace: Any) -> str:
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


# What connections that were let go of complain about as they die: they are reported already.

def is_reported(complaint: Complaint, ids: Collection[int], lines: Collection[Frame] = ()) -> bool:
    """Tell whether a complaint is of one of the connections with these *ids*, or of what is below
    it; *lines* are those on which the clients were made that died.

    A driver for asyncio warns with the address of its connection, and asyncio of the transport; and
    aiomysql's finalizer asks the loop, which is closed, to close it. That of SQLAlchemy 1.4 makes a
    coroutine of the driver's that it cannot await: no line of the user's made that.
    """
    if not ids:
        return False
    if complaint.kind == "ResourceWarning":
        opened = complaint.acquisition.frames[:1] if complaint.acquisition is not None else ()
        return complaint.source in ids or complaint.text.startswith(
            ("unclosed transport ", "unclosed <socket.socket ", "loop is closed")) or any(
            "0x%x" % each in complaint.text for each in ids) or any(
                each in lines for each in opened)
    if complaint.kind == "coroutine was never awaited":
        return complaint.acquisition is None and bool(complaint.spots) and not any(
            is_users_file(each.frame.file) for each in complaint.spots)
    return complaint.kind == "unraisable exception" and complaint.loop_closed
