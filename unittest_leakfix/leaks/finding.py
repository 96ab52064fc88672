"""Finding, from a runner's point of view: begin, end, tell."""
from __future__ import annotations

import sys
import unittest
from typing import TYPE_CHECKING, Any, Dict, List, Optional
from unittest.suite import _ErrorHolder  # type: ignore[attr-defined]

from unittest_leakfix._core.early import bind
from unittest_leakfix import faults
from unittest_leakfix._core.swap import originals
from unittest_leakfix.faults import fault
from unittest_leakfix.finished import finished
from unittest_leakfix.watcher import Watcher

from .finder import Finder
from .later import Later, load_all
from .options import Options

if TYPE_CHECKING:
    from . import files, known, leak, text
    from .leak import Findings, Leak
else:
    files, known, leak, text = map(Later, ("files", "known", "leak", "text"))

__unittest = True
bind(globals())
_exc_info = sys.exc_info


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
        self._baseline = None if leaks_baseline is None else known.Baseline(leaks_baseline)
        self._files = None
        if leaks_json is not None or leaks_write_baseline is not None:
            self._files = files.Files(leaks_json, leaks_write_baseline, leaks_baseline)
        self._finder: Optional[Finder] = None
        self._begun = False
        self._whole = False         # all tests have run, and what they left is known
        self._stop = False          # do not even write any more
        self._written = False       # the report

    def begin(self, result: unittest.TestResult) -> Optional[Watcher]:
        """Begin to find in the run that feeds *result*; None if another run finds already."""
        self._begun = True
        if self._files is not None:
            self._files.begin()     # before anybody looks which descriptors there are
        load_all()
        kind = _Failing if self.options.leaks == "fail" else Finder
        finder = kind(self.options, result, self._baseline)
        if finder.start():
            self._finder = finder
        return self._finder

    def end(self, whole: bool = True) -> None:
        """The run is over; not *whole* if it was interrupted."""
        try:
            if self._finder is not None:
                self._finder.stop()
            self._whole = whole
        except KeyboardInterrupt:
            self._stop = not whole      # the second one
            raise

    def findings(self) -> Findings:
        """Return what was found."""
        if self._finder is not None:
            return self._finder.findings()
        return leak.Findings(unmeasured=(_OUTER,) if self._begun else ())

    @originals.around
    def tell(self, stream: Any, verbose: bool) -> None:
        """Write the report to *stream*, and the files that were asked for."""
        if self._finder is not None and not self._finder.here():
            return      # the child of a test that forked
        if self._finder is not None and self._finder.silent() and not (verbose or self._files):
            return
        found = self.findings()
        try:
            said = text.render(found, text.style_for(stream), stacks=self.options.stacks,
                               verbose=verbose, failing=self.options.leaks == "fail")
        except Exception:
            said = "unittest_leakfix: no report: %s; the verdicts stand\n" % fault()
        try:
            if said:
                stream.write("\n" + said)
                stream.flush()
            self._written = True
        finally:    # the stream may be broken, the files are not
            self._write(found, stream)

    def interrupted(self, stream: Any) -> None:
        """Ctrl-C was pressed, in the run or after it: write what was found by then, shortly."""
        if self._stop or not self._begun or self._finder is not None and not self._finder.here():
            return
        try:
            if self._finder is not None:
                self._finder.rest()
            found = self.findings()
            if not self._whole:
                found = leak.interrupted(found)
            self._write(found, stream)
            if not self._written:
                said = text.shortly(found, text.style_for(stream))
                stream.write("\n" + said if said else "")
                stream.flush()
        except Exception:   # what is wrong here does not change how the run ends
            pass

    def _write(self, found: Findings, stream: Any) -> None:
        for fault in self._files.write(found, self._whole) if self._files is not None else ():
            stream.write(fault + "\n")

    def close(self) -> None:
        """Give up what is held for the files."""
        if self._files is not None:
            self._files.end()


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
                self._result.addFailure(self._twins.get(name) or _ErrorHolder(name), _exc_info())
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
    except faults.PASSING:
        raise
    except BaseException:  # an __init__ or id of its own
        pass
    return finished(test)
