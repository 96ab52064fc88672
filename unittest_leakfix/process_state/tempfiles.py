"""Files and folders of `tempfile` that were not removed. Kinds: "temporary file", "temporary
folder"."""
from __future__ import annotations

from typing import List, Optional, Set

from unittest_leakfix._core.early import bind
from unittest_leakfix.process_state.base import Change, FoundChange, Monitor
from unittest_leakfix.tracing.acquisitions import Acquisitions

__unittest = True
bind(globals())


class TemporaryPaths(Monitor):
    """Watches the paths that acquisitions recorded; the temporary folder is never listed."""

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        self._acquisitions = acquisitions
        self._known: Set[str] = set()

    def take(self) -> None:
        if self._acquisitions is not None and len(self._acquisitions.paths) != len(self._known):
            self._acquisitions.left(self._known)
            self._known = set(self._acquisitions.paths)

    def window(self) -> None:
        if self._acquisitions is not None:
            self._known = set(self._acquisitions.paths)

    def absorb(self, since: "TemporaryPaths") -> None:
        if self._acquisitions is not None:
            self._known |= set(self._acquisitions.paths) - since._known

    def same(self) -> bool:
        return self._acquisitions is None or len(self._acquisitions.paths) == len(self._known)

    def changes(self) -> List[FoundChange]:
        if self._acquisitions is None:
            return []
        found: List[FoundChange] = []
        for path in self._acquisitions.left(self._known):
            record = self._acquisitions.of_path(path)
            kind = "temporary folder" if record is None else record.what
            found.append((Change(kind, path, path=path), None))
        return found
