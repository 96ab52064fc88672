"""The command ``python -m unittest_leakfix fix REPORT.json``: its remedies, typed into the test
files."""
from __future__ import annotations

import argparse
import difflib
import io
import os
import sys
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.fix import edits as edits_of
from unittest_leakfix.fix.mending import ByHand, edits_for
from unittest_leakfix.leaks.model.kinds import rank
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.report import json_report, whole_file
from unittest_leakfix.leaks.report.whole_file import reason, shown

__unittest = True
bind(globals())

# The exit status.
DONE, NOTHING, FAULT = 0, 1, 2

_DESCRIPTION = """\
Type the remedies of a report ("in your code: ...") into the test files: as a patch on standard
output, or, with --write, into the files. Each stands where the report says that the thing was
opened, with the imports that it needs. What wants judgement is listed, and left to you.

  python -m unittest_leakfix --leaks-json=leaks.json discover
  python -m unittest_leakfix fix leaks.json              the patch
  python -m unittest_leakfix fix leaks.json --write      the files
"""
_EPILOG = """\
exit status: 0 there is something to type; 1 there is nothing; 2 wrong arguments, or a file that
  cannot be read or written
A file that was changed after the report was made is left alone: run the tests again.
A test module of the name "fix" is run by: python -m unittest_leakfix fix.py
"""


class Mended(NamedTuple):
    """One file: as it is, as it is to be, and how many causes that ends."""

    path: str
    before: str
    after: str
    causes: int
    encoding: str


def main(arguments: Sequence[str]) -> int:
    """Run the command with these *arguments*, and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m unittest_leakfix fix", description=_DESCRIPTION, epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("report", metavar="REPORT.json", help="what --leaks-json has written")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--diff", action="store_true",
                     help="print a patch, which git apply and patch -p1 take (the default)")
    how.add_argument("--write", action="store_true", help="change the files")
    given = parser.parse_args(list(arguments))
    try:
        found = json_report.load(given.report)
        written_at = os.stat(given.report).st_mtime
    except (OSError, ValueError) as error:
        sys.stderr.write("error: %s cannot be read: %s\n" % (shown(given.report), reason(error)))
        return FAULT
    mended, left = mend(found.leaks, written_at)
    faults = 0
    for each in mended:
        if given.write:
            faults += not _write(each)
        else:
            sys.stdout.write(_patch(each))
    sys.stdout.flush()
    sys.stderr.write(_summary(mended, left, len(found.leaks), given))
    if faults:
        return FAULT
    return DONE if mended else NOTHING


def mend(leaks: Sequence[Leak], written_at: float) -> Tuple[List[Mended], List[Tuple[int, Leak,
                                                                                     str]]]:
    """Return the files that change, and the leaks that are left to a person, each with its number
    in the report and the reason.

    *written_at*: when the report was written, in seconds since the epoch.
    """
    by_file: Dict[str, List[Tuple[int, Leak]]] = {}
    left = []
    numbers = {id(leak): number for number, leak in enumerate(sorted(leaks, key=rank), 1)}
    for leak in leaks:
        number = numbers[id(leak)]
        if leak.ends is None or leak.ends.site is None:
            left.append((number, leak, ""))
        else:
            by_file.setdefault(leak.ends.site.file, []).append((number, leak))
    mended = []
    for path, some in by_file.items():
        try:
            made, others = _mend(path, some, written_at)
        except ByHand as why:
            left += [(number, leak, str(why)) for number, leak in some]
            continue
        if made is not None:
            mended.append(made)
        left += others
    return mended, sorted(left, key=lambda each: each[0])


def _mend(path: str, leaks: List[Tuple[int, Leak]], written_at: float
          ) -> Tuple[Optional[Mended], List[Tuple[int, Leak, str]]]:
    text, encoding = _read(path, written_at)
    edits: List[object] = []
    left = []
    causes = 0
    for number, leak in leaks:
        assert leak.ends is not None
        try:
            more = edits_for(text, leak.ends, _is_made_there(leak))
            after = edits_of.applied(text, edits + more)
            compile(after, path, "exec", 0, True)
        except ByHand as why:
            left.append((number, leak, str(why)))
        except (ValueError, SyntaxError) as error:
            left.append((number, leak, "it does not fit beside another one: %s" % error))
        else:
            edits += more
            causes += 1
    if not edits:
        return None, left
    return Mended(path, text, edits_of.applied(text, edits), causes, encoding), left


def _is_made_there(leak: Leak) -> bool:
    """Tell whether the remedy belongs to the very line that opened, started or made it."""
    made, site = leak.user_line, leak.ends.site if leak.ends is not None else None
    return made is None or site is None or (made.file, made.line) == (site.file, site.line)


def _read(path: str, written_at: float) -> Tuple[str, str]:
    try:
        if os.stat(path).st_mtime > written_at:
            raise ByHand("%s was changed after the report was made" % shown(path))
        import tokenize
        with open(path, "rb") as file:
            encoding = tokenize.detect_encoding(file.readline)[0]
        with io.open(path, encoding=encoding, newline="") as source:
            return source.read(), encoding
    except (OSError, SyntaxError, UnicodeError) as error:
        raise ByHand("%s cannot be read: %s" % (shown(path), reason(error))) from error


def _write(mended: Mended) -> bool:
    try:
        whole_file.write_bytes(mended.path, mended.after.encode(mended.encoding))
    except (OSError, UnicodeError) as error:
        sys.stderr.write("error: %s could not be written: %s\n" % (
            shown(mended.path), reason(error)))
        return False
    return True


def _patch(mended: Mended) -> str:
    name = mended.path.replace(os.sep, "/")
    lines = difflib.unified_diff(
        mended.before.splitlines(True), mended.after.splitlines(True), "a/" + name, "b/" + name)
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"
                   for line in lines)


def _summary(mended: List[Mended], left: List[Tuple[int, Leak, str]], total: int,
             given: argparse.Namespace) -> str:
    """Return what is said of it on standard error."""
    causes = sum(each.causes for each in mended)
    files = len(mended)
    if not total:
        return "no leaks: nothing is to be typed\n"
    lines = []
    if mended:
        lines.append("%d of %d %s in %d %s: %s" % (
            causes, total, "cause" if total == 1 else "causes", files,
            "file" if files == 1 else "files",
            "written; run the tests again" if given.write
            else "python -m unittest_leakfix fix %s --write writes it" % shown(given.report)))
    if left:
        lines.append("by hand:")
    for number, leak, why in left:
        lines.append("  [%d] %s" % (number, leak.subject))
        if leak.remedy:
            lines.append("      %s" % leak.remedy)
        if why:
            lines.append("      (%s)" % why)
    return "".join(line + "\n" for line in lines)
