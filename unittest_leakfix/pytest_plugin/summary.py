"""The end of a session: the section in the terminal, and the files that were asked for."""
from __future__ import annotations

from typing import Any, Callable, List, Optional, Tuple

import pytest

from unittest_leakfix.runner import said

from .options import Asked

__unittest = True


class Summary:
    """Says what was found, closed, and let go of."""

    def __init__(self, config: pytest.Config, asked: Asked, following: Any, watching: Any) -> None:
        self._config = config
        self._asked = asked
        self._following = following
        self._watching = watching
        self._faults: List[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write the files."""
        if self._watching is None or not self._watching.here() or hasattr(self._config, "workerinput"):
            return
        from unittest_leakfix.leaks import json, known
        found = self._watching.findings()
        writers: List[Tuple[Optional[str], Callable[[str], None]]] = [
            (self._asked.json, lambda path: json.dump(found, path)),
            (self._asked.write_baseline, lambda path: known.write_baseline(
                path, [*found.leaks, *(item.leak for item in found.known)]))]
        for path, write in writers:
            if path:
                try:
                    write(path)
                except OSError as error:
                    self._faults.append("%s could not be written: %s" % (path, error.strerror or error))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Add the section "leaks", if there is something to tell."""
        verbose = terminalreporter.verbosity > 0
        lines = [said(self._following.tally, verbose)]
        lines += [self._found(terminalreporter, verbose)] if self._watching is not None else []
        shown = [line.rstrip("\n") for line in lines + self._faults if line]
        if shown:
            terminalreporter.section("leaks")
            for line in shown:
                terminalreporter.write_line(line)

    def _found(self, reporter: Any, verbose: bool) -> str:
        if not self._watching.here() or self._watching.silent() and not verbose:
            return ""
        from unittest_leakfix.leaks import text
        from unittest_leakfix.leaks.colour import Style
        writer = reporter._tw
        style = Style(width=min(max(writer.fullwidth, 60), 160), colour=bool(reporter.hasmarkup),
                      encoding=getattr(writer._file, "encoding", None) or "utf-8")
        return text.render(self._watching.findings(), style, stacks=self._asked.stacks, verbose=verbose,
                           failing=self._asked.mode == "fail", mark="@pytest.mark.leakfix_ignore")
