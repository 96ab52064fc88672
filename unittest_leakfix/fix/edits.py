"""Edits: which lines of a text change, and the text with all of them at once."""
from __future__ import annotations

from collections import defaultdict
from typing import Dict, Iterable, List, NamedTuple, Tuple

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

STEP = "    "


class Insert(NamedTuple):
    """New lines, which stand before the line *before* (from 1; one more than there are: at the
    end)."""

    before: int
    lines: Tuple[str, ...]


class Replace(NamedTuple):
    """The lines *first* to *last* become *lines*."""

    first: int
    last: int
    lines: Tuple[str, ...]


class Wrap(NamedTuple):
    """The lines *first* to *last* are indented below *head*; but those of *fixed*, which are inside
    of a text."""

    first: int
    last: int
    head: str
    fixed: Tuple[int, ...] = ()


def applied(text: str, edits: Iterable[object]) -> str:
    """Return *text* with all *edits*, each of which counts the lines of *text* as it is.

    Of inserted lines that stand in one place those of the first edit come first. Raises ValueError
    where two edits replace one line.
    """
    lines = text.splitlines(True)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    inserted: Dict[int, List[str]] = defaultdict(list)
    replaced: Dict[int, Tuple[int, Tuple[str, ...]]] = {}
    wraps: List[Wrap] = []
    taken: set[int] = set()
    for edit in dict.fromkeys(edits):
        if isinstance(edit, Insert):
            inserted[edit.before] += [each for each in edit.lines
                                      if each not in inserted[edit.before]]
        elif isinstance(edit, Replace):
            span = set(range(edit.first, edit.last + 1))
            if span & taken:
                raise ValueError("two changes of line %d" % min(span & taken))
            taken |= span
            replaced[edit.first] = edit.last, edit.lines
        elif isinstance(edit, Wrap):
            wraps.append(edit)
    wraps.sort(key=lambda wrap: (wrap.first, -wrap.last))

    def indented(number: int, line: str) -> str:
        depth = sum(wrap.first <= number <= wrap.last for wrap in wraps)
        return STEP * depth + line if line.strip() else line

    made: List[str] = []
    number = 1
    while number <= len(lines) + 1:
        heads = [wrap for wrap in wraps if wrap.first == number]
        outside = sum(wrap.first < number <= wrap.last for wrap in wraps)
        for line in inserted.get(number, ()):
            made.append(STEP * outside + line + newline)
        for depth, wrap in enumerate(heads):
            made.append(STEP * (outside + depth) + wrap.head + newline)
        if number > len(lines):
            break
        if number in replaced:
            last, new = replaced[number]
            made += [indented(number, line) + newline for line in new]
            number = last + 1
            continue
        fixed = any(number in wrap.fixed for wrap in wraps)
        line = lines[number - 1]
        made.append(line if fixed else indented(number, line))
        number += 1
    return "".join(made)
