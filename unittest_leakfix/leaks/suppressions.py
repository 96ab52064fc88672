"""Known leaks: ignored for a reason in code, or listed in a baseline file."""

from __future__ import annotations

import fnmatch
import io
import json
import sys
import unittest
from dataclasses import replace
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from unittest_leakfix._core import redaction
from unittest_leakfix._core.code_origin import short
from unittest_leakfix._core.early import bind, later
from unittest_leakfix.leaks.model.ids import is_fixture, owner_of
from unittest_leakfix.options import Options

if TYPE_CHECKING:
    from unittest_leakfix.leaks import fingerprint
    from unittest_leakfix.leaks.model import leak as leak_model
    from unittest_leakfix.leaks.model.leak import Findings, Ignored, Known, Leak, RuleUse
else:
    fingerprint = later(globals(), "leaks.fingerprint")
    leak_model = later(globals(), "leaks.model.leak")

__unittest = True
bind(globals())

_loads = json.loads
_getframe = sys._getframe

VERSION = 2
OLD = 1
"""The version whose entries name a cause as it was called then: they are matched by kind and
test."""
_open = io.open
_dumps = json.dumps


_ignored: List[Ignored] = []


def ignore(*, reason: str, test: str = "*", **what: str) -> Ignored:
    """Make one kind of leak known, for the rest of the process: counted, but not listed.

    ``ignore(thread="mailer-*", reason="...")``: the kind, with ``_`` for a space, and the name or
    a pattern with ``*`` and ``?``, as the report's "Silence one" says it; `test`: a pattern for
    the ids of the tests it is meant for. Raises TypeError without a reason, or with more kinds
    than one. Returns what was noted, which a class may have in ``leakfix_ignore`` instead.
    """
    entry = _entry(what, reason, test, _getframe(1))
    _ignored.append(entry)
    return entry


def _entry(what: Dict[str, str], reason: str, test: str, frame: Any = None) -> Ignored:
    if len(what) != 1:
        raise TypeError("ignore() takes one kind and its name, as in "
                        "ignore(thread=\"mailer-*\", reason=\"...\"); got %s"
                        % (", ".join(sorted(what)) or "none"))
    if not isinstance(reason, str) or not reason.strip():
        raise TypeError("ignore() needs a reason that a colleague understands in a year")
    (kind, pattern), = what.items()
    where = "" if frame is None else "%s:%d" % (short(frame.f_code.co_filename), frame.f_lineno)
    return leak_model.Ignored(kind, str(pattern), test, reason, where)


def of_class(cls: type) -> List[Ignored]:
    """Return what the ``leakfix_ignore`` of *cls* and its bases make known.

    Each entry is a dict with the arguments of `ignore`, or what `ignore` returned.
    """
    found: List[Ignored] = []
    for base in cls.__mro__:
        for entry in base.__dict__.get("leakfix_ignore", ()):
            if not isinstance(entry, leak_model.Ignored):
                given = dict(entry)
                made = _entry({key: given[key] for key in given if key not in ("reason", "test")},
                              given.get("reason", ""), given.get("test", "*"))
                entry = made._replace(where="%s.leakfix_ignore" % base.__qualname__)
            found.append(entry)
    return found


def match(leak: Leak, entries: Iterable[Ignored]) -> Optional[Known]:
    """Return *leak* as known if one of *entries*, or of the calls of `ignore`, means it."""
    kind, name = leak.ignored_as, leak.name
    if name is None:
        return None
    for entry in [*entries, *_ignored]:
        # The name has no numbers any more; one that was copied from a headline may.
        if (entry.kind == kind
                and (name == entry.pattern or fnmatch.fnmatchcase(name, entry.pattern)
                     or redaction.visible(fingerprint.steady(entry.pattern)) == name)
                and any(fnmatch.fnmatchcase(test, entry.test)
                        for test in leak.tests + leak.candidates)):
            return leak_model.Known(leak, entry.reason, entry.where)
    return None


def rules_of(options: Options) -> Tuple[Ignored, ...]:
    """Return the rules of files and of the configuration, most often none.

    Raises ValueError for what makes no sense.
    """
    if not (options.leaks_suppressions or options.suppressions):
        return ()
    from unittest_leakfix.leaks import rules
    return rules.rules_of(options)


class Entry(NamedTuple):
    """One cause that is listed in a baseline."""

    kind: str
    fingerprint: str
    """What identifies it; in an entry of an older version, what it was called then."""
    tests: FrozenSet[str]
    """The ids of its tests, as they are shown."""
    old: bool
    """It is known by its kind and tests, since it has no fingerprint."""

    def means(self, leak: Leak) -> bool:
        """Tell whether *leak* is this cause."""
        if self.old:
            return leak.kind == self.kind and not self.tests.isdisjoint(_shown(leak))
        return leak.fingerprint == self.fingerprint

    def of(self, ran: Iterable[str]) -> FrozenSet[str]:
        """Return those of its tests that *ran*, and those of its fixtures whose class or module has
        a test that ran."""
        ran = frozenset(ran)
        return frozenset(test for test in self.tests if test in ran or is_fixture(test)
                         and any(each.startswith((owner_of(test) + ".", owner_of(test) + "::"))
                                 for each in ran))


class Baseline:
    """The leaks that an old suite starts with: a JSON file, by fingerprint, never by counts."""

    def __init__(self, path: str, text: Optional[str] = None) -> None:
        """Read the file *path*, or its *text* where that is known. Raises ValueError with what is
        wrong with it."""
        self.path = path
        try:
            if text is None:
                with _open(path, encoding="utf-8") as source:
                    text = source.read()
            self.text = text
            value = _loads(text)
            self.version = value["version"]
            if type(self.version) is not int or not OLD <= self.version <= VERSION:
                raise ValueError("it has version %r, this release reads %d and %d"
                                 % (self.version, OLD, VERSION))
            self._entries = [_entry_of(each, self.version) for each in value["leaks"]]
        except OSError as error:
            raise ValueError("baseline %s cannot be read: %s"
                             % (path, error.strerror or error)) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError("baseline %s is not one: %s; write it with --leaks-write-baseline %s"
                             % (path, error or "not JSON", path)) from error
        self._fingerprints = {each.fingerprint for each in self._entries if not each.old}
        self._old = [each for each in self._entries if each.old]

    def has(self, leak: Leak) -> bool:
        """Tell whether *leak* is listed."""
        return leak.fingerprint in self._fingerprints or any(each.means(leak)
                                                             for each in self._old)

    def gone(self, leaks: Sequence[Leak], ran: Iterable[str]) -> Tuple[str, ...]:
        """Return the listed causes that no longer occur, though a test of theirs *ran*."""
        ran = frozenset(map(redaction.redact_id, ran))
        return tuple(sorted(each.fingerprint for each in self._entries
                            if each.of(ran) and not any(map(each.means, leaks))))

    def compared(self, found: Findings) -> Findings:
        """Return what all workers of a run have *found*, with what is gone: only together do they
        know it."""
        return replace(found, gone=self.gone(
            [*found.leaks, *(item.leak for item in found.known)], found.ran))

    def updated(self, leaks: Sequence[Leak], ran: Iterable[str]) -> str:
        """Return the text of this baseline after a run that left *leaks*: with the new ones, and
        without those that no longer occur. What is of tests that did not run stays."""
        ran = frozenset(map(redaction.redact_id, ran))
        rest = [each._replace(tests=each.tests - each.of(ran)) for each in self._entries]
        return _text_of([*map(_listed, leaks), *(each for each in rest if each.tests)])


def _entry_of(value: Dict[str, Any], version: int) -> Entry:
    """Return the entry that is written as *value*. Raises KeyError and TypeError."""
    kind, tests = str(value["kind"]), frozenset(map(str, value["tests"]))
    if version == VERSION and "fingerprint" in value:
        return Entry(kind, str(value["fingerprint"]), tests, False)
    cause = str(value["cause"])
    return Entry(kind, cause if cause.startswith(kind) else "%s: %s" % (kind, cause), tests, True)


def _shown(leak: Leak) -> FrozenSet[str]:
    return frozenset(map(redaction.redact_id, (leak.left_by, *leak.tests)))


def _listed(leak: Leak) -> Entry:
    return Entry(leak.kind, leak.fingerprint, _shown(leak), False)


def baseline_text(leaks: Iterable[Leak]) -> str:
    """Return the *leaks* of a run as the text of a baseline file."""
    return _text_of(map(_listed, leaks))


def _text_of(entries: Iterable[Entry]) -> str:
    tests: Dict[Tuple[str, str, bool], FrozenSet[str]] = {}
    for each in entries:
        key = each.kind, each.fingerprint, each.old
        tests[key] = tests.get(key, frozenset()) | each.tests
    listed = [{"kind": kind, "cause" if old else "fingerprint": name, "tests": sorted(tests[key])}
              for key in sorted(tests) for kind, name, old in [key]]
    text = _dumps({"version": VERSION, "leaks": listed}, indent=1, ensure_ascii=False)
    return "\n".join(map(_escaped, text.split("\n"))) + "\n"


def _escaped(line: str) -> str:
    """Return a line of JSON with its invisible characters as JSON's escapes, which mean the
    same."""
    return line if line.isprintable() else "".join(
        char if char.isprintable() else _dumps(char)[1:-1] for char in line)


# Which leaks are reported: not those of failing tests, nor what is ignored or in the baseline.


class ReportedLeaks:
    """The leaks of a run, as they come in, those that are known apart."""

    def __init__(self, baseline: Optional[Baseline], report_failed: bool,
                 result: Optional[unittest.TestResult] = None,
                 rules: Sequence[Ignored] = ()) -> None:
        """*report_failed*: the leaks of failing tests are reported too; *result* tells which have
        failed. *rules*: the suppressions of files."""
        self.rules = rules
        self.leaks: List[Leak] = []
        self.known: List[Known] = []
        self.hidden: List[Leak] = []        # those of failing tests
        self.failed: Set[str] = set()       # tests that failed
        self.entries: Callable[[Leak], List[Ignored]] = _class_entries
        """Returns what is known of a leak where its test is written."""
        self._baseline = baseline
        self._report_failed = report_failed
        self._lists = [each for each in (getattr(result, "failures", None),
                                         getattr(result, "errors", None)) if isinstance(each, list)]
        self._count = 0

    @property
    def old_baseline(self) -> str:
        """The path of the baseline, if that has an older version; "" if not."""
        return self._baseline.path if self._baseline is not None and (
            self._baseline.version != VERSION) else ""

    def mark(self) -> None:
        """Take note of what has failed so far: fixtures came between."""
        self._count = sum(map(len, self._lists))

    def ended(self, test: str) -> str:
        """Look whether *test*, which has just ended, failed: then return what was said of it."""
        count = sum(map(len, self._lists))
        if count == self._count:
            return ""
        self.failed.add(test)
        self._count = count
        texts = [each[-1][1] for each in self._lists if each and len(each[-1]) > 1]
        return "\n".join(each for each in texts if type(each) is str)

    def take(self, leaks: List[Leak]) -> List[Leak]:
        """Take the leaks of a class that is over; return those that are not known.

        Raises what `of_class` raises for a ``leakfix_ignore`` that is none.
        """
        reported: List[Leak] = []
        for leak in leaks:
            hidden = self._hides(leak)
            entry = match(leak, [*self.entries(leak), *self.rules])
            if entry is not None:
                self.known.append(entry)
            elif self._baseline is not None and self._baseline.has(leak):
                self.known.append(leak_model.Known(leak, "", self._baseline.path))
            elif hidden:
                self.hidden.append(leak)
            else:
                reported.append(leak)
        self.leaks += reported
        return reported

    def rules_used(self) -> Tuple[RuleUse, ...]:
        """Return the rules of files, with what they made known."""
        if not self.rules:
            return ()
        from unittest_leakfix.leaks import rules
        return rules.uses(self.rules, self.known)

    def _hides(self, leak: Leak) -> bool:
        """Tell whether *leak* is only counted: a failing test left it, and no later test met it."""
        return (not self._report_failed and bool(leak.tests) and leak.tests[0] in self.failed
                and not any(label == leak_model.MET for label, _ in leak.notes))

    def gone(self, leaks: List[Leak], ran: Set[str]) -> Tuple[str, ...]:
        """Return the causes in the baseline that did not occur, though their tests *ran*."""
        if self._baseline is None:
            return ()
        return self._baseline.gone(leaks + [item.leak for item in self.known], ran)


def _class_entries(leak: Leak) -> List[Ignored]:
    module, _, cls = owner_of(leak.left_by).rpartition(".")
    found = getattr(sys.modules.get(module), cls, None)
    return of_class(found) if isinstance(found, type) else []
