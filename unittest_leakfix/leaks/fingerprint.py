"""Fingerprints: the texts by which a cause is known again in the next run and in another worker.

They have no addresses, counts, ports, random names and temporary paths. A line of code is known by
its text, and by the class and function around it, since its number changes with each edit above.
"""

from __future__ import annotations

import io
import os
import re
import sys
from tokenize import detect_encoding
from typing import TYPE_CHECKING, Any, Dict, List, Match, Optional, Tuple

from unittest_leakfix._core import redacted_source, redaction
from unittest_leakfix._core.code_origin import START
from unittest_leakfix._core.early import bind
from unittest_leakfix.tracing import os_facts
from unittest_leakfix.tracing.stacks import Frame

if TYPE_CHECKING:
    from unittest_leakfix.tracing.acquisitions import Acquisition

__unittest = True
bind(globals())

_open, _stat, _isfile = io.open, os.stat, os.path.isfile
_join, _isabs, _basename = os.path.join, os.path.isabs, os.path.basename

_TEMPORARY = re.compile(r"(?:/private)?(?:/var/folders/\S+?/T|/tmp|/var/tmp)/[^\s'\"]+")
# What uuid, secrets and tempfile make names of: in hexadecimal, or of eight characters behind
# "tmp".
_RANDOM = re.compile(
    r"(?<![A-Za-z0-9])(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|tmp[a-z0-9_]{8}|(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,}"
    r"|(?=[0-9]*[A-F])(?=[A-F]*[0-9])[0-9A-F]{8,})(?![A-Za-z0-9])")
_ADDRESS = r"(\d{1,3}(?:\.\d{1,3}){3})(:\d+)?"      # keeps its host, loses its port
_VARIES = re.compile(_ADDRESS + r"|\[[^\]\[]*\]|0x[0-9a-fA-F]+|(?<![A-Za-z\d])\d+")
_COUNTED = re.compile(_ADDRESS + r"|(?<![A-Za-z0-9\\])(?:([A-Za-z]+)\d+(?![A-Za-z0-9])"
                      r"|(?=[A-Za-z]*\d)[A-Za-z0-9]+)")


def steady(text: str) -> str:
    """Return `text` without what differs from run to run: keys, numbers, ports, random names,
    temporary paths."""
    # first: of a secret without its numbers little is seen
    text = _TEMPORARY.sub("*", redaction.redact(text))
    folder = getattr(os_facts.loaded("tempfile"), "tempdir", None)
    if type(folder) is str and folder in text:
        text = re.sub(re.escape(folder) + r"/[^\s'\"]+", "*", text)
    return _VARIES.sub(_steady, _RANDOM.sub("*", text))


def _steady(match: Match[str]) -> str:
    if match.group(1):
        return match.group(1) + (":*" if match.group(2) else "")
    return "[*]" if match.group().startswith("[") else "*"


def without_counters(name: str) -> str:
    """Return what was named while the tests ran, a thread or a file: `steady`, and "worker*" for
    "worker3"."""
    return _COUNTED.sub(_counted, steady(name))


def _counted(match: Match[str]) -> str:
    return match.group(1) or (match.group(3) or "") + "*"


def without_random(name: str) -> str:
    """Return a name of the user's own, in which a number says something: "HTTP2_PROXY"."""
    return _RANDOM.sub("*", name)


# Lines of code.

_OWNER = re.compile(r"([ \t]*)(?:class|def|async[ \t]+def)[ \t]+(\w+)")
_LONGEST_CODE = 120
_MOST_PLACES = 1000
_places: Dict[Tuple[object, ...], str] = {}


def place_of(acquisition: Optional[Acquisition]) -> str:
    """Return where something was opened, as `place` does; "?" where that is not known."""
    return place(acquisition.frames[0]) if acquisition is not None and acquisition.frames else "?"


def place(frame: Frame) -> str:
    """Return where *frame* is: "tests/test_orders.py:OrderTests.setUp by `self.db = connect()`".

    A file that cannot be read is known by its name and the function.
    """
    path = frame.file if _isabs(frame.file) else START + frame.file
    try:
        stat = _stat(path)
    except (OSError, ValueError):
        return "%s:%s" % (_file(frame.file), frame.function)
    key = path, frame.line, frame.function, stat.st_mtime_ns, stat.st_size
    found = _places.get(key)
    if found is None:
        lines = _lines(path)
        if not 0 < frame.line <= len(lines):    # or no descriptor is left: the next time, perhaps
            return "%s:%s" % (_file(frame.file), frame.function)
        if len(_places) >= _MOST_PLACES:
            _places.clear()
        found = _places[key] = _place(frame, lines)
    return found


def _place(frame: Frame, lines: List[str]) -> str:
    at = frame.line - 1
    owners, first = _owners(lines, at)
    # Before 3.12 comprehensions have frames of their own.
    if frame.function not in owners[-1:] and not frame.function.startswith("<"):
        owners.append(frame.function)
    text = lines[at].strip()
    # Of equal lines in one function, which one.
    number = 1 + sum(1 for line in lines[first:at] if line.strip() == text)
    code = redacted_source.redact_code(text)[:_LONGEST_CODE].replace("`", "'")
    return "%s:%s by `%s`%s" % (_file(frame.file), ".".join(owners) or frame.function, code,
                                " (%d)" % number if number > 1 else "")


def _owners(lines: List[str], at: int) -> Tuple[List[str], int]:
    """Return the names of the classes and functions around a line, the outermost first, and where
    the innermost begins."""
    names: List[str] = []
    first = 0
    indent = len(lines[at]) - len(lines[at].lstrip())
    for number in range(at - 1, -1, -1):
        if not indent:
            break
        match = _OWNER.match(lines[number])
        if match is not None and len(match.group(1)) < indent:
            indent = len(match.group(1))
            first = first if names else number
            names.insert(0, match.group(2))
    return names, first


def _lines(path: str) -> List[str]:
    try:
        if not _isfile(path):   # a pipe would be waited for
            return []
        with _open(path, "rb") as source:
            encoding, taken = detect_encoding(source.readline)
            return b"".join([*taken, source.read()]).decode(encoding, "replace").splitlines()
    except (OSError, ValueError, SyntaxError, LookupError):
        return []


def _file(name: str) -> str:
    """Return the name of a file as it is imported, wherever the project stands."""
    if not _isabs(name):
        return steady(name) if name.startswith("<") else name
    entries: List[Any] = [entry for entry in list(sys.path) if type(entry) is str
                          and len(entry) > 1 and name.startswith(entry.rstrip(os.sep) + os.sep)]
    if entries:
        return name[len(max(entries, key=len).rstrip(os.sep)) + 1:]
    return re.sub(r"\*\Z", "*" + os.sep + _basename(name), steady(name))
