"""The end of a session: the section in the terminal, and the files that were asked for."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix.runner import said

from .options import Asked
from .xdist import Controller, Worker

if TYPE_CHECKING:
    from unittest_leakfix.leaks.leak import Findings

__unittest = True
bind(globals())


class Summary:
    """Says what was found, closed, and let go of."""

    def __init__(self, config: pytest.Config, asked: Asked, following: Any, watching: Any) -> None:
        self._asked = asked
        self.controller = Controller(following, watching)
        self._following = following
        self._watching = watching
        self._faults: List[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write the files."""
        found = self._findings()
        if found is None:
            return
        from unittest_leakfix.leaks import files
        self._faults += files.write(found, self._asked.json, self._asked.write_baseline)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Add the section "leaks", if there is something to tell."""
        verbose = terminalreporter.verbosity > 0
        # Functions have no instance to let go of.
        closed = said(self._following.tally, verbose).replace("let go of 0 finished tests, ", "")
        lines = [closed, self._found(terminalreporter, verbose)]
        shown = [line.rstrip("\n") for line in lines + self.controller.lost + self._faults if line]
        if shown:
            terminalreporter.section("leaks")
            for line in shown:
                terminalreporter.write_line(line)

    def _findings(self) -> Optional[Findings]:
        """Return what was found; None if nobody was to find, or in a child that a test has forked."""
        if self._watching is None:
            return None
        found = self.controller.findings()
        if found is not None:
            return found
        return self._watching.findings() if self._watching.here() else None

    def _found(self, reporter: Any, verbose: bool) -> str:
        found = self._findings()
        if found is None or not verbose and not self._loud(found):
            return ""
        from unittest_leakfix.leaks import text
        from unittest_leakfix.leaks.colour import Style
        writer = reporter._tw
        style = Style(width=min(max(writer.fullwidth, 60), 160), colour=bool(reporter.hasmarkup),
                      encoding=getattr(writer._file, "encoding", None) or "utf-8")
        return text.render(found, style, stacks=self._asked.stacks, verbose=verbose,
                           failing=self._asked.mode == "fail", mark="@pytest.mark.leakfix_ignore")

    def _loud(self, found: Findings) -> bool:
        """Tell whether there is anything to tell."""
        return bool(found.leaks or found.known or found.unmeasured or found.more or self._asked.baseline)


def register(config: pytest.Config, asked: Asked, following: Any, watching: Any) -> None:
    """Register what tells; in a worker of xdist, what sends it to the one that tells."""
    manager = config.pluginmanager
    if hasattr(config, "workerinput"):
        manager.register(Worker(config, following, watching), "leakfix-worker")
        return
    summary = Summary(config, asked, following, watching)
    manager.register(summary, "leakfix-summary")
    manager.register(summary.controller, "leakfix-controller")      # idle without xdist
