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

Whole modules stand in `MODULES` below: what starts hundreds of child processes, servers or
frameworks runs where the difference between versions lies, on the oldest and newest, in the full
tier, and everywhere in the nightly one. Named on the command line, a module runs whatever the
table says.

What is left out is skipped, with the tier as the reason. The test command says in the variable
LEAKFIX_TIER which tier it runs. Without that (``python -m unittest tests.unit.test_x``) it is the full
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
BOTH = (OLDEST, NEWEST)
CORE = ((2, 7), (3, 6), NEWEST)     # of what also fixes before 3.8
ONE = (NEWEST,)
MIDDLE = ((3, 12),)     # one that has all packages as well, and time: the newest runs the most
BESIDE = (3, 11)        # another such one, for what takes minutes by itself
# The beginning of a module's name, and the versions that run it in the full tier: the first counts.
MODULES = (
    ("test_application_state", BOTH),
    ("test_blame", BOTH),
    ("test_budget", MIDDLE),
    ("test_ci_outputs", BOTH),
    ("test_clients", ONE),
    ("test_connection_records", MIDDLE),
    ("test_configured", ONE),
    ("test_corpora", ONE),
    ("test_django", BOTH),
    ("test_everywhere", ((2, 7), NEWEST)),
    ("test_example_django", ONE),
    ("test_example", CORE),
    ("test_explain", ONE),
    ("test_facts_alone", ONE),
    ("test_fix", ONE),
    ("test_fingerprints", BOTH),
    ("test_first_imports", BOTH),
    ("test_frameworks", CORE),
    ("test_held", BOTH),
    ("test_holders_limits", ONE),
    ("test_holders", BOTH),
    ("test_hostile_classes", CORE),
    ("test_html_page", BOTH),
    ("test_imported", ONE),
    ("test_interrupts", ONE),
    ("test_leaks_complaints", BOTH),
    ("test_leaks_faults", MIDDLE),
    ("test_leaks_options", MIDDLE),
    ("test_leaks_process", BOTH),
    ("test_lines", BOTH),
    ("test_lock_waits", ONE),
    ("test_own_resources", BOTH),
    ("test_planted", BOTH),
    ("test_max_memory", ONE),
    ("test_memory_limit", ONE),
    ("test_packaging", CORE),
    ("test_page_written", ONE),
    ("test_one_root", BOTH),
    ("test_pytest_django", ONE),
    ("test_pytest_files", MIDDLE),
    ("test_pytest_options", MIDDLE),
    ("test_pytest_pages", ONE),
    ("test_pytest_xdist", ONE),
    ("test_patience_frameworks", ONE),
    ("test_patience", CORE),
    ("test_polluter", (BESIDE,)),
    ("test_pytest", BOTH),
    ("test_messages", ONE),
    ("test_progress", ONE),
    ("test_recipes", CORE),
    ("test_redaction_outputs", MIDDLE),
    ("test_redaction", CORE),
    ("test_replaced_functions", (BESIDE, NEWEST)),
    ("test_report_commands", BOTH),
    ("test_reporter", ONE),
    ("test_sessions", MIDDLE),
    ("test_story_async", ONE),
    ("test_story", CORE),
    ("test_suites_again", CORE),
    ("test_trust_large", (BESIDE,)),
    ("test_trust_points", ONE),
    ("test_trust", CORE),
    ("test_truth", BOTH),
    ("test_types", ONE),
    ("test_uncounted", BOTH),
    ("test_watch", BOTH),
    ("test_without_proc", ONE),
    ("test_zoo", BOTH),
)


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
    return unittest.skipUnless(runs, _elsewhere(versions))


def left_out(module, version=sys.version_info[:2]):
    """Return why this tier leaves out the test *module* (``"unit.test_x"``) on that version of
    Python, "" if it runs it."""
    name = module.rpartition(".")[2]
    for start, versions in MODULES:
        if name.startswith(start):
            return _elsewhere(versions) if current() == FULL and version not in versions else ""
    return ""


def _elsewhere(versions):
    return "full tier on %s; elsewhere nightly" % " and ".join("%d.%d" % each for each in versions)


def nightly(test):
    """Decorate what only the nightly tier runs."""
    return unittest.skipUnless(current() == NIGHTLY, "nightly tier")(test)
