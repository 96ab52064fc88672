"""The one place that decides what may be shown of a text: no secret, nothing invisible, not too
much.

`redact` takes any text, `command` the words of a command line, `error` an exception, `statement`
SQL, `redact_id` the id of a test (and `redacted_source`, beside, lines of Python). They never
raise, take time in proportion to the text, and change nothing when they are applied twice.
`visible` and `cut` make a text fit for one line.

What a secret looks like stands in `secret_patterns`. Python 2.7, and 3.6 and later.
"""
from __future__ import absolute_import

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.secret_patterns import (
    HIDDEN,
    LOGINS,
    WORD_CHARS,
    grade_of,
    is_secret,
    looks_secret,
    pattern,
)

__unittest = True
bind(globals())

LONGEST = 300
"""The most characters of a name, a headline, a remedy that a person is shown."""
LONGEST_ERROR = 1000
"""The most characters of an error's text."""
_LONGEST_LINE = 200
_UNKNOWN = "(its text cannot be had)"
_TEXTS = (str, type(u""))

# A text without any of these, in lower case, has no secret that could be recognized.
_SIGNS = ("pass", "pwd", "secret", "token", "cred", "auth", "key", "cookie", "session", "://", "@",
          "bearer", "basic", "eyj", "jwt", "sid", "pat", "otp", "pem", "sk-", "k_live_", "k_test_",
          "gh", "glpat-", "xox", "xapp-", "aiza", "akia", "asia", "npm_", "pypi-", "hf_", "sg.",
          "hvs.", "ya29.", "dop_v1_", "shp", "begin", "end ", "-u", "-a", "-p", "--user", "sig",
          "csrf", "identified")

_NO_USERS = frozenset(["mailto", "email", "mail", "from", "to", "cc", "bcc", "sip", "sips", "xmpp",
                       "author", "npm", "pkg", "pypi", "github", "gem", "contact"])
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_CLOSING = ")]}>."

# Texts.

def redact(text, name=""):
    """Return *text* with what is secret replaced by ``***``.

    *name* is what the text is the value of, where that is known (an environment variable): the
    value of DB_PASSWORD is hidden whole.
    """
    try:
        if name and is_secret(name):
            return HIDDEN
        text = _text_of(text)
        lower = text.lower()
        for sign in _SIGNS:
            if sign in lower:
                break
        else:
            return text
        # What is hidden may show what is beside it in another light: until nothing changes any
        # more.
        for _ in range(6 if len(text) < 65536 else 1):
            before = text
            text = without_values(without_forms(text, lower))
            if text == before:
                break
            lower = text.lower()
        return text
    except Exception:   # such as MemoryError: then nothing of it is shown
        return HIDDEN


def shown(text, longest=60):
    """Return *text* as it may stand in a line: redacted first, then `cut`."""
    return cut(redact(text), longest)


def shortened(silence, longest=LONGEST):
    """Return what ``ignore`` takes, with ``*`` for its middle where it is long: it means the
    same."""
    if len(silence) <= longest:
        return silence
    return silence[:longest // 2] + "*" + silence[-longest // 2:]


def redact_id(test):
    """Return the id of a test: names of classes, functions and files stay; of its parameters, and
    of the scope behind a fixture's name, no secret is shown."""
    try:
        starts = [at for at in (test.find("["), test.find(" (")) if at >= 0]
        if not starts:
            return test
        at = min(starts) + (1 if test[min(starts)] == "[" else 2)
        end = len(test) - test.endswith(("]", ")"))      # no part of a value that ends there
        return test[:at] + redact(test[at:end]) + test[end:]
    except Exception:
        return HIDDEN


def _text_of(value):
    if type(value) in _TEXTS:
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    # A subclass may have code of its own.
    return str.__str__(value) if isinstance(value, str) else str(value)


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


# Command lines, errors, statements.

def command(arguments):
    """Return a command line, a list of words or one text, without secrets and on one line.

    In a word that is code or a shell's line, the strings in quotes are hidden.
    """
    try:
        if isinstance(arguments, _TEXTS) or isinstance(arguments, bytes):
            return visible(redact(arguments))
        if not isinstance(arguments, (list, tuple)):
            return ""
        words, before, program = [], "", ""
        for argument in list(arguments)[:40]:
            word = _text_of(argument) if isinstance(argument,
                                                    _TEXTS + (bytes,)) else _path(argument)
            program = program or word.rpartition("/")[2]
            words.append(visible(_word(word, before, program)))
            before = word
        return " ".join(words)
    except Exception:
        return HIDDEN


def _path(value):
    fspath = getattr(type(value), "__fspath__", None)
    return "?" if fspath is None else _text_of(fspath(value))


def _word(word, before, program):
    """Return one *word* of a command line, with the one *before* it."""
    if before in LOGINS and ":" in word and not word.startswith("-"):
        user, _, password = word.partition(":")
        if not (user.isdigit() and password.isdigit()) and "/" not in user:
            return "%s:%s" % (redact(user), HIDDEN)
    takes = before.startswith("-") and "=" not in before and grade_of(before) or (
        before in ("-p", "-a") and program.startswith(("sshpass", "mongo", "redis-cli")))
    if takes and not word.startswith("-"):
        return HIDDEN
    # mysql's -pSECRET looks like another program's -print, so all of it goes.
    if word.startswith("-p") and len(word) > 2 and not word[2:].isdigit():
        return "-p" + HIDDEN
    word = redact(word)
    if "(" in word or " " in word and pattern("sql").search(word):
        word = pattern("any literal").sub(HIDDEN, word)
    return word


def line(text, longest=_LONGEST_LINE):
    """Return any text on one line, of at most *longest* characters, without secrets."""
    try:
        text = " ".join(redact(text).split())
        return visible(text if len(text) <= longest else text[:longest - 3] + "...")
    except Exception:
        return HIDDEN


def text_of_error(problem, *secrets):
    """Return what the exception *problem* says, without secrets and on one line.

    *secrets* are taken out wherever they stand. For an exception whose text cannot be had, that.
    """
    try:
        said = _said(problem)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:   # its __str__ is the user's
        return _UNKNOWN
    try:
        for secret in secrets:
            if secret:
                said = said.replace(secret, HIDDEN)
        return cut(redact(said), LONGEST_ERROR)
    except Exception:
        return HIDDEN


def _said(problem):
    try:
        return _text_of(str(problem))
    except UnicodeError:        # Python 2.7: a message with an umlaut
        return type(u"")(problem).encode("utf-8")


def error(problem, *secrets):
    """Return "OperationalError: what it says" on one short line, as `text_of_error`."""
    try:
        # Drivers differ in where it stands among number, text and SQLSTATE.
        said = max([each for each in problem.args if isinstance(each, str)] or [str(problem)],
                   key=len)
        for secret in secrets:
            if secret:
                said = said.replace(secret, HIDDEN)
        said = line(said)
    except Exception:
        said = _UNKNOWN
    return ("%s: %s" % (type(problem).__name__, said)).rstrip(": ")


def statement(text, dialect):
    """Return an SQL statement on one line, at most 200 characters, without secrets.

    One that speaks of passwords, keys and the like is shown up to its first string only: where a
    string ends depends on settings of the session. *dialect* is "mysql" or "postgresql".
    """
    try:
        text = " ".join(text.split())
        if pattern("sql").search(text):
            first = pattern(dialect).search(text)
            if first is not None:
                text = text[:first.start()] + HIDDEN
        return line(text)
    except Exception:
        return HIDDEN


# What can be seen, and how much of it.

_printable = getattr(str, "isprintable", None)
if _printable is None:
    # Python 2.7 loads these with their first use (re's is array), which may find no descriptor
    # left.
    import array  # noqa: F401
    for _codec in ("utf-8", "ascii", "unicode_escape"):
        b"".decode(_codec)


def visible(text):
    """Return *text* with each character that is invisible, or would reorder the line, as an escape
    such as ``\\u202e``.

    On one line: line breaks are characters of that kind.
    """
    if _printable is not None:
        if _printable(text):
            return text
        return "".join(char if _printable(char) else _escaped(char) for char in text)
    # Python 2.7: bytes, mostly UTF-8.
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    shown = pattern("unseen").sub(lambda match: _escaped(match.group()).decode("ascii"), decoded)
    return shown.encode("utf-8") if isinstance(text, bytes) else shown


def _escaped(char):
    code = char.encode("unicode_escape")
    return code if str is bytes else code.decode("ascii")


def cut(text, longest=60):
    """Return *text* on one line and visible, its middle left out where it is longer than
    *longest*."""
    if len(text) > 4 * longest:     # not all of a million characters
        text = text[:longest] + text[
            -longest:] if len(text) < longest else text[:2 * longest] + text[-2 * longest:]
    text = visible(text)
    if len(text) <= longest:
        return text
    head = (longest - 3) // 2
    text = text[:head] + "..." + text[-(longest - 3 - head):]
    if str is bytes and isinstance(text, bytes):
        return text.decode("utf-8", "ignore").encode("utf-8")   # no half of a character
    return text
