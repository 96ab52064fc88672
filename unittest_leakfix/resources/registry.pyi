import builtins
from collections.abc import Callable, Iterable
from typing import TypeVar

from unittest_leakfix.resources.kind import Kind

__all__ = ["Kind", "kind_of", "register_resource"]

_T = TypeVar("_T")

def kind_of(value: object) -> Kind | None: ...
def known() -> int: ...
def add_kind(cls: type, kind: Kind) -> None: ...
def register_resource(
    type: builtins.type[_T],
    close: str | Callable[[_T], object] = "close",
    is_open: Callable[[_T], bool | None] | None = None,
    describe: Callable[[_T], str] | None = None,
    name: str | None = None,
    noun: str | None = None,
    parts: Callable[[_T], Iterable[object]] | None = None,
    remedy: str | tuple[str, ...] | None = None,
) -> None: ...
