from unittest_leakfix.resources.kind import Kind

KINDS: dict[tuple[str, str], Kind | None]
LAST: dict[tuple[str, str], Kind | None]
