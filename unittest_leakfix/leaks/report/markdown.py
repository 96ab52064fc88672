"""A summary in Markdown, for the page of a GitHub job, a merge request or a chat.

All that comes from the suite stands in HTML's ``<code>`` and ``<pre>``, with entities for what
Markdown or HTML would read: nothing in a name becomes a link, a tag, a table or a mention.
"""
from __future__ import annotations

import re
from typing import Iterable, List, Sequence

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.kinds import count, scopes
from unittest_leakfix.leaks.report.annotations import Annotation, Report, counted

__unittest = True
bind(globals())

MOST = 50
"""How many causes are listed. GitHub takes a megabyte."""
_LONGEST = 12000
# An underscore inside a word means nothing; a colon may begin an address or an emoji.
_SPECIAL = re.compile(r"[\\`*\[\]<>#!|&@~$^]|(?<![^\W_])_|_(?![^\W_])|:(?!\d+(?![\d:]))(?!\s)")


def text(report: Report) -> str:
    """Return *report* as Markdown: a heading, a table of the causes, and what each is folded."""
    if not report.annotations and not report.more:
        lines = ["## Leaks: none in %s" % count(report.tests, "test"), ""]
        return "\n".join(lines + _notes(report))
    shown = report.annotations[:MOST]
    lines = ["## Leaks: %s" % counted(report), ""]
    lines += table(("", "cause", "left by", "line"),
                   [(str(number), code(each.title), _left_by(each), _place(each))
                    for number, each in enumerate(shown, 1)])
    lines.append("")
    for number, each in enumerate(shown, 1):
        lines += folded("%d. %s" % (number, code(each.title)), each.text)
    more = len(report.annotations) - len(shown) + report.more
    if more:
        lines += ["And %s." % count(more, "more cause"), ""]
    return "\n".join(lines + _notes(report))


def _notes(report: Report) -> List[str]:
    lines = []
    if report.known:
        lines += ["Known: %s." % count(len(report.known), "cause"), ""]
    if report.failed:
        lines += ["Failing tests left %s." % count(report.failed, "cause"), ""]
    return lines


def _left_by(annotation: Annotation) -> str:
    name = ".".join(filter(None, (annotation.owner.rpartition(".")[2], annotation.name)))
    more = len(annotation.tests) - 1
    return code(name) + (" and %s more" % format(more, ",") if more > 0 else "") if name else (
        scopes(annotation.tests))


def _place(annotation: Annotation) -> str:
    place = annotation.place
    return code("%s:%d" % place) if place is not None else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> List[str]:
    """Return the lines of a table; its cells are Markdown."""
    return ["| %s |" % " | ".join(row) for row in [head, ["---"] * len(head), *rows]]


def folded(summary: str, lines: str) -> List[str]:
    """Return the lines of a part that opens when its *summary*, which is HTML, is clicked."""
    if len(lines) > _LONGEST:
        lines = lines[:_LONGEST] + "\n..."
    return ["<details><summary>%s</summary>" % summary, "",
            "<pre>%s</pre>" % "\n".join(map(_html, lines.split("\n"))), "", "</details>", ""]


def code(text: str) -> str:
    """Return *text*, of one line, as code, whatever is in it."""
    return "<code>%s</code>" % _SPECIAL.sub(lambda found: "&#%d;" % ord(found.group()), text)


def _html(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
