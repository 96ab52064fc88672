"""Drawings: the chain of references that keeps a survivor, and the source lines of an
acquisition."""
from __future__ import annotations

import io
import os.path
from tokenize import detect_encoding
from typing import TYPE_CHECKING, Any, List, Sequence, Tuple

from unittest_leakfix._core import redacted_source, redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.report.terminal import Style, cells, pad, wrap

if TYPE_CHECKING:
    from unittest_leakfix.leaks.model.chain import Chain, Step, Thing

__unittest = True
bind(globals())

PLACE = 50
"""The column where places ("tests/test_orders.py:20") begin, if the text before them leaves it
free."""
_MANY_STEPS = 16
_LONGEST_STEP = 120
_LONGEST_EXPRESSION = 1000
_MOST_LINES = 4     # of an expression; a longer one is cut in its middle
_INDENT = "    "


def draw_chain(chain: Chain, style: Style, whole: bool = False) -> List[str]:
    """Return the lines that draw ``chain``: its expression, then its steps from the root down.

    Of a long chain the middle is left out, unless ``whole``.
    """
    lines = _expression(chain, style, whole)
    steps = chain.steps
    left_out = range(0) if whole or len(steps) <= _MANY_STEPS else range(_MANY_STEPS // 2,
                                                                         len(steps) - 6)
    for index, step in enumerate(steps):
        if index == left_out.start and left_out:
            gap = (style.glyph("│"), style.glyph("…"), format(len(left_out), ","))
            lines.append(_INDENT + style.paint("%s    %s %s more steps" % gap, "dim"))
        if index not in left_out:
            lines.extend(_step(step, index, index == len(steps) - 1, style))
    return lines


def _step(step: Step, index: int, last: bool, style: Style) -> List[str]:
    bar = style.glyph("│")
    access, label, where = step_words(step, style)
    branch = style.glyph("╰→") if last else style.glyph("├─") if index else style.glyph("┬")
    beside = index == 1 and access.startswith(".")  # what the root's own name leads to
    text = "%s %s%s" % (branch, label, "  " + access if beside else "")
    painted = "%s %s%s" % (style.paint(branch, "dim"),
                           style.paint(label, "bold") if last else label,
                           "  " + access if beside else "")
    lines = []
    if index and not beside:
        lines.append(_INDENT + style.paint("%s    %s " % (bar, style.glyph("↓")), "dim") + access)
        if step.suspect:
            lines.append(_tildes(6, access, style))
    if where:
        painted += pad(_INDENT + text, PLACE) + style.paint(where, "cyan")
    lines.append(_INDENT + painted)
    if beside and step.suspect:
        lines.append(_tildes(cells(label) + 4, access, style, " " if last else bar))
    return lines


def step_words(step: Step, style: Style) -> Tuple[str, str, str]:
    """Return how one gets to *step* from the one before, what it is, and where that is defined."""
    return (style.clean(_short(step.access.strip() or "reference in C")),
            style.clean(_short(thing_text(step.what))),
            # The label of a thread has it.
            style.path(step.place) if step.what.category != "thread" else "")


def expression_of(chain: Chain, style: Style) -> str:
    """Return the expression of *chain* as it is shown, on one line."""
    return style.clean(redaction.shown(chain.expression, _LONGEST_EXPRESSION))


def thing_text(what: Thing) -> str:
    """Return what an object is, in a few words: "module shop", "list (3 items)", "Order"."""
    if what.text:
        return what.text
    form = _FORMS.get(what.category)
    if form is not None:
        return form % what._asdict()
    if what.category == "container":
        return "%s (%d item%s)" % (what.name, what.length, "" if what.length == 1 else "s")
    if what.category == "C code":
        return "C code (%d reference%s out of the collector's sight)" % (
            what.length,
            "" if what.length == 1 else "s",
        )
    if what.category == "entry":
        return "sys.modules[%r]" % what.name
    if what.category == "thread":
        return 'thread "%s"' % what.name + (
            ", running %s() at %s" % (what.method, what.at) if what.method else ""
        )
    return "%s %s" % (what.category, what.name)


_FORMS = {"object": "%(name)s", "named": "%(name)s", "test": "%(name)s.%(method)s",
          "bound method": "bound method %(name)s.%(method)s", "frame": "frame of %(name)s()",
          "lru_cache": "lru_cache of %(name)s", "weak reference": "weak reference",
          "end": "gave up after %(length)d levels"}


def _short(text: str) -> str:
    return redaction.shown(text, _LONGEST_STEP)


def _tildes(column: int, access: str, style: Style, bar: str = "") -> str:
    return (_INDENT + style.paint(bar or style.glyph("│"), "dim") + " " * column
            + style.paint("~" * cells(access), "red"))


def _expression(chain: Chain, style: Style, whole: bool) -> List[str]:
    text = expression_of(chain, style)
    if not text:
        return []
    if not chain.evaluates:
        return [_INDENT + style.paint(style.shorten("for reading only: " + text,
                                                    style.width - len(_INDENT)), "dim")]
    if cells(_INDENT + text) <= style.width or text != chain.expression:
        return [_INDENT + style.paint(text, "bold")]
    pieces = _pieces(text, chain.steps)
    if len(pieces) == 1:
        return [_INDENT + style.paint(text, "bold")]
    # In parentheses it may be broken before any of its accesses and still be pasted as it is.
    pieces[-1] += ")"
    lines = wrap(_INDENT + "(", pieces, "", style.width, len(_INDENT) + 1)
    if len(lines) > _MOST_LINES and not whole:
        return [_INDENT + style.paint(style.shorten("for reading only: " + text,
                                                    style.width - len(_INDENT)), "dim")]
    return [style.paint(line, "bold") for line in lines]


def _pieces(text: str, steps: Sequence[Step]) -> List[str]:
    pieces: List[str] = []
    for step in reversed(steps):
        if not step.access or not text.endswith(step.access) or text == step.access:
            break
        pieces.insert(0, step.access)
        text = text[:-len(step.access)]
    return [text] + pieces


class _Files:
    """What reading takes, bound before tests put a file system of their own in its place."""

    open: Any = staticmethod(io.open)
    is_file = staticmethod(os.path.isfile)
    join = staticmethod(os.path.join)


def draw_code(file: str, line: int, style: Style) -> List[str]:
    """Return the source line ``line`` of ``file`` as drawn lines, with the one before and what
    continues it.

    A relative ``file`` is meant from the style's root. Empty when the file cannot be read or has no
    such line. Not from linecache, which tests patch.
    """
    found = source_lines(file, line, style)
    width = len(str(found[-1][0])) if found else 0
    lines = []
    for number, text in found:
        mark = "> " if number == line else "  "
        code = style.shorten(text, style.width - width - 7)
        drawn = "%s%*d %s" % (mark, width, number, code)
        lines.append(_INDENT + (style.paint(drawn, "bold") if number == line else drawn).rstrip())
    return lines


def source_lines(file: str, line: int, style: Style) -> List[Tuple[int, str]]:
    """Return the numbers and texts of the lines that `draw_code` draws."""
    return [(number, style.clean(text.expandtabs(8)[:_LONGEST_EXPRESSION]))
            for number, text in _numbered(_Files.join(style.root, file), line)]


_BEFORE = 6
"""How many lines above are read beside: a secret may begin there (``password=(`` and the string
below it)."""


def _numbered(file: str, line: int) -> List[Tuple[int, str]]:
    """Return the numbers and texts of the lines to show of *file*, without secrets."""
    try:
        first, texts = _read(file, max(line, 1), 2)
    # no file, no such path, no such encoding
    except (OSError, ValueError, SyntaxError, LookupError):
        return []
    at = line - first
    if line < 1 or at >= len(texts) or not texts[at].strip():
        return []
    last = at
    depth = _depth(texts[at])
    while depth > 0 and last + 1 < len(texts):
        last += 1
        depth += _depth(texts[last])
    # With what follows, where a literal may end.
    shown = redacted_source.redact_lines([text.rstrip() for text in texts])
    found = [(first + index, shown[index]) for index in range(at, last + 1)]
    if at and texts[at - 1].strip(" \t\r\n()[]{},"):  # a line of brackets tells nothing
        found.insert(0, (line - 1, shown[at - 1]))
    return found


def whole_source(file: str, most: int) -> str:
    """Return the text of a source file; "" for one that cannot be read, or has more than *most*
    characters."""
    try:
        if not _Files.is_file(file):
            return ""
        with _Files.open(file, "rb") as source:
            encoding, taken = detect_encoding(source.readline)
            text = (b"".join(taken) + source.read(most)).decode(encoding, "replace")
    except (OSError, ValueError, SyntaxError, LookupError):
        return ""
    return text if len(text) < most else ""


def _read(file: str, line: int, more: int) -> Tuple[int, List[str]]:
    """Return the number of the first line that was read, and the lines."""
    if not _Files.is_file(file):  # a pipe would be waited for
        raise OSError(file)
    first = max(line - _BEFORE, 1)
    with _Files.open(file, "rb") as source:
        encoding, taken = detect_encoding(source.readline)
        window = []
        for number, raw in enumerate((raw for part in (taken, source) for raw in part), 1):
            if number >= first:
                window.append(raw.decode(encoding, "replace"))
            if number >= line + more:
                break
    return first, window


def _depth(text: str) -> int:
    """Return how many brackets stay open: a guess by counting, good enough for a drawing."""
    return sum(map(text.count, "([{")) - sum(map(text.count, ")]}"))
