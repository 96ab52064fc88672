from collections.abc import Iterable, Sequence
from typing import Any

LIMIT: int
COUNTED: bool
SOLE: int

def certain() -> bool: ...
def owned(
    held: list[Any],
    references: Sequence[int] | None = None,
    past: Iterable[int] = (),
    limit: int = 2000,
) -> frozenset[int]: ...
def owned_cycle(
    held: list[Any],
    references: Sequence[int] | None = None,
    past: Iterable[int] = (),
    limit: int = 2000,
) -> tuple[frozenset[int], frozenset[int]]: ...

# What leaks.sizes walks with.
_BASE: int

def _walk(
    held: list[Any], references: Sequence[int] | None, past: Iterable[int], limit: int
) -> tuple[list[Any], list[int], list[list[int]]]: ...
def _spread(begin: Iterable[int], edges: Sequence[Iterable[int]]) -> set[int]: ...
