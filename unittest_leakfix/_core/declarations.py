"""How many connections the tests of a class may have open, as the class says; sizes in words."""

from __future__ import absolute_import

import re
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


_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1000, "m": 1000 ** 2, "mb": 1000 ** 2, "g": 1000 ** 3,
          "gb": 1000 ** 3, "kib": 1024, "mib": 1024 ** 2, "gib": 1024 ** 3}


def bytes_of(value):
    """Return the number of bytes that *value* says: a number, or "50 MB", "1.5GB", "512 KiB".

    Raises ``ValueError`` for anything else.
    """
    if any(type(value) is each for each in _INTEGERS) and value >= 0:
        return value
    found = re.match(r"\s*([0-9]+(?:\.[0-9]*)?)\s*([A-Za-z]*)\s*$", value) if isinstance(
        value, str) else None
    if not found or found.group(2).lower() not in _UNITS:
        raise ValueError("give a number of bytes, or a size such as 50MB, 1.5GB or 512KiB")
    return int(float(found.group(1)) * _UNITS[found.group(2).lower()])
