"""What was asked of us: options of ``manage.py test``, settings for those who cannot pass options."""
from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Dict, NamedTuple, Optional

from django.conf import settings
from django.core.management.base import CommandError

from unittest_leakfix._core.early import bind
from unittest_leakfix._optional import counting, finding
from unittest_leakfix.cli import add_options
from unittest_leakfix.leaks.options import MODES, decided
from unittest_leakfix.runner import FINDING

__unittest = True
bind(globals())

SETTINGS = {"leaks": "LEAKFIX_LEAKS", "leaks_baseline": "LEAKFIX_LEAKS_BASELINE",
            "max_connections": "LEAKFIX_MAX_CONNECTIONS"}
"""The options that are settings too. An option that is given comes first."""
RELEASE_CLASSES = "LEAKFIX_RELEASE_CLASSES"

_HELP = ("The settings %s say the same for every run. With --parallel, each process has a budget of its own."
         % ", ".join(SETTINGS.values()))


class Asked(NamedTuple):
    """finding: the options of finding, by their names on the runner; max_connections: the budget of each
    process; release_classes: classes are put back to what they had before their ``setUpClass``."""

    finding: Dict[str, Any]
    max_connections: Optional[int] = None
    release_classes: bool = False


def add_arguments(parser: ArgumentParser) -> None:
    """Add our options to those of ``manage.py test``. `take` looks at the settings: what is raised
    here, Django shows with a traceback."""
    add_options(parser.add_argument_group("options of unittest_leakfix", _HELP))


def take(options: Dict[str, Any]) -> Asked:
    """Take our options out of a runner's keyword arguments, the settings' where one is missing.

    Raises ``CommandError`` for what does not fit.
    """
    _check_settings()
    given = {name: options.pop(name) for name in (*FINDING, "max_connections") if name in options}
    standing = _from_settings()
    most, standing_most = given.pop("max_connections", None), standing.pop("max_connections", None)
    most = standing_most if most is None else most
    try:
        found = decided(given, standing)
        finding(found)
        counting(most)
    except ValueError as error:
        raise CommandError(str(error)) from None
    return Asked(found, most, bool(getattr(settings, RELEASE_CLASSES, False)))


def _from_settings() -> Dict[str, Any]:
    return {option: getattr(settings, name) for option, name in SETTINGS.items() if hasattr(settings, name)}


def _check_settings() -> None:
    leaks = getattr(settings, SETTINGS["leaks"], "off")
    if leaks not in MODES:
        raise CommandError("LEAKFIX_LEAKS = %r: choose from %s" % (leaks, ", ".join(map(repr, MODES))))
    most = getattr(settings, SETTINGS["max_connections"], None)
    if most is not None and (type(most) is not int or most < 0):
        raise CommandError("LEAKFIX_MAX_CONNECTIONS = %r: give a number of connections, 0 or more, or None" % (most,))
