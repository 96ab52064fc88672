"""The one chain of references that keeps an object alive, as text."""

from __future__ import annotations

import gc
import sys
from typing import Collection, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core.early import bind

from . import paths
from .walk import Search, Walk

__unittest = True
bind(globals())
_disable = gc.disable
_enable = gc.enable
_isenabled = gc.isenabled

LEVELS = 100
"""How many references a chain may be long."""


class Step(NamedTuple):
    """One object of a chain."""

    access: str
    """How one gets here from the step before: ".receivers", "[0]", ".__self__"; for the first step the root."""
    label: str
    """What it is: "module shop.signals", "Signal", "list (3 items)", "bound method OrderTests.on_save"."""
    place: str
    """"tests/test_orders.py:20" for functions, methods, tests, running frames (classes: 3.13+), else ""."""
    suspect: bool
    """Tells whether here something short-lived hangs on something that lives long."""


class Chain(NamedTuple):
    """The references from a root to an object. Text only: it keeps nothing alive."""

    expression: str
    """Python, from a module: ``shop.signals.post_save.receivers[0].__self__``."""
    evaluates: bool
    """Tells whether ``eval(expression)`` gives the object, where the module, gc, sys and the like are imported."""
    steps: Tuple[Step, ...]
    root: str
    """"module", "class", "thread", "frame", "builtins", "atexit", "interpreter", "leak" or "unknown"."""
    warm_up: Optional[str]
    """The known cache the chain hangs on, or None."""


def chain(target: object, *, others: Iterable[int] = (), ignore: Iterable[object] = (),
          born: Optional[Collection[int]] = None, limit: int = LEVELS) -> Optional[Chain]:
    """Finds the chain that keeps one object; see `chains`."""
    return _chains([target], others, ignore, born, limit, _CALL)[0]


def chains(targets: Sequence[object], *, others: Iterable[int] = (), ignore: Iterable[object] = (),
           born: Optional[Collection[int]] = None, limit: int = LEVELS) -> List[Optional[Chain]]:
    """Finds, for each object, the nearest chain from a root; the heap must be thawed.

    others: ids of leaks that no chain passes through; ignore: containers and frames that are no
    holders; born: ids of what is known to be young, for the suspects; limit: the longest chain.
    None where nothing holds an object but the caller. Runs no code of any object, keeps none.
    """
    return _chains(targets, others, ignore, born, limit, 0)


# What `chain` itself holds its target by: its argument, and up to 3.10 the caller's value stack.
_CALL = 2 if sys.version_info < (3, 11) else 1


def _chains(targets: Sequence[object], others: Iterable[int], ignore: Iterable[object],
            born: Optional[Collection[int]], limit: int, extra: int) -> List[Optional[Chain]]:
    walk = Walk(targets, set(others), {id(obj) for obj in ignore} | {id(ignore), id(targets)}, limit, extra)
    enabled = _isenabled()
    _disable()  # a collection in the middle would cost more than the walk
    try:
        walk.run()
        return [_text(search, walk, born) for search in walk.searches]
    finally:
        walk.forget()
        if enabled:
            _enable()


def _text(search: Search, walk: Walk, born: Optional[Collection[int]]) -> Optional[Chain]:
    found = paths.best(search, walk) or paths.last_resort(search, walk)
    if found is None:
        return None
    suspects = paths.suspects(found.hops, born)
    steps = tuple(Step(hop.access, hop.label, hop.place, index in suspects)
                  for index, hop in enumerate(found.hops))
    return Chain(found.expression, found.evaluates, steps, found.kind, found.warm_up)
