"""Python source without its secret literals; names and calls stay. `secret_search` finds
them.

Python 2.7, and 3.6 and later.
"""
from __future__ import absolute_import

import re

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.secret_patterns import (
    HIDDEN,
    LOGINS,
    PATTERNS,
    QUOTED,
    WORD_CHARS,
    grade_of,
    looks_secret,
    pattern,
)
from unittest_leakfix._core.secret_search import without_forms, without_values

__unittest = True
bind(globals())

# Functions that take the name of a secret, or where it is; not the secret.
_GETTERS = frozenset(["get", "getenv", "load", "read", "fetch", "find", "make", "create", "test",
                      "ask", "new",
                      "is", "has", "open", "getpass", "input", "pop", "config", "env", "environ",
                      "path", "lookup"])
_IN_LINE = tuple(part.replace(r"[^%s\\]" % quote, r"[^%s\\\n]" % quote).replace(r"\Z", "$")
                 for part, quote in zip(QUOTED, "'\""))
_TRIPLE = r"'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*(?:'''|\Z)"
PATTERNS.update({
    "token": (r"[a-zA-Z]{0,2}(?:%s|%s|%s|%s)|\#[^\n]*"
              % ((_TRIPLE, _TRIPLE.replace("'", '"')) + _IN_LINE),
              re.S | re.M),
    "assigned": (r"([A-Za-z_][\w-]{0,80})\s{0,40}(?::\s{0,9}[A-Za-z][\w.\[\], "
                 r"|]{0,60})?(?:=+>?|!=|:=|:)[\s\\]{0,40}"
                 r"(?:([A-Za-z_][\w.]{0,80})?(\(|\[)[\s(\[]{0,40})?\Z", 0),
    "called": (r"([A-Za-z_]\w{0,80})\(\s{0,40}\Z", 0),
    "after literal": (r"\s{0,40}\]?\s{0,40}(:|=>|!=|=+|:=|,)[\s\\]{0,40}[(\[]?\s{0,40}\Z", 0),
    "joined": (r"[\s\\+]*\Z|\s{1,40}(?:or|if\s[^,\n]{1,80}\selse)\s{1,40}\Z", 0),
    "compared": (r"\bassert\w*\((?:[\w.]{1,80}\.)?([A-Za-z_]\w{0,80})\s{0,9},\s{0,40}\Z", 0),
    "default": (r",[^'\"]{0,200}\bdefault\s{0,9}=\s{0,9}\Z", 0),
    "login call": (r"(?i)(?:login|authenticate|basic_?auth)\(\s{0,40}\Z", 0),
    "in brackets": (r"[\s\\+,]*\Z", 0),
    "pending": (r"([A-Za-z_][\w-]{0,80})\\*[\"']?\s{0,9}[=:]\s{0,9}\Z", 0),
    "name": (r"-{0,2}[\w-]{1,80}\Z", 0),
    "base64 line": (r"(?m)^[A-Za-z0-9+/]{60,76}={0,2}(?=\\n|[\"']|\r?$)", 0),
})


def redact_code(line):
    """Return a line of Python source with secret literals hidden; names and calls stay
    (``password=self.key``)."""
    return redact_lines([line])[0]


def redact_lines(lines):
    """Return lines of Python source that follow one another, as many, with secret literals
    hidden."""
    try:
        text = "\n".join(lines)
        shown = _code(pattern("base64 line").sub(HIDDEN,
                                                 without_forms(text, text.lower()))).split("\n")
        return shown if len(shown) == len(lines) else [HIDDEN] * len(lines)
    except Exception:
        return [HIDDEN] * len(lines)


def _code(text):
    parts, at = [], 0
    last, ahead, mode, seen = None, "", "", ""
    for match in pattern("token").finditer(text):
        between, token = text[at:match.start()], match.group()
        parts.append(between)
        at = match.end()
        if token.startswith("#"):
            parts.append(without_values(token))
            continue
        prefix = len(token) - len(token.lstrip(WORD_CHARS))
        quote = token[prefix:prefix + 3] if token[prefix:prefix + 3] in ("'''",
                                                                         '"""') else token[prefix]
        closed = token.endswith(quote) and len(token) >= prefix + 2 * len(quote)
        inner = token[prefix + len(quote):len(token) - len(quote) if closed else len(token)]
        mode = _mode(between, last, ahead, inner, mode)
        if mode == "login":
            user, colon, password = inner.partition(":")
            shown = user + colon + (HIDDEN if password else "")
            parts.append(token[:prefix] + quote + shown + (quote if closed else ""))
        elif mode and inner.strip() and inner != HIDDEN:
            parts.append('"%s"' % HIDDEN + "\n" * token.count("\n"))
        elif inner.startswith("-p") and len(inner) > 2 and seen.startswith(("mysql", "mariadb")):
            parts.append(token[:prefix] + quote + "-p" + HIDDEN + (quote if closed else ""))
        else:
            parts.append(token[:prefix] + quote + without_values(inner) + (quote if closed else ""))
        seen = seen if seen.startswith(("mysql", "mariadb")) else inner
        last, ahead = inner, between
    parts.append(text[at:])
    return "".join(parts)


def _mode(between, last, ahead, inner, mode):
    """Return "" for a literal that may be shown; else what is true of those that follow as well."""
    if mode == "bracket" and pattern("in brackets").match(between) or (
            mode == "joined" and pattern("joined").match(between)):
        return mode
    tail = between[-300:]
    found = pattern("assigned").search(tail)
    if found is not None:
        name, call, bracket = found.groups()
        grade = grade_of(name)
        if grade > 1 or grade and (looks_secret(inner) or bracket == "("
                                   and name.lower().endswith("auth")):
            getter = call is not None and not _GETTERS.isdisjoint(re.split(r"[._]", call.lower()))
            if call is not None and (getter or bracket == "[" or grade_of(inner)):
                return ""
            return "bracket" if bracket and call is None else "joined"
    if last is None:
        found = None
    else:
        found = pattern("after literal").match(between)
    if found is not None:
        comma = found.group(1) == ","
        if comma and last in LOGINS and ":" in inner:
            return "login"
        if comma and pattern("login call").search(ahead[-60:]):
            return "joined"
        if pattern("name").match(last):
            grade = grade_of(last)
            if grade and (not comma or last.startswith("-")
                          or pattern("opens").search(ahead[-60:])) and (
                    grade > 1 or looks_secret(inner) or last.startswith("-")):
                return "joined"
    if last is not None and pattern("joined").match(between):
        found = pattern("pending").search(last[-120:])
        if found is not None and grade_of(found.group(1)) > 1:
            return "joined"
    if last is not None and last.startswith("-") and grade_of(last) and pattern("default").match(
            between):
        return "joined"
    found = pattern("compared").search(tail)
    if found is not None and grade_of(found.group(1)) > 1:
        return "joined"
    found = pattern("called").search(tail)
    if found is not None and grade_of(found.group(1)) > 1:
        words = [word.lower() for word in pattern("name words").findall(found.group(1))]
        if words[0] not in _GETTERS and not grade_of(inner):
            return "joined"
    return ""
