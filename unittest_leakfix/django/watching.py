"""Who watches the run of a process, from the inside out."""
from __future__ import annotations

from typing import Callable, Optional, TypeVar

from unittest_leakfix._core.early import bind
from unittest_leakfix.databases.counting import Counting
from unittest_leakfix.watcher import Passing, Watcher

from .letting_go import LettingGo
from .options import Asked

__unittest = True
bind(globals())

_Outermost = TypeVar("_Outermost", bound=Watcher)


def watchers(watcher: Optional[Watcher], asked: Asked, outermost: Callable[[Watcher], _Outermost]) -> _Outermost:
    """Return what *outermost* makes of *watcher*, of finding or None, behind those for what was *asked*."""
    inner: Passing = LettingGo(watcher, asked.release_classes)
    if asked.max_connections is not None:
        inner = Counting(inner, asked.max_connections)
    return outermost(inner)
