"""What tells of something opened: an audit hook, and wrappers for what is not audited.

Threads before 3.12, sqlite3 connections before 3.10, event loops, tasks, multiprocessing. Each is
put in once its module is loaded, and taken out by `remove()`; one that other code has saved goes on
as a plain call of the original.
"""

from __future__ import annotations

import os
import sys
import threading
from functools import partial, update_wrapper
from types import FrameType, MethodType
from typing import Any, Callable, Dict, List, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.code_origin import OURS, origin_of
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import LateSwap
from unittest_leakfix.tracing import os_facts, value_text
from unittest_leakfix.tracing.constructors import Constructors
from unittest_leakfix.tracing.records import Records

__unittest = True
bind(globals())

_addaudithook = sys.addaudithook

Listener = Callable[[Tuple[Any, ...]], None]

#: Whether forks and changed variables raise events: not on PyPy.
COMPLETE = sys.implementation.name == "cpython"
_listeners: Dict[str, Tuple[Listener, ...]] = {}
_listening_pid: List[int] = []  # the one that listens: a forked child does not
_getpid = os.getpid
_getframe = sys._getframe
Make = Callable[["Records", Callable[..., Any]], Callable[..., Any]]
_basename = os.path.basename
_Thread = threading.Thread
try:
    import fcntl
    _COPIES = (fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC)
except (ImportError, AttributeError):   # Windows
    _COPIES = ()    # type: ignore[assignment]


# The audit hook: one for the process, added when first wanted, inert while there is no listener.


def _audit_hook(
    event: str,
    args: Tuple[Any, ...],
    listeners: Dict[str, Tuple[Listener, ...]] = _listeners,
    process: List[int] = _listening_pid,
    getpid: Callable[[], int] = os.getpid,
) -> None:
    called = listeners.get(event)
    if called and process[0] == getpid():
        for listener in called:
            try:
                listener(args)
            except Exception:  # an audit hook that raises would forbid what it only watches
                pass


def add(listens: Dict[str, Listener]) -> None:
    """Call each of `listens` with the event's arguments when its event is raised, until `remove`.

    The frame that raised the event is `sys._getframe(2)` for the listener.
    """
    if not _listening_pid:
        _listening_pid.append(_getpid())
        _addaudithook(_audit_hook)
    _listening_pid[0] = _getpid()
    for event, listener in listens.items():
        _listeners[event] = _listeners.get(event, ()) + (listener,)


def remove(listens: Dict[str, Listener]) -> None:
    """Call them no more."""
    for event, listener in listens.items():
        rest = tuple(each for each in _listeners.get(event, ()) if each != listener)
        if rest:
            _listeners[event] = rest
        else:
            _listeners.pop(event, None)


def in_this_process() -> bool:
    """True in the process that listens, False in its forked children."""
    return bool(_listening_pid) and _listening_pid[0] == _getpid()


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
            _quietly(_record_opened, records, self, "event loop", type(self).__name__, _getframe(1))
        original(self, *args, **kwargs)

    return __init__


def _task(records: Records, original: Callable[..., Any]) -> Callable[..., Any]:
    def create_task(self: Any, coro: Any, *args: Any, **kwargs: Any) -> Any:
        task = original(self, coro, *args, **kwargs)
        if _listens(records):
            name = value_text.name_text(coro)
            _quietly(_record_opened, records, task, "task", name, _getframe(1))
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
            _quietly(_record_opened, records, self, "child process", name, _getframe(1))
        return original(self)

    return start


def _listens(records: Records) -> bool:
    return records.listening and in_this_process()


def _record_opened(records: Records, obj: object, what: str, detail: str, frame: Any) -> None:
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



def _command(arguments: Any) -> str:
    """Return a command line with "python" for the path of this interpreter."""
    text, path = redaction.command(arguments), sys.executable
    if path and text.startswith(path + " "):
        text = "python" + text[len(path):]
    return redaction.shown(text)


class Wrappers(LateSwap):
    """The wrappers of one `Records`. `look` is called at each import of a module that is not loaded
    yet."""

    def __init__(self, records: Records) -> None:
        super().__init__([  # type: ignore[no-untyped-call]
            (module, kind, name, partial(_wrapped, make, records))
            for module, kind, name, make in _WANTED])
        self._constructors = Constructors(records, partial(_listens, records))

    def install(self) -> None:
        """Put those whose modules are loaded."""
        super().install()   # type: ignore[no-untyped-call]
        self._constructors.install()

    def look(self, _: Any = None) -> None:
        """Put those whose modules were loaded since. Cheap."""
        super().look()      # type: ignore[no-untyped-call]
        self._constructors.look()

    def remove(self) -> None:
        """Put back what was there."""
        self._constructors.remove()
        super().remove()    # type: ignore[no-untyped-call]


def _wrapped(make: Make, records: Records, original: Any) -> Any:
    return update_wrapper(make(records, original), original)


# The audit events that tell of something opened, and the record that each leads to.


class Events:
    """The listeners of one `Records`."""

    def __init__(self, records: Records, wrappers: Wrappers) -> None:
        self._records = records
        self._wrappers = wrappers

    def listeners(self) -> Dict[str, Listener]:
        """Return them by event."""
        return {
            "open": self._on_open,
            "socket.__new__": self._on_socket,
            "socket.connect": self._on_address,
            "socket.bind": self._on_address,
            "sqlite3.connect": self._on_sqlite,
            "sqlite3.connect/handle": self._on_handle,  # 3.10
            "subprocess.Popen": self._on_popen,
            "os.fork": self._on_fork,
            "os.forkpty": self._on_forkpty,
            "os.posix_spawn": self._on_fork,
            "os.chdir": self._on_folder_change,
            "fcntl.fcntl": self._on_control,
            "mmap.__new__": self._on_map,
            "os.putenv": self._on_variable,
            "os.unsetenv": self._on_variable,
            "resource.setrlimit": self._on_limit,
            "resource.prlimit": self._on_limit,
            "tempfile.mkdtemp": self._on_folder,
            "tempfile.mkstemp": self._on_file,
            "_thread.start_new_thread": self._on_thread,  # 3.12
            "_thread.start_joinable_thread": self._on_thread,  # 3.13
            "import": self._on_import,
        }

    def _on_open(self, args: Tuple[Any, ...]) -> None:
        path = args[0]
        frame = _getframe(2)
        if origin_of(frame.f_code.co_filename) == OURS:
            return
        if type(path) is int:   # a file object around a descriptor that is open already
            self._records.wrapped(path, frame)
            return
        path = value_text.plain(path)
        what = "temporary file" if path in self._records.paths else "file"
        self._records.opened(self._records.record(what, path, frame))

    def _on_socket(self, args: Tuple[Any, ...]) -> None:
        frame = _getframe(2)
        if origin_of(frame.f_code.co_filename) != OURS:
            self._records.tie(args[0], self._records.record("socket", "", frame))

    def _on_address(self, args: Tuple[Any, ...]) -> None:
        self._records.addressed(args[0], args[1])

    def _on_sqlite(self, args: Tuple[Any, ...]) -> None:
        self._wrappers.look()
        path = value_text.plain(args[0])
        self._records.connecting(self._records.record("sqlite3 connection", path, _getframe(2)))

    def _on_handle(self, args: Tuple[Any, ...]) -> None:
        self._records.connected(args[0])

    def _on_popen(self, args: Tuple[Any, ...]) -> None:
        frame = _getframe(2)
        raw = self._records.record("child process", _command(args[1]), frame)
        # Raised by Popen's own method, whose `self` is the only way to the new process's number.
        self._records.tie(frame.f_locals["self"], raw)

    def _on_fork(self, args: Tuple[Any, ...]) -> None:
        frame = _getframe(2)
        if _basename(frame.f_code.co_filename) in ("subprocess.py", "popen_fork.py"):
            return  # recorded with its object
        detail = _command(args[1]) if args else "fork"
        self._records.forking(self._records.record("child process", detail, frame))

    def _on_forkpty(self, args: Tuple[Any, ...]) -> None:
        self._on_fork(())
        self._records.opened(self._records.record("device", "", _getframe(2)))

    def _on_control(self, args: Tuple[Any, ...]) -> None:
        number, command, least = args
        if command in _COPIES and type(least) is int:
            frame = _getframe(2)
            if origin_of(frame.f_code.co_filename) != OURS:
                self._records.opened_above(least, self._records.record("descriptor", "", frame))

    def _on_map(self, args: Tuple[Any, ...]) -> None:
        number, length = args[:2]
        if number >= 0 and not length:  # the rest of the file
            length = os_facts.size(number) - args[3]
        path = os_facts.target(number) if number >= 0 else ""
        self._records.mapped(length, self._records.record(
            "memory map", path if path.startswith("/") else "", _getframe(2)), number >= 0)

    def _on_variable(self, args: Tuple[Any, ...]) -> None:
        self._records.environment += 1
        name = args[0]
        if type(name) is bytes:
            name = name.decode("utf-8", "surrogateescape")
        self._records.set_variable(name, _getframe(2))

    def _on_folder_change(self, args: Tuple[Any, ...]) -> None:
        self._records.directory += 1
        self._records.changed("working directory", "", _getframe(2))

    def _on_import(self, args: Tuple[Any, ...]) -> None:
        self._records.imports += 1
        self._wrappers.look()

    def _on_limit(self, args: Tuple[Any, ...]) -> None:
        number = args[0] if len(args) == 2 else args[1]     # prlimit: of which process, first
        for name, value in vars(os_facts.loaded("resource")).items():
            if value == number and name.startswith("RLIMIT_"):
                self._records.changed("resource." + name, "", _getframe(2))
        self._records.settings += 1

    def _on_folder(self, args: Tuple[Any, ...]) -> None:
        self._on_path("temporary folder", args[0], _getframe(2))

    def _on_file(self, args: Tuple[Any, ...]) -> None:
        self._on_path("temporary file", args[0], _getframe(2))

    def _on_path(self, what: str, path: object, frame: FrameType) -> None:
        name = value_text.plain(path)
        self._records.made_path(name, self._records.record(what, name, frame))

    def _on_thread(self, args: Tuple[Any, ...]) -> None:
        function = args[0]
        if type(function) is MethodType and issubclass(type(function.__self__), _Thread):
            self._records.started(function.__self__, _getframe(2))  # type: ignore[arg-type]
