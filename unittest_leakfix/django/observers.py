"""Letting go of what Django keeps of a test or a class that is over."""

from __future__ import annotations

import unittest
from typing import Callable, Dict, Optional, TypeVar

from django.db import connections as _of_thread
from django.test.testcases import TestData

from unittest_leakfix import class_mixin
from unittest_leakfix._core.attributes import ClassAttributes, gained
from unittest_leakfix._core.early import bind
from unittest_leakfix.databases.connection_limit import CountingObserver
from unittest_leakfix.django.options import DjangoOptions
from unittest_leakfix.observer import ForwardingObserver, RunObserver

__unittest = True
bind(globals())

OF_DJANGO = frozenset(["atomics", "async_client", "client", "cls_atomics"])
"""What Django keeps on the class for its running tests (5.2; cls_atomics: all)."""


class DjangoReleasing(ForwardingObserver):
    """An observer after which Django's connections no longer hold a test, nor a class the data of
    its run.

    A connection remembers the last exception that broke a transaction, and with it, by its frames,
    the test: for as long as no other comes.

    What ``setUpTestData`` made is dropped, or rebound to what was there before, and Django's own
    clients and transactions as well: no row of theirs is in the database any more. Of that class
    only, not of its bases, which may remember for others. Nothing is closed.

    *everything*: so is all else that ``setUpClass`` put there, and what the class alone referred to
    is closed. ``leakfix_keep`` counts. Not by default: ``tearDownModule``, or a class that comes
    later, may read it.
    """

    def __init__(self, watcher: Optional[RunObserver] = None, everything: bool = False) -> None:
        super().__init__(watcher)
        self._everything = everything
        self._class: Optional[type] = None
        self._before: Dict[str, object] = {}

    def test_finished(self, test: unittest.TestCase) -> None:
        for wrapper in _of_thread.all(initialized_only=True):
            # Read by Django only where the transaction still needs to be rolled back.
            if wrapper.rollback_exc is not None and not wrapper.needs_rollback:
                wrapper.rollback_exc = None
        self.inner.test_finished(test)

    def class_started(self, cls: type) -> None:
        self._class, self._before = cls, ClassAttributes(cls).read()
        if self._everything:
            class_mixin.remember(cls)
        self.inner.class_started(cls)

    def class_finished(self, cls: type) -> None:
        # Finding reports what else the class holds.
        if cls is self._class:
            self._drop(cls)
        self.inner.class_finished(cls)
        if self._everything:
            class_mixin.restore(cls)

    def _drop(self, cls: type) -> None:
        before, self._class, self._before = self._before, None, {}
        holder = ClassAttributes(cls)
        now = holder.read()
        for name in gained(before, now):
            if type(now[name]) is not TestData and name not in OF_DJANGO:
                continue
            if name in before:
                holder.put(name, before[name])
            else:
                holder.drop(name)


# The observers of the run of a process, from the inside out.

_Outermost = TypeVar("_Outermost", bound=RunObserver)


def observers_of(watcher: Optional[RunObserver], chosen: DjangoOptions,
             outermost: Callable[[RunObserver], _Outermost]) -> _Outermost:
    """Return what *outermost* makes of *watcher*, of finding or None, behind those for what was
    *chosen*."""
    inner: ForwardingObserver = DjangoReleasing(watcher, chosen.release_classes)
    if chosen.max_connections is not None:
        inner = CountingObserver(inner, chosen.max_connections)
    return outermost(inner)
