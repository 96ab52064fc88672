from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from unittest_leakfix.resources.kind import Kind

ATOMS: frozenset[type]

listeners: list[Callable[[Any, Found], object]]
foreign: list[Callable[[Any], bool]]

class Found:
    label: str
    kind: Kind
    value: Any
    def __init__(self, label: str, kind: Kind, value: object) -> None: ...

def may_hold(values: Iterable[object]) -> bool: ...
def is_atom(value: object) -> bool: ...
def is_container(value: object) -> bool: ...
def open_resources(
    values: Mapping[str, Any],
    names: Iterable[str],
    owned: Collection[int],
    unsure: bool = False,
) -> list[Found]: ...
def declared_resources(values: Mapping[str, Any], names: Iterable[str]) -> list[Found]: ...
def owned_by(
    values: Mapping[str, Any], names: Iterable[str], past: Iterable[int]
) -> frozenset[int]: ...
def let_go(owner: object, found: Found) -> None: ...
def close(owner: object, found: Found) -> Awaitable[Any] | None: ...
