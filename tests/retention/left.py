"""What a case may leave: names of survivors, and which Python leaves what."""

from __future__ import absolute_import

import collections
import sys

ALL = tuple("test_%d" % number for number in range(1, 7))

#: Names of what was alive in the last probe: payloads, instances and descriptors, as it
#: is and after a collection. ``middle``: payloads in the probe after the third test, if
#: they are others than those of the first three tests among ``payloads``.
Left = collections.namedtuple("Left", [
    "payloads", "payloads_gc", "instances", "instances_gc", "descriptors",
    "descriptors_gc", "middle"])


def left(payloads=(), instances=(), payloads_gc=None, instances_gc=None, descriptors=(),
         descriptors_gc=None, middle=None):
    """Return a `Left`. What is not given for after the collection is as before it."""
    return Left(payloads, payloads if payloads_gc is None else payloads_gc,
                instances, instances if instances_gc is None else instances_gc,
                descriptors, descriptors if descriptors_gc is None else descriptors_gc,
                middle)


FREE = left()
KEPT = left(ALL, ALL)
LIGHT = left((), ALL)                               # instances without their payload
UNTIL_GC = left(ALL, ALL, (), ())
LIGHT_UNTIL_GC = left((), ALL, (), ())
LIGHT_PAYLOAD_UNTIL_GC = left(ALL, ALL, (), ALL)    # the payload goes, the instance stays
PAYLOAD = left(ALL)
PAYLOAD_UNTIL_GC = left(ALL, (), ())


def since(value, **later):
    """Return *value*, or the last of *later* (``py36=...``) that this Python has reached."""
    reached = [(int(name[2]), int(name[3:])) for name in later]
    for version in sorted(reached):
        if sys.version_info >= version:
            value = later["py%d%d" % version]
    return value
