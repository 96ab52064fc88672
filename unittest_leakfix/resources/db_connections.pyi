from unittest_leakfix.resources.kind import Kind

KINDS: dict[tuple[str, str], Kind | None]
CONNECTION: Kind
CURSOR: Kind
CONNECTION_SHAPE: tuple[str, ...]
CURSOR_SHAPE: tuple[str, ...]

def closing_is_awaited(value: object) -> bool: ...
