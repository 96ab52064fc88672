"""The causes of a report as HTML: each a block that folds, with what the text says of it."""
from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.chain import Chain
from unittest_leakfix.leaks.model.ids import owner_of, within_owner
from unittest_leakfix.leaks.model.kinds import amount, count, leak_kind_of
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.report.html_text import (
    Anchors,
    Markup,
    code_frame,
    coloured,
    element,
)
from unittest_leakfix.leaks.report.reference_chain import (
    expression_of,
    source_lines,
    step_words,
)
from unittest_leakfix.leaks.report.terminal import Style
from unittest_leakfix.leaks.report.text_report import (
    Blocks,
    figures_of,
    is_of_test,
    opened_by,
    place,
)

__unittest = True
bind(globals())

_ONLY_AST, _WITH_AWAIT = ast.PyCF_ONLY_AST, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

OPEN_AT_MOST = 12
"""How many causes a page may have for all of them to be unfolded; of more, the first few are."""
_OPEN_OF_MANY = 5
MOST_CHARACTERS = 5000000
"""Of all blocks. What comes after is one line each, and then a number."""
_MOST_NAMES = 1000000       # characters of the names of tests, over all causes
_MOST_LINES = 1500000       # characters of the causes that have one line each
_MANY_STEPS = 16


@dataclass(frozen=True)
class Cause:
    """One cause on the page."""

    number: int
    """As the text report counts it; 0 for one that the text report does not list."""
    leak: Leak
    anchor: str
    """The id of its element."""
    permanent: str
    """The id that it has in the report of each run."""
    known: str = ""
    """Where it is listed as known; "" for one that is new."""


def numbered(leaks: Sequence[Leak], anchors: Anchors) -> List[Cause]:
    """Return *leaks*, in the order of the text report, as causes."""
    return [Cause(number, leak, anchors.unique("cause-%d" % number),
                  anchors.of_fingerprint(leak.fingerprint))
            for number, leak in enumerate(leaks, 1)]


def listed_before(leaks: Sequence[Tuple[Leak, str]], anchors: Anchors) -> List[Cause]:
    """Return *leaks* that are known, each with where it is listed, as causes."""
    return [Cause(0, leak, anchors.unique("known-%d" % number),
                  anchors.of_fingerprint(leak.fingerprint), where)
            for number, (leak, where) in enumerate(leaks, 1)]


class CauseBlocks:
    """Makes the blocks of one page."""

    def __init__(self, causes: Sequence[Cause], style: Style, mark: str) -> None:
        """*mark*: what ``ignore`` is called where the tests are."""
        self._causes = sorted(causes, key=lambda cause: (bool(cause.known), -cause.leak.size))
        self._style, self._mark = style, mark
        leaks = [cause.leak for cause in causes]
        self._texts = Blocks(style, False, leaks)
        self._names = self._texts.names
        self._room = _MOST_NAMES

    def all(self) -> List[Markup]:
        """Return the blocks, those of new causes first, and of these the heaviest."""
        found: List[Markup] = []
        taken = lines = 0
        unfolded = len(self._causes) if len(self._causes) <= OPEN_AT_MOST else _OPEN_OF_MANY
        for at, cause in enumerate(self._causes):
            if taken < MOST_CHARACTERS:
                found.append(self._block(cause, at < unfolded))
                taken += len(found[-1])
            elif lines < _MOST_LINES:
                found.append(self._line(cause))
                lines += len(found[-1])
            else:
                found.append(element("p", "and %s, which the JSON report describes" % count(
                    len(self._causes) - at, "more cause"), class_="more"))
                break
        return found

    def _line(self, cause: Cause) -> Markup:
        return element("div", self._headline(cause), id=cause.anchor, class_="cause brief",
                       data_kind=cause.leak.kind, data_size=cause.leak.size,
                       data_tests=len(cause.leak.tests), data_known=bool(cause.known),
                       data_number=cause.number)

    def _block(self, cause: Cause, unfolded: bool) -> Markup:
        leak = cause.leak
        return element(
            "details",
            element("summary", self._headline(cause)),
            element("div", self._where(leak), self._chain(leak), self._holding(leak),
                    self._notes(leak), self._ends(leak), self._tests(leak), self._rest(cause),
                    class_="body"),
            id=cause.anchor, class_="cause", open=unfolded, data_kind=leak.kind,
            data_size=leak.size, data_tests=len(leak.tests), data_known=bool(cause.known),
            data_number=cause.number)

    def _headline(self, cause: Cause) -> List[Any]:
        leak = cause.leak
        figures = figures_of(leak)
        return [
            element("span", "#%d" % cause.number if cause.number else "known", class_="nr"), " ",
            element("span",
                    element("span", self._style.plain(leak.subject), class_="subject"), " ",
                    element("span",
                            element("span", leak_kind_of(leak).singular, class_="kind"), " ",
                            element("span", "closed for you", class_="badge")
                            if leak.closed.startswith("closed") else None, " ",
                            element("span", "in the baseline", class_="badge")
                            if cause.known else None,
                            class_="tags"),
                    class_="what"), " ",
            element("span", figures, class_="figures") if figures else None]

    # Where it came from.

    def _where(self, leak: Leak) -> List[Any]:
        acquisition, kind, style = leak.acquisition, leak_kind_of(leak), self._style
        if acquisition is None:
            if kind.traced and not leak.chain:
                return [element("p", "Where it was %s is not known." % kind.verb, class_="faint")]
            return []
        name = opened_by(acquisition, self._names)
        thread = acquisition.thread if acquisition.thread not in ("", "MainThread") else ""
        head: List[Any] = [kind.verb]
        head += [" by ", element("strong", style.test(name))] if name else []
        head += [" in thread ", element("strong", style.plain(thread))] if thread else []
        if not acquisition.frames:
            return [element("p", head, class_="where")]
        frame = acquisition.frames[0]
        head.append(self._place(frame, not is_of_test(frame, acquisition.test)))
        lines = source_lines(frame.file, frame.line, style)
        found = [element("p", head, class_="where"),
                 code_frame(lines, frame.line) if lines else None]
        rest = acquisition.frames[1:]
        if rest:
            found.append(element(
                "details", element("summary", "called from ", self._place(rest[-1], True)),
                element("ol", [element("li", self._place(each, True)) for each in rest],
                        class_="stack"), class_="fold") if len(rest) > 1 else
                element("p", "called from ", self._place(rest[0], True), class_="where"))
        return found

    def _place(self, frame: Any, with_function: bool) -> List[Any]:
        return [" ", element("code", place(frame, self._style), class_="place"),
                " in " + self._style.name(frame.function) if with_function else None]

    # What holds it.

    def _chain(self, leak: Leak) -> List[Any]:
        chain, style = leak.chain, self._style
        if chain is None:
            if leak.kind in ("kept test", "object") and not leak.closed:
                return [element("p", "What holds it is not known: no chain from a module, class "
                                     "or thread leads to it.", class_="faint")]
            return []
        return [self._expression(chain), self._steps(
            [step_words(step, style) + (step.suspect,) for step in chain.steps])]

    def _expression(self, chain: Chain) -> Optional[Markup]:
        text = expression_of(chain, self._style)
        if not text:
            return None
        reads = chain.evaluates and text == chain.expression
        return element("p", element("span", "held by" if reads else "for reading only",
                                    class_="label"), " ",
                       element("code", coloured(text) if reads else text, class_="expression"),
                       self._copies("expression") if reads else None, class_="copied")

    def _steps(self, steps: Sequence[Tuple[str, str, str, bool]]) -> Markup:
        found = [self._step(step, at == 0, at == len(steps) - 1) for at, step in enumerate(steps)]
        if len(found) > _MANY_STEPS:
            middle = found[8:-6]
            found[8:-6] = [element("li", element(
                "details", element("summary", "%s more steps" % format(len(middle), ",")),
                element("ol", middle, class_="chain"), class_="fold"), class_="gap")]
        return element("ol", found, class_="chain")

    @staticmethod
    def _step(step: Tuple[str, str, str, bool], first: bool, last: bool) -> Markup:
        access, label, where, suspect = step
        kind = "root" if first else "kept" if last else None
        return element(
            "li",
            None if first else element("code", access,
                                       class_="access suspect" if suspect else "access"),
            " ", element("span", label, class_="thing"), " ",
            element("code", where, class_="place") if where else None, " ",
            element("span", "probably this reference should have been taken back", class_="hint")
            if suspect and not first else None,
            class_=kind)

    def _holding(self, leak: Leak) -> Optional[Markup]:
        if not leak.holding:
            return None
        style = self._style
        rows = [element("tr", element("td", element("code", style.plain(name))),
                        element("td", style.plain(kind)),
                        element("td", amount(size) if size else "", class_="figure"))
                for name, kind, size in leak.holding[:50]]
        return element("div", element(
            "table", element("caption", "What it keeps in turn"),
            element("thead", element("tr", element("th", "Name", scope="col"),
                                     element("th", "Type", scope="col"),
                                     element("th", "Memory", scope="col", class_="figure"))),
            element("tbody", rows), class_="holding"), class_="wide")

    # What is known besides, and what ends it.

    def _notes(self, leak: Leak) -> Optional[Markup]:
        style = self._style
        rows = [[element("dt", style.plain(label)),
                 element("dd", element("code", style.plain(style.path(text))))]
                for label, text in leak.notes]
        return element("dl", rows, class_="notes") if rows else None

    def _ends(self, leak: Leak) -> List[Any]:
        style, found = self._style, []
        if leak.closed:
            found.append(element("p", style.plain(leak.closed), class_="closed"))
        if leak.remedy:
            text = style.plain(leak.remedy)
            found.append(element(
                "p", element("span", "in your code", class_="label"), " ",
                [element("code", coloured(text), class_="remedy"), self._copies("line")]
                if is_code(text) else element("span", text), class_="copied"))
        return found

    # Which tests.

    def _tests(self, leak: Leak) -> List[Any]:
        if leak.tests:
            found = [self._folded(figures_of(Leak(leak.kind, "", leak.tests)), leak.tests)]
        else:
            found = []
        if leak.candidates:
            found.append(self._folded(
                "one of %s, after which the process was looked at once"
                % count(len(leak.candidates), "test"), leak.candidates))
        return found

    def _folded(self, head: str, tests: Sequence[str]) -> Markup:
        if len(tests) == 1:
            return element("p", "left by ", element("code", self._style.test(tests[0])),
                           class_="left")
        return element("details", element("summary", head), list(self._grouped(tests)),
                       class_="fold tests")

    def _grouped(self, tests: Sequence[str]) -> Iterator[Markup]:
        owners: Dict[str, List[str]] = {}
        for test in tests[:self._room // 4]:      # no id is shorter
            owners.setdefault(owner_of(test), []).append(test)
        left = len(tests)
        for owner, members in owners.items():
            names: List[str] = []
            for test in members:
                name = self._style.test(within_owner(test))
                if self._room <= 0:
                    break
                self._room = max(self._room - len(name) - 2, 0)
                names.append(name)
            left -= len(names)
            if names:
                yield element("p", element("strong", self._style.test(owner)), " ",
                              element("span", ", ".join(names)))
        if left:
            yield element("p", "and %s more" % format(left, ","), class_="faint")

    # The end of the block.

    def _rest(self, cause: Cause) -> Markup:
        leak, style = cause.leak, self._style
        text = "\n".join(self._texts.block(cause.number, leak))
        silence = style.clean(redaction.shortened(leak.silence)) if leak.silence else ""
        return element(
            "div",
            element("a", "Link", href="#" + cause.anchor, class_="button", data_copy_link=True),
            " ",
            element("a", "Permanent link", href="#" + cause.permanent, id=cause.permanent,
                    class_="button", data_copy_link=True,
                    title="The same in the next report, as long as the cause is"),
            element("button", "In the timeline", type="button", class_="button",
                    data_in_timeline=True, hidden=True),
            element("button", "Copy as text", type="button", class_="button", data_copy="text",
                    hidden=True),
            element("details", element("summary", "As text"),
                    element("pre", text, class_="text"), class_="fold"),
            element("details", element("summary", "Silence it"), element(
                "p", element("code", '%s(%s, reason="...")' % (self._mark, silence),
                             class_="silence"),
                self._copies("line"), class_="copied"), class_="fold") if silence else None,
            class_="rest")

    @staticmethod
    def _copies(what: str) -> Markup:
        return element("button", "Copy", type="button", class_="button small", data_copy="code",
                       aria_label="Copy this " + what, hidden=True)


def is_code(text: str) -> bool:
    """Tell whether a remedy, or the line that a statement begins with, is Python, and not a
    sentence."""
    if text.endswith(":"):
        text += " pass"
    try:
        compile(text, "<remedy>", "exec", _ONLY_AST | _WITH_AWAIT, True)
    except (SyntaxError, ValueError):
        return False
    return True
