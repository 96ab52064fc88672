"""How many connections the tests of a class may have open, as the class says; sizes in words."""

from __future__ import absolute_import

import re
import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import mro, name_of, names_in

__unittest = True
bind(globals())

#: What ``leakfix_max_connections`` may limit apart: a dict of numbers by these names.
SORTS = ("database", "redis", "http")
_INTEGERS = (int, type(2 ** 64))


class Limited(object):
    """The base of what may be limited: by default it is not. `LeakFixMixin` inherits it."""

    leakfix_max_connections = None


def most_connections(cls):
    """Return how many connections may be open at once in the tests of *cls*, or None: a number of
    connections to databases, or a dict of numbers by the names in `SORTS`.

    None, too, before Python 3.8. Raises ``TypeError`` for anything else.
    """
    for base in mro(cls):
        most = names_in(base).get("leakfix_max_connections")
        if most is not None:
            numbers = list(most.values()) if type(most) is dict else [most]
            if not all([any([type(number) is each for each in _INTEGERS]) and number >= 0
                        for number in numbers]):
                raise TypeError("%s.leakfix_max_connections = %r is not a number of connections" % (
                    name_of(base)[1], most))
            if type(most) is dict and not set(SORTS).issuperset(most):
                raise TypeError("%s.leakfix_max_connections = %r: the names are %s" % (
                    name_of(base)[1], most, ", ".join(SORTS)))
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
