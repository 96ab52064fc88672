"""The name that the docs gave to `unittest_leakfix.leaks.model.leak`."""

from __future__ import annotations

from unittest_leakfix.leaks.model.leak import Findings, Known, Leak, group, merge

__all__ = ["Findings", "Known", "Leak", "group", "merge"]
