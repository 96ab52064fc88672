"""The secrets of a text, found and hidden: by their form, or by the name that stands before them.

`redaction` decides what a text is and what is shown of it; what a secret looks like stands in
`secret_patterns`. Python 2.7, and 3.6 and later.
"""
from __future__ import absolute_import

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.secret_patterns import (
    HIDDEN,
    WORD_CHARS,
    grade_of,
    looks_secret,
    pattern,
)

__unittest = True
bind(globals())

_NO_USERS = frozenset(["mailto", "email", "mail", "from", "to", "cc", "bcc", "sip", "sips", "xmpp",
                       "author", "npm", "pkg", "pypi", "github", "gem", "contact"])
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_CLOSING = ")]}>."


def without_forms(text, lower):
    """Hide what is known by its form: keys, logins in addresses, tokens."""
    if "-----" in text:
        text = _pem(text)
    if "@" in text:
        text = _logins(_urls(text) if "://" in text else text)
    if "sig" in lower or "x-amz" in lower:
        text = pattern("signed").sub(r"\1" + HIDDEN, text)
    if "hook" in lower or "api.telegram" in lower or "chat.googleapis" in lower:
        text = pattern("webhook").sub(r"\1" + HIDDEN, text)
    if "identified" in lower:
        text = pattern("identified").sub(r"\1" + HIDDEN, text)
    text = pattern("form").sub(HIDDEN, text)
    if "bearer" in lower or "basic" in lower:
        text = pattern("bearer").sub(_without_bearer, text)
    if "-" in text:
        text = pattern("login").sub(_without_login, text)
        text = pattern("client").sub(_without_short, text)
    return text


def _lines(text):
    # As many lines as before.
    return HIDDEN + ("\n" + HIDDEN) * text.count("\n")


def _pem(text):
    parts, at, begins = [], 0, 0
    while True:
        if begins is not None and (begins == 0 or begins.start() < at):
            begins = pattern("pem").search(text, at)
        ends = pattern("pem end").search(text, at)
        if ends is not None and (begins is None or ends.start() < begins.start()):
            # Its beginning was cut off.
            parts += [_lines(text[:ends.start()]) if at == 0 < ends.start()
                      else text[at:ends.start()], ends.group()]
            at = ends.end()
            continue
        if begins is None:
            return "".join(parts) + text[at:]
        end = ends.end() if ends is not None else len(text)
        parts += [text[at:begins.start()], _lines(text[begins.start():end])]
        at = end


def _urls(text):
    """Hide passwords in addresses, up to the last @ of the word: they may hold any character."""
    parts, done, at, end, sign = [], 0, 0, -1, -1
    while True:
        at = text.find("://", at)
        if at < 0:
            return "".join(parts) + text[done:]
        start = at + 3
        if start > end:
            end = pattern("word").match(text, start).end()
            sign = text.rfind("@", start, end)
        at = start
        user = pattern("authority").match(text, start, end).end()
        last = sign
        if text[user:user + 1] == ":" and user < end:
            if pattern("port").match(text, user + 1, end):
                continue
            if last < user:     # a quote in the password
                stop = min(user + 200, len(text))
                space = [each for each in (text.find(white, end, stop) for white in " \t\r\n")
                         if each >= 0]
                last = text.rfind("@", end, min(space + [stop]))
            if last > user:
                if text[user + 1:last] != HIDDEN:
                    parts += [text[done:user + 1], HIDDEN]
                    done = last
                at = last
        elif text[user:user + 1] == "@" and user < end and user > start:
            scheme = text[max(start - 13, 0):start - 3].lower()
            name = text[start:user]
            if name != HIDDEN and (scheme.endswith(("http", "https")) or "%3a" in name.lower()
                                   or len(name) >= 20 and looks_secret(name)):
                parts += [text[done:start], HIDDEN]
                done = user
            at = user


def _logins(text):
    """Hide the password of ``user:password@host`` without a scheme."""
    parts, done, at = [], 0, 0
    while True:
        sign = text.find("@", at)
        if sign < 0:
            return "".join(parts) + text[done:]
        end = pattern("login word").match(text, sign).end()
        low = max(at, sign - 200)
        if text.find(":", low, end) < 0:
            at = max(end, sign + 1)
            continue
        at = max(end, sign + 1)
        sign = text.rfind("@", sign, end)
        # The first colon of the word that the @ is in.
        word = pattern("login start").split(text[low:sign])[-1]
        user, colon, password = word.partition(":")
        if (not colon or not user or "/" in user or "\\" in word or not password or "/" in password
            or password == HIDDEN
                or password.startswith(":") or user.lower() in _NO_USERS or user.isdigit()
                and password.isdigit()
                or text.startswith(("sha256:", "sha512:"), sign + 1)):
            continue
        start = sign - len(password)
        parts += [text[done:start], HIDDEN]
        done = sign


def _without_bearer(match):
    strict, first, _, second, basic, login = match.groups()
    if first is not None and first.strip(".").lower() in ("token", "tokens", "auth",
                                                          "authentication",
                                                          "authorization", "scheme", "of", "is"):
        return match.group()
    if login is not None and not _is_login(login):
        return match.group()
    return match.group()[:-len(first or second or login)] + HIDDEN


def _is_login(word):
    """Tell whether base64 *word* says "user:password"."""
    number = bits = 0
    found = []
    for char in word[:400].rstrip("="):
        number = (number << 6 | _ALPHABET.index(char)) & 0xffffff
        bits += 6
        if bits >= 8:
            bits -= 8
            found.append(number >> bits & 255)
    return 58 in found and min(found) > 31


def _without_login(match):
    option, between, quote, user, password = match.groups()
    if user.isdigit() and password.isdigit():
        return match.group()
    return option + between + quote + user + ":" + HIDDEN


def _without_short(match):
    line = match.group()
    mysql = line.startswith(("mysql", "mariadb"))

    def hidden(found):
        option, between, value = found.groups()
        if value.startswith(HIDDEN):
            return found.group()
        if mysql and (between or option
                      == "-a") or not mysql and option == "-a" and not line.startswith("redis"):
            return found.group()        # mysql's -p takes no word of its own: that is a database
        return option + between + HIDDEN
    return pattern("short").sub(hidden, line)


def without_values(text):
    """Hide the values of what has the name of a secret: ``password=...``, ``"token": ...``,
    ``--secret ...``."""
    search, parts, done, at = pattern("key").search, [], 0, 0
    while True:
        match = search(text, at)
        if match is None:
            return "".join(parts) + text[done:] if parts else text
        ahead = text[max(at, match.start() - 80):match.start()]
        name = ahead[len(ahead.rstrip(WORD_CHARS)):] + match.group()
        before = match.start() - len(name) + len(match.group())
        at = match.end()
        found = None
        grade = grade_of(name)
        if grade:
            found = _value(text, at, before, name, grade)
        if found is not None:
            start, end, shown = found
            parts += [text[done:start], shown]
            done = at = end


def _value(text, at, before, name, grade):
    """Return start and end of the value of *name*, which ends at *at*, and what is shown of it."""
    if name.startswith("-"):
        if text.startswith(("\"", "'"), at) and pattern("comma").match(text, at):
            return _hidden(pattern("literal").match(text, pattern("comma").match(text, at).end()),
                           text)
        blank = pattern("option").match(text, at)
        if blank is not None:
            return _hidden(pattern("option value").match(text, blank.end()), text)
    separator = pattern("separator").match(text, at)
    if separator is None:
        comma = pattern("comma").match(text, at)
        if comma is not None and grade > 1 and _is_first(text, before):
            return _hidden(pattern("literal").match(text, comma.end()), text)
        blank = pattern("blank").match(text, at)
        if blank is not None and grade > 1:
            return _hidden(pattern("literal").match(text, blank.end()), text)
        return None
    start = separator.end()
    return _assigned(text, start, name, grade, ":" in separator.group())


def _is_first(text, before):
    """Tell whether the quoted name that begins at *before* is an argument that a value follows."""
    ahead = text[max(before - 24, 0):before]
    return pattern("opens").search(ahead.rstrip("'\"").rstrip("bBuUrR") or " ") is not None


def _hidden(match, text):
    if match is None or match.group().startswith(HIDDEN) or _inner(match.group()) in ("", HIDDEN):
        return None     # what begins so was hidden before
    return match.start(), match.end(), HIDDEN


def _inner(literal):
    """Return what is between the quotes."""
    return literal.lstrip(
        WORD_CHARS).strip("'\"") if literal.endswith(("'", '"')) else literal.strip("'\"")


def _assigned(text, start, name, grade, colon):
    """Return start and end of the value at *start*, and what is shown of it; None if it is none."""
    if text.startswith(HIDDEN, start) or start >= len(text):
        return None
    first = text[start]
    literal = pattern("literal").match(text, start)
    if literal is not None:
        return _hidden(literal,
                       text) if grade > 1 or looks_secret(_inner(literal.group())) else None
    if first == "\\":
        escaped = pattern("escaped").match(text, start)
        if escaped is not None:
            end = text.find(escaped.group(), escaped.end())
            end = len(text) if end < 0 else end + len(escaped.group())
            return (start, end, HIDDEN) if text[escaped.end():end] not in (escaped.group(),
                                                                           HIDDEN) else None
    if first in "([{":
        return _bracket(text, start) if grade > 1 or name.lower().endswith("auth") else None
    words = name.lower().strip("-")
    if colon and words.endswith(("authorization", "cookie")):
        match = pattern("digest").match(text, start) or pattern("header").match(text, start)
        if match is not None and not pattern("harmless").match(text, start):
            return start, start + len(match.group().rstrip(" " + _CLOSING)) or start + 1, HIDDEN
    if pattern("harmless").match(text, start):
        return None
    if colon and name.startswith("test_"):
        return None     # a function
    scheme = pattern("scheme").match(text, start)
    if scheme is not None and (grade > 1 or words.endswith("auth")):
        value = scheme.group()
    else:
        bare = pattern("bare").match(text, start)
        value = bare.group() if bare is not None else ""
        if pattern("call").match(value):        # SecretStr('...')
            literal = pattern("literal").match(text, start + len(value))
            if literal is not None and not grade_of(_inner(literal.group())):
                return _hidden(literal, text) if grade > 1 else None
            if not value.endswith("("):
                return None     # hidden before
        if (value.isdigit() and (words == "pass" or words.endswith("s")) or grade < 2
            and not looks_secret(value.rstrip(_CLOSING))
                or words == "pwd" and value.startswith("/")):
            return None
    end = start + len(value.rstrip(_CLOSING))
    return (start, end, HIDDEN) if end > start else None


def _bracket(text, start):
    """Hide the strings, but not the keys, of a list, tuple or dict that begins at *start*."""
    parts, at, depth, stop = [], start, 0, min(len(text), start + 4000)
    while True:
        match = pattern("bracket").search(text, at, stop)
        if match is None:
            break
        word = match.group()
        parts.append(text[at:match.start()])
        at = match.end()
        if word in "([{":
            depth += 1
        elif word in ")]}":
            depth -= 1
        elif _inner(word) and not text[at:at + 9].lstrip().startswith(":"):
            word = HIDDEN
        parts.append(word)
        if depth <= 0:
            break
    return (start, at, "".join(parts)) if at > start else None
