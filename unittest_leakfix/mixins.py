"""Mixins that make a test give back what it took, under any runner."""

from __future__ import absolute_import

import os
import sys
import unittest

from unittest_leakfix import attributes, faults
from unittest_leakfix.attributes import declared
from unittest_leakfix.heap import heap

__unittest = True

_LIFE = "_leakfix_life"
_DROPPED = "_leakfix_dropped"
# The loop, runner and task of IsolatedAsyncioTestCase (3.8), which it ends itself: the
# task is the one that awaits the cleanups.
_UNITTESTS = frozenset([_LIFE, "_asyncioTestLoop", "_asyncioCallsQueue",
                        "_asyncioCallsTask", "_asyncioRunner"])
_TEXTS = ("id", "__str__", "__repr__", "shortDescription")
_SMALL = (type(None), bool, int, float, str, type(u""), type)
_RUN = unittest.TestCase.__dict__["run"]
_getpid = os.getpid
_INTEGERS = (int, type(2 ** 64))


def _function(kind, name):
    found = getattr(kind, name)
    return getattr(found, "__func__", found)    # 2.7's unbound methods


_PLAIN = dict((name, _function(unittest.TestCase, name)) for name in _TEXTS)


class LeakFixMixin(object):
    """Closes and drops, after the test, every attribute that the test gained.

    Put it first: ``class OrderTests(LeakFixMixin, unittest.TestCase)``. It works
    under every runner. An open resource is closed if it would be garbage once the
    test lets go of it; what others refer to as well is dropped, never closed. A
    ``close()`` that raises is an error of the test.

    ``leakfix_keep``: names of attributes to leave as they are. ``leakfix_close``:
    names of attributes to close even if others refer to them, or if they are no
    resource that we know but have a ``close()``. Both tuples add up along the
    base classes.

    ``leakfix_max_connections``: how many connections to database servers may be open
    at the same time; the call that would open one more raises
    ``ConnectionBudgetError``. Python 3.8 and later.
    """

    leakfix_keep = ()
    leakfix_close = ()
    leakfix_max_connections = None

    if sys.version_info >= (3, 6):
        def __init_subclass__(cls, **kwds):
            super(LeakFixMixin, cls).__init_subclass__(**kwds)
            check(cls, LeakFixMixin)
    else:
        def __new__(cls, *args, **kwds):
            # 2.7 has no word at class creation; the first instance is the next.
            check(cls, LeakFixMixin)
            return super(LeakFixMixin, cls).__new__(cls)

    def __call__(self, *args, **kwds):
        """Run the test. Django sets attributes here, before ``run``."""
        return _lived(self, super(LeakFixMixin, self).__call__, args, kwds)

    def run(self, *args, **kwds):
        """Run the test, then close and drop what it gained."""
        life = attributes.namespace(self).get(_LIFE)
        if life is None:
            return _lived(self, super(LeakFixMixin, self).run, args, kwds, depth=1)
        life.enter(self)
        try:
            return super(LeakFixMixin, self).run(*args, **kwds)
        finally:
            life.depth -= 1

    def doCleanups(self):
        """Run the cleanups. After the last one of ``run``, close what is owned."""
        outcome = super(LeakFixMixin, self).doCleanups()
        life = attributes.namespace(self).get(_LIFE)
        if (life is not None and life.depth == 1 and _called_by_run(sys._getframe(1))
                and life.add_closings(self)):
            outcome = super(LeakFixMixin, self).doCleanups() and outcome
        return outcome

    def assertNoLeaks(self, msg=None):
        """Fail if the block leaves something behind: ``with self.assertNoLeaks(): ...``.

        Python 3.8 and later; before, it raises ``NotImplementedError``. *msg* stands
        before the list of the leaks. Returns a context manager, whose ``leaks`` are
        there after the block.
        """
        if sys.version_info < (3, 8):
            raise NotImplementedError("assertNoLeaks needs Python 3.8 or later")
        from unittest_leakfix.leaks.watching import Asserting
        return Asserting(self, msg)

    def __getattr__(self, name):
        """Called for a missing attribute only: say who dropped it."""
        if name in attributes.namespace(self).get(_DROPPED, ()):
            raise AttributeError(
                "%r was dropped when %s finished; keep it with leakfix_keep = "
                "(%r,)" % (name, faults.label(self), name))
        above = getattr(super(LeakFixMixin, self), "__getattr__", None)
        if above is None:
            raise AttributeError("%r object has no attribute %r" % (
                type(self).__name__, name))
        return above(name)


def _lived(test, call, args, kwds, depth=0):
    """Do ``call(*args, **kwds)``; at its end drop what *test* gained meanwhile.

    Only the outermost of ``__call__`` and ``run`` does so. pytest's ``--pdb`` puts
    a ``tearDown`` on the instance to call the real one later: nothing is dropped.
    """
    values = attributes.namespace(test)
    if _LIFE in values or "tearDown" in values:
        return call(*args, **kwds)
    life = _Life(test, depth)
    values[_LIFE] = life
    try:
        return call(*args, **kwds)
    finally:
        del values[_LIFE]
        life.end(test)


class _Life(object):
    """What a test had before it began. It hangs on the test while it runs, and is
    pickled with it (Django pickles a test to see whether a subtest can be)."""

    def __init__(self, test, depth):
        self.depth = depth      # how many runs of it are under way
        self.before = attributes.Attributes(test).read()
        self.before.pop(_DROPPED, None)
        self.at_run = self.before
        self.closed = declared(type(test), "leakfix_close")
        self.tried = set()      # ids of what was closed, or would not be
        self.pid = _getpid()
        self.budget = None
        if type(test).leakfix_max_connections is not None:
            self.budget = _budget(test)

    def enter(self, test):
        """Take note of what the framework gave *test* before ``run``: not to be
        closed in its cleanups, since the framework may need it after ``run``.

        Another run in the same life (a class whose ``run`` tries three times)
        begins with what the first began with."""
        if not self.depth:
            if self.at_run is self.before:
                self.at_run = attributes.Attributes(test).read()
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
        found = self._untried(test, self.at_run)
        # Cleanups run last added first.
        for each in reversed(found):
            if not each.kind.awaits(each.value):
                test.addCleanup(_close, test, each)
            elif _is_async(test):
                test.addAsyncCleanup(_wait_for(), attributes.close(test, each), None)
        return bool(found)

    def end(self, test):
        """Close what only now is seen to be owned, then drop what was gained."""
        self.at_run = None
        try:
            self._close(test, self.before)
            self._drop(test)
        finally:
            if self.budget is not None:
                self.budget.end()

    def _close(self, test, before):
        for each in self._untried(test, before, late=True):
            # An awaitable close would need the test's loop, which is gone.
            if not each.kind.awaits(each.value):
                try:
                    attributes.close(test, each)
                except Exception as error:
                    faults.warn(test, each, error)

    def _untried(self, test, before, late=False):
        """Return what *test* gained since *before*, owns, and nobody tried to close."""
        if self.pid != _getpid():
            return []       # a forked child: these may be its parent's
        found = _found(test, before, self.closed, late)
        if found:
            found = [each for each in found if id(each.value) not in self.tried]
            self.tried.update([id(each.value) for each in found])
        return found

    def _drop(self, test):
        holder = attributes.Attributes(test)
        for listener in attributes.drop_listeners:
            listener(holder.read())
        dropped = attributes.restore(holder, self.before,
                                     declared(type(test), "leakfix_keep"))
        if dropped:
            holder.values[_DROPPED] = frozenset(dropped)
            _keep_reportable(test, holder, dropped)


def _found(test, before, closed, late):
    """Return the open resources that *test* gained since *before* and owns, or that
    are named to be *closed*.

    *late* is after the test: an exception that is garbage in a cycle (3.12) may
    seem to share what the frames on its way held, until it is collected.
    """
    now = attributes.Attributes(test).read()
    names = attributes.gained(before, now)
    if not closed and not attributes.may_hold([now[name] for name in names]):
        return ()
    keep = declared(type(test), "leakfix_keep")
    names = [name for name in names
             if name not in keep and name not in closed and name not in _UNITTESTS]
    past = (id(test), id(attributes.namespace(test)))
    owned = attributes.owned_by(now, names, past)
    if late and not owned.issuperset(id(now[name]) for name in names):
        heap.collect_new()
        owned = attributes.owned_by(now, names, past)
    return (attributes.declared_resources(now, closed)
            + attributes.open_resources(now, names, owned, unsure=True))


def _close(test, found):
    """Close what was *found*; an error says to which attribute it happened."""
    try:
        attributes.close(test, found)
    except Exception as cause:
        raise faults.close_error(test, found, cause)


def _is_async(test):
    module = sys.modules.get("unittest.async_case")
    return module is not None and isinstance(test, module.IsolatedAsyncioTestCase)


def _wait_for():
    # A coroutine function that awaits what it is given: 3.11+ awaits no other
    # kind of cleanup, and 2.7 cannot compile one of ours.
    return sys.modules["asyncio"].wait_for


def _budget(test):
    """Begin to count the connections of a *test* whose class limits them (3.8)."""
    most = most_connections(type(test))
    if most is None:
        return None
    from unittest_leakfix.databases.budget import of_class
    return of_class(type(test), most, test)


def most_connections(cls):
    """Return how many connections may be open at once in the tests of *cls*, or None.

    None, too, before Python 3.8. Raises ``TypeError`` for anything but a number.
    """
    for base in cls.__mro__:
        most = base.__dict__.get("leakfix_max_connections")
        if most is not None:
            if type(most) not in _INTEGERS or most < 0:
                raise TypeError("%s.leakfix_max_connections = %r is no number of connections" % (
                    base.__name__, most))
            return most if sys.version_info >= (3, 8) else None
        if "leakfix_max_connections" in base.__dict__ and base is not LeakFixMixin:
            return None     # switched off again
    return None


def _called_by_run(frame):
    """Tell whether ``doCleanups`` was called by unittest, at the end of a test,
    rather than by the test's own code half way through."""
    while frame is not None and frame.f_code.co_name == "doCleanups":
        frame = frame.f_back
    return frame is not None and frame.f_code is _RUN.__code__


def _keep_reportable(test, holder, dropped):
    """Put attributes back that the test's own ``id()`` or ``__str__`` needs.

    A foreign result asks for them at the end of the run. First only small values
    come back, then all.
    """
    kind = type(test)
    own = [name for name in _TEXTS if _function(kind, name) is not _PLAIN[name]]
    if not own or _says(test, own):
        return
    for small in (True, False):
        for name, value in dropped.items():
            if type(value) in _SMALL or not small:
                holder.put(name, value)
        if _says(test, own):
            return


def _says(test, names):
    try:
        for name in names:
            getattr(test, name)()
    except Exception:
        return False
    return True


def check(cls, mixin):
    """Raise ``TypeError`` if *mixin* stands behind TestCase, or names are no tuple."""
    # 2.7 asks only for a class that is used: the fault may be in a base of it.
    for kind in reversed(cls.__mro__):
        bases = kind.__mro__
        if (unittest.TestCase in bases and mixin in bases
                and bases.index(unittest.TestCase) < bases.index(mixin)):
            first = sorted(kind.__bases__, key=lambda base: (
                issubclass(base, unittest.TestCase) or not issubclass(base, mixin)))
            raise TypeError(
                "%s must stand before the TestCase, or it is never called: class %s(%s)" % (
                    mixin.__name__, kind.__name__, ", ".join(
                        base.__name__ for base in first)))
    declared(cls, "leakfix_keep")
    declared(cls, "leakfix_close")
    most_connections(cls)
