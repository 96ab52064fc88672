"""Again: what tests keep when they run twice in a process of their own."""
from __future__ import annotations

import os
from typing import Dict, List, Sequence, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.ids import module_of
from unittest_leakfix.polluter.children import CannotRun, Children
from unittest_leakfix.polluter.frameworks import FRAMEWORKS, Tests, top_of
from unittest_leakfix.polluter.ids import AGAIN

__unittest = True
bind(globals())
_environ = os.environ

_LIMIT = 300.0      # seconds in which no test starts or ends


def run_again(tests: Sequence[str], framework: str, root: str) -> Tuple[Dict[str, int], str]:
    """Run *tests* twice each, one after the other; return what each kept the second time, in bytes,
    and why others could not be run.

    Together in one process; where that ends before its time, each in one of its own.
    """
    if AGAIN in _environ:
        return {}, "this is such a process already"
    found, why = _together(list(tests), framework, root)
    if not found and len(tests) > 1:
        for test in tests:
            alone, reason = _together([test], framework, root)
            found.update(alone)
            why = reason or why
    return found, why


def _together(tests: List[str], framework: str, root: str) -> Tuple[Dict[str, int], str]:
    children = Children(FRAMEWORKS[framework](()), tests[-1], _LIMIT)
    try:
        outcome = children.run(tests, find=True, named=tests, times=2, tests=Tests(
            tests[-1], (), top=top_of(module_of(tests[-1])), root=root))
    except CannotRun as error:
        return {}, str(error).splitlines()[0].rstrip(":")
    finally:
        children.close()
    timeline = (outcome.report or {}).get("timeline")
    if timeline is None:
        return {}, outcome.text or "no report came"
    figures: Dict[str, List[int]] = {}
    for test, grown in zip(timeline["tests"], timeline["kept"]):
        if grown is not None:
            figures.setdefault(test, []).append(grown)
    return ({test: figures[test][1] for test in tests if len(figures.get(test, ())) > 1},
            "it did not run again")
