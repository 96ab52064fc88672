"""The audit events that tell of something opened, and the record that each leads to."""
from __future__ import annotations

import os
import sys
import threading
from types import FrameType, MethodType
from typing import Any, Dict, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core import redaction

from . import hiding
from .frames import OWN, kind_of
from .hook import Listener
from .records import Records
from .wrappers import Wrappers

__unittest = True
bind(globals())
_basename = os.path.basename
_getframe = sys._getframe
_Thread = threading.Thread


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
            "os.forkpty": self._on_fork,
            "os.posix_spawn": self._on_fork,
            "os.putenv": self._on_variable,
            "os.unsetenv": self._on_variable,
            "tempfile.mkdtemp": self._on_folder,
            "tempfile.mkstemp": self._on_file,
            "_thread.start_new_thread": self._on_thread,  # 3.12
            "_thread.start_joinable_thread": self._on_thread,  # 3.13
            "import": self._wrappers.look,
        }

    def _on_open(self, args: Tuple[Any, ...]) -> None:
        path = args[0]
        if type(path) is int:
            return  # a file object around a descriptor that is open already
        frame = _getframe(2)
        if kind_of(frame.f_code.co_filename) == OWN:
            return
        path = hiding.plain(path)
        what = "temporary file" if path in self._records.paths else "file"
        self._records.opened(self._records.record(what, path, frame))

    def _on_socket(self, args: Tuple[Any, ...]) -> None:
        frame = _getframe(2)
        if kind_of(frame.f_code.co_filename) != OWN:
            self._records.tie(args[0], self._records.record("socket", "", frame))

    def _on_address(self, args: Tuple[Any, ...]) -> None:
        self._records.addressed(args[0], args[1])

    def _on_sqlite(self, args: Tuple[Any, ...]) -> None:
        self._wrappers.look()
        path = hiding.plain(args[0])
        self._records.connecting(self._records.record("sqlite3 connection", path, _getframe(2)))

    def _on_handle(self, args: Tuple[Any, ...]) -> None:
        self._records.connected(args[0])

    def _on_popen(self, args: Tuple[Any, ...]) -> None:
        frame = _getframe(2)
        raw = self._records.record("child process", redaction.shown(redaction.command(args[1])), frame)
        # Raised by Popen's own method, whose `self` is the only way to the new process's number.
        self._records.tie(frame.f_locals["self"], raw)

    def _on_fork(self, args: Tuple[Any, ...]) -> None:
        frame = _getframe(2)
        if _basename(frame.f_code.co_filename) in ("subprocess.py", "popen_fork.py"):
            return  # recorded with its object
        detail = redaction.shown(redaction.command(args[1])) if args else "fork"
        self._records.forking(self._records.record("child process", detail, frame))

    def _on_variable(self, args: Tuple[Any, ...]) -> None:
        self._records.environment += 1

    def _on_folder(self, args: Tuple[Any, ...]) -> None:
        self._on_path("temporary folder", args[0], _getframe(2))

    def _on_file(self, args: Tuple[Any, ...]) -> None:
        self._on_path("temporary file", args[0], _getframe(2))

    def _on_path(self, what: str, path: object, frame: FrameType) -> None:
        name = hiding.plain(path)
        self._records.made_path(name, self._records.record(what, name, frame))

    def _on_thread(self, args: Tuple[Any, ...]) -> None:
        function = args[0]
        if type(function) is MethodType and issubclass(type(function.__self__), _Thread):
            self._records.started(function.__self__, _getframe(2))  # type: ignore[arg-type]
