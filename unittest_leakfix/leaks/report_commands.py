"""The commands for reports that are there: ``compare OLD.json NEW.json``, ``merge FILE.json``."""
from __future__ import annotations

import argparse
import glob
import os
import sys
from dataclasses import replace
from typing import Any, Dict, List, Sequence

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks import report_files
from unittest_leakfix.leaks.model.leak import Findings, merge
from unittest_leakfix.leaks.report import comparison, json_report, text_report
from unittest_leakfix.leaks.report.whole_file import reason, shown
from unittest_leakfix.options import Options, path

__unittest = True
bind(globals())

# The exit status.
FINE, WORSE, FAULT = 0, 1, 2

_COMPARE = """\
Compare two reports of --leaks-json by the fingerprints of their causes: what is new, what is gone,
and what has grown: more tests have it, or it keeps a tenth and 100 kB more.
"""
_MERGE = """\
Put several reports of --leaks-json together: the shards of a suite, or the jobs of a CI matrix. A
cause that several have is one, and says in which it was found; tests are added up.
"""
_STATUS = """\
exit status: 0 nothing is new or has grown; 1 something is; 2 wrong arguments, or a file that cannot
  be read
A test module of the name "compare" is run by: python -m unittest_leakfix compare.py
"""
_MERGE_STATUS = """\
exit status: 0; 1 with --fail, where there is a cause; 2 wrong arguments, or a file that cannot be
  read or written
A test module of the name "merge" is run by: python -m unittest_leakfix merge.py
"""


def _parser(name: str, description: str, epilog: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="python -m unittest_leakfix " + name, description=description, epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)


def compare(arguments: Sequence[str]) -> int:
    """Run the command ``compare`` with these *arguments*, and return its exit status."""
    parser = _parser("compare", _COMPARE, _STATUS)
    parser.add_argument("old", metavar="OLD.json")
    parser.add_argument("new", metavar="NEW.json")
    parser.add_argument("--markdown", action="store_true",
                        help="print Markdown, for a comment or the summary of a job")
    given = parser.parse_args(list(arguments))
    try:
        old, new = _read(given.old), _read(given.new)
    except ValueError as error:
        return _refuse(error)
    compared = comparison.compare(old, new)
    if given.markdown:
        _print(comparison.as_markdown(old, new))
    else:
        _print(comparison.as_text(compared, (given.old, given.new),
                                  text_report.style_for(sys.stdout)))
    return WORSE if compared.worse else FINE


def merged(arguments: Sequence[str]) -> int:
    """Run the command ``merge`` with these *arguments*, and return its exit status."""
    parser = _parser("merge", _MERGE, _MERGE_STATUS)
    parser.add_argument("files", metavar="FILE.json", nargs="+")
    rows = [row for row in report_files.WRITTEN if row.is_report]
    for row in rows:
        form = row.option.rpartition("_")[2]
        parser.add_argument("--" + form, dest=row.option, metavar="FILE", type=path,
                            help="write the whole as %s" % form.upper())
    parser.add_argument("--output", dest="leaks_output", metavar="NAME[:FILE]", action="append",
                        help="as --leaks-output, also more than once")
    parser.add_argument("--stacks", action="store_true",
                        help="show whole stacks, chains and lists of tests")
    parser.add_argument("--fail", action="store_true", help="exit with 1 where there is a cause")
    given = parser.parse_args(list(arguments))
    chosen = {row.option: getattr(given, row.option) for row in rows}
    try:
        found = merge(_parts(given.files))
        files = report_files.Files(report_files.Run(Options(
            leaks="fail" if given.fail else "report", leaks_output=given.leaks_output, **chosen)))
    except ValueError as error:
        return _refuse(error)
    style = text_report.style_for(sys.stdout)
    _print(text_report.render(found, style, stacks=given.stacks, verbose=True, failing=True))
    faults = 0
    for line in files.write(found, encoding=style.encoding):
        _print(line + "\n")
        faults += "could not be written" in line
    if faults:
        return FAULT
    return WORSE if given.fail and found.leaks else FINE


def _parts(names: Sequence[str]) -> List[Findings]:
    """Return the reports of these files, each with a name of its own."""
    files: Dict[str, Any] = {}
    for name in names:
        # No shell of Windows does it.
        some = glob.glob(name) if "*" in name and not os.path.exists(name) else [name]
        files.update((each, None) for each in sorted(some) or [name])
    stems = [os.path.splitext(os.path.basename(name))[0] for name in files]
    unique = len(set(stems)) == len(stems)
    parts = []
    for name, stem in zip(files, stems):
        part = _read(name)
        if len(files) > 1:
            worker = stem if unique else shown(name)
            part = replace(part, worker="%s %s" % (worker, part.worker) if part.worker else worker)
        parts.append(part)
    return parts


def _read(name: str) -> Findings:
    """Return the report in a file. Raises ValueError, whose text names the file."""
    try:
        return json_report.load(name)
    except OSError as error:
        raise ValueError("%s cannot be read: %s" % (shown(name), reason(error))) from None
    except (ValueError, RecursionError) as error:
        raise ValueError("%s: %s" % (shown(name), reason(error))) from None


def _print(text: str) -> None:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _refuse(error: Exception) -> int:
    sys.stderr.write("error: %s\n" % error)
    return FAULT
