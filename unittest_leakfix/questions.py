"""What a test asks the collector: told from the collector's own ideas, and answered honestly."""

from __future__ import absolute_import

import gc
import sys

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())
_get_threshold = getattr(gc, "get_threshold", None)    # not on PyPy
_isenabled = gc.isenabled

#: The functions of gc that see, or change, less of the heap while it is frozen.
NAMES = ("get_objects", "get_referrers", "freeze", "unfreeze")
#: How many containers have come, net, since the last collection. None count on PyPy.
get_count = getattr(gc, "get_count", None) or (lambda: (0, 0, 0))


def is_automatic():
    """Tell whether the full collection under way is the collector's own idea.

    It comes when the youngest and the oldest generation are over their thresholds;
    the middle one was just emptied, as a rule. The incremental collector of the first
    releases of 3.14 never makes a full one by itself: there the third threshold is 0.
    """
    thresholds = _get_threshold()
    young, _, old = map(int.__gt__, get_count(), thresholds)
    return (young and old and _isenabled()
            and (sys.version_info < (3, 14) or thresholds[2] > 0))


def honest(name, thaw):
    """Return gc's function *name* so that it sees the whole heap: *thaw* is called first.

    The function itself is the ``asks`` of what is returned.
    """
    asks = getattr(gc, name)

    if name == "get_objects" and sys.version_info >= (3, 8):
        # Not through **kwds: the tuple of their names would be one object more.
        def ask(generation=None):
            thaw()
            return asks(generation=generation)
    else:
        def ask(*args):
            thaw()
            return asks(*args)
    ask.__name__ = name
    ask.__doc__ = asks.__doc__
    ask.asks = asks
    return ask
