"""Rules that make leaks known, as they stand in a file or in the configuration, each with its
reason.

One rule a line::

    # Lines that begin like this one, and empty ones, say nothing.
    thread="mailer-*"  # lives as long as the process
    connection="db@*", test="tests.test_shop.*"  # issue 14

The kind, with ``_`` for a space; the name, or a pattern with ``*`` and ``?``; if wanted, a pattern
for the ids of the tests that it is meant for; the reason after ``#``. It is what ``ignore`` takes,
and is read by these few lines: nothing of it is ever run.
"""
from __future__ import annotations

import difflib
import io
import re
from collections import Counter
from typing import Any, Iterable, List, Optional, Sequence, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.code_origin import START
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.kinds import KINDS
from unittest_leakfix.leaks.model.leak import Ignored, Known, RuleUse, quoted
from unittest_leakfix.options import Options

__unittest = True
bind(globals())

_open = io.open

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_QUOTED = re.compile(r"""\"((?:[^"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'""")
_ESCAPED = re.compile(r"""\\(["'\\])""")
_SPACE = re.compile(r"[ \t]*")


class RuleError(ValueError):
    """A rule that makes no sense. ``column``: where, from 1 on."""

    def __init__(self, column: int, reason: str) -> None:
        super().__init__(reason)
        self.column = column


class _Reader:
    """Reads one rule from the left to the right."""

    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0

    def fail(self, reason: str, place: Optional[int] = None) -> RuleError:
        return RuleError((self.place if place is None else place) + 1, reason)

    def blank(self) -> None:
        match = _SPACE.match(self.text, self.place)
        self.place = match.end() if match is not None else self.place

    def take(self, text: str) -> bool:
        """Tell whether *text* is next, and go past it and the blanks after it."""
        if not self.text.startswith(text, self.place):
            return False
        self.place += len(text)
        self.blank()
        return True

    def pair(self) -> Tuple[str, str, int]:
        """Return a name and the text that is given for it, and where the name begins."""
        begin = self.place
        match = _NAME.match(self.text, begin)
        if match is None:
            raise self.fail('a kind must be given, as in thread="mailer-*"')
        self.place = match.end()
        self.blank()
        if not self.take("="):
            raise self.fail("an equals sign must follow %s" % match.group())
        quoted = _QUOTED.match(self.text, self.place)
        if quoted is None:
            raise self.fail("a name in quotes must follow %s=" % match.group())
        self.place = quoted.end()
        self.blank()
        value = quoted.group(1) if quoted.group(1) is not None else quoted.group(2)
        return match.group(), _ESCAPED.sub(r"\1", value), begin


def read_rule(text: str, where: str = "") -> Ignored:
    """Return the rule that stands in one line. Raises `RuleError`."""
    reader = _Reader(text)
    reader.blank()
    kind, pattern, begin = reader.pair()
    test = "*"
    if kind == "test":
        raise reader.fail("the kind comes first, and test after it", begin)
    while reader.place < len(text) and not text.startswith("#", reader.place):
        reader.take(",")
        name, value, begin = reader.pair()
        if name != "test":
            raise reader.fail("a rule has one kind: give %s a line of its own" % name, begin)
        test = value
    reason = text[reader.place:].lstrip("#").strip()
    if not reason:
        raise reader.fail("the reason is missing: # and what a colleague understands in a year")
    return Ignored(kind, pattern, test, reason, where)


def _of_table(table: Any, where: str) -> Ignored:
    """Return the rule that a table of TOML says: {thread = "mailer-*", reason = "..."}."""
    given = dict(table)
    reason, test = given.pop("reason", ""), given.pop("test", "*")
    if not all(isinstance(each, str) for each in (reason, test, *given.values())):
        raise ValueError("all that a rule says is text")
    if len(given) != 1:
        raise ValueError('a rule has one kind, as in {thread = "mailer-*", reason = "..."}')
    if not reason.strip():
        raise ValueError("the reason is missing: reason = what a colleague understands in a year")
    (kind, pattern), = given.items()
    return Ignored(kind, pattern, test, reason, where)


def rules_of(options: Options) -> Tuple[Ignored, ...]:
    """Return the rules of the configuration, and those of the file of ``--leaks-suppressions``.

    Raises ValueError, whose text names the file, the line and the column.
    """
    found: List[Ignored] = []
    for rule, where in options.suppressions or ():
        try:
            found.append(read_rule(rule, where) if isinstance(rule, str)
                         else _of_table(rule, where))
        except RuleError as error:
            raise ValueError("%s: column %d of %s: %s" % (
                where, error.column, redaction.line(rule), error)) from None
        except (TypeError, ValueError) as error:
            raise ValueError("%s: %s" % (where, error)) from None
    if options.leaks_suppressions:
        found += _of_file(options.leaks_suppressions)
    return tuple(found)


def _of_file(path: str) -> List[Ignored]:
    name = path[len(START):] if path.startswith(START) else path
    try:
        with _open(path, encoding="utf-8-sig") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise ValueError("--leaks-suppressions: %s cannot be read: %s"
                         % (name, error.strerror or error)) from None
    except UnicodeError as error:
        raise ValueError("--leaks-suppressions: %s is not UTF-8: %s" % (name, error)) from None
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                found.append(read_rule(line, "%s:%d" % (name, number)))
            except RuleError as error:
                raise ValueError("%s:%d:%d: %s" % (name, number, error.column, error)) from None
    return found


# As text.

def rule_text(rule: Ignored) -> str:
    """Return a rule as it is written."""
    text = "%s=%s" % (rule.kind, quoted(rule.pattern))
    if rule.test != "*":
        text += ", test=%s" % quoted(rule.test)
    return "%s  # %s" % (text, rule.reason)


def uses(rules: Iterable[Ignored], known: Iterable[Known]) -> Tuple[RuleUse, ...]:
    """Return the *rules* with how many of the *known* leaks each has made so."""
    counts = Counter((item.where, item.reason) for item in known)
    return tuple(RuleUse(rule_text(rule), rule.where, counts[rule.where, rule.reason],
                         "" if counts[rule.where, rule.reason] else odd_kind(rule.kind))
                 for rule in rules)


def odd_kind(kind: str) -> str:
    """Return what a kind that the report does not have was perhaps meant to be; "" for those it
    has."""
    kinds = [re.sub(r"\W+", "_", name) for name in KINDS]
    near: Sequence[str] = () if kind in kinds else difflib.get_close_matches(kind, kinds, 1)
    return near[0] if near else ""

