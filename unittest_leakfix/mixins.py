"""Mixins that make a test give back what it took, under any runner."""

from __future__ import absolute_import

import sys
import unittest

from unittest_leakfix._core import attributes, errors
from unittest_leakfix._core.attributes import DEFAULTS, Declarations, declared
from unittest_leakfix._core.declarations import Limited, most_connections
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import mro, name_of, names_in
from unittest_leakfix._optional import asserting
from unittest_leakfix.resources.late_kinds import prepare
from unittest_leakfix.snapshot import DROPPED, TestSnapshot, snapshots

__unittest = True
bind(globals())

_attribute = object.__getattribute__
_RUN = unittest.TestCase.__dict__["run"].__code__
_getframe = sys._getframe


class _ExpectingFailure(object):
    """``__unittest_expecting_failure__``, for which unittest asks each test (3.4): False, unless
    something beside the mixin answers. To fall into its ``__getattr__`` takes three times as long.
    A class always has it: nose2 reads every name that ``dir()`` lists there.
    """

    __slots__ = ()

    def __get__(self, test, kind):
        if test is not None:
            known = kind._leakfix_declarations
            if known.passes(kind, "__unittest_expecting_failure__", "__getattr__"):
                return False
        if test is None:
            return getattr(super(LeakFixMixin, kind), "__unittest_expecting_failure__", False)
        # AttributeError of it has the test's own __getattr__ asked.
        return super(LeakFixMixin, test).__unittest_expecting_failure__


class LeakFixMixin(Limited):
    """Closes and drops, after the test, every attribute that the test gained.

    Put it first: ``class OrderTests(LeakFixMixin, unittest.TestCase)``. It works
    under every runner. An open resource is closed if it would be garbage once the
    test lets go of it; what others refer to as well is dropped, never closed. A
    ``close()`` that raises is an error of the test.

    ``leakfix_keep``: names of attributes to leave as they are. ``leakfix_close``:
    names of attributes to close even if others refer to them, or if they are not a
    resource that we know but have a ``close()``. Both tuples add up along the
    base classes.

    ``leakfix_max_connections``: how many connections to database servers may be open
    at the same time; the call that would open one more raises
    ``ConnectionBudgetError``. Python 3.8 and later.
    """

    leakfix_keep = ()
    leakfix_close = ()
    _leakfix_declarations = Declarations()
    __unittest_expecting_failure__ = _ExpectingFailure()

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
        if id(self) in snapshots:
            return super(LeakFixMixin, self).__call__(*args, **kwds)
        values = _attribute(self, "__dict__")
        if "tearDown" in values:      # as in run
            return super(LeakFixMixin, self).__call__(*args, **kwds)
        snapshot = TestSnapshot(self, values)
        try:
            return super(LeakFixMixin, self).__call__(*args, **kwds)
        finally:
            _end(snapshot, self)

    def run(self, *args, **kwds):
        """Run the test, then close and drop what it gained.

        Only the outermost of ``__call__`` and ``run`` does so. pytest's ``--pdb`` puts
        a ``tearDown`` on the instance to call the real one later: nothing is dropped.
        """
        snapshot = snapshots.get(id(self))
        outermost = snapshot is None
        if outermost:
            values = _attribute(self, "__dict__")
            if "tearDown" in values:
                return super(LeakFixMixin, self).run(*args, **kwds)
            snapshot = TestSnapshot(self, values)
        try:
            snapshot.enter(self, args[0] if args else kwds.get("result"))
            try:
                return super(LeakFixMixin, self).run(*args, **kwds)
            finally:
                snapshot.depth -= 1
        finally:
            if outermost:
                _end(snapshot, self)

    def doCleanups(self):
        """Run the cleanups. After the last one of ``run``, close what is owned."""
        outcome = super(LeakFixMixin, self).doCleanups()
        snapshot = snapshots.get(id(self))
        if (snapshot is not None and snapshot.depth == 1
                and (_getframe(1).f_code is _RUN or _called_by_run(_getframe(1)))
                and _add_closings(snapshot, self)):
            outcome = super(LeakFixMixin, self).doCleanups() and outcome
        return outcome

    def assertNoLeaks(self, msg=None):
        """Fail if the block leaves something behind: ``with self.assertNoLeaks(): ...``.

        Python 3.8 and later; before, it raises ``NotImplementedError``. *msg* stands
        before the list of the leaks. Returns a context manager, whose ``leaks`` are
        there after the block.
        """
        return asserting(self, msg)

    def __getattr__(self, name):
        """Called for a missing attribute only: say which test dropped it."""
        kind = type(self)
        alone = kind._leakfix_declarations.passes(kind, "__getattr__")
        if name in attributes.namespace(self).get(DROPPED, ()):
            raise AttributeError(
                "%r was dropped when %s finished; keep it with leakfix_keep = "
                "(%r,)" % (name, errors.label(self), name))
        above = None if alone else getattr(super(LeakFixMixin, self), "__getattr__", None)
        if above is None:
            raise AttributeError("%r object has no attribute %r" % (kind.__name__, name))
        return above(name)


DEFAULTS.append(LeakFixMixin)


def _end(snapshot, test):
    """Do `TestSnapshot.end`; what goes wrong in our own code is a warning: the verdict stands."""
    snapshots.pop(id(test), None)   # whatever goes wrong: a later test may have its id
    try:
        snapshot.end(test)
    except Exception:
        errors.warn_text("%s is finished, but not all that it gained could be dropped: %s" % (
            errors.label(test), errors.fault_text()))


def _add_closings(snapshot, test):
    """Do `TestSnapshot.add_closings`; what goes wrong there is a warning."""
    try:
        return snapshot.add_closings(test)
    except Exception:
        errors.warn_text("%s: what it left open could not be found out: %s" % (
            errors.label(test), errors.fault_text()))
        return False


def _called_by_run(frame):
    """Tell whether ``doCleanups`` was called by unittest, at the end of a test,
    rather than by the test's own code half way through."""
    while frame is not None and frame.f_code.co_name == "doCleanups":
        frame = frame.f_back
    return frame is not None and frame.f_code is _RUN


def check(cls, mixin):
    """Raise ``TypeError`` if *mixin* stands behind TestCase, or names are not a tuple."""
    # 2.7 asks only for a class that is used: the fault may be in a base of it.
    for kind in reversed(mro(cls)):
        bases = mro(kind)
        if 0 <= _place(unittest.TestCase, bases) < _place(mixin, bases):
            first = sorted(kind.__bases__, key=lambda base: (
                _place(unittest.TestCase, mro(base)) >= 0 or _place(mixin, mro(base)) < 0))
            raise TypeError(
                "%s must stand before the TestCase, or it is never called: class %s(%s)" % (
                    mixin.__name__, name_of(kind)[1], ", ".join(
                        name_of(base)[1] for base in first)))
    prepare()
    declared(cls, "leakfix_keep")
    declared(cls, "leakfix_close")
    known = names_in(cls).get("_leakfix_declarations")
    if known is None or not known.is_of(cls):
        type.__setattr__(cls, "_leakfix_declarations", Declarations(cls))
    most_connections(cls)


def _place(cls, bases):
    """Return the place of *cls* in *bases*, -1 if it is not there; by identity."""
    return next((place for place, base in enumerate(bases) if base is cls), -1)
