"""The life of a test that inherits the mixin: what it had before, what it owes at its end."""

from __future__ import absolute_import

import os
import sys
import weakref

from unittest_leakfix._core.early import bind
from unittest_leakfix import attributes, faults, holdings
from unittest_leakfix.attributes import declared
from unittest_leakfix.heap import heap
from unittest_leakfix.limits import begin_budget
from unittest_leakfix.reportable import keep_reportable

__unittest = True
bind(globals())

#: The attribute of a test that has its `Life`, while it runs.
LIFE = "_leakfix_life"
#: The attribute of a test that has the names of what was dropped, afterwards.
DROPPED = "_leakfix_dropped"
# The loop, runner and task of IsolatedAsyncioTestCase (3.8), which it ends itself: the
# task is the one that awaits the cleanups.
_UNITTESTS = frozenset([LIFE, "_asyncioTestLoop", "_asyncioCallsQueue",
                        "_asyncioCallsTask", "_asyncioRunner"])
_getpid = os.getpid


class Life(object):
    """What a test had before it began. It hangs on the test while it runs, and is
    pickled with it (Django pickles a test to see whether a subtest can be)."""

    def __init__(self, test, depth):
        self.depth = depth      # how many runs of it are under way
        self.before = attributes.read(test)
        self.before.pop(DROPPED, None)
        self.at_run = self.before
        self.closed = declared(type(test), "leakfix_close")
        self.tried = {}         # by id what was closed, or would not be
        self.pid = _getpid()
        self.budget = None
        if type(test).leakfix_max_connections is not None:
            self.budget = begin_budget(test)

    def enter(self, test):
        """Take note of what the framework gave *test* before ``run``: not to be
        closed in its cleanups, since the framework may need it after ``run``.

        Another run in the same life (a class whose ``run`` tries three times)
        begins with what the first began with."""
        if not self.depth:
            if self.at_run is self.before:
                self.at_run = attributes.read(test)
            else:
                self._close(test, self.at_run)
                attributes.restore(attributes.Attributes(test), self.at_run,
                                   declared(type(test), "leakfix_keep"))
                self.tried.clear()
        self.depth += 1

    def add_closings(self, test):
        """Add a cleanup for each open resource that *test* gained and owns.

        Returns whether there was one.
        """
        found = self._untried(test, self.at_run, attributes.read(test))
        # Cleanups run last added first.
        for each in reversed(found):
            if not each.kind.awaits(each.value):
                test.addCleanup(_close, test, each)
            elif _is_async(test):
                test.addAsyncCleanup(_wait_for(), holdings.close(test, each), None)
        return bool(found)

    def end(self, test):
        """Close what only now is seen to be owned, then drop what was gained."""
        self.at_run = None
        try:
            self._drop(test, self._close(test, self.before))
        finally:
            if self.budget is not None:
                self.budget.end()

    def _close(self, test, before):
        """Close what *test* gained since *before* and owns.

        Returns the attributes as they were read, None if something ran since.
        """
        now = attributes.read(test)
        found = self._untried(test, before, now, late=True)
        for each in found:
            # An awaitable close would need the test's loop, which is gone.
            if each.kind.awaits(each.value):
                holdings.let_go(test, each)
            else:
                try:
                    holdings.close(test, each)
                except faults.PASSING:
                    raise
                except BaseException as error:
                    faults.warn(test, each, error)
        return None if found else now

    def _untried(self, test, before, now, late=False):
        """Return what *test* gained since *before*, owns, and nobody tried to close.

        *now* are its attributes.
        """
        if self.pid != _getpid():
            return []       # a forked child: these may be its parent's
        found = _found(test, before, now, self.closed, late)
        if found:
            found = [each for each in found if not self._is_tried(each.value)]
            for each in found:
                self.tried[id(each.value)] = type(each.value), _weakly(each.value)
        return found

    def _is_tried(self, value):
        kind, known = self.tried.get(id(value), (None, None))
        # It may have died, and another have its id.
        return kind is type(value) and (known is None or known() is value)

    def __getstate__(self):
        return dict(vars(self), tried={})

    def _drop(self, test, now):
        holder = attributes.Attributes(test)
        for listener in attributes.drop_listeners:
            listener(holder.read())
        dropped = attributes.restore(holder, self.before,
                                     declared(type(test), "leakfix_keep"), now)
        if dropped:
            holder.values[DROPPED] = frozenset(dropped)
            keep_reportable(test, holder, dropped)


def _found(test, before, now, closed, late):
    """Return the open resources that *test* gained since *before* and owns, or that
    are named to be *closed*. *now* are its attributes.

    *late* is after the test: an exception that is garbage in a cycle (3.12) may
    seem to share what the frames on its way held, until it is collected.
    """
    names = attributes.gained(before, now)
    if not closed and not holdings.may_hold([now[name] for name in names]):
        return ()
    keep = declared(type(test), "leakfix_keep")
    names = [name for name in names
             if name not in keep and name not in closed and name not in _UNITTESTS]
    past = (id(test), id(attributes.namespace(test)))
    owned = holdings.owned_by(now, names, past)
    if late and not owned.issuperset(id(now[name]) for name in names):
        heap.collect_new()
        owned = holdings.owned_by(now, names, past)
    return (holdings.declared_resources(now, closed)
            + holdings.open_resources(now, names, owned, unsure=True))


def _weakly(value):
    try:
        return weakref.ref(value)
    except TypeError:
        return None


def _close(test, found):
    """Close what was *found*; an error says to which attribute it happened."""
    try:
        holdings.close(test, found)
    except faults.PASSING:
        raise
    except BaseException as cause:
        raise faults.close_error(test, found, cause)


def _is_async(test):
    module = sys.modules.get("unittest.async_case")
    return module is not None and issubclass(type(test), module.IsolatedAsyncioTestCase)


def _wait_for():
    # A coroutine function that awaits what it is given: 3.11+ awaits no other
    # kind of cleanup, and 2.7 cannot compile one of ours.
    return sys.modules["asyncio"].wait_for
