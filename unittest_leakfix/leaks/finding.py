"""Finding, from a runner's point of view: begin, end, tell."""
from __future__ import annotations

import sys
import unittest
from typing import TYPE_CHECKING, Any, Dict, List, Optional
from unittest.suite import _ErrorHolder  # type: ignore[attr-defined]

from unittest_leakfix._core.early import bind
from unittest_leakfix.finished import finished
from unittest_leakfix.watcher import Watcher

from .finder import Finder
from .later import Later
from .options import Options

if TYPE_CHECKING:
    from . import files, known, leak, text
    from .leak import Findings, Leak
else:
    files, known, leak, text = map(Later, ("files", "known", "leak", "text"))

__unittest = True
bind(globals())


_OUTER = ("this run", "it is part of a test of a run that finds already")


class Finding:
    """What a runner was asked to find. The arguments are those of ``LeakFixTestRunner``.

    Raises ValueError for a mode there is none of, or a baseline that cannot be read.
    """

    def __init__(self, leaks: str = "report", leaks_failed: bool = False,
                 leaks_baseline: Optional[str] = None, leaks_write_baseline: Optional[str] = None,
                 leaks_json: Optional[str] = None, leaks_stacks: bool = False,
                 restore: bool = False) -> None:
        self.options = Options(leaks, leaks_failed, leaks_baseline, leaks_write_baseline,
                               leaks_json, leaks_stacks, restore).checked()
        self._baseline = known.Baseline(leaks_baseline) if leaks_baseline else None
        self._finder: Optional[Finder] = None
        self._begun = False

    def begin(self, result: unittest.TestResult) -> Optional[Watcher]:
        """Begin to find in the run that feeds *result*; None if another run finds already."""
        self._begun = True
        kind = _Failing if self.options.leaks == "fail" else Finder
        finder = kind(self.options, result, self._baseline)
        if finder.start():
            self._finder = finder
        return self._finder

    def end(self) -> None:
        """The run is over."""
        if self._finder is not None:
            self._finder.stop()

    def findings(self) -> Findings:
        """Return what was found."""
        if self._finder is not None:
            return self._finder.findings()
        return leak.Findings(unmeasured=(_OUTER,) if self._begun else ())

    def tell(self, stream: Any, verbose: bool) -> None:
        """Write the report to *stream*, and the files that were asked for."""
        if self._finder is not None and not self._finder.here():
            return      # the child of a test that forked
        if self._finder is not None and self._finder.silent() and not (
                verbose or self.options.json or self.options.write_baseline):
            return
        found = self.findings()
        said = text.render(found, text.style_for(stream), stacks=self.options.stacks,
                           verbose=verbose, failing=self.options.leaks == "fail")
        if said:
            stream.write("\n" + said)
            stream.flush()
        if self.options.json or self.options.write_baseline:
            for fault in files.write(found, self.options.json, self.options.write_baseline):
                stream.write(fault + "\n")


class _Failing(Finder):
    """A finder that makes each leak a failure of its test, once its class is over."""

    def __init__(self, options: Options, result: unittest.TestResult,
                 baseline: Optional[known.Baseline] = None) -> None:
        super().__init__(options, result, baseline)
        self._result = result
        self._twins: Dict[str, unittest.TestCase] = {}

    def finished(self, test: unittest.TestCase) -> None:
        self._twins[self._test] = _twin(test)
        super().finished(test)

    def tell(self, leaks: List[Leak]) -> List[Leak]:
        news = super().tell(leaks)
        for name, mine in leak.by_test(news).items():
            try:
                raise AssertionError(text.failure_text(mine))
            except AssertionError:
                self._result.addFailure(self._twins.get(name) or _ErrorHolder(name), sys.exc_info())
        self._twins.clear()
        return news


def _twin(test: unittest.TestCase) -> Any:
    """Return an instance of the same class and method, as fresh as the loader makes it.

    Reporters look at a test's type, which tells a stand-in from it.
    """
    name = getattr(test, "_testMethodName", "")
    try:
        twin = type(test).__new__(type(test))
        unittest.TestCase.__init__(twin, name)
        if twin.id() == test.id() and str(twin) == str(test):
            return twin
    except Exception:  # an __init__ or id of its own
        pass
    return finished(test)
