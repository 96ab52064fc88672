"""The name that the docs gave to `unittest_leakfix.databases.connection_limit`."""

from __future__ import annotations

from unittest_leakfix.databases.connection_limit import ConnectionBudgetError

__all__ = ["ConnectionBudgetError"]
