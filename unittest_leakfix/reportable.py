"""A finished test whose own ``id()`` or ``__str__`` reads what was dropped can still be told."""

from __future__ import absolute_import

import unittest

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

_TEXTS = ("id", "__str__", "__repr__", "shortDescription")
_SMALL = (type(None), bool, int, float, str, type(u""), type)


def _function(kind, name):
    found = getattr(kind, name)
    return getattr(found, "__func__", found)    # 2.7's unbound methods


_PLAIN = dict((name, _function(unittest.TestCase, name)) for name in _TEXTS)


def keep_reportable(test, holder, dropped):
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
