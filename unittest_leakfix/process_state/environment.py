"""Environment, working directory, import path. Kinds: "environment", "working directory",
"sys.path"."""
from __future__ import annotations

import os
import sys
import time
from typing import Any, Dict, List, MutableMapping, Optional, Tuple

from unittest_leakfix._core import errors, redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.process_state.base import (
    Change,
    FoundChange,
    Monitor,
    Undo,
    includes,
    merged,
    same_entries,
)
from unittest_leakfix.tracing import os_facts, sources, value_text
from unittest_leakfix.tracing.acquisitions import Acquisitions

__unittest = True
bind(globals())
_fsdecode, _fsencode = os.fsdecode, os.fsencode
_tzset = getattr(time, "tzset", None)

_Environ: Any = type(os.environ)


class Environment(Monitor):
    """Watches `os.environ`: variables added, changed and removed, and the mapping itself."""

    #: Variables by which a runner tells where it is.
    runners = frozenset(["PYTEST_CURRENT_TEST"])

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        self._acquisitions = acquisitions
        self._seen = -1
        self._mapping: Any = os.environ
        self._data: Any = {}  # the mapping's own dictionary, the same one all its life
        self._base: Dict[Any, Any] = {}

    def take(self) -> None:
        self._mapping = os.environ
        self._data = _data(os.environ)
        self._base = dict(self._data)
        self._seen = -1
        if (sources.COMPLETE and self._acquisitions is not None and self._acquisitions.listening
                and type(os.environ) is _Environ):
            self._seen = self._acquisitions.environment

    def same(self) -> bool:
        if self._acquisitions is not None and self._seen == self._acquisitions.environment:
            # No putenv was heard; what was done behind the mapping's back, `changes` sees.
            return os.environ is self._mapping
        return self.exactly()

    def exactly(self) -> bool:
        return os.environ is self._mapping and bool(self._data == self._base)

    def absorb(self, since: "Environment") -> None:
        now = dict(since._data)
        if os.environ is not since._mapping or since._mapping is not self._mapping:
            if since._mapping is self._mapping:
                self.take()     # the import put another mapping in its place
            return
        for key in set(since._base) | set(now):
            if since._base.get(key) != now.get(key):
                if key in now:
                    self._base[key] = now[key]
                else:
                    self._base.pop(key, None)
        if self._acquisitions is not None and self._seen >= 0 and self._data == self._base:
            self._seen = self._acquisitions.environment

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        mapping, base = self._mapping, self._base
        now = dict(self._data)
        for key in sorted(set(base) | set(now), key=str):
            old, new = base.get(key), now.get(key)
            if old != new and _text(key) not in self.runners and not (
                    new is not None and _text(key) == TIME_ZONE and is_djangos(_text(new))):
                found.append(self._changed(mapping, key, old, new))
        if os.environ is not mapping:
            change = Change("environment", "os.environ", "replaced",
                            value_text.name_text(mapping), value_text.name_text(os.environ), True)
            found.append((change, lambda: setattr(os, "environ", mapping)))
        return found

    def _changed(self, mapping: Any, key: Any, old: Any, new: Any) -> FoundChange:
        name = _text(key)
        how = "added" if old is None else "removed" if new is None else "changed"
        before, after = ("" if v is None else redaction.cut(redaction.redact(_text(v), name))
                         for v in (old, new))

        def undo() -> None:
            if old is None:
                mapping.pop(name, None)
            else:
                mapping[name] = _text(old)
            if name == TIME_ZONE and _tzset is not None:
                _tzset()

        return Change("environment", redaction.shown(name), how, before, after, True), undo


TIME_ZONE = "TZ"


def is_djangos(zone: str) -> bool:
    """Tell whether *zone* is Django's setting: its receiver of ``setting_changed`` puts that into
    the environment whenever an overridden TIME_ZONE ends, and it stays."""
    settings = getattr(os_facts.loaded("django.conf"), "settings", None)
    try:
        return settings is not None and settings.configured and settings.TIME_ZONE == zone
    except errors.PASSING:
        raise
    except BaseException:   # settings of the user's own
        return False


def is_djangos_now() -> bool:
    """Tell whether the time zone is one that Django has set."""
    zone = _data(os.environ).get(_key(TIME_ZONE))
    return zone is not None and is_djangos(_text(zone))


def _key(name: str) -> Any:
    return _fsencode(name) if os.name == "posix" else name


def _data(mapping: MutableMapping[str, str]) -> Any:
    """Return the variables as `os.environ` keeps them (bytes on POSIX); of a replaced one as they
    are."""
    data = getattr(mapping, "_data", None)
    return data if issubclass(type(data), dict) else mapping


def _text(value: Any) -> str:
    if issubclass(type(value), (str, bytes)):
        return _fsdecode(value)
    return value_text.name_text(value)


class WorkingDirectory(Monitor):
    """Watches the current working directory, and that it still exists."""

    _getcwd = staticmethod(os.getcwd)
    _chdir = staticmethod(os.chdir)
    _stat = staticmethod(os.stat)

    def __init__(self, acquisitions: Optional[Acquisitions] = None) -> None:
        self._acquisitions = acquisitions
        self._seen = -1
        self._base = ""
        self._folder: Optional[Tuple[int, int]] = None

    def _which(self, path: str) -> Optional[Tuple[int, int]]:
        """Return what tells the folder from another of the same name."""
        try:
            status = self._stat(path)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _now(self) -> str:
        try:
            return self._getcwd()
        except OSError:
            return "(removed)"

    def take(self) -> None:
        self._base = self._now()
        self._folder = self._which(os.curdir)
        if (sources.COMPLETE and self._acquisitions is not None and self._acquisitions.listening
                and self._base != "(removed)"):
            self._seen = self._acquisitions.directory

    def absorb(self, since: "WorkingDirectory") -> None:
        if not since.same():
            self.take()

    def same(self) -> bool:
        # No chdir was heard. (That it was removed, `exactly` sees.)
        return (self._acquisitions is not None and self._seen == self._acquisitions.directory
                or self.exactly())

    def exactly(self) -> bool:
        try:
            return self._getcwd() == self._base
        except OSError:
            return self._base == "(removed)"

    def changes(self) -> List[FoundChange]:
        now, base = self._now(), self._base
        if now == base:
            return []
        undo: Undo = None if base == "(removed)" or self._which(
            base) != self._folder else lambda: self._chdir(base)
        change = Change("working directory", "os.getcwd()",
                        "removed" if now == "(removed)" else "changed",
                        base, now, undo is not None, path=now)
        return [(change, undo)]


class ImportPath(Monitor):
    """Watches `sys.path`, `sys.meta_path`, `sys.path_hooks` and `sys.argv`: their contents, order
    and the lists."""

    _names = ("path", "meta_path", "path_hooks", "argv")

    def __init__(self) -> None:
        self._base: List[List[Any]] = []
        self._lists: List[Any] = []

    def take(self) -> None:
        self._lists = [getattr(sys, name, []) for name in self._names]
        self._base = [list(each) for each in self._lists]

    def absorb(self, since: "ImportPath") -> None:
        for place, name in enumerate(self._names):
            now, before = getattr(sys, name), since._lists[place]
            if now is not before and self._lists[place] is before:
                self._lists[place] = now
            self._base[place] = merged(self._base[place], since._base[place], list(now), _equal)

    def same(self) -> bool:
        path, meta, hooks, argv = self._lists
        return (
            sys.path is path and sys.meta_path is meta and sys.path_hooks is hooks
            and sys.argv is argv
            # Identical entries are not compared, so that none of their code runs.
            and (self._lists == self._base or self._has_same_entries())
        )

    def exactly(self) -> bool:
        return (all(getattr(sys, name) is each for name, each in zip(self._names, self._lists))
                and self._has_same_entries())

    def _has_same_entries(self) -> bool:
        return all(same_entries(*each, _equal) for each in zip(self._base, self._lists))

    def changes(self) -> List[FoundChange]:
        found: List[FoundChange] = []
        for name, old, noted in zip(self._names, self._lists, self._base):
            now = getattr(sys, name, [])
            if now is old and same_entries(noted, now, _equal):
                continue
            if not issubclass(type(now), list):
                now = [now]
            change = Change("sys.path", "sys." + name, before="%d entries" % len(noted),
                            after="%d entries" % len(now), restorable=True, replaced=now is not old,
                            added=tuple(value_text.name_text(each) for each in now
                                        if not includes(noted, each, _equal)),
                            removed=tuple(value_text.name_text(each) for each in noted
                                          if not includes(now, each, _equal)))
            found.append((change, _put_back(name, old, noted)))
        return found


def _equal(one: Any, other: Any) -> bool:
    # An importer may have an equality of its own.
    return one is other or type(one) is str and type(other) is str and one == other


def _put_back(name: str, old: List[Any], noted: List[Any]) -> Undo:
    contents = list(noted)

    def undo() -> None:
        old[:] = contents  # in place: others hold this very list
        setattr(sys, name, old)

    return undo
