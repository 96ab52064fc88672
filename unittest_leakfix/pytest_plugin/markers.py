"""The marker ``leakfix_ignore``: what is known of a test, where the test is written."""
from __future__ import annotations

from typing import Any, List

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks import known

from . import IGNORE

__unittest = True
bind(globals())


def known_of(node: Any) -> List[known.Ignored]:
    """Return what the markers of *node*, an item or a scope, and of all around it make known.

    With them, what the ``leakfix_ignore`` of its class does. Raises TypeError for a marker without a
    reason, or of no kind.
    """
    found: List[known.Ignored] = []
    for owner, mark in node.iter_markers_with_node(IGNORE):
        if mark.args:
            raise TypeError("it takes names only, as in leakfix_ignore(thread=\"mailer-*\", reason=\"...\")")
        given = dict(mark.kwargs)
        reason, test = given.pop("reason", ""), given.pop("test", "*")
        found.append(known._entry(given, reason, test)._replace(
            where="%s of %s" % (IGNORE, owner.nodeid or "session")))
    cls = getattr(node, "cls", None)
    if isinstance(cls, type):
        found += known.of_class(cls)
    return found


def check(items: List[pytest.Item]) -> None:
    """Raise ``pytest.UsageError`` for the first marker that makes no sense."""
    for item in items:
        try:
            known_of(item)
        except (TypeError, ValueError) as error:
            raise pytest.UsageError("%s: the marker %s: %s" % (item.nodeid, IGNORE, error))
