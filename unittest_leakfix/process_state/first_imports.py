"""What a library sets up while it is imported for the first time: it is not a test's change, and is
never undone.

The interpreter imports a module that is not loaded yet by `_find_and_load` of importlib's frozen
part, whatever imports it. Around the outermost of these calls a state of its own is taken, and what
differs from it afterwards goes into the base of every state that is watched. So what a test changes
itself, before the import or after it, is still the test's. Costs nothing where nothing is imported,
and 0.3 ms for an import.
"""
from __future__ import annotations

import sys
from _thread import get_ident
from typing import Any, Callable, List, Optional

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import Swap
from unittest_leakfix.process_state import monitors

__unittest = True
bind(globals())

_bootstrap: Any = sys.modules.get("_frozen_importlib")
_NAME = "_find_and_load"
_modules = sys.modules
# A failed import shows its traceback without the frames of this file, and a warning counts none of
# them: ours is not to be seen there either.
_FILE = "<frozen importlib._bootstrap>"
_SOURCE = """
def _find_and_load(name, import_):
    if under_way or get_ident() != thread or name in modules or name[:17] == "unittest_leakfix.":
        return original(name, import_)
    under_way.append(name)
    try:
        begins()
        return original(name, import_)
    finally:
        under_way.pop()
        ends()
"""


class FirstImports:
    """Sees the first imports of this thread, between `install()` and `remove()`."""

    def __init__(self, state: Callable[[], monitors.ProcessState]) -> None:
        """*state* makes what is taken before an import: of the same watches as those that are
        compared."""
        self._make = state
        self._state: Optional[monitors.ProcessState] = None
        self._swap = Swap()
        self._wrapper: Any = None
        self._under_way: List[str] = []
        self._taken = False

    def install(self) -> None:
        """Begin to see them."""
        original = getattr(_bootstrap, _NAME, None)
        if original is None or self._wrapper is not None:
            return      # another interpreter, which imports in another way
        space = dict(original=original, under_way=self._under_way, thread=get_ident(),
                     modules=_modules,
                     get_ident=get_ident, begins=self._begins, ends=self._ends)
        exec(compile(_SOURCE, _FILE, "exec"), space)
        self._wrapper = space[_NAME]
        self._swap.put(_bootstrap, _NAME, self._wrapper)

    def remove(self) -> None:
        """See no more."""
        if self._wrapper is not None:
            self._swap.back()
            self._wrapper.__globals__["thread"] = None      # it may have been kept
            self._wrapper = self._state = None

    def _begins(self) -> None:
        self._taken = False
        try:
            if self._state is None:
                self._state = self._make()
            self._state.window()
            self._taken = True
        except errors.PASSING:
            raise
        except BaseException:   # what is only watched must not fail
            pass

    def _ends(self) -> None:
        if not self._taken or self._state is None:
            return
        self._taken = False
        try:
            for state in monitors.live():
                if state is not self._state:
                    state.absorb(self._state)
        except errors.PASSING:
            raise
        except BaseException:
            pass
