"""Explanation: what one test leaves each time, and what only its first time."""
from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core.code_origin import short
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.kinds import amount, count
from unittest_leakfix.leaks.model.leak import Findings
from unittest_leakfix.leaks.report import text_report
from unittest_leakfix.leaks.report.reference_chain import draw_code
from unittest_leakfix.leaks.report.terminal import Style
from unittest_leakfix.polluter.children import Outcome
from unittest_leakfix.polluter.ids import FAILED, SKIPPED

__unittest = True
bind(globals())

_INDENT = "    "
_SHOWN = 5      # lines of each sort
_CALLERS = 4
WORTH = 1000
"""Bytes from which on a warm-up is worth a line."""


class Grown(NamedTuple):
    """What was allocated on one of the user's lines."""

    stack: Tuple[Tuple[str, int], ...]
    """File and line, the innermost first."""
    sizes: Tuple[int, ...]
    """By how many bytes it grew each time."""
    blocks: Tuple[int, ...]

    @property
    def leaks(self) -> bool:
        """Whether it grew each time but the first, which is not counted."""
        return len(self.sizes) > 1 and all(size > 0 for size in self.sizes[1:])

    @property
    def each_time(self) -> int:
        """The bytes of one time, the least of all but the first."""
        return min(self.sizes[1:])


class Explanation(NamedTuple):
    """What the runs of one test showed."""

    test: str
    grown: Tuple[Grown, ...]
    """What grew each time, heaviest first."""
    warm_up: Tuple[Grown, ...]
    """What only the first times left."""
    found: Findings
    """The leaks that it left, by the report of the runs."""
    resident: Tuple[Optional[int], ...]
    """By how much resident memory grew each time."""
    traced: Tuple[int, ...]
    """By how much what was traced did."""
    outcome: str
    text: str
    seconds: float
    times: int
    """How often it ran; one time more than was measured."""

    @property
    def leaks(self) -> bool:
        """Whether it leaves anything that is not filled or changed just once."""
        return bool(self.grown or any(leak.kind != "state" for leak in self.found.leaks))


def of_outcome(outcome: Outcome, traced: Outcome, found: Findings) -> Explanation:
    """Return what follows from two processes, of which one *found* leaks, and the other traced."""
    test = outcome.tests.victim if outcome.tests else ""
    lines = [Grown(tuple((short(file), line) for file, line in row["stack"]), tuple(row["sizes"]),
                   tuple(row["blocks"]))
             for row in (traced.growth or {"lines": ()})["lines"]]
    grown = sorted((line for line in lines if line.leaks), key=lambda line: -line.each_time)
    once = sorted((line for line in lines if not line.leaks and line.sizes[0] >= WORTH
                   and sum(line.sizes) >= WORTH), key=lambda line: -sum(line.sizes))
    times = (traced.growth or {"times": 0})["times"]
    timeline = found.timeline
    resident = [] if timeline is None else [
        grew for name, grew in zip(timeline.tests, timeline.kept) if name == test]
    # What grew, and not each time, is warm-up too.
    mine = tuple(leak for leak in found.leaks if test in (*leak.tests, *leak.candidates)
                 and (grown or leak.kind != "growth"))
    return Explanation(
        test, tuple(grown), tuple(once),
        Findings(leaks=mine, tests=found.tests, unmeasured=found.unmeasured), tuple(resident),
        tuple(sum(line.sizes[place] for line in lines) for place in range(times)),
        outcome.kind, outcome.text, outcome.seconds + traced.seconds,
        times + 1)


def render(explained: Explanation, style: Style = Style()) -> str:
    """Return the whole story, ending in a newline."""
    parts = [[style.paint(_head(explained), "bold")]]
    if explained.outcome in (FAILED, SKIPPED):
        parts[0].append(_INDENT + "it %s: %s" % (
            {FAILED: "fails", SKIPPED: "is skipped"}[explained.outcome],
            style.plain(explained.text)))
    parts.append(_runs(explained))
    for line in explained.grown[:_SHOWN]:
        parts.append(_line("GROWS  %s in %s each time" % (
            amount(line.each_time), count(min(line.blocks[1:]), "block")), line, style))
    more = len(explained.grown) - _SHOWN
    if more > 0:
        parts.append(["and %s more that grow each time" % count(more, "line")])
    for line in explained.warm_up[:_SHOWN]:
        parts.append(_line("WARM-UP  %s in the first run, and no more later"
                           % amount(sum(line.sizes)), line, style))
    text = "\n\n".join("\n".join(lines) for lines in parts if lines)
    leaks = text_report.render(explained.found, style, stacks=True, failing=True)
    return "%s\n%s\n%s\n" % (text, leaks and "\n" + leaks, "\n".join(_limits(explained)))


def _head(explained: Explanation) -> str:
    name = "EXPLAIN  %s" % explained.test
    if explained.grown:
        return "%s leaks: %s more each time it runs" % (
            name, amount(sum(line.each_time for line in explained.grown)))
    if explained.leaks:
        return "%s leaks, and no memory that grows each time" % name
    if explained.warm_up:
        return "%s does not leak: what its first run left is warm-up" % name
    if explained.found.leaks:
        return "%s does not leak, and changes what others see" % name
    return "%s leaves nothing" % name


def _runs(explained: Explanation) -> List[str]:
    """One row for each time that was measured."""
    lines = ["   run      kept    traced"]
    for number, traced in enumerate(explained.traced, 1):
        grew = explained.resident[number - 1] if number <= len(explained.resident) else None
        lines.append("%6d  %8s  %8s" % (number, "-" if grew is None else _signed(grew),
                                        _signed(traced)))
    return lines if explained.traced else []


def _signed(size: int) -> str:
    return ("-" if size < 0 else "") + amount(abs(size))


def _line(head: str, line: Grown, style: Style) -> List[str]:
    (file, number), callers = line.stack[0], line.stack[1:]
    lines = [head, "%sallocated at %s" % (_INDENT, style.paint(_place(file, number, style),
                                                               "cyan"))]
    lines += draw_code(file, number, style)
    callers = tuple(dict.fromkeys(callers))
    if callers:
        shown = [_place(*each, style) for each in callers[:_CALLERS]]
        lines.append("%scalled from %s%s" % (_INDENT, ", ".join(shown),
                                             ", ..." if len(callers) > _CALLERS else ""))
    return lines


def _place(file: str, line: int, style: Style) -> str:
    return "%s:%d" % (style.path(file), line)


def _limits(explained: Explanation) -> List[str]:
    return ["It ran %s in each of two processes, alone, with the fixtures of its class and module, "
            "in" % count(explained.times, "time"),
            "%.1f s: what it leaves only after other tests, or in its own child processes, is not "
            "seen here." % explained.seconds]


def to_value(explained: Explanation) -> Dict[str, Any]:
    """Return it as dicts, lists, numbers and text."""
    def of(lines: Sequence[Grown]) -> List[Dict[str, Any]]:
        return [{"stack": [{"file": file, "line": line} for file, line in each.stack],
                 "sizes": list(each.sizes), "blocks": list(each.blocks)} for each in lines]
    return {"version": 1, "test": explained.test, "leaks": explained.leaks,
            "outcome": explained.outcome, "grown": of(explained.grown),
            "warm_up": of(explained.warm_up), "kept": list(explained.resident),
            "traced": list(explained.traced), "seconds": round(explained.seconds, 3)}
