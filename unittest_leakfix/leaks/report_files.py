"""What a run writes beside the report: that as JSON and as HTML, baselines, and the outputs for CI
systems.

To add a file with an option of its own, add the option (options.py) and a row to `WRITTEN`; to add
what ``--leaks-output`` can write, see `report.outputs`.
"""
from __future__ import annotations

import os
from itertools import combinations
from typing import TYPE_CHECKING, Callable, Dict, List, NamedTuple, Optional, Tuple

from unittest_leakfix._core.code_origin import START
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks import suppressions
from unittest_leakfix.leaks.model.kinds import count
from unittest_leakfix.leaks.model.leak import Findings
from unittest_leakfix.leaks.report import json_report
from unittest_leakfix.leaks.report.whole_file import Target, reason
from unittest_leakfix.options import Options
from unittest_leakfix.process_state.descriptors import Reserve

if TYPE_CHECKING:
    from unittest_leakfix.leaks.report.outputs import Chosen

__unittest = True
bind(globals())

_getpid = os.getpid
_NO_RESERVE = "the descriptor that was kept for it is gone, a test has closed it"


class Run(NamedTuple):
    """What the makers of files know of a run, beside what was found."""

    options: Options
    baseline: Optional[suppressions.Baseline] = None
    """The one that was read, if there is one."""
    mark: str = "ignore"
    """What ``ignore`` is called where the tests are."""
    prefix: str = "--leaks"
    """What the names of all options begin with."""


Maker = Callable[[Findings, Run], str]


class Written(NamedTuple):
    """A file that a run may write."""

    option: str
    """The name of the option that asks for it."""
    maker: Callable[[], Maker]
    """Called when the run starts: loads what is needed, and returns what makes the text of what
    was found."""
    named_by: str = ""
    """The name of the option that has its name, if another."""
    is_report: bool = False
    """It is written of a run that was interrupted too, and never in the place of a baseline."""

    @property
    def command(self) -> str:
        """The option as it is typed."""
        return "--" + self.option.replace("_", "-")


def _json(found: Findings, run: Run) -> str:
    return json_report.to_text(found)


def _html() -> Maker:
    # With its style sheet and scripts: later there may be no descriptor left to read them.
    from unittest_leakfix.leaks.report import html_page
    return lambda found, run: html_page.to_html(
        found, baseline=run.baseline is not None, mark=run.mark, options=run.prefix,
        failing=run.options.leaks == "fail")


def _new_baseline(found: Findings, run: Run) -> str:
    return suppressions.baseline_text([*found.leaks, *(item.leak for item in found.known)])


def _updated_baseline(found: Findings, run: Run) -> str:
    assert run.baseline is not None     # `Files.of` has seen to it
    # What is ignored with a reason needs no baseline.
    leaks = [*found.leaks, *(item.leak for item in found.known if not item.reason)]
    return run.baseline.updated(leaks, found.ran)


WRITTEN = (
    Written("leaks_json", lambda: _json, is_report=True),
    Written("leaks_html", _html, is_report=True),
    Written("leaks_write_baseline", lambda: _new_baseline),
    Written("leaks_update_baseline", lambda: _updated_baseline, named_by="leaks_baseline"),
)


class _Outputs:
    """The outputs of one run, each with its file; most runs have none, and load nothing for it."""

    def __init__(self, options: Options) -> None:
        self.rows: List[Tuple[Chosen, Optional[Target]]] = []
        self._failing = options.leaks == "fail"
        self._done: List[Chosen] = []
        if not options.leaks_output:
            return
        from unittest_leakfix.leaks.report.annotations import root_of
        from unittest_leakfix.leaks.report.outputs import chosen
        self._root = root_of(START)
        try:
            for each in chosen(options.leaks_output):
                self.rows.append((each, Target(each.file) if each.file else None))
        except ValueError as error:
            raise ValueError("--leaks-output: %s" % error) from None

    def files(self) -> List[Tuple[str, Target]]:
        """Return those that are written whole, with what asks for them."""
        return [("--leaks-output=%s" % each.row.name, target) for each, target in self.rows
                if target is not None and not each.appends]

    def write(self, found: Findings, encoding: str) -> List[str]:
        """Write what was not written yet; return what is to be printed."""
        lines: List[str] = []
        for each, target in self.rows:
            if each in self._done:
                continue
            try:
                text = each.text(found, self._failing, self._root)
                if target is None:
                    lines += text.encode(encoding, "backslashreplace").decode(encoding).splitlines()
                elif each.appends:
                    target.append(text)
                else:
                    target.write(text)
                self._done.append(each)
            except Exception as error:  # nothing that an output lacks is a matter of the verdict
                lines.append("%s could not be written: %s" % (
                    each.row.name if target is None else target.name, reason(error)))
        return lines


class Files:
    """The files of one run, found at its start and written at its end, by the process that began
    it.

    Raises ValueError for a file that cannot be written, and where two are the same file.
    """

    @classmethod
    def of(cls, options: Options, baseline: Optional[suppressions.Baseline],
           **words: str) -> Optional["Files"]:
        """Return the files that *options* ask for, None for none. *words*: of `Run`."""
        if options.leaks_update_baseline and baseline is None:
            raise ValueError("--leaks-update-baseline needs --leaks-baseline=FILE, the file to be "
                             "updated")
        files = cls(Run(options, baseline, **words))
        return files if files else None

    def __init__(self, run: Run) -> None:
        self._pid = _getpid()
        self._reserve = Reserve()
        self._run, options = run, run.options
        self._written: Dict[Written, bool] = {}
        self._makers: Dict[Written, Maker] = {}
        self._targets: Dict[Written, Target] = {}
        for row in WRITTEN:
            if getattr(options, row.option) not in (None, False):
                try:
                    self._targets[row] = Target(getattr(options, row.named_by or row.option))
                except ValueError as error:
                    raise ValueError("%s: %s" % (row.command, error)) from None
                self._makers[row] = row.maker()
        self._outputs = _Outputs(options)
        read = options.leaks_baseline
        reports = [(row.command, target) for row, target in self._targets.items() if row.is_report]
        for command, target in reports + self._outputs.files():
            if read is not None and target.is_file(read):
                raise ValueError("%s would overwrite the baseline that --leaks-baseline reads "
                                 "(%s): each needs its own file" % (command, target.name))
        files = [(row.command, target) for row, target in self._targets.items()]
        for (one, target), (other, its) in combinations(files + self._outputs.files(), 2):
            if target.is_same(its):
                raise ValueError("%s and %s are the same file (%s): each needs its own"
                                 % (one, other, target.name))

    def __bool__(self) -> bool:
        return bool(self._targets or self._outputs.rows)

    def begin(self) -> None:
        """The tests are about to run: hold a descriptor for the files."""
        if self:
            self._reserve.hold()

    def write(self, found: Findings, whole: bool = True, encoding: str = "utf-8") -> List[str]:
        """Write what was *found*; what was written already is not written again.

        Without *whole* the tests did not all run, and a baseline would lack what the others leave:
        that file stays as it is. Returns a line for each that could not be written, and for a
        baseline that was updated, and the outputs that are printed, in what *encoding* can take.
        Not in a process that a test has forked.
        """
        if not self or self._pid != _getpid():
            return []
        lines = []
        held = self._reserve.release()
        for row, target in self._targets.items():
            if row in self._written:
                continue
            if not (row.is_report or whole):
                lines.append("%s was not written: the run was interrupted" % target.name)
                continue
            try:
                target.write(self._makers[row](found, self._run))
                self._written[row] = True
                if row.named_by:
                    lines.append("%s was updated" % target.name)
                elif self._run.options.leaks_only_new and not row.is_report:
                    lines.append("%s was written, with %s: commit it, and from now on only what is "
                                 "new is reported" % (
                                     target.name, count(len(found.leaks), "cause")))
            except Exception as error:  # nothing that a file lacks is a matter of the verdict
                lines.append("%s could not be written: %s%s" % (
                    target.name, reason(error), "" if held else " (%s)" % _NO_RESERVE))
        return lines + self._outputs.write(found, encoding)

    def end(self) -> None:
        """Give up what is held. Twice is once."""
        self._reserve.release()
