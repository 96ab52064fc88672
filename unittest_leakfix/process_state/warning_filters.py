"""Warning filters. Kind: "warning filter"."""
from __future__ import annotations

import re
import warnings
from typing import Any, List, Sequence, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.process_state.base import (
    Change,
    FoundChange,
    Monitor,
    includes,
    merged,
    same_entries,
)
from unittest_leakfix.tracing import value_text

__unittest = True
bind(globals())

_PATTERN = type(re.compile(""))
LET_THROUGH: Tuple[Any, ...] = tuple(["always", None, ResourceWarning, None, 0])
"""The entry by which finding has ResourceWarning reach it where others ignore it: known by its
identity, and no change of anybody's."""


class WarningFilters(Monitor):
    """Watches `warnings.filters` and `warnings.showwarning`."""

    def __init__(self) -> None:
        self._list: Any = warnings.filters
        self._base: List[Any] = []
        self._show: Any = None

    def take(self) -> None:
        self._list = warnings.filters
        self._base = _others(warnings.filters)
        self._show = warnings.showwarning

    def same(self) -> bool:
        # Identical entries are not compared, so that none of their code runs.
        return (warnings.filters is self._list and warnings.showwarning is self._show
                and (self._list == self._base
                     or same_entries(_others(self._list), self._base, _equal)))

    def absorb(self, since: "WarningFilters") -> None:
        if warnings.filters is not since._list and self._list is since._list:
            self._list = warnings.filters
        self._base = merged(self._base, since._base, _others(warnings.filters), _equal)
        if warnings.showwarning is not since._show and self._show is since._show:
            self._show = warnings.showwarning

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        now, old, base, show = _others(warnings.filters), self._list, self._base, self._show

        def undo() -> None:
            warnings.filters = old
            # Adding one tells the C part that its memory of shown warnings is void, on every
            # version.
            warnings.filterwarnings("ignore", message="unittest_leakfix restores the filters")
            old[:] = base

        def show_again() -> None:
            warnings.showwarning = show

        same = same_entries(now, base, _equal)
        if not same or warnings.filters is not old:
            found.append(
                (Change("warning filter", "warnings.filters", before="%d filters" % len(base),
                                 after="%d filters" % len(now), restorable=True, replaced=same,
                                 added=tuple(_text(each) for each in now
                                             if not includes(base, each, _equal)),
                                 removed=tuple(_text(each) for each in base
                                               if not includes(now, each, _equal))), undo))
        if warnings.showwarning is not show:
            found.append((Change("hook", "warnings.showwarning", "replaced", restorable=True),
                          show_again))
        return found


def _others(filters: Sequence[Any]) -> List[Any]:
    return [each for each in filters if each is not LET_THROUGH]


def _equal(one: Any, other: Any) -> bool:
    # Entry by entry: a category is a class, whose metaclass may have an equality of its own.
    if one is other:
        return True
    return (type(one) is tuple and type(other) is tuple and len(one) == len(other)
            and all(map(_same_part, one, other)))


def _same_part(one: Any, other: Any) -> bool:
    kind = type(one)
    return one is other or (kind is type(other) and (kind is str or kind is int or kind is _PATTERN)
                            and bool(one == other))


def _text(entry: Any) -> str:
    if type(entry) is not tuple or len(entry) != 5:
        return value_text.name_text(entry)
    action, message, category, module, line = entry
    parts = [str(action) if type(action) is str else value_text.name_text(action),
             value_text.name_text(category).rpartition(".")[2]]
    for name, part in (("message", message), ("module", module)):
        if part is not None:
            text = part.pattern if type(part) is _PATTERN else part
            parts.append("%s=%s"
                         % (name, repr(text) if type(text) is str else value_text.name_text(text)))
    return " ".join(parts)
