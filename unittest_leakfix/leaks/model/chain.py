"""Chain: the references from a root to an object, as facts. The report draws it."""
from __future__ import annotations

import enum
from typing import NamedTuple, Optional, Tuple

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


class Thing(NamedTuple):
    """What an object on a chain is. Text and numbers only: it keeps nothing alive."""

    category: str
    """"module", "class", "function", "bound method", "frame", "generator", "coroutine",
    "async_generator", "lru_cache", "container", "weak reference", "test", "thread", "object"; and
    what is not an object of Python's: "entry" (of ``sys.modules``), "C code", "end" (of a search
    that gave up), "named" by a harness.
    """
    name: str = ""
    """What it is called; of an object its class, without the functions around that."""
    method: str = ""
    """Of a test or bound method its method; of a thread the function that it runs."""
    length: int = -1
    """How many items a container has, how many references C code has, how many levels were
    searched."""
    at: str = ""
    """Where a thread is now: "mail.py:61"."""
    text: str = ""
    """Of a report read back: all that is known, as it was written."""


class Link(enum.Enum):
    """By what one object of a chain refers to the next."""

    ROOT = "is where the chain begins"
    ATTRIBUTE = "an attribute that can be set and deleted"
    INDEX = "an item of a list or deque"
    VALUE = "the value of a dict's key"
    KEY = "a dict's key"
    MEMBER = "a member of a set"
    OTHER = "what cannot be undone from outside: a tuple's item, a cell, a local, a part in C"


class Step(NamedTuple):
    """One object of a chain."""

    access: str
    """How one gets here from the step before: ".receivers", "[0]", ".__self__"; for the first
    step the root."""
    what: Thing
    """What it is."""
    place: str
    """"tests/test_orders.py:20" for functions, methods, tests, running frames (classes: 3.13+),
    else ""."""
    suspect: bool
    """Tells whether here something short-lived hangs on something that lives long."""
    link: Link = Link.OTHER
    """By what the step before refers to this one."""
    key: str = ""
    """Of an attribute its name; of an index or key of plain values their Python source."""


class Chain(NamedTuple):
    """The references from a root to an object. Text only: it keeps nothing alive."""

    expression: str
    """Python, from a module: ``shop.signals.post_save.receivers[0].__self__``."""
    evaluates: bool
    """Tells whether ``eval(expression)`` gives the object, where the module, gc, sys and the like
    are imported."""
    steps: Tuple[Step, ...]
    root: str
    """"module", "class", "thread", "frame", "builtins", "atexit", "interpreter", "leak" or
    "unknown"."""
    warm_up: Optional[str]
    """The known cache the chain hangs on, or None."""
    bounded: bool = False
    """Tells whether it leads through a container that its owner keeps within a limit."""
