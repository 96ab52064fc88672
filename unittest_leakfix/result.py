"""Results that keep a FinishedTest in place of each instance."""

from __future__ import absolute_import

import unittest

from unittest_leakfix._core.early import bind, late

__unittest = True
bind(globals())

finished_test = late(globals(), "finished_test")

_attribute = object.__getattribute__
_TestCase = unittest.TestCase

# unittest's own lists hold finished tests only. Another list may hold tests that
# are still to run, so there only the one that just finished is swapped.
_LISTS = ("failures", "errors", "skipped", "expectedFailures", "unexpectedSuccesses")


class Sweep(object):
    """Swaps the tests in a result's lists for stand-ins, once they are finished.

    Besides unittest's own lists that is every list attribute of the result
    (testtools' ``collectedDurations``, the ``result`` of the HTMLTestRunners) and
    every list in a dict of it (testtools' ``skip_reasons``), from where the last
    sweep ended. The shape of an entry stays: a test, or a tuple or list with tests
    among its items.
    """

    def __init__(self, result, lists=None):
        """*lists*: unittest's own, where no others are to be looked for before the end."""
        self._result = result
        self._lists = lists or []
        self.lengths = [0] * len(self._lists)   # how many entries of each are swapped
        self._of_unittest = len(self._lists)    # how many of them are unittest's
        self._dicts = []
        if lists is None:
            self._look()

    def _look(self):
        """Note which lists there are (Django's DummyList is none)."""
        known = vars(self._result)
        known_lists = [known[name] for name in _LISTS if issubclass(type(known.get(name)), list)]
        other = [value for name, value in known.items()
                 if issubclass(type(value), list) and name not in _LISTS
                 and not (name == "collectedDurations" and _texts_only(self._result))]
        before = dict(zip(map(id, self._lists), self.lengths))
        self._lists = known_lists + other
        self._of_unittest = len(known_lists)
        self.lengths = [before.get(id(each), 0) for each in self._lists]
        self._dicts = [value for value in known.values() if type(value) is dict]

    def __call__(self, test=None):
        """Swap what *test*, which just finished, has left; None: at the end of all."""
        if test is None:
            self._look()
        made = {}
        lengths = self.lengths
        for place, entries in enumerate(self._lists):
            length = len(entries)
            if length != lengths[place]:
                _swap(entries, lengths[place], None if place < self._of_unittest else test, made)
                lengths[place] = length
        for each in self._dicts:
            for entries in list(each.values()):
                if issubclass(type(entries), list):
                    _swap(entries, 0, test, made)


def _swap(entries, begin, only, made):
    """Swap the tests from place *begin* on; if *only* is given, that one alone."""
    for place in range(begin, len(entries)):
        entry = entries[place]
        if (only is None and type(entry) is tuple and len(entry) == 2 and type(entry[1]) is str
                and _is_live(entry[0])):
            entries[place] = _stand_in(entry[0], made), entry[1]    # unittest's own
        else:
            swapped = _swapped(entry, only, made)
            if swapped is not entry:
                entries[place] = swapped


def _swapped(entry, only, made):
    """Return *entry* with each live test in it replaced."""
    if _is_live(entry):
        if (only is not None and entry is not only
                and _attribute(entry, "__dict__").get("test_case") is not only):
            return entry
        return _stand_in(entry, made)
    if (type(entry) is tuple or type(entry) is list) and any(_is_live(item) for item in entry):
        return type(entry)(_swapped(item, only, made) for item in entry)
    return entry


def _stand_in(test, made):
    """Return what stands for *test* in all lists; *made* are those there are, by its id."""
    if id(test) not in made:
        made[id(test)] = finished_test.finished(test)
    return made[id(test)]


def _texts_only(result):
    """unittest's own addDuration (3.12) keeps the test's text, testtools' the test."""
    original = getattr(unittest.TestResult, "addDuration", None)
    return original is not None and getattr(type(result), "addDuration", None) is original


def _is_live(entry):
    """Only real tests: xmlrunner's _TestInfo and unittest's _ErrorHolder stay."""
    return issubclass(type(entry), _TestCase)


class LeakFixResultMixin(object):
    """Put on top of any ``TestResult`` class: it keeps no finished instance.

    ``class Result(LeakFixResultMixin, TheirResult): pass``. The handlers
    (``addFailure`` and the like) of *TheirResult* get the live test as ever; the
    swap comes at the end of ``stopTest``, and once more in ``stopTestRun`` for what
    was added outside of a test.
    """

    _leakfix_sweep = None
    _leakfix_lists = ((), (), (), (), ())     # unittest's lists, where there are no others
    _leakfix_swapped = -1   # how many entries they have, when there is nothing to swap

    def stopTest(self, test):
        """Called when *test* is over; lets go of it."""
        super(LeakFixResultMixin, self).stopTest(test)
        # Spelled out: any() and sum() cost as much as the rest of it.
        one, two, three, four, five = self._leakfix_lists
        number = len(one) + len(two) + len(three) + len(four) + len(five)
        if number != self._leakfix_swapped:
            self._leakfix_swap_new(test, number)

    def _leakfix_swap_new(self, test, number):
        """Swap what *test* has left in unittest's lists, which have this *number* of entries."""
        if number == self._leakfix_swapped + 1 and self._leakfix_swap_last(test):
            self._leakfix_swapped = number
        else:
            self._leakfix_swap(test)

    def _leakfix_swap_last(self, test):
        """Swap *test* where it is the last entry of one of unittest's lists, and that the only one
        more: the most frequent. Returns whether it was."""
        for place, entries in enumerate(self._leakfix_lists):
            if entries:
                entry = entries[-1]
                if type(entry) is tuple and len(entry) == 2 and entry[0] is test:
                    entries[-1] = finished_test.finished(test), entry[1]
                    self._leakfix_sweep.lengths[place] += 1
                    return True
        return False

    def _leakfix_swap(self, test):
        sweep = self._leakfix_sweep
        if sweep is None:
            known_lists = None
            if "_leakfix_ready" in type(self).__dict__:
                # A look at vars() would make each attribute of the result slower to
                # reach from then on (3.12).
                known_lists = self._leakfix_lists = [getattr(self, name) for name in _LISTS]
            sweep = self._leakfix_sweep = Sweep(self, known_lists)
        sweep(test)
        if type(self._leakfix_lists) is list:
            self._leakfix_swapped = sum(sweep.lengths)

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


def take_over(result):
    """Have a run of ours look at the lists of *result* when a test is finished, and not `stopTest`
    of the result; return whether that is so. `give_back` ends it.

    A method in Python that calls that of its base costs more than all that is done after a test
    that passed. Only where nobody can tell: for a result of a class of ours.
    """
    if type(result) is not LeakFixTextTestResult and type(result) is not LeakFixTestResult:
        return False
    result.stopTest = super(LeakFixResultMixin, result).stopTest
    return True


def give_back(result):
    """The run of ours is over."""
    del result.stopTest
