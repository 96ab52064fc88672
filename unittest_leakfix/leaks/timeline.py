"""Recorder: notes the memory, time and open things of each test, where a timeline was asked for.

What is read after each test takes the kernel some microseconds. What takes longer on a large heap,
the number of Python's blocks and of open connections, is sampled: it may take a hundredth of the
time that the tests take.

The peak is the test's own where the kernel's counter of it can be set back (Linux: "5" written to
``/proc/self/clear_refs``, which changes nothing else).
"""
from __future__ import annotations

import os
import sys
import time
import tracemalloc
from _thread import _count as _count_threads
from array import array
from typing import Any, Callable, Dict, List, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.model.timeline import (
    COLUMNS,
    KERNEL,
    RESOURCE,
    OverLimit,
    Timeline,
)
from unittest_leakfix.process_state.descriptors import Reserve

try:
    import resource
except ImportError:     # Windows
    resource = None     # type: ignore[assignment]

__unittest = True
bind(globals())

_open, _write, _close, _pread = os.open, os.write, os.close, getattr(os, "pread", None)
_clock = time.perf_counter
_blocks: Optional[Callable[[], int]] = getattr(sys, "getallocatedblocks", None)
_traced = tracemalloc.get_traced_memory
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_UNKNOWN = -1 << 63
_SHARE = 100
"""What is sampled may take one part in this many of the tests' time."""
_FREE, _MOST = 0.02, 1.0
"""Seconds that it may always take, and the most that are saved up."""
_SLACK = 1 << 20
"""Bytes by which two of the kernel's counters may differ: each processor has a share of them that
is added up late."""


class _Held(Reserve):
    """A file below ``/proc/self`` that is held open: to open it takes longer than to read it."""

    def __init__(self, path: str, flags: int) -> None:
        super().__init__()
        self._path, self._flags = path, flags

    def _opened(self) -> int:
        return _open(self._path, self._flags)

    def read(self) -> bytes:
        """Return what it says; b"" where it cannot be read."""
        for _ in (1, 2):
            try:
                return _pread(self._number, 8192, 0) if _pread is not None else b""
            except OSError:     # a test has closed it
                self.release()
                self.hold()
        return b""

    def write(self, text: bytes) -> bool:
        """Write *text* to it, and to no other file that has its number by now."""
        for _ in (1, 2):
            try:
                if self.is_ours():
                    return _write(self._number, text) == len(text)
            except OSError:
                pass
            self.release()
            self.hold()
        return False


class Memory:
    """What the system tells about the memory of this process."""

    def __init__(self, proc: str = "/proc/self") -> None:
        self._statm = _Held(proc + "/statm", os.O_RDONLY)
        self._status = _Held(proc + "/status", os.O_RDONLY)
        self._clear = _Held(proc + "/clear_refs", os.O_WRONLY)
        self.source = ""
        self.exact = False      # peaks
        self._by_usage = False      # the peak is what `resource` says

    def open(self) -> None:
        """Begin: hold what is read time and again, and see what works here."""
        self._statm.hold()
        now = self.resident()
        if now is not None:
            self.source = KERNEL
            self._clear.hold()
            self.exact = self.reset()
        elif resource is not None:
            self.source = RESOURCE
        if self.exact:
            # A process has the most of what it was before ``exec``, too, by `resource`.
            most = self._most_used()
            self._by_usage = most is not None and most <= (now or 0) + _SLACK
            if not self._by_usage:
                self._status.hold()
        else:
            self._clear.release()

    def close(self) -> None:
        """Give up what is held."""
        for each in (self._statm, self._status, self._clear):
            each.release()

    def resident(self) -> Optional[int]:
        """Return how many bytes are resident; where only `resource` tells, the most that ever
        were."""
        if self.source == RESOURCE:
            return self._most_used()
        fields = self._statm.read().split()
        # A test may have closed it, and opened its own file under the number.
        if len(fields) != 7:
            self._statm.release()
            self._statm.hold()
            fields = self._statm.read().split()
        return int(fields[1]) * _PAGE if len(fields) == 7 and fields[1].isdigit() else None

    def reset(self) -> bool:
        """Begin to count the peak anew. Returns False where that cannot be done."""
        return self._clear.write(b"5")

    def peak(self) -> Optional[int]:
        """Return the peak since `reset`, None where there is none."""
        if self._by_usage:
            return self._most_used()
        if not self.exact:
            return None
        _, name, rest = self._status.read().partition(b"VmHWM:")
        figure = rest.split(None, 1)[:1]
        return int(figure[0]) << 10 if name and figure and figure[0].isdigit() else None

    def _most_used(self) -> Optional[int]:
        if resource is None:
            return None
        most: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most << 10


class Recorder:
    """Records one run: `open`, for each test `begin`, `finished` and `end`, then `close`.

    *connections* returns how many are open, *descriptors* how many there are, or None.
    """

    def __init__(self, connections: Callable[[], int],
                 descriptors: Callable[[], Optional[int]], memory: Optional[Memory] = None,
                 clock: Callable[[], float] = _clock, most: Optional[int] = None,
                 traces: bool = False) -> None:
        """*most*: how many tests the report lists; *traces*: Python's allocations are traced."""
        self._most, self._traces = most, traces
        self.limits: List[OverLimit] = []
        self._tracing = False       # we have begun it
        self._traced_before = 0
        self._connections, self._descriptors = connections, descriptors
        self._memory = memory if memory is not None else Memory()
        self._clock = clock
        self._tests: List[str] = []
        self._times = (array("d"), array("d"))
        self._figures = tuple(array("q") for _ in range(8))
        self._run = self._started = 0.0
        self._seconds = 0.0
        self._before: Optional[int] = None      # resident, when the test began
        self._peak: Optional[int] = None
        self._exact = False
        self._budget = _FREE    # seconds that samples may take
        self._cost = 0.0        # of the last one

    def open(self) -> None:
        """The run begins."""
        if self._traces and not tracemalloc.is_tracing():
            self._tracing = True
            tracemalloc.start()
        self._memory.open()
        self._exact = self._memory.exact
        self._run = self._clock()

    def close(self) -> None:
        """The run is over."""
        self._memory.close()
        if self._tracing:
            tracemalloc.stop()

    def begin(self, fresh: bool = True) -> None:
        """A test begins; not *fresh*: nothing but finding ran since the last one ended."""
        if fresh or self._before is None:
            self._before = self._memory.resident()
        if self._exact:
            self._exact = self._memory.reset()
        if self._traces:
            self._traced_before = _traced()[0]
        self._started = self._clock()
        self._seconds = -1.0

    def finished(self) -> None:
        """It is finished, and not let go of yet."""
        self._seconds = self._clock() - self._started
        self._peak = self._memory.peak()

    def end(self, name: str, limit: Optional[int] = None) -> None:
        """The test *name* was let go of, which may keep as many bytes as *limit* says."""
        if self._seconds < 0:
            self.finished()
        before, peak = self._before, self._peak
        now = self._before = self._memory.resident()
        if now is None or before is None:
            grown = None
        else:
            grown, peak = now - before, max(before, now, peak or 0)
            if limit is not None and grown > limit:
                self.limits.append(OverLimit(name, grown, limit))
        if self._traces:
            self._figures[7].append(_traced()[0] - self._traced_before)
        self._tests.append(name)
        self._times[0].append(self._started - self._run)
        self._times[1].append(self._seconds)
        for column, figure in zip(self._figures, (
                now, peak, grown, *self._sampled(), _count_threads() + 1)):
            column.append(_UNKNOWN if figure is None else figure)

    def _sampled(self) -> Tuple[Optional[int], Optional[int], Optional[int]]:
        self._budget += self._seconds / _SHARE
        if self._budget < self._cost:
            return None, self._descriptors(), None
        began = self._clock()
        objects = None if _blocks is None else _blocks()
        connections = self._connections()
        self._cost = self._clock() - began
        self._budget = min(self._budget - self._cost, _MOST)
        return objects, self._descriptors(), connections

    def forget(self) -> None:
        """What was recorded so far was taken."""
        self._tests, self.limits = [], []
        for time_column in self._times:
            del time_column[:]
        for column in self._figures:
            del column[:]

    def timeline(self) -> Timeline:
        """Return what was recorded so far."""
        figures = (tuple(None if each == _UNKNOWN else each for each in column)
                   for column in self._figures)
        columns: Dict[str, Any] = dict(zip(COLUMNS, (
            tuple(self._tests), *map(tuple, self._times), *figures)))
        return Timeline()._replace(**columns, source=self._memory.source, exact=self._exact,
                                   most=self._most, limits=tuple(self.limits))
