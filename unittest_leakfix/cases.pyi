import unittest

from unittest_leakfix.class_mixin import ClassLeakFixMixin
from unittest_leakfix.mixins import LeakFixMixin

class LeakFixTestCase(LeakFixMixin, ClassLeakFixMixin, unittest.TestCase): ...

class LeakFixAsyncTestCase(
    LeakFixMixin, ClassLeakFixMixin, unittest.IsolatedAsyncioTestCase
): ...
