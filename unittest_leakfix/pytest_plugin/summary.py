"""The end of a session: the section in the terminal, and the files of the report."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generator, List, Optional

import pytest

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.errors import fault_text
from unittest_leakfix._core.swap import originals
from unittest_leakfix.pytest_plugin import IGNORE
from unittest_leakfix.pytest_plugin.options import PytestOptions
from unittest_leakfix.pytest_plugin.xdist import XdistController, XdistWorker
from unittest_leakfix.runner import summary_line

if TYPE_CHECKING:
    from unittest_leakfix.leaks.model.leak import Findings
    from unittest_leakfix.leaks.report.terminal import Style
    from unittest_leakfix.leaks.report_files import Files
    from unittest_leakfix.leaks.suppressions import Baseline

__unittest = True
bind(globals())

MARK = "@pytest.mark." + IGNORE
"""What ``ignore`` is called where the tests are."""
_NOT_WHOLE = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)


class Summary:
    """Says what was found, closed, and let go of."""

    def __init__(self, config: pytest.Config, chosen: PytestOptions, following: Any,
                 watching: Any) -> None:
        self._chosen = chosen
        self.controller = XdistController(following, watching)
        self._following = following
        self._watching = watching
        self._config = config
        self._whole = True
        self._faults: List[str] = []
        self._files = files_of(chosen, getattr(watching, "baseline", None))
        if self._files is not None:
            self._files.begin()

    # The innermost wrapper: before the terminal's, which then asks for the section.
    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> Generator[None, Any, None]:
        """Write the files."""
        outcome = yield
        interrupted = outcome.excinfo is not None and issubclass(outcome.excinfo[0],
                                                                 KeyboardInterrupt)
        self._whole = not interrupted and exitstatus not in _NOT_WHOLE
        try:
            self._write()
        except KeyboardInterrupt:
            self._write_brief()
            raise
        if interrupted:     # while it was judged what is left: no section follows
            self._write_brief()

    def pytest_unconfigure(self) -> None:
        """Give up what is held for the files."""
        if self._files is not None:
            self._files.end()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Add the section "leaks", if there is something to tell."""
        try:
            self._section(terminalreporter)
        except KeyboardInterrupt:
            self._write_brief()
            raise
        except Exception:   # in our own code: the verdicts stand
            terminalreporter.write_line("unittest_leakfix: no report: %s; the verdicts stand"
                                        % fault_text())

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, postfix: List[str]) -> None:
        """pytest-html makes its page: add the section, as text."""
        try:
            self._following.pytest_sessionfinish()      # which comes after that
            text = self._html()
        except Exception:
            text = ""
            self._faults.append("the page of pytest-html lacks the leaks: %s" % fault_text())
        if text:
            postfix.append("<h2>leaks</h2><pre>%s</pre>" % text)

    @originals.around
    def _html(self) -> str:
        from html import escape
        found = self._findings()
        if found is None or not self._loud(found):
            return ""
        from unittest_leakfix.leaks.report.terminal import Style
        return escape(self._text(found, Style(), False))

    @originals.around
    def _write(self) -> None:
        try:
            found = self._findings() if self._files is not None else None
        except Exception:
            self._faults.append("the files were not written: %s" % fault_text())
            return
        if found is not None and self._files is not None:
            self._faults += self._files.write(found, self._whole)

    def _write_brief(self) -> None:
        """Ctrl-C: write the files, if that was not done, and a line for each leak. A second one
        ends this too."""
        from unittest_leakfix.leaks.report import text_report
        self._write()
        found, reporter = self._findings(), self._config.pluginmanager.get_plugin(
            "terminalreporter")
        text = "" if found is None else text_report.render_brief(found,
                                                            text_report.Style(encoding="ascii"))
        if reporter is not None:
            for line in text.splitlines() + self._faults:
                reporter.write_line(line)

    @originals.around
    def _section(self, terminalreporter: Any) -> None:
        verbose = terminalreporter.verbosity > 0
        # Functions have no instance to let go of.
        short = "--leaks=report" if self._chosen.short else "--leakfix=report"
        to_find = "" if self._chosen.finds else short
        closed = summary_line(self._following.tally, verbose,
                      to_find).replace("let go of 0 finished tests, ", "")
        lines = [closed, self._found(terminalreporter, verbose)]
        shown = [line.rstrip("\n") for line in lines + self.controller.lost + self._faults if line]
        if shown:
            terminalreporter.ensure_newline()   # section() does not, after a test was interrupted
            terminalreporter.section("leaks")
            for line in shown:
                terminalreporter.write_line(line)

    def _findings(self) -> Optional[Findings]:
        """Return what was found; None if finding is off, or in a child that a test has
        forked."""
        if self._watching is None:
            return None
        found = self.controller.findings()
        if found is None and self._watching.here():
            found = self._watching.findings()
        if found is None or self._whole:
            return found
        from unittest_leakfix.leaks.model.leak import interrupted
        return interrupted(found)

    def _found(self, reporter: Any, verbose: bool) -> str:
        found = self._findings()
        if found is None or not verbose and not self._loud(found):
            return ""
        from unittest_leakfix.leaks.report.terminal import Style
        writer = reporter._tw
        style = Style(width=min(max(writer.fullwidth, 60), 160), colour=bool(reporter.hasmarkup),
                      encoding=getattr(writer._file, "encoding", None) or "utf-8")
        return self._text(found, style, verbose)

    def _text(self, found: Findings, style: Style, verbose: bool) -> str:
        from unittest_leakfix.leaks.report import memory_report, text_report
        leaks = text_report.render(
            found, style, stacks=self._chosen.options.leaks_stacks, verbose=verbose,
            failing=self._chosen.mode == "fail" or bool(self._chosen.options.leaks_only_new),
            mark=MARK, options=self._chosen.prefix, explain="explain TEST")
        return "\n".join(filter(None, (leaks, memory_report.render(found.timeline, style))))

    def _loud(self, found: Findings) -> bool:
        """Tell whether there is anything to tell."""
        return bool(found.leaks or found.known or found.unmeasured or found.more or found.rules
                    or self._chosen.options.leaks_baseline
                    or self._chosen.options.memory is not None
                    or found.timeline is not None and found.timeline.limits)


def files_of(chosen: PytestOptions, baseline: Optional[Baseline]) -> Optional[Files]:
    """Return the files of the *chosen* options, None for none; *baseline* is the one that was read.
    Raises ``pytest.UsageError`` for what cannot be written."""
    if not chosen.finds:
        return None
    from unittest_leakfix.leaks.report_files import Files
    try:
        return Files.of(chosen.options, baseline, mark=MARK, prefix=chosen.prefix)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def register(config: pytest.Config, chosen: PytestOptions, following: Any, watching: Any) -> None:
    """Register what tells; in a worker of xdist, what sends it to the one that tells."""
    manager = config.pluginmanager
    if hasattr(config, "workerinput"):
        manager.register(XdistWorker(config, following, watching), "leakfix-worker")
        return
    summary = Summary(config, chosen, following, watching)
    manager.register(summary, "leakfix-summary")
    manager.register(summary.controller, "leakfix-controller")      # idle without xdist
