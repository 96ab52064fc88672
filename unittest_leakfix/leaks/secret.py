"""Which parts of a text are secret: hidden before anything is shown. There is no other place for it."""
from __future__ import annotations

import re

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

HIDDEN = "***"

_PARTS = (r"passw(?:or)?d|passphrase|passcode|secret|token|credential|(?:api|access|private|signing|encryption"
          r"|ssh)[_-]?key")
# These stand in harmless words too: compass, monkey.
_WORDS = r"(?<![a-z])(?:pass|pwd|%sauthorization)(?![a-z])"
# No name is longer; without a limit a long text without spaces takes seconds.
_IN_CODE = r"(?i:(?:%s|%s)[\w-]{0,80})" % (_PARTS, _WORDS % "")
_IN_TEXT = r"(?i:(?:%s|%s)[\w-]{0,80})" % (_PARTS, _WORDS % "key|")
# {'password': ...}, env["DB_PASSWORD"] = ..., password=..., "password" => ...
_SET = r"\\?[\"']?\]?\s*(?:=+>?|:=?)\s*"
# Doubled and escaped quotes are part of it; cut short, it goes to the end of the line.
_LITERAL = r"\\?[a-zA-Z]{0,2}(?:(?:'(?:[^'\\]|\\.)*(?:'|\\?$))+|(?:\"(?:[^\"\\]|\\.)*(?:\"|\\?$))+)"
_CODE = re.compile("(%s%s)%s" % (_IN_CODE, _SET, _LITERAL), re.M)
_TEXT = re.compile(r"(%s%s)(?:\*\*\*|%s|(?i:bearer|basic)\s+\S+|[^\s&;,'\"]+)" % (_IN_TEXT, _SET, _LITERAL), re.M)
_OPTION = re.compile(r"((?<![\w-])--[\w-]{0,80}?%s\s+)(?:%s|[^\s-]\S*)" % (_IN_TEXT, _LITERAL), re.M)
# To the last @ of the word: a password may hold any character that its writer did not encode.
_URL = re.compile(r"(://[^\s:/@]*):\S*@")
_NAME = re.compile(_PARTS + "|passw|key|pwd|" + _WORDS % "", re.I)
_WORKING_DIRECTORY = re.compile(r"(?<![A-Za-z_])(?:OLD)?PWD(?![A-Za-z_])")


def is_secret(name: str) -> bool:
    """Tell whether the value of what is called *name*, a variable or an option, is to be hidden."""
    return bool(_NAME.search(_WORKING_DIRECTORY.sub("", name)))


def redact(text: str, name: str = "") -> str:
    """Return ``text`` with passwords and the like replaced by ``***``.

    Knows URLs (``scheme://user:password@host``), ``password=...`` and ``"token": ...`` in connection
    strings, dicts and command lines. ``name`` is what the text is the value of, if that is known (an
    environment variable): the value of DB_PASSWORD is hidden whole. Doing it twice changes nothing.
    """
    if name and is_secret(name):
        return HIDDEN
    text = _OPTION.sub(r"\1" + HIDDEN, _URL.sub(r"\1:%s@" % HIDDEN, text))
    return _TEXT.sub(r"\1" + HIDDEN, text)


def redact_code(line: str) -> str:
    """Return a line of source with secret literals hidden; names and calls stay (``password=self.key``)."""
    return _CODE.sub(r'\1"%s"' % HIDDEN, _URL.sub(r"\1:%s@" % HIDDEN, line))
