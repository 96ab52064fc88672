"""The report as text: one block for each cause, after what unittest itself prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Iterable, List, NamedTuple, Sequence, Set, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.ids import (
    FIXTURES,
    Names,
    is_fixture,
    is_node_id,
    owner_of,
)
from unittest_leakfix.leaks.model.kinds import (
    LeakKind,
    amount,
    count,
    leak_kind_of,
    listed,
    rank,
    scopes,
)
from unittest_leakfix.leaks.model.leak import Findings, Leak
from unittest_leakfix.leaks.report.describe import described, in_words
from unittest_leakfix.leaks.report.reference_chain import draw_chain, draw_code
from unittest_leakfix.leaks.report.terminal import Style, cells, pad, style_for, wrap
from unittest_leakfix.leaks.report.user_code import Site

__unittest = True
bind(globals())

# One block of the report: what was left, where it came from, what holds it, and what ends it.

if TYPE_CHECKING:
    from unittest_leakfix.tracing.acquisitions import Acquisition
    from unittest_leakfix.tracing.stacks import Frame

COUNTS = 69
"""The column where "3 tests, 41.2 MB" begins, if the headline before it leaves it free."""
_BLOCK_INDENT = "    "
WORTH = 1000
"""Bytes from which a size is worth telling."""
_SHOWN = 3  # names after "also:"; more are only counted


def place(frame: Frame, style: Style) -> str:
    """Return "tests/test_orders.py:17"."""
    return "%s:%d" % (style.path(frame.file), frame.line)


def is_of_test(frame: Frame, test: str) -> bool:
    """True if ``frame`` is the test's own method or one of its fixtures."""
    name = frame.function.rpartition(".")[2]
    return name in FIXTURES or bool(test) and name == Names.method(test)


def opened_by(acquisition: Acquisition, names: Names) -> str:
    """Return the name of what opened it: a fixture, where it was one, else the test."""
    for frame in acquisition.frames:
        owner, _, name = frame.function.rpartition(".")
        if name in FIXTURES:
            owner = owner.rpartition(".")[2] or names.owner(acquisition.test)
            joint = "::" if is_node_id(owner) or ".py" in owner else "."
            return joint.join(filter(None, (owner, name)))
    return names.short(acquisition.test) if acquisition.test else ""


def figures_of(leak: Leak) -> str:
    """Return "3 tests, 41.2 MB"; "1 of 12 tests" where it is not known which."""
    tests = scopes(leak.tests)
    if not tests and leak.candidates:
        tests = "1 of %s" % scopes(leak.candidates).replace(", ", " and ")
    return ", ".join(filter(None,
                            [tests, amount(leak.size) if leak.size >= WORTH else "",
                                   "grew by %s" % format(leak.growth, ",") if leak.growth else ""]))


class _Opening(NamedTuple):
    """The lines on where something was opened, and the name in them."""

    lines: List[str]
    opener: str = ""
    column: int = 0
    """Where its place begins, for the "now at" below it."""


class Blocks:
    """Makes the blocks of one report, each to be read alone. They share the short names of
    tests."""

    def __init__(self, style: Style, stacks: bool, leaks: Iterable[Leak]) -> None:
        """``stacks``: whole stacks, chains and test lists, and how to silence each leak."""
        self.style, self.stacks = style, stacks
        leaks = list(leaks)
        self.names = Names([test for leak in leaks for test in leak.tests]
                           + [leak.acquisition.test for leak in leaks if leak.acquisition])
        widest = max((len(figures_of(leak)) for leak in leaks), default=0)
        self._column = max(min(COUNTS, style.width - widest), 0)

    def block(self, number: int, leak: Leak) -> List[str]:
        """Return the lines of one cause: what, where, what holds it, which tests, and what ends
        it."""
        style = self.style
        self._files: Set[str] = set()       # that this block has named
        lines = self._heading(number, leak)
        opening = self._opening(leak)
        lines += self._left_by(leak, opening) + self._holder(leak) + opening.lines
        lines += self._notes(leak, opening.column) + self._others(leak, opening)
        if leak.closed:
            lines.append(_BLOCK_INDENT + style.paint(style.plain(leak.closed), "green"))
        if leak.remedy:
            lines.append(_BLOCK_INDENT + "in your code: "
                         + style.paint(style.plain(leak.remedy), "bold"))
        if self.stacks and leak.silence:
            lines.append(_BLOCK_INDENT + 'to silence it: ignore(%s, reason="...")'
                         % style.clean(redaction.shortened(leak.silence)))
            lines.append(_BLOCK_INDENT + "or in a file: %s  # why it is known"
                         % style.clean(redaction.shortened(leak.rule)))
        return lines

    def _heading(self, number: int, leak: Leak) -> List[str]:
        subject = self.style.plain(leak.subject)
        head = "[%d] %s" % (number, subject)
        right = figures_of(leak)
        painted = self.style.paint("[%d]" % number, "yellow") + " " + self.style.paint(subject,
                                                                                       "bold")
        if not right:
            return [painted]
        if cells(head) + 2 + len(right) > self.style.width:
            return [painted, _BLOCK_INDENT + right]
        return [painted + pad(head, self._column, 2) + right]

    def _left_by(self, leak: Leak, opening: _Opening) -> List[str]:
        """The full id of the first test, where nothing else in the block names it."""
        named = bool(
            opening.opener) and leak.acquisition is not None and leak.acquisition.test in leak.tests
        if not leak.tests:
            return ["%sleft by %s (looked at once per class)" % (_BLOCK_INDENT, each)
                    for each in self._candidates(leak)]
        if named or self.names.short(leak.tests[0]) in leak.subject:
            return []
        line, style = _BLOCK_INDENT + "left by " + self.style.test(leak.tests[0]), self.style
        written = Site(leak.tests[0]).place if leak.acquisition is None else ""
        file = style.path(written).rpartition(":")[0]
        if file and file not in leak.tests[0] and file not in self._files:
            self._files.add(file)
            line += "   " + style.paint(style.path(written), "cyan")
        return [line]

    def _candidates(self, leak: Leak) -> List[str]:
        """Return "one of the 12 tests of tests.test_orders.OrderTests" for each such class."""
        owners: Dict[str, List[str]] = {}
        for test in leak.candidates:
            owners.setdefault(owner_of(test), []).append(test)
        return [self.style.test(tests[0]) if len(tests) == 1 else
                "one of the %s of %s" % (scopes(tests).replace(", ", " and "),
                                         self.style.test(owner))
                for owner, tests in owners.items()]

    def _holder(self, leak: Leak) -> List[str]:
        lines = draw_chain(leak.chain, self.style, self.stacks) if leak.chain else []
        if leak.chain:
            self._files.update(self.style.path(step.place).rpartition(":")[0]
                               for step in leak.chain.steps)
        elif leak.kind in ("kept test", "object") and not leak.closed:
            lines = [_BLOCK_INDENT
                     + "what holds it is not known: no chain from a module, class or thread leads "
                       "to it"]
        if leak.holding:
            items = [self.style.plain(
                "%s (%s%s)" % (name, kind, ", " + amount(size) if size else ""))
                     for name, kind, size in leak.holding]
            indent = 9 if leak.chain else 4
            lines += wrap(" " * indent + "holding ", listed(items, 99 if self.stacks else 5), ", ",
                          self.style.width, indent + len("holding "))
        return lines

    def _opening(self, leak: Leak) -> _Opening:
        acquisition, kind, style = leak.acquisition, leak_kind_of(leak), self.style
        if acquisition is None:
            unknown = kind.traced and not leak.chain
            return _Opening([_BLOCK_INDENT + "where it was %s is not known" % kind.verb] if unknown
                            else [])
        name = opened_by(acquisition, self.names)
        first = _BLOCK_INDENT + kind.verb + (" by " + style.test(name) if name else "")
        column = cells(first) + 3
        if acquisition.thread not in ("", "MainThread"):
            last = [_BLOCK_INDENT + "in thread " + style.plain(acquisition.thread)]
        else:
            last = []
        if not acquisition.frames:
            return _Opening([first] + last, name)
        frame = acquisition.frames[0]
        of_test = is_of_test(frame, acquisition.test)
        if not (of_test and style.path(frame.file) in self._files):
            first += "   " + style.paint(place(frame, style), "cyan")
            first += "" if of_test else " in " + style.name(frame.function)
        self._files.add(style.path(frame.file))
        # What still runs is shown by two places, one under the other; the rest by its line of code.
        code = draw_code(frame.file, frame.line, style) if of_test or not kind.runs else []
        return _Opening([first] + code + self._stack(acquisition, kind) + last, name, column)

    def _stack(self, acquisition: Acquisition, kind: LeakKind) -> List[str]:
        if not self.stacks:
            # The line of the test or fixture, which is where advice goes, if that is another.
            test = next((frame for frame in acquisition.frames
                         if is_of_test(frame, acquisition.test)), acquisition.frames[0])
            if kind.runs or test is acquisition.frames[0]:
                return []
            self._files.add(self.style.path(test.file))
            return [_BLOCK_INDENT + "called from " + self.style.paint(place(test, self.style),
                                                                      "cyan")]
        if len(acquisition.frames) < 2:
            return []
        return [_BLOCK_INDENT + "called from"] + [
            "%s  %s in %s" % (_BLOCK_INDENT, self.style.paint(place(frame, self.style), "cyan"),
                              self.style.name(frame.function)) for frame in acquisition.frames[1:]]

    def _notes(self, leak: Leak, column: int) -> List[str]:
        pair = {"was", "is"} <= {label for label, _ in leak.notes}
        lines = []
        for label, text in leak.notes:
            head = _BLOCK_INDENT + self.style.plain(label)
            if label == "now at":
                head += pad(head, column, 1)
            else:
                head += "  " if pair and label == "is" else " "
            lines.append(head + self.style.shorten(self.style.plain(self.style.path(text)),
                                                   max(2 * self.style.width - len(head), 40)))
        return lines

    def _others(self, leak: Leak, opening: _Opening) -> List[str]:
        """The tests that the block does not name yet."""
        tests: Tuple[str, ...] = leak.tests[1:]
        word = "also: "
        owner, _, name = opening.opener.rpartition(".")
        if name in FIXTURES and leak.acquisition and leak.acquisition.test in leak.tests:
            # The fixture tells the class; which of its tests is of interest when they are few.
            whole = len(leak.tests) > _SHOWN and all(self.names.owner(test) == owner
                                                     for test in leak.tests)
            tests, word = () if whole and not self.stacks else leak.tests, "in: "
            tests = tuple(test for test in tests if not is_fixture(test))
        limit = len(tests) + len(leak.candidates) if self.stacks else _SHOWN
        names = [self.style.test(self.names.short(test)) for test in tests[:limit + 1]]
        names += [""] * (len(tests) - len(names))       # which are only counted
        shown = listed(names + (self._candidates(leak) if leak.tests else []), limit)
        return wrap(_BLOCK_INDENT + word, shown, ", ", self.style.width,
                    4 + len(word)) if shown else []


__all__ = ["render", "one_line", "failure_text", "Style", "style_for"]

MOST_BLOCKS = 50
"""How many causes are described; the others are counted (JSON and ``stacks`` have them all)."""
_INDENT = "    "


def render(findings: Findings, style: Style = Style(), stacks: bool = False, verbose: bool = False,
           failing: bool = False, mark: str = "ignore", options: str = "--leaks",
           explain: str = "") -> str:
    """Return the report of a run, ending in a newline; "" when there is nothing to tell.

    ``stacks`` shows whole acquisition stacks, chains, test lists and how to silence each leak
    (``--leaks-stacks``); ``verbose`` says that nothing was found, and why known leaks are known;
    ``failing`` tells that leaks already count as failures (``--leaks=fail``); ``mark`` is what the
    last line calls ``ignore``, ``options`` what the names of all options begin with, and
    ``explain`` the command that explains a test, which is named where something grows.
    """
    findings = described(findings)
    leaks = sorted(findings.leaks, key=rank)
    shown = leaks if stacks else leaks[:MOST_BLOCKS]
    blocks = Blocks(style, stacks, shown)
    parts = [[header(findings, leaks, blocks)]] if leaks or findings.more else []
    parts += [blocks.block(number, leak) for number, leak in enumerate(shown, 1)]
    more = findings.more + len(leaks) - len(shown)
    if more:
        parts.append(["and %s more" % format(more, ",")])
    parts.append(_rest(findings, leaks, blocks, verbose, failing, mark, options, explain))
    if not leaks and not findings.more and verbose:
        line = "LEAKS  none in %s" % count(findings.tests, "test")
        parts = [[style.paint(line, "green")] + parts[0]]
    text = "\n\n".join("\n".join(lines) for lines in parts if lines)
    return text + "\n" if text else ""


def render_brief(findings: Findings, style: Style = Style()) -> str:
    """Return a report with one line for each leak, at most ten: the user wants the run to end. ""
    for none."""
    leaks = sorted(described(findings).leaks, key=rank)
    if not leaks:
        return ""
    lines = ["LEAKS  %s found before the run was interrupted"
             % count(len(leaks), "cause was", "causes were")]
    lines += [_INDENT + one_line(leak, style) for leak in leaks[:10]]
    return "\n".join(lines + (["    and %s more" % format(len(leaks) - 10, ",")] if len(leaks) > 10
                              else [])) + "\n"


def one_line(leak: Leak, style: Style = Style()) -> str:
    """Return a leak as one line, for failure messages and JUnit: what, and what holds it or where
    it was opened."""
    names = Names(leak.tests)
    line = style.plain(in_words(leak).subject)
    if leak.chain and leak.chain.expression:
        line += ": held by " + style.plain(leak.chain.expression)
    elif leak.acquisition and leak.acquisition.frames:
        frame = leak.acquisition.frames[0]
        line += ", %s at %s" % (leak_kind_of(leak).verb, place(frame, style))
        of_test = is_of_test(frame, leak.acquisition.test)
        line += " in " + style.test(opened_by(leak.acquisition, names) if of_test
                                      else frame.function)
    return line


def failure_text(leaks: Sequence[Leak], style: Style = Style()) -> str:
    """Return the message of a test that fails for its leaks: one line each, at most ten."""
    shown = leaks if len(leaks) <= 11 else leaks[:10]
    lines = ["%s left behind:" % count(len(leaks), "leak was", "leaks were")]
    lines += ["  " + one_line(leak, style) for leak in shown]
    if len(shown) < len(leaks):
        lines.append("  and %s more" % format(len(leaks) - len(shown), ","))
    return "\n".join(lines)


def header(findings: Findings, leaks: Sequence[Leak], blocks: Blocks) -> str:
    """Return the first line of the report: "LEAKS  3 causes in 41 of 2,041 tests: 1 thread"."""
    head, counts = summary_parts(findings, leaks)
    head = "LEAKS%s  %s: " % (" of worker " + blocks.style.plain(findings.worker)
                              if findings.worker else "", head)
    lines = wrap(head, [blocks.style.plain(words) for words in counts], ", ", blocks.style.width, 7)
    return "\n".join(blocks.style.paint(line, "bold", "red") for line in lines)


def summary_parts(findings: Findings, leaks: Sequence[Leak]) -> Tuple[str, List[str]]:
    """Return "3 causes in 41 of 2,041 tests", and how many there are of each kind."""
    tests = set(test for leak in leaks for test in leak.tests)
    fixtures = set(filter(is_fixture, tests))
    total = count(findings.tests, "test")
    where = ["%s of %s"
             % (format(len(tests) - len(fixtures), ","), total)] if tests - fixtures else []
    where += [count(len(fixtures), "fixture")] if fixtures else []
    kinds: Dict[str, int] = {}
    for leak in leaks:
        kinds[leak.kind] = kinds.get(leak.kind, 0) + 1
    words = {leak.kind: leak_kind_of(leak) for leak in leaks}
    counts = [count(number, words[kind].singular, words[kind].plural)
              for kind, number in kinds.items()]
    return "%s in %s" % (count(len(leaks), "cause"), " and ".join(where) or total), counts


def _rest(findings: Findings, leaks: Sequence[Leak], blocks: Blocks, verbose: bool, failing: bool,
          mark: str, options: str, explain: str) -> List[str]:
    style, lines = blocks.style, []
    if findings.known and (leaks or verbose):
        lines += _known(findings, style, verbose or blocks.stacks)
    if findings.rules:
        lines += _rules(findings, style, verbose or blocks.stacks)
    if findings.gone:
        lines += ["Gone: %s (%s-update-baseline takes %s out)" % (
            count(len(findings.gone), "baseline entry no longer occurs",
                  "baseline entries no longer occur"), options,
            "it" if len(findings.gone) == 1 else "them")]
        lines += [_INDENT + style.plain(cause) for cause in listed(list(findings.gone), 10)]
    if findings.old_baseline:
        lines.append("%s is a baseline of version 1, matched by kind and test: "
                     "%s-update-baseline writes it anew" % (style.path(findings.old_baseline),
                                                            options))
    lines += left_out_lines(findings)
    if findings.failed:
        lines.append("%s %s (%s-failed shows %s)" % (
            "Failing tests left" if leaks or verbose else "LEAKS  none, but failing tests left",
            count(findings.failed, "more cause", "more causes") if leaks
            else count(findings.failed, "cause"), options,
            "it" if findings.failed == 1 else "them"))
    reasons: Dict[str, List[str]] = {}
    for test, why in findings.unmeasured:
        reasons.setdefault(why, []).append(style.test(blocks.names.short(test)))
    for why, tests in reasons.items():
        lines += wrap("Not measured: ", listed(tests, 99 if blocks.stacks else 3), ", ",
                      style.width, 14)
        lines[-1] += " (%s)" % style.plain(why)
    if leaks:
        more = [] if blocks.stacks else ["More: %s-stacks" % options]
        more += [] if failing else ["As failures: %s=fail" % options]
        if explain and any(leak.growth for leak in leaks):
            more += ["Explain one: python -m unittest_leakfix %s" % explain]
        silences = [leak.silence for leak in leaks if leak.silence]
        rules = [leak.rule for leak in leaks if leak.rule] if findings.rules else []
        if rules:
            # In the files, where this project has them.
            more += ["Silence one, as a rule: %s  # why it is known"
                     % style.clean(redaction.shortened(rules[-1]))]
            silences = []
        more += ['Silence one: %s(%s, reason="...")'
                 % (mark, style.clean(redaction.shortened(silences[-1])))] if silences else []
        if more:
            lines += [style.paint(line.rstrip(), "dim")
                      for line in wrap("", more, "  %s  " % style.glyph("·"), style.width, 0)]
    return lines


def left_out_lines(findings: Findings) -> List[str]:
    """Return the line on what finding left out in order to save time, if it did."""
    left_out = findings.overhead
    if left_out is None or not (left_out.skipped or left_out.untraced or left_out.unlooked
                                or left_out.uncounted):
        return []
    return ["To save time, finding %s" % " and ".join(
        text for text, number in (
            ("left the look at the process after %s to the next look"
             % count(left_out.unlooked, "test"), left_out.unlooked),
            ("left the count of objects after %s to the next one"
             % count(left_out.uncounted, "test"), left_out.uncounted),
            ("left the look after %s to the next look"
             % count(left_out.skipped, "class", "classes"), left_out.skipped),
            ("gave up the search for what holds %s"
             % count(left_out.untraced, "object"), left_out.untraced)) if number)]


def _rules(findings: Findings, style: Style, each: bool) -> List[str]:
    """Which suppressions of files were used; those that were not, one by one."""
    unused = [rule for rule in findings.rules if not rule.used]
    lines = ["Suppressions: %s used, %s not used in this run"
             % (format(len(findings.rules) - len(unused), ","), format(len(unused), ","))]
    if each:
        lines += ["%sused for %s: %s  %s" % (
            _INDENT, count(rule.used, "leak"), style.path(rule.where), style.plain(rule.rule))
            for rule in findings.rules if rule.used]
    lines += ["%snot used: %s  %s%s" % (
        _INDENT, style.path(rule.where), style.plain(rule.rule),
        "  (there is no kind of this name: %s?)" % rule.meant if rule.meant else "")
        for rule in (unused if each else unused[:10])]
    if not each and len(unused) > 10:
        lines.append("%sand %s more" % (_INDENT, format(len(unused) - 10, ",")))
    return lines


def _known(findings: Findings, style: Style, each: bool) -> List[str]:
    def with_places(text: str, wheres: List[str]) -> str:
        places = listed([style.path(where) for where in dict.fromkeys(wheres) if where], 3)
        return text + (" in " + ", ".join(places) if places else "")

    ignored = [where for _, reason, where in findings.known if reason]
    baseline = [where for _, reason, where in findings.known if not reason]
    parts = [("ignored with a reason", ignored)] if ignored else []
    parts += [("listed", baseline)] if baseline else []
    texts = [with_places(text, wheres) for text, wheres in parts]
    if len(parts) > 1:
        texts = ["%s %s" % (format(len(wheres), ","), text)
                 for text, (_, wheres) in zip(texts, parts)]
    lines = ["Known: %s (%s)" % (format(len(findings.known), ","), ", ".join(texts))]
    if each:
        lines += [_INDENT + style.plain(leak.subject)
                  + (": " + style.plain(reason) if reason else "")
                  for leak, reason, _ in findings.known]
    return lines
