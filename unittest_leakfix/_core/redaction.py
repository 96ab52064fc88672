"""The one place that decides what may be shown of a text: no secret, nothing invisible, not too
much.

`redact` takes any text, `command` the words of a command line, `error` an exception, `statement`
SQL, `redact_id` the id of a test (and `redacted_source`, beside, lines of Python). They never
raise, take time in proportion to the text, and change nothing when they are applied twice.
`visible` and `cut` make a text fit for one line.

`secret_search` finds the secrets of a text, and `secret_patterns` has what they look like.
Python 2.7, and 3.6 and later.
"""
from __future__ import absolute_import

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.secret_patterns import HIDDEN, LOGINS, grade_of, is_secret, pattern
from unittest_leakfix._core.secret_search import without_forms, without_values

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
        text = _message(problem)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:   # its __str__ is the user's
        return _UNKNOWN
    try:
        for secret in secrets:
            if secret:
                text = text.replace(secret, HIDDEN)
        return cut(redact(text), LONGEST_ERROR)
    except Exception:
        return HIDDEN


def _message(problem):
    try:
        return _text_of(str(problem))
    except UnicodeError:        # Python 2.7: a message with an umlaut
        return type(u"")(problem).encode("utf-8")


def error(problem, *secrets):
    """Return "OperationalError: what it says" on one short line, as `text_of_error`."""
    try:
        # Drivers differ in where it stands among number, text and SQLSTATE.
        text = max([each for each in problem.args if isinstance(each, str)] or [str(problem)],
                   key=len)
        for secret in secrets:
            if secret:
                text = text.replace(secret, HIDDEN)
        text = line(text)
    except Exception:
        text = _UNKNOWN
    return ("%s: %s" % (type(problem).__name__, text)).rstrip(": ")


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


def statement_shape(text, dialect):
    """Return a `statement` up to its first string, with ``?`` for its numbers."""
    try:
        first = pattern(dialect).search(text)
        if first is not None:
            text = text[:first.start()] + HIDDEN
        return pattern("number").sub("?", text)
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
