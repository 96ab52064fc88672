import sys
from typing import Any, ClassVar

from unittest_leakfix._core.declarations import Limited
from unittest_leakfix.class_mixin import _Names

if sys.version_info >= (3, 8):
    from unittest_leakfix.leaks import Watch

class LeakFixMixin(Limited):
    leakfix_keep: ClassVar[_Names]
    leakfix_close: ClassVar[_Names]
    def __init_subclass__(cls, **kwds: Any) -> None: ...
    # Any: the mixin goes before any TestCase, whatever its run takes and returns.
    # No __getattr__ here: with it every misspelt attribute would pass.
    def __call__(self, *args: Any, **kwds: Any) -> Any: ...
    def run(self, *args: Any, **kwds: Any) -> Any: ...
    def doCleanups(self) -> Any: ...
    if sys.version_info >= (3, 8):
        def assertNoLeaks(self, msg: object = None) -> Watch: ...

def check(cls: type, mixin: type) -> None: ...
