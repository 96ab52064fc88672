"""Hearing of a module as soon as it is imported."""
from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, FrozenSet, Optional

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


class Late:
    """A finder on ``sys.meta_path`` that finds nothing itself.

    It calls *tell* when one of the modules *names* has been executed. It is asked only for modules
    that are not loaded yet, so it costs nothing otherwise.
    """

    def __init__(self, names: FrozenSet[str], tell: Callable[[], None]) -> None:
        self._names = names
        self._tell = tell

    def install(self) -> None:
        """Go to the front of the finders."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Leave them."""
        sys.meta_path[:] = [each for each in sys.meta_path if each is not self]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        """Return what the other finders find, with a loader that tells us afterwards."""
        if name not in self._names:
            return None
        for finder in tuple(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module") and hasattr(spec.loader, "create_module"):
                    spec.loader = _Telling(spec.loader, self._tell)
                found: ModuleSpec = spec
                return found
        return None


class _Telling:
    """A loader in front of the real one, for one module; it takes itself away as it goes."""

    def __init__(self, loader: Any, tell: Callable[[], None]) -> None:
        self._loader = loader
        self._tell = tell

    def create_module(self, spec: ModuleSpec) -> Optional[ModuleType]:
        """Return what the real one makes."""
        made: Optional[ModuleType] = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Have the real one execute the module, then tell."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._tell()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
