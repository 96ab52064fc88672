"""unittest_leakfix: a unittest suite that gives back everything its tests took.

Three ways in: inherit `LeakFixMixin`; run ``python -m unittest_leakfix discover`` in
place of ``python -m unittest discover``; use the suite, result or runner in a runner
of your own.
"""

from __future__ import absolute_import

import sys

from unittest_leakfix.class_mixin import ClassLeakFixMixin
from unittest_leakfix.cases import LeakFixTestCase
from unittest_leakfix.faults import CloseError, LeakFixWarning
from unittest_leakfix.finished import FinishedTest
from unittest_leakfix.mixins import LeakFixMixin
from unittest_leakfix.program import main
from unittest_leakfix.resources import register_resource
from unittest_leakfix.result import (
    LeakFixResultMixin, LeakFixTestResult, LeakFixTextTestResult)
from unittest_leakfix.runner import LeakFixTestRunner
from unittest_leakfix.suite import LeakFixTestLoader, LeakFixTestSuite
from unittest_leakfix.version import __version__

__unittest = True

__all__ = [
    "ClassLeakFixMixin", "CloseError", "FinishedTest", "LeakFixAsyncTestCase",
    "LeakFixMixin", "LeakFixResultMixin", "LeakFixTestCase", "LeakFixTestLoader",
    "LeakFixTestResult", "LeakFixTestRunner", "LeakFixTestSuite",
    "LeakFixTextTestResult", "LeakFixWarning", "__version__", "main",
    "register_resource",
]
if sys.version_info < (3, 8):
    __all__.remove("LeakFixAsyncTestCase")


def __getattr__(name):
    # Asked for by name only: IsolatedAsyncioTestCase (3.8) imports asyncio.
    if name == "LeakFixAsyncTestCase":
        from unittest_leakfix.async_cases import LeakFixAsyncTestCase
        return LeakFixAsyncTestCase
    raise AttributeError("module %r has no attribute %r" % (__name__, name))
