"""The report as one HTML page, which needs nothing else: no network, and no script to be read.

Its style sheet and its scripts lie beside this file. They are read when this module is loaded,
before the first test, and are the only ones that the page lets a browser use.
"""
from __future__ import annotations

import os
from typing import Any, Dict, List, Optional, Sequence, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.ids import Names, is_fixture
from unittest_leakfix.leaks.model.kinds import amount, count, leak_kind_of, rank
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak
from unittest_leakfix.leaks.model.timeline import Timeline
from unittest_leakfix.leaks.report import html_timeline
from unittest_leakfix.leaks.report.describe import described
from unittest_leakfix.leaks.report.html_causes import (
    Cause,
    CauseBlocks,
    listed_before,
    numbered,
)
from unittest_leakfix.leaks.report.html_text import (
    Anchors,
    Markup,
    checksum,
    element,
)
from unittest_leakfix.leaks.report.terminal import Style
from unittest_leakfix.leaks.report.text_report import left_out_lines, summary_parts
from unittest_leakfix.version import __version__

__unittest = True
bind(globals())
_join, _dirname = os.path.join, os.path.dirname


def _read(name: str) -> Markup:
    # By the loader, which knows the way into a zip archive.
    path = _join(_dirname(__file__), name)
    text: bytes = __loader__.get_data(path)  # type: ignore[name-defined]
    return Markup(text.decode("utf-8"))


_CSS, _JS = _read("page.css"), Markup(_read("timeline.js") + _read("page.js"))
_POLICY = "default-src 'none'; img-src data:; style-src %s; script-src %s; base-uri 'none'; " \
          "form-action 'none'" % (checksum(_CSS), checksum(_JS))
_MOST_KNOWN = 2000      # rows of the tables of what is known, gone or not measured


def to_html(findings: Findings, style: Style = Style(), baseline: bool = False,
            mark: str = "ignore", options: str = "--leaks", failing: bool = False) -> str:
    """Return the page, ending in a newline.

    *baseline*: there was one; *mark* is what ``ignore`` is called where the tests are, *options*
    what the names of all options begin with; *failing*: leaks already count as failures.
    """
    findings = described(findings)
    leaks = sorted(findings.leaks, key=rank)
    anchors = Anchors()
    for name in ("timeline", "causes", "tests", "known", "top", "scrub", "chart", "readout"):
        anchors.unique(name)
    causes = numbered(leaks, anchors)
    before = [(item.leak, item.where) for item in findings.known if not item.reason]
    causes += listed_before(before, anchors)
    page = _Page(findings, style, causes, baseline or bool(before), options)
    title = ("%s · %s" % (count(len(leaks), "leak"), count(findings.tests, "test"))
             if leaks else "No leaks · %s" % count(findings.tests, "test"))
    body = [page.header(), element("main", page.summary(), page.timeline(),
                                   page.causes(mark), page.tests(), page.known(),
                                   page.more(mark, failing)),
            page.footer()]
    return "<!DOCTYPE html>\n%s\n" % element(
        "html", element(
            "head", element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("link", rel="icon", href="data:,"),
            element("title", title), element("style", _CSS)),
        element("body", body, element("div", id="said", role="status", class_="unseen"),
                element("script", _JS)),
        lang="en")


class _Page:
    """The parts of one page."""

    def __init__(self, findings: Findings, style: Style, causes: Sequence[Cause], baseline: bool,
                 options: str) -> None:
        self._options = options
        self._findings, self._style, self._causes = findings, style, causes
        timeline = findings.timeline
        self._timeline = timeline if timeline is not None and timeline.tests else None
        self._new = [cause.leak for cause in causes if not cause.known]
        self._baseline = baseline
        self._names = Names([test for test, _ in findings.unmeasured])
        self._suppressed = [item for item in findings.known if item.reason]

    def header(self) -> Markup:
        """Return the bar at the top."""
        links = [("#timeline", "Timeline", self._timeline is not None),
                 ("#causes", "Causes", bool(self._causes)),
                 ("#tests", "Tests", self._timeline is not None),
                 ("#known", "Known", self._has_known())]
        return element(
            "header", element("a", "Skip to the causes" if self._causes else "Skip to the report",
                              href="#causes" if self._causes else "#top", class_="skip"),
            element("div", element("a", "unittest", element("b", "_leakfix"), href="#top",
                                   class_="brand"),
                    element("nav", [[element("a", text, href=href), " "]
                                    for href, text, there in links if there],
                            aria_label="Parts of the report"),
                    element("button", "Theme", type="button", class_="button small", id="theme",
                            hidden=True), class_="bar"))

    def summary(self) -> Markup:
        """Return what is to be known first."""
        found, style = self._findings, self._style
        head, kinds = summary_parts(found, self._new)
        worker = " of worker %s" % style.plain(found.worker) if found.worker else ""
        if self._new or found.more:
            causes, _, where = head.partition(" in ")
            title: List[Any] = [element("b", causes), " in " + where]
            text = ", ".join(map(style.plain, kinds))
        else:
            title = ["No leaks" + (", but for what failing tests left" if found.failed else "")]
            text = "%s ran, and gave back what they took." % count(found.tests, "test")
            if found.known:
                text += " %s known." % count(len(found.known), "leak is", "leaks are")
        return element("section", element("p", "Leaks" + worker, class_="eyebrow"),
                       element("h1", title), element("p", text, class_="lead"), self._tiles(),
                       self._warnings(),
                       id="top", class_="summary" if self._new else "summary none")

    def _warnings(self) -> Optional[Markup]:
        """Return what the reader has to know before taking the page for the whole truth."""
        found, style = self._findings, self._style
        lines: List[Any] = []
        reasons = dict.fromkeys(why for _, why in found.unmeasured)
        if found.unmeasured:
            lines.append([element("a", "Not measured", href="#known"), ": %s (%s)" % (
                count(len(found.unmeasured), "test"), style.plain("; ".join(reasons)))])
        if found.failed:
            lines.append("Failing tests left %s (%s-failed shows %s)" % (
                count(found.failed, "more cause" if self._new else "cause",
                      "more causes" if self._new else "causes"), self._options,
                "it" if found.failed == 1 else "them"))
        if found.old_baseline:
            lines.append("%s is a baseline of version 1: %s-update-baseline writes it anew" % (
                style.path(found.old_baseline), self._options))
        lines += left_out_lines(found)
        return element("ul", [element("li", line) for line in lines], class_="warnings"
                       ) if lines else None

    def _tiles(self) -> Optional[Markup]:
        found, tiles = self._findings, []
        tests = {test for leak in self._new for test in leak.tests}
        fixtures = sum(map(is_fixture, tests))
        if self._new:
            tiles.append(("Causes", format(len(self._new), ","), ""))
            tiles.append(("Leaking tests", format(len(tests) - fixtures, ","),
                          "of %s" % format(found.tests, ",")))
        size = sum(leak.size for leak in self._new)
        if size:
            tiles.append(("Kept by leaks", amount(size), ""))
        closed = sum(1 for leak in self._new if leak.closed.startswith("closed"))
        if closed:
            tiles.append(("Closed for you", format(closed, ","), count(closed, "cause").partition(
                " ")[2]))
        if self._timeline is not None:
            tiles += self._of_timeline(self._timeline)
        if not tiles:
            return None
        return element("dl", [element(
            "div", element("dt", name), element("dd", figure, element("small", " " + unit)
                                                if unit else None)) for name, figure, unit
            in tiles], class_="tiles")

    @staticmethod
    def _of_timeline(timeline: Timeline) -> List[Tuple[str, str, str]]:
        tiles = []
        peaks = [peak for peak in (*timeline.peak, *timeline.resident) if peak is not None]
        if peaks:
            tiles.append(("Peak memory", amount(max(peaks)), ""))
        ends = [0, *html_timeline.processes_of(timeline), len(timeline.tests)]
        grown, known = 0, False
        for begin, end in zip(ends, ends[1:]):
            sizes = [size for size in timeline.resident[begin:end] if size is not None]
            grown += sizes[-1] - sizes[0] if sizes else 0
            known = known or len(sizes) > 1
        if known:
            tiles.append(("Memory grew by" if grown >= 0 else "Memory shrank by",
                          amount(abs(grown)), ""))
        seconds = sum(timeline.seconds)
        tiles.append(("Time in tests", "%.1f" % seconds if seconds < 100
                      else format(int(seconds), ","), "s"))
        return tiles

    def timeline(self) -> Optional[Markup]:
        """Return the timeline; None where nothing was recorded."""
        if self._timeline is None:
            return None
        return html_timeline.section(self._timeline, self._causes, self._style)

    # The causes.

    def causes(self, mark: str) -> Optional[Markup]:
        """Return the causes, with what filters them; None where there are none."""
        more = self._findings.more
        if not self._causes and not more:
            return None
        blocks = CauseBlocks(self._causes, self._style, mark).all()
        return element(
            "section", element("div", element("h2", "Causes"), self._lead(), class_="head"),
            self._filters() if len(self._causes) > 1 else None,
            element("div", blocks, id="list"),
            element("p", "No cause is like that. ", element(
                "button", "Show all", type="button", class_="button small", id="show-all"),
                id="nothing", class_="nothing", hidden=True),
            element("p", "and %s more, which were counted but not described: end the ones shown "
                         "first" % format(more, ","), class_="faint") if more else None,
            id="causes", aria_label="Causes")

    def _lead(self) -> Markup:
        closed = sum(1 for leak in self._new if leak.closed.startswith("closed"))
        text = "The heaviest first; the number is that of the text report."
        if closed:
            text += " %s did no harm: what was left open was closed when the test was over." % (
                count(closed, "cause"))
        return element("p", text, class_="faint")

    def _filters(self) -> Markup:
        kinds: Dict[str, List[Leak]] = {}
        for cause in self._causes:
            kinds.setdefault(cause.leak.kind, []).append(cause.leak)
        chips = [element("button", "%s " % leak_kind_of(leaks[0]).singular,
                         element("b", format(len(leaks), ",")), type="button", class_="chip",
                         data_kind=kind, aria_pressed="false")
                 for kind, leaks in kinds.items()] if len(kinds) > 1 else []
        known = any(cause.known for cause in self._causes)
        return element(
            "form",
            element("div",
                    element("label", element("span", "Find a test, file or name",
                                             class_="unseen"),
                            element("input", type="search", id="find", autocomplete="off",
                                    placeholder="Find a test, file or name", spellcheck="false")),
                    element("label", element("input", type="checkbox", id="new"),
                            " New since the baseline")
                    if self._baseline and known else None,
                    element("label", element("span", "Order ", class_="faint"), element(
                        "select", element("option", "heaviest first", value="size"),
                        element("option", "most tests first", value="tests"),
                        element("option", "as in the text", value="number"), id="order")),
                    element("button", "Unfold all", type="button", class_="button small",
                            id="unfold"),
                    element("span", id="shown", class_="faint", role="status"),
                    class_="controls"),
            element("div", chips, class_="chips", role="group", aria_label="Kinds")
            if chips else None,
            id="filters", role="search", aria_label="Filter the causes", hidden=True)

    def tests(self) -> Optional[Markup]:
        """Return the heaviest tests; None where nothing was recorded."""
        if self._timeline is None:
            return None
        table = html_timeline.table(self._timeline, self._style)
        if table is None:
            return None
        return element("section", element("div", element("h2", "Heaviest tests"), element(
            "p", "Those that are highest in one of the figures.", class_="faint"), class_="head"),
            table, id="tests", aria_label="Heaviest tests")

    # What is known.

    def _has_known(self) -> bool:
        found = self._findings
        return bool(self._suppressed or found.gone or found.unmeasured or any(
            cause.known for cause in self._causes))

    def known(self) -> Optional[Markup]:
        """Return what is suppressed and why, what is gone, and what could not be measured."""
        if not self._has_known():
            return None
        listed = sum(1 for cause in self._causes if cause.known)
        parts = [self._ignored(self._suppressed), element(
            "p", "%s in the baseline, and among the causes above." % count(
                listed, "cause is listed", "causes are listed")) if listed else None,
            self._gone(), self._unmeasured()]
        return element("section", element("div", element("h2", "Known, gone, not measured"),
                                          class_="head"), parts, id="known",
                       aria_label="Known, gone, not measured")

    def _ignored(self, known: Sequence[Known]) -> Optional[Markup]:
        if not known:
            return None
        style = self._style
        rows = [element(
            "tr", element("th", style.plain(leak.subject), scope="row"),
            element("td", style.plain(reason)),
            element("td", element("code", style.path(where), class_="place")),
            element("td", format(len(leak.tests), ",") if leak.tests else "–", class_="figure"))
            for leak, reason, where in known[:_MOST_KNOWN]]
        return self._table("Suppressed", ("Leak", "Reason", "Where", "Tests"), rows, len(known))

    def _gone(self) -> Optional[Markup]:
        gone = self._findings.gone
        if not gone:
            return None
        rows = [element("tr", element("td", self._style.plain(cause)))
                for cause in gone[:_MOST_KNOWN]]
        head = "Gone: %s-update-baseline takes them out of the baseline" % self._options
        return self._table(head, ("Cause",), rows, len(gone))

    def _unmeasured(self) -> Optional[Markup]:
        tests = self._findings.unmeasured
        if not tests:
            return None
        rows = [element("tr", element("th", self._style.test(test), scope="row"),
                        element("td", self._style.plain(why))) for test, why in tests[:_MOST_KNOWN]]
        return self._table("Not measured", ("Test", "Why"), rows, len(tests))

    @staticmethod
    def _table(caption: str, head: Sequence[str], rows: List[Markup], total: int) -> Markup:
        return element(
            "div", element(
                "table", element("caption", caption),
                element("thead", element("tr", [element(
                    "th", name, scope="col", class_="figure" if name == "Tests" else None)
                    for name in head])), element("tbody", rows)),
            element("p", "and %s more" % format(total - len(rows), ","), class_="faint")
            if total > len(rows) else None, class_="wide")

    # The end.

    def more(self, mark: str, failing: bool) -> Optional[Markup]:
        """Return how to go on; None where there is nothing to do."""
        found, rows = self._findings, []
        if found.failed:
            rows.append(("The leaks of failing tests", self._options + "-failed"))
        if self._new and not failing:
            rows.append(("Leaks as failures", self._options + "=fail"))
        if self._new and not self._baseline:
            rows.append(("Begin with a baseline, and report only what is new",
                         self._options + "-write-baseline FILE"))
        silences = [leak.silence for leak in self._new if leak.silence]
        if silences:
            rows.append(("Silence one", '%s(%s, reason="...")' % (
                mark, self._style.clean(redaction.shortened(silences[-1])))))
        if not rows:
            return None
        return element("section", element("dl", [[element("dt", text), element(
            "dd", element("code", code))] for text, code in rows], class_="more"),
            aria_label="More")

    @staticmethod
    def footer() -> Markup:
        """Return the last line."""
        return element("footer", "Made by unittest_leakfix %s, from this run alone. " % __version__,
                       element("span", "Keys: ", element("kbd", "/"), " find · ",
                               element("kbd", "t"), " timeline · ", element("kbd", "j"), " ",
                               element("kbd", "k"), " next and previous cause", id="keys",
                               hidden=True))
