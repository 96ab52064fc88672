"""What was asked of the plugin, on the command line or in the ini file."""

from __future__ import annotations

import os
from typing import Any, List, NamedTuple, Optional

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks import suppressions
from unittest_leakfix.leaks.options import NEED, decided
from unittest_leakfix.pytest_plugin import _IN_INI, IGNORE, MODES, MOST, has_short

__unittest = True
bind(globals())

_join = os.path.join

# The options here, and as the other runners call them.
_NAMES = {"leakfix": "leaks", "leakfix_failed": "leaks_failed", "leakfix_baseline": "leaks_baseline",
          "leakfix_write_baseline": "leaks_write_baseline", "leakfix_json": "leaks_json",
          "leakfix_stacks": "leaks_stacks", "leakfix_restore": "restore"}


class Asked(NamedTuple):
    """mode: one of MODES; the others as the options are called; most: how many connections, None for any.

    short: whether the short names of the options are ours, --leaks for --leakfix.
    """

    mode: str
    failed: bool
    baseline: Optional[str]
    write_baseline: Optional[str]
    json: Optional[str]
    stacks: bool
    restore: bool
    most: Optional[int]
    short: bool

    @property
    def finds(self) -> bool:
        """Tell whether leaks are to be found."""
        return self.mode in ("report", "fail")


def asked(config: pytest.Config) -> Asked:
    """Return what was asked. Raises ``pytest.UsageError`` for what makes no sense."""
    given = {name: vars(config.option).get(option) for option, name in _NAMES.items()}
    standing = {name: config.getini(option) or None for option, name in _NAMES.items() if option in _IN_INI}
    mode = str(standing["leaks"] or "off")
    if mode not in MODES:
        raise pytest.UsageError("leakfix = %s in the ini file: choose from %s" % (mode, ", ".join(MODES)))
    try:
        found = decided(given, standing, dict(NEED, restore="--leaks-restore"))
    except ValueError as error:
        raise pytest.UsageError(str(error) if has_short(config) else str(error).replace("--leaks", "--leakfix"))

    def file(name: str) -> Optional[str]:
        # A conftest.py that goes to another folder does not change which one is meant.
        path = found.get(name)
        return path and _join(str(config.invocation_params.dir), path)
    most = vars(config.option).get(MOST)
    return Asked(found["leaks"], bool(found.get("leaks_failed")), file("leaks_baseline"),
                 file("leaks_write_baseline"), file("leaks_json"), bool(found.get("leaks_stacks")),
                 bool(found.get("restore")), _most(config.getini(MOST) if most is None else most),
                 has_short(config))


def _most(value: Any) -> Optional[int]:
    if value is None or value == "":
        return None
    try:
        most = int(value)
    except ValueError:
        most = -1
    if most < 0:
        raise pytest.UsageError("max connections %s: give a number of connections, 0 or more" % value)
    return most


# The marker ``leakfix_ignore``: what is known of a test, where the test is written.

def known_of(node: Any) -> List[suppressions.Ignored]:
    """Return what the markers of *node*, an item or a scope, and of all around it make known.

    With them, what the ``leakfix_ignore`` of its class does. Raises TypeError for a marker without a
    reason, or of no kind.
    """
    found: List[suppressions.Ignored] = []
    for owner, mark in node.iter_markers_with_node(IGNORE):
        if mark.args:
            raise TypeError("it takes names only, as in leakfix_ignore(thread=\"mailer-*\", reason=\"...\")")
        given = dict(mark.kwargs)
        reason, test = given.pop("reason", ""), given.pop("test", "*")
        found.append(suppressions._entry(given, reason, test)._replace(
            where="%s of %s" % (IGNORE, owner.nodeid or "session")))
    cls = getattr(node, "cls", None)
    if isinstance(cls, type):
        found += suppressions.of_class(cls)
    return found


def check(items: List[pytest.Item]) -> None:
    """Raise ``pytest.UsageError`` for the first marker that makes no sense."""
    for item in items:
        try:
            known_of(item)
        except (TypeError, ValueError) as error:
            raise pytest.UsageError("%s: the marker %s: %s" % (item.nodeid, IGNORE, error))
