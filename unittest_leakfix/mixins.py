"""Mixins that make a test give back what it took, under any runner."""

from __future__ import absolute_import

import sys
import unittest

from unittest_leakfix._core.early import bind
from unittest_leakfix import attributes, faults
from unittest_leakfix._core.introspection import mro, name_of, names_in
from unittest_leakfix.attributes import DEFAULTS, Declarations, declared
from unittest_leakfix.life import DROPPED, Life, lives
from unittest_leakfix.limits import Limited, most_connections

__unittest = True
bind(globals())

_RUN = unittest.TestCase.__dict__["run"].__code__
_attribute = object.__getattribute__
_getframe = sys._getframe


class LeakFixMixin(Limited):
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
    _leakfix_declarations = Declarations()

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
        if id(self) in lives:
            return super(LeakFixMixin, self).__call__(*args, **kwds)
        values = _attribute(self, "__dict__")
        if "tearDown" in values:      # as in run
            return super(LeakFixMixin, self).__call__(*args, **kwds)
        life = Life(self, values)
        try:
            return super(LeakFixMixin, self).__call__(*args, **kwds)
        finally:
            _end(life, self)

    def run(self, *args, **kwds):
        """Run the test, then close and drop what it gained.

        Only the outermost of ``__call__`` and ``run`` does so. pytest's ``--pdb`` puts
        a ``tearDown`` on the instance to call the real one later: nothing is dropped.
        """
        life = lives.get(id(self))
        outermost = life is None
        if outermost:
            values = _attribute(self, "__dict__")
            if "tearDown" in values:
                return super(LeakFixMixin, self).run(*args, **kwds)
            life = Life(self, values)
        life.enter(self, args[0] if args else kwds.get("result"))
        try:
            return super(LeakFixMixin, self).run(*args, **kwds)
        finally:
            life.depth -= 1
            if outermost:
                _end(life, self)

    def doCleanups(self):
        """Run the cleanups. After the last one of ``run``, close what is owned."""
        outcome = super(LeakFixMixin, self).doCleanups()
        life = lives.get(id(self))
        if (life is not None and life.depth == 1
                and (_getframe(1).f_code is _RUN or _called_by_run(_getframe(1)))
                and _add_closings(life, self)):
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
        kind = type(self)
        known = kind._leakfix_declarations
        alone = known.passes(kind, "__getattr__")
        if alone and name == "__unittest_expecting_failure__":
            raise AttributeError(name)      # unittest asks each test (3.4)
        if name in attributes.namespace(self).get(DROPPED, ()):
            raise AttributeError(
                "%r was dropped when %s finished; keep it with leakfix_keep = "
                "(%r,)" % (name, faults.label(self), name))
        above = None if alone else getattr(super(LeakFixMixin, self), "__getattr__", None)
        if above is None:
            raise AttributeError("%r object has no attribute %r" % (kind.__name__, name))
        return above(name)


DEFAULTS.append(LeakFixMixin)


def _end(life, test):
    """Do `Life.end`; what goes wrong in our own code is a warning: the verdict stands."""
    try:
        life.end(test)
    except Exception:
        faults.say("%s is finished, but not all that it gained could be dropped: %s" % (
            faults.label(test), faults.fault()))


def _add_closings(life, test):
    """Do `Life.add_closings`; what goes wrong there is a warning."""
    try:
        return life.add_closings(test)
    except Exception:
        faults.say("%s: what it left open could not be found out: %s" % (
            faults.label(test), faults.fault()))
        return False


def _called_by_run(frame):
    """Tell whether ``doCleanups`` was called by unittest, at the end of a test,
    rather than by the test's own code half way through."""
    while frame is not None and frame.f_code.co_name == "doCleanups":
        frame = frame.f_back
    return frame is not None and frame.f_code is _RUN


def check(cls, mixin):
    """Raise ``TypeError`` if *mixin* stands behind TestCase, or names are no tuple."""
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
    declared(cls, "leakfix_keep")
    declared(cls, "leakfix_close")
    known = names_in(cls).get("_leakfix_declarations")
    if known is None or not known.is_of(cls):
        type.__setattr__(cls, "_leakfix_declarations", Declarations(cls))
    most_connections(cls)


def _place(cls, bases):
    """Return the place of *cls* in *bases*, -1 if it is not there; by identity."""
    return next((place for place, base in enumerate(bases) if base is cls), -1)
