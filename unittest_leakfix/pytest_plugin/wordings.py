"""A leak in the words of pytest: what ends it in a test function, a fixture, a class."""
from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Set

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.frames import _LIBRARY, HARNESS, LIBRARY, kind_of
from unittest_leakfix.leaks.leak import Leak

__unittest = True
bind(globals())
_exists = os.path.exists
_isabs = os.path.isabs

_CLEANUP = re.compile(r"(.*)self\.addCleanup\(([^,()]+)(?:, (.*))?\)\Z")
_FINALIZER, _AFTER = "request.addfinalizer(%s)", "%s, after the fixture's yield"
_CHANGES = {"environment": "monkeypatch.setenv(...)", "cwd": "monkeypatch.chdir(...)",
            "sys.path": "monkeypatch.syspath_prepend(...)"}


class Wordings:
    """Knows which tests are functions, where ``self.addCleanup`` is of no use."""

    def __init__(self) -> None:
        self.functions: Set[str] = set()

    def of(self, leak: Leak) -> Leak:
        """Return *leak* with a remedy that can be written where it came from."""
        test = leak.tests[0]
        if leak.remedy and test in self.functions:
            return replace(leak, remedy=_CHANGES.get(leak.kind) or _each(leak.remedy, _FINALIZER))
        if leak.remedy and test.startswith(("fixture ", "setup_")):
            return replace(leak, remedy=_each(leak.remedy, _AFTER if test[0] == "f" else "%s, in its tear-down"))
        return leak

    def of_fixture(self, leak: Leak) -> Leak:
        """Return the leak of a fixture's value that was closed."""
        return replace(leak, remedy=re.sub(r"addCleanup\((?:self|cls)\.", "addCleanup(", leak.remedy),
                       cause=leak.cause.replace(" self.", " fixture ", 1))

    def of_class(self, leak: Leak, name: str) -> Leak:
        """Return the leak of what a class of this node id still holds."""
        return replace(leak, tests=("setUpClass (%s)" % name,))

    @staticmethod
    def is_harness(leak: Leak) -> bool:
        """Tell whether pytest or a plugin of it opened this, for itself: nobody else's code had a part."""
        opened = leak.acquisition
        if opened is None or not opened.frames or opened.thread not in ("", "MainThread"):
            return False
        file = opened.frames[0].file
        return (kind_of(file) in (HARNESS, LIBRARY)
                or not _isabs(file) and _exists(_LIBRARY + file) and not _exists(file))


def _each(remedy: str, form: str) -> str:
    """Return *remedy* with each clean-up of a TestCase in the given *form* instead."""
    parts = []
    for part in remedy.split("; "):
        found = _CLEANUP.match(part)
        if found is not None:
            before, call, arguments = found.groups()
            if form == _FINALIZER and arguments is not None:
                call, arguments = "lambda: %s(%s)" % (call, arguments), None
            elif form != _FINALIZER:
                call = "%s(%s)" % (call, arguments or "")
            part = before + form % call
        parts.append(part)
    return "; ".join(parts)
