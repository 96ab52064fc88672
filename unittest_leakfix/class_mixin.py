"""ClassLeakFixMixin: a class, too, gives back what its ``setUpClass`` took."""

from __future__ import absolute_import

import os
import sys

from unittest_leakfix._core import attributes, errors
from unittest_leakfix._core.attributes import before_set_up, declared, is_setting_up
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix.mixins import check
from unittest_leakfix.resources import scan

__unittest = True
bind(globals())

# unittest's own notes on a class, which it reads after the class is done with.
_UNITTESTS = frozenset(["_classSetupFailed", "tearDown_exceptions",
                        "_class_cleanups"])
# Class cleanups, the hook after tearDownClass, came with 3.8.
_HOOKED = sys.version_info >= (3, 8)

_getpid = os.getpid
# By id, since a metaclass may have no hash: the class, what it had before its setUpClass, and in
# which process.
_remembered = {}


class ClassLeakFixMixin(object):
    """Puts the class back to what it had before ``setUpClass``.

    After ``tearDownClass`` and the class cleanups, attributes that the class gained
    are dropped, rebound ones get their old value, and the open resources that only
    the class referred to are closed, last assigned first. Base classes are not
    touched. ``leakfix_keep`` and ``leakfix_close`` count here too.

    Under every runner on 3.8 and later; before that, under `LeakFixTestSuite`.
    """

    leakfix_keep = ()
    leakfix_close = ()

    if sys.version_info >= (3, 6):
        def __init_subclass__(cls, **kwds):
            super(ClassLeakFixMixin, cls).__init_subclass__(**kwds)
            check(cls, ClassLeakFixMixin)
            if _HOOKED:
                before_set_up(cls, cls.__dict__.get("setUpClass"), "_leakfix_remember")
    else:
        def __new__(cls, *args, **kwds):
            check(cls, ClassLeakFixMixin)
            return super(ClassLeakFixMixin, cls).__new__(cls)

    @classmethod
    def setUpClass(cls):
        """Take note of what the class has."""
        cls._leakfix_remember()
        super(ClassLeakFixMixin, cls).setUpClass()

    if _HOOKED:     # pytest calls it on 3.7 too, if it is there
        @classmethod
        def doClassCleanups(cls):
            """Run the class cleanups, then restore the class."""
            super(ClassLeakFixMixin, cls).doClassCleanups()
            # Not when setUpClass itself calls it half way through.
            if not is_setting_up(cls):
                cls._leakfix_restore(cls.tearDown_exceptions.append)

    @classmethod
    def _leakfix_remember(cls):
        remember(cls)

    @classmethod
    def _leakfix_restore(cls, report=None):
        restore(cls, report)


def remember(cls):
    """Take note of what the class *cls* has, unless that was done already."""
    if id(cls) not in _remembered:
        _remembered[id(cls)] = cls, attributes.ClassAttributes(cls).read(), _getpid()


def restore(cls, report=None):
    """Put *cls* back to what it had; close the open resources that only it refers to.

    *report* is called with an exc_info for a ``close()`` that raises; None: that is a warning.
    """
    _, before, pid = _remembered.pop(id(cls), (cls, None, 0))
    if before is None:
        return
    try:
        _restore(cls, before, pid, report)
    except Exception:   # in our own code: the verdict stands
        errors.warn_text("%s is over, but not all that it gained could be dropped: %s" % (
            errors.label(cls), errors.fault_text()))


def _restore(cls, before, pid, report):
    holder = attributes.ClassAttributes(cls)
    keep = declared(cls, "leakfix_keep") | _UNITTESTS
    first, inside, last, left = [], [], [], []
    if pid == _getpid():    # a forked child closes nothing: it may be its parent's
        first, inside, last, left = _found(cls, holder.read(), before, keep)
    _close(cls, first, report)
    del first
    attributes.restore(holder, before, keep)
    if last:
        if inside:
            _close(cls, [each for each in inside if each.kind.is_open(each.value)], report)
        del inside
        heap.collect_left(left)     # an object of the user's own may be in a cycle
        _close(cls, last, report)


def _close(cls, found, report):
    for each in found:
        try:
            if not each.kind.awaits(each.value):
                scan.close(cls, each)
        except errors.PASSING:
            raise
        except BaseException as cause:
            _report(cls, each, cause, report)


def _found(cls, now, before, keep):
    """Return the open resources that *cls* gained since *before* and owns, in stages."""
    closed = declared(cls, "leakfix_close")
    names = [name for name in attributes.gained(before, now)
             if name not in keep and name not in closed]
    owned = scan.owned_by(now, names, (id(cls),), alone=not closed)
    found = (scan.declared_resources(now, closed)
             + scan.open_resources(now, names, owned, unsure=True))
    return scan.in_stages(found, now, names, owned)


def _report(cls, found, cause, report):
    """An error of the class where unittest asks for them (3.8+), else a warning."""
    if report is None:
        errors.warn(cls, found, cause)
    else:
        report((errors.CloseError, errors.close_error(cls, found, cause), None))
