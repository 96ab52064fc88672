"""Child processes that run, or have ended and were not waited for. Kind: "child process"."""
from __future__ import annotations

import os
import sys
from typing import Dict, List, Optional

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.process_state import descriptors
from unittest_leakfix.process_state.base import Change, FoundChange, Monitor
from unittest_leakfix.tracing import os_facts, sources
from unittest_leakfix.tracing.acquisitions import Acquisitions

__unittest = True
bind(globals())


class Children(Monitor):
    """Watches this process's children.

    One system call tells whether there are any. Where there are, they are listed from /proc;
    without it, only those that `subprocess` and `multiprocessing` know of.
    """

    passing = True
    _waitid = staticmethod(getattr(os, "waitid", None) or (lambda *_: None))
    _listdir = staticmethod(os.listdir)
    _getpid = staticmethod(os.getpid)
    _kind = getattr(os, "P_ALL", 0)
    # WNOWAIT: only look; the owner of the child still has to wait for it.
    _look = getattr(os, "WEXITED", 0) | getattr(os, "WNOHANG", 0) | getattr(os, "WNOWAIT", 0)

    _modules = sys.modules

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        self._acquisitions = acquisitions
        self._base: Dict[int, float] = {}
        self._seen = -1     # how many were started before there was none

    def take(self) -> None:
        self._base = self._children()
        self._seen = -1
        if not self._base:
            self._none()

    def absorb(self, since: "Children") -> None:
        new = set(since._new())
        self._base.update((pid, born) for pid, born in self._children().items() if pid in new)

    def same(self) -> bool:
        # Nobody has started one since there was none; what only C code starts, `exactly` sees.
        return (self._acquisitions is not None and self._seen == self._acquisitions.children
                or self.exactly())

    def exactly(self) -> bool:
        try:
            self._waitid(self._kind, 0, self._look)
        except ChildProcessError:
            self._none()
            return True
        return not self._new()

    def _none(self) -> None:
        """There is none now."""
        if sources.COMPLETE and self._acquisitions is not None and self._acquisitions.listening:
            self._seen = self._acquisitions.children

    def waits(self) -> bool:
        return any(_state(pid) != "Z" for pid in self._new())

    def changes(self) -> List[FoundChange]:
        return [(self._change(pid), None) for pid in self._new()]

    def _new(self) -> List[int]:
        base = self._base
        # A number is reused; the time of birth tells two children apart.
        new = [pid for pid, born in self._children().items() if base.get(pid) != born]
        held = descriptors.processes() if new else ()
        return [pid for pid in new if pid not in held]

    def _children(self) -> Dict[int, float]:
        try:
            self._waitid(self._kind, 0, self._look)
        except ChildProcessError:
            return {}
        pids: List[int] = []
        try:
            for task in self._listdir("/proc/self/task"):
                pids += map(int, os_facts.contents("/proc/self/task/%s/children" % task).split())
        except OSError:
            pids = _known()
        return {pid: os_facts.born_at(pid) or 0.0 for pid in pids}

    def _change(self, pid: int) -> Change:
        words = [word for word in os_facts.contents("/proc/%d/cmdline" % pid).split("\0") if word]
        zombie = _state(pid) == "Z"
        name = redaction.shown(
            redaction.command(words)) or os_facts.contents("/proc/%d/comm" % pid).strip() or "child"
        return Change("child process", name, "ended" if zombie else "running", pid=pid)


def _state(pid: int) -> Optional[str]:
    """Return the process's state letter; None when it is gone."""
    text = os_facts.contents("/proc/%d/stat" % pid)
    return text.rpartition(")")[2].split()[0] if text else None


def _known() -> List[int]:
    """Return the children that multiprocessing knows of, and those that subprocess has given up."""
    found = []
    process = os_facts.loaded("multiprocessing.process")
    for child in tuple(getattr(process, "_children", ()) or ()):
        found.append(os_facts.process_id(child))
    for popen in tuple(getattr(os_facts.loaded("subprocess"), "_active", ()) or ()):
        found.append(os_facts.process_id(popen))
    return [pid for pid in found if pid]
