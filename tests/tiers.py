"""The three tiers of the tests, and how a test says to which of them it belongs.

==========  ==================================  =================================================
tier        command                             what runs
==========  ==================================  =================================================
quick       ``tests/everywhere.py --quick``     the newest interpreter alone, without marked tests
full        ``tests/everywhere.py`` (also CI)   every interpreter, without what is marked nightly
nightly     ``tests/everywhere.py --nightly``   every interpreter, and every test on each of them
==========  ==================================  =================================================

A test without a mark runs in all three. A mark is a decorator of a class or of a method::

    @full_on(OLDEST, NEWEST)    # takes its time: full tier, on these two; nightly tier, on all
    class WithServersTest(unittest.TestCase): ...

    @nightly                    # nightly tier only, on all interpreters
    def test_all_of_django(self): ...

What is left out is skipped, with the tier as the reason. The test command says in the variable
LEAKFIX_TIER which tier it runs. Without that (``python -m unittest tests.test_x``) it is the full
one.
"""  # noqa: E501

from __future__ import absolute_import

import os
import sys
import unittest

QUICK, FULL, NIGHTLY = "quick", "full", "nightly"
VARIABLE = "LEAKFIX_TIER"
# Of those on which all that the tests want to meet (drivers, Django, pytest) can be installed.
OLDEST, NEWEST = (3, 8), (3, 13)


def current():
    """Return the tier that runs: QUICK, FULL or NIGHTLY."""
    tier = os.environ.get(VARIABLE) or FULL
    if tier not in (QUICK, FULL, NIGHTLY):
        raise ValueError("%s=%s is not a tier" % (VARIABLE, tier))
    return tier


def full_on(*versions):
    """Return a decorator: the full tier runs it on *versions*, pairs such as ``(3, 8)``.

    The nightly tier runs it on all interpreters, the quick tier does not run it.
    """
    if not versions or not all(isinstance(each, tuple) for each in versions):
        raise TypeError("full_on() needs the versions, as pairs: full_on(OLDEST, NEWEST)")
    runs = current() == NIGHTLY or current() == FULL and sys.version_info[:2] in versions
    return unittest.skipUnless(runs, "full tier on %s; elsewhere nightly" % (
        " and ".join("%d.%d" % each for each in versions)))


def nightly(test):
    """Decorate what only the nightly tier runs."""
    return unittest.skipUnless(current() == NIGHTLY, "nightly tier")(test)
