"""Where coroutines are made: the interpreter notes it in each, to a depth that can be set.

``asyncio`` in debug mode does the same, ten calls deep, and the warning that a coroutine was never
awaited then shows these calls. So that it reads as it would without us, it is worded here for those
that were noted for us, which are known by their depth.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any, Optional

from unittest_leakfix._core.code_origin import is_users_file, short
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import Swap
from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())

_get: Any = getattr(sys, "get_coroutine_origin_tracking_depth", None)     # not on PyPy
_set: Any = getattr(sys, "set_coroutine_origin_tracking_depth", None)
_warn = warnings.warn

DEPTH = 4
"""How many calls are noted: a mock's coroutine is made three calls below the user's."""


class CoroutineOrigins:
    """Has the origin of each coroutine of this thread noted, between `install()` and `remove()`."""

    def __init__(self) -> None:
        self._swap = Swap()

    def install(self) -> None:
        """Begin, unless somebody else notes them already."""
        words = getattr(warnings, "_warn_unawaited_coroutine", None)
        if _get is not None and words is not None and not _get():
            def worded(coroutine: Any) -> None:
                origin = coroutine.cr_origin
                if origin is None or len(origin) != DEPTH:
                    words(coroutine)
                else:
                    _warn("coroutine '%s' was never awaited" % coroutine.__qualname__,
                          category=RuntimeWarning, stacklevel=2, source=coroutine)
            self._swap.put(warnings, "_warn_unawaited_coroutine", worded)
            _set(DEPTH)

    def remove(self) -> None:
        """End it, unless the depth is somebody else's by now."""
        if self._swap:
            if _get() == DEPTH:
                _set(0)
            self._swap.back()


def made_at(coroutine: Any) -> Optional[Frame]:
    """Return the user's innermost line that led to the making of a coroutine; None if unknown."""
    for file, line, function in getattr(coroutine, "cr_origin", None) or ():
        if is_users_file(file):
            return Frame(short(file), line, function)
    return None
