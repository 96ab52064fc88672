from collections.abc import Callable
from typing import Any, ClassVar

from unittest_leakfix._core.attributes import _Names

class ClassLeakFixMixin:
    leakfix_keep: ClassVar[_Names]
    leakfix_close: ClassVar[_Names]
    def __init_subclass__(cls, **kwds: Any) -> None: ...
    @classmethod
    def setUpClass(cls) -> None: ...
    @classmethod
    def doClassCleanups(cls) -> None: ...


def remember(cls: type) -> None: ...
def restore(cls: type, report: Callable[[Any], object] | None = None) -> None: ...
