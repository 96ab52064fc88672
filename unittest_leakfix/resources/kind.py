"""Kind: what is known about one kind of resource; whether one is open.

Values are foreign: how they are looked at is `_core.introspection`'s.
"""
from __future__ import absolute_import

from unittest_leakfix._core.early import bind, late
from unittest_leakfix._core.introspection import MISSING, flag, on_type

__unittest = True
bind(globals())

redaction = late(globals(), "_core.redaction")     # what it imports is read for `errors`

_TEXT = type(u"")
_PASSING = (KeyboardInterrupt, SystemExit)


def open_by_flags(value, names=("open", "closed", "is_closed", "_closed")):
    """True or False as the first of the flags says, None when there is none."""
    for name in names:
        try:
            found = flag(value, name)
        except _PASSING:
            raise
        except BaseException:  # a property that raises says nothing
            continue
        if found is not None:
            return found if name == "open" else not found
    return None


def short_text(value, limit=60):
    """A str or bytes as one short line without secrets; "" for anything else."""
    if type(value) is bytes and bytes is not str:
        value = value.decode("utf-8", "replace")
    elif type(value) is not str:
        if type(value) is not _TEXT:  # Python 2.7's text type
            return ""
        value = value.encode("utf-8")
    value = redaction.visible(redaction.redact(value[:4096]).strip()[:2 * limit])
    return value if len(value) <= limit else value[:limit - 3] + "..."


class Kind(object):
    """One kind of resource.

    name: short noun. close, is_open, describe: callables taking the value;
    awaits: a truth, or a callable taking the value. ``open_by_flags`` and the
    bare name stand in for what is left out. opens_later: it opens something long after
    it was made, so that the line that made it says nothing. parts: a callable that
    returns what belongs to the value, and cannot be reached from it: objects, paths,
    addresses. ends: what the user calls to close it, the last one first: names of
    methods, of those of an attribute (".pool.close"), or of functions (with a dot), which take
    it; or a callable that returns them. closed_with: a callable that
    returns what closes it by being closed. client: it is one of `clients`, or the
    user's. threads: its own refer to it now and then.
    """

    __slots__ = ("name", "opens_later", "_close", "_is_open", "_describe", "_awaits", "_parts",
                 "_ends", "_closed_with", "client", "threads")

    def __init__(self, name, close, is_open=open_by_flags, describe=None, awaits=False,
                 opens_later=False, parts=None, ends=(), closed_with=None, client=False,
                 threads=False):
        self.name = name
        self.opens_later = opens_later
        self._parts = parts
        self._ends = ends
        self._closed_with = closed_with
        self.client = client
        self.threads = threads
        self._close = close
        self._is_open = is_open
        self._describe = describe
        self._awaits = awaits

    def __repr__(self):
        return "<Kind %s>" % self.name

    def is_open(self, value):
        """True, False, or None when that cannot be known. Never raises."""
        try:
            found = self._is_open(value)
        except _PASSING:
            raise
        except BaseException:
            return None
        return found if found is True or found is False else None

    def close(self, value):
        """End it as its type prescribes.

        Returns None, or an awaitable where ``awaits(value)``. Raises what the
        type's own close raises, CloseTimeout when it did not end in time.
        """
        result = self._close(value)
        if result is None:
            return None
        if on_type(type(result), "__await__") is MISSING and not self.awaits(value):
            return None
        return result

    def awaits(self, value):
        """True when closing must be awaited on an event loop. Never raises."""
        try:
            return bool(self._awaits(value) if callable(self._awaits) else self._awaits)
        except _PASSING:
            raise
        except BaseException:
            return False

    def ends(self, value):
        """Return the names of what the user calls to close it, the last one first. Never
        raises."""
        if callable(self._ends):
            return self._call(self._ends, value, tuple) or ()
        return self._ends

    def parts(self, value):
        """Return what belongs to it, beside what it refers to: a list. Never raises."""
        return self._call(self._parts, value, list) or []

    def closed_with(self, value):
        """Return what closes it when that is closed itself, or None. Never raises."""
        return self._call(self._closed_with, value, lambda found: found)

    @staticmethod
    def _call(ask, value, made):
        try:
            return None if ask is None else made(ask(value))
        except _PASSING:
            raise
        except BaseException:
            return None

    def describe(self, value):
        """One short line without secrets (str). Never raises."""
        try:
            found = self._describe(value) if self._describe is not None else None
        except _PASSING:
            raise
        except BaseException:
            found = None
        return short_text(found, 120) or self.name


def method(name):
    """A closer that calls the method ``name`` of the value."""
    def call(value):
        return getattr(value, name)()
    return call
