"""What the core does by packages above it, which a run loads only when it needs them.

This is the one module of the core that may import `leaks` and `databases`, and each function does
so when it is called: plain runs never load them, and before Python 3.8 they are not there.
"""

from __future__ import absolute_import

import gc
import os
import sys
import time

from unittest_leakfix._core.declarations import most_connections
from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())


_CONFIGURATIONS = ("unittest_leakfix.cfg", "pyproject.toml", "setup.cfg")
_isenabled, _enable, _disable = gc.isenabled, gc.enable, gc.disable
_access, _getcwd = os.access, os.getcwd
_abspath = os.path.abspath
_open, _read, _close = os.open, os.read, os.close
_process_time = getattr(time, "process_time", None)     # 3.3
# A pipe is not waited for.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def configuration(folder="", pytest=False):
    """Return what the configuration file says, by the names of the options; {} where there is none,
    and then nothing is loaded.

    It is looked for in *folder*, by default the one that the command is typed in, and in those
    above it up to the root of the repository that it is in: not in those of others, which /tmp is.
    Raises ``ValueError`` for what makes no sense.
    """
    path = configuration_file(folder)
    if not path:
        return {}
    from unittest_leakfix.configuration import read
    return read(path, pytest)


def configuration_file(folder=""):
    """Return the path of the nearest file that has our name in it, "" for none.

    Every run does this: of what tells whether a file is there, `os.access` costs the least.
    """
    here = folder + os.sep if folder else ""
    found = _configured(here)
    if found or _access(here + ".git", 0):
        return found
    try:
        above = (folder or _getcwd()).count(os.sep)
    except (IOError, OSError):      # this folder is gone
        return ""
    folders = []
    while above > 0:
        above -= 1
        here += "../"
        folders.append(here)
        if _access(here + ".git", 0):
            for here in folders:
                found = _configured(here)
                if found:
                    break
            return found
    return ""       # not in a repository


def _configured(folder):
    """Return the path of the file in *folder* that has our name in it."""
    for name in _CONFIGURATIONS:
        if _access(folder + name, 4) and b"unittest_leakfix" in _bytes_of(folder + name):
            return _abspath(folder + name)
    return ""


def _bytes_of(path):
    try:
        file = _open(path, _FLAGS)
        try:
            return _read(file, 1 << 20)
        finally:
            _close(file)
    except (IOError, OSError):      # a folder
        return b""


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
    began = _process_time()
    collects = _isenabled()
    _disable()        # nothing of what is loaded is garbage
    try:
        from unittest_leakfix.leaks.run import LeakSession
        from unittest_leakfix.options import decided
    finally:
        if collects:
            _enable()
    watch_locks()
    LeakSession.loading += _process_time() - began      # the first call loads
    session = LeakSession(**decided(chosen))
    session.run_again = run_again
    return session


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
    watch_locks()
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


def explain(arguments):
    """Run the command ``explain`` with these *arguments*, and return its exit status."""
    if sys.version_info < (3, 8):
        sys.stderr.write("error: explain needs Python 3.8 or later\n")
        return 2
    from unittest_leakfix.polluter.explain import main
    return main(arguments)


def run_again(tests, framework="unittest", root=""):
    """Run *tests* twice each in a child process; return what each kept the second time, by its id,
    and why others could not be run (3.8). *root*: the folder that pytest's ids begin in."""
    from unittest_leakfix.polluter.again import run_again
    return run_again(tests, framework, root)


def polluter(arguments):
    """Run the command ``polluter`` with these *arguments*, and return its exit status."""
    if sys.version_info < (3, 8):
        sys.stderr.write("error: polluter needs Python 3.8 or later\n")
        return 2
    from unittest_leakfix.polluter.command import main
    return main(arguments)


def fix(arguments):
    """Run the command ``fix`` with these *arguments*, and return its exit status."""
    if sys.version_info < (3, 8):
        sys.stderr.write("error: fix needs Python 3.8 or later\n")
        return 2
    from unittest_leakfix.fix.command import main
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


# Waits for the locks of databases: 3.8, in a run that records connections.

def recording():
    """Return what records which connections are opened, None before 3.8."""
    if sys.version_info < (3, 8):
        return None
    from unittest_leakfix.tracing.drivers import drivers
    watch_locks()
    return drivers


class LockWatch(object):
    """Looks for waits before locks from when two recorded connections are open until none is
    recorded any more."""

    descriptor = None       # of standard error, where 2 is not that: under pytest

    @classmethod
    def begin(cls, main):
        """Begin, in a thread below `threading`. *main*: the number of the main thread."""
        from unittest_leakfix import patience
        patience.watch_locks(main, look_at_locks, two_connections, cls.descriptor)

    @staticmethod
    def end():
        """End it."""
        patience = sys.modules.get("unittest_leakfix.patience")
        if patience is not None:
            patience.stop_watching_locks()


def watch_locks(descriptor=None):
    """Have the waits of recorded connections for locks watched. *descriptor*: where to write what
    they are, if not to standard error."""
    if descriptor is not None and descriptor >= 0:
        LockWatch.descriptor = descriptor
    from unittest_leakfix.tracing.opened_connections import connection_registry
    connection_registry.lock_watch = LockWatch


def watch_locks_no_more(descriptor):
    """Undo `watch_locks`, and close the descriptor that it was given."""
    LockWatch.end()
    LockWatch.descriptor = None
    if descriptor >= 0:
        _close(descriptor)


def two_connections():
    """Return what runs where two recorded connections may be open, so that one can be in the way
    of the other; None where not."""
    module = sys.modules.get("unittest_leakfix.tracing.opened_connections")
    registry = getattr(module, "connection_registry", None)
    return registry.current() if registry is not None and registry.has_two() else None


def look_at_locks(seconds, ending, say):
    """Report what sessions of this run wait for, and end what is in the way and may be."""
    from unittest_leakfix.databases.lock_waits import look
    look(seconds, ending, say)
