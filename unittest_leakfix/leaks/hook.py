"""The audit hook: one for the process, added when first wanted, inert while nobody listens."""
from __future__ import annotations

import os
import sys
from typing import Any, Callable, Dict, List, Tuple

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())
_addaudithook = sys.addaudithook

Listener = Callable[[Tuple[Any, ...]], None]

#: Whether forks and changed variables raise events: not on PyPy.
COMPLETE = sys.implementation.name == "cpython"
_listeners: Dict[str, Tuple[Listener, ...]] = {}
_process: List[int] = []  # the one that listens: a forked child does not


def _hook(
    event: str,
    args: Tuple[Any, ...],
    listeners: Dict[str, Tuple[Listener, ...]] = _listeners,
    process: List[int] = _process,
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
    if not _process:
        _process.append(_getpid())
        _addaudithook(_hook)
    _process[0] = _getpid()
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
    return bool(_process) and _process[0] == _getpid()


_getpid = os.getpid
