"""The timeline of a run as HTML: a lane for each figure, over the tests in run order.

Each lane is drawn here, for a page that is read without scripts, and the columns are there as data,
from which page.js draws what is zoomed into. A column of pixels has one line from the least to the
most of its tests, however many these are.
"""
from __future__ import annotations

from bisect import bisect_left
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.ids import is_fixture, is_node_id, owner_of, within_owner
from unittest_leakfix.leaks.model.kinds import amount, count
from unittest_leakfix.leaks.model.timeline import RESOURCE, Timeline
from unittest_leakfix.leaks.report.html_causes import Cause
from unittest_leakfix.leaks.report.html_text import Markup, data, element
from unittest_leakfix.leaks.report.terminal import Style

__unittest = True
bind(globals())

MOST_POINTS = 40000
"""How many tests a page has the figures of. Of more, those that leak and the highest of each
group."""
_WIDTH, _HEIGHT = 1000, 64
_MOST_BANDS = 400       # modules that are drawn one by one where no script does it
_LONGEST_NAME = 200
_MOST_ROWS = 10         # of the table, for each of its figures

Column = Sequence[Optional[float]]


class Lane(NamedTuple):
    """One figure of each test."""

    key: str
    name: str
    is_size: bool
    """It is a number of bytes."""
    values: Column


_LANES = (("resident", "Resident memory", True), ("objects", "Python objects", False),
          ("descriptors", "Descriptors", False), ("connections", "Connections", False),
          ("threads", "Threads", False))


class Marks:
    """Which tests left which causes, by their places in the timeline."""

    def __init__(self, timeline: Timeline, causes: Sequence[Cause]) -> None:
        places: Dict[str, int] = {}
        firsts: Dict[str, int] = {}
        for at, test in enumerate(timeline.tests):
            places.setdefault(test, at)
        self.owners = list(map(owner_of, timeline.tests))
        for at, owner in enumerate(self.owners):
            firsts.setdefault(owner, at)
            # A fixture of a module is of the first of its tests.
            firsts.setdefault(owner.rpartition("::" if "::" in owner else ".")[0], at)
        self.of: Dict[int, List[int]] = {}
        """The indexes of the causes of each test that left any."""
        self.perhaps: List[Tuple[int, int, int, int]] = []
        """Of a cause that one of several tests left: its index, the places of the first and the
        last of these, and how many they are."""
        for index, cause in enumerate(causes):
            for test in cause.leak.tests:
                place = firsts.get(owner_of(test)) if is_fixture(test) else places.get(test)
                if place is not None and index not in self.of.setdefault(place, []):
                    self.of[place].append(index)
            perhaps = [places[test] for test in cause.leak.candidates if test in places]
            if perhaps:
                self.perhaps.append((index, min(perhaps), max(perhaps), len(perhaps)))


def processes_of(timeline: Timeline) -> List[int]:
    """Return the place of the first test of each process but the first: there time begins anew."""
    started = timeline.started
    return [at for at in range(1, len(started)) if started[at] < started[at - 1]]


def section(timeline: Timeline, causes: Sequence[Cause], style: Style) -> Markup:
    """Return the timeline, with its data."""
    marks = Marks(timeline, causes)
    chosen = _chosen(timeline, marks)
    lanes = _lanes(timeline)
    spans = _spans(marks.owners)
    head = element(
        "div", element("h2", "Timeline"),
        element("p", _summary(timeline, chosen), class_="faint"),
        class_="head")
    rows = [_strip("modules", "Modules", _bands(spans, len(timeline.tests)))]
    if marks.of:
        rows.append(_strip("marks", "Leaks", _ticks(marks, len(timeline.tests))))
    rows += [_drawn(lane) for lane in lanes]
    return element(
        "section", head,
        element("div", _tools(), element(
            "div", rows, element("div", element("span", "1"), " ",
                                 element("span", format(len(timeline.tests), ",")),
                                 class_="scale"),
            element("div", class_="scrub", id="scrub", hidden=True), class_="chart", id="chart"),
            element("div", class_="readout", id="readout", hidden=True),
            _notes(timeline, lanes), class_="timeline"),
        element("script", data(_values(timeline, causes, marks, chosen, lanes, style)),
                type="application/json", id="timeline-data"),
        id="timeline", aria_label="Timeline")


def _summary(timeline: Timeline, chosen: Sequence[int]) -> str:
    text = "%s in run order" % count(len(timeline.tests), "test")
    if timeline.processes > 1:
        text += ", of %s one after the other" % count(timeline.processes, "process", "processes")
    if len(chosen) < len(timeline.tests):
        text += "; %s of them are drawn: those that left something, and the extremes of the " \
                "others" % format(len(chosen), ",")
    return text + "."


def _tools() -> Markup:
    def button(name: str, text: str, label: str) -> Markup:
        return element("button", text, type="button", class_="button small", data_do=name,
                       aria_label=label, title=label)
    return element(
        "div", element("span", id="range", class_="range", aria_live="polite"),
        element("span", button("previous-leak", "‹ leak", "The leaking test before"),
                button("next-leak", "leak ›", "The next leaking test"),
                button("zoom-in", "+", "Zoom in"), button("zoom-out", "−", "Zoom out"),
                button("reset", "All", "Show all tests"), class_="buttons"),
        class_="tools", id="tools", hidden=True)


def _notes(timeline: Timeline, lanes: Sequence[Lane]) -> List[Any]:
    there = {lane.key for lane in lanes}
    missing = [name.lower() for key, name, _ in _LANES if key not in there]
    found = []
    if missing:
        found.append("Not recorded here: %s." % ", ".join(missing))
    if timeline.source == RESOURCE:
        found.append("Memory is the most that was ever resident: this system does not say how "
                     "much is resident now.")
    return [element("p", " ".join(found), class_="faint")] if found else []


# What is drawn, and what of it.

def _lanes(timeline: Timeline) -> List[Lane]:
    lanes = [Lane(key, name, is_size, getattr(timeline, key)) for key, name, is_size in _LANES]
    return [lane for lane in lanes if any(value is not None for value in lane.values)]


def _spans(owners: Sequence[str]) -> List[Tuple[str, int]]:
    """Return the modules in order, each with the place of its first test."""
    found: List[Tuple[str, int]] = []
    known: Dict[str, str] = {}
    for at, owner in enumerate(owners):
        module = known.get(owner)
        if module is None:
            module = known[owner] = _module(owner)
        if not found or found[-1][0] != module:
            found.append((module, at))
    return found


def _module(owner: str) -> str:
    """Return the module, or pytest's file, of a class by the names in its id."""
    if "::" in owner or ".py" in owner:
        return owner.partition("::")[0]
    head, _, tail = owner.rpartition(".")
    # Classes begin with a capital nearly always; a module alone is its own.
    return head if head and tail[:1].isupper() else owner


def _chosen(timeline: Timeline, marks: Marks) -> Sequence[int]:
    """Return the places of the tests whose figures the page has."""
    length = len(timeline.tests)
    if length <= MOST_POINTS:
        return range(length)
    size = -(-length * 7 // MOST_POINTS)
    found = set(list(marks.of)[:MOST_POINTS])
    for begin in range(0, length, size):
        found.add(begin)
        columns: Tuple[Column, ...] = (timeline.resident, timeline.kept, timeline.seconds)
        for column in columns:
            known = [(value, at) for at, value in enumerate(column[begin:begin + size], begin)
                     if value is not None]
            if known:
                found |= {max(known)[1], min(known)[1]}
    return sorted(found | {length - 1})


# The drawings. Their attributes are for a page whose style sheet a CI system holds back.

def _strip(name: str, label: str, drawing: Sequence[Markup]) -> Markup:
    return element(
        "div", element("div", element("span", label, class_="name"), class_="axis"),
        element("svg", drawing, viewBox="0 0 %d 10" % _WIDTH, preserveAspectRatio="none",
                class_="plot", width="100%", height=12, aria_hidden="true", focusable="false"),
        class_="row strip", data_strip=name)


def _bands(spans: Sequence[Tuple[str, int]], length: int) -> List[Markup]:
    if len(spans) > _MOST_BANDS:
        return []
    ends = [at for _, at in spans[1:]] + [length]
    return [element("rect", element("title", _short(module)), x=_number(at * _WIDTH / length),
                    y=0, width=_number((end - at) * _WIDTH / length), height=10,
                    fill="#8885" if index % 2 else "#8883",
                    class_="band odd" if index % 2 else "band")
            for index, ((module, at), end) in enumerate(zip(spans, ends))]


def _ticks(marks: Marks, length: int) -> List[Markup]:
    columns = sorted({int((at + .5) * _WIDTH / length) for at in marks.of})
    return [element("path", d="".join("M%d 0v10" % column for column in columns),
                    stroke="currentColor", class_="mark")] if columns else []


def _drawn(lane: Lane) -> Markup:
    known = [value for value in lane.values if value is not None]
    low, high = bounds(min(known), max(known))
    line, area = _paths(lane.values, low, high)

    def shown(value: float) -> str:
        return amount(int(value)) if lane.is_size else format(int(value), ",")
    return element(
        "div",
        element("div", element("span", lane.name, class_="name"), " ",
                element("span", shown(low), class_="low"), " ",
                element("span", shown(high), class_="high"), class_="axis"),
        element("svg", element("path", d=area, fill="#8883", class_="area"),
                element("path", d=line, fill="none", stroke="currentColor", class_="curve"),
                viewBox="0 0 %d %d" % (_WIDTH, _HEIGHT), preserveAspectRatio="none", width="100%",
                height=_HEIGHT, class_="plot", role="img", focusable="false",
                aria_label="%s, from %s to %s" % (lane.name, shown(min(known)), shown(max(known)))),
        class_="row lane", data_lane=lane.key)


def bounds(low: float, high: float) -> Tuple[float, float]:
    """Return from where to where an axis goes: from 0, unless that would leave little to see."""
    if low >= 0 and (low < high * .3 or low == high):
        low = 0
    if low == high:
        high = low + 1
    return low, high


def _paths(values: Column, low: float, high: float) -> Tuple[str, str]:
    """Return a line from the least to the most of each column of pixels, and the area below."""
    length = len(values)
    columns: Dict[int, List[float]] = {}
    for at, value in enumerate(values):
        if value is not None:
            column = int((at + .5) * _WIDTH / length)
            pair = columns.get(column)
            if pair is None:
                columns[column] = [value, value]
            elif value < pair[0]:
                pair[0] = value
            elif value > pair[1]:
                pair[1] = value

    def height(value: float) -> str:
        return _number(_HEIGHT - 2 - (value - low) * (_HEIGHT - 4) / (high - low))
    points = []
    for column, (least, most) in sorted(columns.items()):
        points.append("%d %s" % (column, height(least)))
        if most != least:
            points.append("%d %s" % (column, height(most)))
    first, last = min(columns), max(columns)
    line = "M" + "L".join(points)
    return line, "%sL%d %dL%d %dZ" % (line, last, _HEIGHT, first, _HEIGHT)


def _number(value: float) -> str:
    return ("%.1f" % value).rstrip("0").rstrip(".")


# The data.

def _values(timeline: Timeline, causes: Sequence[Cause], marks: Marks, chosen: Sequence[int],
            lanes: Sequence[Lane], style: Style) -> Dict[str, Any]:
    """Return the columns, as page.js reads them: each number less the one before it."""
    owners: Dict[str, int] = {}
    runs: List[List[int]] = []
    names = []
    for at in chosen:
        owner = marks.owners[at]
        index = owners.setdefault(owner, len(owners))
        if runs and runs[-1][0] == index:
            runs[-1][1] += 1
        else:
            runs.append([index, 1])
        names.append(_short(within_owner(timeline.tests[at])))
    modules: Dict[str, int] = {}
    of_owners = [modules.setdefault(_module(owner), len(modules)) for owner in owners]

    begun = [bisect_left(chosen, at) for at in processes_of(timeline)]

    def column(values: Column) -> List[Optional[int]]:
        return _differences(values[at] if at < len(values) else None for at in chosen)
    return {
        "count": len(timeline.tests),
        "places": None if len(chosen) == len(timeline.tests) else _differences(chosen),
        "owners": list(map(_short, owners)), "modules": list(map(_short, modules)),
        "moduleOf": of_owners, "runs": runs, "names": names,
        "lanes": [{"key": lane.key, "name": lane.name, "size": lane.is_size,
                   "values": column(lane.values)} for lane in lanes],
        "milliseconds": _differences(round(timeline.seconds[at] * 1000)
                                     for at in chosen if at < len(timeline.seconds)),
        "kept": column(timeline.kept), "peak": column(timeline.peak),
        "traced": column(timeline.traced) if timeline.traced else None, "processes": begun,
        "marks": [[index, marks.of[at]] for index, at in enumerate(chosen) if at in marks.of],
        "perhaps": [[cause, bisect_left(chosen, first), bisect_left(chosen, last), number]
                    for cause, first, last, number in marks.perhaps],
        "causes": [[cause.number, cause.anchor, style.plain(cause.leak.subject)]
                   for cause in causes[:2000]],
    }


def _differences(values: Iterable[Optional[float]]) -> List[Optional[int]]:
    found: List[Optional[int]] = []
    before = 0
    for value in values:
        if value is None:
            found.append(None)
        else:
            found.append(int(value) - before)
            before = int(value)
    return found


def _short(name: str) -> str:
    return redaction.cut(redaction.redact_id(name), _LONGEST_NAME)


# The heaviest tests.

class Heavy(NamedTuple):
    """A figure that the table of the heaviest tests has a column for."""

    name: str
    title: str
    values: Column
    unit: str
    """"size", "count" or "time"."""


def table(timeline: Timeline, style: Style) -> Optional[Markup]:
    """Return the table of the tests that are highest in one figure; None where none is known."""
    columns = [each for each in (
        Heavy("Kept", "Resident memory after the test less that before it", timeline.kept, "size"),
        Heavy("Traced", "What tracemalloc traces after the test less that before it",
              timeline.traced, "size"),
        Heavy("Peak", "The most that was resident while it ran", timeline.peak, "size"),
        Heavy("Time", "How long it took", timeline.seconds, "time"),
        Heavy("Descriptors", "Open descriptors after it less those before it",
              _gains(timeline.descriptors, processes_of(timeline)), "count"))
        if any(value is not None for value in each.values)]
    if not columns:
        return None
    rows: Dict[int, None] = {}
    for each in columns:
        rows.update(dict.fromkeys(_highest(each.values)))
    order = sorted(rows, key=lambda at: -(_at(columns[0].values, at) or 0))
    head = [element("th", element("span", "Test", class_="sorts"), scope="col",
                    data_sort="text")]
    head += [element("th", element("span", each.name, class_="sorts"), scope="col",
                     class_="figure", data_sort="number", title=each.title,
                     aria_sort="descending" if each is columns[0] else None) for each in columns]
    body = [element("tr", _named(timeline.tests[at], at, style),
                    [_cell(_at(each.values, at), each.unit) for each in columns])
            for at in order]
    return element(
        "div", element("table", element("thead", element("tr", head)), element("tbody", body),
                       id="tests-table"), class_="wide")


def _named(test: str, at: int, style: Style) -> Markup:
    owner, name = owner_of(test), within_owner(test)
    joint = "::" if is_node_id(test) else "."
    return element("th", None if name == test else element(
        "span", style.test(owner) + joint, class_="owner"),
        element("span", style.test(name), data_place=at), scope="row")


def _cell(value: Optional[float], unit: str) -> Markup:
    if value is None:
        return element("td", "–", class_="figure", data_value="")
    if unit == "time":
        text = "%.2f s" % value if value < 100 else "%d s" % value
        text = "%.0f ms" % (value * 1000) if value < .0995 else text
    elif unit == "size":
        text = ("−" if value < 0 else "") + amount(abs(int(value)))
    else:
        text = ("+" if value > 0 else "−" if value < 0 else "") + format(abs(int(value)), ",")
    return element("td", text, class_="figure", data_value=round(value, 4))


def _highest(values: Column) -> List[int]:
    known = [at for at, value in enumerate(values) if value is not None and value > 0]
    return sorted(known, key=lambda at: -(values[at] or 0))[:_MOST_ROWS]


def _gains(values: Column, processes: Sequence[int]) -> List[Optional[float]]:
    """Return by how much each is more than the last one that is known before it in its process."""
    found: List[Optional[float]] = []
    before: Optional[float] = None
    first = set(processes)
    for at, value in enumerate(values):
        before = None if at in first else before
        found.append(None if value is None or before is None else value - before)
        before = before if value is None else value
    return found


def _at(values: Column, at: int) -> Optional[float]:
    return values[at] if at < len(values) else None
