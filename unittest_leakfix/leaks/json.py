"""The name that the docs gave to `unittest_leakfix.leaks.report.json_report`."""

from __future__ import annotations

from unittest_leakfix.leaks.report.json_report import dump, load

__all__ = ["dump", "load"]
