"""Where coroutines are made: the interpreter notes it in each, to a depth that can be set.

``asyncio`` in debug mode does the same, ten calls deep, and the warning that a coroutine was never
awaited then shows these calls. So that it reads as it would without us, it is worded here for those
that were noted for us, which are known by their depth; and a test that asks for the depth, or sets
it, is answered as it would be without us.
"""

from __future__ import annotations

import sys
import threading
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
_thread = threading.get_ident
_frame = sys._getframe

_LOOPS = "asyncio.base_events"

DEPTH = 4
"""How many calls are noted: a mock's coroutine is made three calls below the user's."""


class CoroutineOrigins:
    """Has the origin of each coroutine of this thread noted, between `install()` and `remove()`."""

    def __init__(self) -> None:
        self._swap = Swap()
        self._thread = 0        # whose depth is ours: each thread has one of its own
        self._ours = False      # nobody has set it since we did

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
            self._thread = _thread()
            self._swap.put_each([
                (warnings, "_warn_unawaited_coroutine", worded),
                (sys, _get.__name__, self._getter()), (sys, _set.__name__, self._setter())])
            self._begin()

    def renew(self) -> None:
        """A test begins: note them again, if one before it has set the depth and set it back."""
        if self._swap and not self._ours and _thread() == self._thread and not _get():
            self._begin()

    def remove(self) -> None:
        """End it, unless the depth is somebody else's by now."""
        if self._swap:
            if self._is_ours():
                _set(0)
            self._ours = False
            self._swap.back()

    def _begin(self) -> None:
        self._ours = True       # first: it may be interrupted
        _set(DEPTH)

    def _is_ours(self) -> bool:
        return self._ours and _thread() == self._thread and bool(_get() == DEPTH)

    def _getter(self) -> Any:
        def get_coroutine_origin_tracking_depth() -> Any:
            return 0 if self._is_ours() else _get()
        get_coroutine_origin_tracking_depth.__doc__ = _get.__doc__
        return get_coroutine_origin_tracking_depth

    def _setter(self) -> Any:
        def set_coroutine_origin_tracking_depth(depth: Any) -> None:
            _set(depth)
            if self._swap and _thread() == self._thread:
                self._ours = False
                # A loop in debug mode sets its own while it runs, and what it found afterwards.
                if not _get() and _frame(1).f_globals.get("__name__") == _LOOPS:
                    self._begin()
        set_coroutine_origin_tracking_depth.__doc__ = _set.__doc__
        return set_coroutine_origin_tracking_depth


def made_at(coroutine: Any) -> Optional[Frame]:
    """Return the user's innermost line that led to the making of a coroutine; None if unknown."""
    for file, line, function in getattr(coroutine, "cr_origin", None) or ():
        if is_users_file(file):
            return Frame(short(file), line, function)
    return None
