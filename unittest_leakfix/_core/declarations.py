"""How many connections the tests of a class may have open, as the class says."""

from __future__ import absolute_import

import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import mro, name_of, names_in

__unittest = True
bind(globals())

_INTEGERS = (int, type(2 ** 64))


class Limited(object):
    """The base of what may be limited: by default it is not. `LeakFixMixin` inherits it."""

    leakfix_max_connections = None


def most_connections(cls):
    """Return how many connections may be open at once in the tests of *cls*, or None.

    None, too, before Python 3.8. Raises ``TypeError`` for anything but a number.
    """
    for base in mro(cls):
        most = names_in(base).get("leakfix_max_connections")
        if most is not None:
            if not any(type(most) is each for each in _INTEGERS) or most < 0:
                raise TypeError("%s.leakfix_max_connections = %r is not a number of connections" % (
                    name_of(base)[1], most))
            return most if sys.version_info >= (3, 8) else None
        if "leakfix_max_connections" in names_in(base) and base is not Limited:
            return None     # switched off again
    return None
