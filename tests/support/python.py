"""What a folder of tests says in its ``__init__`` when it is not for every Python."""

from __future__ import absolute_import

import sys
import unittest


def needs(*version):
    """Skip, by name, whatever is imported from the folder that says ``needs(3, 8)``.

    An older Python may not be able to read its files, so nothing that stands in them can be asked.
    A module of another folder that only lacks a library, or that old Pythons can read, says it with
    ``unittest.skipIf``.
    """
    if sys.version_info < version:
        raise unittest.SkipTest("needs Python %s" % ".".join(map(str, version)))
