"""Aliases that point at the same database, and do not say so."""
from __future__ import annotations

from typing import Container, Dict, List, Optional, Tuple

from django.db import DEFAULT_DB_ALIAS, connections

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

_PORTS = {"postgresql": "5432", "mysql": "3306"}
_HERE = ("", "localhost", "127.0.0.1", "::1")


def unmirrored(used: Optional[Container[str]] = None) -> List[str]:
    """Return a line for each alias that is the same database as another one without ``TEST: MIRROR``.

    One with the same settings to the letter, Django itself takes for a mirror. One that names the
    server in another way it makes a second time, and so destroys the first. Called before the test
    databases are made: afterwards all have other names. *used*: the aliases that the tests use, None
    for all.
    """
    found: Dict[Tuple[str, ...], str] = {}
    lines = []
    for alias in _sorted():
        place = _place(alias) if used is None or alias in used else ()
        first = found.setdefault(place, alias) if place else alias
        if first != alias:
            lines.append(
                "unittest_leakfix: the aliases %r and %r are the same test database, %s: "
                "DATABASES[%r][\"TEST\"] = {\"MIRROR\": %r}" % (first, alias, place[1], alias, first))
    return lines


def _sorted() -> List[str]:
    try:
        return sorted(connections, key=lambda each: (each != DEFAULT_DB_ALIAS, each))
    except Exception:   # Django says what is wrong with the settings
        return []


def _place(alias: str) -> Tuple[str, ...]:
    """Return what tells the test database from others; () for a mirror and where it cannot be said."""
    try:
        wrapper = connections[alias]
        settings = wrapper.settings_dict
        if wrapper.vendor not in _PORTS or settings.get("TEST", {}).get("MIRROR"):
            return ()
        name = str(wrapper.creation._get_test_db_name())
    except Exception:   # no such backend, or one with names of its own
        return ()
    host = str(settings.get("HOST") or "")
    return (wrapper.vendor, name, "localhost" if host in _HERE else host.lower(),
            str(settings.get("PORT") or _PORTS[wrapper.vendor]))
