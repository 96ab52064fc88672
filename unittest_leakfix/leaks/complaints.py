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
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix import faults
from unittest_leakfix._core import redaction
from unittest_leakfix.heap import heap

from . import hiding, identity
from .acquisitions import Acquisition, Acquisitions
from .frames import short

__unittest = True
bind(globals())

_getframe = sys._getframe

_AT_MOST = 1000
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


class Complaint(NamedTuple):
    """One complaint: its kind, its text, more (a traceback, where a coroutine was written), its resource.

    Kinds: "ResourceWarning", "unraisable exception", "coroutine was never awaited", "task was
    destroyed pending", "exception was never retrieved", "exception in thread".
    """

    kind: str
    text: str
    detail: str = ""
    acquisition: Optional[Acquisition] = None


class Complaints:
    """Catches complaints between `install()` and `remove()`."""

    _formatted = staticmethod(traceback.format_exception)

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        self._acquisitions = acquisitions
        self._caught: List[Complaint] = []
        self._swapped: List[Tuple[Any, str, Any, Any]] = []     # where, name, old, new
        # Bound once, since a window is opened for nearly every test.
        self._hears = self._on_warning, self._on_unraisable, self._on_thread
        self._show: Any = None
        self._unraisable: Any = None
        self._in_thread: Any = None

    def install(self) -> None:
        """Open the window. Twice is once."""
        if self._swapped:
            return
        if self._acquisitions is not None:
            self._acquisitions.remember_dead(True)
        show, unraisable, in_thread = self._hears
        filters = warnings.filters
        self._show = warnings._showwarnmsg  # type: ignore[attr-defined]
        self._unraisable, self._in_thread = sys.unraisablehook, threading.excepthook
        swapped = [
            (warnings, "filters", filters, [*_ALWAYS, *filters]),
            (warnings, "_showwarnmsg", self._show, show),
            (sys, "unraisablehook", self._unraisable, unraisable),
            (threading, "excepthook", self._in_thread, in_thread),
        ]
        asyncio: Any = identity.loaded("asyncio.base_events")
        logger = getattr(asyncio, "logger", None)
        if logger is not None:
            swapped.append((asyncio, "logger", logger, _Ear(logger, self._on_asyncio)))
        self._swapped = swapped     # before the first swap: it may be interrupted
        for place, name, _, new in swapped:
            setattr(place, name, new)

    def remove(self) -> None:
        """Close the window: everything is as it was, except what somebody has replaced meanwhile."""
        while self._swapped:
            place, name, old, new = self._swapped[-1]
            if getattr(place, name, None) is new:
                setattr(place, name, old)
            self._swapped.pop()
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

    def _add(self, kind: str, text: str, detail: str = "", acquisition: Optional[Acquisition] = None) -> None:
        if len(self._caught) < _AT_MOST:
            text, detail = redaction.redact(text), redaction.redact(detail)
            self._caught.append(Complaint(kind, text, detail, acquisition))

    def _on_warning(self, message: Any) -> None:
        text = str(message.message)
        if message.category is ResourceWarning:
            self._add("ResourceWarning", text, _place(message), self._opened(message.source, text))
        elif message.category is RuntimeWarning and text.startswith("coroutine ") and "was never awaited" in text:
            first, _, created = text.partition("\n")
            self._add("coroutine was never awaited", first, created or _written(message.source))
        else:
            self._show(message)

    def _opened(self, source: object, text: str) -> Optional[Acquisition]:
        if self._acquisitions is None:
            return None
        if source is None:  # TemporaryDirectory says only its path
            return self._acquisitions.in_text(text)
        return self._acquisitions.of(source)

    def _on_unraisable(self, unraisable: Any) -> None:
        try:
            self._add(
                "unraisable exception", _unraised(unraisable.err_msg, unraisable.object, unraisable.exc_traceback),
                self._traceback(unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback),
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
        for said, kind in _ASYNCIO:
            if said in text.partition("\n")[0]:
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
        except faults.PASSING:
            raise
        except BaseException:  # an exception whose text cannot be had
            return getattr(kind, "__name__", "?")


_excepthook = threading.excepthook  # 3.8 and 3.9 keep no other copy


class _Ear:
    """Stands in for asyncio's logger inside the window; what is no complaint goes on to the logger."""

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


def _unraised(said: Optional[str], where: object, trace: Any) -> str:
    """Say where an exception was ignored, on every version in the same words and without an address."""
    if where is not None or not said:
        return "%s: %s" % (said or "Exception ignored in", hiding.naming(where))
    # Since 3.15 the message has it: "Exception ignored while calling deallocator <function A.__del__ at 0x7f>".
    code = getattr(getattr(trace, "tb_frame", None), "f_code", None)
    called = getattr(code, "co_qualname", None)
    if called and "<function %s at 0x" % called in said:
        module = trace.tb_frame.f_globals.get("__name__")
        return "Exception ignored in: %s" % (".".join((module, called)) if type(module) is str else called)
    return redaction.cut(_ADDRESS.sub("", said))


def _place(message: Any) -> str:
    return "" if message.source is not None else "%s:%s" % (short(str(message.filename)), message.lineno)


def _written(coroutine: Any) -> str:
    code = getattr(coroutine, "cr_code", None)
    return "" if code is None else "written at %s:%d" % (short(code.co_filename), code.co_firstlineno)
