"""What the core does by packages above it, which a run loads only when it needs them.

This is the one module of the core that may import `leaks` and `databases`, and each function does
so when it is called: plain runs never load them, and before Python 3.8 they are not there.
"""

from __future__ import absolute_import

import sys
import time

from unittest_leakfix._core.declarations import most_connections
from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


def leak_session(options):
    """Return the `leaks.run.LeakSession` that the *options* ask for, None when finding is off.

    Raises ``ValueError`` for options that do not fit.
    """
    chosen = dict((name, value) for name, value in options.items()
                 if value is not None and value is not False)
    if not chosen or chosen == {"leaks": "off"}:
        return None
    if sys.version_info < (3, 8):
        raise ValueError("%s: finding leaks needs Python 3.8 or later; closing and letting go "
                         "works here too"
                         % ", ".join("%s=%r" % each for each in sorted(chosen.items())))
    began = time.process_time()
    from unittest_leakfix.leaks.run import LeakSession
    from unittest_leakfix.options import decided
    LeakSession.loading += time.process_time() - began      # the first call loads
    return LeakSession(**decided(chosen))


def asserting(test, message):
    """Return the context manager of ``assertNoLeaks``."""
    if sys.version_info < (3, 8):
        raise NotImplementedError("assertNoLeaks needs Python 3.8 or later")
    from unittest_leakfix.leaks.watch_block import AssertingWatch
    return AssertingWatch(test, message)


def connection_counting(most):
    """Return what makes a watcher that allows *most* connections at once; None for None.

    It takes the run's own watcher, or None. Raises ``ValueError`` for anything but a
    number, and before Python 3.8.
    """
    if most is None:
        return None
    if sys.version_info < (3, 8):
        raise ValueError("max_connections=%r: counting connections needs Python 3.8 or later"
                         % (most,))
    from unittest_leakfix.databases.connection_limit import CountingObserver
    CountingObserver(most=most)
    return lambda watcher: CountingObserver(watcher, most)


def connection_counting_by_class(watcher):
    """Return a watcher before *watcher* that counts for the classes that limit their
    connections."""
    from unittest_leakfix.databases.connection_limit import CountingObserver
    return CountingObserver(watcher)


def begin_budget(test):
    """Begin to count the connections of a *test* whose class limits them (3.8)."""
    most = most_connections(type(test))
    if most is None:
        return None
    from unittest_leakfix.databases.connection_limit import of_class
    return of_class(type(test), most, test)


def sessions(arguments):
    """Run the command ``sessions`` with these *arguments*, and return its exit status."""
    if sys.version_info < (3, 8):
        sys.stderr.write("error: sessions needs Python 3.8 or later\n")
        return 2
    from unittest_leakfix.databases.cli import main
    return main(arguments)


def polluter(arguments):
    """Run the command ``polluter`` with these *arguments*, and return its exit status."""
    if sys.version_info < (3, 8):
        sys.stderr.write("error: polluter needs Python 3.8 or later\n")
        return 2
    from unittest_leakfix.polluter.command import main
    return main(arguments)


def reports(command, arguments):
    """Run the *command* ``compare`` or ``merge`` with these *arguments*, and return its exit
    status."""
    if sys.version_info < (3, 8):
        sys.stderr.write("error: %s needs Python 3.8 or later\n" % command)
        return 2
    from unittest_leakfix.leaks import report_commands
    run = {"compare": report_commands.compare, "merge": report_commands.merged}[command]
    return run(arguments)
