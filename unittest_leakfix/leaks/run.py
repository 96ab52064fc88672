"""Finding, from a runner's point of view: begin, end, write the report."""

from __future__ import annotations

import unittest
from _thread import _count as _count_threads
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from unittest_leakfix._core import errors
from unittest_leakfix._core.early import bind, later
from unittest_leakfix._core.errors import fault_text
from unittest_leakfix._core.swap import originals
from unittest_leakfix.finished_test import finished
from unittest_leakfix.leaks import memory_limit, suppressions
from unittest_leakfix.leaks.detector import LeakDetector
from unittest_leakfix.leaks.model.ids import readable_id
from unittest_leakfix.observer import RunObserver
from unittest_leakfix.options import FILE, OPTIONS, OUTPUTS, Options

if TYPE_CHECKING:
    from unittest_leakfix.leaks import report_files
    from unittest_leakfix.leaks.model import leak as leak_model
    from unittest_leakfix.leaks.model.leak import Findings, Leak
    from unittest_leakfix.leaks.report import describe, memory_report, text_report
else:
    leak_model = later(globals(), "leaks.model.leak")
    describe = later(globals(), "leaks.report.describe")
    memory_report = later(globals(), "leaks.report.memory_report")
    text_report = later(globals(), "leaks.report.text_report")
    report_files = later(globals(), "leaks.report_files")

__unittest = True
bind(globals())

_NESTED = ("this run", "it is part of a test of a run that finds already")


def _writes(options: Options) -> bool:
    """Tell whether one of the *options* asks for a file; most runs have none, and load nothing for
    it."""
    # A name without a letter is an error, which is for report_files to say.
    return bool(options.leaks_update_baseline or any(
        getattr(options, each.name, None) not in (None, False, ()) for each in OPTIONS
        if each.type in (FILE, OUTPUTS)))


class LeakSession:
    """One session of finding, for a runner. The arguments are those of ``LeakFixTestRunner``;
    "leaks" is "report" where it is not given.

    Raises ValueError for an unknown mode, or a baseline that cannot be read.
    """

    run_again: Optional[memory_limit.RunsAgain] = None
    """Runs tests of this run again, in a process of their own; None where that cannot be done."""

    explain = "explain TEST"
    """What explains a test of this run, as it is typed."""

    loading = 0.0
    """The seconds that it took to load what finds."""

    def __init__(self, **given: Any) -> None:
        self.options = options = Options(**{"leaks": "report", **given})
        read = options.leaks_baseline
        self._baseline = None if read is None else suppressions.Baseline(read)
        suppressions.rules_of(options)      # raises before the run
        self._files = report_files.Files.of(
            options, self._baseline) if _writes(options) else None
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
        detector.loaded_in(self.loading)
        if detector.start():
            self._detector = detector
        return self._detector

    def end(self, whole: bool = True) -> None:
        """The run is over; not *whole* if it was interrupted."""
        try:
            if self._detector is not None:
                self._detector.stop()
                if whole and self._detector.memory.over:
                    self._confirm_limits(self._detector)
            self._whole = whole
        except KeyboardInterrupt:
            self._stop = not whole      # the second one
            raise

    @originals.around
    def _confirm_limits(self, detector: LeakDetector) -> None:
        """Run the tests again that kept more than they may; those that do so again fail."""
        detector.memory.over = memory_limit.confirmed(
            detector.memory.over, self.run_again,
            "under this runner tests are not run again")
        for each in detector.memory.over:
            if each.fails:
                detector.fail(each.test, memory_limit.message(each))

    def findings(self) -> Findings:
        """Return what was found."""
        if self._detector is not None:
            return describe.described(self._detector.findings())
        return leak_model.Findings(unmeasured=(_NESTED,) if self._begun else ())

    def started_by(self) -> Dict[str, str]:
        """Return by the names of threads that were left which test started them, and on which
        line."""
        return who_started(self.findings) if _count_threads() else {}

    @originals.around
    def write_report(self, stream: Any, verbose: bool) -> None:
        """Write the report to *stream*, and the files that were chosen."""
        if self._detector is not None and not self._detector.here():
            return      # the child of a test that forked
        if self._detector is not None and self._detector.silent() and not (verbose or self._files):
            return
        try:
            found = self.findings()
        except Exception:
            stream.write("\nunittest_leakfix: no report: %s; the verdicts stand\n" % fault_text())
            stream.flush()
            return
        try:
            text = text_report.render(found, text_report.style_for(stream),
                                      stacks=self.options.leaks_stacks,
                               verbose=verbose, failing=self.options.leaks == "fail"
                                      or bool(self.options.leaks_only_new),
                                      explain=self.explain)
            text = "\n".join(filter(None, (
                text, memory_report.render(found.timeline, text_report.style_for(stream)))))
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
        if self._files is not None:
            encoding = text_report.style_for(stream).encoding
            for line in self._files.write(found, self._whole, encoding):
                stream.write(line + "\n")
            stream.flush()

    def close(self) -> None:
        """Give up what is held for the files."""
        if self._files is not None:
            self._files.end()


def who_started(findings: Callable[[], Findings]) -> Dict[str, str]:
    """Return what `LeakSession.started_by` does, of these *findings*."""
    found = findings()
    return {leak.name: "%s  %s:%d in %s" % (readable_id(leak.left_by), *leak.user_line)
            for leak in [*found.leaks, *(known.leak for known in found.known)]
            if leak.kind in ("thread", "timer") and leak.name and leak.user_line}


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
        if (self._new_leaks or self._changed.pending or self._suspects.latest()
                or self._survivor_watch.waits):
            self._twins[test] = twin

    def _explains(self) -> bool:
        return bool(getattr(self._result, "failfast", False))

    def report_leaks(self, leaks: List[Leak]) -> List[Leak]:
        reported = super().report_leaks(leaks)
        for name, mine in leak_model.by_test(reported).items():
            self.fail(name, text_report.failure_text(mine), self._twins.get(name))
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
