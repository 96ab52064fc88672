import sys

from unittest_leakfix._core.errors import CloseError as CloseError
from unittest_leakfix._core.errors import LeakFixWarning as LeakFixWarning
from unittest_leakfix.cases import LeakFixTestCase as LeakFixTestCase
from unittest_leakfix.class_mixin import ClassLeakFixMixin as ClassLeakFixMixin
from unittest_leakfix.cli import main as main
from unittest_leakfix.finished_test import FinishedTest as FinishedTest
from unittest_leakfix.mixins import LeakFixMixin as LeakFixMixin
from unittest_leakfix.resources.registry import register_resource as register_resource
from unittest_leakfix.result import (
    LeakFixResultMixin as LeakFixResultMixin,
)
from unittest_leakfix.result import (
    LeakFixTestResult as LeakFixTestResult,
)
from unittest_leakfix.result import (
    LeakFixTextTestResult as LeakFixTextTestResult,
)
from unittest_leakfix.runner import LeakFixTestRunner as LeakFixTestRunner
from unittest_leakfix.suite import (
    LeakFixTestLoader as LeakFixTestLoader,
)
from unittest_leakfix.suite import (
    LeakFixTestSuite as LeakFixTestSuite,
)
from unittest_leakfix.version import __version__ as __version__

# Named one by one: an open __getattr__ would let every misspelt name pass.
if sys.version_info >= (3, 8):
    from unittest_leakfix.cases import LeakFixAsyncTestCase as LeakFixAsyncTestCase

    __all__ = [
        "ClassLeakFixMixin", "CloseError", "FinishedTest", "LeakFixAsyncTestCase",
        "LeakFixMixin", "LeakFixResultMixin", "LeakFixTestCase", "LeakFixTestLoader",
        "LeakFixTestResult", "LeakFixTestRunner", "LeakFixTestSuite",
        "LeakFixTextTestResult", "LeakFixWarning", "__version__", "main",
        "register_resource",
    ]
else:
    __all__ = [
        "ClassLeakFixMixin", "CloseError", "FinishedTest", "LeakFixMixin",
        "LeakFixResultMixin", "LeakFixTestCase", "LeakFixTestLoader",
        "LeakFixTestResult", "LeakFixTestRunner", "LeakFixTestSuite",
        "LeakFixTextTestResult", "LeakFixWarning", "__version__", "main",
        "register_resource",
    ]
