"""Thin wrappers where the interpreter audits nothing.

Threads before 3.12, sqlite3 connections before 3.10, event loops, tasks, multiprocessing. Each is put
in once its module is loaded, and taken out by `remove()`; one that somebody has saved goes on as a
plain call of the original.
"""
from __future__ import annotations

import sys
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Callable, List, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core import redaction

from . import hiding, hook, identity

if TYPE_CHECKING:
    from .records import Records

__unittest = True
bind(globals())
_getframe = sys._getframe

Make = Callable[["Records", Callable[..., Any]], Callable[..., Any]]


def _thread(records: Records, original: Callable[..., Any]) -> Callable[..., Any]:
    def start_new_thread(function: Any, *args: Any) -> Any:
        thread = getattr(function, "__self__", None)
        if thread is not None and _listens(records):
            _quietly(records.started, thread, _getframe(1))
        return original(function, *args)

    return start_new_thread


def _sqlite(records: Records, original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(*args: Any, **kwargs: Any) -> Any:
        connection = original(*args, **kwargs)
        if _listens(records):
            _quietly(records.connected, connection)
        return connection

    return connect


def _loop(records: Records, original: Callable[..., Any]) -> Callable[..., Any]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if _listens(records):
            _quietly(_record, records, self, "event loop", type(self).__name__, _getframe(1))
        original(self, *args, **kwargs)

    return __init__


def _task(records: Records, original: Callable[..., Any]) -> Callable[..., Any]:
    def create_task(self: Any, coro: Any, *args: Any, **kwargs: Any) -> Any:
        task = original(self, coro, *args, **kwargs)
        if _listens(records):
            _quietly(_record, records, task, "task", hiding.naming(coro), _getframe(1))
        # In debug mode the stack that led here is kept, without the last frame: now that is ours.
        stack = getattr(task, "_source_traceback", None)
        if stack and stack[-1].filename == __file__:
            del stack[-1]
        return task

    return create_task


def _process(records: Records, original: Callable[..., Any]) -> Callable[..., Any]:
    def start(self: Any) -> Any:
        if _listens(records):
            name = redaction.shown(str(getattr(self, "_name", "")))
            _quietly(_record, records, self, "child process", name, _getframe(1))
        return original(self)

    return start


def _listens(records: Records) -> bool:
    return records.listening and hook.in_this_process()


def _record(records: Records, obj: object, what: str, detail: str, frame: Any) -> None:
    records.tie(obj, records.record(what, detail, frame))


def _quietly(function: Callable[..., Any], *args: Any) -> None:
    try:
        function(*args)
    except Exception:  # what is only watched must not fail
        pass


#: module, class ("" for the module itself), name, wrapper
_WANTED: Tuple[Tuple[str, str, str, Make], ...] = (
    ("asyncio.base_events", "BaseEventLoop", "__init__", _loop),
    ("asyncio.base_events", "BaseEventLoop", "create_task", _task),
    ("multiprocessing.process", "BaseProcess", "start", _process),
)
if sys.version_info < (3, 12):
    _WANTED += (("threading", "", "_start_new_thread", _thread),)
if sys.version_info < (3, 10):
    _WANTED += (("sqlite3", "", "connect", _sqlite), ("sqlite3.dbapi2", "", "connect", _sqlite))


class Wrappers:
    """The wrappers of one `Records`."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._missing: List[Tuple[str, str, str, Make]] = []
        self._done: List[Tuple[Any, str, Any, Any]] = []

    def install(self) -> None:
        """Wrap what is loaded; the rest follows when `look()` finds it."""
        self._missing = list(_WANTED)
        self.look()

    def look(self, _: object = None) -> None:
        """Wrap what was loaded since. Called at each import of a module that is not loaded yet."""
        for wanted in tuple(self._missing):
            module, kind, name, make = wanted
            place = identity.loaded(module)
            if place is not None and kind:
                place = vars(place).get(kind)
            if place is None or name not in vars(place):
                continue  # not loaded, or only half
            self._missing.remove(wanted)
            original = vars(place)[name]
            wrapper = update_wrapper(make(self._records, original), original)
            self._done.append((place, name, original, wrapper))
            setattr(place, name, wrapper)

    def remove(self) -> None:
        """Put the originals back, except where somebody else has wrapped the wrapper since."""
        self._missing = []
        while self._done:
            place, name, original, wrapper = self._done.pop()
            if vars(place).get(name) is wrapper:
                setattr(place, name, original)
