"""Rows of a query over any DB-API connection, whatever its cursors make of a row."""
from __future__ import annotations

from typing import Any, List, Mapping, Sequence, Tuple

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


def rows(connection: Any, statement: str, parameters: Sequence[object] = ()) -> List[Tuple[Any, ...]]:
    """Run one statement and return its rows as tuples; bytes become text.

    Only `cursor()`, `execute`, `fetchall` and `close` are called. Raises what the driver raises.
    """
    cursor = connection.cursor()
    try:
        # Without parameters a % is a %, with every driver.
        if parameters:
            cursor.execute(statement, tuple(parameters))
        else:
            cursor.execute(statement)
        names = [column[0] for column in cursor.description or ()]
        found = list(cursor.fetchall()) if names else []
    finally:
        try:
            cursor.close()
        except Exception:  # the connection is lost, and that was said already
            pass
    return [tuple(map(_plain, _values(row, names))) for row in found]


def code(error: BaseException) -> object:
    """Return the server's code of a driver's error: MySQL's number, PostgreSQL's SQLSTATE; None without one."""
    for name in ("sqlstate", "pgcode", "errno"):
        found = getattr(error, name, None)
        # mysql.connector has a SQLSTATE too, which is coarser than the number.
        if found and not (name == "sqlstate" and hasattr(error, "errno")):
            return found
    arguments = error.args
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def number(value: object) -> int:
    """Return an int for what drivers make of one (Decimal, text)."""
    return int(str(value))


def _values(row: Any, names: Sequence[str]) -> Sequence[Any]:
    if isinstance(row, Mapping):
        return [row[name] for name in names]
    if isinstance(row, (tuple, list)):
        return row
    return [getattr(row, name) for name in names]


def _plain(value: Any) -> Any:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, (bytes, bytearray, memoryview)) else value
