"""The pytest plugin: inert until ``--leaks`` or ``leakfix`` in the ini file asks for it.

Found by pytest itself, through the entry point ``pytest11``. Needs pytest 7.0 or later, Python 3.8 or
later. docs/pytest.md tells what it does. This module is all that is loaded until something is asked.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Tuple

import pytest

from unittest_leakfix._core.early import bind

if TYPE_CHECKING:
    from .blocks import LeakFix

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
# Option, its name here, how argparse takes it, and whether the ini file has it too.
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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options, in one group, and what the ini file may say."""
    group = parser.getgroup("leakfix", "unittest_leakfix: what tests leave behind")
    for option, name, how, text in _OPTIONS:
        group.addoption(option, dest=name, default=None, help=text, **how)
        if name in _IN_INI:
            kind = _IN_INI[name]
            parser.addini(name, "the default of %s" % option, default=False if kind == "bool" else "",
                          type=kind)  # type: ignore[arg-type]


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; and the plugin proper, if it is asked for."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    if _asked(config):
        from .options import asked
        from .plugin import register
        register(config, asked(config))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    """See whether a marker limits connections: that works without an option."""
    if any(item.get_closest_marker(MOST) for item in items):
        from .budgets import check, register
        check(items)
        register(config)


@pytest.fixture
def leakfix(request: pytest.FixtureRequest) -> "LeakFix":
    """Finds what one block of code leaves behind, with or without --leaks.

    ``with leakfix.watch() as found: ...`` and ``found.leaks``, or ``with leakfix.assert_no_leaks(): ...``.
    """
    from .blocks import LeakFix
    return LeakFix(request.node.nodeid)


def _asked(config: pytest.Config) -> bool:
    values = vars(config.option)
    asked = {name: values[name] for _, name, _, _ in _OPTIONS if values.get(name) is not None}
    standing = {name: config.getini(name) for name in _IN_INI if config.getini(name)}
    return (asked or standing) not in ({}, {"leakfix": "off"})
