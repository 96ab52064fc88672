"""The table of what ``--leaks-output`` can write, one row for each.

To add one, write a module beside with ``text(report)``, which returns its text, and add a row.
Modules are loaded when a run asks for their output, before its first test.
"""
from __future__ import annotations

import os
from importlib import import_module
from typing import Callable, Iterable, NamedTuple, Tuple, Union

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.leak import Findings
from unittest_leakfix.leaks.report.annotations import Report, report_of

__unittest = True
bind(globals())


class Output(NamedTuple):
    """A form of the report for a machine."""

    name: str
    """What is typed, and the name of the module."""
    file: str
    """Where it is written when no file is named; "" prints it after the report."""
    variable: str = ""
    """The environment variable that names a file to which it is appended instead."""


OUTPUTS = (
    Output("github", ""),
    Output("gitlab", "gl-code-quality-report.json"),
    Output("sarif", "leaks.sarif"),
    Output("markdown", "", "GITHUB_STEP_SUMMARY"),
    Output("junit", "leaks-junit.xml"),
)
NAMES = tuple(row.name for row in OUTPUTS)


class Chosen:
    """One output of a run, as it was asked for: "sarif", "sarif:build/leaks.sarif".

    Raises ValueError for a name that is not in the table.
    """

    def __init__(self, given: str) -> None:
        name, colon, file = given.partition(":")
        rows = [row for row in OUTPUTS if row.name == name]
        if not rows:
            import difflib
            near = difflib.get_close_matches(name, NAMES, 1)
            raise ValueError("%s is not an output%s: choose from %s" % (
                name or "''", ", did you mean %s" % near[0] if near else "", ", ".join(NAMES)))
        if colon and not file:
            raise ValueError("%s has no name of a file after the colon" % given)
        self.row = rows[0]
        variable = os.environ.get(self.row.variable, "") if self.row.variable and not file else ""
        self.appends = bool(variable)
        self.file = file or variable or self.row.file
        """Where it is written; "" prints it."""
        module = import_module("unittest_leakfix.leaks.report." + name)
        self._text: Callable[[Report], str] = module.text

    def text(self, findings: Findings, failing: bool, root: str) -> str:
        """Return its text of what was found."""
        return self._text(report_of(findings, failing, root))


def chosen(given: Union[str, Iterable[str], None]) -> Tuple[Chosen, ...]:
    """Return the outputs that are asked for, one text or several. Raises ValueError."""
    texts = [given] if isinstance(given, str) else list(given or ())
    return tuple(map(Chosen, dict.fromkeys(texts)))
