"""What a stream can show: its width, box characters, colour; and text made fit for it."""
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple
from unicodedata import combining, east_asian_width

from unittest_leakfix._core import redaction
from unittest_leakfix._core.code_origin import START
from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


# This module may be imported when a test has changed directory; that one is there from the start.
_ROOT = START.rstrip(os.sep)
_DEFAULT_WIDTH = 120
_BOX = "┬├─│↓╰→·…"
_ASCII = {"┬": "+", "├─": "+-", "│": "|", "↓": "v", "╰→": "`>", "·": "|", "…": "..."}
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


@dataclass(frozen=True)
class Style:
    """What a stream can show.

    ``width`` is in columns; ``root`` is the folder that paths are shown relative to (where the run
    started: tests may have changed directory since).
    """

    width: int = _DEFAULT_WIDTH
    encoding: str = "utf-8"
    colour: bool = False
    root: str = _ROOT

    def glyph(self, box: str) -> str:
        """Return the box character, or what stands for it where the encoding lacks any of them."""
        return box if self._takes(_BOX) else _ASCII[box]

    def plain(self, text: str) -> str:
        """Return ``text`` on one line, harmless, without secrets, not too long, and in what the
        encoding can take."""
        return self.clean(redaction.shown(text, redaction.LONGEST))

    def test(self, test: str) -> str:
        """Return the id or short name of a test: as it is, but for secrets among its parameters,
        and cut."""
        return self.clean(redaction.cut(redaction.redact_id(test), redaction.LONGEST))

    def name(self, name: str) -> str:
        """Return the name of a function or file, which is not a secret, cut."""
        return self.clean(redaction.cut(name, redaction.LONGEST))

    def clean(self, text: str) -> str:
        """Return ``text`` on one line, harmless and in what the encoding can take, but whole and as
        it is."""
        text = redaction.visible(text)
        if not text.isascii():
            return "".join(char if self._takes(char) else _escaped(char) for char in text)
        return text

    def paint(self, text: str, *colours: str) -> str:
        """Return ``text`` in the named colours, or as it is where there are none."""
        if not (self.colour and text):
            return text
        return "\033[%sm%s\033[0m" % (";".join(_CODES[colour] for colour in colours), text)

    def path(self, path: str) -> str:
        """Return ``path`` relative to the root if it lies below."""
        root = self.root.rstrip(os.sep) + os.sep
        return self.name(path[len(root):] if self.root and path.startswith(root) else path)

    def shorten(self, text: str, limit: int) -> str:
        """Return ``text``, its middle left out if it takes more than ``limit`` columns."""
        if cells(text) <= limit:
            return text
        gap = " %s " % self.glyph("…")
        room = max(limit - len(gap), 2)
        return _head(text, room - room // 2) + gap + _head(text[::-1], room // 2)[::-1]

    def _takes(self, text: str) -> bool:
        try:
            text.encode(self.encoding)
        except (UnicodeError, LookupError):
            return False
        return True


def style_for(stream: Any, environ: Optional[Mapping[str, str]] = None) -> Style:
    """Return the style of an output stream: colour only on a terminal (and never with NO_COLOR or
    TERM=dumb)."""
    environ = os.environ if environ is None else environ
    terminal = _is_terminal(stream)
    encoding = getattr(stream, "encoding", None)
    if not isinstance(encoding, str):  # io.StringIO has None and takes every character
        encoding = "utf-8"
    colour = (terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
              and (os.name != "nt" or "WT_SESSION" in environ or "ANSICON" in environ))
    return Style(width=_columns(stream) if terminal else _DEFAULT_WIDTH, encoding=encoding,
                 colour=colour)


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except Exception:  # closed, or no real stream
        return False


def _columns(stream: Any, size: Any = getattr(os, "get_terminal_size", None)) -> int:
    try:
        columns = int(size(stream.fileno()).columns)
    except Exception:
        return _DEFAULT_WIDTH
    return min(max(columns, 60), 160) if columns else 80  # some pseudo-terminals say 0


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def cells(text: str) -> int:
    """Return how many columns ``text`` takes on a terminal: two for a wide character, none for an
    accent."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1
               for char in text)


def _head(text: str, limit: int) -> str:
    taken = 0
    for index, char in enumerate(text):
        taken += cells(char)
        if taken > limit:
            return text[:index]
    return text


def pad(text: str, column: int, least: int = 3) -> str:
    """Return the spaces that lead from the end of ``text`` to ``column``, at least ``least``."""
    return " " * max(column - cells(text), least)


def wrap(first: str, items: Sequence[str], between: str, width: int, indent: int) -> List[str]:
    """Return lines of at most ``width`` columns, where they can be: ``first``, then items
    ``between`` each other."""
    lines: List[Tuple[str, bool]] = [(first, True)]
    for index, item in enumerate(items):
        item += between.rstrip() if index + 1 < len(items) and between.strip() == "," else ""
        line, fresh = lines[-1]
        joint = "" if fresh else between.lstrip(",")
        if fresh or cells(line + joint + item) <= width:
            lines[-1] = (line + joint + item, False)
        else:
            lines.append((" " * indent + item, False))
    return [line for line, _ in lines]
