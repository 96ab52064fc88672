"""TestSnapshot: what a test of a mixin class had before; what it gained is closed and dropped.

`mixins` has the classes that tests inherit. Python 2.7, and 3.6 and later.
"""

from __future__ import absolute_import

import os
import sys
import unittest
import weakref

from unittest_leakfix._core import attributes, errors, ownership
from unittest_leakfix._core.attributes import declared
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.errors import PASSING
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix._core.introspection import PLAIN, function_of
from unittest_leakfix._optional import begin_budget
from unittest_leakfix.resources import scan
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.resources.scan import may_hold

__unittest = True
bind(globals())
_ref = weakref.ref

_TEXTS = ("id", "__str__", "__repr__", "shortDescription")
_SMALL = PLAIN | frozenset([type])
#: The attribute of a test that has the names of what was dropped, afterwards.
DROPPED = "_leakfix_dropped"
# The loop, runner and task of IsolatedAsyncioTestCase (3.8), which it ends itself: the
# task is the one that awaits the cleanups.
_OF_UNITTEST = frozenset(["_asyncioTestLoop", "_asyncioCallsQueue",
                        "_asyncioCallsTask", "_asyncioRunner"])
# What unittest itself puts on a test is never gained, closed or put back. One of them leads
# to the result, and by that to everything that the run has.
_OF_TESTCASE = list(vars(unittest.TestCase("run")))
_OF_TESTCASE_SET = frozenset(_OF_TESTCASE)
_BARE = len(_OF_TESTCASE)
# But for what 2.7 does not take back: it holds the result.
_LEFT = _OF_TESTCASE_SET.difference(["_resultForDoCleanups"])
_ORDERED = sys.version_info >= (3, 6)    # a __dict__ keeps the order of assignment
_NOTHING = [[], [], [], []]     # as `scan.in_stages` returns it
_getpid = os.getpid
_attribute = object.__getattribute__
_slotless = attributes.slotless
#: {id of a test that runs: its `TestSnapshot`}. Not on the test: it may be pickled, copied or
#: cleared while it runs (Django pickles it to see whether a subtest can be).
snapshots = {}


# A finished test whose own ``id()`` or ``__str__`` reads what was dropped can still be reported.

# An async test runs its cleanups in a context of its own (3.8).
_CALL_CLEANUP = function_of(unittest.TestCase, "_callCleanup")
_PLAIN = dict((name, function_of(unittest.TestCase, name)) for name in _TEXTS)
_ID, _STR, _REPR, _SHORT = [_PLAIN[name] for name in _TEXTS]


def describes_itself(kind):
    """Tell whether the class *kind* describes its tests as unittest does, which needs no
    attribute that was dropped."""
    return (kind.id is _ID and kind.__str__ is _STR and kind.__repr__ is _REPR
            and kind.shortDescription is _SHORT or not _changed_texts(kind))


def _changed_texts(kind):
    return [name for name in _TEXTS if function_of(kind, name) is not _PLAIN[name]]


def keep_reportable(test, holder, dropped):
    """Put attributes back that the test's own ``id()`` or ``__str__`` needs.

    A foreign result asks for them at the end of the run. First only small values
    come back, then all.
    """
    kind = type(test)
    texts = _changed_texts(kind)
    if not texts or _can_describe(test, texts):
        return
    for small in (True, False):
        for name, value in dropped.items():
            kind = type(value)
            if not small or type(kind) is type and kind in _SMALL:
                holder.put(name, value)
        if _can_describe(test, texts):
            return


def _can_describe(test, names):
    try:
        for name in names:
            getattr(test, name)()
    except PASSING:
        raise
    except BaseException:
        return False
    return True


# The life of a test that inherits the mixin: what it had before, what it owes at its end.
#
# A test whose attributes are plain is by far the most frequent one, so each step first looks
# whether there is anything to do at all. What the looks cost stands in benchmarks/README.md.


class TestSnapshot(object):
    """What a test had before it began, until it is over."""

    # Slots, all set: what only the class has is slow to reach (3.12).
    __slots__ = ("values", "before", "at_run", "plain", "settled", "none", "tried", "budget",
                 "result",
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
        if _ORDERED and id(type(test)) in _slotless and list(values) == _OF_TESTCASE:
            self.before = self.at_run = None
        else:
            self.before = self.at_run = attributes.read(test)
        if type(test).leakfix_max_connections is not None:
            self.budget = begin_budget(test)
        snapshots[id(test)] = self

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
        """Close each open resource that *test* gained and owns.

        Where that raises, where it has to be awaited, or where cleanups run elsewhere, it is
        for a cleanup of the test to do or to raise. Returns whether there are cleanups to run.
        """
        kind = type(test)
        self.none = kind._leakfix_declarations.none(kind)
        names = None
        if self.none and self.at_run is None and self.before is None:
            values = self.values
            names = list(values)
            if names[:_BARE] != _OF_TESTCASE:
                names = None
            elif not may_hold([values[name] for name in names[_BARE:]]):
                self.plain = names
                return False
            else:
                del names[:_BARE]
        found, _, last, _ = self._untried(test, self.at_run, gained=names)
        found = found + last if last else found
        if not found:
            return False
        if (function_of(kind, "_callCleanup") is _CALL_CLEANUP
                and not any([each.kind.awaits(each.value) for each in found])):
            if self.settled:
                self.plain = list(self.values)
            # Each in a cleanup of its own costs as much as the rest of it.
            failed = [(each, _failure_of_closing(test, each)) for each in found]
            for failure in reversed(failed):
                if failure[1] is not None:
                    test.addCleanup(_raise_failure, test, *failure)
            del failed[:]
            failure = None      # their frames lead back to this one
            return bool(self.values.get("_cleanups", True))     # a close may add some, too
        if self.settled and not any([each.kind.awaits(each.value) for each in found]):
            self.plain = list(self.values)      # when they are closed
        # Cleanups run last added first.
        for each in reversed(found):
            if not each.kind.awaits(each.value):
                test.addCleanup(_close, test, each)
            elif _is_async(test):
                test.addAsyncCleanup(_wait_for(), scan.close(test, each), None)
        return True

    def end(self, test):
        """Close what only now is seen to be owned, then drop what was gained."""
        values = self.values = _attribute(test, "__dict__")      # it may have got another one
        try:
            if (self.plain is not None and list(values) == self.plain
                    and describes_itself(type(test)) and not attributes.drop_listeners):
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
        scan.close_each(test, first)
        self._drop(test, before)
        if last:
            if inside:
                scan.close_each(test, [each for each in inside if each.kind.is_open(each.value)])
            del inside
            heap.collect_left(left)     # an object of the user's own may be in a cycle
            scan.close_each(test, last)

    def _gained(self, test, before):
        """Return the names that *test* gained since *before*, first assigned first."""
        if before is None:
            names = list(self.values)
            if names[:_BARE] == _OF_TESTCASE:
                return names[_BARE:]
            before = ()     # it was cleared
        return [name for name in attributes.gained(before, attributes.read(test))
                if name not in _OF_TESTCASE_SET]

    def _untried(self, test, before, late=False, gained=None):
        """Return what *test* gained since *before*, owns, and nothing tried to close, as
        `scan.in_stages` does.

        *late* is after the test. Before, a folder is left alone if there is more than what
        can be closed: it waits for the end then. *gained* are the names, if they are known.
        """
        kind = type(test)
        known = gained is not None      # that there may be a resource among them, too
        if not known:
            self.none = kind._leakfix_declarations.none(kind)
            gained = self._gained(test, before)
            if self.none and not may_hold(map(attributes.read(test).get, gained)):
                return _NOTHING
        if self.pid != _getpid():
            return _NOTHING     # a forked child: these may be its parent's
        stages = self._found(
            test, gained, () if self.none else declared(kind, "leakfix_close"), late, known)
        if self.tried:
            stages = [[each for each in found if not self._is_tried(each.value)]
                      for found in stages[:3]] + [stages[3]]
        for found in stages[:3]:
            for each in found:
                self.tried[id(each.value)] = type(each.value), _weakly(each.value)
        return stages

    def _is_tried(self, value):
        kind, known = self.tried.get(id(value), (None, None))
        # It may have died, and another have its id.
        return kind is type(value) and (known is None or known() is value)

    def _found(self, test, names, closed, late, known=False):
        """Return the open resources among the attributes *names* of *test* that it owns, or
        that are named to be *closed*; in stages.

        *known*: that there may be a resource. *late*: an exception that is garbage in a cycle
        (3.12) may seem to share what the frames on its way held, until it is collected.
        """
        now = attributes.read(test)
        if not self.none:
            keep = _OF_UNITTEST.union(declared(type(test), "leakfix_keep"), closed)
            names = [name for name in names if name not in keep]
        elif _is_async(test):
            names = [name for name in names if name not in _OF_UNITTEST]
        if not known and not closed and not may_hold([now[name] for name in names]):
            return _NOTHING
        if not known or len(names) > 1:
            names = scan.not_plain(now, names)
        # Nothing of unittest's own is walked through: it has all the tests before.
        past = [id(test), id(self.values), id(self), self.result]
        past.extend(map(id, map(now.get, _OF_TESTCASE)))
        loop = _loop_of(now)
        owned = scan.owned_by(now, names, past + [id(each) for each in loop], alone=not closed)
        all_owned = owned.issuperset([id(now[name]) for name in names])
        if not all_owned and (late or _awaits_any(now, names, owned)) and ownership.certain():
            heap.collect_new()
            # The loop ends right after, whatever in it leads to what is awaited.
            owned = scan.owned_by(now, names, past, alone=not closed, ending=loop)
        found = scan.open_resources(now, names, owned, unsure=True)
        if closed:
            found = scan.declared_resources(now, closed) + found
        if not found:
            return _NOTHING
        stages = scan.in_stages(found, now, names, owned)
        if not late:
            stages[1] = []
            if stages[2] and scan.has_more(found, now, names, owned):
                stages[2] = []
            elif self.before is self.at_run is None and self.none:
                self.settled = all_owned
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
        return _ref(value)
    except TypeError:
        return None


def _close(test, found):
    """Close what was *found*; an error says to which attribute it happened."""
    try:
        scan.close(test, found)
    except errors.PASSING:
        raise
    except BaseException as cause:
        raise errors.close_error(test, found, cause)


def _failure_of_closing(test, found):
    """Close what was *found*, and return what that raised, or None."""
    try:
        scan.close(test, found)
    except KeyboardInterrupt:
        raise
    except BaseException as cause:
        return cause
    return None


def _raise_failure(test, found, cause):
    """Raise *cause*, raised in closing what was *found*, as an error of the test."""
    if issubclass(type(cause), PASSING):
        raise cause
    raise errors.close_error(test, found, cause)


def _is_async(test):
    module = sys.modules.get("unittest.async_case")
    return module is not None and issubclass(type(test), module.IsolatedAsyncioTestCase)


def _awaits_any(values, names, owned):
    """Tell whether one of *names* has to be awaited that is not *owned*: what its calls have left
    may seem to share it until that is collected, and afterwards there is no loop."""
    for name in names:
        if id(values[name]) not in owned:
            kind = kind_of(values[name])
            if kind is not None and kind.client and kind.awaits(values[name]):
                return True
    return False


def _loop_of(values):
    """Return the loop of an asynchronous test in a tuple, () for none. It leads to all that is
    open."""
    runner = values.get("_asyncioRunner")   # 3.11
    loop = values.get("_asyncioTestLoop") if runner is None else getattr(runner, "_loop", None)
    return () if loop is None else (loop,)


def _wait_for():
    # A coroutine function that awaits what it is given: 3.11+ awaits no other
    # kind of cleanup, and 2.7 cannot compile one of ours.
    return sys.modules["asyncio"].wait_for
