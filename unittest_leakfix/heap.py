"""The collector, kept away from what was there before the tests.

``gc.freeze()`` (3.7) takes every object that exists out of the collector's sight.
A collection then costs a tenth of a microsecond instead of 50 to 150 ms on a heap
of 500,000 objects, so that one can follow each test; and the collector's own
passes no longer go over the imported heap.

What is frozen and becomes garbage in a cycle stays until the next thaw. Hence:

* the collector comes before every freeze but the first;
* once what survived the tests has grown by a quarter of what was frozen, all is
  thawed and collected. This is the rule by which CPython itself decides on a full
  collection, so nothing lives longer than under plain unittest;
* so it is when finished tests pile up that could not be shown to be alone;
* a test that asks the collector something (``gc.collect()``, ``gc.get_objects()``,
  ``gc.get_referrers()``) gets its answer from the whole heap.
"""

from __future__ import absolute_import

import gc
import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix.questions import NAMES, get_count, honest, is_automatic

__unittest = True
bind(globals())

_collect = gc.collect
_freeze = getattr(gc, "freeze", None)
_unfreeze = getattr(gc, "unfreeze", None)
_get_debug = getattr(gc, "get_debug", lambda: 0)
_get_objects = gc.get_objects
_callbacks = getattr(gc, "callbacks", [])   # not on 2.7
_get_freeze_count = getattr(gc, "get_freeze_count", None)

#: Whether this interpreter can freeze its heap. Not on PyPy, before 3.7, nor on a
#: free-threaded build, whose collector has no generations to spare.
FREEZES = (_freeze is not None and hasattr(sys, "getrefcount")
           and "t" not in getattr(sys, "abiflags", ""))

# So many net new containers are looked through at most before a freeze hides them.
_FEW = 50
#: With fewer net new containers than these (`get_count`) a test can have left nothing in
#: a cycle, unless the collector came meanwhile: then the second figure is not nought.
SOME = (3, 0, 0)
# Nor have fixtures, and ourselves, between two tests.
_FIXTURE = (30, 0, 0)
# So few survivors are no reason for a full collection, however small the heap was.
_MANY = 10000
# So many doubtful tests wait for a full collection at most.
_DOUBTS = 16


class Heap(object):
    """The process's heap during a run. There is one, ``heap``; runs may nest."""

    def __init__(self):
        self._depth = 0
        self.asked = False      # a test's question has thawed it
        self._frozen = False    # what was there is out of sight now
        self._before = 0        # how many objects the last full freeze hid
        self._since = 0         # how many have joined them
        self._born = 0          # net new containers since the last freeze
        self._window = 0        # goes up at each freeze that may end a window
        self._open = False      # a window is
        self._doubts = []       # weak references to tests that may be in a cycle
        self._settled = 0       # how many of those outlived the last full collection
        self._asking = True     # no: it is our own collection

    def enter(self):
        """Freeze what there is, when the outermost run begins."""
        self._depth += 1
        if self._depth == 1 and FREEZES:
            _callbacks.append(self._asked)
            for name in _QUESTIONS:
                setattr(gc, name, _QUESTIONS[name])
            self._hide()

    def leave(self):
        """Thaw, when the outermost run is over.

        What is frozen at exit is not finalised, even if it is garbage.
        """
        self._depth -= 1
        if self._depth == 0 and FREEZES:
            self.thaw()
            self.asked = self._open = False
            if self._doubts:
                _collect()
            _callbacks[:] = [each for each in _callbacks if each != self._asked]
            for name in _QUESTIONS:
                if getattr(gc, name, None) is _QUESTIONS[name]:
                    setattr(gc, name, _QUESTIONS[name].asks)
            del self._doubts[:]

    def collect(self):
        """Collect what the finished test left in cycles. Cheap: see above."""
        if self._open:
            return      # `newborn` does, and nothing may hide what it counts
        if not self._frozen:
            self._rest()
            return
        young, middle, _ = get_count()
        self._born += young
        # The oldest too only if the test filled the middle one, or before a freeze: a full collection
        # empties the free lists, which slows the next test by a microsecond.
        self._asking = False
        _collect(2 if middle or self._born > _FEW else 1)
        self._asking = True
        if middle or self._born > _FEW:
            self._refreeze()

    def _rest(self):
        """The heap is not frozen: collect what came last, and freeze it if that can be."""
        if self._depth and not _get_debug():
            _collect(1)
            if FREEZES:
                # After a test's own question. What is garbage among the older ones
                # goes with the next full collection.
                self._frozen, self.asked = True, False
                self._window += 1
                _freeze()

    def collect_new(self):
        """Collect all that came since the freeze; what came last, if there was none."""
        self._asking = False
        _collect(2 if self._frozen else 1)
        self._asking = True

    def doubt(self, reference):
        """Take note of a finished test that somebody, or a cycle, still holds.

        *reference* is a weak reference to it. From time to time (each time there
        are twice as many) the whole heap is collected, for it may be garbage.
        """
        if self._depth and FREEZES:
            self._doubts.append(reference)
            if self._doubtful() and not self._open:
                self.full()

    def _doubtful(self):
        return len(self._doubts) >= max(_DOUBTS, 2 * self._settled)

    def full(self):
        """Thaw, collect everything, freeze again."""
        self.thaw()
        _collect()
        self._doubts = [each for each in self._doubts if each() is not None]
        self._settled = len(self._doubts)
        if self._depth and FREEZES:
            self._hide()

    def open_window(self):
        """Hide everything there is, so that `newborn` finds what comes from here on.

        Returns the number of the window, for `newborn`.
        """
        self._open = True
        if (self._since > self._before // 4 and self._since > _MANY
                or self._doubts and self._doubtful()):
            self.full()
            return self._window
        count = get_count()
        if not self._frozen or self._born or count >= _FIXTURE or count[1]:
            self.collect_new()
        self._window += 1
        self._frozen, self.asked = True, False
        self._born = 0
        _freeze()
        return self._window

    def since(self, window):
        """Return what came since that *window* was opened, garbage and all; None as `newborn`.

        A third of a microsecond: nothing is collected.
        """
        if window != self._window or not self._frozen or _get_debug():
            return None
        return _get_objects()

    def close_window(self, new):
        """Say that *new* objects came in the window, none of them news, in place of `newborn`."""
        self._open = False
        self._since += new
        self._window += 1
        _freeze()       # which sets the count of new containers to nought

    def newborn(self, window):
        """Return the objects that came since that *window* was opened and are no garbage.

        None when that cannot be told: the heap was frozen again meanwhile (a run inside
        the test does), a test has thawed it, or switched on the debugging of the
        collector. The list is the caller's to empty soon.
        """
        self._open = False
        if window != self._window or not self._frozen or _get_debug():
            return None
        self.collect_new()
        found = _get_objects()
        self._since += len(found)
        # Perhaps somebody thawed the heap behind our back.
        if (len(found) > max(20 * _FEW, self._before // 2)
                and _get_freeze_count() < self._before // 2):
            self._frozen, self.asked = False, True
            return None
        return found

    def thaw(self):
        """Let the collector see everything. Returns nothing."""
        if self._frozen:
            self._frozen, self.asked = False, True
            _unfreeze()

    def thawed(self):
        """Tell whether a run is under way and its heap is not frozen."""
        return self._depth > 0 and not self._frozen

    def _hide(self):
        self._frozen, self.asked = True, False
        self._window += 1
        self._born = self._since = 0
        _freeze()
        self._before = _get_freeze_count()

    def _refreeze(self):
        self._born = 0
        survivors = len(_get_objects())
        if survivors > _FEW:
            self._since += survivors
            if self._since > self._before // 4:
                self.full()
            else:
                self._window += 1
                _freeze()

    def _asked(self, phase, info):
        """Called by the collector: thaw before a collection that a test asked for."""
        if (info["generation"] == 2 and phase == "start" and self._asking
                and self._frozen and not is_automatic()):
            self.thaw()


heap = Heap()
_QUESTIONS = dict((name, honest(name, heap.thaw)) for name in NAMES if hasattr(gc, name))
