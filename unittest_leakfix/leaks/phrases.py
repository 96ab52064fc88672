"""The words that all leaks share: nouns, verbs, what `ignore` takes, and names without what varies."""
from __future__ import annotations

import re
import sys
from typing import Any, Match, Optional

from unittest_leakfix._core.early import bind
from unittest_leakfix._core import redaction
from unittest_leakfix.kind import Kind

from . import descriptors, identity
from .acquisitions import Acquisition
from .frames import short

__unittest = True
bind(globals())

# The kinds of resources.py, by the nouns of the report.
_NOUNS = {
    "sqlite3 connection": "connection", "database connection": "connection",
    "sqlite3 cursor": "connection", "cursor": "connection", "sqlite3 blob": "connection",
    "dbm database": "file", "shelf": "file", "memory map": "file", "tar archive": "file",
    "zip archive": "file", "thread pool": "executor", "process pool": "pool",
    "process manager": "child process", "thread timer": "timer", "mock patch": "patch",
    "asyncio runner": "event loop", "asyncio server": "socket", "server": "socket",
    "imap connection": "socket", "http response": "socket", "response": "socket",
    "process pipe": "descriptor", "process queue": "descriptor", "selector": "descriptor",
    "process listener": "socket", "stream": "socket", "async generator": "generator",
}
_STATES = {"child process": "was left running", "executor": "was not shut down",
           "pool": "was not terminated", "thread": "was left running",
           "timer": "was left waiting", "task": "was left pending", "patch": "was not stopped",
           "temporary folder": "was left", "generator": "was not closed"}
_VARIES = re.compile(
    r"(\d{1,3}(?:\.\d{1,3}){3})(:\d+)?"         # an address keeps its host, loses its port
    r"|\[[^\]\[]*\]|0x[0-9a-fA-F]+|(?<![A-Za-z\d])\d+")
_TEMPORARY = re.compile(r"(?:/private)?(?:/var/folders/\S+?/T|/tmp|/var/tmp)/[^\s'\"]+")


def noun(kind: str) -> str:
    """Return the report's noun for a kind of resource."""
    return _NOUNS.get(kind, kind)


def state(kind: str) -> str:
    """Return in which state a resource of this noun was found: "was left open"."""
    return _STATES.get(kind, "was left open")


def silence(kind: str, name: str) -> str:
    """Return what ``ignore`` takes for a leak: 'thread="mailer-1"'."""
    return '%s="%s"' % (re.sub(r"\W+", "_", kind), steady(name).replace('"', "'"))


def steady(text: str) -> str:
    """Return `text` without what differs from run to run: keys, numbers, ports, temporary paths."""
    text = _TEMPORARY.sub("*", redaction.redact(text))    # first: of a secret without its numbers little is seen
    folder = getattr(identity.loaded("tempfile"), "tempdir", None)
    if type(folder) is str and folder in text:
        text = re.sub(re.escape(folder) + r"/[^\s'\"]+", "*", text)
    return _VARIES.sub(_steady, text)


def _steady(match: Match[str]) -> str:
    if match.group(1):
        return match.group(1) + (":*" if match.group(2) else "")
    return "[*]" if match.group().startswith("[") else "*"


def place_of(acquisition: Optional[Acquisition]) -> str:
    """Return the file and function that opened something, for a cause."""
    if acquisition is None or not acquisition.frames:
        return "?"
    return "%s:%s" % (acquisition.frames[0].file, acquisition.frames[0].function)


def spoken(kind: Kind, value: Any, acquisition: Optional[Acquisition]) -> str:
    """Return what an open resource is called: "file 'shop/orders.csv'", "socket listening on ..."."""
    word = noun(kind.name)
    if kind.name == "file" and acquisition is not None and acquisition.detail:
        return "file '%s'" % short(acquisition.detail)
    if word == "socket" and identity.socket_descriptor(value) >= 0:
        return socket(value)
    if word == "child process" and acquisition is not None and acquisition.detail:
        return "child process '%s'" % command(acquisition.detail)
    if word == "temporary folder" and acquisition is not None and acquisition.detail:
        return "temporary folder '%s'" % acquisition.detail
    if acquisition is not None and acquisition.what == "database connection" and word == "connection" and not (
            kind.name == "cursor"):
        return acquisition.detail   # as the framework that opened it calls it
    if word == "executor" and kind.name != "thread pool":
        prefix = identity.attributes(value).get("_thread_name_prefix", "")
        named = type(prefix) is str and not prefix.startswith("ThreadPoolExecutor-")
        return type(value).__name__ + (" '%s'" % prefix if prefix and named else "")
    return redaction.redact(kind.describe(value))


def command(line: str) -> str:
    """Return a command line with "python" for the path of this interpreter."""
    for path in (sys.executable, short(sys.executable)):
        if path and line.startswith(path):
            return "python" + line[len(path):]
    return short(line)


def socket(value: Any) -> str:
    """Return "socket listening on 127.0.0.1:80", "socket 127.0.0.1:5000 -> 127.0.0.1:80"."""
    ends = descriptors._ends(identity.socket_descriptor(value))
    module: Any = sys.modules["_socket"]
    try:
        listens = module.socket.getsockopt(value, module.SOL_SOCKET, module.SO_ACCEPTCONN)
    except (OSError, AttributeError):  # macOS does not tell
        listens = False
    if not ends.strip(" >-"):
        return "socket"
    return ("socket listening on %s" if listens else "socket %s") % ends
