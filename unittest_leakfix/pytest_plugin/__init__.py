"""The pytest plugin: inert until ``--leakfix`` or ``leakfix`` in the ini file asks for it.

Found by pytest itself, through the entry point ``pytest11`` (`installed`). Needs pytest 7.0 or later,
Python 3.8 or later. docs/pytest.md says what it does. This module is all that is loaded until
something is asked.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, FrozenSet, Generator, List, Tuple

import pytest

from unittest_leakfix._core.early import bind

if TYPE_CHECKING:
    from unittest_leakfix.pytest_plugin.fixtures import LeakFix

__unittest = True
bind(globals())

MODES = ("off", "release", "report", "fail")
IGNORE, MOST = "leakfix_ignore", "leakfix_max_connections"
_MARKERS = (
    IGNORE + '(kind="name", reason="..."): a leak that is known, as the report\'s last line names it: '
    'leakfix_ignore(thread="mailer-*", reason="lives as long as the process")',
    MOST + "(number): so many connections to database servers may be open at the same time; the call "
    "that would open one more fails",
)
# The short option, its name here, how argparse takes it, and the text of the help. Each is called
# --leakfix..., too, which no other plugin has: pytest-leaks has a --leaks of its own.
_OPTIONS: Tuple[Tuple[str, str, Dict[str, Any], str], ...] = (
    ("--leaks", "leakfix", {"choices": MODES},
     "Let go of finished tests, and close what they alone own (release); say as well what each test "
     "left behind (report), or make it an error of the test (fail). Each other --leaks-* option implies report"),
    ("--leaks-failed", "leakfix_failed", {"action": "store_true"}, "Tell the leaks of failing tests too"),
    ("--leaks-baseline", "leakfix_baseline", {"metavar": "FILE"},
     "Leaks listed in FILE are known: only new ones are told"),
    ("--leaks-write-baseline", "leakfix_write_baseline", {"metavar": "FILE"},
     "List the leaks of this run in FILE"),
    ("--leaks-json", "leakfix_json", {"metavar": "FILE"}, "Write the report to FILE as JSON"),
    ("--leaks-stacks", "leakfix_stacks", {"action": "store_true"},
     "Show whole stacks, chains and lists of tests"),
    ("--leaks-restore", "leakfix_restore", {"action": "store_true"},
     "Put back what a test changed and left so: environment, working directory, sys.path, patches"),
    ("--max-connections", MOST, {"metavar": "N", "type": int},
     "Fail the call that would open more than N connections to database servers at the same time, "
     "with a list of those that are open"),
)
_IN_INI = {"leakfix": "string", "leakfix_failed": "bool", "leakfix_baseline": "string",
           "leakfix_restore": "bool", MOST: "string"}


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add our options, in one group, and what the ini file may say."""
    group = parser.getgroup("leakfix", "unittest_leakfix: what tests leave behind")
    for short, name, how, text in _OPTIONS:
        group.addoption(_long(name), dest=name, default=None, help=text, **how)
        if name in _IN_INI:
            kind = _IN_INI[name]
            parser.addini(name, "the default of %s" % _long(name), default=False if kind == "bool" else "",
                          type=kind)  # type: ignore[arg-type]
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
    for option, value in zip(args, args[1:]):
        if value in files and any(option == short and short not in taken and "action" not in how
                                  for short, _, how, _ in _OPTIONS):
            files.remove(value)
    yield
    _add_short(parser)


def _add_short(parser: pytest.Parser) -> None:
    group, taken = parser.getgroup("leakfix"), _taken(parser)
    for short, name, how, _ in _OPTIONS:
        if short not in taken:
            group.addoption(short, dest=name, default=None, help="The same as %s" % _long(name), **how)


def _taken(parser: pytest.Parser) -> FrozenSet[str]:
    """Return the names of all options that there are."""
    return frozenset(name for group in [*parser._groups, parser._anonymous]
                     for option in group.options for name in option.names())


def has_short(config: pytest.Config) -> bool:
    """Tell whether --leaks is ours, and not another plugin's."""
    return any("--leaks" in option.names() for option in config._parser.getgroup("leakfix").options)


def _long(name: str) -> str:
    return "--" + name.replace("_", "-")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; and the plugin proper, if it is asked for."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    if _asked(config):
        from unittest_leakfix.pytest_plugin.options import asked
        from unittest_leakfix.pytest_plugin.plugin import register
        register(config, asked(config))


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

    ``with leakfix.watch() as found: ...`` and ``found.leaks``, or ``with leakfix.assert_no_leaks(): ...``.
    """
    from unittest_leakfix.pytest_plugin.fixtures import LeakFix
    return LeakFix(request.node.nodeid)


def _asked(config: pytest.Config) -> bool:
    values = vars(config.option)
    asked = {name: values[name] for _, name, _, _ in _OPTIONS if values.get(name) is not None}
    standing = {name: config.getini(name) for name in _IN_INI if config.getini(name)}
    return (asked or standing) not in ({}, {"leakfix": "off"})
