from unittest_leakfix.kind import Kind

TABLE: dict[tuple[str, str], Kind | None]
LAST: dict[tuple[str, str], Kind | None]

def by_shape(cls: type) -> Kind | None: ...
