"""Ready-made: a TestCase with both mixins."""

from __future__ import absolute_import

import sys
import unittest

from unittest_leakfix._core.early import bind
from unittest_leakfix.class_mixin import ClassLeakFixMixin
from unittest_leakfix.mixins import LeakFixMixin

__unittest = True
bind(globals())

class LeakFixTestCase(LeakFixMixin, ClassLeakFixMixin, unittest.TestCase):
    """``unittest.TestCase`` whose tests and classes give back what they gained."""


# Ready-made: an IsolatedAsyncioTestCase with both mixins (Python 3.8).

if sys.version_info >= (3, 8):
    class LeakFixAsyncTestCase(LeakFixMixin, ClassLeakFixMixin,
                               unittest.IsolatedAsyncioTestCase):
        """``unittest.IsolatedAsyncioTestCase`` whose tests give back what they gained.

        What has to be awaited to be closed (``aclose()``) is awaited on the test's loop.
        """
