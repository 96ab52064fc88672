"""What may be shown of a statement, a command line and an error: all but the secrets in them."""
from __future__ import annotations

import os.path
import re
from typing import Sequence

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks import hiding
from unittest_leakfix.leaks.secret import HIDDEN, redact

__unittest = True
bind(globals())

_WORDS = r"passw|passphrase|pwd|identified|secret|token|api_?key|credential|crypt|hmac|digest"
_SUSPECT = re.compile(_WORDS, re.I)
# Double quotes are a string in MySQL, where names have backticks, and a name in PostgreSQL.
_QUOTED = {"mysql": re.compile(r"'|\"|\b0x|\$\w*\$"), "postgresql": re.compile(r"'|\$(?:[^\W\d]\w*)?\$")}
_LITERAL = re.compile(r"'[^']*(?:'|$)|\"[^\"]*(?:\"|$)")
_LONGEST = 200


def statement(text: str, dialect: str) -> str:
    """Return an SQL statement on one line, at most 200 characters, without secrets.

    One that speaks of passwords, keys and the like is shown up to its first string only: where a
    string ends depends on settings of the session. `dialect` is "mysql" or "postgresql".
    """
    line = " ".join(text.split())
    if _SUSPECT.search(line):
        first = _QUOTED[dialect].search(line)
        if first is not None:
            line = line[:first.start()] + HIDDEN
    return line_of(line)


def command(arguments: Sequence[str]) -> str:
    """Return a command line as it may be shown, cut in the middle; of the program only its name.

    In an argument that is code or a shell's line, every string in quotes is hidden.
    """
    words = [line_of(os.path.basename(word)) for word in arguments[:1]]
    for word in map(line_of, arguments[1:]):
        if "(" in word or _SUSPECT.search(word) and " " in word:
            word = _LITERAL.sub(HIDDEN, word)
        words.append(word)
    return hiding.command(words)


def line_of(text: str) -> str:
    """Return any text of the server or a driver on one line, at most 200 characters, without secrets."""
    line = " ".join(text.split())
    line = redact(line)
    return line if len(line) <= _LONGEST else line[:_LONGEST - 3] + "..."


def error(problem: BaseException, *secrets: str) -> str:
    """Return "OperationalError: what it says"; `secrets` are taken out wherever they stand."""
    try:
        # Drivers differ in where it stands among number, text and SQLSTATE.
        said = max([each for each in problem.args if isinstance(each, str)] or [str(problem)], key=len)
    except Exception:
        said = "(its text cannot be had)"
    for secret in secrets:
        if secret:
            said = said.replace(secret, HIDDEN)
    return ("%s: %s" % (type(problem).__name__, line_of(said))).rstrip(": ")
