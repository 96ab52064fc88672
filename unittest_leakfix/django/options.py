"""What the user chose: options of ``manage.py test``, environment variables, settings."""
from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Dict, NamedTuple, Optional

from django.conf import settings
from django.core.management.base import CommandError

from unittest_leakfix import options as table
from unittest_leakfix._core.early import bind
from unittest_leakfix._optional import configuration, connection_counting, leak_session
from unittest_leakfix.options import CHOICE, NUMBER, SETTINGS, decided, from_environment, options_in

__unittest = True
bind(globals())

# What explains a test, as it is typed.
EXPLAIN = "explain --django TEST"

# The options that are settings too. An option that is given comes first.
_BOTH = [option for option in options_in("setting") if option.django]

# What a configuration file says to unittest's command line alone is not ours.
_KEYS = frozenset(option.name for option in options_in("key")
                  if option.part is not None or option.django)

_HELP = ("The settings %s say the same for every run. With --parallel, each process has a budget "
         "of its own." % ", ".join(str(option.setting) for option in _BOTH))


class DjangoOptions(NamedTuple):
    """finding: the options of finding, by their names on the runner; max_connections: the budget of
    each process; release_classes: classes are put back to what they had before ``setUpClass``;
    patience, exit_after: as on unittest's command line."""

    finding: Dict[str, Any]
    max_connections: Optional[int] = None
    release_classes: bool = False
    patience: Optional[float] = None
    exit_after: Optional[float] = None


def add_arguments(parser: ArgumentParser) -> None:
    """Add our options to those of ``manage.py test``. `take` looks at the settings: what is raised
    here, Django shows with a traceback."""
    table.add_arguments(parser.add_argument_group("options of unittest_leakfix", _HELP), "django")


def take(options: Dict[str, Any]) -> DjangoOptions:
    """Take our options out of a runner's keyword arguments, the settings' where one is missing.

    Raises ``CommandError`` for what does not fit.
    """
    _check_settings()
    given = {option.name: options.pop(option.name) for option in options_in("django")
             if option.name in options}
    settings = {option.name: setting(option.name) for option in _BOTH}
    try:
        file = {name: value for name, value in configuration().items() if name in _KEYS}
        found = decided(given, [from_environment(), settings, file], "django")
        most = found.pop("max_connections", None)
        waits = found.pop("patience", None), found.pop("exit_after", None)
        leak_session(found)
        connection_counting(most)
    except ValueError as error:
        raise CommandError(str(error)) from None
    return DjangoOptions(found, most, bool(setting("release_classes")), *waits)


def setting(name: str) -> Any:
    """Return the setting for the option *name*; its default where it is not in the settings.

    That is None for what can be given on the command line too.
    """
    option = SETTINGS[name]
    return getattr(settings, str(option.setting), None if option.django else option.default)


def _check_settings() -> None:
    for option in _BOTH:
        value = getattr(settings, str(option.setting), option.default)
        if option.type == CHOICE and value not in (option.choices or ()):
            raise CommandError("%s = %r: %s" % (
                option.setting, value, table.choose(option.choices or ())))
        if option.type == NUMBER and value is not None and (type(value) is not int or value < 0):
            raise CommandError("%s = %r: give a number of %s, 0 or more, or None" % (
                option.setting, value, option.unit))
