"""The memory that tests kept and took: as text after the run, and as values for JSON."""
from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.ids import Names, owner_of
from unittest_leakfix.leaks.model.kinds import amount, count
from unittest_leakfix.leaks.model.timeline import KERNEL, RESOURCE, Timeline
from unittest_leakfix.leaks.report.terminal import Style, cells

__unittest = True
bind(globals())

WORTH = 100 * 1000
"""Bytes from which on a figure is worth a line: what is resident comes in pages, and each processor
counts some of them late."""
_NOTES = {
    KERNEL: "Peaks are approximate: the system's counter of them cannot be set back here, so they "
            "are the most of before and after each test.",
    RESOURCE: "The figures are approximate: this system says only the most that was ever resident, "
              "and what a test kept below that is not seen.",
    "": "This system says nothing about the memory of a process.",
}


class Row(NamedTuple):
    """What one test, or the tests of one class or module together, kept and took."""

    name: str
    """The id of a test, or the name of a class or module."""
    kept: int = 0
    """Bytes by which resident memory grew."""
    took: int = 0
    """By how much the peak was above what was resident before it."""
    peak: int = 0
    traced: Optional[int] = None
    """Bytes that Python's own allocations grew by, where they were traced."""
    tests: int = 1


class Summary(NamedTuple):
    """The heaviest first, each list as long as wanted; what is not worth it is not there."""

    heaviest: Tuple[Row, ...]
    """The tests that kept the most."""
    peaks: Tuple[Row, ...]
    """The tests that took the most while they ran."""
    classes: Tuple[Row, ...]
    modules: Tuple[Row, ...]
    whole: Row
    """All tests together."""


def summary(timeline: Timeline, most: int) -> Summary:
    """Return what *timeline* says, at most *most* rows of each."""
    rows = [_row(timeline, place) for place in range(len(timeline.tests))]
    classes = _together(rows, owner_of)
    modules = _together(rows, lambda test: _module_of(owner_of(test)))
    return Summary(_first(rows, "kept", most), _first(rows, "took", most),
                   _first(classes, "kept", most), _first(modules, "kept", most),
                   next(iter(_together(rows, lambda test: "")), Row("", tests=0)))


def _row(timeline: Timeline, place: int) -> Row:
    grown, now, peak = (timeline.kept[place] or 0, timeline.resident[place] or 0,
                        timeline.peak[place] or 0)
    return Row(timeline.tests[place], grown, max(peak - (now - grown), 0), peak,
               timeline.traced[place] if timeline.traced else None)


def _module_of(owner: str) -> str:
    """Return the module of a class; pytest's ids, and a function of a module, begin with it."""
    if "::" in owner or owner.endswith(".py"):
        return owner.partition("::")[0]
    parts = owner.split(".")
    # A class begins with a capital letter, nearly always: the last part is one anyway.
    while len(parts) > 1 and parts[-2][:1].isupper():
        parts.pop()
    return ".".join(parts[:-1]) or owner


def _together(rows: Iterable[Row], owner: Any) -> List[Row]:
    found: Dict[str, Row] = {}
    for row in rows:
        name = owner(row.name)
        sofar = found.get(name, Row(name, tests=0))
        traced = None if row.traced is None else row.traced + (sofar.traced or 0)
        found[name] = Row(name, sofar.kept + row.kept, max(sofar.took, row.took),
                          max(sofar.peak, row.peak), traced, sofar.tests + 1)
    return list(found.values())


def _first(rows: Sequence[Row], field: str, most: int) -> Tuple[Row, ...]:
    """Return the heaviest of *rows*, those that are equal in their order."""
    worth = [row for row in rows if getattr(row, field) >= WORTH]
    return tuple(sorted(worth, key=lambda row: -getattr(row, field))[:most])


# As text.

def render(timeline: Optional[Timeline], style: Style = Style()) -> str:
    """Return the section of the report, ending in a newline; "" where none is wanted."""
    if timeline is None or timeline.most is None:
        return "\n".join(_limits(timeline, style)) + "\n" if timeline and timeline.limits else ""
    found = summary(timeline, timeline.most)
    names = Names(timeline.tests)
    parts = [[style.paint(_head(timeline, found), "bold")]]
    tables = (
        (("kept", "peak"), "tests that kept the most", found.heaviest),
        (("took", "peak"), "tests that took the most while they ran", found.peaks),
        (("kept", "tests"), "classes", found.classes),
        (("kept", "tests"), "modules", found.modules))
    for columns, what, rows in tables:
        if rows:
            with_traced = columns[0] == "kept" and rows[0].traced is not None
            parts.append(_table(columns, what, rows, with_traced, names, style))
    note = [] if timeline.exact and timeline.source == KERNEL else [_NOTES[timeline.source]]
    if timeline.traced:
        note.append("Traced is what Python's own allocations grew by (tracemalloc).")
    limits = _limits(timeline, style) if timeline.limits else []
    text = "\n\n".join("\n".join(lines) for lines in [*parts, limits, note] if lines)
    return text + "\n"


def _limits(timeline: Timeline, style: Style) -> List[str]:
    """Return a line for each test that kept more than it may."""
    failing = sum(each.fails for each in timeline.limits)
    lines = [style.paint("MEMORY  %s above %s; confirmed: %s" % (
        count(len(timeline.limits), "test was", "tests were"),
        "its limit" if len(timeline.limits) == 1 else "their limits", format(failing, ",")),
        "bold", *(["red"] if failing else []))]
    for each in timeline.limits:
        text = "    %s kept %s, more than %s" % (style.test(each.test), amount(each.grown),
                                                 amount(each.limit))
        if each.again is None:
            text += "; unconfirmed, so it does not fail: %s" % style.plain(each.why)
        elif each.fails:
            text += "; when it ran again, %s" % amount(each.again)
        else:
            text += "; when it ran again, %s: the first time fills a cache" % amount(
                max(each.again, 0))
        lines.append(text)
    return lines


def _head(timeline: Timeline, found: Summary) -> str:
    tests = count(len(timeline.tests), "test")
    if not timeline.source:
        return "MEMORY  not known of %s" % tests
    line = "MEMORY  %s kept by %s" % (amount(max(found.whole.kept, 0)), tests)
    if timeline.processes > 1:
        return line + " in %d processes" % timeline.processes
    return line + ": %s resident at the end, at most %s" % (
        amount(next((each for each in reversed(timeline.resident) if each is not None), 0)),
        amount(found.whole.peak))


def _table(columns: Tuple[str, str], what: str, rows: Sequence[Row], traced: bool, names: Names,
           style: Style) -> List[str]:
    lines = [[columns[0], *(["traced"] if traced else []), columns[1], what]]
    for row in rows:
        lines.append([_figure(row, columns[0]), *([_figure(row, "traced")] if traced else []),
                      _figure(row, columns[1]), style.test(
                          names.short(row.name) if columns[1] == "peak" else row.name)])
    widths = [max(8, *(cells(line[place]) for line in lines))
              for place in range(len(lines[0]) - 1)]
    texts = ["  ".join([each.rjust(width) for each, width in zip(line, widths)] + line[-1:])
             for line in lines]
    return [style.paint(texts[0], "dim"), *texts[1:]]


def _figure(row: Row, column: str) -> str:
    value = getattr(row, column)
    if column == "tests":
        return format(value, ",")
    return "-" if value is None else ("-" if value < 0 else "") + amount(abs(value))


# As values.

def to_value(timeline: Optional[Timeline]) -> Optional[Dict[str, Any]]:
    """Return what `render` says as dicts, lists, numbers and text; None where it says nothing."""
    if timeline is None or timeline.most is None:
        return None
    found = summary(timeline, timeline.most)

    def of(rows: Sequence[Row]) -> List[Dict[str, Any]]:
        return [dict(row._asdict(), name=redaction.redact_id(row.name)) for row in rows]
    return {"source": timeline.source, "exact": timeline.exact, "whole": of([found.whole])[0],
            "heaviest": of(found.heaviest), "peaks": of(found.peaks),
            "classes": of(found.classes), "modules": of(found.modules)}
