"""Ready-made: a TestCase with both mixins."""

from __future__ import absolute_import

import unittest

from unittest_leakfix._core.early import bind
from unittest_leakfix.class_mixin import ClassLeakFixMixin
from unittest_leakfix.mixins import LeakFixMixin

__unittest = True
bind(globals())


class LeakFixTestCase(LeakFixMixin, ClassLeakFixMixin, unittest.TestCase):
    """``unittest.TestCase`` whose tests and classes give back what they gained."""
