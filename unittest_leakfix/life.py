"""The life of a test that inherits the mixin: what it had before, what it owes at its end.

A test whose attributes are plain is by far the most frequent one, so each step first looks
whether there is anything to do at all. What the looks cost stands in benchmarks/README.md.
"""

from __future__ import absolute_import

import os
import sys
import unittest
import weakref

from unittest_leakfix._core.early import bind
from unittest_leakfix import attributes, faults, holdings, ownership
from unittest_leakfix.attributes import declared
from unittest_leakfix.heap import heap
from unittest_leakfix.holdings import may_hold
from unittest_leakfix.limits import begin_budget
from unittest_leakfix.reportable import keep_reportable, says_itself

__unittest = True
bind(globals())

#: The attribute of a test that has the names of what was dropped, afterwards.
DROPPED = "_leakfix_dropped"
# The loop, runner and task of IsolatedAsyncioTestCase (3.8), which it ends itself: the
# task is the one that awaits the cleanups.
_UNITTESTS = frozenset(["_asyncioTestLoop", "_asyncioCallsQueue",
                        "_asyncioCallsTask", "_asyncioRunner"])
# What unittest itself puts on a test is never gained, closed or put back. One of them leads
# to the result, and by that to everything that the run has.
_OWN = list(vars(unittest.TestCase("run")))
_OWNS = frozenset(_OWN)
_BARE = len(_OWN)
# But for what 2.7 does not take back: it holds the result.
_LEFT = _OWNS.difference(["_resultForDoCleanups"])
_ORDERED = sys.version_info >= (3, 6)    # a __dict__ remembers who came first
_getpid = os.getpid
_attribute = object.__getattribute__
_slotless = attributes.slotless

#: {id of a test that runs: its `Life`}. Not on the test: it may be pickled, copied or
#: cleared while it runs (Django pickles it to see whether a subtest can be).
lives = {}


class Life(object):
    """What a test had before it began, until it is over."""

    # Slots, all set: what only the class has is slow to reach (3.12).
    __slots__ = ("values", "before", "at_run", "plain", "settled", "none", "tried", "budget", "result",
                 "depth", "pid")

    def __init__(self, test, values):
        if DROPPED in values:
            del values[DROPPED]     # of an earlier run
        self.values = values
        self.plain = None   # all names, when it was seen that those gained hold nothing
        self.settled = False    # whether all that was gained is owned, and will be closed
        self.none = None    # whether nothing is declared to be kept or closed
        self.tried = {}     # by id what was closed, or would not be
        self.result = None  # its id
        self.depth = 0      # how many runs of it are under way
        self.pid = _getpid()
        self.budget = None
        # What it had; None: unittest's own attributes and no other.
        if _ORDERED and id(type(test)) in _slotless and list(values) == _OWN:
            self.before = self.at_run = None
        else:
            self.before = self.at_run = attributes.read(test)
        if type(test).leakfix_max_connections is not None:
            self.budget = begin_budget(test)
        lives[id(test)] = self

    def enter(self, test, result):
        """Take note of what the framework gave *test* before ``run``: not to be
        closed in its cleanups, since the framework may need it after ``run``.

        Another run in the same life (a class whose ``run`` tries three times)
        begins with what the first began with."""
        if not self.depth:
            if self.result is not None:
                self._finish(test, self.at_run)
                self.tried = {}
            elif self.before is not None or len(self.values) != _BARE:
                self.at_run = attributes.read(test)
        self.result = id(result)
        self.depth += 1

    def add_closings(self, test):
        """Add a cleanup for each open resource that *test* gained and owns.

        Returns whether there was one.
        """
        kind = type(test)
        self.none = kind._leakfix_declarations.none(kind)
        if self.none and self.at_run is None and self.before is None:
            values = self.values
            names = list(values)
            if names[:_BARE] == _OWN and not may_hold([
                    values[name] for name in names[_BARE:]]):
                self.plain = names
                return False
        found, _, last, _ = self._untried(test, self.at_run)
        found = found + last
        if self.settled and not any([each.kind.awaits(each.value) for each in found]):
            self.plain = list(self.values)      # when they are closed
        # Cleanups run last added first.
        for each in reversed(found):
            if not each.kind.awaits(each.value):
                test.addCleanup(_close, test, each)
            elif _is_async(test):
                test.addAsyncCleanup(_wait_for(), holdings.close(test, each), None)
        return bool(found)

    def end(self, test):
        """Close what only now is seen to be owned, then drop what was gained."""
        lives.pop(id(test), None)
        values = self.values = _attribute(test, "__dict__")      # it may have got another one
        try:
            if (self.plain is not None and list(values) == self.plain and says_itself(type(test))
                    and not attributes.drop_listeners):
                # As it was when the cleanups were over.
                names = self.plain[_BARE:]
                if names:
                    names.reverse()
                    for name in names:
                        del values[name]
                    values[DROPPED] = names
            else:
                self._finish(test, self.before)
        finally:
            if self.budget is not None:
                self.budget.end()

    def _finish(self, test, before):
        """Close what *test* gained since *before* and owns, and drop what it gained.

        A folder is closed when all else is dropped.
        """
        first, inside, last, left = self._untried(test, before, late=True)
        self._close(test, first)
        self._drop(test, before)
        if last:
            if inside:
                self._close(test, [each for each in inside if each.kind.is_open(each.value)])
            del inside
            heap.collect_left(left)     # an object of the user's own may be in a cycle
            self._close(test, last)

    def _close(self, test, found):
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

    def _gained(self, test, before):
        """Return the names that *test* gained since *before*, first assigned first."""
        if before is None:
            names = list(self.values)
            if names[:_BARE] == _OWN:
                return names[_BARE:]
            before = ()     # it was cleared
        return [name for name in attributes.gained(before, attributes.read(test))
                if name not in _OWNS]

    def _untried(self, test, before, late=False):
        """Return what *test* gained since *before*, owns, and nobody tried to close, as
        `holdings.in_stages` does.

        *late* is after the test. Before, a folder is left alone if there is more than what
        can be closed: it waits for the end then.
        """
        kind = type(test)
        self.none = kind._leakfix_declarations.none(kind)
        names = self._gained(test, before)
        now = attributes.read(test)
        if self.none and not may_hold([now[name] for name in names]):
            return [[], [], [], []]
        now = None      # its references would count
        if self.pid != _getpid():
            return [[], [], [], []]   # a forked child: these may be its parent's
        stages = self._found(test, names, declared(kind, "leakfix_close"), late)
        stages[:3] = [[each for each in found if not self._is_tried(each.value)]
                      for found in stages[:3]]
        for found in stages[:3]:
            for each in found:
                self.tried[id(each.value)] = type(each.value), _weakly(each.value)
        return stages

    def _is_tried(self, value):
        kind, known = self.tried.get(id(value), (None, None))
        # It may have died, and another have its id.
        return kind is type(value) and (known is None or known() is value)

    def _found(self, test, names, closed, late):
        """Return the open resources among the attributes *names* of *test* that it owns, or
        that are named to be *closed*; in stages.

        *late*: an exception that is garbage in a cycle (3.12) may
        seem to share what the frames on its way held, until it is collected.
        """
        now = attributes.read(test)
        keep = declared(type(test), "leakfix_keep")
        names = [name for name in names
                 if name not in keep and name not in closed and name not in _UNITTESTS]
        if not closed and not may_hold([now[name] for name in names]):
            return [[], [], [], []]
        # Nothing of unittest's own is walked through: it has all the tests before.
        past = [id(test), id(self.values), id(self), self.result]
        past.extend([id(now[name]) for name in _OWN if name in now])
        owned = holdings.owned_by(now, names, past)
        if late and ownership.certain() and not owned.issuperset([id(now[name]) for name in names]):
            heap.collect_new()
            owned = holdings.owned_by(now, names, past)
        found = (holdings.declared_resources(now, closed)
                 + holdings.open_resources(now, names, owned, unsure=True))
        if not found:
            return [[], [], [], []]
        stages = holdings.in_stages(found, now, names, owned)
        if not late:
            stages[1] = []
            if stages[2] and holdings.has_more(found, now, names, owned):
                stages[2] = []
            elif self.before is self.at_run is None and self.none:
                self.settled = owned.issuperset([id(now[name]) for name in names])
        return stages

    def _drop(self, test, before):
        """Take out of *test* what it gained since *before*, last assigned first, and put the
        rest back."""
        kind = type(test)
        for listener in attributes.drop_listeners:
            listener(attributes.read(test))
        keep = declared(kind, "leakfix_keep").union(_LEFT)
        holder = attributes.Attributes(test)
        dropped = attributes.restore(holder, before or (), keep)
        if dropped:
            holder.values[DROPPED] = list(dropped)
            keep_reportable(test, holder, dropped)


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
