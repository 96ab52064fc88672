"""The plugin's options, from the command line, the environment and the ini file."""

from __future__ import annotations

import os
from typing import Any, Dict, List, NamedTuple, Optional

import pytest

from unittest_leakfix import _optional
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks import suppressions
from unittest_leakfix.leaks.model.leak import Ignored
from unittest_leakfix.options import (
    FILE,
    FINDS,
    OUTPUTS,
    Options,
    decided,
    from_environment,
    options_in,
    output,
)
from unittest_leakfix.pytest_plugin import IGNORE, has_short

__unittest = True
bind(globals())

_join = os.path.join
_ROWS = options_in("pytest")
# What a configuration file says to unittest's command line alone is not ours.
_KEYS = frozenset(option.name for option in options_in("key")
                  if option.part is not None or option.pytest)


class PytestOptions(NamedTuple):
    """mode: "off", "release", "report" or "fail"; options: those of finding, by their names in the
    table; most: how many connections, None for any.

    short: whether the short names of the options are ours, --leaks for --leakfix; patience,
    exit_after: as on unittest's command line.
    """

    mode: str
    options: Options
    most: Optional[int]
    short: bool
    patience: Optional[float] = None
    exit_after: Optional[float] = None

    @property
    def prefix(self) -> str:
        """What the names of all options begin with."""
        return "--leaks" if self.short else "--leakfix"

    @property
    def finds(self) -> bool:
        """Tell whether leaks are to be found."""
        return self.mode in FINDS


def chosen_options(config: pytest.Config) -> PytestOptions:
    """Return the options that hold. Raises ``pytest.UsageError`` for what makes no sense."""
    given = {option.name: vars(config.option).get(option.dest) for option in _ROWS}
    defaults = {option.name: config.getini(str(option.ini)) for option in _ROWS if option.ini}
    # A flag that is not there is None, and [] up to pytest 7.
    defaults = {name: value for name, value in defaults.items() if value not in ("", [], None)}
    for option in _ROWS:
        choices = option.pytest_choices or option.choices
        if choices and defaults.get(option.name, option.default) not in choices:
            raise pytest.UsageError("%s = %s in the ini file: choose from %s" % (
                option.ini, defaults[option.name], ", ".join(choices)))
    short = has_short(config)
    try:
        file = configuration(config)
        found = decided(given, [from_environment(pytest=True), defaults, file],
                        "pytest_short" if short else "pytest")
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    # A conftest.py that goes to another folder does not change which file is meant.
    found.update({option.name: _join(str(config.invocation_params.dir), found[option.name])
                  for option in _ROWS if option.type == FILE and found.get(option.name)})
    found.update({option.name: [output(each, str(config.invocation_params.dir))
                                for each in found[option.name]]
                  for option in _ROWS if option.type == OUTPUTS and found.get(option.name)})
    most = _number(found.pop("max_connections", None))
    patience, exit_after = found.pop("patience", None), found.pop("exit_after", None)
    mode = found.pop("leaks")
    options = Options(leaks=mode if mode in FINDS else "off", **found)
    return PytestOptions(mode, options, most, short, patience, exit_after)


def configuration(config: pytest.Config) -> Dict[str, Any]:
    """Return what the configuration file says. Raises ``pytest.UsageError``."""
    try:
        found = _optional.configuration(str(config.invocation_params.dir), pytest=True)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    return {name: value for name, value in found.items() if name in _KEYS}


def _number(value: Any) -> Optional[int]:
    if value is None:
        return None
    try:
        most = int(value)
    except ValueError:
        most = -1
    if most < 0:
        raise pytest.UsageError(
            "max connections %s: give a number of connections, 0 or more" % value)
    return most


# The marker ``leakfix_ignore``: what is known of a test, where the test is written.

def known_of(node: Any) -> List[Ignored]:
    """Return what the markers of *node*, an item or a scope, and of all around it make known.

    With them, what the ``leakfix_ignore`` of its class does. Raises TypeError for a marker without
    a reason, or of no kind.
    """
    found: List[Ignored] = []
    for owner, mark in node.iter_markers_with_node(IGNORE):
        if mark.args:
            raise TypeError(
                "it takes names only, as in leakfix_ignore(thread=\"mailer-*\", reason=\"...\")")
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
            raise pytest.UsageError("%s: the marker %s: %s"
                                    % (item.nodeid, IGNORE, error)) from error
