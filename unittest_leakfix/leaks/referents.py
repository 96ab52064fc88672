"""What an object refers to, as the collector sees it, but for what must not be touched."""
from __future__ import annotations

import gc
from types import ModuleType
from typing import Any, List

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

_get_referents = gc.get_referents


def referents(obj: Any) -> List[Any]:
    """Return the objects that `obj` refers to; of a module its names, not the state of its C code.

    3.12's ``_asyncio`` shows the collector its free list: objects that are dead. Whoever takes hold
    of one and lets it go frees it a second time, and the next collection never ends.
    """
    return [vars(obj)] if issubclass(type(obj), ModuleType) else _get_referents(obj)
