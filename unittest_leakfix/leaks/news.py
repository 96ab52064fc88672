"""Which leaks are news: not those of failing tests, nor what is ignored or in the baseline."""
from __future__ import annotations

import sys
from typing import TYPE_CHECKING, List, Optional, Set, Tuple

from .later import Later

if TYPE_CHECKING:
    from . import known, leak as leaks_of
    from .leak import Known, Leak
else:
    known, leaks_of = Later("known"), Later("leak")

__unittest = True


class News:
    """The leaks of a run, as they come in: news apart from what is known."""

    def __init__(self, baseline: Optional[known.Baseline], of_failed: bool) -> None:
        """*of_failed*: the leaks of failing tests are news too."""
        self.leaks: List[Leak] = []
        self.known: List[Known] = []
        self.failed: Set[str] = set()       # tests that failed
        self._baseline = baseline
        self._of_failed = of_failed

    def take(self, leaks: List[Leak]) -> List[Leak]:
        """Take the leaks of a class that is over; return those that are news.

        Raises what `known.of_class` raises for a ``leakfix_ignore`` that is none.
        """
        news: List[Leak] = []
        for leak in leaks:
            if leak.tests[0] in self.failed and not self._of_failed:
                continue
            entry = known.match(leak, _class_entries(leak))
            if entry is not None:
                self.known.append(entry)
            elif self._baseline is not None and self._baseline.has(leak):
                self.known.append(leaks_of.Known(leak, "", self._baseline.path))
            else:
                news.append(leak)
        self.leaks += news
        return news

    def gone(self, leaks: List[Leak], ran: Set[str]) -> Tuple[str, ...]:
        """Return the causes in the baseline that did not occur, though their tests *ran*."""
        if self._baseline is None:
            return ()
        return self._baseline.gone(leaks + [item.leak for item in self.known], ran)


def _class_entries(leak: Leak) -> List[known.Ignored]:
    name = leak.tests[0]
    path = name[name.index("(") + 1:-1] if name.endswith(")") else name.rpartition(".")[0]
    module, _, cls = path.rpartition(".")
    found = getattr(sys.modules.get(module), cls, None)
    return known.of_class(found) if isinstance(found, type) else []
