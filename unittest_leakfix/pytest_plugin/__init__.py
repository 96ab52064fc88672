"""The pytest plugin: inert until ``--leakfix`` or ``leakfix`` in the ini file asks for it.

Found by pytest itself, through the entry point ``pytest11`` (`installed`). Needs pytest 7.0 or
later, Python 3.8 or later. docs/pytest.md says what it does. This module is all that is loaded
until an option is given.
"""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, FrozenSet, Generator, List

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix._optional import configuration_file
from unittest_leakfix.options import FLAG, SOME, Option, how, options_in

if TYPE_CHECKING:
    from unittest_leakfix.pytest_plugin.fixtures import LeakFix

__unittest = True
bind(globals())

IGNORE, MOST = "leakfix_ignore", "leakfix_max_connections"
_MARKERS = (
    IGNORE
    + '(kind="name", reason="..."): a leak that is known, as the report\'s last line names it: '
    'leakfix_ignore(thread="mailer-*", reason="lives as long as the process")',
    MOST
    + "(number): this many connections to database servers may be open at the same time; the call "
    "that would open one more fails",
    'leakfix_max_memory("50 MB"): a test that keeps more than that fails, where leaks are found '
    "and it does so again in a child process after the run",
)

def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add our options, in one group, and what the ini file may say."""
    group = parser.getgroup("leakfix", "unittest_leakfix: what tests leave behind")
    for option in options_in("pytest"):
        group.addoption(str(option.pytest), dest=option.dest, default=None,
                        help=option.pytest_help or option.help, **_arguments_of(option))
        if option.ini:
            kind: Any = "bool" if option.type == FLAG else "string"
            parser.addini(option.ini, "the default of %s" % option.pytest, type=kind,
                          default=None if kind == "bool" else "")
    if getattr(pluginmanager, "_conftest_plugins", None):
        _add_short(parser)      # named by a conftest: the hook below is under way


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser,
                                  args: List[str]) -> Generator[None, None, None]:
    """Add the short options that no other plugin has, once all plugins and conftests are loaded.

    Two plugins with one option end in an error of argparse's, whichever comes first.
    """
    # pytest takes "report" of "--leaks report" for a file meanwhile.
    files = getattr(early_config.known_args_namespace, "file_or_dir", [])
    taken = _taken(parser)
    for given, value in zip(args, args[1:]):
        if value in files and given not in taken and any(
                given == option.pytest_short and option.type not in (FLAG, SOME)
                for option in options_in("pytest_short")):
            files.remove(value)
    yield
    _add_short(parser)


def _add_short(parser: pytest.Parser) -> None:
    group, taken = parser.getgroup("leakfix"), _taken(parser)
    for option in options_in("pytest_short"):
        if option.pytest_short not in taken:
            group.addoption(str(option.pytest_short), dest=option.dest, default=None,
                            help="The same as %s" % option.pytest, **_arguments_of(option))


def _taken(parser: pytest.Parser) -> FrozenSet[str]:
    """Return the names of all options that there are."""
    return frozenset(name for group in [*parser._groups, parser._anonymous]
                     for option in group.options for name in option.names())


def has_short(config: pytest.Config) -> bool:
    """Tell whether --leaks is ours, and not another plugin's."""
    return any("--leaks" in option.names() for option in config._parser.getgroup("leakfix").options)


def _arguments_of(option: Option) -> Dict[str, Any]:
    return how(option, option.pytest_choices or option.choices)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; and the plugin proper, if an option is given."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    if _is_chosen(config):
        from unittest_leakfix.pytest_plugin.options import chosen_options
        from unittest_leakfix.pytest_plugin.plugin import register
        register(config, chosen_options(config))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    """See whether a marker limits connections: that works without an option."""
    if any(item.get_closest_marker(MOST) for item in items):
        from unittest_leakfix.pytest_plugin.connection_limit import check, register
        check(items)
        register(config)


@pytest.fixture
def leakfix(request: pytest.FixtureRequest) -> "LeakFix":
    """Finds what one block of code leaves behind, with or without --leakfix.

    ``with leakfix.watch() as found: ...`` and ``found.leaks``, or ``with leakfix.assert_no_leaks():
    ...``.
    """
    from unittest_leakfix.pytest_plugin.fixtures import LeakFix
    return LeakFix(request.node.nodeid)


def _is_chosen(config: pytest.Config) -> bool:
    values = vars(config.option)
    options_given = {option.name: values[option.dest] for option in options_in("pytest")
             if values.get(option.dest) is not None}
    settings = {option.name: config.getini(str(option.ini)) for option in options_in("ini")}
    settings = {name: value for name, value in settings.items() if value}
    variables = {option.name: os.environ.get(str(option.environment))
                 for option in options_in("environment")}
    variables = {name: value for name, value in variables.items() if value}
    if options_given or variables or settings:
        return (options_given or variables or settings) != {"leaks": "off"}
    if not configuration_file(str(config.invocation_params.dir)):
        return False
    from unittest_leakfix.pytest_plugin.options import configuration
    found = configuration(config)
    return found.get("leaks", "off") != "off" or any(
        name in found for name in ("max_connections", "patience", "exit_after"))
