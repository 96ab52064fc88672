"""In a child process: what grows each time that a test runs, by the lines that allocated it."""
from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any, Dict, List, Tuple

from unittest_leakfix._core.code_origin import is_users_file
from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

_collect, _dumps, _open = gc.collect, json.dumps, open
_start, _is_tracing = tracemalloc.start, tracemalloc.is_tracing
_snapshot, _stop = tracemalloc.take_snapshot, tracemalloc.stop
_clear = tracemalloc.clear_traces

_FRAMES = 16
_MOST = 200
"""How many lines are written: those that grew the most."""

Line = Tuple[str, int]


class Growth:
    """Looks at what is allocated before each time that the test runs; written to *path*.

    What was there before the first time is not traced. An allocation is of the user's innermost
    line that led to it; where there is none it is not of the test.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._looks: List[Dict[Line, Tuple[int, int]]] = []
        self._stacks: Dict[Line, Tuple[int, List[Line]]] = {}

    def begin(self) -> None:
        """The tests are loaded."""
        _start(_FRAMES)

    def look(self) -> None:
        """The test is about to run."""
        _collect()
        if not _is_tracing():
            return
        if not self._looks:
            _clear()
            self._looks.append({})
        else:
            self._looks.append(self._now())

    def _now(self) -> Dict[Line, Tuple[int, int]]:
        found: Dict[Line, Tuple[int, int]] = {}
        stacks: Dict[int, List[Line]] = {}
        # Raw: (domain, size, frames, ...), the innermost frame first, and one object for all that
        # were allocated by the same frames. `Snapshot.statistics` takes ten times as long.
        traces: Any = _snapshot().traces
        for trace in traces._traces:
            frames = trace[2]
            stack = stacks.get(id(frames))
            if stack is None:
                stack = stacks[id(frames)] = [
                    (file, line) for file, line in frames if is_users_file(file)]
            if stack:
                line = stack[0]
                size, blocks = found.get(line, (0, 0))
                found[line] = size + trace[1], blocks + 1
                if trace[1] > self._stacks.get(line, (-1, stack))[0]:
                    self._stacks[line] = trace[1], stack
        return found

    def write(self) -> None:
        """The run is over. Nothing is written of a test that has stopped the tracing."""
        if not _is_tracing():
            return
        _stop()
        rows: List[Dict[str, Any]] = []
        for line, (_, stack) in self._stacks.items():
            totals = [look.get(line, (0, 0)) for look in self._looks]
            rows.append({
                "sizes": [after[0] - before[0] for before, after in zip(totals, totals[1:])],
                "blocks": [after[1] - before[1] for before, after in zip(totals, totals[1:])],
                "stack": stack})
        rows.sort(key=lambda row: -sum(map(abs, row["sizes"])))
        with _open(self._path, "w", encoding="utf-8") as file:
            file.write(_dumps({"times": len(self._looks) - 1, "lines": rows[:_MOST]}))
