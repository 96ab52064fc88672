"""Findings as annotations: of each cause a title, a text, and the one line of a file that it is
shown at. What the outputs for CI systems are made of.
"""
from __future__ import annotations

import hashlib
import os
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.code_origin import START
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.ids import is_node_id, method_of, owner_of, within_owner
from unittest_leakfix.leaks.model.kinds import count, rank
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak, merge
from unittest_leakfix.leaks.report.describe import described
from unittest_leakfix.leaks.report.terminal import Style
from unittest_leakfix.leaks.report.text_report import Blocks, header, is_of_test
from unittest_leakfix.leaks.report.user_code import Site

__unittest = True
bind(globals())

_abspath, _dirname, _exists, _isfile, _join, _relpath = (
    os.path.abspath, os.path.dirname, os.path.exists, os.path.isfile, os.path.join,
    os.path.relpath)
_open = open
_sha256 = hashlib.sha256

_VCS = (".git", ".hg", ".svn")
_WIDTH = 100
_LONGEST_SOURCE = 1 << 20


class Place(NamedTuple):
    """A line of a file."""

    file: str
    """Relative to the repository, with slashes."""
    line: int


class Annotation(NamedTuple):
    """One cause, as a CI system shows it. All text is on one line, without secrets and control
    characters, but for ``text``, which has several such lines."""

    kind: str
    title: str
    text: str
    remedy: str
    tests: Tuple[str, ...]
    owner: str
    """The class or module of the test that left it."""
    name: str
    """The name of that test or fixture in there."""
    place: Optional[Place]
    """The line of the test or fixture where that is known, since advice goes there; else the
    innermost line of the user's. None where there is none in the repository."""
    others: Tuple[Place, ...]
    """Further lines of the user's that led to it."""
    identity: str
    """The same in each run, and another for each cause of one run."""
    reason: str = ""
    """Why it is known: "" for what is reported."""


class Report(NamedTuple):
    """What an output is made of."""

    annotations: Tuple[Annotation, ...]
    """Of what is reported, in the report's order."""
    known: Tuple[Annotation, ...]
    headline: str
    """What the text report begins with: "LEAKS  3 causes in ..."; "" for none."""
    tests: int
    failing: bool
    """Leaks are failures in this run."""
    more: int
    failed: int


def root_of(folder: str) -> str:
    """Return the root of the repository that *folder* is in; *folder* itself without one."""
    here = _abspath(folder)
    while not any(_exists(_join(here, name)) for name in _VCS):
        above = _dirname(here)
        if above == here:
            return _abspath(folder)
        here = above
    return here


def report_of(findings: Findings, failing: bool = False, root: str = "",
              start: str = START) -> Report:
    """Return *findings* as annotations.

    *root*: the folder of the repository, by default that of *start*, the folder of the run.
    """
    findings = merge([described(findings)])     # known leaks come one by one
    leaks = sorted(findings.leaks, key=rank)
    places = _Places(root or root_of(start), start)
    style = Style(width=_WIDTH, root=start)
    known = [Known(*item) for item in findings.known]
    blocks = Blocks(style, False, [*leaks, *(item.leak for item in known)])
    taken: Dict[str, int] = {}
    found = [_annotation(leak, blocks, places, taken) for leak in leaks]
    hidden = [_annotation(item.leak, blocks, places, taken)._replace(
        reason=style.plain(item.reason or "listed in %s" % item.where)) for item in known]
    return Report(tuple(found), tuple(hidden),
                  header(findings, leaks, blocks) if leaks or findings.more else "",
                  findings.tests, failing, findings.more, findings.failed)


def _annotation(leak: Leak, blocks: Blocks, places: "_Places", taken: Dict[str, int]) -> Annotation:
    style = blocks.style
    lines = [line[4:] if line.startswith("    ") else line for line in blocks.block(0, leak)[1:]]
    tests = tuple(style.test(test) for test in leak.tests or leak.candidates)
    found = list(dict.fromkeys(places.of(leak)))
    return Annotation(
        leak.kind, style.plain(leak.subject), "\n".join([style.plain(leak.subject), *lines]),
        style.plain(leak.remedy), tests, style.test(owner_of(leak.left_by)),
        style.test(within_owner(leak.left_by)), found[0] if found else None, tuple(found[1:]),
        _identity(leak.fingerprint, taken))


def _identity(fingerprint: str, taken: Dict[str, int]) -> str:
    """Return a digest of the *fingerprint*; the second cause that has the same gets another."""
    taken[fingerprint] = number = taken.get(fingerprint, 0) + 1
    return digest(fingerprint if number == 1 else "%s #%d" % (fingerprint, number))


def digest(fingerprint: str) -> str:
    """Return what stands for a fingerprint where that has to be short and plain."""
    return str(_sha256(fingerprint.encode("utf-8", "backslashreplace")).hexdigest())


def counted(report: Report) -> str:
    """Return "3 causes in 2,041 tests"."""
    return "%s in %s" % (count(len(report.annotations), "cause"), count(report.tests, "test"))


_PLACE = re.compile(r"(.+):(\d+)\Z", re.DOTALL)


class _Places:
    """Finds the lines that leaks are shown at."""

    def __init__(self, root: str, start: str) -> None:
        self._root, self._start = root, start
        self._sources: Dict[str, List[str]] = {}

    def of(self, leak: Leak) -> Iterator[Place]:
        """Yield the lines of the repository that led to *leak*, the one to be shown first."""
        acquisition = leak.acquisition
        frames = list(acquisition.frames) if acquisition is not None else []
        test = acquisition.test if acquisition is not None else ""
        frames.sort(key=lambda frame: not is_of_test(frame, test))
        found = [self._place(frame.file, frame.line) for frame in frames]
        if leak.chain is not None:
            found += map(self._text, (step.place for step in leak.chain.steps[::-1]))
        if leak.left_by:
            found += [self._text(Site(leak.left_by).place), self._written(leak.left_by)]
        for place in found:
            if place is not None:
                yield place

    def _text(self, text: str) -> Optional[Place]:
        match = _PLACE.match(text or "")
        return self._place(match.group(1), int(match.group(2))) if match else None

    def _place(self, file: str, line: int) -> Optional[Place]:
        """Return a line as a place; None for a file that is not in the repository."""
        path = _join(self._start, file)
        if not _isfile(path):
            return None
        try:
            name = _relpath(path, self._root).replace(os.sep, "/")
        except ValueError:      # another drive of Windows
            return None
        return None if name.startswith("../") else Place(name, max(int(line), 1))

    def _written(self, test: str) -> Optional[Place]:
        """Return where a test is written, by its id alone: of a report that another process
        made."""
        owner, name = owner_of(test), method_of(test)
        for file, rest in _files_of(owner):
            path = _join(self._start, *file.split("/"))
            if _isfile(path):
                return self._place(path, self._line(path, rest, name))
        return None

    def _line(self, path: str, cls: str, name: str) -> int:
        """Return the line that begins the method *name* of the class *cls*; the next best one that
        there is."""
        if path not in self._sources:
            try:
                with _open(path, encoding="utf-8", errors="replace") as file:
                    self._sources[path] = file.read(_LONGEST_SOURCE).splitlines()
            except OSError:
                self._sources[path] = []
        found, inside = 1, not cls
        head = re.compile(r"\s*class\s+%s\b" % re.escape(cls))
        method = re.compile(r"\s*(?:async\s+)?def\s+%s\b" % re.escape(name))
        for number, line in enumerate(self._sources[path], 1):
            if cls and head.match(line):
                found, inside = number, True
            elif inside and method.match(line):
                return number
        return found


def _files_of(owner: str) -> Iterator[Tuple[str, str]]:
    """Yield the files that a class or module of this name may be written in, and the class's."""
    if is_node_id(owner) or owner.endswith(".py"):
        file, _, cls = owner.partition("::")
        yield file, cls.rpartition("::")[2]
        return
    parts = owner.split(".")
    for number in range(len(parts), 0, -1):
        yield "/".join(parts[:number]) + ".py", parts[number] if number < len(parts) else ""


def one_line(text: str) -> str:
    """Return what an annotation says, on one line."""
    return redaction.line(" ".join(text.split()), 1000)
