"""Modules of text and words, which only a run that finds needs: loaded as it begins."""
from __future__ import annotations

from importlib import import_module
from typing import Any, List

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

_PACKAGE = __name__.rpartition(".")[0]


class Later:
    """Stands for the module *name* of this package, which is imported when an attribute is asked for.

    For names that are looked up as ``module.name`` in functions only. A run calls `load_all` before
    its first test: after one there may be no descriptor left to import with.
    """

    _all: List["Later"] = []
    _module: Any = None

    def __init__(self, name: str) -> None:
        self._name = "%s.%s" % (_PACKAGE, name)
        Later._all.append(self)

    def __getattr__(self, name: str) -> Any:
        if self._module is None:
            self._module = import_module(self._name)
        return getattr(self._module, name)


def load_all() -> None:
    """Import all modules that are stood for, and those that they stand for in turn."""
    loaded = 0
    while loaded < len(Later._all):
        getattr(Later._all[loaded], "__name__")
        loaded += 1
