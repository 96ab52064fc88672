"""Facts to leaks: what is news, what is warm-up, what is the same cause, what grows.

Objects are judged when their class is over: what the tests of a class share ends with it.
"""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from itertools import chain as joined
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.gc_control import heap
from unittest_leakfix.leaks import identify
from unittest_leakfix.leaks import survivors as sizes
from unittest_leakfix.leaks.model import ids
from unittest_leakfix.leaks.model import leak as leak_model
from unittest_leakfix.leaks.model.chain import Chain
from unittest_leakfix.leaks.model.leak import Leak
from unittest_leakfix.leaks.model.survivor import Survivor
from unittest_leakfix.leaks.retention.search import chains
from unittest_leakfix.leaks.survivors import held, recalled
from unittest_leakfix.resources.registry import kind_of
from unittest_leakfix.tracing import os_facts
from unittest_leakfix.tracing.acquisitions import Acquisition, Acquisitions
from unittest_leakfix.tracing.frameworks import kept

__unittest = True
bind(globals())

# Which modules a test has imported: what hangs on them is warm-up.

class Imported:
    """The modules that each test has imported, by its id."""

    def __init__(self) -> None:
        self._of: Dict[str, Set[str]] = {}
        self._count = len(sys.modules)
        self._known = set(sys.modules)

    def note(self, test: str) -> None:
        """Take note of what is loaded since the last time as imported by *test*."""
        if len(sys.modules) != self._count:
            self._count = len(sys.modules)
            now = set(sys.modules)
            self._of.setdefault(test, set()).update(now - self._known)
            self._known |= now

    def by(self, test: str, module: str) -> bool:
        """Tell whether *test* has imported *module*."""
        return module in self._of.get(test, ())


GROWS = 3
"""In so many tests must instances of a class survive to be more than a cache that warms up."""
MOST = 200
"""So many survivors of one class of tests are traced; the others go with their like."""
_SIZED = 20
_WORTH = 1000     # bytes from which an attribute of a kept test is told
_REMEMBERED = 1000
_RUNS = "unittest_leakfix.suite._runs["     # by which a result of somebody's own is held


class _Case(NamedTuple):
    survivor: Survivor
    value: Any
    acquisition: Optional[Acquisition]


class _Like:
    """The surviving instances of one class of the application."""

    def __init__(self) -> None:
        self.noted: List[Survivor] = []
        # By cause, what has not been seen in enough tests; None once it was.
        self.unripe: Dict[str, Optional[List[Tuple[Survivor, Leak]]]] = {}
        self.told = False


class Judge:
    """Keeps what it needs to know from class to class: who has grown, what was imported."""

    def __init__(self, acquisitions: Acquisitions, imported: Imported) -> None:
        self.grows = GROWS
        self._acquisitions = acquisitions
        self._grown: Dict[Tuple[str, str], _Like] = defaultdict(_Like)
        self._imported = imported

    def objects(self, survivors: Sequence[Survivor]) -> Tuple[List[Leak], Set[object]]:
        """Return the leaks among the *survivors* of a class of tests, now that it is over.

        With them, what need not be told again: descriptors, process ids and paths that the open
        resources among them hold. Thaws the heap where it has to.
        """
        kinds = {(each.module, each.type) for each in survivors if each.what == "instance"}
        noted = (self._grown[kind].noted for kind in kinds if kind in self._grown)
        with recalled(joined(survivors, *noted)):
            return self._objects(survivors)

    def _objects(self, survivors: Sequence[Survivor]) -> Tuple[List[Leak], Set[object]]:
        survivors = [*survivors, *self._grown_before(survivors)]
        cases = [case for case in map(self._case, survivors) if case is not None]
        covered: Set[object] = set()
        cases, like = cases[:MOST], cases[MOST:]
        if not cases:
            return [], covered
        heap.thaw()
        targets = [case.value for case in cases]
        found = chains(targets, others=[id(value) for value in targets],
                       ignore=[targets, cases, like, *cases, *like,
                               *(each.ref for each in survivors)])
        del targets
        parts = _covered(cases, found, covered)
        leaks = []
        for place, (case, chain) in enumerate(zip(cases, found)):
            if id(case.value) in parts:
                continue
            leak = self._leak(case, chain, place < _SIZED)
            if leak is not None:
                leaks += [leak] if leak.kind != "growth" else self._ripe(case.survivor, leak)
        return leaks + _with_their_like(leaks, like), covered

    def _case(self, survivor: Survivor) -> Optional[_Case]:
        """Return what is worth tracing, None for what is gone, closed or no news yet."""
        value = survivor.ref()
        if value is None:
            return None
        acquisition = self._acquisitions.of(value)
        if survivor.what == "test":
            return _Case(survivor, value, None)
        kind = kind_of(value)
        if kind is not None:
            if kind.name in ("thread", "thread timer", "mock patch"):
                return None     # told as a change of the process
            sure = acquisition is not None and acquisition.test == survivor.test
            if kind.is_open(value) is not True or kept(value) or not (sure or survivor.name
                                                                      or _weak(survivor)):
                return None
            return _Case(survivor, value, acquisition)
        if survivor.what == "attribute" or _of_its_own(survivor):
            return _Case(survivor, value, None)
        return _Case(survivor, value, None) if self._grows(survivor) else None

    def _grown_before(self, survivors: Sequence[Survivor]) -> List[Survivor]:
        """Note who may grow; return those of earlier classes that turn out now to have grown."""
        before: List[Survivor] = []
        for survivor in survivors:
            if survivor.what != "instance" or _of_its_own(survivor):
                continue
            like = self._grown[survivor.module, survivor.type]
            if not like.told and self._enough(like.noted + [survivor]):
                like.told = True
                before += like.noted
            if len(like.noted) < _REMEMBERED:
                like.noted.append(survivor)
        mine = set(map(id, survivors))
        return [each for each in before if id(each) not in mine]

    def _ripe(self, survivor: Survivor, leak: Leak) -> List[Leak]:
        """Return the growth that this *leak* adds: none, until enough tests have the same cause."""
        same = self._grown[survivor.module, survivor.type].unripe.setdefault(leak.cause, [])
        if same is None:
            return [leak]
        same.append((survivor, leak))
        alive = [each for each in same if each[0].ref() is not None]
        if not self._enough([each for each, _ in alive]):
            return []
        self._grown[survivor.module, survivor.type].unripe[leak.cause] = None
        return [each for _, each in alive]

    def _enough(self, like: Sequence[Survivor]) -> bool:
        return len({each.test for each in like if each.ref() is not None}) >= self.grows

    def _grows(self, survivor: Survivor) -> bool:
        return self._grown[survivor.module, survivor.type].told

    def _leak(self, case: _Case, chain: Optional[Chain], sized: bool) -> Optional[Leak]:
        survivor, value, acquisition = case
        if chain is None or chain.root == "leak" or chain.warm_up is not None:
            return None
        if survivor.what == "instance" and chain.expression.startswith(_RUNS):
            return None     # what a reporter notes of each test
        if survivor.what != "test" and self._warmed_up(survivor, chain):
            return None
        session = acquisition is not None and acquisition.what == "database connection"
        if survivor.what != "test" and chain.root == "thread" and not session and self._started(
                chain):
            return None     # the thread itself is told
        if self.grows == 1 and chain.root == "frame":
            return None     # a variable of the code around the block
        kind = kind_of(value)
        size = sizes.only_held_by(value) if sized and kind is None else 0
        holding: Tuple[Tuple[str, str, int], ...] = ()
        if survivor.what == "test" and sized:
            values = object.__getattribute__(value, "__dict__")
            holding = tuple(item for item in sizes.heaviest(
                [("." + name, values[name]) for name in list(values) if not name.startswith("_")],
                most=len(values))
                if item[2] >= _WORTH or kind_of(values[item[0][1:]]) is not None)[:3]
        leak = identify.of_survivor(survivor, value, kind, chain, acquisition, size, holding)
        if survivor.what == "instance" and self.grows > 1 and not _of_its_own(survivor):
            leak = identify.growth(leak, survivor)
        return leak

    def _started(self, chain: Chain) -> bool:
        """Tell whether the thread that the chain begins in was started by a test."""
        root = chain.steps[0].what
        for thread in list(threading._active.values()):     # type: ignore[attr-defined]
            if root.method and os_facts.attributes(thread).get("_name") == root.name:
                started = self._acquisitions.of_thread(thread)
                return started is not None and bool(started.test)
        return False

    def _warmed_up(self, survivor: Survivor, chain: Chain) -> bool:
        root = chain.steps[0].what
        return root.category == "module" and self._imported.by(survivor.test, root.name)


def _covered(cases: Sequence[_Case], found: Sequence[Optional[Chain]],
             covered: Set[object]) -> Set[int]:
    """Add to *covered* what the held resources among the *cases* hold; return the ids of those that
    are parts of others."""
    parts: Set[int] = set()
    for case, chain in zip(cases, found):
        value = case.value
        if chain is None or kind_of(value) is None or id(value) in parts:
            continue
        stands, mine = held(value, case.acquisition)
        covered.update(stands)
        parts |= mine - {id(value)}
    return parts


def _with_their_like(leaks: List[Leak], like: Sequence[_Case]) -> List[Leak]:
    """Return a leak for each of those not traced: the last traced one's of the same class."""
    kinds = {leak.kind: leak for leak in leaks}
    found = []
    for case in like:
        same = kinds.get("kept test" if case.survivor.what == "test" else "object")
        if same is not None:
            found.append(
                leak_model.Leak(
                    same.kind,
                    "",
                    (case.survivor.test,),
                    0,
                    same.chain,
                    name=same.name,
                    cause=same.cause,
                    seen=same.seen,
                )
            )
    return found


def _of_its_own(survivor: Survivor) -> bool:
    """An instance of a class that the test's own module defines is no application's cache."""
    return ids.defines(survivor.test, survivor.module)


def _weak(survivor: Survivor) -> bool:
    """Tell whether the reference is to this very object rather than to its id."""
    return not hasattr(survivor.ref, "_key")
