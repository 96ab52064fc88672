"""unittest_leakfix: a unittest suite that gives back everything its tests took.

Three ways in: inherit `LeakFixMixin`; run ``python -m unittest_leakfix discover`` in
place of ``python -m unittest discover``; use the suite, result or runner in a runner
of your own.
"""

from __future__ import absolute_import

import sys

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

# Where each public name lives. It is loaded when it is first used: a run from the
# command line needs half of them, and shall not start later for the other half.
_HOMES = {
    "ClassLeakFixMixin": "class_mixin",
    "CloseError": "_core.errors",
    "FinishedTest": "finished_test",
    "LeakFixAsyncTestCase": "cases",
    "LeakFixMixin": "mixins",
    "LeakFixResultMixin": "result",
    "LeakFixTestCase": "cases",
    "LeakFixTestLoader": "suite",
    "LeakFixTestResult": "result",
    "LeakFixTestRunner": "runner",
    "LeakFixTestSuite": "suite",
    "LeakFixTextTestResult": "result",
    "LeakFixWarning": "_core.errors",
    "__version__": "version",
    "main": "cli",
    "register_resource": "resources.registry",
}
if sys.version_info < (3, 8):
    del _HOMES["LeakFixAsyncTestCase"]

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    home = "%s.%s" % (__name__, _HOMES[name])
    __import__(home)
    globals()[name] = value = getattr(sys.modules[home], name)
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))


if sys.version_info < (3, 7):
    # A module's __getattr__ came with 3.7.
    for _name in __all__:
        __getattr__(_name)
