"""A finished test whose own ``id()`` or ``__str__`` reads what was dropped can still be told."""

from __future__ import absolute_import

import unittest

from unittest_leakfix._core.early import bind
from unittest_leakfix.faults import PASSING

__unittest = True
bind(globals())

_TEXTS = ("id", "__str__", "__repr__", "shortDescription")
_SMALL = (type(None), bool, int, float, str, type(u""), type)


def _function(kind, name):
    found = getattr(kind, name)
    return getattr(found, "__func__", found)    # 2.7's unbound methods


_PLAIN = dict((name, _function(unittest.TestCase, name)) for name in _TEXTS)
_ID, _STR, _REPR, _SHORT = [_PLAIN[name] for name in _TEXTS]


def says_itself(kind):
    """Tell whether the class *kind* describes its tests as unittest does, which needs no
    attribute that was dropped."""
    return (kind.id is _ID and kind.__str__ is _STR and kind.__repr__ is _REPR
            and kind.shortDescription is _SHORT or not _own(kind))


def _own(kind):
    return [name for name in _TEXTS if _function(kind, name) is not _PLAIN[name]]


def keep_reportable(test, holder, dropped):
    """Put attributes back that the test's own ``id()`` or ``__str__`` needs.

    A foreign result asks for them at the end of the run. First only small values
    come back, then all.
    """
    kind = type(test)
    own = _own(kind)
    if not own or _says(test, own):
        return
    for small in (True, False):
        for name, value in dropped.items():
            kind = type(value)
            if not small or type(kind) is type and kind in _SMALL:
                holder.put(name, value)
        if _says(test, own):
            return


def _says(test, names):
    try:
        for name in names:
            getattr(test, name)()
    except PASSING:
        raise
    except BaseException:
        return False
    return True
