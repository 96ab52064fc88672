from unittest_leakfix.kind import Kind

KINDS: dict[tuple[str, str], Kind | None]
FILE: Kind
