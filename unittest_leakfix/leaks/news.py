"""Which leaks are news: not those of failing tests, nor what is ignored or in the baseline."""
from __future__ import annotations

import sys
import unittest
from typing import TYPE_CHECKING, Callable, List, Optional, Set, Tuple

from unittest_leakfix._core.early import bind

from .later import Later

if TYPE_CHECKING:
    from . import known, leak as leaks_of
    from .leak import Known, Leak
else:
    known, leaks_of = Later("known"), Later("leak")

__unittest = True
bind(globals())


class News:
    """The leaks of a run, as they come in: news apart from what is known."""

    def __init__(self, baseline: Optional[known.Baseline], of_failed: bool,
                 result: Optional[unittest.TestResult] = None) -> None:
        """*of_failed*: the leaks of failing tests are news too; *result* tells which have failed."""
        self.leaks: List[Leak] = []
        self.known: List[Known] = []
        self.failed: Set[str] = set()       # tests that failed
        self.entries: Callable[[Leak], List[known.Ignored]] = _class_entries
        """Returns what is known of a leak where its test is written."""
        self._baseline = baseline
        self._of_failed = of_failed
        self._lists = [each for each in (getattr(result, "failures", None),
                                         getattr(result, "errors", None)) if isinstance(each, list)]
        self._count = 0

    def mark(self) -> None:
        """Take note of what has failed so far: fixtures came between."""
        self._count = sum(map(len, self._lists))

    def ended(self, test: str) -> None:
        """Look whether *test*, which has just ended, failed."""
        count = sum(map(len, self._lists))
        if count != self._count:
            self.failed.add(test)
            self._count = count

    def take(self, leaks: List[Leak]) -> List[Leak]:
        """Take the leaks of a class that is over; return those that are news.

        Raises what `known.of_class` raises for a ``leakfix_ignore`` that is none.
        """
        news: List[Leak] = []
        for leak in leaks:
            if leak.tests[0] in self.failed and not self._of_failed:
                continue
            entry = known.match(leak, self.entries(leak))
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
