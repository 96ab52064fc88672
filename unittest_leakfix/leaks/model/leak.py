"""The values between judgement and reports: a leak, and all that one run found."""
from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    FrozenSet,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model import timeline as timeline_model
from unittest_leakfix.leaks.model.ids import owner_of

if TYPE_CHECKING:
    from unittest_leakfix.leaks.model.chain import Chain
    from unittest_leakfix.leaks.model.remedy import Remedy
    from unittest_leakfix.leaks.model.seen import Seen
    from unittest_leakfix.tracing.acquisitions import Acquisition
    from unittest_leakfix.tracing.stacks import Frame

__unittest = True
bind(globals())

WORKER = "in worker"
MET = "met by"
"""The label of the note that names the test that ran next, and met what a failing test left."""
READ = "read by"
"""The label of the note that names a failing test that reads what was changed before it."""


@dataclass(frozen=True)
class Leak:
    """A survivor or an open resource that tests left behind. All text: it holds nothing it speaks
    of."""

    kind: str
    """What it is: "kept test", "connection", "thread", ... (kinds.KINDS lists them)."""
    subject: str
    """The headline: "OrderTests.test_checkout was kept after it finished". This, the notes,
    ``closed`` and ``remedy`` are sentences, which the report makes of what was ``seen``."""
    tests: Tuple[str, ...] = ()
    """Ids of all tests that are known to have this cause, in order of running. The first is the one
    described."""
    size: int = 0
    """Bytes that only it holds, over all its tests; 0 when unknown."""
    chain: Optional[Chain] = None
    """The references from a root that keep it."""
    holding: Tuple[Tuple[str, str, int], ...] = ()
    """Name, type and bytes of what it keeps in turn, heaviest first."""
    acquisition: Optional[Acquisition] = None
    """Where it was opened, started or made."""
    notes: Tuple[Tuple[str, str], ...] = ()
    """Further labelled lines: ("now at", "shop/mail.py:61 in _loop"), ("was", "..."), ("is",
    "...")."""
    closed: str = ""
    """What was done about it: "closed for you: nothing else referred to it"."""
    remedy: str = ""
    """The one line for the user's own code: "self.addCleanup(self.db.close)"."""
    silence: str = ""
    """What ``ignore`` takes to silence it: 'thread="mailer-1"'."""
    growth: int = 0
    """For what grows test after test: by how many, over all its tests."""
    cause: str = ""
    """The key for grouping, and its fingerprint but for the kind: names only, never counts, ids,
    addresses, random names or temporary paths."""
    name: Optional[str] = field(default=None, compare=False, repr=False)
    """What the patterns of ``ignore`` are compared with: "mailer-1". ``silence`` is made of it."""
    ends: Optional[Remedy] = field(default=None, compare=False, repr=False)
    """What ``remedy`` is the text of; None where that is all there is."""
    candidates: Tuple[str, ...] = ()
    """Ids of the tests and fixtures of which one left it, where the process was not looked at after
    each of them. None of them is in ``tests``."""
    seen: Optional[Seen] = field(default=None, compare=False, repr=False)
    """What is still to be put into sentences; None where that was done."""

    @property
    def left_by(self) -> str:
        """The id of the first test with this cause; where none is known, "class (...)" or "module
        (...)" for what all candidates are in."""
        if self.tests or not self.candidates:
            return self.tests[0] if self.tests else ""
        owner = owner_of(self.candidates[0])
        return "%s (%s)" % ("module" if owner.endswith(".py") else "class", owner)

    @property
    def user_line(self) -> Optional[Frame]:
        """The line of the user's that opened, started or made it: the innermost one that is not of
        the standard library or an installed package, where there is one. The report leads with
        it."""
        return self.acquisition.frames[0] if self.acquisition and self.acquisition.frames else None

    @property
    def fingerprint(self) -> str:
        """The text that identifies its cause, the same in each run and in each worker."""
        cause = self.cause or self.subject
        return cause if cause.startswith(self.kind) else "%s: %s" % (self.kind, cause)

    @property
    def ignored_as(self) -> str:
        """By which keyword ``ignore`` takes the name of one: the kind, with ``_`` for a space."""
        return re.sub(r"\W+", "_", self.kind)

    @property
    def rule(self) -> str:
        """The rule of a file of suppressions that makes it known, but for its reason; "" for
        none."""
        if self.name is None:
            return self.silence
        return "%s=%s" % (self.ignored_as, quoted(self.name))

    def __post_init__(self) -> None:
        name = self.subject.partition(
            '"')[2].partition('"')[0] if self.kind == "environment" else ""
        notes = tuple((label, redaction.redact(text, name if label in ("was", "is") else ""))
                      for label, text in self.notes)
        # Frozen: object.__setattr__ is the documented way for __post_init__ to set a field.
        object.__setattr__(self, "notes", notes)
        object.__setattr__(self, "subject", redaction.shown(self.subject, redaction.LONGEST))
        for name in ("closed", "remedy"):
            object.__setattr__(self, name, redaction.redact(getattr(self, name)))
        object.__setattr__(self, "holding", tuple((redaction.redact(name), kind, size)
                                                  for name, kind, size in self.holding))
        if self.name is not None:
            object.__setattr__(self, "name", redaction.visible(redaction.redact(self.name)))
            object.__setattr__(
                self, "silence", self.silence or '%s="%s"' % (self.ignored_as, self.name)
            )
        # Keys, which baselines and suppressions compare: redacted at once and everywhere alike,
        # and whole.
        object.__setattr__(self, "cause", redaction.visible(redaction.redact(self.cause)))
        object.__setattr__(self, "silence", redaction.visible(redaction.redact(self.silence)))


def quoted(text: str) -> str:
    """Return *text* in the quotes of a rule, where a backslash stands for the quote or backslash
    after it only."""
    if '"' in text and "'" not in text and "\\" not in text:
        return "'%s'" % text
    return '"%s"' % re.sub(r'\\(?=["\'\\]|\Z)|"', r"\\\g<0>", text)


def like(leak: Leak, **other: Any) -> Leak:
    """Return a leak that differs from *leak* in some fields, none of them text that may hold a
    secret: without looking all of it through once more."""
    twin = object.__new__(Leak)
    twin.__dict__.update(leak.__dict__, **other)
    return twin


class RecordedChange(NamedTuple):
    """One place of the application's state that tests have changed, whether that is a leak or
    not."""

    place: str
    """Its expression: "shop.settings.DEBUG"."""
    tests: Tuple[str, ...] = ()
    """Ids of the tests that are known to have changed it, in order of running."""
    candidates: Tuple[str, ...] = ()
    """Ids of the tests of which one has, where the place was not looked at after each of them."""


class Known(NamedTuple):
    """A known leak: ignored for a reason, or (reason "") listed in the baseline file
    ``where``."""

    leak: Leak
    reason: str
    where: str


class Ignored(NamedTuple):
    """One call of ``ignore``, or one rule: the kind and pattern, the tests it is meant for, why,
    and where."""

    kind: str
    pattern: str
    test: str
    reason: str
    where: str


class RuleUse(NamedTuple):
    """A rule of a file or of the configuration that makes leaks known, and whether it did."""

    rule: str
    """As it is written, with its reason."""
    where: str
    """Its file and line."""
    used: int
    """How many leaks it made known."""
    meant: str = ""
    """The kind that it perhaps means, where its own is none."""


@dataclass(frozen=True)
class Overhead:
    """What finding cost of one run, by its own account, and what was left out for it."""

    seconds: float = 0.0
    """Of processor time."""
    share: float = 0.0
    """Of the time that the tests took."""
    phases: Tuple[Tuple[str, float], ...] = ()
    """The seconds of each: following tests, noting their changes, looking at classes, collecting
    the heap, explaining."""
    explanations: int = 0
    scans: int = 0
    """Of the heap, for holders."""
    deferred: int = 0
    """Explanations that had to wait for the end of the run."""
    skipped: int = 0
    """Looks at a class, or of one monitor at one, that were left to the next class."""
    untraced: int = 0
    """Objects whose holder was not looked for to the end."""
    unlooked: int = 0
    """Tests after which the process was not looked at, but after one of the next."""
    uncounted: int = 0
    """Tests after which objects were not counted, but after one of the next."""


@dataclass(frozen=True)
class Findings:
    """What a whole run, or one worker of it, found."""

    leaks: Tuple[Leak, ...] = ()
    known: Tuple[Known, ...] = ()
    gone: Tuple[str, ...] = ()
    """Causes in the baseline that no longer occur."""
    tests: int = 0
    """How many tests ran."""
    unmeasured: Tuple[Tuple[str, str], ...] = ()
    """Test id and why it could not be measured."""
    more: int = 0
    """Survivors that were counted but, for their number, not described."""
    worker: str = ""
    """The name of the process of a parallel run, "" for the only one."""
    failed: int = 0
    """Causes that only failing tests left, which are not shown by default."""
    old_baseline: str = ""
    """The path of the baseline that was read, if that has an older version."""
    ran: FrozenSet[str] = frozenset()
    """Ids of the tests that ran, where there is a baseline. Not in JSON."""
    overhead: Optional[Overhead] = None
    """What finding cost; None where nobody measured it."""
    state: Tuple[RecordedChange, ...] = ()
    """What tests have changed of the application's state, reported or not."""
    timeline: Optional[timeline_model.Timeline] = None
    """What each test took, where that was asked for."""
    rules: Tuple[RuleUse, ...] = ()
    """The suppressions of files, used or not."""


def group(leaks: Iterable[Leak]) -> List[Leak]:
    """Merge leaks of one cause: the first is kept, with everyone's tests, sizes and growths. Order
    stays.

    What was opened on two lines is two causes. What one line has assigned to several attributes,
    such as both ends of a pair, is one.
    """
    causes: Dict[Tuple[object, ...], List[Leak]] = {}
    targets: Dict[Tuple[object, ...], str] = {}
    for leak in leaks:
        if _is_target(leak):
            frames = leak.acquisition.frames if leak.acquisition is not None else ()
            cause = targets.setdefault((leak.kind, leak.tests, frames), leak.cause)
            leak = replace(leak, cause=cause) if cause != leak.cause else leak
        opened = leak.acquisition.frames[:1] if leak.acquisition is not None else ()
        line = opened[0].line if opened else 0
        causes.setdefault((leak.kind, leak.cause or leak.subject, line), []).append(leak)
    return [_joined(same) for same in causes.values()]


def _is_target(leak: Leak) -> bool:
    """Tell whether the line that opened it has the attribute in it as which it was found, and
    closed."""
    seen: Any = leak.seen
    reached = getattr(seen, "reached", "") if getattr(seen, "was_closed", False) else ""
    code = leak.cause.partition(" by `")[2]
    return bool(reached and code and re.search(r"(?<![\w.])%s(?![\w.])" % re.escape(reached), code))


def interrupted(found: Findings) -> Findings:
    """Return what was *found* in a run that did not come to its end."""
    return replace(found, unmeasured=(*found.unmeasured, ("this run", "it was interrupted")))


def by_test(leaks: Iterable[Leak]) -> Dict[str, List[Leak]]:
    """Return the leaks of each test, by its id: the first of those that a leak names, or what
    stands for its candidates."""
    found: Dict[str, List[Leak]] = {}
    for leak in leaks:
        found.setdefault(leak.left_by, []).append(leak)
    return found


def _joined(same: Sequence[Leak]) -> Leak:
    if len(same) == 1:
        return same[0]
    tests = dict.fromkeys(test for leak in same for test in leak.tests)
    candidates = dict.fromkeys(test for leak in same for test in leak.candidates
                               if test not in tests)
    return replace(same[0], tests=tuple(tests), candidates=tuple(candidates),
                   size=sum(leak.size for leak in same),
                   growth=sum(leak.growth for leak in same), notes=_with_workers(same),
                   seen=_with_others(same))


def _with_others(same: Sequence[Leak]) -> Any:
    """Return what was seen of the first, with how the test reaches others that the line opened."""
    seen: Any = same[0].seen
    reached = getattr(seen, "reached", "")
    if not reached:
        return seen
    others = dict.fromkeys(getattr(leak.seen, "reached", "") for leak in same[1:_MOST_ENDED]
                           if leak.tests[:1] == same[0].tests[:1])
    return seen._replace(others=tuple(each for each in others if each and each != reached))


_MOST_ENDED = 6


def _with_workers(same: Sequence[Leak]) -> Tuple[Tuple[str, str], ...]:
    """Return the first one's notes, with the workers of all."""
    workers = dict.fromkeys(text for leak in same for label, text in leak.notes if label == WORKER)
    notes = tuple(note for note in same[0].notes if note[0] != WORKER)
    return notes + (((WORKER, ", ".join(workers)),) if workers else ())


def merge(parts: Iterable[Findings]) -> Findings:
    """Return the findings of parallel workers as one, the same whichever worker reported first.

    A baseline entry is gone when no worker met it any more; where they know which tests ran, ask
    the baseline. Of several workers each leak says in which it was found.
    """
    ordered = sorted(parts, key=lambda part: (_natural(part.worker), part.worker))
    if len(ordered) > 1:
        ordered = [replace(part, leaks=tuple(_of_worker(leak, part.worker) for leak in part.leaks))
                   for part in ordered]
    known: Dict[Tuple[str, str, str, str], List[Known]] = {}
    for part in ordered:
        for item in part.known:
            leak, reason, where = item
            known.setdefault((leak.kind, leak.cause or leak.subject, reason, where),
                             []).append(Known(*item))
    return Findings(
        leaks=tuple(group(leak for part in ordered for leak in part.leaks)),
        known=tuple(same[0]._replace(leak=_joined([item.leak for item in same]))
                    for same in known.values()),
        gone=_in_all([part.gone for part in ordered]),
        tests=sum(part.tests for part in ordered),
        unmeasured=tuple(dict.fromkeys(item for part in ordered for item in part.unmeasured)),
        more=sum(part.more for part in ordered),
        failed=sum(part.failed for part in ordered),
        old_baseline=max((part.old_baseline for part in ordered), default=""),
        ran=frozenset(test for part in ordered for test in part.ran),
        worker=ordered[0].worker if len(ordered) == 1 else "",
        overhead=_together([part.overhead for part in ordered]),
        state=tuple(change for part in ordered for change in part.state),
        timeline=timeline_model.joined([(part.worker, part.timeline)
                                        for part in ordered]),
        rules=_used_together(ordered))


def _used_together(parts: Sequence[Findings]) -> Tuple[RuleUse, ...]:
    """Return the rules of several processes, which read the same ones."""
    used: Dict[Tuple[str, str], RuleUse] = {}
    for part in parts:
        for each in part.rules:
            before = used.get((each.rule, each.where))
            used[each.rule, each.where] = each if before is None else before._replace(
                used=before.used + each.used,
                meant=each.meant if not (before.used or each.used) else "")
    return tuple(used.values())


def _together(parts: Sequence[Optional[Overhead]]) -> Optional[Overhead]:
    """Return the account of several processes: the sums, and the greatest share."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    phases: Dict[str, float] = {}
    for part in known:
        for phase, seconds in part.phases:
            phases[phase] = round(phases.get(phase, 0.0) + seconds, 4)
    return Overhead(
        round(sum(part.seconds for part in known), 4), max(part.share for part in known),
        tuple(phases.items()), *(sum(getattr(part, name) for part in known) for name in (
            "explanations", "scans", "deferred", "skipped", "untraced", "unlooked",
            "uncounted")))


def _of_worker(leak: Leak, worker: str) -> Leak:
    return replace(leak, notes=leak.notes + ((WORKER, worker),)) if worker else leak


def _natural(name: str) -> List[Tuple[int, str]]:
    return [(int(piece), "") if piece.isdecimal() else (-1, piece)
            for piece in re.split(r"(\d+)", name)]


def _in_all(lists: Sequence[Tuple[str, ...]]) -> Tuple[str, ...]:
    if not lists:
        return ()
    others = [set(names) for names in lists[1:]]
    return tuple(name for name in lists[0] if all(name in names for names in others))
