"""What multiprocessing and the system start once for the whole process: not a test's leak."""
from __future__ import annotations

import sys
from typing import Set

from unittest_leakfix._core.early import bind

from . import identity

__unittest = True
bind(globals())

# Module, object in it, attribute with the process id, attribute with the end of the pipe.
_HELPERS = (
    ("multiprocessing.resource_tracker", "_resource_tracker", "_pid", "_fd"),
    ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid", "_forkserver_alive_fd"),
)


def processes() -> Set[object]:
    """Return the process ids of the helpers that run."""
    return _values(2)


def descriptors() -> Set[int]:
    """Return the descriptors that this process keeps for them, and for its shared memory."""
    return {fd for fd in _values(3) | _arenas() if type(fd) is int}


def loaded_files() -> Set[str]:
    """Return the paths of the executable and of the libraries that the system has loaded (Linux)."""
    found: Set[str] = set()
    for line in identity.contents("/proc/self/maps", 1 << 24).splitlines():
        part = line.split(None, 5)
        if len(part) == 6 and "x" in part[1]:
            found.add(part[5])
    return found


def _arenas() -> Set[object]:
    """Return the descriptors of what `multiprocessing.Value` and its like share: it is used again and again."""
    wrapper = getattr(sys.modules.get("multiprocessing.heap"), "BufferWrapper", None)
    arenas = identity.attributes(getattr(wrapper, "_heap", None)).get("_arenas")
    return {identity.attributes(arena).get("fd") for arena in arenas} if type(arenas) is list else set()


def _values(place: int) -> Set[object]:
    found: Set[object] = set()
    for helper in _HELPERS:
        module = sys.modules.get(helper[0])
        if module is not None:
            found.add(identity.attributes(getattr(module, helper[1], None)).get(helper[place]))
    return found
