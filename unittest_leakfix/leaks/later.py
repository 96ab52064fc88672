"""Modules that are loaded when there is something to tell: most runs have nothing."""
from __future__ import annotations

from importlib import import_module
from typing import Any

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

_PACKAGE = __name__.rpartition(".")[0]


class Later:
    """Stands for the module *name* of this package, which is imported when an attribute is asked for.

    For names that are looked up as ``module.name`` in functions only. Costs 0.5 us a look-up.
    """

    def __init__(self, name: str) -> None:
        self._name = "%s.%s" % (_PACKAGE, name)

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)
