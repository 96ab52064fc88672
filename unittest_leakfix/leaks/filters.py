"""Warning filters. Kind: "warning filter"."""
from __future__ import annotations

import warnings
from typing import Any, List

from unittest_leakfix._core.early import bind

from .change import Change, Found, Watch

__unittest = True
bind(globals())


class WarningFilters(Watch):
    """Watches `warnings.filters` and `warnings.showwarning`."""

    def __init__(self) -> None:
        self._list: Any = warnings.filters
        self._base: List[Any] = []
        self._show: Any = None

    def take(self) -> None:
        self._list = warnings.filters
        self._base = list(warnings.filters)
        self._show = warnings.showwarning

    def same(self) -> bool:
        return (warnings.filters is self._list and self._list == self._base
                and warnings.showwarning is self._show)

    def changes(self) -> List[Found]:
        found: List[Found] = []
        now, old, base, show = list(warnings.filters), self._list, self._base, self._show

        def undo() -> None:
            warnings.filters = old
            # Adding one tells the C part that its memory of shown warnings is void, on every version.
            warnings.filterwarnings("ignore", message="unittest_leakfix restores the filters")
            old[:] = base

        def show_again() -> None:
            warnings.showwarning = show

        if now != base:
            parts = ["added " + _text(each) for each in now if each not in base]
            parts += ["removed " + _text(each) for each in base if each not in now]
            found.append((Change("warning filter", "warnings.filters", "; ".join(parts) or "reordered",
                                 "%d filters" % len(base), "%d filters" % len(now), True), undo))
        elif warnings.filters is not old:
            found.append((Change("warning filter", "warnings.filters", "the list was replaced",
                                 "%d filters" % len(base), "%d filters" % len(now), True), undo))
        if warnings.showwarning is not show:
            found.append((Change("hook", "warnings.showwarning", "replaced", restorable=True), show_again))
        return found


def _text(entry: Any) -> str:
    action, message, category, module, line = entry
    parts = [str(action), getattr(category, "__name__", str(category))]
    for name, part in (("message", message), ("module", module)):
        if part is not None:
            parts.append("%s=%r" % (name, getattr(part, "pattern", part)))
    return " ".join(parts)
