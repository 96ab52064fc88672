from unittest_leakfix.resources.kind import Kind

KINDS: dict[tuple[str, str], Kind | None]

def socket_open(value: object) -> bool | None: ...
