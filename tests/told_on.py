"""Stories with real servers and child processes take their time: they are told on some interpreters only."""

from __future__ import annotations

import os
import sys
import unittest
from typing import Any, Tuple

OLDEST, NEWEST = (3, 8), (3, 13)


def told_on(*versions: Tuple[int, int]) -> Any:
    """Return a decorator that skips a test, by name, on other interpreters, unless LEAKFIX_ALL_STORIES is set.

    Without *versions* it is skipped on all.
    """
    told = "LEAKFIX_ALL_STORIES" in os.environ or sys.version_info[:2] in versions
    where = " and ".join("%d.%d" % each for each in versions)
    return unittest.skipUnless(told, "told %sonly%s with LEAKFIX_ALL_STORIES" % (
        "on %s " % where if where else "", "; everywhere" if where else ""))
