"""A leak in the words of pytest: what ends it in a test function, a fixture, a class."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Set

from unittest_leakfix._core.code_origin import HARNESS, LIBRARY, STDLIB, is_users_file, origin_of
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.model.remedy import CodeScope
from unittest_leakfix.leaks.report import describe

__unittest = True
bind(globals())

_exists = os.path.exists
_isabs = os.path.isabs


class PytestWording:
    """Knows which tests are functions, where ``self.addCleanup`` is of no use."""

    def __init__(self) -> None:
        self.functions: Set[str] = set()

    def of(self, leak: Leak) -> Leak:
        """Return *leak* with a remedy that can be written where it came from."""
        leak = describe.in_words(leak)
        # Of those in a look at several all are in one class, or none is.
        first = (leak.tests or leak.candidates or ("",))[0]
        function = leak.ends is not None and first in self.functions
        return describe.written(leak, leak.ends, CodeScope.FUNCTION) if function else leak

    def of_class(self, leak: Leak, name: str) -> Leak:
        """Return the leak of what a class of this node id still holds."""
        return replace(leak, tests=("setUpClass (%s)" % name,))

    @staticmethod
    def is_harness(leak: Leak) -> bool:
        """Tell whether pytest or a plugin of it opened this, for itself: no other code had a
        part."""
        opened = leak.acquisition
        if opened is None or not opened.frames or opened.thread not in ("", "MainThread"):
            return False
        # A plugin's hook around the phases of a test: it puts back what it did, after we look.
        outermost = opened.frames[-1]
        if outermost.function.startswith("pytest_") and not is_users_file(outermost.file):
            return True
        file = opened.frames[0].file
        return (origin_of(file) in (HARNESS, LIBRARY)
                or not _isabs(file) and _exists(STDLIB + file) and not _exists(file))
