"""Facts to leaks: what is news, what is warm-up, what is the same cause, what grows.

Objects are judged when their class is over: what the tests of a class share ends with it.
"""
from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from unittest_leakfix.resources import kind_of

from . import identity, sizes, wording
from .acquisitions import Acquisition, Acquisitions
from .census import Survivor
from .holders import Chain, chains
from .leak import Leak

__unittest = True

GROWS = 3
"""In so many tests must instances of a class survive to be more than a cache that warms up."""
MOST = 200
"""So many survivors of one class of tests are traced; the others go with their like."""
_SIZED = 20
_REMEMBERED = 1000


class _Case(NamedTuple):
    survivor: Survivor
    value: Any
    acquisition: Optional[Acquisition]


class Judge:
    """Keeps what it needs to know from class to class: who has grown, what was imported."""

    def __init__(self, acquisitions: Acquisitions) -> None:
        self.grows = GROWS
        self._acquisitions = acquisitions
        self._grown: Dict[Tuple[str, str], List[Survivor]] = defaultdict(list)
        self._imported: Dict[str, Set[str]] = defaultdict(set)
        self._modules = len(sys.modules)
        self._known_modules = set(sys.modules)

    def imports(self, test: str) -> None:
        """Take note of the modules that *test* has imported: what hangs on them is warm-up."""
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            now = set(sys.modules)
            self._imported[test] |= now - self._known_modules
            self._known_modules |= now

    def objects(self, survivors: Sequence[Survivor]) -> Tuple[List[Leak], Set[object]]:
        """Return the leaks among the *survivors* of a class of tests, now that it is over.

        With them, what need not be told again: descriptors, process ids and paths that the open
        resources among them hold. The heap must be thawed.
        """
        cases = [case for case in map(self._case, survivors) if case is not None]
        covered: Set[object] = set()
        for case in cases:
            covered.update(_held(case))
        cases, like = cases[:MOST], cases[MOST:]
        if not cases:
            return [], covered
        targets = [case.value for case in cases]
        found = chains(targets, others=[id(value) for value in targets],
                       ignore=[targets, cases, like, *cases, *like])
        del targets
        leaks = []
        for place, (case, chain) in enumerate(zip(cases, found)):
            leak = self._leak(case, chain, place < _SIZED)
            if leak is not None:
                leaks.append(leak)
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
            if kind.name == "thread":
                return None     # told as a change of the process
            sure = acquisition is not None and acquisition.test == survivor.test
            if kind.is_open(value) is not True or not (sure or survivor.name or _weak(survivor)):
                return None
            return _Case(survivor, value, acquisition)
        if survivor.what == "attribute" or _of_its_own(survivor):
            return _Case(survivor, value, None)
        return _Case(survivor, value, None) if self._grows(survivor) else None

    def _grows(self, survivor: Survivor) -> bool:
        like = self._grown[survivor.module, survivor.type]
        if len(like) < _REMEMBERED and survivor not in like:
            like.append(survivor)
        tests = {each.test for each in like if each.ref() is not None}
        return len(tests) >= self.grows

    def _leak(self, case: _Case, chain: Optional[Chain], sized: bool) -> Optional[Leak]:
        survivor, value, acquisition = case
        if chain is None or chain.root == "leak" or chain.warm_up is not None:
            return None
        if survivor.what != "test" and self._warmed_up(survivor, chain):
            return None
        if self.grows == 1 and chain.root == "frame":
            return None     # a variable of the code around the block
        kind = kind_of(value)
        size = sizes.only_held_by(value) if sized and kind is None else 0
        holding: Tuple[Tuple[str, str, int], ...] = ()
        if survivor.what == "test" and sized:
            values = object.__getattribute__(value, "__dict__")
            holding = sizes.heaviest((("." + name, values[name]) for name in list(values)
                                      if not name.startswith("_")), most=3)
        leak = wording.of_survivor(survivor, value, kind, chain, acquisition, size, holding)
        if survivor.what == "instance" and self.grows > 1 and not _of_its_own(survivor):
            leak = _growth(leak, survivor)
        return leak

    def _warmed_up(self, survivor: Survivor, chain: Chain) -> bool:
        root = chain.steps[0].label
        return (root.startswith("module ")
                and root[len("module "):] in self._imported.get(survivor.test, ()))


def _held(case: _Case) -> Iterator[object]:
    """Yield what stands for an open resource outside Python's memory: fd, ("pid", n), path."""
    value = case.value
    yield identity.descriptor_of(value)
    yield identity.socket_descriptor(value)
    yield "pid", identity.process_id(value)
    if case.acquisition is not None:
        yield case.acquisition.detail
    kind = kind_of(value)
    if kind is not None and kind.name == "selector":
        try:
            yield value.fileno()
        except Exception:
            pass


def _growth(leak: Leak, survivor: Survivor) -> Leak:
    return Leak("growth", "%s objects grow test after test" % survivor.type, leak.tests, leak.size,
                leak.chain, silence=wording.silence("growth", survivor.type), growth=1,
                cause="growth of " + leak.cause)


def _with_their_like(leaks: List[Leak], like: Sequence[_Case]) -> List[Leak]:
    """Return a leak for each of those not traced: the last traced one's of the same class."""
    kinds = {(leak.kind, leak.silence.partition("=")[0]): leak for leak in leaks}
    found = []
    for case in like:
        kind = "kept test" if case.survivor.what == "test" else "object"
        same = kinds.get((kind, kind.replace(" ", "_")))
        if same is not None:
            found.append(Leak(same.kind, same.subject, (case.survivor.test,), 0, same.chain,
                              silence=same.silence, cause=same.cause))
    return found


def _of_its_own(survivor: Survivor) -> bool:
    """An instance of a class that the test's own module defines is no application's cache."""
    return survivor.test.startswith(survivor.module + ".")


def _weak(survivor: Survivor) -> bool:
    """Tell whether the reference is to this very object rather than to its id."""
    return not hasattr(survivor.ref, "_key")
