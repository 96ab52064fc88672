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

A *window* is the time in which `newborn` wants to know what comes. While the heap is frozen, that
is all that the collector sees. Before it is thawed, or frozen again, the ids of what came so far
are noted. While it is thawed, what comes is in the two younger generations, and is noted before it
gets into the oldest, where all the rest is. So whatever calls the collector, and whatever is found
in a window inside it, the answer stays known.
"""

from __future__ import absolute_import

import gc
import sys
from functools import partial

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import Swap

__unittest = True
bind(globals())

_get_threshold = getattr(gc, "get_threshold", None)    # not on PyPy
_isenabled = gc.isenabled
_getframe = sys._getframe

#: The functions of gc that see, or change, less of the heap while it is frozen.
NAMES = ("get_objects", "get_referrers", "freeze", "unfreeze")
#: How many containers have come, net, since the last collection. None count on PyPy.
get_count = getattr(gc, "get_count", None) or (lambda: (0, 0, 0))
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
# Whether one may ask for the objects of a generation (3.8), of three: not with the incremental
# collector of the first releases of 3.14, which has two, nor on PyPy.
GENERATIONS = hasattr(sys, "getrefcount") and sys.version_info >= (3, 8) and (
    sys.version_info < (3, 14) or gc.get_threshold()[2] > 0)
# Nothing dies before the collector comes where references are not counted (PyPy has no
# generations to choose from).
_NEWEST = 1 if hasattr(sys, "getrefcount") else 2
# At most this many net new containers are looked through before a freeze hides them.
_FEW_NEW = 50
#: With fewer net new containers than these (`get_count`) a test can have left nothing in
#: a cycle, unless the collector came meanwhile: then the second figure is not zero.
SOME = 3
# Nor have fixtures, and ourselves, between two tests.
_FIXTURE = 30
# Fewer survivors do not cause a full collection, however small the heap was.
_MANY = 10000
# At most this many suspects wait for a full collection.
_MOST_SUSPECTS = 16


# What a test asks the collector is distinguished from automatic collections, and sees the whole
# heap.


def is_automatic():
    """Tell whether the full collection under way is an automatic one.

    It comes when the youngest and the oldest generation are over their thresholds;
    the middle one was just emptied, as a rule. The incremental collector of the first
    releases of 3.14 never makes a full one by itself: there the third threshold is 0.
    """
    thresholds = _get_threshold()
    young, _, old = map(int.__gt__, get_count(), thresholds)
    return (young and old and _isenabled()
            and (sys.version_info < (3, 14) or thresholds[2] > 0))


_RUNNING_UNSEEN = (3, 11) <= sys.version_info < (3, 14)


def _frame_of(value):
    """Return the frame of a generator or coroutine; None for anything else."""
    name = _FRAMES.get(type(value).__name__)
    return getattr(value, name, None) if name and type(value).__module__ == "builtins" else None


_FRAMES = {"generator": "gi_frame", "coroutine": "cr_frame", "async_generator": "ag_frame"}


def thaw_first(name, thaw):
    """Return gc's function *name* so that it sees the whole heap: *thaw* is called first."""
    original = getattr(gc, name)

    if name == "get_objects" and sys.version_info >= (3, 8):
        # Not through **kwds: the tuple of their names would be one object more.
        def call(generation=None):
            thaw()
            return original(generation=generation)
    elif name == "get_referrers":
        def call(*objects):
            thaw()
            found = original(*objects)
            caller = _getframe(1)
            # Called itself it would not find our arguments; nor, from 3.11 to 3.13, what a frame
            # has that runs, of which one can see here that a generator or coroutine has it.
            return [each for each in found if each is not objects
                    and not (_RUNNING_UNSEEN and _frame_of(each) is caller)]
    else:
        def call(*args):
            thaw()
            return original(*args)
    call.__name__ = name
    call.__doc__ = original.__doc__
    return call


class Heap(object):
    """The process's heap during a run. There is one, ``heap``; runs may nest."""

    def __init__(self):
        self._depth = 0
        self._swap = Swap()     # of gc's own functions for ours
        self.thawed_by_test = False      # a test's question has thawed it
        self._frozen = False    # what was there is out of sight now
        self._before = 0        # how many objects the last full freeze hid
        self._since = 0         # how many have joined them
        self._born = 0          # net new containers since the last freeze
        self._grown_old = False     # whether things of the running test are in the oldest part
        self._window = 0        # goes up at each freeze that may end a window
        self._windows = []      # those that are open, the innermost last
        self.meter = None       # what measures and calls `_full`, where somebody measures
        self.slack = 4      # the heap has grown by one part in this many before all is collected
        self._suspects = []       # weak references to tests that may be in a cycle
        self._settled = 0       # how many of those outlived the last full collection
        self._not_ours = True     # False during our own collections
        self.interrupted = False    # Ctrl-C came where what is raised is ignored
        self._called = self._on_collection      # the one bound method that the collector has

    def enter(self):
        """Freeze what there is, when the outermost run begins."""
        self._depth += 1
        if self._depth == 1 and FREEZES:
            _callbacks.append(self._called)
            self._swap.put_each([(gc, name, _REPLACED[name]) for name in _REPLACED])
            self._hide()

    def leave(self):
        """Thaw, when the outermost run is over.

        What is frozen at exit is not finalised, even if it is garbage.
        """
        self._depth -= 1
        if self._depth == 0 and FREEZES:
            self.thaw()
            self.thawed_by_test = False
            del self._windows[:]
            if self._suspects:
                _collect()
            _callbacks[:] = [each for each in _callbacks if each != self._on_collection]
            self._swap.back()
            del self._suspects[:]

    def collect(self):
        """Collect what the finished test left in cycles. Cheap: see above."""
        if self._windows:
            return      # `newborn` does, and nothing may hide what it counts
        if not self._frozen:
            self._rest()
            return
        young, middle, _ = get_count()
        self._born += young
        # The oldest too only if the test filled the middle one, or before a freeze: a full
        # collection empties the free lists, which slows the next test by a microsecond.
        whole = middle or self._born > _FEW_NEW
        self._collect(2 if whole or self._grown_old else 1)
        self._grown_old = False
        if whole:
            self._refreeze()

    def _rest(self):
        """The heap is not frozen: collect what came last, and freeze it if that can be."""
        if self._depth and not _get_debug():
            _collect(1)
            if FREEZES:
                # After a test's own question. What is garbage among the older ones
                # goes with the next full collection.
                self._frozen, self.thawed_by_test = True, False
                self._window += 1
                _freeze()

    def collected(self):
        """Do what `collect` does when `collect_young` came just before, and next to nothing
        since."""
        if self._frozen and not self._windows:
            self._born += get_count()[0]
            if self._born <= _FEW_NEW:
                return
        self.collect()

    def collect_young(self):
        """Collect what came since the collector came last."""
        self._collect(_NEWEST)

    def _collect(self, generation):
        """Collect without a word of the collector to us, as long as we have nothing to note."""
        if self._windows or not _callbacks or _callbacks[-1] is not self._called:
            self._not_ours = False
            _collect(generation)
            self._not_ours = True
            return
        # To call `_on_collection` twice for nothing costs a third of a small collection.
        del _callbacks[-1]
        try:
            _collect(generation)
        finally:
            try:
                _callbacks.append(self._called)
            except MemoryError:     # a test's own collection sees less from here on
                pass

    def collect_new(self):
        """Collect all that came since the freeze; what came last, if there was none."""
        self._collect(2 if self._frozen else _NEWEST)
        self._grown_old = True  # what the test still holds

    def collect_left(self, references):
        """Collect what is garbage of the objects of these weak *references*."""
        self.collect_new()
        if any(each() is not None for each in references):
            self._collect(2)    # they had grown old before

    def suspect(self, reference):
        """Take note of a finished test that something else, or a cycle, still holds.

        *reference* is a weak reference to it. From time to time (each time there
        are twice as many) the whole heap is collected, for it may be garbage.
        """
        if self._depth and FREEZES:
            self._suspects.append(reference)
            if self._many_suspects() and not self._windows:
                self.full()

    def _many_suspects(self):
        return len(self._suspects) >= max(_MOST_SUSPECTS, 2 * self._settled)

    def collect_all(self):
        """Collect all that the collector sees."""
        self._collect(2)

    def full(self):
        """Thaw, collect everything, freeze again."""
        if self.meter is None:
            self._full()
        else:
            self.meter(self._full)

    def _full(self):
        self.thaw()
        _collect()
        self._suspects = [each for each in self._suspects if each() is not None]
        self._settled = len(self._suspects)
        if self._depth and FREEZES:
            self._hide()

    def open_window(self):
        """Hide everything there is, so that `newborn` finds what comes from here on.

        Returns the number of the window, for `newborn`.
        """
        window = _Window()      # before the freeze: it is none of what comes
        window.number = self._hide_for_window()
        self._windows.append(window)
        return window.number

    def drop_window(self, number):
        """Forget that window and those inside it, if what came in it was never asked for."""
        for place, each in enumerate(self._windows):
            if each.number == number:
                del self._windows[place:]

    def _hide_for_window(self):
        if (self._since > self._before // self.slack and self._since > _MANY and self._has_grown()
                or self._suspects and self._many_suspects()):
            self.full()
            return self._window
        young, middle, _ = get_count()
        if not self._frozen or self._born or young >= _FIXTURE or middle:
            self.collect_new()
        self._note()
        self._window += 1
        self._frozen, self.thawed_by_test = True, False
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

    def ids_since(self, window):
        """Return the ids of what came since that *window* was opened, and of what is gone; None as
        `newborn`."""
        found = self._of(window)
        if found is None or found.lost or _get_debug():
            return None
        now = _Window()
        self._note(now)
        return None if now.lost else now.ids | found.ids

    def close_window(self, new):
        """Say that *new* objects came in the window and are not wanted, in place of `newborn`."""
        self.drop_window(self._window)
        self._note()
        self._since += new
        self._window += 1
        _freeze()       # which sets the count of new containers to zero

    def newborn(self, window, wanted=None):
        """Return the objects that came since that *window* was opened and are not garbage.

        None when that is not known: a test has thawed the heap behind our back, or
        switched on the debugging of the collector. *wanted* says of an object whether it
        matters: what does not may be garbage, if the heap was thawed or frozen meanwhile.
        The list is the caller's to empty soon.
        """
        found = self._of(window)
        self.drop_window(window)
        if found is None or found.lost or _get_debug():
            return None
        if window != self._window or not self._frozen or found.ids:
            return self._noted(found, wanted)
        self.collect_new()
        found = _get_objects()
        self._since += len(found)
        if self._is_thawed(found):
            self._frozen, self.thawed_by_test = False, True
            return None
        return found

    def _noted(self, window, wanted):
        """Return what came in a *window* during which the heap was thawed, or frozen again."""
        self._note(window)
        if window.lost:
            return None
        self.thaw()
        _unfreeze()         # what a test has frozen itself
        ids, window.ids = window.ids, set()
        found = [each for each in _get_objects() if id(each) in ids and each is not ids]
        if wanted is None or any(map(wanted, found)):
            # What became garbage after it was frozen is still there.
            del found
            _collect()
            found = [each for each in _get_objects() if id(each) in ids and each is not ids]
        self._since += len(found)
        return found

    def _of(self, window):
        for each in self._windows:
            if each.number == window:
                return each
        return None

    def _note(self, *windows):
        """Note in each open window, or in these, what has come: it is about to be mixed with the
        rest."""
        windows = windows or self._windows
        if not windows:
            return
        if self._frozen:
            found = _get_objects()
            known = not self._is_thawed(found)
        else:
            # The heap is thawed: all that was there before is in the oldest generation. Nothing
            # gets there unnoted, as long as the collector calls us.
            known = GENERATIONS and self._on_collection in gc.callbacks
            found = _get_objects(generation=0) + _get_objects(generation=1) if known else ()
        for each in windows:
            if known:
                each.ids.update(map(id, found))
            else:
                each.lost = True

    def _is_thawed(self, found):
        """Tell from what the collector sees whether a test thawed the heap behind our back."""
        return (len(found) > max(20 * _FEW_NEW, self._before // 2)
                and _get_freeze_count() < self._before // 2)

    def thaw(self):
        """Let the collector see everything. Returns nothing."""
        if self._frozen:
            self._note()
            self._frozen, self.thawed_by_test = False, True
            _unfreeze()

    def _before_call(self, name):
        """A test asks gc's function of this *name*: let it see everything."""
        self.thaw()
        if name == "freeze":
            self._note()

    def thawed(self):
        """Tell whether a run is under way and its heap is not frozen."""
        return self._depth > 0 and not self._frozen

    def _hide(self):
        self._note()
        self._frozen, self.thawed_by_test = True, False
        self._window += 1
        self._born = self._since = 0
        _freeze()
        self._before = _get_freeze_count()

    def _refreeze(self):
        self._born = 0
        survivors = len(_get_objects())
        if survivors > _FEW_NEW:
            self._since += survivors
            if self._since > self._before // self.slack and self._has_grown():
                self.full()
            else:
                self._window += 1
                _freeze()

    def _has_grown(self):
        """Tell whether the hidden heap has grown by a quarter.

        Most of what survived a test may have died since: what the next test takes the place of.
        Going over the hidden objects to count them takes a hundredth of a collection.
        """
        self._since = max(0, _get_freeze_count() - self._before)
        if self._since > self._before // self.slack:
            return True
        # Counting takes 10 ms for each 100,000 objects: not again before some more have come.
        self._since = min(self._since, self._before // self.slack - self._before // 16)
        return False

    def _on_collection(self, phase, info):
        """Called by the collector: thaw before a collection that a test asked for."""
        try:
            if self._windows and not self._frozen and phase == "start" and info["generation"]:
                self._note()
            if (info["generation"] == 2 and phase == "start" and self._not_ours
                    and self._frozen and not is_automatic()):
                self.thaw()
        except KeyboardInterrupt:   # the collector ignores what its callbacks raise
            self.interrupted = True

    def interrupt(self):
        """Raise the ``KeyboardInterrupt`` that came where it would have been ignored."""
        self.interrupted = False
        raise KeyboardInterrupt


class _Window(object):
    """What came in the time since a window was opened: the ids of what is mixed with the rest by
    now.

    An id may go to another object, which came in the window too. ``lost``: what came cannot be
    known.
    """

    __slots__ = ("number", "ids", "lost")

    def __init__(self):
        self.number = 0
        self.ids = set()
        self.lost = False


heap = Heap()
_REPLACED = dict((name, thaw_first(name, partial(heap._before_call, name))) for name in NAMES
                  if hasattr(gc, name))
