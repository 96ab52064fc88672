"""Two reports, compared by the fingerprints of their causes: what is new, gone and grown."""
from __future__ import annotations

from typing import Callable, Dict, Iterable, List, NamedTuple, Sequence, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.kinds import amount, count, rank
from unittest_leakfix.leaks.model.leak import Findings, Leak
from unittest_leakfix.leaks.report import markdown
from unittest_leakfix.leaks.report.annotations import digest, report_of
from unittest_leakfix.leaks.report.describe import described
from unittest_leakfix.leaks.report.terminal import Style
from unittest_leakfix.leaks.report.text_report import WORTH, one_line

__unittest = True
bind(globals())

_GROWTH, _LEAST = 1.1, 100 * WORTH
"""A cause has grown when it keeps a tenth and 100 kB more, or is that of more tests."""
MOST = 50
"""How many causes of each sort are listed as Markdown."""


class Cause(NamedTuple):
    """All leaks of one report that have one fingerprint."""

    leak: Leak
    """The first."""
    tests: int
    """How many tests and fixtures, a class that was looked at as a whole counted as one."""
    size: int

    @property
    def figures(self) -> str:
        """Return "37 tests, 41.2 MB"."""
        return ", ".join([count(self.tests, "test")]
                         + ([amount(self.size)] if self.size >= WORTH else []))


class Comparison(NamedTuple):
    """What differs between an old and a new report."""

    new: Tuple[Cause, ...]
    gone: Tuple[Cause, ...]
    grown: Tuple[Tuple[Cause, Cause], ...]
    """Old and new."""
    known: Tuple[Cause, ...]
    """What was reported, and is known by now: ignored, or in a baseline."""
    same: int
    counts: Tuple[str, str]
    """How many causes in how many tests, old and new."""

    @property
    def worse(self) -> bool:
        """Tell whether there is more than before."""
        return bool(self.new or self.grown)


def compare(old: Findings, new: Findings) -> Comparison:
    """Compare two reports."""
    before, after = _causes(old.leaks), _causes(new.leaks)
    known = {item.leak.fingerprint for item in new.known}
    left = [cause for name, cause in before.items() if name not in after]
    grown = [(before[name], cause) for name, cause in after.items()
             if name in before and _has_grown(before[name], cause)]
    return Comparison(
        _ordered(cause for name, cause in after.items() if name not in before),
        _ordered(cause for cause in left if cause.leak.fingerprint not in known),
        tuple(sorted(grown, key=lambda pair: rank(pair[1].leak))),
        _ordered(cause for cause in left if cause.leak.fingerprint in known),
        len(after) - len(grown) - sum(name not in before for name in after),
        (_counts(old), _counts(new)))


def _causes(leaks: Iterable[Leak]) -> Dict[str, Cause]:
    found: Dict[str, Cause] = {}
    for leak in leaks:
        tests, size = len(leak.tests) or bool(leak.candidates), leak.size
        one = found.get(leak.fingerprint)
        if one is not None:
            leak, tests, size = one.leak, one.tests + tests, one.size + size
        found[leak.fingerprint] = Cause(leak, int(tests), size)
    return found


def _has_grown(old: Cause, new: Cause) -> bool:
    return new.tests > old.tests or new.size > max(old.size * _GROWTH, old.size + _LEAST)


def _ordered(causes: Iterable[Cause]) -> Tuple[Cause, ...]:
    return tuple(sorted(causes, key=lambda cause: rank(cause.leak)))


def _counts(found: Findings) -> str:
    return "%s in %s" % (count(len(found.leaks) + found.more, "cause"),
                         count(found.tests, "test"))


# As text.

def as_text(compared: Comparison, names: Sequence[str], style: Style = Style()) -> str:
    """Return the comparison of the files *names* as text."""
    blocks = [["COMPARED  %s: %s; now %s: %s" % (
        style.name(names[0]), compared.counts[0], style.name(names[1]), compared.counts[1])]]

    def add(title: str, causes: Sequence[Cause], line: Callable[[Cause], str]) -> None:
        if causes:
            blocks.append(["%s: %s" % (title, format(len(causes), ","))]
                          + ["    " + line(cause) for cause in causes])

    before = {old.leak.fingerprint: old for old, _ in compared.grown}
    add("New", compared.new, lambda cause: "%s (%s)" % (one_line(cause.leak, style),
                                                        cause.figures))
    add("Grown", [after for _, after in compared.grown], lambda cause: "%s (%s, was %s)" % (
        one_line(cause.leak, style), cause.figures, before[cause.leak.fingerprint].figures))
    add("Gone", compared.gone, lambda cause: one_line(cause.leak, style))
    add("Known now", compared.known, lambda cause: one_line(cause.leak, style))
    blocks.append(["The same: %s" % format(compared.same, ",")])
    return "\n".join("\n".join(block) for block in blocks) + "\n"


# As Markdown.

def as_markdown(old: Findings, new: Findings) -> str:
    """Return what differs between *old* and *new* as Markdown, with nothing of the suite's as
    markup."""
    compared = compare(described(old), described(new))
    places = {each.identity: each.place for findings in (old, new)
              for each in report_of(findings).annotations}

    was = {before.leak.fingerprint: before for before, _ in compared.grown}

    def rows(causes: Iterable[Cause]) -> List[Tuple[str, ...]]:
        found: List[Tuple[str, ...]] = []
        for cause in causes:
            title = Style().plain(cause.leak.subject)
            place = places.get(digest(cause.leak.fingerprint))
            before = was.get(cause.leak.fingerprint)
            figures = cause.figures + (", was %s" % before.figures if before is not None else "")
            found.append((markdown.code(title), figures,
                          markdown.code("%s:%d" % place) if place is not None else ""))
        return found

    lines = ["## Leaks: %s" % ", ".join(
        "%s %s" % (format(len(causes), ","), word) for causes, word in (
            (compared.new, "new"), (compared.grown, "grown"), (compared.gone, "gone"),
            (compared.known, "known now")) if causes or word == "new")]
    lines += ["", "Before: %s. Now: %s." % compared.counts, ""]
    grown = tuple(after for _, after in compared.grown)
    for title, causes in (("New", compared.new), ("Grown", grown), ("Gone", compared.gone),
                          ("Known now", compared.known)):
        if causes:
            lines += ["### %s" % title, ""]
            lines += markdown.table(("cause", "tests", "line"), rows(causes[:MOST]))
            more = len(causes) - MOST
            lines += ["", "And %s." % count(more, "more cause"), ""] if more > 0 else [""]
    return "\n".join(lines)
