"""Changes that are told when their class is over: unless they are part of something told by then."""
from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence, Set

from unittest_leakfix._core.early import bind

from . import identity
from .acquisitions import Acquisition
from .change import Change
from .leak import Leak
from .wording_process import of_change

__unittest = True
bind(globals())

KINDS = ("thread", "child process", "descriptor", "event loop", "task", "stream", "temporary folder",
         "temporary file")
"""The kinds of change whose object, if there is one, tells more."""


class Pending(NamedTuple):
    """One such change, the test it came with, and what its descriptor was open on."""

    change: Change
    test: str
    acquisition: Optional[Acquisition]
    target: str

    def still_there(self, covered: Set[object], leaks: Sequence[Leak]) -> bool:
        """Tell whether it is, and is no part of what is *covered*, nor told by one of the *leaks*."""
        change = self.change
        if change.kind == "stream":
            return not any(leak.chain is not None and leak.chain.expression == change.name for leak in leaks)
        if change.kind in ("event loop", "task"):
            return not any(leak.tests[0] == self.test and leak.kind in (change.kind, "event loop")
                           for leak in leaks)
        if change.thread:
            return ("thread", change.thread) not in covered
        if change.pid:
            return ("pid", change.pid) not in covered
        if change.path:
            return change.path not in covered and identity.exists(change.path)
        paths = (self.target, self.target.partition("-journal")[0], self.target.partition("-wal")[0])
        return (change.fd not in covered and not covered.intersection(paths)
                and identity.target(change.fd) == self.target)


def told(pending: Sequence[Pending], covered: Set[object], leaks: Sequence[Leak]) -> List[Leak]:
    """Return a leak for each of the *pending* changes that must be told for itself."""
    return [of_change(each.change, each.test, each.acquisition)
            for each in pending if each.still_there(covered, leaks)]
