from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from unittest_leakfix._core.introspection import (
    MISSING as MISSING,
    class_of as class_of,
    mro as mro,
    name_of as name_of,
    names_in as names_in,
    on_type as on_type,
    own as own,
)

def flag(value: object, name: str) -> bool | None: ...
def open_by_flags(
    value: object, names: Iterable[str] = ("open", "closed", "is_closed", "_closed")
) -> bool | None: ...
def is_coroutine_function(function: object) -> bool: ...
def text(value: object, limit: int = 60) -> str: ...
def method(name: str) -> Callable[[Any], Any]: ...

class Kind:
    name: str
    def __init__(
        self,
        name: str,
        close: Callable[[Any], object],
        is_open: Callable[[Any], bool | None] = ...,
        describe: Callable[[Any], str] | None = None,
        awaits: bool | Callable[[Any], bool] = False,
    ) -> None: ...
    def is_open(self, value: object) -> bool | None: ...
    def close(self, value: object) -> Awaitable[Any] | None: ...
    def awaits(self, value: object) -> bool: ...
    def describe(self, value: object) -> str: ...
