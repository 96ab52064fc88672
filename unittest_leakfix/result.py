"""Results that keep a FinishedTest in place of each instance."""

from __future__ import absolute_import

import unittest

from unittest_leakfix._core.early import bind
from unittest_leakfix.finished_test import finished

__unittest = True
bind(globals())

_attribute = object.__getattribute__

# unittest's own lists hold finished tests only. Another list may hold tests that
# are still to run, so there only the one that just finished is swapped.
_OWN = ("failures", "errors", "skipped", "expectedFailures", "unexpectedSuccesses")


class Sweep(object):
    """Swaps the tests in a result's lists for stand-ins, once they are finished.

    Besides unittest's own lists that is every list attribute of the result
    (testtools' ``collectedDurations``, the ``result`` of the HTMLTestRunners) and
    every list in a dict of it (testtools' ``skip_reasons``), from where the last
    sweep ended. The shape of an entry stays: a test, or a tuple or list with tests
    among its items.
    """

    def __init__(self, result):
        self._result = result
        self._lists = []
        self._lengths = []
        self._own = 0       # how many of them are unittest's
        self._dicts = []
        self._look()

    def _look(self):
        """Note which lists there are (Django's DummyList is none)."""
        known = vars(self._result)
        own = [known[name] for name in _OWN if issubclass(type(known.get(name)), list)]
        other = [value for name, value in known.items()
                 if issubclass(type(value), list) and name not in _OWN
                 and not (name == "collectedDurations" and _texts_only(self._result))]
        before = dict(zip(map(id, self._lists), self._lengths))
        self._lists = own + other
        self._own = len(own)
        self._lengths = [before.get(id(each), 0) for each in self._lists]
        self._dicts = [value for value in known.values() if type(value) is dict]

    @property
    def watched(self):
        """The lists that are looked at: all empty, nothing is to swap."""
        return self._lists + [self._dicts]

    def __call__(self, test=None):
        """Swap what *test*, which just finished, has left; None: at the end of all."""
        if test is None:
            self._look()
        lengths = list(map(len, self._lists))
        made = {}
        for place, entries in enumerate(self._lists):
            if lengths[place] != self._lengths[place]:
                only = None if place < self._own else test
                _swap(entries, self._lengths[place], only, made)
                self._lengths[place] = lengths[place]
        for each in self._dicts:
            for entries in list(each.values()):
                if issubclass(type(entries), list):
                    _swap(entries, 0, test, made)


def _swap(entries, begin, only, made):
    """Swap the tests from place *begin* on; if *only* is given, that one alone."""
    for place in range(begin, len(entries)):
        entry = _swapped(entries[place], only, made)
        if entry is not entries[place]:
            entries[place] = entry


def _swapped(entry, only, made):
    """Return *entry* with each live test in it replaced."""
    if _is_live(entry):
        if (only is not None and entry is not only
                and _attribute(entry, "__dict__").get("test_case") is not only):
            return entry
        if id(entry) not in made:
            made[id(entry)] = finished(entry)
        return made[id(entry)]
    if type(entry) is tuple and len(entry) == 2 and type(entry[1]) is str and _is_live(entry[0]):
        return _swapped(entry[0], only, made), entry[1]     # unittest's own
    if (type(entry) is tuple or type(entry) is list) and any(_is_live(item) for item in entry):
        return type(entry)(_swapped(item, only, made) for item in entry)
    return entry


def _texts_only(result):
    """unittest's own addDuration (3.12) keeps the test's text, testtools' the test."""
    own = getattr(unittest.TestResult, "addDuration", None)
    return own is not None and getattr(type(result), "addDuration", None) is own


def _is_live(entry):
    """Only real tests: xmlrunner's _TestInfo and unittest's _ErrorHolder stay."""
    return issubclass(type(entry), unittest.TestCase)


class LeakFixResultMixin(object):
    """Put on top of any ``TestResult`` class: it keeps no finished instance.

    ``class Result(LeakFixResultMixin, TheirResult): pass``. The handlers
    (``addFailure`` and the like) of *TheirResult* get the live test as ever; the
    swap comes at the end of ``stopTest``, and once more in ``stopTestRun`` for what
    was added outside of a test.
    """

    _leakfix_sweep = None
    _leakfix_lists = ((None,),)     # while all are empty there is nothing to swap

    def stopTest(self, test):
        """Called when *test* is over; lets go of it."""
        super(LeakFixResultMixin, self).stopTest(test)
        if any(self._leakfix_lists):
            self._leakfix_swap(test)

    def _leakfix_swap(self, test):
        if self._leakfix_sweep is None:
            if "_leakfix_ready" in type(self).__dict__:
                # Its lists are known. A look at vars() would make each attribute of
                # the result slower to reach from then on (3.12).
                self._leakfix_lists = [getattr(self, name) for name in _OWN]
                if not any(self._leakfix_lists):
                    return
            self._leakfix_sweep = Sweep(self)
            self._leakfix_lists = self._leakfix_sweep.watched
        self._leakfix_sweep(test)

    def stopTestRun(self):
        """Called once after all tests; lets go of what is left."""
        super(LeakFixResultMixin, self).stopTestRun()
        (self._leakfix_sweep or Sweep(self))()


class LeakFixTestResult(LeakFixResultMixin, unittest.TestResult):
    """``unittest.TestResult`` that keeps no finished instance."""

    _leakfix_ready = True


class LeakFixTextTestResult(LeakFixResultMixin, unittest.TextTestResult):
    """``unittest.TextTestResult`` that keeps no finished instance."""

    _leakfix_ready = True
