"""The report as text: one block for each cause, after what unittest itself prints."""
from __future__ import annotations

from typing import Dict, List, Sequence

from unittest_leakfix._core.early import bind
from unittest_leakfix._core import redaction

from .blocks import Blocks, is_own, place, who
from .colour import Style, style_for, wrap
from .leak import Findings, Leak
from .words import Names, count, is_fixture, kind_of, listed, rank

__unittest = True
bind(globals())
__all__ = ["render", "one_line", "failure_text", "Style", "style_for"]

MOST_BLOCKS = 50
"""How many causes are described; the others are counted (JSON and ``stacks`` have them all)."""
_INDENT = "    "


def render(findings: Findings, style: Style = Style(), stacks: bool = False, verbose: bool = False,
           failing: bool = False, mark: str = "ignore") -> str:
    """Return the report of a run, ending in a newline; "" when there is nothing to tell.

    ``stacks`` shows whole acquisition stacks, chains, test lists and how to silence each leak
    (``--leaks-stacks``); ``verbose`` says that nothing was found, and why known leaks are known;
    ``failing`` tells that leaks already count as failures (``--leaks=fail``); ``mark`` is what the
    last line calls ``ignore``.
    """
    leaks = sorted(findings.leaks, key=rank)
    shown = leaks if stacks else leaks[:MOST_BLOCKS]
    blocks = Blocks(style, stacks, shown)
    parts = [[_header(findings, leaks, blocks)]] if leaks or findings.more else []
    parts += [blocks.block(number, leak) for number, leak in enumerate(shown, 1)]
    more = findings.more + len(leaks) - len(shown)
    if more:
        parts.append(["and %s more" % format(more, ",")])
    parts.append(_rest(findings, leaks, blocks, verbose, failing, mark))
    if not leaks and not findings.more and verbose:
        line = "LEAKS  none in %s" % count(findings.tests, "test")
        parts = [[style.paint(line, "green")] + parts[0]]
    text = "\n\n".join("\n".join(lines) for lines in parts if lines)
    return text + "\n" if text else ""


def shortly(findings: Findings, style: Style = Style()) -> str:
    """Return a report with one line for each leak, at most ten: somebody wants the run to end. "" for none."""
    leaks = sorted(findings.leaks, key=rank)
    if not leaks:
        return ""
    lines = ["LEAKS  %s found before the run was interrupted" % count(len(leaks), "cause was", "causes were")]
    lines += [_INDENT + one_line(leak, style) for leak in leaks[:10]]
    return "\n".join(lines + (["    and %s more" % format(len(leaks) - 10, ",")] if len(leaks) > 10 else [])) + "\n"


def one_line(leak: Leak, style: Style = Style()) -> str:
    """Return a leak as one line, for failure messages and JUnit: what, and who holds it or where it was opened."""
    names = Names(leak.tests)
    line = style.plain(leak.subject)
    if leak.chain and leak.chain.expression:
        line += ": held by " + style.plain(leak.chain.expression)
    elif leak.acquisition and leak.acquisition.frames:
        frame = leak.acquisition.frames[0]
        line += ", %s at %s" % (kind_of(leak).verb, place(frame, style))
        own = is_own(frame, leak.acquisition.test)
        line += " in " + style.test(who(leak.acquisition, names) if own else frame.function)
    return line


def failure_text(leaks: Sequence[Leak], style: Style = Style()) -> str:
    """Return the message of a test that fails for its leaks: one line each, at most ten."""
    shown = leaks if len(leaks) <= 11 else leaks[:10]
    lines = ["%s left behind:" % count(len(leaks), "leak was", "leaks were")]
    lines += ["  " + one_line(leak, style) for leak in shown]
    if len(shown) < len(leaks):
        lines.append("  and %s more" % format(len(leaks) - len(shown), ","))
    return "\n".join(lines)


def _header(findings: Findings, leaks: Sequence[Leak], blocks: Blocks) -> str:
    tests = set(test for leak in leaks for test in leak.tests)
    fixtures = set(filter(is_fixture, tests))
    total = count(findings.tests, "test")
    where = ["%s of %s" % (format(len(tests) - len(fixtures), ","), total)] if tests - fixtures else []
    where += [count(len(fixtures), "fixture")] if fixtures else []
    kinds: Dict[str, int] = {}
    for leak in leaks:
        kinds[leak.kind] = kinds.get(leak.kind, 0) + 1
    words = {leak.kind: kind_of(leak) for leak in leaks}
    counts = [count(number, words[kind].one, words[kind].many) for kind, number in kinds.items()]
    head = "LEAKS%s  %s in %s: " % (" of worker " + blocks.style.plain(findings.worker) if findings.worker else "",
                                    count(len(leaks), "cause"), " and ".join(where) or total)
    lines = wrap(head, [blocks.style.plain(words) for words in counts], ", ", blocks.style.width, 7)
    return "\n".join(blocks.style.paint(line, "bold", "red") for line in lines)


def _rest(findings: Findings, leaks: Sequence[Leak], blocks: Blocks, verbose: bool, failing: bool,
          mark: str) -> List[str]:
    style, lines = blocks.style, []
    if findings.known and (leaks or verbose):
        lines += _known(findings, style, verbose or blocks.stacks)
    if findings.gone:
        lines += ["Gone: %s (--leaks-write-baseline takes %s out)" % (
            count(len(findings.gone), "baseline entry no longer occurs", "baseline entries no longer occur"),
            "it" if len(findings.gone) == 1 else "them")]
        lines += [_INDENT + style.plain(cause) for cause in listed(list(findings.gone), 10)]
    reasons: Dict[str, List[str]] = {}
    for test, why in findings.unmeasured:
        reasons.setdefault(why, []).append(style.test(blocks.names.short(test)))
    for why, tests in reasons.items():
        lines += wrap("Not measured: ", listed(tests, 99 if blocks.stacks else 3), ", ", style.width, 14)
        lines[-1] += " (%s)" % style.plain(why)
    if leaks:
        more = [] if blocks.stacks else ["More: --leaks-stacks"]
        more += [] if failing else ["As failures: --leaks=fail"]
        silences = [leak.silence for leak in leaks if leak.silence]
        more += ['Silence one: %s(%s, reason="...")' % (mark, style.clean(redaction.shortened(silences[-1])))] if silences else []
        if more:
            lines += [style.paint(line.rstrip(), "dim")
                      for line in wrap("", more, "  %s  " % style.glyph("·"), style.width, 0)]
    return lines


def _known(findings: Findings, style: Style, each: bool) -> List[str]:
    def told(text: str, wheres: List[str]) -> str:
        places = listed([style.path(where) for where in dict.fromkeys(wheres) if where], 3)
        return text + (" in " + ", ".join(places) if places else "")

    ignored = [where for _, reason, where in findings.known if reason]
    baseline = [where for _, reason, where in findings.known if not reason]
    parts = [("ignored with a reason", ignored)] if ignored else []
    parts += [("listed", baseline)] if baseline else []
    texts = [told(text, wheres) for text, wheres in parts]
    if len(parts) > 1:
        texts = ["%s %s" % (format(len(wheres), ","), text) for text, (_, wheres) in zip(texts, parts)]
    lines = ["Known: %s (%s)" % (format(len(findings.known), ","), ", ".join(texts))]
    if each:
        lines += [_INDENT + style.plain(leak.subject) + (": " + style.plain(reason) if reason else "")
                  for leak, reason, _ in findings.known]
    return lines
