from collections.abc import Iterable

from unittest_leakfix.resources.kind import Kind

KINDS: dict[tuple[str, str], Kind | None]

def has_all(cls: type, names: Iterable[str]) -> bool: ...
def context_kind(cls: type) -> Kind | None: ...
