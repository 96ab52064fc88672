"""Finding, from a runner's point of view: begin, end, write the report."""

from __future__ import annotations

import os
import sys
import unittest
from itertools import combinations
from typing import Any, Dict, List, Optional
from unittest.suite import _ErrorHolder  # type: ignore[attr-defined]

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.errors import fault_text
from unittest_leakfix._core.swap import originals
from unittest_leakfix.finished_test import finished
from unittest_leakfix.leaks import suppressions
from unittest_leakfix.leaks.detector import LeakDetector
from unittest_leakfix.leaks.model import leak as leak_model
from unittest_leakfix.leaks.model.leak import Findings, Leak
from unittest_leakfix.leaks.report import json_report, text_report
from unittest_leakfix.leaks.report.describe import described
from unittest_leakfix.leaks.report.whole_file import Target, reason
from unittest_leakfix.observer import RunObserver
from unittest_leakfix.options import Options
from unittest_leakfix.process_state.descriptors import Reserve

__unittest = True
bind(globals())


_exc_info = sys.exc_info


_NESTED = ("this run", "it is part of a test of a run that finds already")
_getpid = os.getpid
_NO_RESERVE = "the descriptor that was kept for it is gone, a test has closed it"


class LeakSession:
    """One session of finding, for a runner. The arguments are those of ``LeakFixTestRunner``;
    "leaks" is "report" where it is not given.

    Raises ValueError for an unknown mode, or a baseline that cannot be read.
    """

    def __init__(self, **given: Any) -> None:
        self.options = options = Options(**{"leaks": "report", **given})
        read = options.leaks_baseline
        self._baseline = None if read is None else suppressions.Baseline(read)
        self._files = Files.of(options, self._baseline)
        self._detector: Optional[LeakDetector] = None
        self._begun = False
        self._whole = False         # all tests have run, and what they left is known
        self._stop = False          # do not even write any more
        self._written = False       # the report

    def begin(self, result: unittest.TestResult) -> Optional[RunObserver]:
        """Begin to find in the run that feeds *result*; None if another run finds already."""
        self._begun = True
        if self._files is not None:
            self._files.begin()     # before the open descriptors are looked at
        kind = _FailingDetector if self.options.leaks == "fail" else LeakDetector
        detector = kind(self.options, result, self._baseline)
        if detector.start():
            self._detector = detector
        return self._detector

    def end(self, whole: bool = True) -> None:
        """The run is over; not *whole* if it was interrupted."""
        try:
            if self._detector is not None:
                self._detector.stop()
            self._whole = whole
        except KeyboardInterrupt:
            self._stop = not whole      # the second one
            raise

    def findings(self) -> Findings:
        """Return what was found."""
        if self._detector is not None:
            return described(self._detector.findings())
        return leak_model.Findings(unmeasured=(_NESTED,) if self._begun else ())

    @originals.around
    def write_report(self, stream: Any, verbose: bool) -> None:
        """Write the report to *stream*, and the files that were chosen."""
        if self._detector is not None and not self._detector.here():
            return      # the child of a test that forked
        if self._detector is not None and self._detector.silent() and not (verbose or self._files):
            return
        found = self.findings()
        try:
            text = text_report.render(found, text_report.style_for(stream),
                                      stacks=self.options.leaks_stacks,
                               verbose=verbose, failing=self.options.leaks == "fail")
        except Exception:
            text = "unittest_leakfix: no report: %s; the verdicts stand\n" % fault_text()
        try:
            if text:
                stream.write("\n" + text)
                stream.flush()
            self._written = True
        finally:    # the stream may be broken, the files are not
            self._write(found, stream)

    def interrupted(self, stream: Any) -> None:
        """Ctrl-C was pressed, in the run or after it: write what was found by then, shortly."""
        if self._stop or not self._begun:
            return
        if self._detector is not None and not self._detector.here():
            return
        try:
            if self._detector is not None:
                self._detector.take_interrupted()
            found = self.findings()
            if not self._whole:
                found = leak_model.interrupted(found)
            self._write(found, stream)
            if not self._written:
                text = text_report.render_brief(found, text_report.style_for(stream))
                stream.write("\n" + text if text else "")
                stream.flush()
        except Exception:   # what is wrong here does not change how the run ends
            pass

    def _write(self, found: Findings, stream: Any) -> None:
        for problem in self._files.write(found, self._whole) if self._files is not None else ():
            stream.write(problem + "\n")

    def close(self) -> None:
        """Give up what is held for the files."""
        if self._files is not None:
            self._files.end()


class _FailingDetector(LeakDetector):
    """A detector that makes each leak a failure of its test, once it is known."""

    def __init__(self, options: Options, result: unittest.TestResult,
                 baseline: Optional[suppressions.Baseline] = None) -> None:
        super().__init__(options, result, baseline)
        self._result = result
        self._twin: Any = None      # of the test that ran last
        self._twins: Dict[str, Any] = {}

    def test_finished(self, test: unittest.TestCase) -> None:
        self._twin = _fresh_instance(test)
        super().test_finished(test)

    def _end(self, test: str) -> None:
        twin, self._twin = self._twin, None
        super()._end(test)
        if self._new_leaks or self._changed.pending or self._suspects.latest():
            self._twins[test] = twin

    def _explains(self) -> bool:
        return bool(getattr(self._result, "failfast", False))

    def report_leaks(self, leaks: List[Leak]) -> List[Leak]:
        reported = super().report_leaks(leaks)
        for name, mine in leak_model.by_test(reported).items():
            try:
                raise AssertionError(text_report.failure_text(mine))
            except AssertionError:
                self._result.addFailure(self._twins.get(name) or _ErrorHolder(name), _exc_info())
        return reported


def _fresh_instance(test: unittest.TestCase) -> Any:
    """Return an instance of the same class and method, as fresh as the loader makes it.

    Reporters look at a test's type, which tells a stand-in from it.
    """
    name = getattr(test, "_testMethodName", "")
    try:
        twin = type(test).__new__(type(test))
        unittest.TestCase.__init__(twin, name)
        if twin.id() == test.id() and str(twin) == str(test):
            return twin
    except errors.PASSING:
        raise
    except BaseException:  # an __init__ or id of its own
        pass
    return finished(test)


# The files of a run: the report as JSON, and a baseline.


class Files:
    """The files of one run, found at its start and written at its end, by the process that began
    it.

    *report* and *baseline* are written, *read* is the baseline that is read, and written as well if
    it is to be *updated*. Raises ValueError for one that cannot be written, and where two are the
    same file.
    """

    @classmethod
    def of(cls, options: Options, baseline: Optional[suppressions.Baseline]) -> Optional["Files"]:
        """Return the files that *options* ask for, None for none; *baseline* is the one that was
        read."""
        if options.leaks_update_baseline and baseline is None:
            raise ValueError("--leaks-update-baseline needs --leaks-baseline=FILE, the file to be "
                             "updated")
        updated = baseline if options.leaks_update_baseline else None
        if options.leaks_json is None and options.leaks_write_baseline is None and updated is None:
            return None
        return cls(options.leaks_json, options.leaks_write_baseline, options.leaks_baseline,
                   updated)

    def __init__(self, report: Optional[str], baseline: Optional[str],
                 read: Optional[str] = None,
                 updated: Optional[suppressions.Baseline] = None) -> None:
        self._pid = _getpid()
        self._reserve = Reserve()
        self._written: Dict[str, bool] = {}
        self._targets: Dict[str, Target] = {}
        self._updated = updated
        for option, name in (("--leaks-json", report), ("--leaks-write-baseline", baseline),
                             ("--leaks-update-baseline", None if updated is None else read)):
            if name is not None:
                try:
                    self._targets[option] = Target(name)
                except ValueError as error:
                    raise ValueError("%s: %s" % (option, error)) from None
        if report is not None and read is not None and self._targets["--leaks-json"].is_file(read):
            raise ValueError("--leaks-json would overwrite the baseline that --leaks-baseline "
                             "reads (%s): "
                             "each needs its own file" % self._targets["--leaks-json"].name)
        for (one, target), (other, its) in combinations(self._targets.items(), 2):
            if target.is_same(its):
                raise ValueError("%s and %s are the same file (%s): each needs its own"
                                 % (one, other, target.name))

    def __bool__(self) -> bool:
        return bool(self._targets)

    def begin(self) -> None:
        """The tests are about to run: hold a descriptor for the files."""
        if self._targets:
            self._reserve.hold()

    def write(self, found: Findings, whole: bool = True) -> List[str]:
        """Write what was *found*; what was written already is not written again.

        Without *whole* the tests did not all run, and a baseline would lack what the others leave:
        that file stays as it is. Returns a line for each that could not be written, and for a
        baseline that was updated. Not in a process that a test has forked.
        """
        if not self._targets or self._pid != _getpid():
            return []
        lines = []
        held = self._reserve.release()
        for option, target in self._targets.items():
            if option in self._written:
                continue
            if option != "--leaks-json" and not whole:
                lines.append("%s was not written: the run was interrupted" % target.name)
                continue
            try:
                target.write(self._text(option, found))
                self._written[option] = True
                if option == "--leaks-update-baseline":
                    lines.append("%s was updated" % target.name)
            except Exception as error:  # nothing that a file lacks is a matter of the verdict
                lines.append("%s could not be written: %s%s" % (
                    target.name, reason(error), "" if held else " (%s)" % _NO_RESERVE))
        return lines

    def _text(self, option: str, found: Findings) -> str:
        if option == "--leaks-json":
            return json_report.to_text(found)
        leaks = [*found.leaks, *(item.leak for item in found.known)]
        if option == "--leaks-write-baseline" or self._updated is None:
            return suppressions.baseline_text(leaks)
        # What is ignored with a reason needs no baseline.
        leaks = [*found.leaks, *(item.leak for item in found.known if not item.reason)]
        return self._updated.updated(leaks, found.ran)

    def end(self) -> None:
        """Give up what is held. Twice is once."""
        self._reserve.release()
