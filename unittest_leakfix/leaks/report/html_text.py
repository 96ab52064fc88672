"""HTML: elements whose text is always escaped, code in colours, and data that scripts read.

What is not a `Markup` is text of somebody's, and no character of it is taken for a tag.
"""
from __future__ import annotations

import hashlib
import html
import io
import json
import tokenize
from base64 import b64encode
from keyword import iskeyword
from typing import Any, Dict, Iterable, Iterator, List, Sequence, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())
_escape = html.escape
_dumps = json.dumps
_sha256 = hashlib.sha256
_sha1 = hashlib.sha1
_tokens = tokenize.generate_tokens
_StringIO = io.StringIO

_VOID = frozenset(["meta", "link", "br", "input"])


class Markup(str):
    """HTML that was made here."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Return *text*, on one or more lines, as HTML that shows it.

    What is invisible, or would turn the direction of a line, is an escape such as ``\\u202e``.
    """
    if not text.isprintable():
        text = "\n".join(map(redaction.visible, text.split("\n")))
    return Markup(_escape(text))


def element(tag: str, *content: Any, **attributes: Any) -> Markup:
    """Return an element. *content* is text, markup, lists of these, or None for nothing.

    ``class_`` stands for ``class``, and ``_`` in the name of an attribute for ``-``. True is an
    attribute without a value, None and False are not written.
    """
    parts = ["<", tag]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        parts += [" ", name.rstrip("_").replace("_", "-")]
        if value is not True:
            parts += ['="', escaped(str(value)), '"']
    parts.append(">")
    if tag not in _VOID:
        parts += _flat(content)
        parts += ["</", tag, ">"]
    return Markup("".join(parts))


def joined(parts: Iterable[Any], between: str = "") -> Markup:
    """Return *parts* as one, with the text *between* each two."""
    return Markup(escaped(between).join(_flat(parts)))


def _flat(content: Iterable[Any]) -> Iterator[str]:
    for each in content:
        if isinstance(each, Markup):
            yield each
        elif isinstance(each, str):
            yield escaped(each)
        elif each is not None:
            yield joined(each)


def data(value: Any) -> Markup:
    """Return *value* as JSON in which nothing ends the script element around it."""
    text = _dumps(value, separators=(",", ":"))     # ASCII, also of what is half a character
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def checksum(text: str) -> str:
    """Return by what a content security policy knows the script or style sheet *text*."""
    digest = _sha256(text.encode("utf-8", "backslashreplace")).digest()
    return "'sha256-%s'" % b64encode(digest).decode("ascii")


class Anchors:
    """The ids of a page's elements, each of them once."""

    def __init__(self) -> None:
        self._taken: Dict[str, int] = {}

    def unique(self, name: str) -> str:
        """Return *name*, with a number behind it where it is taken already."""
        number = self._taken[name] = self._taken.get(name, 0) + 1
        return name if number == 1 else self.unique("%s-%d" % (name, number))

    def of_fingerprint(self, fingerprint: str) -> str:
        """Return the id of a cause that is the same in the next run."""
        text = fingerprint.encode("utf-8", "backslashreplace")
        return self.unique("cause-" + _sha1(text).hexdigest()[:10])


# Code.

def code_frame(lines: Sequence[Tuple[int, str]], marked: int) -> Markup:
    """Return numbered *lines* of Python in colours; the one with the number *marked* stands out."""
    found = []
    for (number, _), text in zip(lines, _coloured(lines, marked)):
        found.append(element(
            "span", element("span", str(number), class_="number"), text, "\n",
            class_="line marked" if number == marked else "line"))
    return element("pre", element("code", found), class_="code")


def coloured(code: str) -> Markup:
    """Return one line of Python in colours."""
    return _in_colours([code])[0]


def _coloured(lines: Sequence[Tuple[int, str]], marked: int) -> List[Markup]:
    """The lines before the marked one are each read alone: a string may end there."""
    first = next((at for at, line in enumerate(lines) if line[0] == marked), 0)
    texts = [text for _, text in lines]
    return [_in_colours([text])[0] for text in texts[:first]] + _in_colours(texts[first:])


def _in_colours(lines: Sequence[str]) -> List[Markup]:
    spans: List[List[Tuple[int, int, str]]] = [[] for _ in lines]
    # Indented code begins with a token that must not be there.
    indents = [len(line) - len(line.lstrip()) for line in lines]
    source = "\n".join([line[indents[0]:] if at == 0 else line for at, line in enumerate(lines)])
    try:
        for token in _tokens(_StringIO(source + "\n").readline):
            style = _style(token)
            (row, begin), (last, end) = token.start, token.end
            for line in range(row, min(last, len(lines)) + 1) if style else ():
                shift = indents[0] if line == 1 else 0
                text = lines[line - 1]
                spans[line - 1].append((shift + (begin if line == row else 0),
                                        shift + end if line == last else len(text), style))
    except (SyntaxError, ValueError, tokenize.TokenError):
        pass        # a part of a statement; what was read so far has its colours
    return [_with_spans(line, found) for line, found in zip(lines, spans)]


_STRINGS = frozenset(getattr(tokenize, name) for name in (
    "STRING", "FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END",
    "TSTRING_START", "TSTRING_MIDDLE", "TSTRING_END") if hasattr(tokenize, name))


def _style(token: Any) -> str:
    """Return the class of a token: keyword, string, comment, number; "" for none."""
    if token.type in _STRINGS:
        return "s"
    if token.type == tokenize.COMMENT:
        return "c"
    if token.type == tokenize.NUMBER:
        return "n"
    return "k" if token.type == tokenize.NAME and iskeyword(token.string) else ""


def _with_spans(line: str, spans: Sequence[Tuple[int, int, str]]) -> Markup:
    parts: List[Any] = []
    at = 0
    for begin, end, style in spans:
        if at <= begin < end:
            parts += [line[at:begin], element("span", line[begin:end], class_=style)]
            at = end
    return joined(parts + [line[at:]])
