"""What opens things without an audit event: constructors, started patches, functions of ``os``.

No call is wrapped. What stands in the place of a method is a descriptor, in that of a function an
object whose ``__call__`` is one: looked up for a call, each notes the place and gives the original
back. So no frame of ours is on the stack while the original runs: not in a traceback, not under
``stacklevel``, not under ``sys._getframe(1)``; and what reads a class's ``__init__``
(``inspect``, a subclass, ``mock.patch``, a pickle) is given the original.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Callable, Dict, List, Tuple

from unittest_leakfix._core.code_origin import HARNESS, LIBRARY, USER, origin_of
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import LateSwap, Swap
from unittest_leakfix.resources import clients, entry_points, registry
from unittest_leakfix.tracing.records import Records
from unittest_leakfix.tracing.stacks import is_installed

__unittest = True
bind(globals())

_getframe = sys._getframe
_registered: Dict[int, Tuple[type, Any]] = vars(registry)["_registered"]

#: module: {resource: names of its classes}. A constructor that calls another of these notes once.
CONSTRUCTORS: Dict[str, Dict[str, str]] = {
    "asyncio.base_events": {"asyncio server": "Server"},
    "asyncio.base_subprocess": {"transport": "BaseSubprocessTransport"},
    "asyncio.runners": {"asyncio runner": "Runner"},    # 3.11
    "asyncio.selector_events": {"transport": "_SelectorTransport"},
    "asyncio.streams": {"stream": "StreamWriter"},
    "asyncio.unix_events": {"transport": "_UnixReadPipeTransport _UnixWritePipeTransport"},
    "bz2": {"file": "BZ2File"},
    "codecs": {"file": "StreamReaderWriter StreamRecoder"},
    "concurrent.futures.process": {"executor": "ProcessPoolExecutor"},
    "concurrent.futures.thread": {"executor": "ThreadPoolExecutor"},    # and 3.14's interpreters
    "contextlib": {"exit stack": "_BaseExitStack"},
    "dbm.dumb": {"dbm database": "_Database"},
    "dbm.sqlite3": {"dbm database": "_Database"},       # 3.13
    "ftplib": {"ftp connection": "FTP FTP_TLS"},
    "gzip": {"file": "GzipFile"},
    "http.client": {"http connection": "HTTPConnection HTTPSConnection",
                    "http response": "HTTPResponse"},
    "imaplib": {"imap connection": "IMAP4 IMAP4_SSL IMAP4_stream"},
    "logging": {"logging handler": "Handler StreamHandler FileHandler"},
    "logging.handlers": {
        "logging handler": "BaseRotatingHandler RotatingFileHandler TimedRotatingFileHandler "
                           "WatchedFileHandler SocketHandler DatagramHandler SysLogHandler "
                           "SMTPHandler NTEventLogHandler HTTPHandler BufferingHandler "
                           "MemoryHandler QueueHandler"},
    "lzma": {"file": "LZMAFile"},
    "multiprocessing.connection": {"process pipe": "_ConnectionBase",
                                   "process listener": "Listener"},
    "multiprocessing.managers": {"process manager": "BaseManager"},
    "multiprocessing.pool": {"process pool": "Pool", "thread pool": "ThreadPool"},
    "multiprocessing.queues": {"process queue": "Queue SimpleQueue"},
    "multiprocessing.shared_memory": {"shared memory": "SharedMemory"},
    "nntplib": {"nntp connection": "_NNTPBase NNTP NNTP_SSL"},      # to 3.12
    "poplib": {"pop3 connection": "POP3 POP3_SSL"},
    "selectors": {"selector": "_BaseSelectorImpl SelectSelector _PollLikeSelector DevpollSelector "
                              "KqueueSelector"},
    "shelve": {"shelf": "Shelf BsdDbShelf DbfilenameShelf"},
    "smtplib": {"smtp connection": "SMTP SMTP_SSL"},
    "socketserver": {"server": "BaseServer TCPServer"},
    "tarfile": {"tar archive": "TarFile"},
    "telnetlib": {"telnet connection": "Telnet"},       # to 3.12
    "tempfile": {"temporary file": "SpooledTemporaryFile"},
    "urllib.response": {"response": "addbase addinfo addinfourl"},
    "xmlrpc.client": {"http connection": "ServerProxy"},
    "zipfile": {"zip archive": "ZipFile"},
}

for (_module, _class), _noun in clients.MADE.items():
    _row = CONSTRUCTORS.setdefault(_module, {})
    _row[_noun] = (_row[_noun] + " " if _noun in _row else "") + _class

#: module: {function: the setting that it sets}, by the names that `process_state` has for them
SETTERS: Dict[str, Dict[str, str]] = {
    "asyncio": {"set_event_loop": "asyncio.get_event_loop()",
                "set_event_loop_policy": "asyncio.get_event_loop_policy()"},
    "codecs": {"register_error": "codecs.register_error()", "register": "codecs.register()"},
    "calendar": {"setfirstweekday": "calendar.firstweekday()"},
    "copyreg": {"pickle": "copyreg.dispatch_table"},
    "csv": {"field_size_limit": "csv.field_size_limit()", "register_dialect": "csv.list_dialects()",
            "unregister_dialect": "csv.list_dialects()"},
    "decimal": {"setcontext": "decimal.getcontext()"},
    "faulthandler": {"enable": "faulthandler.is_enabled()", "disable": "faulthandler.is_enabled()"},
    "locale": {"setlocale": "locale"},
    "logging": {"addLevelName": "names of logging levels", "setLoggerClass": "logging._loggerClass",
                "setLogRecordFactory": "logging._logRecordFactory"},
    "mimetypes": {"add_type": "mimetypes.types_map"},
    "multiprocessing": {"set_start_method": "multiprocessing.get_start_method()"},
    "random": {"seed": "random", "setstate": "random"},
    "shutil": {"register_archive_format": "shutil._ARCHIVE_FORMATS",
               "register_unpack_format": "shutil._UNPACK_FORMATS"},
    "signal": {"signal": "signal handler", "alarm": "signal.setitimer(ITIMER_REAL)",
               "setitimer": "signal.setitimer(ITIMER_REAL)",
               "pthread_sigmask": "signal.pthread_sigmask()"},
    "socket": {"setdefaulttimeout": "socket timeout"},
    "sqlite3": {"register_adapter": "sqlite3.adapters",
                "register_converter": "sqlite3.converters"},
    "sys": {"setrecursionlimit": "sys.getrecursionlimit()",
            "setswitchinterval": "sys.getswitchinterval()",
            "set_int_max_str_digits": "sys.get_int_max_str_digits()"},
    "time": {"tzset": "time.tzname"},
    "tracemalloc": {"start": "tracemalloc.is_tracing()"},
    "urllib.request": {"install_opener": "urllib.request.install_opener()"},
}
#: module: {function: (what it opens, how many descriptors)}
FUNCTIONS: Dict[str, Dict[str, Tuple[str, int]]] = {
    "os": {
        "dup": ("descriptor", 1), "pipe": ("pipe", 2), "pipe2": ("pipe", 2),
        "openpty": ("device", 2), "posix_openpt": ("device", 1),    # 3.13
        "eventfd": ("eventfd", 1), "timerfd_create": ("timerfd", 1),        # 3.10, 3.13
        "memfd_create": ("memfd", 1), "pidfd_open": ("pidfd", 1),   # 3.8, 3.9
        "umask": ("umask", 0),
    },
    "dbm.gnu": {"open": ("dbm database", 0)},
    "dbm.ndbm": {"open": ("dbm database", 0)},
    "warnings": {"simplefilter": ("warning filter", 0), "filterwarnings": ("warning filter", 0)},
    # The settings of `process_state`, by their names there.
    **{module: {name: (what, 0) for name, what in functions.items()}
       for module, functions in SETTERS.items()},
}
#: What is looked at after each test, whether it was set or not.
_SEEN_ANYWAY = frozenset([
    "warning filter", "signal handler", "socket timeout", "time.tzname", "logging._loggerClass",
    "logging._logRecordFactory", "signal.setitimer(ITIMER_REAL)", "decimal.getcontext()",
    "asyncio.get_event_loop()", "asyncio.get_event_loop_policy()", "sys.getrecursionlimit()",
    "sys.getswitchinterval()"])
#: Those that may be imported while a test runs.
MODULES = frozenset(CONSTRUCTORS) | frozenset(FUNCTIONS) | frozenset([
    "unittest.mock", "mock.mock", "_posixshmem"])
_ENTERS = ("__enter__", "__exit__")
#: Where a function is at home, if that is elsewhere: a pickle of it is looked up there.
_HOMES = {"os": ("posix", "nt"), "socket": ("_socket",), "asyncio": ("asyncio.events",)}


class Method:
    """Stands in the place of a method: notes for whom it is looked up, and where."""

    def __init__(self, original: Any, note: Callable[[Any, Any], None]) -> None:
        self.__wrapped__ = original
        self._note = note

    def __get__(self, value: Any, owner: Any = None) -> Any:
        if value is None:
            return self.__wrapped__.__get__(None, owner)
        try:
            self._note(value, _getframe(1))
        except Exception:   # what is only watched must not fail
            pass
        return self.__wrapped__.__get__(value, owner)


class _Call:
    """The ``__call__`` of `Function`."""

    def __get__(self, value: Any, owner: Any = None) -> Any:
        if value is None:
            return self
        try:
            value._note(_getframe(1))
        except Exception:
            pass
        return value.__wrapped__


class Function:
    """Stands in the place of a function of a module, and for all that is asked seems to be it."""

    def __init__(self, original: Any, note: Callable[[Any], None]) -> None:
        # These four a class has itself: __getattr__ would not be asked for them.
        vars(self).update({name: getattr(original, name, None) for name in _NAMES},
                          __wrapped__=original, _note=note)

    __call__ = _Call()

    @property   # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self.__wrapped__)

    def __get__(self, value: Any, owner: Any = None) -> Any:
        # As the attribute of a class a Python function becomes a method, a builtin one does not.
        bind = getattr(type(self.__wrapped__), "__get__", None)
        return self if bind is None else bind(self.__wrapped__, value, owner)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["__wrapped__"], name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.__wrapped__, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__wrapped__, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        if type(self.__wrapped__) is MethodType:      # random.seed
            return self.__wrapped__.__reduce_ex__(protocol)
        return self.__wrapped__.__qualname__    # looked up where it is: that is this one

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __eq__(self, other: object) -> bool:
        return other is self or bool(self.__wrapped__ == other)

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __dir__(self) -> Any:
        return dir(self.__wrapped__)


_NAMES = ("__doc__", "__module__", "__name__", "__qualname__")


class Constructors:
    """The descriptors and functions of one `Records`, between `install()` and `remove()`."""

    def __init__(self, records: Records, listens: Callable[[], bool]) -> None:
        self._records = records
        self._listens = listens
        self._classes: Dict[int, type] = {}     # by id: those that were registered by the user
        self._swap = Swap()
        self._functions: Dict[str, Function] = {}
        wanted: List[Tuple[str, str, str, Callable[[Any], Any]]] = []
        for module, kinds in CONSTRUCTORS.items():
            for what, classes in kinds.items():
                for each in classes.split():
                    wanted.append((module, each, "__init__",
                                   partial(self._method, partial(self._made, what))))
        for each in ("_patch", "_patch_dict"):
            for module in ("unittest.mock", "mock.mock"):
                wanted.append((module, each, "start", partial(self._method, self._started)))
        for each, what in (("addHandler", "logging handler"), ("addFilter", "logging filter"),
                           ("setLevel", "logging level")):
            wanted.append(("logging", "Logger" if each != "addFilter" else "Filterer", each,
                           partial(self._method, partial(self._logger, what))))
        for module, functions in FUNCTIONS.items():
            for name, (what, descriptors) in functions.items():
                make = partial(self._function, what, descriptors)
                wanted.append((module, "", name, make))
                wanted += [(home, "", name, make) for home in _HOMES.get(module, ())]
        wanted.append(("_posixshmem", "", "shm_open", self._shared))
        self._late = LateSwap(wanted)

    def install(self) -> None:
        """Put them in their places; those of modules that are not loaded yet when `look` is
        called."""
        self._late.install()
        self._register()

    def look(self) -> None:
        """Look for what was loaded since. Cheap."""
        entry_points.load()
        self._late.look()
        if len(_registered) != len(self._classes):
            self._register()

    def remove(self) -> None:
        """Take them away."""
        self._late.remove()
        self._swap.back()
        self._classes.clear()
        self._functions.clear()

    def _register(self) -> None:
        """Take the classes that the user has registered as resources."""
        for cls, kind in list(_registered.values()):
            if id(cls) not in self._classes:
                self._classes[id(cls)] = cls
                original = vars(cls).get("__init__")
                if type(original) is FunctionType and not kind.opens_later:
                    self._swap.put(
                        cls, "__init__", Method(original, partial(self._made, kind.name)))

    def _method(self, note: Callable[[Any, Any], None], original: Any) -> Any:
        return Method(original, note) if type(original) is FunctionType else original

    def _shared(self, original: Any) -> Any:
        return original if type(original) is not BuiltinFunctionType else Function(
            original, self._made_shared)

    def _function(self, what: str, descriptors: int, original: Any) -> Any:
        if type(original) not in (FunctionType, BuiltinFunctionType,
                                  MethodType):
            return original     # somebody else's already
        known = self._functions.get(original.__name__)
        if known is not None and known.__wrapped__ is original:
            return known
        made = Function(original, partial(self._opening, what, descriptors))
        self._functions[original.__name__] = made
        return made

    # What is noted.

    def _made(self, what: str, value: Any, frame: Any) -> None:
        records = self._records
        if what == "exit stack" and origin_of(frame.f_code.co_filename) == LIBRARY:
            return      # mock makes one for each patch
        # The first constructor that is called for an object is the one that the user calls.
        if self._listens() and not records.tied(value):
            records.tie(value, records.record(what, "", frame))

    def _made_shared(self, frame: Any) -> None:
        """Note a block of shared memory: it is a file that is there until it is unlinked."""
        values = frame.f_locals
        held = vars(values["self"]) if "self" in values else {}
        if self._listens() and held.get("_flags", 0) & os.O_CREAT:
            path = "/dev/shm/" + str(values["name"]).lstrip("/")
            self._records.made_path(path, self._records.record("shared memory", path, frame))

    def _started(self, patch: Any, frame: Any) -> None:
        if self._listens():
            self._records.tie(patch, self._records.record("patch", "", frame))

    def _logger(self, what: str, logger: Any, frame: Any) -> None:
        code = frame.f_code
        if code.co_name in _ENTERS and origin_of(code.co_filename) == HARNESS:
            return      # what pytest sets up around each phase of a test, and takes back
        if self._listens() and type(getattr(logger, "name", None)) is str:
            records = self._records
            if origin_of(code.co_filename) == USER and is_installed(
                    code.co_filename) and logger.name != "root":
                # As redis does with its own logger when its first pub/sub is made.
                records.set_up.setdefault((what, logger.name), records.current)
            records.changed(what, logger.name, frame)

    def _opening(self, what: str, descriptors: int, frame: Any) -> None:
        if not self._listens():
            return
        if descriptors:
            self._records.opened(self._records.record(what, "", frame), descriptors)
        else:
            if what not in _SEEN_ANYWAY:
                self._records.settings += 1
            self._records.changed(what, "", frame)
